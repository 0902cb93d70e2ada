//! What becomes of slots: the state of one spec, the time and what happened -> what to do. No clock, no process, no file.
//!
//! A slot is decided once. `decided` only moves forward, so a clock that is set back makes no slot come again, and what was
//! decided to run waits through every restart until its run has begun.

use crate::slots::Slots;
use pipe_engine::spec::{CatchUp, Overlap, Schedule};
use pipe_engine::world::Timestamp;
use std::collections::VecDeque;
use std::time::Duration;

/// A slot that is noticed within this time is on time; later, it was missed.
pub const PUNCTUAL: Duration = Duration::from_secs(60);
/// How many slots of a spec wait at most. Beyond, the oldest are given up: after a year away nobody wants each of half a
/// million runs.
pub const LONGEST_LINE: usize = 100;

/// What a schedule says about runs that go on, and about slots that nobody was there for.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The last run still goes on.
    pub overlap: Overlap,
    /// Nobody was there.
    pub catch_up: CatchUp,
}

impl From<&Schedule> for Rules {
    fn from(schedule: &Schedule) -> Self {
        Self { overlap: schedule.overlap, catch_up: schedule.catch_up }
    }
}

/// What became of the slots of one spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turns {
    /// Every slot up to here was decided.
    pub decided: Timestamp,
    /// Slots whose runs are to begin, in order.
    pub waiting: VecDeque<Timestamp>,
    /// The slot whose run goes on.
    pub running: Option<Timestamp>,
}

/// What is to be done, in order. Whoever does it has first made the new state durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Begin the run of this slot.
    Start(Timestamp),
    /// Ask the run that goes on to end.
    Stop,
    /// Tell: this slot waits for the run that goes on.
    Waits(Timestamp),
    /// Tell: this slot does not take place, because a run goes on.
    Skipped(Timestamp),
    /// Tell: these slots do not take place, because they were missed, or too many wait.
    GivenUp {
        /// How many.
        slots: usize,
        /// Whether there were more, which nobody counted.
        and_more: bool,
        /// The newest of them.
        newest: Timestamp,
    },
}

/// What is known of a run that was decided on when nobody was there to see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes on.
    GoesOn,
    /// It began, and is over however it ended.
    Over,
    /// It never began.
    NeverBegan,
}

impl Turns {
    /// Slots count from now on.
    pub fn from(now: Timestamp) -> Self {
        Self { decided: now, waiting: VecDeque::new(), running: None }
    }

    /// The state is that of an earlier process, which has left a run.
    pub fn return_to(&mut self, fate: Fate) {
        match (fate, self.running) {
            (Fate::GoesOn, _) | (_, None) => {}
            (Fate::Over, Some(_)) => self.running = None,
            (Fate::NeverBegan, Some(slot)) => {
                self.running = None;
                self.waiting.push_front(slot);
            }
        }
    }

    /// Time has passed.
    pub fn wake(&mut self, rules: Rules, slots: &Slots, now: Timestamp) -> Vec<Turn> {
        let (due, were_more) = slots.newest(self.decided, now, LONGEST_LINE);
        let mut turns = Vec::new();
        if let Some(newest) = due.last() {
            self.decided = *newest;
            self.take(rules, due, were_more, now, &mut turns);
        }
        self.begin_next(&mut turns);
        turns
    }

    /// The run that went on has ended.
    pub fn ended(&mut self) -> Vec<Turn> {
        self.running = None;
        self.begin()
    }

    /// Begins what waits, if nothing goes on.
    pub fn begin(&mut self) -> Vec<Turn> {
        let mut turns = Vec::new();
        self.begin_next(&mut turns);
        turns
    }

    fn take(&mut self, rules: Rules, due: Vec<Timestamp>, were_more: bool, now: Timestamp, turns: &mut Vec<Turn>) {
        let (on_time, mut missed): (Vec<_>, Vec<_>) = due.into_iter().partition(|slot| now.since(*slot) < PUNCTUAL);
        if rules.catch_up == CatchUp::All && !missed.is_empty() {
            // Those on time stand in line behind them: they would otherwise be skipped because of what is made up for.
            self.waiting.extend(missed.into_iter().chain(on_time));
            return self.shorten(were_more, turns);
        }
        let made_up_for = match rules.catch_up {
            CatchUp::Last if on_time.is_empty() => missed.pop(),
            _ => None,
        };
        give_up(&missed, were_more, turns);
        for slot in made_up_for.into_iter().chain(on_time) {
            self.arrive(rules.overlap, slot, turns);
        }
    }

    fn arrive(&mut self, overlap: Overlap, slot: Timestamp, turns: &mut Vec<Turn>) {
        if self.running.is_none() && self.waiting.is_empty() {
            return self.waiting.push_back(slot);
        }
        match overlap {
            Overlap::Skip => turns.push(Turn::Skipped(slot)),
            Overlap::Queue => {
                self.waiting.push_back(slot);
                turns.push(Turn::Waits(slot));
                self.shorten(false, turns);
            }
            Overlap::Replace => {
                give_up(self.waiting.make_contiguous(), false, turns);
                self.waiting = [slot].into();
                turns.extend(self.running.map(|_| Turn::Stop));
            }
        }
    }

    fn shorten(&mut self, and_more: bool, turns: &mut Vec<Turn>) {
        let too_many = self.waiting.len().saturating_sub(LONGEST_LINE);
        let oldest: Vec<Timestamp> = self.waiting.drain(..too_many).collect();
        match (oldest.as_slice(), self.waiting.front()) {
            // Nobody counted those before the oldest that is kept.
            ([], Some(first)) if and_more => turns.push(Turn::GivenUp { slots: 0, and_more, newest: *first }),
            (oldest, _) => give_up(oldest, and_more, turns),
        }
    }

    fn begin_next(&mut self, turns: &mut Vec<Turn>) {
        if self.running.is_none() {
            self.running = self.waiting.pop_front();
            turns.extend(self.running.map(Turn::Start));
        }
    }
}

fn give_up(slots: &[Timestamp], and_more: bool, turns: &mut Vec<Turn>) {
    turns.extend(slots.last().map(|newest| Turn::GivenUp { slots: slots.len(), and_more, newest: *newest }));
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;

    fn hour(n: u64) -> Timestamp {
        Timestamp(n * HOUR)
    }

    fn hourly() -> Slots {
        Slots::of(&serde_json::from_str(r#"{ "cron": "0 * * * *" }"#).unwrap()).unwrap()
    }

    fn rules(overlap: Overlap, catch_up: CatchUp) -> Rules {
        Rules { overlap, catch_up }
    }

    fn given_up(slots: usize, newest: u64) -> Turn {
        Turn::GivenUp { slots, and_more: false, newest: hour(newest) }
    }

    #[test]
    fn a_slot_begins_once_however_often_one_looks_and_wherever_the_clock_goes() {
        let (mut turns, rules) = (Turns::from(hour(1)), rules(Overlap::Skip, CatchUp::Last));
        assert_eq!(turns.wake(rules, &hourly(), hour(1)), []);
        assert_eq!(turns.wake(rules, &hourly(), hour(2)), [Turn::Start(hour(2))]);
        assert_eq!(turns.ended(), []);
        assert_eq!(turns.wake(rules, &hourly(), hour(2)), []);
        assert_eq!(turns.wake(rules, &hourly(), hour(1)), [], "the clock was set back");
        assert_eq!(turns.wake(rules, &hourly(), hour(3)), [Turn::Start(hour(3))]);
    }

    #[test]
    fn a_slot_that_finds_a_run_is_skipped_waits_or_takes_its_place() {
        let second = |overlap| {
            let (mut turns, rules) = (Turns::from(hour(1)), rules(overlap, CatchUp::Last));
            turns.wake(rules, &hourly(), hour(2));
            (turns.wake(rules, &hourly(), hour(3)), turns.ended())
        };
        assert_eq!(second(Overlap::Skip), (vec![Turn::Skipped(hour(3))], vec![]));
        assert_eq!(second(Overlap::Queue), (vec![Turn::Waits(hour(3))], vec![Turn::Start(hour(3))]));
        assert_eq!(second(Overlap::Replace), (vec![Turn::Stop], vec![Turn::Start(hour(3))]));
    }

    #[test]
    fn of_missed_slots_none_the_newest_or_each_is_made_up_for() {
        let late = Timestamp(5 * HOUR + 1_800_000);
        let after = |catch_up| {
            let mut turns = Turns::from(hour(2));
            (turns.wake(rules(Overlap::Skip, catch_up), &hourly(), late), turns.ended(), turns.ended())
        };
        assert_eq!(after(CatchUp::None), (vec![given_up(3, 5)], vec![], vec![]));
        assert_eq!(after(CatchUp::Last), (vec![given_up(2, 4), Turn::Start(hour(5))], vec![], vec![]));
        let each = [3, 4, 5].map(|n| vec![Turn::Start(hour(n))]);
        assert_eq!(after(CatchUp::All), each.into());
    }

    #[test]
    fn a_slot_on_time_makes_up_for_those_before_it() {
        let mut turns = Turns::from(hour(2));
        let rules = rules(Overlap::Skip, CatchUp::Last);
        assert_eq!(turns.wake(rules, &hourly(), hour(5)), [given_up(2, 4), Turn::Start(hour(5))]);
    }

    #[test]
    fn no_more_than_the_longest_line_is_made_up_for() {
        let mut turns = Turns::from(hour(0));
        let done = turns.wake(rules(Overlap::Skip, CatchUp::All), &hourly(), hour(1000));
        let first = hour(1000 - LONGEST_LINE as u64 + 1);
        assert_eq!(done, [Turn::GivenUp { slots: 0, and_more: true, newest: first }, Turn::Start(first)]);
        assert_eq!(turns.waiting.len(), LONGEST_LINE - 1);
    }

    #[test]
    fn what_was_decided_on_and_never_began_is_first_after_a_return() {
        let left = Turns { decided: hour(5), waiting: [hour(5)].into(), running: Some(hour(4)) };
        let rules = rules(Overlap::Queue, CatchUp::None);
        let back = |fate| {
            let mut turns = left.clone();
            turns.return_to(fate);
            (turns.wake(rules, &hourly(), Timestamp(5 * HOUR + 1_800_000)), turns)
        };
        assert_eq!(back(Fate::NeverBegan).0, [Turn::Start(hour(4))]);
        assert_eq!(back(Fate::Over).0, [Turn::Start(hour(5))]);
        assert_eq!(back(Fate::GoesOn), (vec![], left));
    }
}
