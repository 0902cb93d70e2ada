//! The journal of earlier runs -> what they tell of a pipeline's tasks: how long each took, how its newest attempt
//! ended, and why it was made. Read for estimates and explanations, and for where a plan puts what is left to it.

mod lately;
#[cfg(test)]
mod tests;
mod undone;
mod waits;

use super::journal::{JournalError, read_only};
use crate::attempt::{ItemCount, Usage};
use crate::failure::Failure;
use crate::ids::{AttemptId, Fingerprint, RunId, TaskId};
use crate::plan::{Experience, Lately, Wording};
use crate::world::Timestamp;
use lately::{Tried, lately, remember};
use rusqlite::{Connection, Rows as SqlRows, params};
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::time::Duration;
use undone::Undone;
use waits::Waits;

/// How far back it looks: runs of any pipeline, runs of this one, and rows of these.
const RUNS: u32 = 200;
const OWN_RUNS: usize = 20;
const ROWS: usize = 300_000;

/// What is read of a run.
const SELECT: &str = "select type, task, time, json from events where run = ?1 and type in
    ('attempt_submitting', 'attempt_started', 'attempt_ended', 'task_succeeded', 'task_failed', 'run_finished')";

/// How the newest attempt of a task ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// Its result was put in the store.
    Succeeded,
    /// It failed for good.
    Failed(Failure),
    /// It was stopped, or its engine died.
    CutShort,
}

/// The newest attempt of a task that the journal tells of.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// The run it belonged to.
    pub run: RunId,
    /// Its name.
    pub attempt: Option<AttemptId>,
    /// The key it was made for.
    pub fingerprint: Fingerprint,
    /// Why it was made.
    pub reason: String,
    /// When it began.
    pub started: Timestamp,
    /// How long it ran, if it came to an end.
    pub took: Option<Duration>,
    /// What it used of its machine.
    pub usage: Option<Usage>,
    /// How it ended.
    pub ending: Ending,
}

/// What earlier runs tell of the tasks of one pipeline.
#[derive(Debug, Default)]
pub struct History {
    tasks: HashMap<String, Known>,
    /// Of each stage, attempts that did all of their work: how many, and how long together.
    stages: HashMap<String, (u32, Duration)>,
    /// The newest attempts of each stage's tasks that succeeded, oldest first.
    lately: HashMap<String, VecDeque<Tried>>,
    /// What was begun, and left undone.
    undone: Undone,
    /// How long attempts waited at each place.
    waits: Waits,
}

/// What is known of one task.
#[derive(Debug)]
struct Known {
    newest: Past,
    /// The newest attempt that succeeded: how long it ran, and whether it did all of the work itself. One that found
    /// most of its items finished tells little of the next.
    took: Option<(Duration, bool)>,
    /// The newest attempts that succeeded, oldest first.
    lately: VecDeque<Tried>,
    /// How large its newest result is.
    bytes: Option<u64>,
}

impl History {
    /// Reads the newest runs of a pipeline; a journal that is not there tells nothing.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn read(journal: &Path, pipeline: &str) -> Result<Self, JournalError> {
        Self::gather(journal, (pipeline, None), all_of)
    }

    /// As [`History::read`], of the runs before this one: what was known when it began.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn before(journal: &Path, pipeline: &str, run: &RunId) -> Result<Self, JournalError> {
        Self::gather(journal, (pipeline, Some(run)), all_of)
    }

    /// As [`History::read`], of these tasks alone: most of the work is to understand the rows of all others.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn of_tasks<'a>(
        journal: &Path,
        pipeline: &str,
        tasks: impl Iterator<Item = &'a TaskId>,
    ) -> Result<Self, JournalError> {
        let names = serde_json::to_string(&tasks.map(TaskId::to_string).collect::<Vec<_>>())?;
        Self::gather(journal, (pipeline, None), |history, connection, run| {
            let among = format!("{SELECT} and task in (select value from json_each(?2)) order by seq");
            let mut select = connection.prepare_cached(&among)?;
            history.take(run, select.query(params![run.0, names])?)
        })
    }

    fn gather(
        journal: &Path,
        (pipeline, before): (&str, Option<&RunId>),
        take: impl Fn(&mut Self, &Connection, &RunId) -> Result<(), JournalError>,
    ) -> Result<Self, JournalError> {
        let mut history = Self::default();
        let Some(connection) = read_only::open(journal)? else { return Ok(history) };
        let mut runs = runs_of(&connection, pipeline, before)?;
        // Oldest first: what is newer replaces it.
        runs.reverse();
        for (run, begun) in runs {
            history.undone.go_on(begun);
            take(&mut history, &connection, &run)?;
        }
        Ok(history)
    }

    /// The newest attempt of a task.
    pub fn newest(&self, task: &TaskId) -> Option<&Past> {
        self.tasks.get(&task.to_string()).map(|known| &known.newest)
    }

    /// How long an attempt of a task takes: as long as its own last one, else as those of its stage on average.
    pub fn usual(&self, task: &TaskId) -> Option<Duration> {
        if self.tasks.is_empty() {
            return None;
        }
        let own = self.tasks.get(&task.to_string()).and_then(|known| known.took);
        let stage = || self.stages.get(&task.stage).map(|(count, sum)| *sum / *count);
        match own {
            Some((took, true)) => Some(took),
            own => stage().or(own.map(|own| own.0)),
        }
    }

    /// How long the newest attempts of a task took that succeeded, five at most; of a task without any, those of its stage.
    /// Where items are counted, each is taken for as many as the task's newest attempt had.
    pub fn lately(&self, task: &TaskId) -> Option<Lately> {
        self.lately_named(&task.to_string())
    }

    /// The same of a task of which no more is known than how its name is written.
    pub fn lately_named(&self, task: &str) -> Option<Lately> {
        let own = self.tasks.get(task).map(|known| &known.lately);
        let own = own.and_then(|tried| lately(tried, tried.back().and_then(Tried::items)));
        own.or_else(|| lately(self.lately.get(stage_of(task))?, None))
    }

    /// What the newest attempts of each stage's tasks used of this machine, as far as they were looked at.
    pub fn used(&self) -> HashMap<&str, Used> {
        let mut stages: HashMap<&str, Used> = HashMap::new();
        for (task, known) in &self.tasks {
            if let Some(usage) = known.newest.usage {
                stages.entry(stage_of(task)).or_default().add(&usage);
            }
        }
        stages
    }

    fn take(&mut self, run: &RunId, mut rows: SqlRows<'_>) -> Result<(), JournalError> {
        while let Some(row) = rows.next()? {
            let (kind, task, json) = (row.get_ref(0)?, row.get_ref(1)?, row.get_ref(3)?);
            let text = |value: rusqlite::types::ValueRef<'_>| value.as_str().unwrap_or_default().to_owned();
            let time = Timestamp(row.get::<_, i64>(2)?.cast_unsigned());
            self.hear(run, &text(kind), &text(task), time, json.as_str().unwrap_or_default())?;
        }
        Ok(())
    }

    fn hear(&mut self, run: &RunId, kind: &str, task: &str, time: Timestamp, json: &str) -> Result<(), JournalError> {
        match kind {
            "attempt_submitting" => {
                let said: HandedOver = serde_json::from_str(json)?;
                self.undone.begin(stage_of(task), said.backend.clone());
                self.waits.handed_over(said.attempt, said.backend, time);
            }
            "attempt_started" => self.started(run, task, time, serde_json::from_str(json)?),
            "run_finished" => {
                let Finished { failed, cancelled } = serde_json::from_str(json)?;
                if failed + cancelled == 0 {
                    self.undone.is_done();
                }
            }
            _ => self.went_on(run, kind, task, time, json)?,
        }
        Ok(())
    }

    fn started(&mut self, run: &RunId, task: &str, time: Timestamp, said: Started) {
        self.undone.begin(stage_of(task), said.backend);
        self.waits.began(said.attempt.as_ref(), time);
        let newest = Past {
            run: run.clone(),
            attempt: said.attempt,
            fingerprint: said.fingerprint,
            reason: said.reason,
            started: time,
            took: None,
            usage: None,
            ending: Ending::CutShort,
        };
        match self.tasks.get_mut(task) {
            Some(known) => known.newest = newest,
            None => drop(
                self.tasks.insert(task.to_owned(), Known { newest, took: None, lately: VecDeque::new(), bytes: None }),
            ),
        }
    }

    /// What becomes of a task that was begun.
    fn went_on(
        &mut self,
        run: &RunId,
        kind: &str,
        task: &str,
        time: Timestamp,
        json: &str,
    ) -> Result<(), JournalError> {
        // Whatever is told of a task before its first attempt, such as a file that vanished, is of no use here.
        let Some(known) = self.tasks.get_mut(task).filter(|known| known.newest.run == *run) else { return Ok(()) };
        match kind {
            "attempt_ended" => {
                let said: Ended = serde_json::from_str(json)?;
                let took = time.since(known.newest.started);
                known.newest.took = Some(took);
                known.newest.usage = said.usage;
                if said.failure.is_none() {
                    let whole = said.items.reused == 0;
                    known.took = Some((took, whole));
                    let tried = Tried { took, items: said.items };
                    remember(&mut known.lately, tried);
                    remember(self.lately.entry(stage_of(task).to_owned()).or_default(), tried);
                    if whole {
                        let (count, sum) = self.stages.entry(stage_of(task).to_owned()).or_default();
                        (*count, *sum) = (*count + 1, *sum + took);
                    }
                }
            }
            "task_failed" => known.newest.ending = Ending::Failed(serde_json::from_str::<Failed>(json)?.failure),
            _ => {
                known.newest.ending = Ending::Succeeded;
                known.bytes = serde_json::from_str::<Succeeded>(json)?.bytes;
            }
        }
        Ok(())
    }
}

impl Experience for History {
    fn lately(&self, task: &str) -> Option<Lately> {
        self.lately_named(task)
    }

    fn startup(&self, place: &str) -> Option<Duration> {
        self.waits.usual(place)
    }

    fn bytes(&self, task: &str) -> Option<u64> {
        self.tasks.get(task)?.bytes
    }

    fn begun(&self, wording: &Wording<'_>, stage: &str) -> Option<String> {
        self.undone.place(wording, stage).cloned()
    }
}

/// What attempts of one stage used, each by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Used {
    attempts: u32,
    cpu: f64,
    /// The most bytes of memory that one of them was seen to hold.
    pub memory: u64,
}

impl Used {
    /// CPUs that one of them kept busy, on average.
    pub fn cpu(&self) -> f64 {
        self.cpu / f64::from(self.attempts.max(1))
    }

    fn add(&mut self, usage: &Usage) {
        self.attempts += 1;
        self.cpu += usage.cpu_mean;
        self.memory = self.memory.max(usage.memory_peak);
    }
}

fn stage_of(task: &str) -> &str {
    task.split('[').next().unwrap_or(task)
}

fn all_of(history: &mut History, connection: &Connection, run: &RunId) -> Result<(), JournalError> {
    let mut select = connection.prepare_cached(&format!("{SELECT} order by seq"))?;
    history.take(run, select.query(params![run.0])?)
}

/// The newest runs of a pipeline, or the newest before one of them, newest first. Specs that lie in one folder share a journal.
fn runs_of(
    connection: &Connection,
    pipeline: &str,
    before: Option<&RunId>,
) -> Result<Vec<(RunId, Begun)>, JournalError> {
    let mut select = connection.prepare(
        "select runs.run, json, (select max(seq) from events where events.run = runs.run)
         from runs join events on events.run = runs.run and seq = 1 order by started desc, runs.run desc limit ?1",
    )?;
    let mut rows = select.query(params![RUNS])?;
    let (mut found, mut events, mut awaited) = (Vec::new(), 0, before);
    while let Some(row) = rows.next()? {
        if let Some(run) = awaited {
            awaited = (row.get::<_, String>(0)? != run.0).then_some(run);
            continue;
        }
        let begun: Begun = serde_json::from_str(row.get_ref(1)?.as_str().unwrap_or_default())?;
        if begun.pipeline != pipeline {
            continue;
        }
        events += usize::try_from(row.get::<_, i64>(2)?).unwrap_or(0);
        if found.len() == OWN_RUNS || (events > ROWS && !found.is_empty()) {
            break;
        }
        found.push((RunId(row.get(0)?), begun));
    }
    Ok(found)
}

// The few fields of events that are needed here: reading whole events costs several times as much.

#[derive(Deserialize)]
struct Begun {
    #[serde(default)]
    pipeline: String,
    #[serde(default)]
    spec_digest: String,
    #[serde(default)]
    params: Map<String, Json>,
    asked: Option<AskedFor>,
}

#[derive(Deserialize)]
struct AskedFor {
    profile: Option<String>,
}

#[derive(Deserialize)]
struct HandedOver {
    attempt: Option<AttemptId>,
    #[serde(default)]
    backend: String,
}

#[derive(Deserialize)]
struct Started {
    fingerprint: Fingerprint,
    attempt: Option<AttemptId>,
    reason: String,
    #[serde(default)]
    backend: String,
}

#[derive(Deserialize)]
struct Ended {
    failure: Option<serde::de::IgnoredAny>,
    items: ItemCount,
    #[serde(default)]
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Succeeded {
    bytes: Option<u64>,
}

#[derive(Deserialize)]
struct Finished {
    #[serde(default)]
    failed: u64,
    #[serde(default)]
    cancelled: u64,
}

#[derive(Deserialize)]
struct Failed {
    failure: Failure,
}
