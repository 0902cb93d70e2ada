//! The events of a run -> spans of time: attempts, and what their tasks waited for before, between and after them.

use pipe_engine::event::{Body, RunEvent};
use pipe_engine::ids::AttemptId;
use pipe_engine::plan::Plan;
use pipe_engine::world::Timestamp;
use serde_json::{Value as Json, json};
use std::collections::HashMap;

/// What a span is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// An attempt ran, at this backend.
    Attempt(String),
    /// Its inputs were there, and it waited for room, its pools or its turn, until an attempt ended that had them.
    Room,
    /// Its inputs were there, and it was looked up and begun: nothing ended meanwhile that it could have waited for.
    Beginning,
    /// It was handed to a backend, which had no machine yet.
    Machine,
    /// It had failed and rested before the next try.
    Rest,
    /// Its work was done and was put in the store.
    Publishing,
}

/// A part of the time of a task.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) task: String,
    pub(super) what: What,
    pub(super) begin: Timestamp,
    pub(super) end: Timestamp,
    /// More about it.
    pub(super) facts: Json,
}

/// A whole run.
pub(super) struct Timeline {
    pub(super) run: String,
    pub(super) begin: Timestamp,
    pub(super) end: Timestamp,
    /// By their begin.
    pub(super) spans: Vec<Span>,
    /// For each task that ran after another: the input that was there last.
    pub(super) last_inputs: Vec<(String, String)>,
    /// Results that were found, by stage: when, and how many.
    pub(super) found: Vec<(String, Timestamp, usize)>,
}

/// What was heard of one task.
#[derive(Default)]
struct Heard {
    tries: Vec<Try>,
    /// When it ended, whichever way.
    ended: Option<Timestamp>,
}

struct Try {
    number: u32,
    id: Option<AttemptId>,
    backend: String,
    reason: String,
    submitted: Option<Timestamp>,
    started: Option<Timestamp>,
    ended: Option<Timestamp>,
    failure: Option<String>,
}

impl Timeline {
    pub(super) fn of(events: &[RunEvent], plan: &Plan) -> Self {
        let begin = events.first().map_or(Timestamp(0), |event| event.time);
        let end = events.iter().map(|event| event.time).max().unwrap_or(begin);
        let mut timeline = Self {
            run: events.first().map_or_else(String::new, |event| event.run.0.clone()),
            begin,
            end,
            spans: Vec::new(),
            last_inputs: Vec::new(),
            found: Vec::new(),
        };
        let mut tasks: HashMap<String, Heard> = HashMap::new();
        for event in events {
            timeline.take(event, &mut tasks);
        }
        for task in plan.tasks() {
            let name = task.id.to_string();
            let Some(heard) = tasks.get(&name).filter(|heard| !heard.tries.is_empty()) else { continue };
            let inputs = task.inputs.iter().flat_map(|input| input.tasks.iter());
            let ended = inputs.filter_map(|input| {
                let input = plan.task(input.index()).id.to_string();
                Some((tasks.get(&input)?.ended?, input))
            });
            let last = ended.max();
            let ready = last.as_ref().map_or(begin, |(time, _)| *time);
            timeline.last_inputs.extend(last.map(|(_, input)| (input, name.clone())));
            timeline.spans.extend(heard.spans(&name, ready, end));
        }
        timeline.tell_who_had_the_room();
        timeline.spans.sort_by_key(|span| (span.begin, span.end));
        timeline
    }

    /// Who waits for room begins when somebody's attempt ends; the last one to end before is told as the one that made room.
    fn tell_who_had_the_room(&mut self) {
        let attempts = self.spans.iter().filter(|span| matches!(span.what, What::Attempt(_)));
        let mut ends: Vec<(Timestamp, String)> = attempts.map(|span| (span.end, span.task.clone())).collect();
        ends.sort();
        for span in self.spans.iter_mut().filter(|span| span.what == What::Room) {
            let before = ends.partition_point(|(end, _)| *end <= span.end);
            match ends[..before].last().filter(|(end, _)| *end > span.begin) {
                Some((_, task)) => span.facts = json!({ "until the end of": task }),
                None => span.what = What::Beginning,
            }
        }
    }

    fn take(&mut self, event: &RunEvent, tasks: &mut HashMap<String, Heard>) {
        if let Body::TasksCached { stage, cells, .. } = &event.body {
            self.found.push((stage.clone(), event.time, cells.len()));
            for cell in cells {
                let id = pipe_engine::ids::TaskId { stage: stage.clone(), cell: cell.clone() };
                tasks.entry(id.to_string()).or_default().ended = Some(event.time);
            }
        }
        if let Some(task) = &event.task {
            tasks.entry(task.clone()).or_default().take(event);
        }
    }
}

impl Heard {
    fn take(&mut self, event: &RunEvent) {
        let now = Some(event.time);
        match &event.body {
            Body::AttemptSubmitting { number, backend, reason, .. } => {
                self.tries.push(Try { submitted: now, ..Try::new(event, *number, backend, reason) });
            }
            Body::AttemptStarted { number, backend, reason, .. } => match self.tries.last_mut() {
                Some(last) if last.number == *number => last.started = now,
                _ => self.tries.push(Try { started: now, ..Try::new(event, *number, backend, reason) }),
            },
            Body::AttemptEnded { failure, .. } => {
                if let Some(last) = self.tries.last_mut() {
                    last.ended = now;
                    last.failure = failure.as_ref().map(|failure| failure.code.clone());
                }
            }
            Body::TaskSucceeded { .. } | Body::TaskFailed { .. } | Body::TaskCancelled | Body::TaskSkipped { .. } => {
                self.ended = now;
            }
            _ => {}
        }
    }

    /// `over`: when whatever has no end of its own ended.
    fn spans(&self, task: &str, ready: Timestamp, over: Timestamp) -> Vec<Span> {
        let mut spans = Vec::new();
        let span = |what, begin, end, facts| Span { task: task.to_owned(), what, begin, end, facts };
        let mut free = ready;
        for attempt in &self.tries {
            let waits = if attempt.number > 1 { What::Rest } else { What::Room };
            let Some(begun) = attempt.submitted.or(attempt.started) else { continue };
            spans.push(span(waits, free, begun, json!({})));
            let started = attempt.started.or(attempt.ended).unwrap_or(over);
            if attempt.submitted.is_some() {
                spans.push(span(What::Machine, begun, started, json!({ "backend": attempt.backend })));
            }
            let ended = attempt.ended.unwrap_or(over);
            spans.push(span(What::Attempt(attempt.backend.clone()), started, ended, attempt.facts()));
            free = ended;
        }
        let worked = self.tries.last().is_some_and(|last| last.failure.is_none() && last.ended.is_some());
        if let Some(ended) = self.ended.filter(|_| worked) {
            spans.push(span(What::Publishing, free, ended, json!({})));
        }
        let is_attempt = |span: &Span| matches!(span.what, What::Attempt(_));
        spans.retain(|span| is_attempt(span) || span.end > span.begin);
        spans
    }
}

impl Try {
    fn new(event: &RunEvent, number: u32, backend: &str, reason: &str) -> Self {
        Self {
            number,
            id: event.attempt.clone(),
            backend: backend.to_owned(),
            reason: reason.to_owned(),
            submitted: None,
            started: None,
            ended: None,
            failure: None,
        }
    }

    fn facts(&self) -> Json {
        json!({ "attempt": self.id, "try": self.number, "because": self.reason, "failure": self.failure })
    }
}
