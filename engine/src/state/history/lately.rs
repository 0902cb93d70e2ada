//! The newest attempts of a task -> how long the next one takes.

use crate::attempt::ItemCount;
use crate::plan::Lately;
use std::collections::VecDeque;
use std::time::Duration;

/// How many of them tell that.
const LATELY: usize = 5;

/// An attempt that succeeded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tried {
    pub(super) took: Duration,
    pub(super) items: ItemCount,
}

impl Tried {
    /// How long all of the work takes: of so many items, where they are counted. None when it made none of its items, which
    /// tells nothing.
    fn whole(&self, items: Option<u64>) -> Option<Duration> {
        match (self.items.made, self.items.reused) {
            (0, 0) => Some(self.took),
            (0, _) => None,
            (made, reused) => {
                let all = items.unwrap_or(made + reused);
                Some(self.took.mul_f64(all as f64 / made as f64))
            }
        }
    }

    pub(super) fn items(&self) -> Option<u64> {
        let all = self.items.made + self.items.reused;
        (all > 0).then_some(all)
    }
}

/// Of attempts of which the last is the newest. Items of the next are taken to be as many as those of the newest.
pub(super) fn lately(tried: &VecDeque<Tried>, items: Option<u64>) -> Option<Lately> {
    let mut times: Vec<Duration> = tried.iter().filter_map(|tried| tried.whole(items)).collect();
    times.sort_unstable();
    let (shortest, longest) = (*times.first()?, *times.last()?);
    Some(Lately { median: median(&times)?, shortest, longest, attempts: times.len() })
}

/// Of times in their order.
pub(super) fn median(times: &[Duration]) -> Option<Duration> {
    let (low, high) = (times.get(times.len().checked_sub(1)? / 2)?, times.get(times.len() / 2)?);
    Some((*low + *high) / 2)
}

/// Forgets the oldest of more than tell anything.
pub(super) fn remember<T>(newest: &mut VecDeque<T>, one: T) {
    if newest.len() == LATELY {
        newest.pop_front();
    }
    newest.push_back(one);
}
