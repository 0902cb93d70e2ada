//! What else can befall a run, each in a scene of its own.

mod birth;
mod clock;
mod disk;
mod jobs;
mod mount;
mod power;
mod two;

use crate::bench::Bench;
use crate::watch::Wrong;
use std::fmt::{self, Display};

/// How a scene ended.
pub(crate) enum Ending {
    /// Everything held; what that was.
    Held(String),
    /// It cannot be played here, and why.
    Skipped(String),
    /// What did not hold.
    Failed(Vec<String>),
}

/// A scene.
pub(crate) type Scene = fn(&Bench) -> Ending;

/// All scenes, by name.
pub(crate) const ALL: [(&str, Scene); 8] = [
    ("kills while the state folder is made", birth::play),
    ("two engines at once", two::play),
    ("jobs elsewhere", jobs::play),
    ("clock set back", clock::play),
    ("full disk", disk::full),
    ("broken disk", disk::broken),
    ("read-only store and state", disk::read_only),
    ("power cut", power::play),
];

impl Ending {
    pub(crate) fn holds(&self) -> bool {
        !matches!(self, Self::Failed(_))
    }

    /// What held, unless something did not.
    fn of(held: String, wrong: &Wrong) -> Self {
        let all: Vec<String> = wrong.all().map(|(kind, what)| format!("{kind}: {what}")).collect();
        if all.is_empty() { Self::Held(held) } else { Self::Failed(all) }
    }
}

impl Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held(what) => write!(f, "held: {what}"),
            Self::Skipped(why) => write!(f, "skipped: {why}"),
            Self::Failed(what) => write!(f, "FAILED:\n  {}", what.join("\n  ")),
        }
    }
}
