//! One try of a task, written out in full: `attempt.json` is what a worker gets, `outcome.json` what it leaves.
//! Both are frozen formats; a worker needs nothing else to know what to do.

mod provision;
mod terms;

pub use provision::Provision;
pub use terms::{Terms, USD_AT_MOST, at_most};

use crate::failure::Failure;
use crate::ids::{AttemptId, Cell, Fingerprint, RunId, TaskId};
use crate::key::Fields;
use crate::manifest::FileEntry;
use crate::remote::RemoteStat;
use crate::secret::Redactor;
use crate::stamp::{FileStamp, companion};
use crate::units::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The version of both formats that this build writes.
pub const VERSION: u32 = 1;

/// What an attempt is to do, and with what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Attempt {
    /// The format's version. A worker that has another refuses.
    pub version: u32,
    /// The attempt's name.
    pub id: AttemptId,
    /// The run it belongs to.
    pub run: RunId,
    /// The pipeline's name.
    pub pipeline: String,
    /// The task it tries.
    pub task: TaskId,
    /// The stage kind.
    pub kind: String,
    /// The kind's code version. A worker that has another refuses.
    pub code: String,
    /// The key the result will be filed under.
    pub fingerprint: Fingerprint,
    /// The key's fields in words.
    pub key: Fields,
    /// The stage's settings, templates resolved.
    pub config: Json,
    /// Results of other tasks, by the field that names them, in cell order.
    pub inputs: BTreeMap<String, Vec<Input>>,
    /// Files outside the store, by the field that names them.
    pub files: BTreeMap<String, SourceFile>,
    /// The store's root.
    pub store: PathBuf,
    /// The attempt's own folder, from the store's root. It writes nowhere else.
    pub output: String,
    /// Whether it makes everything anew, items too that are in the store.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub anew: bool,
    /// Where a built-in stage leaves what the next attempt at the same key can go on from; absent where no other
    /// attempt would find it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoints: Option<PathBuf>,
    /// Threads it may keep busy.
    pub cpu: u32,
    /// Memory it may use.
    pub memory: Bytes,
    /// Disk it asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<Bytes>,
    /// What a place elsewhere is to provide; absent on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provision: Option<Provision>,
}

/// One artifact handed to an attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Input {
    /// The cell of the task that made it.
    pub cell: Cell,
    /// The artifact's digest.
    pub digest: String,
    /// Its files.
    pub files: Vec<FileEntry>,
}

/// A file outside the store handed to an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceFile {
    /// Where it lies.
    pub path: PathBuf,
    /// As the spec names it.
    pub written: String,
    /// Bytes.
    pub size: u64,
    /// BLAKE3 of the bytes; of what lies elsewhere, that of its URI and of what it was.
    pub blake3: String,
    /// Where it lies elsewhere, and what it was when it was looked at. `path` is no path of this machine then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<RemoteSource>,
    /// What the file, and those beside it that belong to it, looked like when they were hashed, by suffix.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stamps: BTreeMap<String, FileStamp>,
}

/// Something that lies elsewhere and is read there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RemoteSource {
    /// Its URI, with all that lets one in.
    pub uri: String,
    /// What it was when the task's key was made.
    pub stat: RemoteStat,
}

impl SourceFile {
    /// Makes sure that the file is still the one that was hashed: what was made of it would be filed under the wrong
    /// key otherwise. Costs one `stat` for each stamp.
    ///
    /// # Errors
    /// `input_changed`, naming the file.
    pub fn check_unchanged(&self) -> Result<(), Failure> {
        let same = |(suffix, stamp): (&String, &FileStamp)| {
            FileStamp::of_companion(&companion(&self.path, suffix)).is_ok_and(|now| now == *stamp)
        };
        if self.stamps.iter().all(same) {
            return Ok(());
        }
        Err(Failure::failed("input_changed", "a file changed while it was used")
            .on(self.path.display().to_string())
            .help("run again when nobody writes to it any more"))
    }
}

/// How an attempt ended, in its worker's own words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    /// The format's version.
    pub version: u32,
    /// The attempt this speaks of.
    pub id: AttemptId,
    /// Why it failed; absent when it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The artifact's files, sorted by path. Empty after a failure.
    #[serde(default)]
    pub files: Vec<FileEntry>,
    /// A few small facts for people and reports.
    #[serde(default)]
    pub result: Json,
    /// Items made by this attempt and items found finished.
    #[serde(default)]
    pub items: ItemCount,
    /// What it used of its machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// What an attempt and all that it started used of their machine, as far as it was seen by looking now and then.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// CPUs it kept busy on average.
    pub cpu_mean: f64,
    /// The most CPUs it kept busy between two looks.
    pub cpu_peak: f64,
    /// Bytes of memory it held on average. What several processes share counts for each of them.
    pub memory_mean: u64,
    /// The most bytes of memory it was seen to hold.
    pub memory_peak: u64,
    /// Bytes it read from disks; what was in memory already is not among them.
    pub read: u64,
    /// Bytes it wrote to disks.
    pub written: u64,
    /// What went over its TCP connections; absent where the kernel does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// What it used of GPUs; absent when it was given none, and where the driver does not show its processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<GpuUse>,
}

/// What an attempt and all that it started used of the GPUs of their machine, all of them together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GpuUse {
    /// GPUs it kept busy on average; absent where the driver cannot tell processes apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busy_mean: Option<f64>,
    /// The most GPUs it kept busy between two looks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busy_peak: Option<f64>,
    /// Bytes of their memory it held on average.
    pub memory_mean: u64,
    /// The most bytes of their memory it was seen to hold.
    pub memory_peak: u64,
}

/// Bytes that went over the TCP connections that an attempt and all that it started were seen to hold, those within the
/// machine among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Network {
    /// Bytes it received.
    pub received: u64,
    /// Bytes it sent.
    pub sent: u64,
    /// Bytes it received in a second, on average.
    pub received_mean: u64,
    /// The most bytes in a second that it received between two looks.
    pub received_peak: u64,
    /// Bytes it sent in a second, on average.
    pub sent_mean: u64,
    /// The most bytes in a second that it sent between two looks.
    pub sent_peak: u64,
}

impl Outcome {
    /// The same without the secrets the attempt was given.
    #[must_use]
    pub fn redacted(self, redactor: &Redactor) -> Self {
        if redactor.is_idle() {
            return self;
        }
        let failure = self.failure.map(|failure| redactor.failure(failure));
        Self { failure, result: redactor.json(&self.result), ..self }
    }
}

/// How many items an attempt made itself and how many it found in the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ItemCount {
    /// Made by this attempt.
    pub made: u64,
    /// Found finished.
    pub reused: u64,
    /// Not to be had: the task goes without them, and its next run tries again.
    #[serde(default, skip_serializing_if = "is_none_at_all")]
    pub failed: u64,
}

fn is_none_at_all(count: &u64) -> bool {
    *count == 0
}
