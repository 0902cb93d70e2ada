//! [`Spec`] -> [`Plan`]: a graph of tasks in which every name, cell, setting and file has been checked. All problems
//! are reported together; there is no plan when one of them is an error.

mod build;
mod cells;
mod choice;
pub mod code;
mod condition;
mod experience;
mod files;
mod fit;
mod grown;
mod here;
mod hooks;
mod limits;
mod making;
mod matching;
mod mistakes;
mod order;
mod own;
mod params;
mod pending;
mod picture;
mod places;
mod pools;
mod probe;
mod project;
mod publish;
mod reach;
mod room;
mod rows;
mod schedule;
mod secrets;
mod selection;
mod settings;
mod takes;
mod times;
mod tools;
mod traffic;
mod unused;
mod weighing;

pub use build::{Has, Request, build};
pub use choice::{Choice, Offer};
pub use condition::{Condition, Told, When};
pub use experience::{Experience, Lately, NoExperience, Wording};
pub use here::not_here;
pub use params::Resolved;
pub use picture::{Detail, Look, dot, mermaid, svg};
pub use places::Place;
pub use rows::{Row, Rows};
pub use schedule::cron;
pub use selection::{Part, SelectError, Selection, not_asked_for};
pub use settings::{Follow, Settings};
pub use times::{Basis, Said, Times};
pub use traffic::{Leaving, Sizes};

use crate::ids::{Cell, TaskId};
use crate::remote::{Remotes, scheme};
use crate::spec::{Around, Environment};
use crate::stage::{Launch, Mark, StageKind};
use indexmap::IndexMap;
use petgraph::graph::{DiGraph, NodeIndex};
use selection::Parts;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use traffic::{Reads, Roads};

/// A checked graph of tasks. Edges point from a task to those that need its result; indices are in an order in which
/// inputs come first.
pub struct Plan {
    /// The pipeline's name.
    pub name: String,
    /// BLAKE3 of the spec's texts.
    pub spec_digest: String,
    /// The profile that is laid over the spec.
    pub profile: Option<String>,
    /// The parameters after all overrides.
    pub params: Map<String, Json>,
    /// Where each parameter's value comes from.
    pub origins: Vec<Resolved>,
    /// The variables that secrets come from.
    pub environment: Environment,
    /// The store's root.
    pub store: PathBuf,
    /// The URI of the store when it lies in a bucket: nothing runs into one.
    pub bucket: Option<String>,
    /// Whether this build can look into that bucket.
    pub opens: bool,
    /// What happens around a run.
    pub around: Around,
    /// What opens sources elsewhere; `None` where nobody is to be asked.
    pub remotes: Option<Arc<dyn Remotes>>,
    /// The places where tasks run; the first is this machine.
    pub places: Vec<Place>,
    /// The stages, inputs first.
    pub stages: Vec<Stage>,
    /// How many tasks may draw from each pool at once: the pools of the spec, and one for each stage with a limit of its
    /// own.
    pub pools: Vec<u32>,
    /// The tasks.
    pub graph: DiGraph<Task, ()>,
    /// What a run of it is asked for.
    pub selection: Selection,
    parts: Parts,
    roads: Roads,
}

/// One stage of a plan.
pub struct Stage {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: Arc<dyn StageKind>,
    /// The kind's code version.
    pub code: String,
    /// What its tasks have in common.
    pub settings: Settings,
    /// Where its tasks run, by its index in [`Plan::places`].
    pub backend: usize,
    /// Why there, when it left that to the plan.
    pub choice: Option<Choice>,
    /// When its tasks are done, from the beginning of a run, as far as that is known while planning.
    done: Duration,
    /// Whether rows decide how many tasks it has.
    by_rows: bool,
    /// The pools its tasks draw from, by their place in the plan.
    pub pools: Vec<usize>,
    /// The stages it needs, by their place in the plan.
    pub needs: Vec<usize>,
    /// The stage whose rows must be known before this stage has tasks, by its place in the plan.
    pub waits_for: Option<usize>,
    /// The stage over whose rows it is spread, by its place in the plan.
    pub rows_of: Option<usize>,
}

/// One task of a plan.
#[derive(Clone, Debug)]
pub struct Task {
    /// Its name.
    pub id: TaskId,
    /// Its stage's place in the plan.
    pub stage: usize,
    /// Its settings, templates resolved. Neighbours whose settings are equal share them.
    pub config: Arc<Json>,
    /// The results it needs.
    pub inputs: Vec<TaskInput>,
    /// The files outside the store it needs.
    pub files: Vec<TaskFile>,
    /// Whether it runs at all.
    pub when: When,
    /// Variables its process gets.
    pub env: BTreeMap<String, String>,
    /// Files of the result, and where in the project they are copied to: paths without links.
    pub publish: IndexMap<String, PathBuf>,
    /// Names and values it carries.
    pub labels: IndexMap<String, String>,
}

/// Results a field takes.
#[derive(Clone, Debug)]
pub struct TaskInput {
    /// The field.
    pub field: String,
    /// The tasks whose results they are, in cell order.
    pub tasks: Arc<[NodeIndex]>,
    /// Whether it takes those of every cell, as `all = true` asks.
    pub takes_all: bool,
}

impl TaskInput {
    /// The input's name to people and programs: `inputs.model.stage` is `model`.
    pub fn name(&self) -> &str {
        input_name(&self.field)
    }

    /// Whether a task at `cell` takes what is made at `made` as one of several, and not as the only one.
    pub fn gathers(&self, made: &Cell, cell: &Cell) -> bool {
        self.takes_all || made.is_gathered_by(cell)
    }
}

/// What the input at a field is called: `inputs.model.stage` is `model`, `plays` is `plays`.
pub fn input_name(field: &str) -> &str {
    let name = field.strip_prefix("inputs.").unwrap_or(field);
    name.strip_suffix(".stage").or_else(|| name.strip_suffix(".file")).unwrap_or(name)
}

/// A file a field names.
#[derive(Clone, Debug)]
pub struct TaskFile {
    /// The field.
    pub field: String,
    /// Whether its path is part of the key.
    pub mark: Mark,
    /// As the spec names it.
    pub written: String,
    /// Where it lies.
    pub path: PathBuf,
}

impl TaskFile {
    /// The URI it is read at, when it is no file of this machine.
    pub fn uri(&self) -> Option<&str> {
        (self.mark == Mark::InputSource && scheme(&self.written).is_some()).then_some(self.written.as_str())
    }
}

impl Plan {
    /// The task at a place.
    pub fn task(&self, index: usize) -> &Task {
        &self.graph[NodeIndex::new(index)]
    }

    /// How a task is started.
    pub fn launch(&self, task: &Task) -> Launch {
        self.stages[task.stage].kind.launch(&task.config)
    }

    /// A variable of the environment or of `.env`, as secrets name it.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(|variable| variable.value)
    }

    /// Where a task runs, by its place in the plan.
    pub fn place_of(&self, task: usize) -> &Place {
        &self.places[self.stages[self.task(task).stage].backend]
    }

    /// What leaves buckets for some tasks of a stage when they run where it runs.
    pub fn leaving(&self, stage: usize, tasks: &[usize], sizes: &dyn Sizes) -> Leaving {
        let is_elsewhere = |task: usize| self.place_of(task).capability.is_remote;
        let reads = Reads::of(tasks.iter().map(|task| self.task(*task)), &is_elsewhere, sizes);
        self.roads.leaving(&reads, &self.places[self.stages[stage].backend])
    }

    /// What a task's stage says.
    pub fn settings(&self, task: &Task) -> &Settings {
        &self.stages[task.stage].settings
    }

    /// The stages that have no tasks yet, because rows are not known, and for each the stage that makes them.
    pub fn waiting(&self) -> impl Iterator<Item = (usize, usize)> {
        self.stages.iter().enumerate().filter_map(|(place, stage)| Some((place, stage.waits_for?)))
    }

    /// The stages whose rows make others' tasks and are not known yet.
    pub fn sources_of_rows(&self) -> Vec<usize> {
        let mut sources: Vec<usize> = self.waiting().map(|(_, source)| source).collect();
        sources.sort_unstable();
        sources.dedup();
        sources
    }

    /// Number of tasks.
    pub fn len(&self) -> usize {
        self.graph.node_count()
    }

    /// Whether there is nothing to do at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The tasks of each stage, by their places.
    pub fn by_stage(&self) -> Vec<Vec<usize>> {
        let mut tasks = vec![Vec::new(); self.stages.len()];
        for (index, task) in self.tasks().enumerate() {
            tasks[task.stage].push(index);
        }
        tasks
    }

    /// All tasks, inputs first.
    pub fn tasks(&self) -> impl Iterator<Item = &Task> {
        (0..self.len()).map(|i| self.task(i))
    }
}
