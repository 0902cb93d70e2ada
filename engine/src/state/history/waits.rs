//! When attempts were handed over and when they were heard to run -> how long places take to begin.

use super::lately::{median, remember};
use crate::ids::AttemptId;
use crate::world::Timestamp;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// How long attempts waited.
#[derive(Debug, Default)]
pub(super) struct Waits {
    /// Attempts that were handed over, and of those that were not heard since where and when.
    handed_over: HashMap<AttemptId, Option<(String, Timestamp)>>,
    /// The newest waits at each place, oldest first.
    lately: HashMap<String, VecDeque<Duration>>,
}

impl Waits {
    /// Whoever takes an attempt up again hands it over a second time; its job may run by then, which tells nothing.
    pub(super) fn handed_over(&mut self, attempt: Option<AttemptId>, place: String, time: Timestamp) {
        let Some(attempt) = attempt else { return };
        self.handed_over.entry(attempt).and_modify(|known| *known = None).or_insert(Some((place, time)));
    }

    pub(super) fn began(&mut self, attempt: Option<&AttemptId>, time: Timestamp) {
        let known = attempt.and_then(|attempt| self.handed_over.get_mut(attempt));
        if let Some((place, since)) = known.and_then(Option::take) {
            remember(self.lately.entry(place).or_default(), time.since(since));
        }
    }

    /// The median of the newest.
    pub(super) fn usual(&self, place: &str) -> Option<Duration> {
        let mut waits: Vec<Duration> = self.lately.get(place)?.iter().copied().collect();
        waits.sort_unstable();
        median(&waits)
    }
}
