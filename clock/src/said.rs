//! What `pipe schedule run` says: one line for each thing that becomes of a slot or a spec, for people and for programs.

use crate::moment::{self, zoned};
use crate::turns::Turn;
use jiff::tz::TimeZone;
use pipe_engine::world::Timestamp;
use serde::Serialize;
use std::time::Duration;

/// One thing that happened.
#[derive(Clone, Debug, Serialize)]
pub struct Said {
    /// When.
    pub time: Timestamp,
    /// The spec it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spec: Option<String>,
    /// What.
    #[serde(flatten)]
    pub what: What,
    /// The zone in which its slots are told to people.
    #[serde(skip)]
    pub zone: TimeZone,
}

/// What happened. Slots are written as `2026-11-22T02:00:00Z`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the fields are named after what they hold")]
pub enum What {
    /// No spec here has a schedule; one may come.
    Nothing,
    /// A spec's slots are looked after from now on.
    Watching { cron: String, time_zone: String, next: Option<Slot> },
    /// They are no longer: the spec is gone, or has no schedule any more.
    Left,
    /// The spec cannot be read. Its last schedule stays in force, if it had one.
    Broken { problems: String, was_watched: bool },
    /// Another process looks after this spec.
    Held { holder: String },
    /// Something is in the way.
    Trouble { message: String },
    /// The clock was set back: nothing falls due before this moment.
    SetBack { until: Slot },
    /// A run began.
    Started { slot: Slot, late: bool, process: u32 },
    /// A run of an earlier `pipe schedule run` goes on.
    GoesOn { slot: Slot },
    /// A slot waits for the run that goes on.
    Waits { slot: Slot },
    /// A slot does not take place because a run goes on.
    Skipped { slot: Slot },
    /// Slots do not take place because they were missed or too many wait.
    GivenUp { slots: usize, and_more: bool, newest: Slot },
    /// The run was asked to end, to make room for the next.
    Replaced,
    /// A run ended. There is neither exit code nor signal when an earlier `pipe schedule run` had begun it.
    Ended { slot: Slot, exit: Option<i32>, signal: Option<i32>, seconds: u64, log: String, tail: String },
    /// A run could not begin.
    NotStarted { slot: Slot, message: String },
    /// We were asked to end, and wait for runs that were asked to end as well.
    Stopping { runs: usize },
}

/// A slot, as text for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(pub Timestamp);

impl Serialize for Slot {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&moment::told(self.0))
    }
}

impl What {
    /// What there is to tell of a turn before anything is done.
    pub(crate) fn of(turn: Turn) -> Option<Self> {
        match turn {
            Turn::Start(_) => None,
            Turn::Stop => Some(Self::Replaced),
            Turn::Waits(slot) => Some(Self::Waits { slot: Slot(slot) }),
            Turn::Skipped(slot) => Some(Self::Skipped { slot: Slot(slot) }),
            Turn::GivenUp { slots, and_more, newest } => Some(Self::GivenUp { slots, and_more, newest: Slot(newest) }),
        }
    }
}

impl Said {
    /// A line for people, without the time: `night.toml: started for 2026-11-22 03:00`.
    pub fn line(&self) -> String {
        match &self.spec {
            Some(spec) => format!("{spec}: {}", self.in_words()),
            None => self.in_words(),
        }
    }

    fn in_words(&self) -> String {
        match &self.what {
            What::Nothing => "no spec here has a `schedule`; waiting for one".to_owned(),
            What::Watching { cron, time_zone, next } => {
                let next = next.map_or("never falls due".to_owned(), |next| format!("next {}", self.clock(next)));
                format!("`{cron}` {time_zone}, {next}")
            }
            What::Left => "no longer here, or without a schedule: left alone".to_owned(),
            What::Broken { problems, was_watched } => {
                let then =
                    if *was_watched { "its last schedule stays in force" } else { "left alone until it changes" };
                format!("warning: cannot be read; {then}\n{}", problems.trim_end())
            }
            What::Held { holder } => format!("warning: {holder} looks after it; left alone"),
            What::Trouble { message } => format!("warning: {message}"),
            What::SetBack { until } => format!(
                "warning: the clock was set back: what falls due before {} has had its turn; if that is wrong, stop, \
                 remove the folder `schedule` in the state folder, and start again",
                self.clock(*until)
            ),
            What::Started { slot, late: false, .. } => format!("started for {}", self.clock(*slot)),
            What::Started { slot, .. } => format!("started late for {}", self.clock(*slot)),
            What::GoesOn { slot } => format!("the run for {} goes on since before", self.clock(*slot)),
            What::Waits { slot } => format!("{} waits: the last run goes on", self.clock(*slot)),
            What::Skipped { slot } => format!("skipped {}: the last run goes on", self.clock(*slot)),
            What::GivenUp { slots, and_more, newest } => self.given_up(*slots, *and_more, *newest),
            What::Replaced => "asked the last run to end".to_owned(),
            What::Ended { slot, exit, signal, seconds, log, tail } => {
                let (slot, took) = (self.clock(*slot), took(*seconds));
                match (exit, signal) {
                    (Some(0), _) => format!("done for {slot} in {took}"),
                    (Some(code), _) => format!("ended with exit code {code} for {slot} after {took}; see {log}{tail}"),
                    (None, Some(signal)) => format!("was killed by signal {signal} for {slot} after {took}; see {log}"),
                    (None, None) => format!("the run for {slot} is over; see {log}"),
                }
            }
            What::NotStarted { slot, message } => format!("could not be started for {}: {message}", self.clock(*slot)),
            What::Stopping { runs: 0 } => "stopping".to_owned(),
            What::Stopping { runs: 1 } => {
                "stopping: waits for the run that goes on; again to end it at once".to_owned()
            }
            What::Stopping { runs } => format!("stopping: waits for {runs} runs that go on; again to end them at once"),
        }
    }

    fn given_up(&self, slots: usize, and_more: bool, newest: Slot) -> String {
        let newest = self.clock(newest);
        match (slots, and_more) {
            (0, _) => format!("all before {newest} were missed and are given up"),
            (1, false) => format!("{newest} was missed and is given up"),
            (_, false) => format!("{slots} up to {newest} were missed and are given up"),
            (_, true) => format!("more than {slots} up to {newest} were missed and are given up"),
        }
    }

    fn clock(&self, slot: Slot) -> String {
        zoned(slot.0, &self.zone).strftime("%Y-%m-%d %H:%M").to_string()
    }
}

fn took(seconds: u64) -> String {
    match Duration::from_secs(seconds).as_secs() {
        s @ 0..60 => format!("{s} s"),
        s @ 60..3600 => format!("{}m {:02}s", s / 60, s % 60),
        s => format!("{}h {:02}m", s / 3600, s % 3600 / 60),
    }
}
