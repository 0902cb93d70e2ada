//! `pipe run`: plans, runs and tells how it went. Signals end it gently, then at once.

use super::report::{self, Around};
use super::{again, beside as besides};
use crate::args::RunArgs;
use crate::exit::{Exit, Refusal};
use crate::git;
use crate::given;
use crate::hooks;
use crate::life::Life;
use crate::machine;
use crate::printer::{Printer, Style};
use crate::progress::{self, Progress};
use crate::rooms::Rooms;
use crate::runs;
use crate::settled::{self, Part, Place, Recalled, Unchanged};
use crate::summary;
use crate::trace::Recorder;
use crate::whole::Whole;
use crate::wiring::{self, Project, Workshop};
use pipe_clock::Claim;
use pipe_engine::asked::Asked as Wishes;
use pipe_engine::event::{Body, Counts, RunEvent};
use pipe_engine::local::left_clean;
use pipe_engine::lookup::Finder;
use pipe_engine::plan::{Rows, Selection};
use pipe_engine::report::RunView;
use pipe_engine::revision::Revision;
use pipe_engine::run::{self, Beside, Finished, Setup};
use pipe_engine::scheduler::Stop;
use pipe_engine::settled::Settled;
use pipe_engine::shared::DAMAGED;
use pipe_engine::state::{Hints, Journal, StateFolder};
use pipe_engine::world::{Timestamp, World};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// How often a run is begun whose inputs turn out to be damaged.
const AGAIN: u32 = 3;
/// How often what is shown is brought up to date when nothing is heard.
const TICK: Duration = Duration::from_millis(250);

pub(crate) fn run(args: &RunArgs, printer: &Printer) -> Result<Exit, Refusal> {
    begin(args, None, printer)
}

/// As [`run`], with what another run was asked for.
pub(crate) fn go_on(args: &RunArgs, with: &RunView, printer: &Printer) -> Result<Exit, Refusal> {
    begin(args, Some(with), printer)
}

/// Runs; and runs again when all that went wrong is that results were not what had been filed. They are in quarantine by
/// then, and what made them makes them anew.
fn begin(args: &RunArgs, with: Option<&RunView>, printer: &Printer) -> Result<Exit, Refusal> {
    for before in 0..AGAIN {
        match once(args, with, before, printer)? {
            Ended::Damaged => printer.line("running again: what was put in quarantine is made anew"),
            Ended::As(exit) => return Ok(exit),
        }
    }
    Ok(Exit::TaskFailed)
}

/// How one run of perhaps several ended.
enum Ended {
    As(Exit),
    /// Tasks failed, and all of them for inputs that were not what had been filed.
    Damaged,
}

/// One run, after so many that were spoilt by damage.
fn once(args: &RunArgs, with: Option<&RunView>, before: u32, printer: &Printer) -> Result<Ended, Refusal> {
    let clock = Clock::start();
    let asked = git::Asked::about(wiring::folder_of(&args.spec.spec));
    // What goes on from another run is told of its plan.
    let place = Place::of(args).filter(|_| with.is_none());
    let recalled = place.as_ref().map(|place| place.recall(args, clock.machine.now(), printer));
    let mut work = match recalled.transpose()?.unwrap_or(Recalled::All) {
        Recalled::Nothing(run) => return unchanged(args, *run, asked, &clock, printer).map(Ended::As),
        Recalled::Part(part) => Work::of(*part),
        Recalled::All => Work::whole(args, with, printer)?,
    };
    let trace = args.how.trace.as_deref().map(Recorder::into).transpose()?.map(Arc::new);
    let page = page(args)?;
    let rooms = work.rooms(args, printer)?;
    if before == 0 && !claims_its_slot(args, &rooms, printer)? {
        return Ok(Ended::As(Exit::Done));
    }
    let (beside, store) = (work.beside.tasks.clone(), work.project.store_here());
    let made = make(args, (work, rooms), (place, asked, trace.clone()), &clock, printer)?;
    let finished = &made.finished;
    if let Some(trace) = &trace {
        keep(trace, finished, printer);
    }
    if !printer.json {
        let ended = summary::Ended {
            plan: &finished.plan,
            beside: &beside,
            finder: &made.finder,
            state: &made.state,
            finished,
            took: clock.took(),
            spec: again(&args.spec),
            place: place_of(args),
        };
        ended.tell(printer);
    }
    if made.only_damage && before + 1 < AGAIN {
        return Ok(Ended::Damaged);
    }
    if let Some(page) = &page {
        let around =
            Around { state: &made.state, plan: Some(&finished.plan), store: Some(store), place: place_of(args) };
        report::after(&finished.run, &around, page, printer);
    }
    hooks::after(&finished.plan.around.hooks, finished, args, printer);
    Ok(Ended::As(exit_of(finished)))
}

/// The clocks of a run, and when it was asked for.
struct Clock {
    /// Times of files are of the machine's clock.
    machine: World,
    /// A clock that is set while it runs must not stop a retry or a timeout.
    world: World,
    begun: Timestamp,
}

impl Clock {
    fn start() -> Self {
        let machine = World::real();
        let world = machine.steady();
        let begun = world.now();
        Self { machine, world, begun }
    }

    fn took(&self) -> Duration {
        self.world.now().since(self.begun)
    }
}

/// What is to be planned and made.
struct Work {
    project: Project,
    /// Where its record was looked at; nobody was let in since.
    rooms: Option<Rooms>,
    /// What is remembered of it, where that is not all.
    hints: Option<Hints>,
    beside: Beside,
    /// What the run before stood on, where only a part of it is planned.
    record: Option<Settled>,
}

impl Work {
    fn of(part: Part) -> Self {
        let Part { project, beside, hints, rooms, record } = part;
        Self { project, rooms: Some(rooms), hints: Some(hints), beside, record: Some(record) }
    }

    fn whole(args: &RunArgs, with: Option<&RunView>, printer: &Printer) -> Result<Self, Refusal> {
        let project = Project::load_here(&args.spec, printer)?.asked(&args.asked)?;
        if let Some(with) = with {
            say_what_goes_on(with, &project, printer);
        }
        Ok(Self { project, rooms: None, hints: None, beside: Beside::default(), record: None })
    }

    fn rooms(&mut self, args: &RunArgs, printer: &Printer) -> Result<Rooms, Refusal> {
        let Project { state, .. } = &self.project;
        let store = self.project.store_here();
        self.rooms.take().map_or_else(|| Rooms::take(state, &store, args.how.wait, printer), Ok)
    }
}

/// What was made, and what knows of it.
struct Made {
    finished: Finished,
    finder: Arc<Finder>,
    state: StateFolder,
    /// Whether tasks failed, and all of them for inputs that were not what had been filed.
    only_damage: bool,
}

/// What a run has besides its work: where its record lies, what git is asked, and who records it.
type Aside = (Option<Place>, Option<git::Asked>, Option<Arc<Recorder>>);

fn make(
    args: &RunArgs,
    (work, rooms): (Work, Rooms),
    (place, asked, trace): Aside,
    clock: &Clock,
    printer: &Printer,
) -> Result<Made, Refusal> {
    let Work { project, hints, beside, mut record, .. } = work;
    let hints = hints.unwrap_or_else(|| Hints::load(&rooms.state.hints()));
    let workshop = Workshop::open(&project, rooms, hints, &clock.machine)?;
    let finder = with_given(&project, &workshop, clock.machine.now(), printer)?;
    let state = workshop.local.state.clone();
    let progress = Arc::new(Progress::new(&project.plan, &beside.tasks, state.clone(), printer, args.how.verbose));
    let (hears, damage) = (progress.clone(), Arc::new(Damage::default()));
    let watches = damage.clone();
    let tell = workshop.locks.teller()?;
    let recipe = project.recipe.clone();
    let setup = Setup {
        plan: project.plan.clone(),
        replan: Arc::new(move |rows: &Rows| recipe.plan(rows)),
        spec: project.spec.clone(),
        revision: revision(asked, &project),
        slot: args.slot,
        asked: Some(wishes(args, &project)),
        site: Some(machine::site()),
        world: clock.world.clone(),
        journal: workshop.journal,
        finder: finder.clone(),
        local: workshop.local,
        shared: workshop.shared,
        elsewhere: workshop.elsewhere,
        left: workshop.left,
        limits: machine::limits(args.how.cpu, &project.store_here()),
        gpus: machine::gpus(),
        fail_fast: args.fail_fast,
        beside,
        listener: Arc::new(move |event: &RunEvent| {
            tell(event);
            hears.hear(event);
            watches.hear(event);
            trace.iter().for_each(|trace| trace.hear(event));
        }),
    };
    let finished = follow(setup, &clock.world, &progress, printer)?;
    if is_well(&finished) {
        if workshop.is_clean {
            left_clean(&state);
        }
        let ended = settled::Ended { finished: &finished, finder: &finder, texts: project.texts.as_deref() };
        place.iter().for_each(|place| place.keep(record.take(), &ended));
    }
    drop(workshop.locks);
    let only_damage = damage.is_all_of(&finished);
    Ok(Made { finished, finder, state, only_damage })
}

/// Counts the tasks that failed because a result was not what had been filed.
#[derive(Default)]
struct Damage(AtomicU64);

impl Damage {
    fn hear(&self, event: &RunEvent) {
        if matches!(&event.body, Body::TaskFailed { failure } if failure.code == DAMAGED) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn is_all_of(&self, finished: &Finished) -> bool {
        let damaged = self.0.load(Ordering::Relaxed);
        let is_cut_short = finished.interrupted || finished.limit.is_some();
        damaged > 0 && damaged == finished.counts.failed && !is_cut_short
    }
}

/// Where the spec stands in git, as far as that is known.
fn revision(asked: Option<git::Asked>, project: &Project) -> Option<Revision> {
    let standing = asked.and_then(git::Asked::answer);
    match &project.at {
        Some(at) => Some(at.revision(standing)),
        None => standing,
    }
}

/// Whether every task that was asked for has its result, and nobody asked it to stop.
fn is_well(finished: &Finished) -> bool {
    let Finished { counts, interrupted, limit, .. } = finished;
    counts.failed + counts.cancelled == 0 && !interrupted && limit.is_none()
}

/// A run in which nothing is to be done.
fn unchanged(
    args: &RunArgs,
    run: Unchanged,
    asked: Option<git::Asked>,
    clock: &Clock,
    printer: &Printer,
) -> Result<Exit, Refusal> {
    let Unchanged { mut started, told, tasks, rooms, store } = run;
    let page = page(args)?;
    if let Body::RunStarted { revision, site, .. } = &mut started {
        *revision = asked.and_then(git::Asked::answer).map(Box::new);
        *site = Some(Box::new(machine::site()));
    }
    let (passes_on, world) = (printer.clone(), clock.world.clone());
    let journal = Journal::open(&rooms.state.journal())?;
    let tell = rooms.locks.teller()?;
    let listener = Arc::new(move |event: &RunEvent| {
        tell(event);
        if passes_on.json {
            progress::pass_on(event, &passes_on);
        }
    });
    let run = run::unchanged(run::Unchanged { started, told, tasks, world, journal, listener })?;
    if rooms.is_clean {
        left_clean(&rooms.state);
    }
    drop(rooms.locks);
    if !printer.json {
        printer.line(&summary::nothing_to_do(Counts { cached: tasks, ..Counts::default() }, tasks, clock.took()));
    }
    if let Some(page) = &page {
        let around = Around { state: &rooms.state, plan: None, store: Some(store), place: place_of(args) };
        report::after(&run, &around, page, printer);
    }
    Ok(Exit::Done)
}

/// Whether the slot that the run is for is its own, or it is for none. With the lock held: two runs that were started for
/// one slot come one after the other.
fn claims_its_slot(args: &RunArgs, rooms: &Rooms, printer: &Printer) -> Result<bool, Refusal> {
    let Some(slot) = args.slot else { return Ok(true) };
    let Claim::Begun(begun) = pipe_clock::claim(rooms.state.root(), &args.spec.spec, slot)? else {
        return Ok(true);
    };
    let slot = pipe_clock::told(slot);
    printer.line(&format!("nothing to do for {slot}: a run for {} has begun before", pipe_clock::told(begun)));
    Ok(false)
}

/// The page that was asked for.
fn page(args: &RunArgs) -> Result<Option<Whole>, Refusal> {
    args.how.report.as_deref().map(|path| Whole::at(path, "report")).transpose()
}

/// The arguments that lead to what is known of the run.
fn place_of(args: &RunArgs) -> String {
    besides(&args.spec.spec, args.spec.given.state.as_ref())
}

/// The run is over and well; its trace alone may be missing.
fn keep(trace: &Recorder, finished: &Finished, printer: &Printer) {
    let path = trace.path().display();
    match trace.write(&finished.plan) {
        Ok(()) => printer.line(&format!("trace: {path} (open it in https://ui.perfetto.dev)")),
        Err(error) => {
            let title = printer.paint_err(Style::Warning, "warning:");
            printer.line(&format!("{title} the trace was not written to {path}: {error}"));
        }
    }
}

/// What looks results up, with those that are given: they are taken into the store first.
fn with_given(
    project: &Project,
    workshop: &Workshop,
    now: Timestamp,
    printer: &Printer,
) -> Result<Arc<Finder>, Refusal> {
    let given = given::all(&project.plan, |given| given.take_in(&workshop.local.store, now))?;
    if given.is_empty() {
        return Ok(workshop.finder.clone());
    }
    given::tell(&project.plan, &given, printer);
    Ok(Arc::new((*workshop.finder).clone().giving(given)))
}

/// All that it takes to ask for the same again.
fn wishes(args: &RunArgs, project: &Project) -> Wishes {
    let given = project.plan.origins.iter().filter(|param| param.is_from_outside());
    let Selection { only, from, until, force, inputs } = project.plan.selection.clone();
    let whole = |path: PathBuf| std::path::absolute(&path).unwrap_or(path).display().to_string();
    Wishes {
        path: std::path::absolute(&args.spec.spec).unwrap_or_else(|_| args.spec.spec.clone()).display().to_string(),
        profile: project.plan.profile.clone(),
        at: args.spec.given.at.clone(),
        params: given.map(|param| (param.name.clone(), param.value.clone())).collect(),
        only,
        from,
        until,
        inputs: inputs.into_iter().map(|(name, path)| (name, whole(path))).collect(),
        force,
        fail_fast: args.fail_fast,
    }
}

fn say_what_goes_on(with: &RunView, project: &Project, printer: &Printer) {
    printer.line(&format!("going on from run {}: {}", runs::name(with), Life::of(with, None).told()));
    // A file of parameters is a part of the digest, and is not read again.
    let knows = with.asked.as_ref().is_some_and(|asked| asked.params.is_empty());
    if knows && with.spec_digest != project.plan.spec_digest {
        printer.line("the spec has changed since: it is run as it is now");
    }
}

/// Runs to the end on this thread; what blocks has threads of its own.
fn follow(setup: Setup, world: &World, progress: &Arc<Progress>, printer: &Printer) -> Result<Finished, Refusal> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        Refusal::new(Exit::Unavailable, format!("cannot start: {error}")).help("check the limits on open files")
    })?;
    let finished = runtime.block_on(async {
        let (stop, stopped) = unbounded_channel();
        tokio::spawn(listen(stop, printer.clone())?);
        tokio::spawn(keep_current(progress.clone(), world.clone()));
        Ok::<_, Refusal>(run::run(setup, stopped).await?)
    });
    // A file of many gigabytes that is being hashed is not waited for: nothing of the run hangs on it any more.
    runtime.shutdown_background();
    finished
}

/// Passes signals on: the first asks for a gentle end, any after it for the end.
///
/// # Errors
/// When the system does not let us listen.
fn listen(stop: UnboundedSender<Stop>, printer: Printer) -> std::io::Result<impl Future<Output = ()>> {
    let ignored = ignored_signals();
    let hear = |kind: SignalKind| if ignores(ignored, kind) { Ok(None) } else { signal(kind).map(Some) };
    let mut interrupt = hear(SignalKind::interrupt())?;
    let mut terminate = hear(SignalKind::terminate())?;
    let mut hangup = hear(SignalKind::hangup())?;
    Ok(async move {
        any(&mut interrupt, &mut terminate, &mut hangup).await;
        // What this means is said when the run has heard it.
        let _ = stop.send(Stop::Gently);
        loop {
            any(&mut interrupt, &mut terminate, &mut hangup).await;
            printer.line("stopping now: what runs is killed");
            let _ = stop.send(Stop::Now);
        }
    })
}

async fn any(interrupt: &mut Option<Signal>, terminate: &mut Option<Signal>, hangup: &mut Option<Signal>) {
    tokio::select! {
        () = one(interrupt) => {}
        () = one(terminate) => {}
        () = one(hangup) => {}
    }
}

async fn one(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// The signals whoever started us told us to ignore, as a bit each: `nohup` means it.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

fn ignores(mask: u64, kind: SignalKind) -> bool {
    let bit = kind.as_raw_value().unsigned_abs().saturating_sub(1);
    mask >> bit & 1 == 1
}

async fn keep_current(progress: Arc<Progress>, world: World) {
    loop {
        tokio::time::sleep(TICK).await;
        progress.tick(world.now());
    }
}

fn exit_of(finished: &Finished) -> Exit {
    match finished {
        // Whoever hurries it then does not stop it any more.
        Finished { limit: Some(_), .. } => Exit::Limit,
        Finished { interrupted: true, .. } => Exit::Interrupted,
        Finished { counts, .. } if counts.failed > 0 => Exit::TaskFailed,
        _ => Exit::Done,
    }
}
