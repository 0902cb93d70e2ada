//! A folder with a spec, a store and a state, and a stage kind that runs shell scripts: what a whole run needs.

use super::provider::{Far, Note};
use super::service::{Ask, Temple};
use pipe_engine::backend::{Backend, Backends};
use pipe_engine::event::{Body, Counts, RunEvent, Skip};
use pipe_engine::failure::Failure;
use pipe_engine::ids::RunId;
use pipe_engine::local::{Local, OomKills, clear_away};
use pipe_engine::lookup::Finder;
use pipe_engine::plan::{self, NoExperience, Plan, Request, Rows, Selection};
use pipe_engine::run::{Beside, Finished, Replan, Setup, run};
use pipe_engine::scheduler::{Limits, Stop};
use pipe_engine::spec::{self, Disk, Read, SpecSchema};
use pipe_engine::stage::{
    ClassRule, ConfigProblem, InputFile, Launch, ProjectFile, Registry, Results, StageKind, read_config,
};
use pipe_engine::state::{Hints, Journal, JournalError, Lock, OpenJob, StateFolder, read_only};
use pipe_engine::store::Folder;
use pipe_engine::text::{Diagnostic, SourceText};
use pipe_engine::work::Work;
use pipe_engine::world::World;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::Value as Json;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// No run in these tests takes longer, unless it hangs.
const LONGEST: Duration = Duration::from_secs(120);

/// The script of a stage that is done by the worker, as a built-in one is.
pub(super) const BY_WORKER: &str = "(by the worker)";

/// A shell script with inputs, files and outputs.
struct Script;

#[derive(Deserialize, JsonSchema)]
struct ScriptConfig {
    script: String,
    #[serde(default)]
    #[expect(dead_code, reason = "the plan finds inputs by their mark")]
    from: Vec<Results>,
    #[serde(default)]
    #[expect(dead_code, reason = "the plan finds inputs by their mark")]
    inputs: BTreeMap<String, ScriptInput>,
    #[serde(default)]
    #[expect(dead_code, reason = "the plan finds files by their mark")]
    files: Vec<ProjectFile>,
    #[serde(default)]
    #[expect(dead_code, reason = "the plan finds files by their mark")]
    data: Vec<InputFile>,
    #[serde(default)]
    outputs: Vec<String>,
    #[serde(default)]
    classes: Vec<ClassRule>,
    #[serde(default)]
    checkpoints: bool,
}

/// Results of a stage, or of all of its cells.
#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "the plan finds inputs by their mark")]
struct ScriptInput {
    stage: Results,
    #[serde(default)]
    all: bool,
}

impl StageKind for Script {
    fn name(&self) -> &'static str {
        "script"
    }
    fn code(&self) -> String {
        "1".to_owned()
    }
    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        ScriptConfig::json_schema(generator)
    }
    fn check(&self, config: &Json) -> Result<(), ConfigProblem> {
        read_config::<ScriptConfig>(config).map(drop)
    }
    fn aside(&self) -> &'static [&'static str] {
        &["classes", "checkpoints"]
    }
    fn rows(&self) -> &'static [&'static str] {
        &["rows.json"]
    }
    fn launch(&self, config: &Json) -> Launch {
        let config: ScriptConfig = read_config(config).expect("checked when the plan was made");
        if config.script == BY_WORKER {
            return Launch::Worker;
        }
        let argv = vec!["sh".to_owned(), "-c".to_owned(), config.script];
        let ScriptConfig { outputs, classes, checkpoints, .. } = config;
        Launch::Program { argv, outputs, classes, checkpoints }
    }
    fn run(&self, _: &Work<'_>) -> Result<Json, Failure> {
        Err(Failure::failed("no_worker", "a script needs no worker"))
    }
}

pub(super) struct Project {
    root: PathBuf,
    places: HashMap<String, Arc<dyn Backend>>,
    _folder: Option<TempDir>,
    /// Whether lines that programs write are kept among the events.
    keeps_lines: bool,
}

/// What is known of a run that ended.
pub(super) struct Ran {
    pub(super) counts: Counts,
    pub(super) events: Vec<RunEvent>,
    run: RunId,
    pub(super) state: StateFolder,
}

impl Project {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let project = Self::at(&folder.path().join("project"));
        Self { _folder: Some(folder), ..project }
    }

    /// A project in a folder that somebody else looks after.
    pub(super) fn at(root: &Path) -> Self {
        fs::create_dir_all(root.join("spec")).unwrap();
        Self { root: root.to_owned(), places: HashMap::new(), _folder: None, keeps_lines: true }
    }

    /// One that forgets what programs write, as somebody does who listens to a flood.
    pub(super) fn forgetful() -> Self {
        Self { keeps_lines: false, ..Self::new() }
    }

    /// The project with a place elsewhere to run at.
    pub(super) fn with_place(mut self, name: &str, place: Arc<dyn Backend>) -> Self {
        self.places.insert(name.to_owned(), place);
        self
    }

    pub(super) fn path(&self, inside: &str) -> PathBuf {
        self.root.join(inside)
    }

    /// Workers are this script from now on, and not `pipe`.
    pub(super) fn worker(&self, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.write("worker", &format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(super) fn write(&self, inside: &str, text: &str) -> PathBuf {
        let path = self.path(inside);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    pub(super) fn run(&self, stages: &str) -> Ran {
        self.run_in(".pipe", stages, |_| None)
    }

    /// Runs with a state folder of its own; `cancel` sees every event and may ask the run to stop.
    pub(super) fn run_in(
        &self,
        state: &str,
        stages: &str,
        cancel: impl Fn(&RunEvent) -> Option<Stop> + Send + Sync + 'static,
    ) -> Ran {
        self.run_part(state, stages, Selection::default(), cancel)
    }

    /// Runs what is asked for alone.
    pub(super) fn run_only(&self, state: &str, stages: &str, only: &str) -> Ran {
        let only = Selection { only: vec![only.to_owned()], ..Selection::default() };
        self.run_part(state, stages, only, |_| None)
    }

    /// Begins a run whose engine dies as soon as it has said this, without another step.
    pub(super) fn die_at(&self, state: &str, stages: &str, at: impl Fn(&Body) -> bool + Send + Sync + 'static) {
        let state = StateFolder::at(self.path(state));
        let _held = Lock::take(state.root(), true).unwrap();
        let (die, death) = unbounded_channel();
        let listener = move |event: &RunEvent| {
            if at(&event.body) {
                let _ = die.send(());
            }
        };
        let setup = self.setup(self.replan(stages), Selection::default(), &state, journal(&state), Arc::new(listener));
        let (_stop, stopped) = unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut death: UnboundedReceiver<()> = death;
            tokio::select! {
                biased;
                told = tokio::time::timeout(LONGEST, death.recv()) => assert!(told.is_ok(), "it never comes to that"),
                _ = run(setup, stopped) => panic!("the run ended before its engine died"),
            }
        });
        runtime.shutdown_background();
    }

    fn replan(&self, stages: &str) -> Replan {
        let (text, base) = (stages.to_owned(), self.path("spec"));
        Arc::new(move |rows: &Rows| {
            planned(&base, &text, rows).map_err(|problems| {
                let told: Vec<String> = problems.into_iter().map(|problem| problem.message).collect();
                Failure::failed("bad_rows", told.join("\n"))
            })
        })
    }

    fn run_part(
        &self,
        state: &str,
        stages: &str,
        selection: Selection,
        cancel: impl Fn(&RunEvent) -> Option<Stop> + Send + Sync + 'static,
    ) -> Ran {
        let state = StateFolder::at(self.path(state));
        let (finished, events) = self.run_all(&state, journal, stages, selection, cancel);
        let finished = finished.expect("the journal works");
        Ran { counts: finished.counts, events, run: finished.run, state }
    }

    /// Runs with a journal that need not work.
    pub(super) fn run_with(
        &self,
        state: &StateFolder,
        journal: impl FnOnce(&StateFolder) -> Journal,
        stages: &str,
        cancel: impl Fn(&RunEvent) -> Option<Stop> + Send + Sync + 'static,
    ) -> (Result<Finished, JournalError>, Vec<RunEvent>) {
        self.run_all(state, journal, stages, Selection::default(), cancel)
    }

    fn run_all(
        &self,
        state: &StateFolder,
        journal: impl FnOnce(&StateFolder) -> Journal,
        stages: &str,
        selection: Selection,
        cancel: impl Fn(&RunEvent) -> Option<Stop> + Send + Sync + 'static,
    ) -> (Result<Finished, JournalError>, Vec<RunEvent>) {
        // A child that another test starts holds all open files for an instant, this lock among them.
        let _held = Lock::take(state.root(), true).unwrap();
        let (stop, stopped) = unbounded_channel();
        let events = Arc::new(Mutex::new(Vec::new()));
        let heard = events.clone();
        let keeps_lines = self.keeps_lines;
        let listener = move |event: &RunEvent| {
            if keeps_lines || !matches!(event.body, Body::Log { .. }) {
                heard.lock().unwrap().push(event.clone());
            }
            if let Some(how) = cancel(event) {
                let _ = stop.send(how);
            }
        };
        let setup = self.setup(self.replan(stages), selection, state, journal(state), Arc::new(listener));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let finished = runtime.block_on(async { tokio::time::timeout(LONGEST, run(setup, stopped)).await });
        let events = events.lock().unwrap().clone();
        (finished.expect("the run hangs"), events)
    }

    fn setup(
        &self,
        replan: Replan,
        selection: Selection,
        state: &StateFolder,
        journal: Journal,
        listener: Arc<dyn Fn(&RunEvent) + Send + Sync>,
    ) -> Setup {
        let mut plan = replan(&Rows::new()).unwrap();
        plan.select(selection).unwrap();
        let plan = Arc::new(plan);
        let store = Arc::new(Folder::open(&plan.store).unwrap());
        clear_away(state, &store);
        let world = World::real();
        let hints = Hints::load(&state.hints());
        Setup {
            finder: Arc::new(Finder::new(plan.clone(), store.clone(), hints, world.clone())),
            plan,
            replan,
            spec: "spec.toml".to_owned(),
            revision: None,
            slot: None,
            asked: None,
            site: None,
            world,
            journal,
            local: Local {
                store,
                state: state.clone(),
                worker: self.path("worker"),
                oom_kills: OomKills::counted_in(&self.path("oom")),
                grace: Duration::from_millis(300),
            },
            shared: None,
            limits: Limits { cpu: 4, memory: 8 << 30, disk: 1 << 40, gpus: 0 },
            gpus: Vec::new(),
            elsewhere: self.places.clone(),
            left: OpenJob::all(&state.journal()).unwrap(),
            fail_fast: false,
            beside: Beside::default(),
            listener,
        }
    }

    pub(super) fn plan(&self, stages: &str) -> Plan {
        planned(&self.path("spec"), stages, &Rows::new()).unwrap_or_else(|problems| panic!("{problems:?}"))
    }

    /// What is wrong with these stages.
    pub(super) fn wrong(&self, stages: &str) -> Vec<Diagnostic> {
        planned(&self.path("spec"), stages, &Rows::new()).err().unwrap_or_default()
    }

    /// Every file of the store's `data/`, sorted, with its text.
    pub(super) fn data(&self) -> Vec<(String, String)> {
        let root = self.path("spec/out/data");
        let mut files = Vec::new();
        walk(&root, &mut files);
        files.sort();
        let text = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        files.iter().map(|path| (path.strip_prefix(&root).unwrap().display().to_string(), text(path))).collect()
    }

    pub(super) fn texts(&self) -> Vec<String> {
        self.data().into_iter().map(|(_, text)| text).collect()
    }

    /// The files below `spec/out/<folder>`.
    pub(super) fn store(&self, folder: &str) -> Vec<PathBuf> {
        let mut files = Vec::new();
        walk(&self.path("spec/out").join(folder), &mut files);
        files.sort();
        files
    }
}

fn journal(state: &StateFolder) -> Journal {
    Journal::open(&state.journal()).unwrap()
}

/// The plan of these stages with the rows that are known, or what is wrong with them.
fn planned(base: &Path, stages: &str, rows: &Rows) -> Result<Plan, Vec<Diagnostic>> {
    let kinds = Registry::default().with(Script).with(Note).with(Ask);
    let backends = Backends::default().with(Far).with(Temple);
    let schema = SpecSchema::of(&kinds, &backends);
    let text = format!("version = 1\nname = \"toy\"\n{stages}");
    let Read { spec, sources, problems } = spec::read(SourceText::new("spec.toml", text), &schema);
    let spec = spec.ok_or(problems)?;
    let request = Request {
        spec: &spec,
        sources: &sources,
        base,
        texts: &Disk,
        kinds: &kinds,
        backends: &backends,
        schema: &schema,
        schemes: &[],
        part: None,
        offline: false,
        rows,
        experience: &NoExperience,
    };
    let (plan, problems) = plan::build(&request);
    plan.ok_or(problems)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for path in fs::read_dir(folder).into_iter().flatten().map(|e| e.unwrap().path()) {
        if fs::symlink_metadata(&path).unwrap().is_dir() { walk(&path, files) } else { files.push(path) }
    }
}

impl Ran {
    /// `[succeeded, cached, failed, skipped, cancelled]`.
    pub(super) fn ends(&self) -> [u64; 5] {
        let c = self.counts;
        [c.succeeded, c.cached, c.failed, c.skipped, c.cancelled]
    }

    /// The tasks that had an attempt, and why.
    pub(super) fn attempts(&self) -> Vec<(String, String)> {
        let started = self.events.iter().filter_map(|event| match &event.body {
            Body::AttemptStarted { reason, .. } => Some((event.task.clone()?, reason.clone())),
            _ => None,
        });
        started.collect()
    }

    /// The tasks and stages that were skipped, and what for.
    pub(super) fn skipped(&self) -> Vec<(String, String)> {
        let skipped = self.events.iter().filter_map(|event| match &event.body {
            Body::TaskSkipped { because, why: Skip::Other } => Some((event.task.clone()?, because.clone())),
            Body::TaskSkipped { why, .. } => Some((event.task.clone()?, format!("{why:?}"))),
            _ => None,
        });
        skipped.collect()
    }

    pub(super) fn failures(&self) -> Vec<Failure> {
        let failed = self.events.iter().filter_map(|event| match &event.body {
            Body::TaskFailed { failure } => Some(failure.clone()),
            _ => None,
        });
        failed.collect()
    }

    /// What the journal kept of it.
    pub(super) fn journaled(&self) -> Vec<RunEvent> {
        read_only::read(&self.state.journal(), &self.run, 0).unwrap()
    }

    /// Bytes of the first attempt's log that are no line ends.
    pub(super) fn log_size(&self) -> u64 {
        let id = self.events.iter().find_map(|event| event.attempt.as_ref()).unwrap();
        let mut log = fs::File::open(self.state.attempt(id).join("log")).unwrap();
        let (mut buffer, mut size) = (vec![0; 1 << 20], 0);
        while let Ok(n @ 1..) = log.read(&mut buffer) {
            size += buffer[..n].iter().filter(|byte| **byte != b'\n').count() as u64;
        }
        size
    }

    /// The logs of its attempts, in the order they began.
    pub(super) fn logs(&self) -> Vec<Vec<u8>> {
        let started = self.events.iter().filter(|e| matches!(e.body, Body::AttemptStarted { .. }));
        let ids = started.filter_map(|event| event.attempt.as_ref());
        ids.map(|id| fs::read(self.state.attempt(id).join("log")).unwrap_or_default()).collect()
    }
}
