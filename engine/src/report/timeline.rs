//! The events of a run -> spans of time: attempts, and what their tasks waited for before, between and after them.

use crate::event::{Body, RunEvent};
use crate::ids::{AttemptId, TaskId};
use crate::world::Timestamp;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{HashMap, HashSet};

/// What a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// An attempt ran.
    Attempt,
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
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Span {
    /// The task.
    pub task: String,
    /// What it did or waited for.
    pub what: What,
    /// When that began.
    pub begin: Timestamp,
    /// When it ended; of what had not ended, the newest that was heard of the run.
    pub end: Timestamp,
    /// The attempt that ran, where one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Tried>,
    /// Where it ran or waited for a machine, by its name in the spec.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// The task whose end made room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

impl Span {
    fn of(task: &str, what: What, begin: Timestamp, end: Timestamp) -> Self {
        Self { task: task.to_owned(), what, begin, end, attempt: None, backend: None, until: None }
    }
}

/// An attempt, as far as a span tells of it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Tried {
    /// Its name.
    pub id: Option<AttemptId>,
    /// Which try of the task in its run, from 1.
    pub number: u32,
    /// Why the task was not a hit.
    pub reason: String,
    /// The code of its failure.
    pub failure: Option<String>,
    /// Whether it had come to an end.
    pub has_ended: bool,
}

/// A whole run.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Timeline {
    /// The run's name.
    pub run: String,
    /// When it began.
    pub begin: Timestamp,
    /// The newest event.
    pub end: Timestamp,
    /// By their begin.
    pub spans: Vec<Span>,
    /// For each task that ran after another: the input that was there last, and the task.
    pub last_inputs: Vec<(String, String)>,
    /// Results that were found, by stage: when, and how many.
    pub found: Vec<(String, Timestamp, usize)>,
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
    /// Folds the events of one run. `needs` names the tasks whose results a task takes; where that is not known it is not
    /// told what the task waited for before its first attempt.
    pub fn of(events: &[RunEvent], needs: &dyn Fn(&str) -> Option<Vec<String>>) -> Self {
        let begin = events.first().map_or(Timestamp(0), |event| event.time);
        let end = events.iter().map(|event| event.time).max().unwrap_or(begin);
        let run = events.first().map_or_else(String::new, |event| event.run.0.clone());
        let mut timeline = Self { run, begin, end, ..Self::default() };
        let mut tasks: IndexMap<String, Heard> = IndexMap::new();
        for event in events {
            timeline.take(event, &mut tasks);
        }
        for (name, heard) in tasks.iter().filter(|(_, heard)| !heard.tries.is_empty()) {
            let inputs = needs(name);
            let ended = inputs.iter().flatten().filter_map(|input| Some((tasks.get(input)?.ended?, input)));
            let last = ended.max();
            let ready = inputs.is_some().then(|| last.map_or(begin, |(time, _)| time));
            timeline.last_inputs.extend(last.map(|(_, input)| (input.clone(), name.clone())));
            timeline.spans.extend(heard.spans(name, ready, end));
        }
        timeline.tell_who_had_the_room();
        timeline.spans.sort_by_key(|span| (span.begin, span.end));
        timeline
    }

    /// Who waits for room begins when somebody's attempt ends; the last one to end before is told as the one that made room.
    fn tell_who_had_the_room(&mut self) {
        let attempts = self.spans.iter().filter(|span| span.what == What::Attempt);
        let mut ends: Vec<(Timestamp, String)> = attempts.map(|span| (span.end, span.task.clone())).collect();
        ends.sort();
        for span in self.spans.iter_mut().filter(|span| span.what == What::Room) {
            let before = ends.partition_point(|(end, _)| *end <= span.end);
            match ends[..before].last().filter(|(end, _)| *end > span.begin) {
                Some((_, task)) => span.until = Some(task.clone()),
                None => span.what = What::Beginning,
            }
        }
    }

    /// The way to the end, first to last: the task that ended last, before it the input it got last, and so on as far as
    /// these ran. Nothing where nobody knows what needs what.
    pub fn chain(&self) -> Vec<&str> {
        let before: HashMap<&str, &str> = self.last_inputs.iter().map(|(input, task)| (&**task, &**input)).collect();
        let ran: HashSet<&str> = self.spans.iter().map(|span| &*span.task).collect();
        let last = self.spans.iter().max_by_key(|span| span.end).filter(|_| !before.is_empty());
        let chain = std::iter::successors(last.map(|span| &*span.task), |task| before.get(task).copied());
        let mut chain: Vec<&str> = chain.take_while(|task| ran.contains(task)).collect();
        chain.reverse();
        chain
    }

    fn take(&mut self, event: &RunEvent, tasks: &mut IndexMap<String, Heard>) {
        if let Body::TasksCached { stage, cells, .. } = &event.body {
            self.found.push((stage.clone(), event.time, cells.len()));
            for cell in cells {
                let id = TaskId { stage: stage.clone(), cell: cell.clone() };
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

    /// `ready`: when its inputs were there, where that is known. `over`: when whatever has no end of its own ended.
    fn spans(&self, task: &str, ready: Option<Timestamp>, over: Timestamp) -> Vec<Span> {
        let mut spans = Vec::new();
        let span = |what, begin, end| Span::of(task, what, begin, end);
        let mut free = ready;
        for attempt in &self.tries {
            let waits = if attempt.number > 1 { What::Rest } else { What::Room };
            let Some(begun) = attempt.submitted.or(attempt.started) else { continue };
            spans.extend(free.map(|free| span(waits, free, begun)));
            let backend = Some(attempt.backend.clone());
            let started = attempt.started.or(attempt.ended).unwrap_or(over);
            if attempt.submitted.is_some() {
                spans.push(Span { backend: backend.clone(), ..span(What::Machine, begun, started) });
            }
            let ended = attempt.ended.unwrap_or(over);
            spans.push(Span { attempt: Some(attempt.told()), backend, ..span(What::Attempt, started, ended) });
            free = Some(ended);
        }
        let worked = self.tries.last().is_some_and(|last| last.failure.is_none() && last.ended.is_some());
        if let (Some(free), Some(ended), true) = (free, self.ended, worked) {
            spans.push(span(What::Publishing, free, ended));
        }
        spans.retain(|span| span.what == What::Attempt || span.end > span.begin);
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

    fn told(&self) -> Tried {
        Tried {
            id: self.id.clone(),
            number: self.number,
            reason: self.reason.clone(),
            failure: self.failure.clone(),
            has_ended: self.ended.is_some(),
        }
    }
}
