//! The tasks of a stage and what earlier runs tell of each -> how long they take.

use super::experience::Experience;
use super::settings::Settings;
use super::times::{Basis, Said, Times};
use std::time::Duration;

/// How long the tasks of a stage take, as far as anybody knows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Takes {
    /// One of them, on average.
    pub(super) mean: Duration,
    /// The slowest.
    pub(super) longest: Duration,
    /// How that is known.
    pub(super) basis: Basis,
}

impl Takes {
    /// `tasks`: their written names; that of the stage, where rows decide which there are.
    pub(super) fn of(tasks: &[String], settings: &Settings, experience: &dyn Experience) -> Option<Self> {
        let said = Said { expect: settings.expect, timeout: settings.timeout };
        let times: Vec<Times> = tasks.iter().filter_map(|task| Times::of(experience, task, said)).collect();
        let longest = times.iter().map(|times| times.usual).max()?;
        let sum: Duration = times.iter().map(|times| times.usual).sum();
        let mean = sum / u32::try_from(times.len()).unwrap_or(u32::MAX);
        Some(Self { mean, longest, basis: times[0].basis })
    }
}
