//! Spans for whoever watches by `tracing`: the run, in it its tasks that run, in these their attempts.

use super::Dispatcher;
use crate::ids::AttemptId;
use crate::scheduler::TaskIndex;
use std::collections::HashMap;
use tracing::{Level, Span, enabled, info_span};

/// The spans of tasks that have begun and not ended.
#[derive(Default)]
pub(super) struct Spans(HashMap<TaskIndex, Span>);

impl Spans {
    /// A task has ended.
    pub(super) fn end(&mut self, task: TaskIndex) {
        self.0.remove(&task);
    }
}

impl Dispatcher {
    /// The span of the whole run.
    pub(in crate::run) fn span(&self) -> Span {
        info_span!("run", run = %self.run)
    }

    /// The span of an attempt, inside that of its task. Costs nothing when nobody watches.
    pub(super) fn attempt_span(&mut self, task: TaskIndex, number: u32, id: &AttemptId) -> Span {
        if !enabled!(Level::INFO) {
            return Span::none();
        }
        let name = self.name(task);
        let span = self.spans.0.entry(task).or_insert_with(|| info_span!("task", task = name));
        info_span!(parent: &*span, "attempt", attempt = %id, number)
    }
}
