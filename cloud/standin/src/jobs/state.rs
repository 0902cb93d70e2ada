//! The jobs that there are, their executions, and the operations that clients wait for.

use super::execution::Execution;
use crate::answer::Refusal;
use crate::machine::Machine;
use crate::secrets::Secrets;
use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Cloud Run's jobs.
#[derive(Clone)]
pub(crate) struct Jobs(Arc<Shared>);

struct Shared {
    machine: Machine,
    secrets: Secrets,
    state: Mutex<State>,
}

pub(super) struct State {
    /// By their whole names, as all below.
    pub(super) jobs: BTreeMap<String, Job>,
    /// In the order in which they began.
    pub(super) executions: Vec<Arc<Execution>>,
    operations: BTreeMap<String, Operation>,
    number: u64,
    lists_missed: u64,
}

/// A job.
pub(super) struct Job {
    /// What its maker said.
    pub(super) said: Map<String, Json>,
    uid: String,
    created: Timestamp,
    /// Why it can never run.
    unusable: Option<String>,
    /// How many lists it still misses.
    pub(super) misses: u64,
}

/// Something that a client waits for.
#[derive(Clone)]
enum Operation {
    /// It was done at once.
    Done(Json),
    /// It is done when the execution is.
    Runs(Arc<Execution>),
}

impl Jobs {
    pub(crate) fn new(machine: Machine, secrets: Secrets) -> Self {
        let state = State {
            jobs: BTreeMap::new(),
            executions: Vec::new(),
            operations: BTreeMap::new(),
            number: 0,
            lists_missed: 0,
        };
        Self(Arc::new(Shared { machine, secrets, state: Mutex::new(state) }))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn machine(&self) -> &Machine {
        &self.0.machine
    }

    pub(super) fn secrets(&self) -> &Secrets {
        &self.0.secrets
    }

    /// From now on a job that is made misses so many lists, and so does an execution.
    pub(crate) fn list_late(&self, lists: u64) {
        self.state().lists_missed = lists;
    }

    /// What the tasks of an execution have printed, by its whole name.
    pub(crate) fn printed(&self, execution: &str) -> String {
        let found = self.state().executions.iter().find(|one| one.name == execution).cloned();
        self.machine().printed(&found.map(|execution| execution.logs()).unwrap_or_default())
    }
}

impl State {
    /// What no other thing has.
    pub(super) fn unique(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    pub(super) fn misses(&self) -> u64 {
        self.lists_missed
    }

    pub(super) fn job(&self, name: &str) -> Result<&Job, Refusal> {
        self.jobs.get(name).ok_or_else(|| missing(name))
    }

    pub(super) fn make_job(&mut self, name: &str, said: Map<String, Json>, unusable: Option<String>) {
        let (number, misses) = (self.unique(), self.lists_missed);
        let (uid, created) = (format!("00000000-0000-4000-8000-{number:012}"), Timestamp::now());
        let job = Job { said, uid, created, unusable, misses };
        self.jobs.insert(name.to_owned(), job);
    }

    pub(super) fn execution(&self, name: &str) -> Result<Arc<Execution>, Refusal> {
        self.executions.iter().find(|one| one.name == name).cloned().ok_or_else(|| missing(name))
    }

    pub(super) fn executions_of(&self, job: &str) -> Vec<Arc<Execution>> {
        self.executions.iter().filter(|one| one.job == job).cloned().collect()
    }

    /// The job as it is told.
    pub(super) fn resource(&self, name: &str) -> Result<Json, Refusal> {
        let job = self.job(name)?;
        let executions = self.executions_of(name);
        let mut ready =
            json!({ "type": "Ready", "state": "CONDITION_SUCCEEDED", "lastTransitionTime": job.created.to_string() });
        if let Some(why) = &job.unusable {
            ready["state"] = "CONDITION_FAILED".into();
            ready["reason"] = "SECRETS_ACCESS_CHECK_FAILED".into();
            ready["message"] = why.as_str().into();
        }
        let mut resource = json!({
            "name": name,
            "uid": job.uid,
            "generation": "1",
            "observedGeneration": "1",
            "launchStage": "GA",
            "createTime": job.created.to_string(),
            "updateTime": job.created.to_string(),
            "etag": format!("\"{}\"", job.uid),
            "terminalCondition": ready,
            "executionCount": executions.len(),
        });
        job.said.iter().for_each(|(field, value)| resource[field] = value.clone());
        if let Some(last) = executions.last() {
            resource["latestCreatedExecution"] = last.reference();
        }
        Ok(resource)
    }

    /// What a client is given to wait for: done already, with this answer of this type.
    pub(super) fn done(&mut self, parent: &str, kind: &str, resource: &Json) -> Json {
        let name = format!("{parent}/operations/{}", self.unique());
        let typed = typed(kind, resource);
        let told = json!({ "name": name, "metadata": typed, "done": true, "response": typed });
        self.operations.insert(name, Operation::Done(told.clone()));
        told
    }

    /// What a client is given to wait for an execution.
    pub(super) fn runs(&mut self, parent: &str, execution: Arc<Execution>) -> Json {
        let name = format!("{parent}/operations/{}", self.unique());
        let told = execution.operation(&name);
        self.operations.insert(name, Operation::Runs(execution));
        told
    }

    pub(super) fn operation(&self, name: &str) -> Result<Json, Refusal> {
        match self.operations.get(name).ok_or_else(|| missing(name))? {
            Operation::Done(told) => Ok(told.clone()),
            Operation::Runs(execution) => Ok(execution.operation(name)),
        }
    }
}

/// A message with its type, as operations hold it.
pub(super) fn typed(kind: &str, resource: &Json) -> Json {
    let mut typed = resource.clone();
    typed["@type"] = format!("type.googleapis.com/google.cloud.run.v2.{kind}").into();
    typed
}

pub(super) fn missing(name: &str) -> Refusal {
    Refusal::new(404, format!("Resource '{name}' was not found."))
}
