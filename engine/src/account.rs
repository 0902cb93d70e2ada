//! A run's events, with what lies in its state folder and its store -> the account of it: everything that a page about the
//! run shows, as data. Reads only, waits for nobody, and does without whatever is gone by now.

mod logs;
mod pictures;
mod reckoning;
mod results;

pub use logs::LogTail;
pub use pictures::{Picture, media_type};
pub use reckoning::Reckoning;
pub use results::{Kept, Laid, Settings};

use crate::event::RunEvent;
use crate::plan::Plan;
use crate::report::{RunView, Timeline};
use crate::state::{History, StateFolder};
use crate::store::Folder;
use crate::worker::read_attempt;
use crate::world::Timestamp;
use indexmap::IndexMap;
use results::Looking;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::HashMap;
use std::path::PathBuf;

/// The version of the format.
pub const VERSION: u32 = 1;

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It goes on.
    Running,
    /// It was cut short: its engine died.
    Died,
    /// A limit stopped it.
    Stopped,
    /// Somebody asked it to stop.
    Interrupted,
    /// Tasks failed.
    Failed,
    /// All that was asked for is there.
    Done,
}

/// The account of one run: `pipe report --json`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Account {
    /// The format's version.
    pub version: u32,
    /// How it stands.
    pub state: State,
    /// The exit code of `pipe run`; absent while it goes on, and where its engine died.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit: Option<u8>,
    /// When the account was put together.
    pub written: Timestamp,
    /// The run as its journal tells it.
    pub run: RunView,
    /// What ran when, and what waited for what.
    pub timeline: Timeline,
    /// Whether it is known what its tasks needed of each other: the spec is the one that it was.
    pub knows_needs: bool,
    /// The way to the end, first to last: the task that ended last, before it the input it got last, and so on as far as
    /// these ran; empty where it is not known what needs what.
    pub chain: Vec<String>,
    /// Of each stage of which tasks ran what they took and cost, and what was expected before.
    pub reckoning: IndexMap<String, Reckoning>,
    /// Of each stage what decides its results, by the first of its tasks of which that is still known.
    pub settings: IndexMap<String, Settings>,
    /// The last lines of tasks that failed, or were running when their engine died; of the first hundred of these.
    pub logs: IndexMap<String, LogTail>,
    /// Where the results are that its tasks made or found.
    pub results: IndexMap<String, Laid>,
    /// The pictures for people that these results hold: the ones this run made first.
    pub pictures: Vec<Picture>,
}

/// Where an account is put together from.
pub struct Sources<'a> {
    /// The state folder of the run.
    pub state: &'a StateFolder,
    /// The store, as the spec names it now; where that cannot be told, the run's own attempts know where it was.
    pub store: Option<PathBuf>,
    /// The plan of the run, where it is known what that was.
    pub plan: Option<&'a Plan>,
}

impl Account {
    /// Puts the account of a run together. `exit` is the exit code of a run that ended.
    pub fn of(events: &[RunEvent], state: State, exit: Option<u8>, sources: &Sources<'_>, now: Timestamp) -> Self {
        let run = RunView::of(events);
        let timeline = match sources.plan {
            Some(plan) => Timeline::of(events, &needs(plan)),
            None => Timeline::of(events, &|_| None),
        };
        let chain = timeline.chain().into_iter().map(str::to_owned).collect();
        let logs = logs::of(&run, state == State::Died, sources.state);
        let store = store(&run, sources).map(Folder::for_looking);
        let reckoning = reckoning::of(&run, &known_before(&run, sources.state), sources.plan);
        let looking = Looking::into(&run, sources.state, store.as_ref());
        let found = looking.found();
        let pictures = pictures::of(&run, &found, store.as_ref());
        let settings = looking.settings(&found);
        let results = found.into_iter().map(|(task, found)| (task, found.laid)).collect();
        Self {
            version: VERSION,
            state,
            exit,
            written: now,
            run,
            timeline,
            knows_needs: sources.plan.is_some(),
            chain,
            reckoning,
            settings,
            logs,
            results,
            pictures,
        }
    }
}

/// What earlier runs told when the run began.
fn known_before(run: &RunView, state: &StateFolder) -> History {
    let read = run.run.as_ref().map(|name| History::before(&state.journal(), &run.pipeline, name));
    let read = read.transpose().inspect_err(|error| tracing::debug!(%error, "earlier runs cannot be read"));
    read.ok().flatten().unwrap_or_default()
}

/// The tasks whose results a task of a plan takes, by their names; `None` for what is no task of it.
pub fn needs(plan: &Plan) -> impl Fn(&str) -> Option<Vec<String>> {
    let places: HashMap<String, usize> =
        plan.tasks().enumerate().map(|(place, task)| (task.id.to_string(), place)).collect();
    move |task| {
        let tasks = plan.task(*places.get(task)?).inputs.iter().flat_map(|input| input.tasks.iter());
        Some(tasks.map(|task| plan.task(task.index()).id.to_string()).collect())
    }
}

/// Where attempts of the run wrote: they know where the store was then, and the spec where it is now.
fn store(run: &RunView, sources: &Sources<'_>) -> Option<PathBuf> {
    let attempts = run.tasks.values().flat_map(|task| &task.attempts).filter_map(|attempt| attempt.id.as_ref());
    let told = attempts.filter_map(|id| read_attempt(&sources.state.attempt(id)).ok()).map(|attempt| attempt.store);
    told.take(1).chain(sources.store.clone()).find_map(|store| store.canonicalize().ok())
}
