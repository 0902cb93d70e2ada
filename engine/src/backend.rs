//! What a place to run is: how its settings look, and what it can hold. How attempts get there is another matter; this
//! is what a plan needs to know. [`Backend`] is a place that is ready for use.

mod job;
mod traffic;

pub use job::{Backend, Job, JobThere, Standing};
pub use traffic::{Reader, Traffic};

use crate::failure::Failure;
use crate::resources::Gpu;
use crate::stage::ConfigProblem;
use crate::units::{Bytes, Cpu, Millis, Usd};
use schemars::{Schema, SchemaGenerator};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The name of the backend that every spec has: this machine.
pub const LOCAL: &str = "local";

/// One kind of place that a spec can name with `[backends.NAME] kind = "..."`.
pub trait BackendKind: Send + Sync {
    /// Its name in specs.
    fn name(&self) -> &'static str;

    /// The shape of its settings, as an object.
    fn schema(&self, generator: &mut SchemaGenerator) -> Schema;

    /// Variables that stand in for a setting that is not written, such as `GOOGLE_CLOUD_PROJECT` for `project`, the
    /// first that is set.
    fn variables(&self) -> &'static [(&'static str, &'static [&'static str])] {
        &[]
    }

    /// Looks at settings whose shape is right, with variables filled in.
    ///
    /// # Errors
    /// What is wrong, and in which field.
    fn check(&self, config: &Json) -> Result<(), ConfigProblem>;

    /// What it can hold.
    fn capability(&self, config: &Json) -> Capability;

    /// The service it offers, where it runs no attempts and takes requests of that one service only.
    fn service(&self) -> Option<&'static str> {
        None
    }

    /// The regions where machines are asked for, in this order; empty for a place that has one.
    fn regions(&self, _config: &Json) -> Vec<String> {
        Vec::new()
    }

    /// The region where its machines are, the first of several; `None` where that is not known.
    fn location(&self, _config: &Json) -> Option<String> {
        None
    }

    /// The place itself, ready for use with the store of this root: a folder, or the URI of a bucket. It is not asked yet
    /// whether it answers.
    ///
    /// # Errors
    /// When this build cannot use it.
    fn connect(&self, _config: &Json, _store: &str) -> Result<Arc<dyn Backend>, Failure> {
        Err(Failure::failed("no_connection", "this build plans for it, and cannot send anything there"))
    }

    /// What of an attempt that may take so long goes beyond it, where [`Capability`] has no words for that: a GPU that can
    /// be had for an hour only, memory that no machine has together with the CPUs. The settings are null where it is asked
    /// about the kind as such.
    fn beyond(&self, _config: &Json, _need: &Need, _time: Option<Millis>) -> Vec<Beyond> {
        Vec::new()
    }

    /// The machine that an attempt gets there, in words; `None` where that is not known.
    fn machine(&self, _config: &Json, _need: &Need) -> Option<String> {
        None
    }

    /// How long an attempt waits there before its work begins, as long as nobody has seen it.
    fn startup(&self, _config: &Json) -> Startup {
        Startup::default()
    }

    /// What an attempt costs; `None` where that is not known. This machine costs nothing.
    fn price(&self, _config: &Json, _need: &Need, _time: Millis) -> Option<Usd> {
        None
    }
}

/// What a place can hold, and where it says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capability {
    /// The most CPUs of one attempt.
    pub cpu: Option<Cpu>,
    /// The most memory of one attempt.
    pub memory: Option<Bytes>,
    /// The most disk of one attempt.
    pub disk: Option<Bytes>,
    /// The GPUs it has, by type, and the most of each; `None` where that is not known.
    pub gpus: Option<Vec<(String, u32)>>,
    /// The longest an attempt may run.
    pub timeout: Option<Millis>,
    /// How many attempts may run at once, unless the spec says otherwise.
    pub parallel: Option<u32>,
    /// CPU slots that all its attempts share; `None` where each gets a machine of its own.
    pub slots: Option<u32>,
    /// Whether it reads its inputs from the store and so needs one that it can reach.
    pub is_remote: bool,
    /// Whether an attempt needs a `timeout`, since somebody pays for it.
    pub is_priced: bool,
    /// Whether machines can be had that may be taken away.
    pub has_spot: bool,
    /// Whether it runs containers.
    pub runs_images: bool,
    /// Where the limits are documented, and when they were read.
    pub source: &'static str,
}

/// How long an attempt waits before its work begins: for a machine, for its image, for its container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Startup {
    /// As it is taken to be.
    pub time: Millis,
    /// Whether it is paid for as the work is.
    pub is_charged: bool,
}

/// One thing that an attempt asks for and a place does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beyond {
    /// The field of the stage that asks for it, such as `resources.gpu`.
    pub field: &'static str,
    /// What is asked for and what there is: `7h of time, and it has at most 1h`.
    pub words: String,
}

/// What an attempt asks of a place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// CPUs.
    pub cpu: Cpu,
    /// Memory.
    pub memory: Bytes,
    /// Disk.
    pub disk: Option<Bytes>,
    /// GPUs.
    pub gpu: Option<Gpu>,
    /// Whether a machine that can be taken away is welcome.
    pub spot: bool,
    /// The region, of a place that has several; else, and where that does not matter yet, its first.
    pub region: Option<String>,
}

/// The backend kinds of a build, and what this machine can hold.
#[derive(Clone, Default)]
pub struct Backends {
    kinds: BTreeMap<&'static str, Arc<dyn BackendKind>>,
    local: Capability,
    traffic: Option<Arc<dyn Traffic>>,
}

impl Backends {
    /// Adds a kind.
    #[must_use]
    pub fn with(mut self, kind: impl BackendKind + 'static) -> Self {
        self.kinds.insert(kind.name(), Arc::new(kind));
        self
    }

    /// Says what this machine can hold.
    #[must_use]
    pub fn with_local(mut self, local: Capability) -> Self {
        self.local = local;
        self
    }

    /// Says what it costs that bytes leave a bucket.
    #[must_use]
    pub fn with_traffic(mut self, traffic: impl Traffic + 'static) -> Self {
        self.traffic = Some(Arc::new(traffic));
        self
    }

    /// What it costs that bytes leave a bucket, where anybody knows that.
    pub fn traffic(&self) -> Option<&Arc<dyn Traffic>> {
        self.traffic.as_ref()
    }

    /// What this machine can hold.
    pub fn local(&self) -> &Capability {
        &self.local
    }

    /// The kind of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn BackendKind>> {
        self.kinds.get(name)
    }

    /// All kinds, by name.
    pub fn kinds(&self) -> impl Iterator<Item = &Arc<dyn BackendKind>> {
        self.kinds.values()
    }
}
