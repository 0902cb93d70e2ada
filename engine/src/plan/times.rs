//! What a stage says and what earlier runs tell -> how long a task takes, and how that is known.

use super::experience::{Experience, Lately};
use std::time::Duration;

/// How long a task takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// How that is known.
    pub basis: Basis,
    /// What is reckoned with.
    pub usual: Duration,
    /// The least it may take.
    pub shortest: Duration,
    /// The most it may take.
    pub longest: Duration,
}

/// Where the time of a task is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Its stage says so.
    Expected,
    /// The median of so many attempts.
    Measured(usize),
    /// Half of what it may take.
    Guess,
    /// Nobody knows it.
    Unknown,
}

/// What a stage says of the time of its tasks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Said {
    /// Its `expect`.
    pub expect: Option<Duration>,
    /// Its `timeout`.
    pub timeout: Option<Duration>,
}

impl Times {
    /// The time of a task, by its written name: what its stage says, else the median of its last five attempts, else half of
    /// what it may take.
    pub fn of(experience: &dyn Experience, task: &str, said: Said) -> Option<Self> {
        let always = |basis, time| Self { basis, usual: time, shortest: time, longest: time };
        let expected = said.expect.map(|time| always(Basis::Expected, time));
        let measured = || {
            let Lately { median, shortest, longest, attempts } = experience.lately(task)?;
            Some(Self { basis: Basis::Measured(attempts), usual: median, shortest, longest })
        };
        let guess = || {
            let whole = said.timeout?;
            Some(Self { basis: Basis::Guess, usual: whole / 2, shortest: Duration::ZERO, longest: whole })
        };
        expected.or_else(measured).or_else(guess)
    }
}
