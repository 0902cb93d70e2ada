//! The jobs of Vertex AI, the operations that clients wait for, and what the region has.

use super::custom::Custom;
use super::tuning::{Model, Tuning};
use crate::answer::Refusal;
use crate::machine::Machine;
use crate::storage::Storage;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// What numbers of jobs begin with, so that they look like Google's.
const FIRST: u64 = 1_000_000_000_000_000_000;
/// The project that the metadata server tells of; its number is 1.
const PROJECT: &str = "standin";

/// Vertex AI.
#[derive(Clone)]
pub(crate) struct Vertex(Arc<Shared>);

struct Shared {
    machine: Machine,
    /// Where tuning jobs find their examples.
    storage: Storage,
    /// Whether there is quota for a job.
    quota: watch::Sender<bool>,
    state: Mutex<State>,
}

pub(super) struct State {
    /// By their whole names, as all below, which are in the order of making.
    pub(super) customs: BTreeMap<String, Arc<Custom>>,
    pub(super) tunings: BTreeMap<String, Arc<Tuning>>,
    /// Those that came of tuning jobs, by their names without a version.
    pub(super) models: BTreeMap<String, Model>,
    operations: BTreeMap<String, Json>,
    /// A project's number is its place.
    projects: Vec<String>,
    number: u64,
    pub(super) lists_missed: u64,
    /// How often a tuning job is looked at before it is done.
    pub(super) looks: u64,
    /// How often there is no machine.
    stock_outs: u64,
}

impl Vertex {
    pub(crate) fn new(machine: Machine, storage: Storage) -> Self {
        let state = State {
            customs: BTreeMap::new(),
            tunings: BTreeMap::new(),
            models: BTreeMap::new(),
            operations: BTreeMap::new(),
            projects: vec![PROJECT.to_owned()],
            number: FIRST,
            lists_missed: 0,
            looks: 0,
            stock_outs: 0,
        };
        Self(Arc::new(Shared { machine, storage, quota: watch::Sender::new(true), state: Mutex::new(state) }))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn machine(&self) -> &Machine {
        &self.0.machine
    }

    pub(super) fn storage(&self) -> &Storage {
        &self.0.storage
    }

    pub(super) fn quota(&self) -> watch::Receiver<bool> {
        self.0.quota.subscribe()
    }

    /// From now on there is quota for jobs, or none: then they stay queued.
    pub(crate) fn say_quota(&self, is_there: bool) {
        self.0.quota.send_replace(is_there);
    }

    /// From now on a job that is made misses so many lists.
    pub(crate) fn list_late(&self, lists: u64) {
        self.state().lists_missed = lists;
    }

    /// From now on a tuning job that is made goes on until it was looked at so often.
    pub(crate) fn tuning_lasts(&self, looks: u64) {
        self.state().looks = looks;
    }

    /// The next machines that a job wants are not there, so many times.
    pub(crate) fn stock_out(&self, times: u64) {
        self.state().stock_outs = times;
    }

    pub(super) fn is_out_of_stock(&self) -> bool {
        let mut state = self.state();
        let is_out = state.stock_outs > 0;
        state.stock_outs = state.stock_outs.saturating_sub(1);
        is_out
    }

    /// Takes the machines of a custom job away, by its whole name. Whether it had any.
    pub(crate) fn preempt(&self, name: &str) -> bool {
        let job = self.state().custom(name);
        job.is_ok_and(|job| job.preempt())
    }

    /// What the replicas of a custom job have printed, by its whole name.
    pub(crate) fn printed(&self, name: &str) -> String {
        let job = self.state().custom(name);
        self.machine().printed(&job.map(|job| job.logs()).unwrap_or_default())
    }
}

impl State {
    /// What no other thing has.
    pub(super) fn unique(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// A name as Vertex AI tells it: with the number of the project, however it was asked for.
    pub(super) fn numbered(&mut self, name: &str) -> String {
        let Some((project, rest)) = name.strip_prefix("projects/").and_then(|rest| rest.split_once('/')) else {
            return name.to_owned();
        };
        if project.bytes().all(|byte| byte.is_ascii_digit()) {
            return name.to_owned();
        }
        let known = self.projects.iter().position(|known| known == project);
        let place = known.unwrap_or_else(|| {
            self.projects.push(project.to_owned());
            self.projects.len() - 1
        });
        format!("projects/{}/{rest}", place + 1)
    }

    pub(super) fn custom(&mut self, name: &str) -> Result<Arc<Custom>, Refusal> {
        let name = self.numbered(name);
        self.customs.get(&name).cloned().ok_or_else(|| missing("CustomJob", &name))
    }

    pub(super) fn tuning(&mut self, name: &str) -> Result<Arc<Tuning>, Refusal> {
        let name = self.numbered(name);
        self.tunings.get(&name).cloned().ok_or_else(|| missing("TuningJob", &name))
    }

    /// What a client is given to wait for that something is deleted: done already.
    pub(super) fn deleted(&mut self, name: &str) -> Json {
        let parent = name.split('/').take(4).collect::<Vec<_>>().join("/");
        let name = format!("{parent}/operations/{}", self.unique());
        let told = json!({
            "name": name,
            "metadata": { "@type": "type.googleapis.com/google.cloud.aiplatform.v1.DeleteOperationMetadata" },
            "done": true,
            "response": { "@type": "type.googleapis.com/google.protobuf.Empty" },
        });
        self.operations.insert(name, told.clone());
        told
    }

    pub(super) fn operation(&mut self, name: &str) -> Result<Json, Refusal> {
        let name = self.numbered(name);
        self.operations.get(&name).cloned().ok_or_else(|| missing("Operation", &name))
    }
}

fn missing(kind: &str, name: &str) -> Refusal {
    Refusal::new(404, format!("The {kind} \"{name}\" does not exist."))
}
