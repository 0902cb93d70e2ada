//! The one place that knows every part: which stage kinds this build has, and how spec, plan, store, state folder
//! and machine come together. Verbs take what they need from here.

use crate::args::{Asked, Given, SpecArgs};
use crate::buckets;
use crate::earlier::Earlier;
use crate::elsewhere;
use crate::exit::{Exit, Refusal};
use crate::forecast::Forecasts;
use crate::git::Snapshot;
use crate::given;
use crate::machine;
use crate::nearby;
use crate::patience::patiently;
use crate::printer::{Printer, Style};
use crate::rooms::{Locks, Rooms};
use crate::shown::shown;
use pipe_engine::backend::{Backend, Backends};
use pipe_engine::failure::Failure;
use pipe_engine::ids::Cell;
use pipe_engine::local::{Local, OomKills};
use pipe_engine::lookup::Finder;
use pipe_engine::plan::{self, Has, Plan, Request, Rows, SelectError, Selection};
use pipe_engine::settled::{Unsettled, Watched, Watching};
use pipe_engine::shared::Shared;
use pipe_engine::spec::{self, Disk, Environment, Outside, Read, Spec, SpecSchema, Texts};
use pipe_engine::stage::Registry;
use pipe_engine::state::{Hints, Journal, OpenJob, StateFolder};
use pipe_engine::store::Folder;
use pipe_engine::text::{Diagnostic, Severity, Sources, render};
use pipe_engine::world::World;
use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long a child may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(10);

/// The stage kinds of this build, and what opens their sources elsewhere.
pub(crate) fn kinds() -> Registry {
    let kinds = pipe_stages::all();
    #[cfg(feature = "cloud")]
    let kinds = kinds.with_remotes(Arc::new(pipe_stores::WebAndBuckets::default()));
    kinds
}

/// The places to run of this build, besides this machine.
pub(crate) fn backends() -> Backends {
    #[cfg(any(feature = "cloud", feature = "failpoints"))]
    let backends = pipe_backends::all();
    #[cfg(not(any(feature = "cloud", feature = "failpoints")))]
    let backends = Backends::default();
    backends
}

/// A spec that was read: its plan, or what is wrong with it.
pub(crate) struct Checked {
    /// The texts that make it up; the spec's own is the first, under the path that was typed.
    pub(crate) sources: Sources,
    /// Errors and warnings.
    pub(crate) problems: Vec<Diagnostic>,
    /// The spec, when its texts could be parsed.
    pub(crate) spec: Option<Spec>,
    /// There when no problem is an error.
    pub(crate) plan: Option<Plan>,
    /// The revision it was read from; `None` when it was read from the disk.
    pub(crate) at: Option<Arc<Snapshot>>,
    /// The files that were read or looked for, where it can be told when they change.
    pub(crate) texts: Option<Vec<Watched>>,
    /// What it was planned by besides its texts.
    earlier: Option<Arc<Earlier>>,
}

/// Reads a spec and plans it.
///
/// # Errors
/// When the file cannot be read. What is wrong inside it is no error here.
pub(crate) fn check(args: &SpecArgs) -> Result<Checked, Refusal> {
    check_part(args, None)
}

/// As [`check`], and plans only what is unsettled.
fn check_part(args: &SpecArgs, part: Option<&Unsettled>) -> Result<Checked, Refusal> {
    let linked = Linked::with(args.given.offline);
    let folder = folder_of(&args.spec);
    let state = state_folder(&args.given, folder);
    let at = args.given.at.as_ref().map(|at| Snapshot::open(folder, at, state.root()));
    let at = at.transpose()?.map(Arc::new);
    let disk = Watching::with(World::real());
    let texts: &dyn Texts = at.as_ref().map_or(&disk, |at| at.as_ref());
    let read = spec::load(&args.spec, texts, &outside(&args.given), &linked.schema).map_err(|error| {
        let refusal = Refusal::new(Exit::Wrong, format!("cannot read {}: {}", args.spec.display(), in_words(&error)));
        if at.is_some() { refusal } else { refusal.help(nearby::specs(&args.spec)) }
    })?;
    let Read { spec, sources, mut problems } = read;
    let earlier = spec.as_ref().map(|spec| Arc::new(Earlier::of(&state, &spec.name.value)));
    let plan = spec.as_ref().zip(earlier.as_deref()).and_then(|(spec, earlier)| {
        let origin = Origin { sources: &sources, base: folder, texts, earlier };
        let (plan, more) = linked.plan(spec, origin, &Rows::new(), part);
        problems.extend(more);
        plan
    });
    let seen = disk.seen().filter(|_| at.is_none());
    Ok(Checked { sources, problems, spec, plan, at, texts: seen, earlier })
}

/// What is linked, and the schema of the specs it understands.
struct Linked {
    kinds: Registry,
    backends: Backends,
    schema: SpecSchema,
    offline: bool,
}

/// Where a spec comes from.
struct Origin<'a> {
    sources: &'a Sources,
    base: &'a Path,
    texts: &'a dyn Texts,
    earlier: &'a Earlier,
}

impl Linked {
    fn with(offline: bool) -> Self {
        let (kinds, mut backends) = (kinds(), backends());
        if !offline {
            backends = backends.with_local(machine::capability());
        }
        let schema = SpecSchema::of(&kinds, &backends);
        Self { kinds, backends, schema, offline }
    }

    fn plan(
        &self,
        spec: &Spec,
        origin: Origin<'_>,
        rows: &Rows,
        part: Option<&Unsettled>,
    ) -> (Option<Plan>, Vec<Diagnostic>) {
        let has = part.map(|part| |stage: &str, cell: &Cell| part.has(stage, cell));
        let Origin { sources, base, texts, earlier } = origin;
        let Self { kinds, backends, schema, offline } = self;
        plan::build(&Request {
            spec,
            sources,
            base,
            texts,
            kinds,
            backends,
            schema,
            schemes: buckets::schemes(),
            offline: *offline,
            rows,
            part: has.as_ref().map(|has| has as &Has<'_>),
            experience: earlier,
        })
    }
}

/// A spec that is sound, and what it takes to plan it again.
pub(crate) struct Recipe {
    /// The spec.
    pub(crate) spec: Spec,
    sources: Sources,
    base: PathBuf,
    at: Option<Arc<Snapshot>>,
    offline: bool,
    earlier: Arc<Earlier>,
}

impl Recipe {
    /// The plan with the tasks that these rows make.
    ///
    /// # Errors
    /// When they make none, in the words of the first problem.
    pub(crate) fn plan(&self, rows: &Rows) -> Result<Plan, Failure> {
        let texts: &dyn Texts = self.at.as_ref().map_or(&Disk, |at| at.as_ref());
        let origin = Origin { sources: &self.sources, base: &self.base, texts, earlier: &self.earlier };
        let (plan, problems) = Linked::with(self.offline).plan(&self.spec, origin, rows, None);
        plan.ok_or_else(|| self.failure(&problems))
    }

    fn failure(&self, problems: &[Diagnostic]) -> Failure {
        let mut errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
        let Some(first) = errors.next() else { return Failure::failed("bad_rows", "no plan can be made of the rows") };
        let place = self.sources.place(&first.span());
        let at = place.position();
        let failure = Failure::failed(first.code, first.message.clone());
        let failure = failure.on(format!("{}:{}:{}", place.source.path, at.line, at.column));
        let others: Vec<&str> = errors.take(5).map(|problem| problem.message.as_str()).collect();
        let failure = if others.is_empty() { failure } else { failure.source(others.join("\n")) };
        match &first.help {
            Some(help) => failure.help(help.clone()),
            None => failure,
        }
    }
}

/// What the command line and the environment say of a spec.
fn outside(given: &Given) -> Outside {
    // A variable that is no text cannot be the value of anything in a spec.
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    // An empty variable counts as not set, and hides that of `.env`.
    let hidden = given.as_before.then(|| ("PIPE_PROFILE".to_owned(), String::new()));
    Outside {
        profile: given.profile.clone(),
        params: given.params.clone(),
        params_file: given.params_file.clone(),
        environment: Environment::of(variables.chain(hidden)),
    }
}

impl Checked {
    /// Adds what the plan needs and this machine has not; there is no plan then. Leaves a spec alone that is to be
    /// judged by its text.
    pub(crate) fn look_around(&mut self, args: &SpecArgs) {
        let (Some(spec), Some(plan), false) = (&self.spec, &self.plan, args.given.offline) else { return };
        let missing = plan::not_here(spec, plan);
        if missing.iter().any(|problem| problem.severity == Severity::Error) {
            self.plan = None;
        }
        self.problems.extend(missing);
    }

    /// Itself when no problem is an error; warnings go to stderr.
    ///
    /// # Errors
    /// The problems, when one of them is an error.
    pub(crate) fn sound(self, printer: &Printer) -> Result<Self, Refusal> {
        if self.plan.is_none() {
            return Err(wrong(&self.sources, &self.problems, printer));
        }
        if !self.problems.is_empty() {
            printer.line(&render(&self.sources, &self.problems, printer.colors_talk()));
        }
        Ok(self)
    }
}

/// A checked spec and where its runs are remembered.
pub(crate) struct Project {
    /// The spec's path as it was typed.
    pub(crate) spec: String,
    /// What it says must exist.
    pub(crate) plan: Arc<Plan>,
    /// How it is planned again, once more is known.
    pub(crate) recipe: Arc<Recipe>,
    /// Where runs are remembered; need not be there yet.
    pub(crate) state: StateFolder,
    /// The revision it was read from; `None` when it was read from the disk.
    pub(crate) at: Option<Arc<Snapshot>>,
    /// The files that make it up, where it can be told when they change and there is nothing to say of what they hold.
    pub(crate) texts: Option<Vec<Watched>>,
}

impl Project {
    /// Reads the spec; problems go to stderr.
    ///
    /// # Errors
    /// When the spec cannot be read or is wrong.
    pub(crate) fn load(args: &SpecArgs, printer: &Printer) -> Result<Self, Refusal> {
        Ok(Self::of(check(args)?.sound(printer)?, args))
    }

    /// As [`Project::load`], and sees to it that the secrets and programs of the plan are here.
    ///
    /// # Errors
    /// When the spec cannot be read or is wrong, or something it needs is not here.
    pub(crate) fn load_here(args: &SpecArgs, printer: &Printer) -> Result<Self, Refusal> {
        let mut checked = check(args)?;
        checked.look_around(args);
        Ok(Self::of(checked.sound(printer)?, args))
    }

    /// The project with the tasks that are unsettled alone. `None` where there is anything to say of the spec: the whole of it
    /// is planned then.
    ///
    /// # Errors
    /// When the spec cannot be read.
    pub(crate) fn load_part(args: &SpecArgs, part: &Unsettled) -> Result<Option<Self>, Refusal> {
        let checked = check_part(args, Some(part))?;
        let is_sound = checked.plan.is_some() && checked.problems.is_empty();
        Ok(is_sound.then(|| Self::of(checked, args)))
    }

    /// The project of a spec that is sound.
    pub(crate) fn of(checked: Checked, args: &SpecArgs) -> Self {
        let Checked { plan, spec, sources, at, texts, problems, earlier } = checked;
        let texts = texts.filter(|_| problems.is_empty());
        let plan = Arc::new(plan.expect("a sound spec has a plan"));
        let spec = spec.expect("a plan is made of a spec");
        let earlier = earlier.expect("a spec has earlier runs, or none");
        let folder = folder_of(&args.spec);
        let (base, offline) = (folder.to_owned(), args.given.offline);
        let recipe = Arc::new(Recipe { spec, sources, base, at: at.clone(), offline, earlier });
        let state = state_folder(&args.given, folder);
        Self { spec: args.spec.display().to_string(), plan, recipe, state, at, texts }
    }

    /// The project of which no more is wanted than this. Comes before all that looks at its plan.
    ///
    /// # Errors
    /// When something that was typed names no task.
    pub(crate) fn asked(mut self, asked: &Asked) -> Result<Self, Refusal> {
        let Asked { only, from, until, force, inputs } = asked.clone();
        if let Some(refusal) = given::refused(asked) {
            return Err(refusal);
        }
        let selection = Selection { only, from, until, force, inputs };
        let plan = Arc::get_mut(&mut self.plan).expect("nobody else has the plan yet");
        match plan.select(selection) {
            Ok(()) => Ok(self),
            Err(SelectError::NoTask(pattern)) => Err(self.no_task(&pattern)),
            Err(error) => Err(given::no_input(error)),
        }
    }

    /// What is said of a pattern that names no task: which there are.
    pub(crate) fn no_task(&self, pattern: &str) -> Refusal {
        let stages: Vec<&str> = self.plan.stages.iter().map(|stage| stage.name.as_str()).collect();
        let tasks: Vec<String> = self.plan.tasks().map(|task| task.id.to_string()).collect();
        Refusal::new(Exit::Wrong, format!("no task of {} is named `{pattern}`", self.spec))
            .help(nearby::tasks(pattern, &stages, &tasks))
    }

    /// The project with the tasks of stages that are spread over rows, as far as these are in the store, and what looks
    /// its results up. Rows that make no tasks are told, and stay unknown.
    ///
    /// # Errors
    /// When the store cannot be looked into, and it must be.
    pub(crate) fn grown(mut self, world: &World, printer: &Printer) -> Result<(Self, Finder), Refusal> {
        let (mut rows, mut finder) = (Rows::new(), self.finder(world)?);
        loop {
            let more = match self.plan.sources_of_rows().as_slice() {
                [] => Ok(Rows::new()),
                sources => {
                    self.reach(&finder)?;
                    Forecasts::of(&self.plan, &finder).rows(sources)
                }
            };
            let grown = more.and_then(|more| {
                let is_new = !more.is_empty();
                rows.extend(more);
                is_new.then(|| Ok(self.recipe.plan(&rows)?.continuing(&self.plan))).transpose()
            });
            match grown {
                Ok(Some(plan)) => self.plan = Arc::new(plan),
                Ok(None) => return Ok((self, finder)),
                Err(failure) => {
                    let title = printer.paint_err(Style::Warning, "warning:");
                    let why = failure.to_string();
                    printer.line(&format!("{title} a stage cannot be spread over the rows there are: {}", shown(&why)));
                    return Ok((self, finder));
                }
            }
            finder = finder.for_plan(self.plan.clone());
        }
    }

    /// Looks results up without making or changing anything, even when there is no store yet. A bucket is not asked
    /// before somebody wants to know.
    ///
    /// # Errors
    /// When the store is in a bucket that cannot be spoken to.
    pub(crate) fn finder(&self, world: &World) -> Result<Finder, Refusal> {
        let (plan, world, hints) = (self.plan.clone(), world.clone(), Hints::load(&self.state.hints()));
        let finder = match self.bucket() {
            Some(uri) => Finder::in_bucket(plan, (uri, buckets::open(uri)?), hints, world),
            None => Finder::for_looking(plan, Arc::new(Folder::for_looking(&self.plan.store)), hints, world),
        };
        let finder = finder.with_history(&self.state);
        let given = given::all(&self.plan, |given| given.look())?;
        Ok(if given.is_empty() { finder } else { finder.giving(given) })
    }

    /// Makes sure that the store answers.
    ///
    /// # Errors
    /// When it does not.
    pub(crate) fn reach(&self, finder: &Finder) -> Result<(), Refusal> {
        let Some(uri) = self.bucket() else {
            return finder.reach().map_err(|failure| buckets::out_of_reach("", &failure));
        };
        patiently(&format!("the store {uri}"), || finder.reach())
            .map_err(|failure| buckets::out_of_reach(uri, &failure))
    }

    /// Whether results can be looked up at all.
    pub(crate) fn has_store(&self) -> bool {
        self.bucket().is_some() || self.plan.store.exists()
    }

    /// The folder that attempts of this machine write to: the store itself, or the copy of the bucket that it is in.
    pub(crate) fn store_here(&self) -> PathBuf {
        let copy = self.plan.bucket.as_deref().map(|uri| self.state.copy_of(uri));
        copy.unwrap_or_else(|| self.plan.store.clone())
    }

    /// The bucket to look into.
    fn bucket(&self) -> Option<&str> {
        self.plan.bucket.as_deref().filter(|_| self.plan.opens && !self.recipe.offline)
    }
}

/// What a run holds from its beginning to its end.
pub(crate) struct Workshop {
    pub(crate) journal: Journal,
    pub(crate) finder: Arc<Finder>,
    pub(crate) local: Local,
    /// The bucket that results go to, where the store is one.
    pub(crate) shared: Option<Arc<Shared>>,
    /// The places elsewhere that its tasks run at, by name.
    pub(crate) elsewhere: HashMap<String, Arc<dyn Backend>>,
    /// Jobs there that earlier runs have left.
    pub(crate) left: Vec<OpenJob>,
    /// Whether nothing of an engine that died is left in the state folder.
    pub(crate) is_clean: bool,
    /// Released last, and by the kernel when we die.
    pub(crate) locks: Locks,
}

impl Workshop {
    /// Makes ready for a run in these rooms.
    ///
    /// # Errors
    /// When a place elsewhere, or the journal, cannot be used.
    pub(crate) fn open(project: &Project, rooms: Rooms, hints: Hints, world: &World) -> Result<Self, Refusal> {
        let elsewhere = elsewhere::connect(&project.plan)?;
        let Rooms { state, store, is_clean, locks } = rooms;
        let shared = match (&project.plan.bucket, project.bucket()) {
            (_, Some(uri)) => Some(buckets::shared(uri, &store)?),
            (Some(uri), None) => return Err(buckets::not_opened(uri, project.recipe.offline)),
            (None, None) => None,
        };
        let journal = Journal::open(&state.journal())?;
        let left = OpenJob::all(&state.journal())?;
        pipe_engine::local::begin_work(&state);
        let (plan, world) = (project.plan.clone(), world.clone());
        let finder = match &shared {
            Some(shared) => Finder::of_shared(plan, shared, hints, world),
            None => Finder::new(plan, store.clone(), hints, world),
        };
        let finder = Arc::new(finder.with_history(&state));
        project.reach(&finder)?;
        let worker = std::env::current_exe().map_err(|error| {
            Refusal::new(Exit::Unavailable, format!("cannot find the file of this program: {error}"))
        })?;
        let local = Local { store, state, worker, oom_kills: OomKills::here(), grace: GRACE };
        Ok(Self { journal, finder, local, shared, elsewhere, left, is_clean, locks })
    }
}

/// What is said of a spec with errors: all of them, their number, and where to read on.
pub(crate) fn wrong(sources: &Sources, problems: &[Diagnostic], printer: &Printer) -> Refusal {
    let errors = || problems.iter().filter(|problem| problem.severity == Severity::Error);
    let count = crate::words::count(errors().count() as u64, "problem");
    let refusal = Refusal::new(Exit::Wrong, format!("{count} in {}", sources.main().path));
    let shown = refusal.after(render(sources, problems, printer.colors_talk()));
    match errors().next() {
        Some(first) => shown.help(format!("`pipe explain-error {}` says more", first.code)),
        None => shown,
    }
}

/// The folder a spec lies in; empty for the current one.
pub(crate) fn folder_of(spec: &Path) -> &Path {
    spec.parent().unwrap_or(Path::new(""))
}

/// The state folder that is asked for, or else the one in a spec's folder.
pub(crate) fn state_folder(given: &Given, beside: &Path) -> StateFolder {
    let named = given.state.clone().or_else(|| wanted_state(|name| std::env::var_os(name)));
    let root = named.unwrap_or_else(|| beside.join(".pipe"));
    StateFolder::at(root.canonicalize().unwrap_or(root))
}

/// The folder `PIPE_STATE` asks for. Inside a task the variable is not a wish: the engine marks its children with
/// it, and a `pipe` that a task starts would wait for the very run it is part of.
fn wanted_state(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let named = variable("PIPE_STATE").filter(|value| !value.is_empty());
    named.filter(|_| variable("PIPE_ATTEMPT").is_none()).map(PathBuf::from)
}

fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inside_a_task_the_mark_of_the_engine_is_not_taken_for_a_wish() {
        let outside = |name: &str| (name == "PIPE_STATE").then(|| OsString::from("/s"));
        let inside = |name: &str| Some(OsString::from(if name == "PIPE_STATE" { "/s" } else { "a-1" }));
        assert_eq!(wanted_state(outside), Some(PathBuf::from("/s")));
        assert_eq!(wanted_state(inside), None);
        assert_eq!(wanted_state(|_| None), None);
    }
}
