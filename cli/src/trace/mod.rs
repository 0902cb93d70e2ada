//! The events of a run -> a file that Perfetto and Chrome's `about:tracing` show: what ran when, and what waited for what.
//!
//! The form is Google's "Trace Event Format", its JSON object form; times are microseconds since the run began. Each backend
//! is a process with a row for every attempt that ran beside others; `waiting` has what a task waited for once its inputs
//! were there; an arrow leads to each task from the input that was there last.

mod form;
mod lanes;
mod timeline;

use crate::exit::{Exit, Refusal};
use pipe_engine::event::RunEvent;
use pipe_engine::plan::Plan;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use timeline::Timeline;

/// Keeps the events of a run until it is over.
pub(crate) struct Recorder {
    path: PathBuf,
    events: Mutex<Vec<RunEvent>>,
}

impl Recorder {
    /// Records for this file, which is tried before anything runs: to learn after a night that it cannot be written helps
    /// nobody.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn into(path: &Path) -> Result<Self, Refusal> {
        let staged = aside(path);
        let tried = File::create(&staged).and_then(|_| fs::remove_file(&staged));
        tried.map_err(|error| {
            Refusal::new(Exit::Unavailable, format!("the trace cannot be written to {}: {error}", path.display()))
                .help("name a file in a folder that is there and can be written")
        })?;
        Ok(Self { path: path.to_owned(), events: Mutex::default() })
    }

    /// Takes the next event of the run.
    pub(crate) fn hear(&self, event: &RunEvent) {
        if event.body.is_durable() {
            self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
        }
    }

    /// Writes all that was heard, in the place of what an earlier run has left there. `plan` says what needs what.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn write(&self, plan: &Plan) -> io::Result<()> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let timeline = Timeline::of(&events, plan);
        let staged = aside(&self.path);
        let mut file = BufWriter::new(File::create(&staged)?);
        form::write(&timeline, &mut file)?;
        file.flush()?;
        fs::rename(&staged, &self.path)
    }

    /// Where it writes.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

fn aside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}
