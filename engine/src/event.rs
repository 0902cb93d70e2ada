//! Everything a run says. Bars, `--json`, the API and the page read these and nothing else. A frozen format:
//! types and fields are only added.

use crate::asked::Asked;
use crate::attempt::{ItemCount, Terms, Usage};
use crate::failure::Failure;
use crate::ids::{AttemptId, Cell, Fingerprint, RunId};
use crate::revision::Revision;
use crate::site::Site;
use crate::world::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use std::time::Duration;

/// The version of the envelope.
pub const VERSION: u32 = 1;

/// One thing that happened, in its envelope.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunEvent {
    /// The envelope's version.
    pub v: u32,
    /// Counts the durable events of a run, from 1, without gaps. Passing events have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// When it happened.
    pub time: Timestamp,
    /// The run it belongs to.
    pub run: RunId,
    /// The task it speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The attempt it speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<AttemptId>,
    /// What happened.
    #[serde(flatten)]
    pub body: Body,
}

/// Where a person finds a job elsewhere, while it is there and afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JobPage {
    /// Its name there.
    pub job: String,
    /// The page of its provider's console with what it prints.
    pub link: String,
    /// The command that prints the same.
    pub log: String,
}

/// What happened. The first group is durable: each is a row of the journal. The rest pass by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Body {
    /// A run began.
    RunStarted {
        /// The pipeline's name.
        pipeline: String,
        /// The spec's path as it was given.
        spec: String,
        /// BLAKE3 of the spec's text.
        spec_digest: String,
        /// The parameters after all overrides.
        params: Map<String, Json>,
        /// How many tasks the plan has.
        tasks: u64,
        /// Where the spec stood in version control; absent when it was in none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revision: Option<Box<Revision>>,
        /// The slot of the spec's schedule that it is for; absent when it is for none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        slot: Option<Timestamp>,
        /// What it was asked for; absent in journals of older versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        asked: Option<Box<Asked>>,
        /// Where and by whom it was started; absent in journals of older versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        site: Option<Box<Site>>,
    },
    /// Tasks of one stage whose results were found in the store.
    TasksCached {
        /// The stage.
        stage: String,
        /// Its cells that were found.
        cells: Vec<Cell>,
        /// How the key of each begins, in the order of the cells: as much of it as an attempt's name holds.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        keys: Vec<String>,
    },
    /// An attempt is handed to a backend elsewhere: from here on there may be a job of its name.
    AttemptSubmitting {
        /// Its key.
        fingerprint: Fingerprint,
        /// Which try of the task in this run, from 1.
        number: u32,
        /// Where it is to run, by its name in the spec.
        backend: String,
        /// Why the task was not a hit.
        reason: String,
        /// Where a person finds its job; absent where nobody could.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        page: Option<Box<JobPage>>,
        /// What is paid for it; absent in journals of older versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        terms: Option<Box<Terms>>,
    },
    /// An attempt began.
    AttemptStarted {
        /// Its key.
        fingerprint: Fingerprint,
        /// Which try of the task in this run, from 1.
        number: u32,
        /// Where it runs.
        backend: String,
        /// Why the task was not a hit.
        reason: String,
    },
    /// A job elsewhere is told to stop: because its run ends, its time is up, or the run that it was made for is over
    /// and nobody wants it.
    AttemptStopping {
        /// Where it runs, by its name in the spec.
        backend: String,
    },
    /// A job that an earlier run had left is gone.
    AttemptSettled,
    /// An attempt that has ended had more jobs than one: its place takes no names for jobs, and an answer was lost. One of them
    /// has done the work.
    AttemptDoubled {
        /// The others.
        #[serde(flatten)]
        doubles: Doubles,
    },
    /// An attempt ended.
    AttemptEnded {
        /// Why it failed; absent when it did not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Failure>,
        /// Items it made and found.
        items: ItemCount,
        /// What it used of its machine.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        usage: Option<Usage>,
        /// Whether there may still be a job of it elsewhere, since the backend or the store did not answer.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_open: bool,
    },
    /// The task will be tried again.
    RetryPlanned {
        /// Not before this moment.
        at: Timestamp,
    },
    /// A task's result is in the store.
    TaskSucceeded {
        /// Its key.
        fingerprint: Fingerprint,
        /// The artifact's digest.
        digest: String,
        /// Number of files.
        files: u64,
        /// Their bytes.
        bytes: u64,
        /// What the stage tells about it.
        result: Json,
    },
    /// A task failed for good.
    TaskFailed {
        /// Why.
        failure: Failure,
    },
    /// A task will not run; or a whole stage, that would have had tasks if there were rows.
    TaskSkipped {
        /// The task or stage that failed or was itself skipped; empty when this is for a reason of its own.
        because: String,
        /// What kind of reason it is.
        #[serde(default, skip_serializing_if = "Skip::is_other")]
        why: Skip,
    },
    /// A stage that waited for the rows of another has its tasks.
    StageExpanded {
        /// The stage.
        stage: String,
        /// The stage that made the rows.
        source: String,
        /// The digest of its result, of which the tasks are a function; of several results, BLAKE3 over their digests.
        /// Absent when there is none, and the stage runs because of that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digest: Option<String>,
        /// How many tasks there are.
        tasks: u64,
    },
    /// A task was cancelled.
    TaskCancelled,
    /// Somebody asked the run to stop.
    CancelRequested,
    /// The disk of the state folder is full: nothing more is started until there is room; what runs goes on.
    DiskFull {
        /// Bytes that were left.
        left: u64,
    },
    /// There is room on the disk again, and tasks are started.
    DiskFree,
    /// The run reached a limit: of its time, then nothing more is started, and what runs is stopped; or of its cost, then
    /// what does not fit is not started.
    LimitReached {
        /// Which one.
        limit: RunLimit,
    },
    /// The run ended.
    RunFinished {
        /// How its tasks ended.
        #[serde(flatten)]
        counts: Counts,
    },
    /// How far a task is. Passing.
    Progress {
        /// Units done.
        done: u64,
        /// Units in all.
        total: u64,
        /// What is counted, such as `clips`.
        unit: String,
        /// Bytes that were written for them so far; absent where nobody counts them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes: Option<u64>,
    },
    /// A line a child wrote. Passing; the attempt's log has them all.
    Log {
        /// The line without its end.
        line: String,
    },
    /// A number the work reports. Passing.
    Metric {
        /// What it measures.
        name: String,
        /// The step it belongs to, such as the epoch.
        step: u64,
        /// Its value.
        value: f64,
    },
    /// A type that a newer version writes.
    #[serde(other)]
    Unknown,
}

impl Body {
    /// Whether this belongs in the journal.
    pub fn is_durable(&self) -> bool {
        !matches!(self, Self::Progress { .. } | Self::Log { .. } | Self::Metric { .. } | Self::Unknown)
    }
}

/// The jobs of an attempt besides the one that has done its work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Doubles {
    /// How many there were.
    pub jobs: u64,
    /// How long their machines ran, all together, in milliseconds.
    pub ran_ms: u64,
}

impl Doubles {
    /// How long their machines ran, all together.
    pub fn time(&self) -> Duration {
        Duration::from_millis(self.ran_ms)
    }

    /// How many of them may have run.
    pub fn begun(&self) -> u64 {
        if self.ran_ms == 0 { 0 } else { self.jobs }
    }
}

/// What can stop a run before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunLimit {
    /// Its `deadline`.
    Time,
    /// Its `max_cost`: what does not fit is not started, and all else goes on.
    Cost,
}

/// Why a task was skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Skip {
    /// Because of another task or stage.
    #[default]
    Other,
    /// Its own `when` is false.
    When,
    /// It runs after a failure only, and there was none.
    NothingFailed,
}

impl Skip {
    /// Whether another task is the reason.
    pub fn is_other(&self) -> bool {
        *self == Self::Other
    }
}

/// How the tasks of a run ended. A stage that never had tasks, for want of rows, counts as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Ran and published.
    pub succeeded: u64,
    /// Found in the store.
    pub cached: u64,
    /// Failed for good.
    pub failed: u64,
    /// Not run: because of another, or because nobody wants it.
    pub skipped: u64,
    /// Stopped, or never started, because the run was cancelled.
    pub cancelled: u64,
}
