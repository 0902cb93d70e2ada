//! `pipe cancel`: asks the engine that holds a state folder to stop, as Ctrl-C in its terminal would, and waits for it.

use crate::args::{CancelArgs, Given};
use crate::exit::{Exit, Refusal, let_go_on};
use crate::life::Life;
use crate::nearby;
use crate::printer::Printer;
use crate::runs;
use crate::wiring;
use crate::words;
use pipe_engine::report::RunView;
use pipe_engine::state::{Holder, JournalError, Lock, StateFolder, read_only};
use serde_json::json;
use std::path::Path;
use std::time::Duration;

/// How often it looks.
const EVERY: Duration = Duration::from_millis(50);
/// How often it looks for the run of an engine that has just begun, and for one that should have heard.
const PATIENCE: u32 = 100;

pub(crate) fn run(args: &CancelArgs, printer: &Printer) -> Result<Exit, Refusal> {
    let given = Given { state: args.state.clone(), ..Given::default() };
    let state = wiring::state_folder(&given, wiring::folder_of(&args.spec));
    // A spec that was moved away while it runs can be stopped still.
    if !args.spec.exists() && Lock::holder(state.root()).is_none() {
        let message = format!("cannot read {}: there is no such file", args.spec.display());
        return Err(Refusal::new(Exit::Wrong, message).help(nearby::specs(&args.spec)));
    }
    let named = args.run.as_deref().map(|run| runs::named(&state.journal(), None, run)).transpose()?;
    let Some((holder, view)) = running(&state)? else { return not_running(named, &state, printer) };
    if named.as_ref().is_some_and(|named| named.run != view.run) {
        return not_running(named, &state, printer);
    }
    refuse_another_spec(&args.spec, &view)?;
    ask(&holder, &view, args.now, &state, printer)?;
    if let Some(help) = let_go_on(&holder) {
        printer.line(&format!("process {} hears of it when it goes on; {help}", holder.process().unwrap_or_default()));
    }
    if args.no_wait {
        return tell(&view, &state, printer);
    }
    wait(&holder, printer);
    tell(&view, &state, printer)
}

/// The engine that holds the folder, and its run.
fn running(state: &StateFolder) -> Result<Option<(Holder, RunView)>, Refusal> {
    for _ in 0..PATIENCE {
        let Some(holder) = Lock::holder(state.root()) else { return Ok(None) };
        if let Some(view) = newest(state)?.filter(|view| holder.runs(view.run.as_ref(), view.started)) {
            // One that has ended gives the folder back in a moment.
            return Ok(if view.finished.is_none() { Some((holder, view)) } else { None });
        }
        std::thread::sleep(EVERY);
    }
    let holder = Lock::holder(state.root()).map_or_else(String::new, |holder| format!(" ({holder})"));
    let message = format!("whoever uses `{}`{holder} has not begun a run yet", state.root().display());
    Err(Refusal::new(Exit::Unavailable, message).help("try again in a moment"))
}

/// The newest run of any spec of the folder, without its tasks.
fn newest(state: &StateFolder) -> Result<Option<RunView>, JournalError> {
    let journal = state.journal();
    let newest = read_only::runs(&journal)?.into_iter().next();
    newest.map(|run| Ok(RunView::of(&read_only::outline(&journal, &run)?))).transpose()
}

/// Specs of one folder share a state folder, and nobody means to stop the run of another.
fn refuse_another_spec(spec: &Path, view: &RunView) -> Result<(), Refusal> {
    let Some(asked) = &view.asked else { return Ok(()) };
    let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if whole(Path::new(&asked.path)) == whole(spec) {
        return Ok(());
    }
    let message = format!("no run of {} goes on: what runs is {}", spec.display(), view.spec);
    Err(Refusal::new(Exit::Wrong, message).help(format!("`pipe cancel {}` stops that one", view.spec)))
}

/// Asks once or, where the run is to end at once, until it has been asked twice in all.
fn ask(holder: &Holder, view: &RunView, now: bool, state: &StateFolder, printer: &Printer) -> Result<(), Refusal> {
    let name = runs::name(view);
    if view.interrupted && !now {
        printer.line(&format!("run {name} has been asked to stop before; `--now` kills what runs"));
        return Ok(());
    }
    if !view.interrupted {
        printer.line(&format!("asking {holder} to stop run {name}"));
        once(holder)?;
        if !now {
            return Ok(());
        }
        // The second would be one with the first if it came before the first was heard.
        let heard = || newest(state).ok().flatten().is_none_or(|view| view.interrupted || view.finished.is_some());
        let has_heard = (0..PATIENCE).any(|_| {
            let is_over = heard() || !holder.holds();
            if !is_over {
                std::thread::sleep(EVERY);
            }
            is_over
        });
        if !has_heard {
            printer.line("it has not heard the first word yet: ask again with `--now` once it goes on");
            return Ok(());
        }
    }
    once(holder)
}

fn once(holder: &Holder) -> Result<(), Refusal> {
    // One that is gone has stopped.
    holder.ask_to_end().map(drop).map_err(|error| {
        Refusal::new(Exit::Unavailable, format!("{holder} cannot be asked: {error}"))
            .help("ask as the user who started it, or where it runs")
    })
}

/// Waits until the folder is given back.
fn wait(holder: &Holder, printer: &Printer) {
    let mut was_stopped = holder.is_stopped();
    while holder.holds() {
        std::thread::sleep(EVERY);
        let help = let_go_on(holder);
        if let Some(help) = help.as_ref().filter(|_| !was_stopped) {
            printer.line(help);
        }
        was_stopped = help.is_some();
    }
}

fn not_running(named: Option<RunView>, state: &StateFolder, printer: &Printer) -> Result<Exit, Refusal> {
    let Some(view) = named.map_or_else(|| newest(state), |view| Ok(Some(view)))? else {
        return Err(Refusal::new(Exit::Wrong, format!("nothing has run in `{}` yet", state.root().display())));
    };
    printer.line("nothing to stop");
    tell(&view, state, printer)
}

/// How the run stands now.
fn tell(view: &RunView, state: &StateFolder, printer: &Printer) -> Result<Exit, Refusal> {
    let holder = Lock::holder(state.root());
    let Some(run) = &view.run else { return Ok(Exit::Done) };
    let view = runs::view(&state.journal(), run)?;
    let life = Life::of(&view, holder);
    if printer.json {
        printer.document(&json!({ "run": run, "state": life.word(), "counts": runs::counts(&view) }))?;
        return Ok(Exit::Done);
    }
    let word = printer.paint_err(life.style(), &life.told());
    let took = words::duration(view.heard.since(view.started));
    printer.line(&format!("run {run}: {word} after {took}: {}", runs::tally(&view, &life)));
    Ok(Exit::Done)
}
