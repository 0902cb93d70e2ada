//! The events of a run -> what people ask about it: how each task stands, how long it took, why it failed.
//! A pure fold; nothing here opens a file.

mod timeline;

pub use timeline::{Span, Timeline, Tried, What};

use crate::asked::Asked;
use crate::attempt::{ItemCount, Terms, Usage};
use crate::event::{Body, Counts, Doubles, JobPage, RunEvent, RunLimit, Skip};
use crate::failure::Failure;
use crate::ids::{AttemptId, Fingerprint, RunId, TaskId};
use crate::revision::Revision;
use crate::site::Site;
use crate::world::Timestamp;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value as Json};

/// A run as its journal tells it.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct RunView {
    /// Its name.
    pub run: Option<RunId>,
    /// The pipeline's name.
    pub pipeline: String,
    /// The spec's path as it was given.
    pub spec: String,
    /// The digest of the spec's text.
    pub spec_digest: String,
    /// The parameters after all overrides.
    pub params: Map<String, Json>,
    /// Where the spec stood in version control.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// The slot of the spec's schedule that it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<Timestamp>,
    /// What it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
    /// Where and by whom it was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<Site>,
    /// When it began.
    pub started: Timestamp,
    /// The newest event.
    pub heard: Timestamp,
    /// How it ended; absent while it runs, or when its engine died.
    pub finished: Option<Counts>,
    /// Whether somebody asked it to stop.
    pub interrupted: bool,
    /// Bytes that the disk of the state folder had left when it was found to be full; absent when there is room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_full: Option<u64>,
    /// The limit that stopped it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<RunLimit>,
    /// How many tasks its plan has.
    pub planned: u64,
    /// The tasks that have been heard of, in the order they were.
    pub tasks: IndexMap<String, TaskView>,
}

/// How a task stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// An attempt runs.
    #[default]
    Running,
    /// An attempt was handed to a backend elsewhere, and waits there for a machine.
    Submitted,
    /// It failed and will be tried again.
    Resting,
    /// Its result is in the store.
    Succeeded,
    /// Its result was in the store already.
    Cached,
    /// Failed for good.
    Failed,
    /// Not run: because of another, or because nobody wants it.
    Skipped,
    /// Stopped or never started.
    Cancelled,
}

/// Whether the result of a task was in the store when its run looked it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Lookup {
    /// It was.
    Hit,
    /// It was not, and the task ran.
    Miss,
}

/// One task as its run's journal tells it.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct TaskView {
    /// How it stands.
    pub standing: Standing,
    /// Whether its result was there already; absent when that was not asked, as of what was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lookup: Option<Lookup>,
    /// Why its result was not there already, when it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Its attempts, oldest first.
    pub attempts: Vec<AttemptView>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// The task it was skipped for.
    pub because: Option<String>,
    /// Why it was skipped, when it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip: Option<Skip>,
    /// What its stage tells about the result.
    pub result: Json,
    /// Its key; of a result that was in the store already, how it begins.
    pub fingerprint: Option<String>,
    /// Its result's digest, when this run made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// One attempt as its run's journal tells it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AttemptView {
    /// Its name.
    pub id: Option<AttemptId>,
    /// Why the task was not a hit.
    pub reason: String,
    /// Where it runs, by its name in the spec.
    pub backend: String,
    /// Where a person finds its job, when it runs elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<JobPage>,
    /// When it began; of one that runs elsewhere and waits there, when it was handed over.
    pub started: Timestamp,
    /// Whether it has begun.
    #[serde(skip)]
    pub has_begun: bool,
    /// What is paid for it, where it runs elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terms: Option<Terms>,
    /// The jobs that it had besides the one that did its work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubles: Option<Doubles>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// Items made and found.
    pub items: ItemCount,
    /// What it used of its machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

impl RunView {
    /// Folds the events of one run.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a RunEvent>) -> Self {
        let mut view = Self::default();
        events.into_iter().for_each(|event| view.take(event));
        view
    }

    /// Takes one more event.
    pub fn take(&mut self, event: &RunEvent) {
        self.heard = event.time;
        match &event.body {
            Body::RunStarted { pipeline, spec, spec_digest, params, tasks, revision, slot, asked, site } => {
                self.run = Some(event.run.clone());
                self.started = event.time;
                self.pipeline.clone_from(pipeline);
                self.spec.clone_from(spec);
                self.spec_digest.clone_from(spec_digest);
                self.params.clone_from(params);
                self.revision = revision.as_deref().cloned();
                self.slot = *slot;
                self.asked = asked.as_deref().cloned();
                self.site = site.as_deref().cloned();
                self.planned = *tasks;
            }
            Body::TasksCached { stage, cells, keys } => {
                for (place, cell) in cells.iter().enumerate() {
                    let id = TaskId { stage: stage.clone(), cell: cell.clone() };
                    let task = self.tasks.entry(id.to_string()).or_default();
                    task.standing = Standing::Cached;
                    task.lookup = Some(Lookup::Hit);
                    task.fingerprint = keys.get(place).cloned();
                }
            }
            Body::StageExpanded { tasks, .. } => self.planned += tasks,
            Body::CancelRequested => self.interrupted = true,
            Body::DiskFull { left } => self.disk_full = Some(*left),
            Body::DiskFree => self.disk_full = None,
            Body::LimitReached { limit } => self.limit = Some(*limit),
            Body::RunFinished { counts } => self.finished = Some(*counts),
            _ => {
                if let Some(task) = &event.task {
                    self.tasks.entry(task.clone()).or_default().take(event);
                }
            }
        }
    }
}

impl TaskView {
    fn take(&mut self, event: &RunEvent) {
        match &event.body {
            Body::AttemptSubmitting { reason, fingerprint, backend, page, terms, .. } => {
                self.standing = Standing::Submitted;
                let attempt = self.begin(event, fingerprint, reason, backend);
                (attempt.page, attempt.terms) = (page.as_deref().cloned(), terms.as_deref().cloned());
            }
            Body::AttemptStarted { .. } if self.standing == Standing::Submitted => {
                self.standing = Standing::Running;
                if let Some(attempt) = self.attempts.last_mut() {
                    (attempt.started, attempt.has_begun) = (event.time, true);
                }
            }
            Body::AttemptStarted { reason, fingerprint, backend, .. } => {
                self.standing = Standing::Running;
                self.begin(event, fingerprint, reason, backend).has_begun = true;
            }
            Body::AttemptEnded { failure, items, usage, .. } => {
                if let Some(attempt) = self.attempts.last_mut() {
                    attempt.ended = Some(event.time);
                    attempt.failure.clone_from(failure);
                    attempt.items = *items;
                    attempt.usage = *usage;
                }
            }
            Body::AttemptDoubled { doubles } => {
                if let Some(attempt) = self.attempts.last_mut() {
                    attempt.doubles = Some(*doubles);
                }
            }
            Body::RetryPlanned { .. } => self.standing = Standing::Resting,
            Body::TaskSucceeded { fingerprint, digest, result, .. } => {
                self.standing = Standing::Succeeded;
                self.result.clone_from(result);
                self.fingerprint = Some(fingerprint.0.clone());
                self.digest = Some(digest.clone());
            }
            Body::TaskFailed { failure } => {
                self.standing = Standing::Failed;
                self.failure = Some(failure.clone());
            }
            Body::TaskSkipped { because, why } => {
                self.standing = Standing::Skipped;
                self.because = Some(because.clone()).filter(|because| !because.is_empty());
                self.skip = Some(*why);
            }
            Body::TaskCancelled => self.standing = Standing::Cancelled,
            _ => {}
        }
    }

    fn begin(&mut self, event: &RunEvent, fingerprint: &Fingerprint, reason: &str, backend: &str) -> &mut AttemptView {
        self.lookup = Some(Lookup::Miss);
        self.why.get_or_insert_with(|| reason.to_owned());
        self.fingerprint = Some(fingerprint.0.clone());
        self.attempts.push(AttemptView {
            id: event.attempt.clone(),
            reason: reason.to_owned(),
            backend: backend.to_owned(),
            page: None,
            started: event.time,
            has_begun: false,
            terms: None,
            doubles: None,
            ended: None,
            failure: None,
            items: ItemCount::default(),
            usage: None,
        });
        self.attempts.last_mut().expect("one was added")
    }
}
