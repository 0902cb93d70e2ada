//! A schedule -> its slots: the moments it falls due, forwards and backwards.
//!
//! Croner knows which times of day an expression names; how these meet the days on which clocks change is decided here,
//! by the rule of Vixie cron. Where minute and hour are written out (`30 2`, `0 2,14`), each time of day that is named
//! falls due once a day: one that is left out when clocks go forward, at the first moment after the gap; one that comes
//! twice when they go back, the first time. Where one of the two is a wildcard or a step (`*/20 *`), the schedule falls due
//! whenever clocks show such a time: not in the gap, and in both passes of the hour that comes twice.

use crate::moment::{instant, moment};
use croner::Cron;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Span, Zoned};
use pipe_engine::plan::cron;
use pipe_engine::spec::Schedule;
use pipe_engine::world::Timestamp;

/// Why a schedule has no slots.
#[derive(Debug, thiserror::Error)]
pub enum BadSchedule {
    /// `cron` cannot be read.
    #[error("`{0}` is no time to run at: {1}")]
    Cron(String, String),
    /// `time_zone` is unknown.
    #[error("`{0}` is no time zone")]
    Zone(String),
}

/// The slots of a schedule.
#[derive(Clone, Debug)]
pub struct Slots {
    cron: Cron,
    zone: TimeZone,
    /// Whether minute and hour are written out, without wildcard or step.
    is_written_out: bool,
}

impl Slots {
    /// The slots of a schedule.
    ///
    /// # Errors
    /// [`BadSchedule`]; a spec that was planned has none.
    pub fn of(schedule: &Schedule) -> Result<Self, BadSchedule> {
        let cron = cron(&schedule.cron).map_err(|e| BadSchedule::Cron(schedule.cron.clone(), e.to_string()))?;
        let zone = TimeZone::get(&schedule.time_zone).map_err(|_| BadSchedule::Zone(schedule.time_zone.clone()))?;
        let fields = [&cron.pattern.minutes, &cron.pattern.hours];
        let is_written_out = fields.iter().all(|field| !field.from_wildcard && field.step == 1);
        Ok(Self { cron, zone, is_written_out })
    }

    /// The zone whose clocks the schedule means.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The first slot after a moment; `None` when there is none for thousands of years.
    pub fn after(&self, from: Timestamp) -> Option<Timestamp> {
        let from = self.second(from);
        let found = if self.is_written_out { self.named_after(&from) } else { self.shown_after(&from) };
        found.map(moment)
    }

    /// The newest slot at or before a moment.
    pub fn until(&self, to: Timestamp) -> Option<Timestamp> {
        let to = self.second(to);
        let found = if self.is_written_out { self.named_until(&to) } else { self.shown_until(&to) };
        found.filter(|found| *found >= jiff::Timestamp::UNIX_EPOCH).map(moment)
    }

    /// All slots after a moment, in order.
    pub fn iter_after(&self, from: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        std::iter::successors(self.after(from), |slot| self.after(*slot))
    }

    /// The newest slots of a stretch of time, in order, at most so many; and whether there were more.
    pub fn newest(&self, after: Timestamp, until: Timestamp, most: usize) -> (Vec<Timestamp>, bool) {
        let before = |slot: &Timestamp| {
            slot.0.checked_sub(1).and_then(|just| self.until(Timestamp(just)).filter(|it| it < slot))
        };
        let back = std::iter::successors(self.until(until), before).take_while(|slot| *slot > after);
        let mut slots: Vec<Timestamp> = back.take(most.saturating_add(1)).collect();
        let were_more = slots.len() > most;
        slots.truncate(most);
        slots.reverse();
        (slots, were_more)
    }

    /// The second a moment lies in: croner, asked from within one, may answer with a moment on its other side.
    fn second(&self, moment: Timestamp) -> Zoned {
        instant(Timestamp(moment.0 - moment.0 % 1000)).to_zoned(self.zone.clone())
    }

    fn shown_after(&self, from: &Zoned) -> Option<jiff::Timestamp> {
        Some(self.cron.find_next_occurrence(from, false).ok()?.timestamp())
    }

    fn shown_until(&self, to: &Zoned) -> Option<jiff::Timestamp> {
        Some(self.cron.find_previous_occurrence(to, true).ok()?.timestamp())
    }

    fn named_after(&self, from: &Zoned) -> Option<jiff::Timestamp> {
        let mut named = from.datetime();
        loop {
            named = self.cron.find_next_occurrence(&named, false).ok()?;
            // In the second pass of an hour, the times that follow on the clock have been.
            let due = self.due(named)?;
            if due > from.timestamp() {
                return Some(due);
            }
        }
    }

    fn named_until(&self, to: &Zoned) -> Option<jiff::Timestamp> {
        let mut named = self.cron.find_previous_occurrence(&self.latest_clock(to)?, true).ok()?;
        loop {
            let due = self.due(named)?;
            if due <= to.timestamp() {
                return Some(due);
            }
            named = self.cron.find_previous_occurrence(&named, false).ok()?;
        }
    }

    /// The latest time that clocks have shown up to a moment: in the second pass of an hour, the end of the first.
    fn latest_clock(&self, to: &Zoned) -> Option<DateTime> {
        match self.zone.to_ambiguous_timestamp(to.datetime()).offset() {
            AmbiguousOffset::Fold { before, after } => {
                let repeated = i64::from(before.seconds()) - i64::from(after.seconds());
                to.datetime().checked_add(Span::new().seconds(repeated)).ok()
            }
            _ => Some(to.datetime()),
        }
    }

    /// When a time of day that is written out falls due.
    fn due(&self, named: DateTime) -> Option<jiff::Timestamp> {
        let ambiguous = self.zone.to_ambiguous_timestamp(named);
        match ambiguous.offset() {
            AmbiguousOffset::Gap { after, .. } => {
                // Read with the offset from after the change, it lies just before the change.
                let just_before = after.to_timestamp(named).ok()?.checked_sub(SignedDuration::from_secs(1)).ok()?;
                Some(self.zone.following(just_before).next()?.timestamp())
            }
            _ => ambiguous.earlier().ok(),
        }
    }
}
