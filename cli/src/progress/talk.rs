//! The events that deserve a sentence of their own, at once: failures, retries, a stop; with `--verbose` every start
//! and every line a task writes.

use crate::failed;
use crate::paths;
use crate::printer::{Printer, Style};
use crate::shown::shown;
use crate::words;
use pipe_engine::disk::Room;
use pipe_engine::event::{Body, RunEvent, RunLimit};
use pipe_engine::failure::Failure;
use pipe_engine::ids::AttemptId;
use pipe_engine::state::StateFolder;
use pipe_engine::world::Timestamp;
use std::collections::HashMap;
use std::time::Duration;

/// While a run waits for room it says so again, this often.
const REMIND_EVERY: Duration = Duration::from_secs(60);

pub(super) struct Talk {
    printer: Printer,
    state: StateFolder,
    verbose: bool,
    /// The failure of the newest attempt of each task, until it is known what follows from it.
    failures: HashMap<String, Failure>,
    /// When it was last said that the disk is full, while it is.
    told_full: Option<Timestamp>,
}

impl Talk {
    pub(super) fn new(printer: Printer, state: StateFolder, verbose: bool) -> Self {
        Self { printer, state, verbose, failures: HashMap::new(), told_full: None }
    }

    pub(super) fn hear(&mut self, event: &RunEvent) {
        let task = event.task.as_deref().unwrap_or_default();
        match &event.body {
            Body::AttemptEnded { failure: Some(failure), .. } => {
                self.failures.insert(task.to_owned(), failure.clone());
            }
            Body::RetryPlanned { at } => {
                let what = self.failures.remove(task).map_or_else(String::new, |f| format!(" ({})", shown(&f.message)));
                let rest = words::duration(at.since(event.time));
                let title = self.printer.paint_err(Style::Warning, "retry:");
                self.printer.line(&format!("{title} {task} failed{what}; it is tried again in {rest}"));
            }
            Body::TaskFailed { failure } => {
                let text = self.failure(task, event.attempt.as_ref(), failure);
                self.printer.line(&text);
            }
            Body::CancelRequested => {
                self.printer
                    .line("stopping: nothing more is started, what runs is asked to end; Ctrl-C again ends it now");
            }
            Body::DiskFull { left } => {
                self.told_full = Some(event.time);
                self.disk_full(*left);
            }
            Body::DiskFree => {
                self.told_full = None;
                self.printer.line("there is room on the disk again: going on");
            }
            Body::LimitReached { limit: RunLimit::Time } => {
                self.printer.line("stopping: the run's deadline is reached, so nothing more is started, and what runs is asked to end");
            }
            Body::LimitReached { limit: RunLimit::Cost } => {
                self.printer.line("the run's max_cost is reached: what may cost more than is left of it is not started; what runs, and what fits, goes on");
            }
            Body::AttemptStarted { reason, number, .. } if self.verbose => {
                let nth = if *number > 1 { format!("attempt {number}, ") } else { String::new() };
                self.printer.line(&self.printer.paint_err(Style::Faint, &format!("{task}: started ({nth}{reason})")));
            }
            Body::Log { line } if self.verbose => {
                let before = self.printer.paint_err(Style::Faint, &format!("{task} |"));
                self.printer.line(&format!("{before} {}", shown(line)));
            }
            _ => {}
        }
    }

    /// Time went by.
    pub(super) fn tick(&mut self, now: Timestamp) {
        if self.told_full.is_none_or(|told| now.since(told) < REMIND_EVERY) {
            return;
        }
        self.told_full = Some(now);
        if let Some(room) = Room::at(self.state.root()) {
            self.disk_full(room.free);
        }
    }

    fn disk_full(&self, left: u64) {
        let title = self.printer.paint_err(Style::Warning, "disk full:");
        self.printer.line(&format!("{title} {}", words::disk_full(self.state.root(), left)));
    }

    /// A failure for good, with all that helps to find its cause.
    fn failure(&self, task: &str, attempt: Option<&AttemptId>, failure: &Failure) -> String {
        let log = attempt.map(|id| self.state.attempt(id).join("log")).filter(|log| log.exists());
        let log = log.map(|log| paths::from_here(&log));
        failed::block(|style, text| self.printer.paint_err(style, text), task, failure, log.as_ref())
    }
}
