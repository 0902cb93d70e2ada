//! A task whose inputs are known -> its key, and the result the store already has for it or the reason why not; a result
//! -> the rows it holds.

mod bucket;
mod rows;
mod shelf;
mod sources;

use crate::attempt::{Input, SourceFile};
use crate::failure::Failure;
use crate::ids::{Cell, Fingerprint, RunId};
use crate::key::{Fields, Key, KeyWriter, completed, reason};
use crate::manifest::{Artifact, Manifest};
use crate::plan::{Part, Plan, Row, Settings, Task, TaskInput, Told, When};
use crate::shared::{DAMAGED, Shared};
use crate::spec::template::Templates;
use crate::stage::Mark;
use crate::stamp::{Stamp, companion};
use crate::state::{Ending, Hints, History, JournalError, StateFolder};
use crate::store::lineage::Removed;
use crate::store::{Folder, Store};
use crate::world::World;
use bucket::InBucket;
use petgraph::graph::NodeIndex;
use serde_json::Value as Json;
use shelf::{InFolder, Shelf};
use sources::Sources;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// What the key says of an input without a result. No digest reads like this.
const NO_RESULT: &str = "(no result)";

/// Of so many tasks it is cheaper to ask the journal for them than to read all of it.
const FEW: usize = 100;

/// What is known of a task once its inputs are.
#[derive(Clone, Debug)]
pub struct Looked {
    /// Its key.
    pub key: Key,
    /// Its files outside the store, hashed.
    pub files: BTreeMap<String, SourceFile>,
    /// The result, or the reason why there is none.
    pub found: Result<Arc<Artifact>, String>,
}

/// Files, and what lay there.
pub type Stood = Vec<(PathBuf, Option<Stamp>)>;

/// As [`Looked`], without what only somebody who asks about this very task wants to know: a plan of a hundred thousand
/// tasks holds as many of these.
#[derive(Clone, Debug)]
pub struct Glance {
    /// The fingerprint of its key.
    pub fingerprint: Fingerprint,
    /// Whether there is a result.
    pub is_there: bool,
}

/// Looks tasks up. Shared by the threads that do.
#[derive(Clone)]
pub struct Finder {
    plan: Arc<Plan>,
    shelf: Arc<dyn Shelf>,
    hints: Arc<Mutex<Hints>>,
    sources: Sources,
    templates: Arc<Templates>,
    journal: Option<PathBuf>,
    history: Arc<OnceLock<History>>,
    /// The same of the plan's tasks alone.
    past: OnceLock<Arc<History>>,
    /// The run that looks things up, once it has begun.
    run: OnceLock<RunId>,
    /// The files that went into keys, by the places of their tasks in the plan.
    stood: Arc<Mutex<HashMap<usize, Option<Stood>>>>,
    /// Results that are given from outside, whatever their keys are, by the places of their tasks in the plan.
    given: Arc<BTreeMap<usize, Arc<Artifact>>>,
}

impl Finder {
    /// A finder for the tasks of `plan` in `store`. Results that cannot be trusted are put aside.
    pub fn new(plan: Arc<Plan>, store: Arc<Folder>, hints: Hints, world: World) -> Self {
        let hints = Arc::new(Mutex::new(hints));
        let shelf = InFolder { store, hints: hints.clone(), repairs: true, is_empty: false, remembers: true };
        let sources = Sources::of(world, plan.remotes.clone());
        Self::with(plan, Arc::new(shelf), hints, sources)
    }

    /// A finder for a moment in which nothing runs. It leaves the store as it is: results that cannot be trusted count
    /// as absent and stay in place. A file that many tasks name is looked at once.
    pub fn for_looking(plan: Arc<Plan>, store: Arc<Folder>, hints: Hints, world: World) -> Self {
        let remembers = hints.are_kept();
        let hints = Arc::new(Mutex::new(hints));
        let is_empty = !store.path("results").exists();
        let shelf = InFolder { store, hints: hints.clone(), repairs: false, is_empty, remembers };
        let sources = Sources::of(world, plan.remotes.clone()).looked_at_once();
        Self::with(plan, Arc::new(shelf), hints, sources)
    }

    /// As [`Finder::for_looking`], in a bucket, which is listed once. `name` tells it from all other stores.
    pub fn in_bucket(plan: Arc<Plan>, (name, store): (&str, Arc<dyn Store>), hints: Hints, world: World) -> Self {
        let hints = Arc::new(Mutex::new(hints));
        let shelf = InBucket::new(name, store, hints.clone());
        let sources = Sources::of(world, plan.remotes.clone()).looked_at_once();
        Self::with(plan, Arc::new(shelf), hints, sources)
    }

    /// As [`Finder::new`], for a run whose results are shared through a bucket.
    pub fn of_shared(plan: Arc<Plan>, shared: &Arc<Shared>, hints: Hints, world: World) -> Self {
        let hints = Arc::new(Mutex::new(hints));
        let shelf = InBucket::of_run(shared, hints.clone());
        let sources = Sources::of(world, plan.remotes.clone());
        Self::with(plan, Arc::new(shelf), hints, sources)
    }

    /// Makes sure that the store answers, before it is asked for each of a hundred thousand tasks.
    ///
    /// # Errors
    /// When it does not.
    pub fn reach(&self) -> Result<(), Failure> {
        self.shelf.reach()
    }

    fn with(plan: Arc<Plan>, shelf: Arc<dyn Shelf>, hints: Arc<Mutex<Hints>>, sources: Sources) -> Self {
        Self {
            plan,
            shelf,
            hints,
            sources,
            templates: Arc::new(Templates::new()),
            journal: None,
            history: Arc::default(),
            past: OnceLock::new(),
            run: OnceLock::new(),
            stood: Arc::default(),
            given: Arc::default(),
        }
    }

    /// The same, with results of these tasks that are given from outside.
    #[must_use]
    pub fn giving(self, given: impl IntoIterator<Item = (usize, Artifact)>) -> Self {
        let given = given.into_iter().map(|(task, artifact)| (task, Arc::new(artifact)));
        Self { given: Arc::new(given.collect()), ..self }
    }

    /// The result of a task that is given from outside.
    pub fn given(&self, index: usize) -> Option<&Arc<Artifact>> {
        self.given.get(&index)
    }

    /// The same for the tasks of another plan. What either learns the other knows.
    #[must_use]
    pub fn for_plan(&self, plan: Arc<Plan>) -> Self {
        Self { plan, past: OnceLock::new(), ..self.clone() }
    }

    /// Also knows what the journal of this state folder tells of earlier attempts. It is read when it is first needed:
    /// never where there is nothing to do.
    #[must_use]
    pub fn with_history(self, state: &StateFolder) -> Self {
        Self { journal: Some(state.journal()), ..self }
    }

    /// From now on the keys of volatile tasks are those of this run.
    pub fn begin(&self, run: &RunId) {
        let _ = self.run.set(run.clone());
    }

    /// Whether a task is to run at all, as far as its `when` says. `result` gives the results of the tasks it needs, by
    /// their places in the plan.
    ///
    /// # Errors
    /// When its condition fails, or is neither true nor false.
    pub fn wanted<'a>(&self, index: usize, result: impl Fn(usize) -> Option<&'a Artifact>) -> Result<bool, Failure> {
        let task = self.plan.task(index);
        let condition = match &task.when {
            _ if self.given(index).is_some() => return Ok(true),
            When::Yes => return Ok(true),
            When::No => return Ok(false),
            When::Ask(condition) => condition,
        };
        let mut told = Told::default();
        for input in &task.inputs {
            let gathers = |need: &NodeIndex| input.gathers(&self.plan.graph[*need].id.cell, &task.id.cell);
            let gathers = input.tasks.is_empty() || input.tasks.iter().any(gathers);
            let results = input.tasks.iter().filter_map(|need| Some(result(need.index())?.result.clone()));
            told.add(&input.field, gathers, results);
        }
        condition.holds(&self.templates, &told.into()).map_err(|problem| {
            Failure::failed("bad_condition", "it cannot be told whether the task is to run")
                .on(condition.text.clone())
                .source(problem)
                .help("`inputs.NAME` is what that stage tells of its result: `pipe status --json` shows it")
        })
    }

    /// The rows in the result of a task.
    ///
    /// # Errors
    /// When its kind makes none, there is no file with rows, or it holds something else.
    pub fn rows(&self, index: usize, artifact: &Artifact) -> Result<Vec<Row>, Failure> {
        let task = self.plan.task(index);
        let rows = rows::read(self.shelf.as_ref(), self.plan.stages[task.stage].kind.rows(), artifact);
        if rows.as_ref().is_err_and(|failure| failure.code == DAMAGED) {
            self.shelf.distrust(&artifact.fingerprint)?;
        }
        rows
    }

    /// Looks a task up. `inputs` are its input artifacts, by field; of an input without a result there is none.
    ///
    /// # Errors
    /// When one of its files cannot be read, or the store cannot.
    pub fn look(&self, index: usize, inputs: &BTreeMap<String, Vec<Input>>) -> Result<Looked, Failure> {
        self.look_among_others(index, inputs, &|| {})
    }

    /// As [`Finder::look`]. `reading` is called before a file is read, which may take long: time to tell of others.
    ///
    /// # Errors
    /// As [`Finder::look`].
    pub fn look_among_others(
        &self,
        index: usize,
        inputs: &BTreeMap<String, Vec<Input>>,
        reading: &dyn Fn(),
    ) -> Result<Looked, Failure> {
        if let Some(given) = self.given(index) {
            let key = Key { fingerprint: given.fingerprint.clone(), fields: Fields::new() };
            return Ok(Looked { key, files: BTreeMap::new(), found: Ok(given.clone()) });
        }
        let task = self.plan.task(index);
        let files = self.files(task, reading)?;
        self.note(index, &files);
        let given = task.inputs.iter().flat_map(|input| {
            let mut artifacts = inputs.get(&input.field).into_iter().flatten().peekable();
            input.tasks.iter().map(move |need| {
                let cell = &self.plan.graph[*need].id.cell;
                // Those that are there are in cell order too.
                (input, cell, artifacts.next_if(|given| given.cell == *cell).map(|a| a.digest.as_str()))
            })
        });
        let key = self.key(task, given, &files).finish();
        let sought = self.sought(index, &key.fingerprint);
        let found = match &sought {
            Some(sought) => self.artifacts(&[sought])?.into_iter().next().flatten(),
            None => None,
        };
        if let Some(found) = &found {
            self.hints().remember_newest(&self.plan.name, &task.id, &found.fingerprint);
        }
        Ok(Looked { found: found.ok_or_else(|| self.why(index, &key)), key, files })
    }

    /// Looks a task up in passing. `result` gives the results of the tasks it needs, by their places in the plan.
    ///
    /// # Errors
    /// As [`Finder::look`].
    pub fn glance<'a>(&self, index: usize, result: impl Fn(usize) -> Option<&'a Artifact>) -> Result<Glance, Failure> {
        if let Some(given) = self.given(index) {
            return Ok(Glance { fingerprint: given.fingerprint.clone(), is_there: true });
        }
        let task = self.plan.task(index);
        let files = self.files(task, &|| {})?;
        let needs = task.inputs.iter().flat_map(|input| input.tasks.iter().map(move |need| (input, need.index())));
        let digest = |need| result(need).map(|artifact| artifact.digest.as_str());
        let given = needs.map(|(input, need)| (input, &self.plan.task(need).id.cell, digest(need)));
        let fingerprint = self.key(task, given, &files).fingerprint();
        let Some(sought) = self.sought(index, &fingerprint) else { return Ok(Glance { fingerprint, is_there: false }) };
        if !self.shelf.has(&sought)? {
            return Ok(Glance { fingerprint, is_there: false });
        }
        self.hints().remember_newest(&self.plan.name, &task.id, &sought);
        Ok(Glance { fingerprint: sought, is_there: true })
    }

    /// The results under these fingerprints, in their order; of one that is not there, nothing.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn artifacts(&self, fingerprints: &[&Fingerprint]) -> Result<Vec<Option<Arc<Artifact>>>, Failure> {
        let given = |wanted: &Fingerprint| self.given.values().find(|given| given.fingerprint == *wanted).cloned();
        let found = self.shelf.artifacts(fingerprints)?.into_iter().map(|found| found.map(Arc::new));
        Ok(found.zip(fingerprints).map(|(found, wanted)| found.or_else(|| given(wanted))).collect())
    }

    /// The key a task would have if the tasks it needs had results of these digests, whether or not there are any.
    ///
    /// # Errors
    /// When one of its files cannot be read.
    pub fn key_with(&self, index: usize, digest: impl Fn(&Task) -> String) -> Result<Key, Failure> {
        let task = self.plan.task(index);
        let files = self.files(task, &|| {})?;
        let needs = task.inputs.iter().flat_map(|input| input.tasks.iter().map(move |need| (input, need.index())));
        let given: Vec<(&TaskInput, &Cell, String)> = needs
            .map(|(input, need)| (input, self.plan.task(need)))
            .map(|(input, need)| (input, &need.id.cell, digest(need)))
            .collect();
        let given = given.iter().map(|(input, cell, digest)| (*input, *cell, Some(digest.as_str())));
        Ok(self.key(task, given, &files).finish())
    }

    /// Takes note of a result that was just published, so that the next run need not open it. One that is not whole, and
    /// will be looked for under another key, nothing can stand on.
    pub fn remember(&self, index: usize, artifact: Arc<Artifact>, is_whole: bool) {
        self.hints().remember_newest(&self.plan.name, &self.plan.task(index).id, &artifact.fingerprint);
        if is_whole {
            self.shelf.remember(artifact);
        }
    }

    /// The manifest of the newest result of a task under its present name, for comparison.
    pub fn newest(&self, task: &Task) -> Option<Manifest> {
        let fingerprint = self.hints().newest(&self.plan.name, &task.id)?;
        self.shelf.manifest(&fingerprint).ok().flatten()
    }

    /// As [`Finder::newest`], when it was removed.
    pub fn removed(&self, task: &Task) -> Option<Removed> {
        self.shelf.removed(&self.hints().newest(&self.plan.name, &task.id)?)
    }

    /// Gets ready to tell why these tasks run: what their newest results were made of is asked for at once.
    pub fn ask_ahead<'a>(&self, tasks: impl Iterator<Item = &'a Task>) {
        let newest: Vec<Fingerprint> =
            tasks.filter_map(|task| self.hints().newest(&self.plan.name, &task.id)).collect();
        // Whoever needs one that could not be had asks again, and is told why.
        if let Err(failure) = self.shelf.ask_ahead(&newest.iter().collect::<Vec<_>>()) {
            tracing::debug!(%failure, "manifests could not be asked for ahead");
        }
    }

    /// What earlier runs tell. A journal that cannot be read tells nothing: nothing is decided by it.
    pub fn history(&self) -> &History {
        self.history.get_or_init(|| {
            let read = self.journal.as_deref().map(|journal| History::read(journal, &self.plan.name));
            read.and_then(told).unwrap_or_default()
        })
    }

    /// The files that were in the key of a task when it was looked up, and what each was then: nothing where none lay. `None`
    /// when one was so young that its times cannot tell the next change.
    pub fn stood_on(&self, index: usize) -> Option<Stood> {
        lock(&self.stood).get(&index).cloned().flatten()
    }

    /// What the manifest of a result was when it was last read or written.
    pub fn stamp_of(&self, fingerprint: &Fingerprint) -> Option<Stamp> {
        self.hints().seen(fingerprint).map(|seen| seen.stamp)
    }

    fn note(&self, index: usize, files: &BTreeMap<String, SourceFile>) {
        if files.is_empty() {
            return;
        }
        let hints = self.hints();
        let named = |field: &str| self.plan.task(index).files.iter().find(|file| file.field == field);
        let stood = files.iter().flat_map(|(field, source)| {
            let path = named(field).map(|file| file.path.clone());
            source.stamps.iter().map(move |(suffix, stamp)| (path.clone(), source, suffix, stamp))
        });
        let stood = stood.map(|(path, source, suffix, stamp)| {
            // A link may lead elsewhere one day, so it is the path as it was named that is looked at.
            let real = companion(&source.path, suffix);
            let path = if suffix.is_empty() { path? } else { real.clone() };
            match stamp.numbers() {
                None => Some((path, None)),
                // Only of what was old enough the digest is remembered.
                Some(numbers) => hints.file(&real, stamp).map(|_| (path, Some(numbers))),
            }
        });
        lock(&self.stood).insert(index, stood.collect());
    }

    /// What earlier runs tell of the plan's tasks, when these are few; else all that they tell.
    fn past(&self) -> &History {
        if self.plan.len() > FEW || self.history.get().is_some() {
            return self.history();
        }
        self.past.get_or_init(|| {
            let tasks = self.plan.tasks().map(|task| &task.id);
            let read = self.journal.as_deref().map(|journal| History::of_tasks(journal, &self.plan.name, tasks));
            Arc::new(read.and_then(told).unwrap_or_default())
        })
    }

    /// Saves what was learned.
    pub fn save(&self) {
        self.hints().save();
    }

    /// Everything that decides the task's output, and nothing else: no name of a stage, no path of an input file.
    /// `inputs`: for each result that is taken the input, the cell and the digest; one that has no result is in the key
    /// as such, since what is made without it is not what would be made with it.
    fn key<'a>(
        &self,
        task: &Task,
        inputs: impl Iterator<Item = (&'a TaskInput, &'a Cell, Option<&'a str>)>,
        files: &BTreeMap<String, SourceFile>,
    ) -> KeyWriter {
        let stage = &self.plan.stages[task.stage];
        let named = task.inputs.iter().map(|i| &i.field).chain(task.files.iter().map(|f| &f.field));
        let mut config = KeyWriter::default().field("kind", stage.kind.name()).field("code", &stage.code);
        let aside = stage.kind.aside();
        config =
            config.json("config", &without(&task.config, aside)).without(named.map(|field| format!("config.{field}")));
        for (key, value) in task.id.cell.iter() {
            config = config.json(&format!("cell.{key}"), value);
        }
        config = declared(config, task, &stage.settings);
        if !stage.settings.cache {
            // A key that no other run and no other task can have: the result is filed, and nobody takes it for theirs.
            let run = self.run.get().map_or("each run", |run| run.0.as_str());
            config = config.field("volatile", format!("{run} {}", task.id));
        }
        for (input, cell, digest) in inputs {
            let field = &input.field;
            // Without its cell, each of several would take the place of the one before. A cell without keys is alone.
            let several = !cell.is_empty() && input.gathers(cell, &task.id.cell);
            let name = if several { format!("{field}[{cell}]") } else { field.clone() };
            config = config.field(format!("inputs.{name}"), digest.unwrap_or(NO_RESULT));
        }
        for file in &task.files {
            let hashed = &files[&file.field];
            let value = match file.mark {
                Mark::ProjectFile => format!("{} {}", file.written, hashed.blake3),
                _ => hashed.blake3.clone(),
            };
            config = config.field(format!("files.{}", file.field), value);
        }
        config
    }

    /// The fingerprint under which a result of a task would count; `None` when none does. Of one that has another key in
    /// every run and is not asked for, the newest counts.
    fn sought(&self, index: usize, fingerprint: &Fingerprint) -> Option<Fingerprint> {
        let task = self.plan.task(index);
        match (self.plan.is_forced(index), self.plan.settings(task).cache, self.plan.part(index)) {
            (true, ..) => None,
            (_, true, Part::Given) => Some(self.newest_of(task, fingerprint)),
            (_, true, _) => Some(fingerprint.clone()),
            (_, false, Part::Given) => self.hints().newest(&self.plan.name, &task.id),
            (_, false, _) => None,
        }
    }

    /// A key, or that of the newest result when this lacks nothing but items.
    fn newest_of(&self, task: &Task, fingerprint: &Fingerprint) -> Fingerprint {
        let newest = self.hints().newest(&self.plan.name, &task.id).filter(|newest| newest != fingerprint);
        let newest = newest.and_then(|newest| self.shelf.manifest(&newest).ok().flatten());
        let lacks_items =
            |newest: &Manifest| completed(&newest.key).is_some_and(|whole| whole.fingerprint == *fingerprint);
        newest.filter(lacks_items).map_or_else(|| fingerprint.clone(), |newest| newest.fingerprint)
    }

    fn why(&self, index: usize, key: &Key) -> String {
        let task = self.plan.task(index);
        if self.plan.is_forced(index) {
            return "asked for by --force".to_owned();
        }
        if !self.plan.settings(task).cache {
            return "cache = false".to_owned();
        }
        let newest = self.hints().newest(&self.plan.name, &task.id);
        let past = self.past().newest(&task.id);
        // An attempt for another key tells why there is no result only where there never was one.
        let tells = past.filter(|past| newest.is_none() || past.fingerprint == key.fingerprint);
        match (newest, tells.map(|past| &past.ending)) {
            (_, Some(Ending::Failed(failure))) => format!("failed before: {}", failure.message),
            (_, Some(Ending::CutShort)) => "cut short before".to_owned(),
            (Some(newest), _) if newest != key.fingerprint => match self.shelf.manifest(&newest) {
                Ok(Some(manifest)) if completed(&manifest.key).is_some_and(|whole| whole == *key) => {
                    "some of its items failed before".to_owned()
                }
                Ok(Some(manifest)) => reason(&manifest.key, &key.fields),
                _ => match self.shelf.removed(&newest) {
                    Some(removed) => reason(&removed.manifest.key, &key.fields),
                    None => "its key changed".to_owned(),
                },
            },
            (newest, past) => match self.shelf.removed(&key.fingerprint) {
                Some(removed) => format!("its result was removed by gc on {}", removed.when.to_local()),
                None if newest.is_none() && past.is_none() => "not run before".to_owned(),
                None => "its result is gone".to_owned(),
            },
        }
    }

    fn files(&self, task: &Task, reading: &dyn Fn()) -> Result<BTreeMap<String, SourceFile>, Failure> {
        let companions = self.plan.stages[task.stage].kind.companions();
        let hashed = |file| self.sources.hashed(file, companions, &self.hints, reading);
        task.files.iter().map(|file| Ok((file.field.clone(), hashed(file)?))).collect()
    }

    fn hints(&self) -> MutexGuard<'_, Hints> {
        lock(&self.hints)
    }
}

/// Settings without those of these names.
fn without<'a>(config: &'a Json, names: &[&str]) -> Cow<'a, Json> {
    let Some(map) = config.as_object().filter(|map| names.iter().any(|name| map.contains_key(*name))) else {
        return Cow::Borrowed(config);
    };
    let kept = map.iter().filter(|(name, _)| !names.contains(&name.as_str()));
    Cow::Owned(Json::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect()))
}

/// What a stage declares besides its kind's own settings and decides a result: variables, the names of secrets, the
/// versions of programs, the image.
fn declared(mut key: KeyWriter, task: &Task, settings: &Settings) -> KeyWriter {
    for (name, value) in &task.env {
        key = key.field(format!("env.{name}"), value);
    }
    for name in settings.secrets.keys() {
        key = key.field(format!("secrets.{name}"), "");
    }
    for (name, version) in &settings.tools {
        key = key.field(format!("tools.{name}"), version);
    }
    match &settings.image {
        Some(image) => key.field("image", image),
        None => key,
    }
}

/// What a journal tells, if it can be read.
fn told(read: Result<History, JournalError>) -> Option<History> {
    read.inspect_err(|error| tracing::debug!(%error, "the journal tells nothing")).ok()
}

/// What is remembered is whole at any moment, so a thread that panicked has not spoilt it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
