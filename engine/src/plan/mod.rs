//! [`Spec`] -> [`Plan`]: a graph of tasks in which every name, cell, setting and file has been checked. All problems
//! are reported together; there is no plan when one of them is an error.

mod build;
mod cells;
pub mod code;
mod files;
mod order;
mod params;
mod picture;

pub use picture::{dot, mermaid};

use crate::ids::TaskId;
use crate::retry::Retry;
use crate::stage::{Launch, Mark, StageKind};
use crate::units::Bytes;
use petgraph::graph::{DiGraph, NodeIndex};
use serde_json::{Map, Value as Json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use build::{Request, build};

/// A checked graph of tasks. Edges point from a task to those that need its result; indices are in an order in which
/// inputs come first.
pub struct Plan {
    /// The pipeline's name.
    pub name: String,
    /// BLAKE3 of the spec's text.
    pub spec_digest: String,
    /// The parameters after all overrides.
    pub params: Map<String, Json>,
    /// The store's root.
    pub store: PathBuf,
    /// The stages, inputs first.
    pub stages: Vec<Stage>,
    /// The tasks.
    pub graph: DiGraph<Task, ()>,
}

/// One stage of a plan.
pub struct Stage {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: Arc<dyn StageKind>,
    /// The kind's code version.
    pub code: String,
    /// The stages it needs, by their place in the plan.
    pub needs: Vec<usize>,
}

/// One task of a plan.
#[derive(Clone, Debug)]
pub struct Task {
    /// Its name.
    pub id: TaskId,
    /// Its stage's place in the plan.
    pub stage: usize,
    /// Its settings, templates resolved.
    pub config: Json,
    /// The results it needs.
    pub inputs: Vec<TaskInput>,
    /// The files outside the store it needs.
    pub files: Vec<TaskFile>,
    /// How it is started.
    pub launch: Launch,
    /// CPU slots.
    pub cpu: u32,
    /// Memory reserved.
    pub memory: Bytes,
    /// The longest an attempt may run.
    pub timeout: Option<Duration>,
    /// When to try again.
    pub retry: Retry,
}

/// Results a field takes.
#[derive(Clone, Debug)]
pub struct TaskInput {
    /// The field.
    pub field: String,
    /// The tasks whose results they are, in cell order.
    pub tasks: Vec<NodeIndex>,
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

impl Plan {
    /// The task at a place.
    pub fn task(&self, index: usize) -> &Task {
        &self.graph[NodeIndex::new(index)]
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
