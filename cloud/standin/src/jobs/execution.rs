//! One execution of a job: its tasks side by side, what has become of them, and how that is told.

use super::container::process;
use super::state::{Jobs, State, typed};
use crate::answer::Refusal;
use crate::process::End;
use jiff::Timestamp;
use serde_json::{Value as Json, json};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// How long a task may take, and how often it is tried again, where its template does not say. Source: the definitions.
const TIMEOUT: Duration = Duration::from_secs(600);
const RETRIES: u64 = 3;

/// An execution.
pub(super) struct Execution {
    pub(super) name: String,
    pub(super) job: String,
    number: u64,
    template: Json,
    tasks: u64,
    parallel: u64,
    created: Timestamp,
    progress: Mutex<Progress>,
    stop: watch::Sender<bool>,
    /// How many lists it still misses.
    misses: AtomicU64,
}

/// How far it is.
#[derive(Clone, Default)]
struct Progress {
    running: u64,
    succeeded: u64,
    failed: u64,
    cancelled: u64,
    retried: u64,
    started: Option<Timestamp>,
    ended: Option<Timestamp>,
    /// Why the first task that failed did.
    why: Option<String>,
}

/// What became of a task.
enum Fate {
    Succeeded,
    Failed(String),
    Cancelled,
}

/// What a run changes of its job.
#[derive(Default)]
pub(super) struct Overrides {
    tasks: Option<u64>,
    timeout: Option<Json>,
    containers: Vec<Json>,
}

impl Overrides {
    pub(super) fn read(said: Option<&Json>) -> Result<Self, Refusal> {
        let Some(said) = said else { return Ok(Self::default()) };
        if !said["delayExecution"].is_null() {
            return Err(Refusal::not_done("the field `delayExecution` of a run"));
        }
        Ok(Self {
            tasks: said["taskCount"].as_u64().filter(|count| *count > 0),
            timeout: said.get("timeout").cloned(),
            containers: said["containerOverrides"].as_array().cloned().unwrap_or_default(),
        })
    }

    /// Source: the definitions of the fields of an override.
    fn lay_over(&self, task: &mut Json) {
        if let Some(timeout) = &self.timeout {
            task["timeout"] = timeout.clone();
        }
        let containers = task["containers"].as_array_mut();
        for (container, over) in containers.into_iter().flatten().zip(&self.containers) {
            if over["clearArgs"] == true {
                container["args"] = json!([]);
            }
            if over["args"].as_array().is_some_and(|args| !args.is_empty()) {
                container["args"] = over["args"].clone();
            }
            let mut env = container["env"].as_array().cloned().unwrap_or_default();
            for one in over["env"].as_array().into_iter().flatten() {
                env.retain(|known| known["name"] != one["name"]);
                env.push(one.clone());
            }
            container["env"] = env.into();
        }
    }
}

impl Execution {
    /// Begins the tasks of a template.
    pub(super) fn begin(
        jobs: &Jobs,
        state: &State,
        name: String,
        job: String,
        number: u64,
        template: &Json,
        overrides: &Overrides,
    ) -> Result<Arc<Self>, Refusal> {
        let mut task = template["template"].clone();
        overrides.lay_over(&mut task);
        let containers = task["containers"].as_array().map_or(0, Vec::len);
        if containers != 1 {
            return Err(Refusal::invalid(format!("A job has one container, and this one has {containers}.")));
        }
        let tasks = overrides.tasks.or(template["taskCount"].as_u64()).unwrap_or(1).max(1);
        let parallel = template["parallelism"].as_u64().filter(|count| *count > 0).unwrap_or(tasks).min(tasks);
        let execution = Arc::new(Self {
            name,
            job,
            number,
            template: task,
            tasks,
            parallel,
            created: Timestamp::now(),
            progress: Mutex::default(),
            stop: watch::channel(false).0,
            misses: AtomicU64::new(state.misses()),
        });
        tokio::spawn(execution.clone().work(jobs.clone()));
        Ok(execution)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn work(self: Arc<Self>, jobs: Jobs) {
        self.progress().started = Some(Timestamp::now());
        let turns = Arc::new(Semaphore::new(usize::try_from(self.parallel).unwrap_or(1)));
        let each = (0..self.tasks).map(|index| {
            let (execution, jobs, turns) = (self.clone(), jobs.clone(), turns.clone());
            tokio::spawn(async move {
                let _turn = turns.acquire_owned().await;
                execution.task(&jobs, index).await;
            })
        });
        for task in each.collect::<Vec<_>>() {
            let _ = task.await;
        }
        self.progress().ended = Some(Timestamp::now());
    }

    async fn task(&self, jobs: &Jobs, index: u64) {
        let retries = self.template["maxRetries"].as_u64().unwrap_or(RETRIES);
        let mut end = Fate::Cancelled;
        for attempt in 0..=retries {
            if *self.stop.borrow() {
                end = Fate::Cancelled;
                break;
            }
            self.progress().running += 1;
            end = self.attempt(jobs, index, attempt).await;
            let mut progress = self.progress();
            progress.running -= 1;
            progress.retried += u64::from(attempt == 1);
            if !matches!(end, Fate::Failed(_)) {
                break;
            }
        }
        let mut progress = self.progress();
        match end {
            Fate::Succeeded => progress.succeeded += 1,
            Fate::Cancelled => progress.cancelled += 1,
            Fate::Failed(why) => {
                progress.failed += 1;
                progress.why.get_or_insert(why);
            }
        }
    }

    async fn attempt(&self, jobs: &Jobs, index: u64, attempt: u64) -> Fate {
        let id = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
        let ours = [
            ("CLOUD_RUN_JOB", id(&self.job)),
            ("CLOUD_RUN_EXECUTION", id(&self.name)),
            ("CLOUD_RUN_TASK_INDEX", index.to_string()),
            ("CLOUD_RUN_TASK_ATTEMPT", attempt.to_string()),
            ("CLOUD_RUN_TASK_COUNT", self.tasks.to_string()),
        ];
        let log = jobs.machine().log(&self.log(index));
        let process = process(jobs, &self.job, &self.template, &ours);
        let begun = process
            .and_then(|process| process.begin(&log).map_err(|error| format!("the container did not start: {error}")));
        let timeout = self.template["timeout"].as_str().and_then(seconds).unwrap_or(TIMEOUT);
        let (mut stop, mut took_too_long) = (self.stop.subscribe(), false);
        let stopped = async {
            tokio::select! {
                () = tokio::time::sleep(timeout) => took_too_long = true,
                _ = stop.wait_for(|stopped| *stopped) => {}
            }
        };
        let end = match begun {
            Ok(running) => running.end(stopped).await,
            Err(why) => return Fate::Failed(why),
        };
        match end {
            End::Exited(status) if status.success() => Fate::Succeeded,
            End::Exited(status) => Fate::Failed(in_words(status)),
            End::Stopped if took_too_long => Fate::Failed(format!("it took longer than {timeout:?}")),
            End::Stopped => Fate::Cancelled,
            End::Lost(error) => Fate::Failed(error.to_string()),
        }
    }

    /// What its tasks print to, in order.
    pub(super) fn logs(&self) -> Vec<String> {
        (0..self.tasks).map(|index| self.log(index)).collect()
    }

    fn log(&self, index: u64) -> String {
        format!("run-{}-{index}", self.number)
    }

    /// Ends its tasks, as a container's are ended.
    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.progress().ended.is_some()
    }

    /// Whether it is in a list that is made now.
    pub(super) fn is_listed(&self) -> bool {
        self.misses.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err()
    }

    pub(super) fn resource(&self) -> Json {
        let progress = self.progress().clone();
        let mut resource = json!({
            "name": self.name,
            "uid": format!("00000000-0000-4000-8000-{:012}", self.number),
            "generation": "1",
            "observedGeneration": if progress.ended.is_some() { "1" } else { "0" },
            "job": self.job,
            "createTime": self.created.to_string(),
            "updateTime": progress.ended.or(progress.started).unwrap_or(self.created).to_string(),
            "launchStage": "GA",
            "parallelism": self.parallel,
            "taskCount": self.tasks,
            "template": self.template,
            "reconciling": progress.ended.is_none(),
            "conditions": [progress.condition(self.tasks, *self.stop.borrow())],
            "runningCount": progress.running,
            "succeededCount": progress.succeeded,
            "failedCount": progress.failed,
            "cancelledCount": progress.cancelled,
            "retriedCount": progress.retried,
            "etag": format!("\"{}\"", self.number),
        });
        if let Some(started) = progress.started {
            resource["startTime"] = started.to_string().into();
        }
        if let Some(ended) = progress.ended {
            resource["completionTime"] = ended.to_string().into();
        }
        resource
    }

    /// What its job tells of it.
    pub(super) fn reference(&self) -> Json {
        let progress = self.progress().clone();
        let status = match progress.ended {
            None => "EXECUTION_RUNNING",
            Some(_) if progress.succeeded == self.tasks => "EXECUTION_SUCCEEDED",
            Some(_) if progress.cancelled > 0 => "EXECUTION_CANCELLED",
            Some(_) => "EXECUTION_FAILED",
        };
        let mut reference =
            json!({ "name": self.name, "createTime": self.created.to_string(), "completionStatus": status });
        if let Some(ended) = progress.ended {
            reference["completionTime"] = ended.to_string().into();
        }
        reference
    }

    /// What a client is told that waits for it.
    pub(super) fn operation(&self, name: &str) -> Json {
        let resource = typed("Execution", &self.resource());
        let progress = self.progress().clone();
        let mut told = json!({ "name": name, "metadata": resource });
        if progress.ended.is_some() {
            told["done"] = true.into();
            if progress.succeeded == self.tasks {
                told["response"] = resource;
            } else {
                // The numbers of google.rpc.Code: CANCELLED and ABORTED.
                let code = if progress.cancelled > 0 { 1 } else { 10 };
                told["error"] = json!({ "code": code, "message": resource["conditions"][0]["message"] });
            }
        }
        told
    }
}

impl Progress {
    fn condition(&self, tasks: u64, is_stopped: bool) -> Json {
        let at = self.ended.or(self.started).unwrap_or(Timestamp::UNIX_EPOCH).to_string();
        let mut condition = json!({ "type": "Completed", "lastTransitionTime": at });
        let (state, reason, message) = match self.ended {
            None if is_stopped => {
                ("CONDITION_RECONCILING", Some("CANCELLING"), "Execution is being cancelled.".to_owned())
            }
            None => ("CONDITION_RECONCILING", None, "Execution is running.".to_owned()),
            Some(_) if self.succeeded == tasks => {
                ("CONDITION_SUCCEEDED", None, "Execution completed successfully.".to_owned())
            }
            Some(_) if self.cancelled > 0 => {
                ("CONDITION_FAILED", Some("CANCELLED"), "Execution was cancelled.".to_owned())
            }
            Some(_) => {
                let why = self.why.clone().unwrap_or_default();
                (
                    "CONDITION_FAILED",
                    Some("NON_ZERO_EXIT_CODE"),
                    format!("{} of {tasks} tasks failed: {why}", self.failed),
                )
            }
        };
        condition["state"] = state.into();
        condition["message"] = message.into();
        if let Some(reason) = reason {
            condition["executionReason"] = reason.into();
        }
        condition
    }
}

fn in_words(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("The container exited with an error, code {code}."),
        None => format!("The container was ended: {status}."),
    }
}

/// `3.5s`. The definitions have seen to its form.
fn seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}
