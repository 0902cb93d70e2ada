//! How far an attempt is, told again and again -> whether it will be done in time, said once and as soon as that can be known.

use crate::ids::AttemptId;
use crate::world::Timestamp;
use std::collections::HashMap;
use std::time::Duration;

/// What has to be seen of an attempt before its pace means anything: this part of the time that it has, and no more than this.
const SEEN_PART: u32 = 20;
const SEEN_MOST: Duration = Duration::from_secs(30);

/// The pace of each attempt that has told of its progress.
#[derive(Default)]
pub(super) struct Paces {
    of: HashMap<AttemptId, Pace>,
}

/// From here the pace of one attempt is reckoned: what it found done already came faster than what it does.
struct Pace {
    since: Timestamp,
    done: u64,
    is_told: bool,
}

/// How much longer an attempt needs at its pace, and how much longer it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Late {
    pub(super) needs: Duration,
    pub(super) has: Duration,
}

impl Paces {
    /// An attempt that must end at a moment has done so much of all. `Some` once for each attempt that will be late.
    pub(super) fn take(
        &mut self,
        attempt: &AttemptId,
        (done, total): (u64, u64),
        (now, end): (Timestamp, Timestamp),
    ) -> Option<Late> {
        let pace = self.of.entry(attempt.clone()).or_insert(Pace { since: now, done, is_told: false });
        let (seen, more) = (now.since(pace.since), done.saturating_sub(pace.done));
        let enough = (end.since(pace.since) / SEEN_PART).min(SEEN_MOST);
        if pace.is_told || more == 0 || seen < enough {
            return None;
        }
        let rest = u128::from(total.saturating_sub(done)) * seen.as_millis() / u128::from(more);
        let needs = Duration::from_millis(u64::try_from(rest).unwrap_or(u64::MAX));
        let has = end.since(now);
        pace.is_told = needs > has;
        pace.is_told.then_some(Late { needs, has })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of an attempt that has 1,000 s for 100 units, at these seconds with so much done.
    fn told(progress: &[(u64, u64)]) -> Vec<Option<Late>> {
        let (mut paces, attempt) = (Paces::default(), AttemptId("a-1".into()));
        let at = |second: u64| Timestamp(second * 1000);
        let mut take = |second, done| paces.take(&attempt, (done, 100), (at(second), at(1000)));
        progress.iter().map(|(second, done)| take(*second, *done)).collect()
    }

    fn late(needs: u64, has: u64) -> Option<Late> {
        Some(Late { needs: Duration::from_secs(needs), has: Duration::from_secs(has) })
    }

    #[test]
    fn who_needs_longer_than_there_is_is_told_of_once() {
        // A unit in 20 s: the 98 that are left take 1,960 s, and 960 are left.
        assert_eq!(told(&[(0, 0), (20, 1), (40, 2), (60, 3)]), [None, None, late(1960, 960), None]);
    }

    #[test]
    fn who_is_in_time_is_not_told_of() {
        assert_eq!(told(&[(0, 0), (90, 10), (180, 20), (900, 100)]), [None; 4]);
    }

    #[test]
    fn what_was_done_before_is_no_work_of_this_attempt() {
        // Half was found; of the other half a unit takes 40 s, so 49 take 1,960.
        assert_eq!(told(&[(0, 50), (40, 51)]), [None, late(1960, 960)]);
    }

    #[test]
    fn who_becomes_slow_is_told_of_when_that_shows() {
        assert_eq!(told(&[(0, 0), (100, 50), (900, 60)]), [None, None, late(600, 100)]);
    }

    #[test]
    fn of_a_moment_nothing_is_concluded() {
        assert_eq!(told(&[(0, 0), (29, 1)]), [None, None]);
    }
}
