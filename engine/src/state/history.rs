//! The journal of earlier runs -> what they tell of a pipeline's tasks: how long each took, how its newest attempt
//! ended, and why it was made. Read for estimates and explanations, and for where a plan puts what is left to it.

mod lately;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::ItemCount;
    use crate::event::{Body, Counts, RunEvent, VERSION};
    use crate::state::Journal;
    use serde_json::json;

    fn started(reason: &str) -> Body {
        let fingerprint = Fingerprint(reason.to_owned());
        Body::AttemptStarted { fingerprint, number: 1, backend: "local".into(), reason: reason.into() }
    }

    fn submitting(backend: &str) -> Body {
        let (fingerprint, reason) = (Fingerprint("f".into()), "new".to_owned());
        Body::AttemptSubmitting { fingerprint, number: 1, backend: backend.into(), reason, page: None, terms: None }
    }

    fn finished(failed: u64) -> Body {
        Body::RunFinished { counts: Counts { succeeded: 1, failed, ..Counts::default() } }
    }

    fn ended(reused: u64) -> Body {
        Body::AttemptEnded {
            failure: None,
            items: ItemCount { made: 1, reused, failed: 0 },
            usage: None,
            is_open: false,
        }
    }

    fn ended_without_items() -> Body {
        Body::AttemptEnded { failure: None, items: ItemCount::default(), usage: None, is_open: false }
    }

    fn succeeded() -> Body {
        let fingerprint = Fingerprint("f".into());
        Body::TaskSucceeded { fingerprint, digest: "d".into(), files: 1, bytes: 1, result: serde_json::Value::Null }
    }

    /// The second in which something happened, the task, and what.
    type Happened<'a> = (u64, &'a str, Body);

    /// A run: its name, its pipeline, and what happened.
    type Run<'a> = (&'a str, &'a str, &'a [Happened<'a>]);

    /// The history of `p` in a journal of runs.
    fn history(runs: &[Run<'_>]) -> History {
        let folder = tempfile::tempdir().unwrap();
        History::read(&journal(folder.path(), runs), "p").unwrap()
    }

    fn journal(folder: &Path, runs: &[Run<'_>]) -> std::path::PathBuf {
        let path = folder.join("journal.db");
        let journal = Journal::open(&path).unwrap();
        for (run, pipeline, events) in runs {
            let begun = Body::RunStarted {
                pipeline: (*pipeline).into(),
                spec: "s".into(),
                spec_digest: String::new(),
                params: Map::new(),
                tasks: 1,
                revision: None,
                slot: None,
                asked: None,
                site: None,
            };
            let event = |seq: u64, time: u64, task: Option<String>, body: Body| RunEvent {
                v: VERSION,
                seq: Some(seq),
                time: Timestamp(time),
                run: RunId((*run).into()),
                task,
                attempt: Some(AttemptId(format!("{run}-1"))),
                body,
            };
            let first = events.first().map_or(0, |(second, ..)| *second);
            journal.append(vec![event(1, first * 1000, None, begun)]);
            for (i, (second, task, body)) in events.iter().enumerate() {
                journal.append(vec![event(2 + i as u64, second * 1000, Some((*task).into()), body.clone())]);
            }
        }
        futures::executor::block_on(journal.flush()).unwrap();
        path
    }

    fn task(name: &str, x: u64) -> TaskId {
        TaskId { stage: name.into(), cell: [("x", serde_json::json!(x))].into_iter().collect() }
    }

    #[test]
    fn a_task_takes_as_long_as_last_time_and_a_new_one_as_its_stage_does() {
        let events = [
            (0, "cut[x=1]", started("new")),
            (2, "cut[x=1]", ended(0)),
            (2, "cut[x=1]", succeeded()),
            (2, "cut[x=2]", started("new")),
            (6, "cut[x=2]", ended(0)),
            (6, "cut[x=2]", succeeded()),
        ];
        let history = history(&[("r1", "p", &events)]);
        let seconds = |task: &TaskId| history.usual(task).map(|took| took.as_secs());
        assert_eq!([seconds(&task("cut", 1)), seconds(&task("cut", 2))], [Some(2), Some(4)]);
        assert_eq!((seconds(&task("cut", 9)), seconds(&task("paste", 1))), (Some(3), None));
    }

    #[test]
    fn an_attempt_that_found_items_finished_tells_little_of_the_next() {
        let whole = [(0, "cut[x=1]", started("new")), (9, "cut[x=1]", ended(0)), (9, "cut[x=1]", succeeded())];
        let part = [(20, "cut[x=1]", started("one")), (21, "cut[x=1]", ended(8)), (21, "cut[x=1]", succeeded())];
        let history = history(&[("r1", "p", &whole), ("r2", "p", &part)]);
        assert_eq!(history.usual(&task("cut", 1)), Some(Duration::from_secs(9)));
        assert_eq!(history.newest(&task("cut", 1)).unwrap().reason, "one");
    }

    #[test]
    fn the_median_of_the_last_five_attempts_tells_how_long_the_next_takes() {
        let one = |begins: u64, took: u64| {
            [(begins, "a[x=1]", started("new")), (begins + took, "a[x=1]", ended_without_items())]
        };
        // The first of six is forgotten: 2, 4, 6, 8 and 30 are left.
        let six = [100, 8, 2, 30, 4, 6].into_iter().enumerate();
        let events: Vec<Happened<'_>> = six.flat_map(|(nth, took)| one(nth as u64 * 1000, took)).collect();
        let history = history(&[("r1", "p", &events)]);
        let seconds = |lately: Lately| [lately.median, lately.shortest, lately.longest].map(|time| time.as_secs());
        let lately = history.lately(&task("a", 1)).unwrap();
        assert_eq!((seconds(lately), lately.attempts), ([6, 2, 30], 5));
        assert_eq!(history.lately(&task("a", 9)), Some(lately), "a new task is taken for one of its stage");
        assert_eq!(history.lately(&task("b", 1)), None);
    }

    #[test]
    fn what_was_known_when_a_run_began_is_what_the_runs_before_it_tell() {
        let took = |seconds| [(0, "a[x=1]", started("new")), (seconds, "a[x=1]", ended_without_items())];
        let (first, second, third) = (took(10), took(20), took(90));
        let folder = tempfile::tempdir().unwrap();
        let runs: &[Run<'_>] = &[("r1", "p", &first), ("r2", "p", &second), ("r3", "p", &third)];
        let path = journal(folder.path(), runs);
        let longest = |run: &str| {
            let history = History::before(&path, "p", &RunId(run.to_owned())).unwrap();
            history.lately_named("a[x=1]").map(|lately| lately.longest.as_secs())
        };
        assert_eq!(["r1", "r2", "r3", "nobody's"].map(longest), [None, Some(10), Some(20), None]);
    }

    #[test]
    fn how_long_a_place_takes_to_begin_is_the_median_of_what_the_newest_attempts_waited() {
        let waited = |seconds| [(0, "a[x=1]", submitting("jobs")), (seconds, "a[x=1]", started("new"))];
        let runs = [100, 40, 60, 20, 50, 30].map(waited);
        let names = ["r1", "r2", "r3", "r4", "r5", "r6"];
        let mut all: Vec<Run<'_>> = names.iter().zip(&runs).map(|(name, events)| (*name, "p", &events[..])).collect();
        // Taken up again: its job has begun meanwhile.
        let again =
            [(0, "a[x=1]", submitting("jobs")), (500, "a[x=1]", submitting("jobs")), (501, "a[x=1]", started("new"))];
        all.push(("r7", "p", &again));
        let history = history(&all);
        // The first is forgotten: 20, 30, 40, 50 and 60 are left.
        assert_eq!(history.startup("jobs"), Some(Duration::from_secs(40)));
        assert_eq!(history.startup("gpus"), None);
    }

    #[test]
    fn what_a_run_has_begun_and_left_undone_is_known_until_a_run_of_the_same_wording_has_done_it() {
        fn wording(params: &Map<String, Json>) -> Wording<'_> {
            Wording { digest: "", profile: None, params }
        }
        let (none, some) = (Map::new(), json!({ "n": 1 }).as_object().unwrap().clone());
        let begun = [(0, "a[x=1]", submitting("jobs"))];
        let ended = |failed| [(20, "a[x=1]", started("new")), (30, "", finished(failed))];
        let place = |runs: &[Run<'_>], params: &Map<String, Json>| history(runs).begun(&wording(params), "a");
        let first: Run<'_> = ("r1", "p", &begun);
        assert_eq!(place(&[first], &none), Some("jobs".to_owned()));
        assert_eq!(place(&[first], &some), None, "it was given other parameters");
        assert_eq!(history(&[first]).begun(&wording(&none), "b"), None);
        assert_eq!(place(&[first, ("r2", "p", &ended(1))], &none), Some("local".to_owned()), "where it was last");
        assert_eq!(place(&[first, ("r2", "p", &ended(0))], &none), None);
    }

    #[test]
    fn attempts_that_made_a_part_of_their_items_are_taken_for_all_of_them() {
        // 4 items in 8 s; then 1 of 5 in 3 s, which are 15 s for five and make the first 10; then none, which tells nothing.
        let items = |made, reused| Body::AttemptEnded {
            failure: None,
            items: ItemCount { made, reused, failed: 0 },
            usage: None,
            is_open: false,
        };
        let events = [
            (0, "cut[x=1]", started("new")),
            (8, "cut[x=1]", items(4, 0)),
            (20, "cut[x=1]", started("one")),
            (23, "cut[x=1]", items(1, 4)),
            (30, "cut[x=1]", started("none")),
            (31, "cut[x=1]", items(0, 5)),
        ];
        let history = history(&[("r1", "p", &events)]);
        let lately = history.lately(&task("cut", 1)).unwrap();
        assert_eq!((lately.shortest.as_secs(), lately.longest.as_secs(), lately.attempts), (10, 15, 2));
        assert_eq!(lately.median, Duration::from_millis(12_500));
    }

    #[test]
    fn of_a_stage_the_largest_memory_counts_and_of_cpus_the_mean_of_its_tasks() {
        let used = |cpu_mean, memory_peak| {
            let usage = json!({ "cpu_mean": cpu_mean, "cpu_peak": 2.0, "memory_mean": 1, "memory_peak": memory_peak, "read": 0, "written": 0 });
            let usage = serde_json::from_value(usage).unwrap();
            let items = ItemCount { made: 1, reused: 0, failed: 0 };
            Body::AttemptEnded { failure: None, items, usage: Some(usage), is_open: false }
        };
        let events = [
            (0, "cut[x=1]", started("new")),
            (2, "cut[x=1]", used(0.5, 300)),
            (2, "cut[x=2]", started("new")),
            (6, "cut[x=2]", used(1.5, 200)),
            (6, "paste", started("new")),
            (7, "paste", ended(0)),
        ];
        let history = history(&[("r1", "p", &events)]);
        let used = history.used();
        assert_eq!(used.keys().collect::<Vec<_>>(), [&"cut"]);
        assert_eq!((used["cut"].cpu(), used["cut"].memory), (1.0, 300));
    }

    #[test]
    fn the_newest_attempt_tells_how_it_ended() {
        let failure = Failure::failed("exit_7", "ended with exit code 7");
        let failed = [(0, "a[x=1]", started("new")), (1, "a[x=1]", Body::TaskFailed { failure: failure.clone() })];
        let died = [(5, "a[x=2]", started("new"))];
        let other = [(9, "a[x=1]", started("of another pipeline"))];
        let history = history(&[("r1", "p", &failed), ("r2", "p", &died), ("r3", "q", &other)]);
        assert_eq!(history.newest(&task("a", 1)).unwrap().ending, Ending::Failed(failure));
        assert_eq!(history.newest(&task("a", 2)).unwrap().ending, Ending::CutShort);
        assert_eq!(history.newest(&task("a", 3)), None);
    }

    #[test]
    fn a_journal_that_is_not_there_tells_nothing() {
        let history = History::read(Path::new("/nowhere/journal.db"), "p").unwrap();
        assert_eq!(history.usual(&task("a", 1)), None);
    }
}
