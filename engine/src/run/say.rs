//! What the core records -> the events of a run, numbered and timed.

use super::missed::Missed;
use crate::attempt::{ItemCount, Terms, Usage};
use crate::event::{Body, JobPage, RunEvent, Skip, VERSION};
use crate::ids::{AttemptId, RunId};
use crate::manifest::Artifact;
use crate::plan::Plan;
use crate::scheduler::{Because, Record, TaskIndex};
use crate::state::Journal;
use crate::world::{Timestamp, World};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// A task's progress is passed on at most this often.
const PASSING_EVERY: Duration = Duration::from_millis(100);

/// Numbers events and hands them to the journal and the listener.
pub(super) struct Sayer {
    run: RunId,
    world: World,
    listener: Arc<dyn Fn(&RunEvent) + Send + Sync>,
    seq: u64,
    last_progress: HashMap<String, Timestamp>,
    /// The newest attempt of each task.
    pub(super) attempt_of: HashMap<TaskIndex, AttemptId>,
    /// Where a person finds the job of the newest attempt of each task elsewhere.
    pub(super) pages: HashMap<TaskIndex, JobPage>,
    /// How the newest attempt of each task ended.
    pub(super) ends: HashMap<TaskIndex, AttemptEnd>,
    /// What is paid for the newest attempt of each task that runs elsewhere.
    pub(super) terms: HashMap<TaskIndex, Terms>,
}

/// What is said of an attempt that ended, besides why it failed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AttemptEnd {
    pub(super) items: ItemCount,
    pub(super) usage: Option<Usage>,
    /// Whether there may still be a job of it elsewhere.
    pub(super) is_open: bool,
}

/// A record in words.
pub(super) struct Said {
    pub(super) task: Option<String>,
    pub(super) attempt: Option<AttemptId>,
    pub(super) body: Body,
}

impl Sayer {
    pub(super) fn new(run: RunId, world: World, listener: Arc<dyn Fn(&RunEvent) + Send + Sync>) -> Self {
        Self {
            run,
            world,
            listener,
            seq: 0,
            last_progress: HashMap::new(),
            attempt_of: HashMap::new(),
            pages: HashMap::new(),
            ends: HashMap::new(),
            terms: HashMap::new(),
        }
    }

    /// Says something that belongs in the journal.
    pub(super) fn durable(&mut self, journal: &Journal, task: Option<String>, attempt: Option<AttemptId>, body: Body) {
        self.seq += 1;
        let event = self.event(Some(self.seq), task, attempt, body);
        (self.listener)(&event);
        journal.append(vec![event]);
    }

    /// Passes on what a child says. Of its progress only as much as a person can read, and always the end.
    pub(super) fn passing(&mut self, task: String, attempt: AttemptId, body: Body) {
        if let Body::Progress { done, total, .. } = body {
            let now = self.world.now();
            let last = self.last_progress.entry(task.clone()).or_default();
            if done < total && now.since(*last) < PASSING_EVERY {
                return;
            }
            *last = now;
        }
        if !body.is_durable() {
            (self.listener)(&self.event(None, Some(task), Some(attempt), body));
        }
    }

    /// A record of the core in words.
    pub(super) fn body_of(
        &self,
        plan: &Plan,
        known: &[Option<Arc<Artifact>>],
        missed: &HashMap<TaskIndex, Missed>,
        record: Record,
    ) -> Said {
        let name = |task: TaskIndex| plan.task(task).id.to_string();
        let of =
            |task: TaskIndex, body| Said { task: Some(name(task)), attempt: self.attempt_of.get(&task).cloned(), body };
        let run = |body| Said { task: None, attempt: None, body };
        let stage_name = |stage: usize| plan.stages[stage].name.clone();
        let of_stage = |stage, body| Said { task: Some(stage_name(stage)), attempt: None, body };
        match record {
            Record::Cached { stage, tasks } => run(Body::TasksCached {
                stage: plan.stages[stage].name.clone(),
                keys: tasks
                    .iter()
                    .filter_map(|t| known[*t].as_ref())
                    .map(|m| m.fingerprint.short(20).to_owned())
                    .collect(),
                cells: tasks.into_iter().map(|t| plan.task(t).id.cell.clone()).collect(),
            }),
            Record::Submitting(task, number) => of(task, self.submitting(&missed[&task], (task, number), plan)),
            Record::Started(task, number) => of(task, started(&missed[&task], number, place_name(plan, task))),
            Record::Stopping(task, _) => of(task, Body::AttemptStopping { backend: place_name(plan, task) }),
            Record::AttemptEnded(task, failure) => {
                let AttemptEnd { items, usage, is_open } = self.ends.get(&task).copied().unwrap_or_default();
                of(task, Body::AttemptEnded { failure, items, usage, is_open })
            }
            Record::Retry(task, at) => of(task, Body::RetryPlanned { at }),
            Record::Succeeded(task) => {
                let made = known[task].as_ref().expect("published before it is recorded");
                of(task, succeeded(made))
            }
            Record::Failed(task, failure) => of(task, Body::TaskFailed { failure }),
            Record::Skipped(task, because) => of(task, skipped(plan, because)),
            Record::Expanded { stage, source, tasks } => run(Body::StageExpanded {
                stage: stage_name(stage),
                source: stage_name(source),
                digest: rows_digest(plan, known, source),
                tasks: tasks as u64,
            }),
            Record::StageSkipped(stage, because) => of_stage(stage, skipped(plan, because)),
            Record::StageFailed(stage, failure) => of_stage(stage, Body::TaskFailed { failure }),
            Record::Cancelled(task) => of(task, Body::TaskCancelled),
            Record::CancelRequested => run(Body::CancelRequested),
            Record::DiskFull(left) => run(Body::DiskFull { left }),
            Record::DiskFree => run(Body::DiskFree),
            Record::LimitReached(limit) => run(Body::LimitReached { limit }),
            Record::Finished(counts) => run(Body::RunFinished { counts }),
        }
    }

    fn submitting(&self, missed: &Missed, (task, number): (TaskIndex, u32), plan: &Plan) -> Body {
        Body::AttemptSubmitting {
            fingerprint: missed.fingerprint.clone(),
            number,
            backend: place_name(plan, task),
            reason: missed.why.to_string(),
            page: self.pages.get(&task).cloned().map(Box::new),
            terms: self.terms.get(&task).cloned().map(Box::new),
        }
    }

    fn event(&self, seq: Option<u64>, task: Option<String>, attempt: Option<AttemptId>, body: Body) -> RunEvent {
        RunEvent { v: VERSION, seq, time: self.world.now(), run: self.run.clone(), task, attempt, body }
    }
}

fn skipped(plan: &Plan, because: Because) -> Body {
    let (because, why) = match because {
        Because::Task(task) => (plan.task(task).id.to_string(), Skip::Other),
        Because::Stage(stage) => (plan.stages[stage].name.clone(), Skip::Other),
        Because::When => (String::new(), Skip::When),
        Because::NothingFailed => (String::new(), Skip::NothingFailed),
    };
    Body::TaskSkipped { because, why }
}

/// The digest of the results of a stage that makes rows. `None` when one of its tasks has none.
fn rows_digest(plan: &Plan, known: &[Option<Arc<Artifact>>], source: usize) -> Option<String> {
    let tasks = plan.tasks().enumerate().filter(|(_, task)| task.stage == source);
    let digests: Vec<&str> = tasks.map(|(i, _)| known[i].as_ref().map(|made| &*made.digest)).collect::<Option<_>>()?;
    match digests.as_slice() {
        [one] => Some((*one).to_owned()),
        several => Some(blake3::hash(several.concat().as_bytes()).to_hex().to_string()),
    }
}

fn place_name(plan: &Plan, task: TaskIndex) -> String {
    plan.place_of(task).name.clone()
}

fn started(missed: &Missed, number: u32, backend: String) -> Body {
    let (fingerprint, reason) = (missed.fingerprint.clone(), missed.why.to_string());
    Body::AttemptStarted { fingerprint, number, backend, reason }
}

fn succeeded(made: &Artifact) -> Body {
    Body::TaskSucceeded {
        fingerprint: made.fingerprint.clone(),
        digest: made.digest.clone(),
        files: made.files.len() as u64,
        bytes: made.files.iter().map(|f| f.size).sum(),
        result: made.result.clone(),
    }
}
