//! A run of which everything is there already, and nothing need even be planned -> its events, in the journal as those of any
//! other run.

use super::say::Sayer;
use crate::event::{Body, Counts, RunEvent};
use crate::ids::RunId;
use crate::state::{Journal, JournalError};
use crate::world::World;
use std::sync::Arc;

/// A run in which nothing is to be done.
pub struct Unchanged {
    /// What it says when it begins.
    pub started: Body,
    /// What it says of its tasks.
    pub told: Vec<Body>,
    /// How many there are.
    pub tasks: u64,
    /// The clock and randomness.
    pub world: World,
    /// Where what happened is written down.
    pub journal: Journal,
    /// Hears every event.
    pub listener: Arc<dyn Fn(&RunEvent) + Send + Sync>,
}

/// Writes down that it began, and ended. Returns its name.
///
/// # Errors
/// When the journal fails.
pub fn unchanged(run: Unchanged) -> Result<RunId, JournalError> {
    let Unchanged { started, told, tasks, world, journal, listener } = run;
    let run = RunId::new(&world);
    let mut sayer = Sayer::new(run.clone(), world, listener);
    let counts = Counts { cached: tasks, ..Counts::default() };
    for body in std::iter::once(started).chain(told).chain([Body::RunFinished { counts }]) {
        sayer.durable(&journal, None, None, body);
    }
    futures::executor::block_on(journal.flush())?;
    Ok(run)
}
