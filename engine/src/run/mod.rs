//! A plan, a store and this machine -> a run. The dispatcher here is the one loop that owns the core's state; it
//! feeds it what happened and carries out what it answers.

mod copies;
mod devices;
mod dispatcher;
mod grow;
mod missed;
mod publish;
mod say;
mod trust;
mod unchanged;

pub use unchanged::{Unchanged, unchanged};

use crate::asked::Asked;
use crate::backend::Backend;
use crate::event::{Body, Counts, RunEvent, RunLimit};
use crate::failure::Failure;
use crate::ids::RunId;
use crate::local::Local;
use crate::lookup::Finder;
use crate::manifest::Artifact;
use crate::plan::{Plan, Rows};
use crate::revision::Revision;
use crate::scheduler::{Limits, Stop};
use crate::shared::Shared;
use crate::site::Site;
use crate::state::{Journal, JournalError, OpenJob};
use crate::world::{Timestamp, World};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedReceiver;
use tracing::Instrument;

/// Plans the same spec again with more rows known.
pub type Replan = Arc<dyn Fn(&Rows) -> Result<Plan, Failure> + Send + Sync>;

/// Everything a run needs, wired by whoever starts it.
pub struct Setup {
    /// What is to be made.
    pub plan: Arc<Plan>,
    /// Plans again when rows are known that other stages are spread over.
    pub replan: Replan,
    /// The spec's path as it was given.
    pub spec: String,
    /// Where the spec stands in version control.
    pub revision: Option<Revision>,
    /// The slot of the spec's schedule that it is for.
    pub slot: Option<Timestamp>,
    /// What is asked for, for whoever runs it again.
    pub asked: Option<Asked>,
    /// Where and by whom it is started.
    pub site: Option<Site>,
    /// The clock and randomness.
    pub world: World,
    /// Where what happened is written down.
    pub journal: Journal,
    /// Looks results up.
    pub finder: Arc<Finder>,
    /// Runs attempts.
    pub local: Local,
    /// The bucket that results go to, when they do not stay in the folder that attempts write to.
    pub shared: Option<Arc<Shared>>,
    /// The places elsewhere that its tasks run at, by their names in the spec.
    pub elsewhere: HashMap<String, Arc<dyn Backend>>,
    /// Jobs elsewhere that earlier runs have left.
    pub left: Vec<OpenJob>,
    /// What this machine has for tasks.
    pub limits: Limits,
    /// Its GPUs, by the names that `CUDA_VISIBLE_DEVICES` has for them: as many as the limits say.
    pub gpus: Vec<String>,
    /// Whether nothing more is started once a task has failed for good.
    pub fail_fast: bool,
    /// What is known of tasks that are not in the plan, because nothing they stand on has changed.
    pub beside: Beside,
    /// Hears every event, durable and passing.
    pub listener: Arc<dyn Fn(&RunEvent) + Send + Sync>,
}

/// Tasks of a run that have their results, and are not in its plan.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// How many there are of each stage.
    pub tasks: HashMap<String, u64>,
    /// What the run says of them.
    pub told: Vec<Body>,
}

impl Beside {
    /// How many there are.
    pub fn count(&self) -> u64 {
        self.tasks.values().sum()
    }
}

/// How a run ended.
#[derive(Clone)]
pub struct Finished {
    /// Its name.
    pub run: RunId,
    /// What was to be made, with all tasks that came to be known.
    pub plan: Arc<Plan>,
    /// What it said when it began.
    pub started: Body,
    /// The results of the plan's tasks, by their places.
    pub known: Vec<Option<Arc<Artifact>>>,
    /// How its tasks ended.
    pub counts: Counts,
    /// Whether somebody asked it to stop.
    pub interrupted: bool,
    /// The limit that stopped it.
    pub limit: Option<RunLimit>,
}

/// Runs a plan to its end. `cancel` asks for that end: the first word gently, the second at once.
///
/// # Errors
/// When the journal fails: nothing more can be promised then, so nothing more is started.
pub async fn run(setup: Setup, cancel: UnboundedReceiver<Stop>) -> Result<Finished, JournalError> {
    let dispatcher = dispatcher::Dispatcher::new(setup);
    let span = dispatcher.span();
    dispatcher.run(cancel).instrument(span).await
}
