//! What a custom job is said to be -> the replicas that run, or everything that is wrong with it. What only the pages say and
//! the definitions do not is asked here.

use crate::answer::Refusal;
use crate::definitions::Problem;
use serde_json::{Map, Value as Json};
use std::time::Duration;

/// What is done, or changes nothing that is seen here: machines and disks are this machine's.
const OF_JOB: [&str; 3] = ["displayName", "jobSpec", "labels"];
const OF_SPEC: [&str; 4] = ["baseOutputDirectory", "scheduling", "serviceAccount", "workerPoolSpecs"];
/// Every restart is one of the whole job, so that it is asked for changes nothing.
const OF_SCHEDULING: [&str; 4] = ["disableRetries", "restartJobOnWorkerRestart", "strategy", "timeout"];
const OF_POOL: [&str; 4] = ["containerSpec", "diskSpec", "machineSpec", "replicaCount"];
const OF_MACHINE: [&str; 3] = ["acceleratorCount", "acceleratorType", "machineType"];

/// How long a job may run. Source: the definition of `Scheduling.timeout`.
const TIMEOUT: Duration = Duration::from_secs(7 * 24 * 3600);
/// Variables of a container. Source: the definition of `ContainerSpec.env`.
const VARIABLES: usize = 100;

/// What a custom job is.
pub(super) struct Spec {
    pub(super) said: Json,
    pub(super) timeout: Duration,
    /// Whether it is tried again after what may pass.
    pub(super) is_retried: bool,
    /// Where its output goes, with a slash at the end.
    pub(super) output: Option<String>,
}

/// One machine of a job.
#[derive(Clone)]
pub(super) struct Replica {
    pub(super) pool: usize,
    pub(super) index: u64,
    pub(super) container: Json,
}

impl Replica {
    pub(super) fn name(&self) -> String {
        format!("workerpool{}-{}", self.pool, self.index)
    }

    /// It manages the others, and its end is the job's. Source: Google's page on distributed training.
    pub(super) fn is_primary(&self) -> bool {
        self.pool == 0
    }
}

impl Spec {
    pub(super) fn read(job: &Map<String, Json>) -> Result<Self, Refusal> {
        let said = job.get("jobSpec").cloned().unwrap_or_default();
        only(&Json::Object(job.clone()), &OF_JOB, "a custom job")?;
        only(&said, &OF_SPEC, "a custom job's spec")?;
        only(&said["scheduling"], &OF_SCHEDULING, "a custom job's scheduling")?;
        if said["scheduling"]["strategy"] == "FLEX_START" {
            return Err(Refusal::not_done("the strategy FLEX_START of a custom job"));
        }
        let mut problems = Vec::new();
        let pools = said["workerPoolSpecs"].as_array().cloned().unwrap_or_default();
        if pools.first().is_none_or(is_empty) {
            let says = "The first worker pool is missing, and its replica manages the others.";
            problems.push(Problem::new("jobSpec.workerPoolSpecs", says));
        }
        for (number, pool) in pools.iter().enumerate().filter(|(_, pool)| !is_empty(pool)) {
            check_pool(number, pool, &mut problems)?;
        }
        let output = said["baseOutputDirectory"]["outputUriPrefix"].as_str();
        if output.is_some_and(|output| !output.starts_with("gs://")) {
            let says = format!("Invalid Cloud Storage URI {:?}.", output.unwrap_or_default());
            problems.push(Problem::new("jobSpec.baseOutputDirectory.outputUriPrefix", says));
        }
        if !problems.is_empty() {
            return Err(Refusal::of(problems));
        }
        let output = output.map(|output| format!("{}/", output.trim_end_matches('/')));
        let timeout = said["scheduling"]["timeout"].as_str().and_then(seconds).unwrap_or(TIMEOUT);
        let is_retried = said["scheduling"]["disableRetries"] != true;
        Ok(Self { said, timeout, is_retried, output })
    }

    /// The machines in order, of which the first is the primary one.
    pub(super) fn replicas(&self) -> Vec<Replica> {
        let pools = self.said["workerPoolSpecs"].as_array().into_iter().flatten().enumerate();
        let each = pools.filter(|(_, pool)| !is_empty(pool)).flat_map(|(pool, said)| {
            let container = &said["containerSpec"];
            (0..count(said)).map(move |index| Replica { pool, index, container: container.clone() })
        });
        each.collect()
    }
}

/// Refuses what is not passed over and not done. A field that says nothing is as good as none.
pub(super) fn only(said: &Json, known: &[&str], what: &str) -> Result<(), Refusal> {
    let fields = said.as_object().into_iter().flatten();
    let mut others = fields.filter(|(name, value)| !known.contains(&name.as_str()) && !is_empty(value));
    match others.next() {
        Some((name, _)) => Err(Refusal::not_done(&format!("the field `{name}` of {what}"))),
        None => Ok(()),
    }
}

fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null | Json::Bool(false) => true,
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(fields) => fields.values().all(is_empty),
        _ => false,
    }
}

fn check_pool(number: usize, pool: &Json, problems: &mut Vec<Problem>) -> Result<(), Refusal> {
    only(pool, &OF_POOL, "a worker pool")?;
    only(&pool["machineSpec"], &OF_MACHINE, "a machine")?;
    let at = format!("jobSpec.workerPoolSpecs[{number}]");
    let mut problem = |field: &str, says: String| problems.push(Problem::new(format!("{at}.{field}"), says));
    if pool["containerSpec"].is_null() {
        problem("containerSpec", "A worker pool has a container or a Python package.".to_owned());
    }
    let replicas = count(pool);
    if number == 0 && replicas != 1 {
        problem("replicaCount", format!("The first worker pool has one replica, and this one has {replicas}."));
    }
    if is_empty(&pool["machineSpec"]["machineType"]) {
        problem("machineSpec.machineType", "Machine type is required.".to_owned());
    }
    let of_accelerator = [&pool["machineSpec"]["acceleratorType"], &pool["machineSpec"]["acceleratorCount"]];
    if of_accelerator.iter().filter(|said| !said.is_null()).count() == 1 {
        problem("machineSpec", "An accelerator has a type and a count.".to_owned());
    }
    let variables = pool["containerSpec"]["env"].as_array().cloned().unwrap_or_default();
    if variables.len() > VARIABLES {
        problem("containerSpec.env", format!("There are {} variables, and {VARIABLES} at most.", variables.len()));
    }
    for (place, variable) in variables.iter().enumerate() {
        let name = variable["name"].as_str().unwrap_or_default();
        if !is_identifier(name) {
            problem(&format!("containerSpec.env[{place}].name"), format!("{name:?} is no C identifier."));
        }
    }
    Ok(())
}

/// Numbers of 64 bits are texts in JSON; both forms are read.
fn count(pool: &Json) -> u64 {
    let said = &pool["replicaCount"];
    said.as_u64().or_else(|| said.as_str()?.parse().ok()).unwrap_or(1)
}

fn is_identifier(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.starts_with(|c: char| !c.is_ascii_digit()) && name.chars().all(is_plain)
}

/// `3.5s`. The definitions have seen to its form.
fn seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok().filter(|duration| !duration.is_zero())
}
