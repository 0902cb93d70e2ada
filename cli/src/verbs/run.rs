//! `pipe run`: plans, runs and tells how it went. Signals end it gently, then at once.

use super::{again, beside};
use crate::args::RunArgs;
use crate::exit::{Exit, Refusal};
use crate::git;
use crate::given;
use crate::hooks;
use crate::life::Life;
use crate::machine;
use crate::printer::{Printer, Style};
use crate::progress::Progress;
use crate::runs;
use crate::summary;
use crate::trace::Recorder;
use crate::wiring::{self, Locks, Project, Workshop};
use pipe_clock::Claim;
use pipe_engine::asked::Asked as Wishes;
use pipe_engine::event::RunEvent;
use pipe_engine::lookup::Finder;
use pipe_engine::plan::{Rows, Selection};
use pipe_engine::report::RunView;
use pipe_engine::run::{self, Finished, Setup};
use pipe_engine::scheduler::Stop;
use pipe_engine::world::{Timestamp, World};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// How often what is shown is brought up to date when nothing is heard.
const TICK: Duration = Duration::from_millis(250);

pub(crate) fn run(args: &RunArgs, printer: &Printer) -> Result<Exit, Refusal> {
    begin(args, None, printer)
}

/// As [`run`], with what another run was asked for.
pub(crate) fn go_on(args: &RunArgs, with: &RunView, printer: &Printer) -> Result<Exit, Refusal> {
    begin(args, Some(with), printer)
}

fn begin(args: &RunArgs, with: Option<&RunView>, printer: &Printer) -> Result<Exit, Refusal> {
    // A clock that is set while it runs must not stop a retry or a timeout. Times of files are of the machine's clock.
    let machine = World::real();
    let world = machine.steady();
    let begun = world.now();
    let asked = git::Asked::about(wiring::folder_of(&args.spec.spec));
    let project = Project::load_here(&args.spec, printer)?.asked(&args.asked)?;
    if let Some(with) = with {
        say_what_goes_on(with, &project, printer);
    }
    let trace = args.trace.as_deref().map(Recorder::into).transpose()?.map(Arc::new);
    let workshop = Workshop::open(&project, args.wait, &machine, printer)?;
    if !claims_its_slot(args, &workshop, printer)? {
        return Ok(Exit::Done);
    }
    let finder = with_given(&project, &workshop, machine.now(), printer)?;
    let state = workshop.local.state.clone();
    let progress = Arc::new(Progress::new(&project.plan, state.clone(), printer, args.verbose));
    let (hears, records) = (progress.clone(), trace.clone());
    let recipe = project.recipe.clone();
    let setup = Setup {
        plan: project.plan.clone(),
        replan: Arc::new(move |rows: &Rows| recipe.plan(rows)),
        spec: project.spec.clone(),
        revision: match (asked.and_then(git::Asked::answer), &project.at) {
            (standing, Some(at)) => Some(at.revision(standing)),
            (standing, None) => standing,
        },
        slot: args.slot,
        asked: Some(wishes(args, &project)),
        world: world.clone(),
        journal: workshop.journal,
        finder: finder.clone(),
        local: workshop.local,
        elsewhere: workshop.elsewhere,
        left: workshop.left,
        limits: machine::limits(args.cpu, &project.plan),
        gpus: machine::gpus(),
        fail_fast: args.fail_fast,
        listener: Arc::new(move |event: &RunEvent| {
            hears.hear(event);
            records.iter().for_each(|trace| trace.hear(event));
        }),
    };
    let finished = work(setup, workshop.locks, &world, &progress, printer)?;
    if let Some(trace) = &trace {
        keep(trace, &finished, printer);
    }
    if !printer.json {
        let ended = summary::Ended {
            plan: &finished.plan,
            finder: &finder,
            state: &state,
            finished: &finished,
            took: world.now().since(begun),
            spec: again(&args.spec),
            beside: beside(&args.spec.spec, args.spec.given.state.as_ref()),
        };
        ended.tell(printer);
    }
    hooks::after(&project.plan.around.hooks, &finished, args, printer);
    Ok(exit_of(&finished))
}

/// Whether the slot that the run is for is its own, or it is for none. With the lock held: two runs that were started for
/// one slot come one after the other.
fn claims_its_slot(args: &RunArgs, workshop: &Workshop, printer: &Printer) -> Result<bool, Refusal> {
    let Some(slot) = args.slot else { return Ok(true) };
    let Claim::Begun(begun) = pipe_clock::claim(workshop.local.state.root(), &args.spec.spec, slot)? else {
        return Ok(true);
    };
    let slot = pipe_clock::told(slot);
    printer.line(&format!("nothing to do for {slot}: a run for {} has begun before", pipe_clock::told(begun)));
    Ok(false)
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
fn work(
    setup: Setup,
    locks: Locks,
    world: &World,
    progress: &Arc<Progress>,
    printer: &Printer,
) -> Result<Finished, Refusal> {
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
    drop(locks);
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
