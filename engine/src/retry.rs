//! Which failures are tried again, how often and after how long. One budget for each class.

use crate::failure::Class;
use crate::planted::{Fault, planted};
use std::collections::BTreeMap;
use std::time::Duration;

/// A task's retry rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Budgets the spec sets; the others are [`Class::budget`].
    pub budgets: BTreeMap<Class, u32>,
    /// The rest before the first retry.
    pub first: Duration,
    /// The longest rest.
    pub longest: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { budgets: BTreeMap::new(), first: Duration::from_secs(2), longest: Duration::from_secs(120) }
    }
}

impl Retry {
    /// How often a task is tried again after a failure of this class. `None` has no count: time ends it.
    pub fn budget(&self, class: Class) -> Option<u32> {
        self.budgets.get(&class).copied().or_else(|| class.budget())
    }

    /// Whether a task that has used `used` retries of this class gets another.
    pub fn allows(&self, class: Class, used: u32) -> bool {
        self.budget(class).is_none_or(|budget| used < budget + u32::from(planted(Fault::OneRetryTooMany)))
    }

    /// The rest before retry number `retry` (from 1) of a task: doubled each time up to the longest, and then
    /// between half and all of that. The part is taken from the task's own place, so tasks that failed together
    /// do not come back together, and the same run rests the same.
    pub fn rest(&self, task: usize, retry: u32) -> Duration {
        let retry = if planted(Fault::RestNotDoubled) { 1 } else { retry };
        let doubled = self.first.saturating_mul(1_u32.checked_shl(retry.saturating_sub(1)).unwrap_or(u32::MAX));
        let whole = doubled.min(self.longest);
        let hash = blake3::hash(format!("{task}:{retry}").as_bytes());
        let share = u32::from(hash.as_bytes()[0]);
        whole / 2 + whole / 2 * share / 255
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_double_up_to_the_longest_and_keep_at_least_half() {
        let retry = Retry { first: Duration::from_secs(2), longest: Duration::from_secs(10), ..Retry::default() };
        for (n, whole) in [(1, 2), (2, 4), (3, 8), (4, 10), (40, 10)] {
            let rest = retry.rest(7, n);
            assert!(rest >= Duration::from_secs(whole) / 2 && rest <= Duration::from_secs(whole), "{n}: {rest:?}");
        }
    }

    #[test]
    fn only_the_works_own_failure_uses_up_failed() {
        let retry = Retry { budgets: [(Class::Failed, 1)].into(), ..Retry::default() };
        assert!(retry.allows(Class::Failed, 0) && !retry.allows(Class::Failed, 1));
        assert!(retry.allows(Class::Preempted, 9) && !retry.allows(Class::Preempted, 10));
        assert!(retry.allows(Class::Capacity, 1_000_000));
    }
}
