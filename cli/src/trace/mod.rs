//! The events of a run -> a file that Perfetto and Chrome's `about:tracing` show: what ran when, and what waited for what.
//!
//! The form is Google's "Trace Event Format", its JSON object form; times are microseconds since the run began. Each backend
//! is a process with a row for every attempt that ran beside others; `waiting` has what a task waited for once its inputs
//! were there; an arrow leads to each task from the input that was there last.

mod form;

use crate::exit::Refusal;
use crate::whole::Whole;
use pipe_engine::account::needs;
use pipe_engine::event::RunEvent;
use pipe_engine::plan::Plan;
use pipe_engine::report::Timeline;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Keeps the events of a run until it is over.
pub(crate) struct Recorder {
    file: Whole,
    events: Mutex<Vec<RunEvent>>,
}

impl Recorder {
    /// Records for this file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn into(path: &Path) -> Result<Self, Refusal> {
        Ok(Self { file: Whole::at(path, "trace")?, events: Mutex::default() })
    }

    /// Takes the next event of the run.
    pub(crate) fn hear(&self, event: &RunEvent) {
        if event.body.is_durable() {
            self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
        }
    }

    /// Writes all that was heard. `plan` says what needs what.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn write(&self, plan: &Plan) -> io::Result<()> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let timeline = Timeline::of(&events, &needs(plan));
        self.file.write(|file| form::write(&timeline, file))
    }

    /// Where it writes.
    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }
}
