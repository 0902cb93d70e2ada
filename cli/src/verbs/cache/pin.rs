//! `pipe cache pin` and `unpin`: results that `gc` keeps whatever it is told.

use super::project;
use crate::args::{PinArgs, UnpinArgs};
use crate::exit::{Exit, Refusal};
use crate::forecast::{Forecast, Forecasts};
use crate::printer::Printer;
use crate::rooms::share;
use crate::verbs::matching;
use crate::wiring::Project;
use pipe_engine::gc::pins::{self, Pin};
use pipe_engine::ids::{Fingerprint, TaskId};
use pipe_engine::store::{Folder, Results};
use pipe_engine::world::World;
use serde_json::json;

/// Fewer digits may be the beginning of several keys, or of a stage's name.
const FEWEST: usize = 6;

pub(crate) fn run(args: &PinArgs, printer: &Printer) -> Result<Exit, Refusal> {
    let world = World::real();
    let project = project(&args.spec, printer)?;
    let (store, pipeline) = (Folder::open(&project.plan.store)?, project.plan.name.clone());
    let _hold = share(&store, printer)?;
    let results = match by_key(&store, &args.what)? {
        Some(result) => vec![result],
        None => current(project, &args.what, &world, printer)?,
    };
    let names = names(&store, args.name.as_deref(), &results)?;
    for (name, (fingerprint, task)) in names.iter().zip(&results) {
        pins::put(&store, name, &Pin::new(fingerprint.clone(), &pipeline, task.clone(), world.now()))?;
    }
    let told = names.iter().zip(&results).map(|(name, (fingerprint, task))| (name, fingerprint, task));
    if printer.json {
        let pin = |(name, fingerprint, task): (&String, &Fingerprint, &TaskId)| json!({ "name": name, "fingerprint": fingerprint, "task": task.to_string() });
        printer.document(&told.map(pin).collect::<Vec<_>>())?;
    } else {
        let lines = told.map(|(name, print, task)| format!("{task}: {} is pinned as {name}\n", print.short(12)));
        printer.data(&lines.collect::<String>())?;
    }
    Ok(Exit::Done)
}

pub(crate) fn unpin(args: &UnpinArgs, printer: &Printer) -> Result<Exit, Refusal> {
    let project = project(&args.spec, printer)?;
    let store = Folder::open(&project.plan.store)?;
    let all = pins::all(&store)?;
    let what = args.what.as_str();
    let meant = |(name, pin): &(&String, &Pin)| {
        let by_key = what.len() >= FEWEST && pin.fingerprint.0.starts_with(what);
        *name == what || by_key || pin.pipeline == project.plan.name && pin.task.matches(what)
    };
    let found: Vec<(&String, &Pin)> = all.iter().filter(meant).collect();
    if found.is_empty() {
        let names = all.keys().take(8).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let there = if names.is_empty() { "there are none".to_owned() } else { format!("there are {names}") };
        return Err(Refusal::new(Exit::Wrong, format!("no pin is named `{what}`, or of such a task")).help(there));
    }
    for (name, _) in &found {
        pins::take(&store, name)?;
    }
    if printer.json {
        printer.document(&found.iter().map(|(name, _)| name).collect::<Vec<_>>())?;
    } else {
        let lines = found.iter().map(|(name, pin)| format!("{}: {name} is no longer pinned\n", pin.task));
        printer.data(&lines.collect::<String>())?;
    }
    Ok(Exit::Done)
}

/// The result whose key begins so.
fn by_key(store: &Folder, what: &str) -> Result<Option<(Fingerprint, TaskId)>, Refusal> {
    let is_key = what.len() >= FEWEST && what.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if !is_key {
        return Ok(None);
    }
    let found = Results::of(store).peek_starting(what)?;
    Ok(found.map(|manifest| (manifest.fingerprint, manifest.provenance.task)))
}

/// The current results of the tasks that a pattern names.
fn current(
    project: Project,
    pattern: &str,
    world: &World,
    printer: &Printer,
) -> Result<Vec<(Fingerprint, TaskId)>, Refusal> {
    let (project, finder) = project.grown(world, printer)?;
    let tasks = matching(&project, pattern)?;
    let forecasts = Forecasts::of(&project.plan, &finder);
    let hit = |task: &usize| match forecasts.task(*task) {
        Forecast::Hit(fingerprint) => Some((fingerprint.clone(), project.plan.task(*task).id.clone())),
        _ => None,
    };
    let found: Vec<_> = tasks.iter().filter_map(hit).collect();
    if found.is_empty() {
        let message = format!("`{pattern}` has no current result that could be pinned");
        return Err(Refusal::new(Exit::Wrong, message).help("`pipe cache ls` lists the results that are there"));
    }
    Ok(found)
}

/// The name of each pin. One that is taken by another result is refused.
fn names(store: &Folder, asked: Option<&str>, results: &[(Fingerprint, TaskId)]) -> Result<Vec<String>, Refusal> {
    let Some(name) = asked else {
        return Ok(results.iter().map(|(fingerprint, _)| fingerprint.short(20).to_owned()).collect());
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.starts_with('.') || !name.chars().all(is_plain) {
        return Err(Refusal::new(Exit::Wrong, format!("`{name}` cannot be the name of a pin"))
            .help("use letters, digits, `-`, `_` and `.`"));
    }
    let [(fingerprint, _)] = results else {
        let message = format!("{} results are meant, and one can be named `{name}`", results.len());
        return Err(Refusal::new(Exit::Wrong, message).help("name one task, or leave `--name` out"));
    };
    match pins::all(store)?.get(name) {
        Some(pin) if pin.fingerprint != *fingerprint => {
            let message = format!("`{name}` pins another result, of {}", pin.task);
            Err(Refusal::new(Exit::Wrong, message).help(format!("`pipe cache unpin SPEC {name}` lets go of it")))
        }
        _ => Ok(vec![name.to_owned()]),
    }
}
