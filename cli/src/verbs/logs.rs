//! `pipe logs`: a task's name -> what its newest attempt wrote.

use super::{again, matching};
use crate::args::LogsArgs;
use crate::exit::{Exit, Refusal};
use crate::paths;
use crate::printer::{Printer, Style};
use crate::wiring::Project;
use pipe_engine::attempt::Attempt;
use pipe_engine::worker::{ATTEMPT, read_attempt};
use pipe_engine::world::World;
use serde_json::json;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub(crate) fn run(args: &LogsArgs, printer: &Printer) -> Result<Exit, Refusal> {
    let (project, _) = Project::load(&args.spec, printer)?.grown(&World::real(), printer)?;
    let tasks = matching(&project, &args.task)?;
    let kept = kept(&project.state.root().join("attempts"), &project.plan.name);
    let mut found = Vec::new();
    for task in tasks.iter().map(|index| &project.plan.task(*index).id) {
        let of_task = kept.iter().filter(|kept| kept.attempt.task == *task);
        let wanted = of_task.filter(|kept| args.attempt.is_none_or(|n| number(&kept.attempt) == Some(n)));
        found.extend(wanted.max_by_key(|kept| kept.begun));
    }
    if found.is_empty() {
        return Err(nothing(args, &kept, tasks.len()));
    }
    show(&found, printer)?;
    Ok(Exit::Done)
}

/// An attempt that left its folder.
struct Kept {
    attempt: Attempt,
    folder: PathBuf,
    begun: SystemTime,
}

/// All attempts of the pipeline whose folders are there. One that cannot be read is of another version and tells us
/// nothing.
fn kept(attempts: &Path, pipeline: &str) -> Vec<Kept> {
    let folders = fs::read_dir(attempts).into_iter().flatten().flatten().map(|entry| entry.path());
    let read = |folder: PathBuf| {
        let attempt = read_attempt(&folder).ok()?;
        let begun = fs::metadata(folder.join(ATTEMPT)).and_then(|meta| meta.modified()).ok()?;
        Some(Kept { attempt, folder, begun })
    };
    folders.filter_map(read).filter(|kept| kept.attempt.pipeline == pipeline).collect()
}

/// The number at the end of an attempt's name.
fn number(attempt: &Attempt) -> Option<u32> {
    attempt.id.0.rsplit('-').next()?.parse().ok()
}

fn show(found: &[&Kept], printer: &Printer) -> Result<(), Refusal> {
    let mut documents = Vec::new();
    for Kept { attempt, folder, .. } in found {
        let path = folder.join("log");
        let log = read_log(&path)?;
        let place = paths::from_here(&path);
        if printer.json {
            documents.push(json!({
                "task": attempt.task.to_string(), "attempt": attempt.id, "run": attempt.run, "path": place, "log": log,
            }));
            continue;
        }
        let header = format!("== {} (run {}, {place})", attempt.task, attempt.run);
        printer.line(&printer.paint_err(Style::Strong, &header));
        if log.is_empty() {
            printer.line("(it wrote nothing)");
        }
        printer.data(&log)?;
    }
    if printer.json {
        printer.document(&documents)?;
    }
    Ok(())
}

/// A log need not be text. One that is not there belongs to an attempt that never started.
fn read_log(path: &Path) -> Result<String, Refusal> {
    match fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Refusal::new(Exit::Unavailable, format!("cannot read {}: {error}", path.display()))),
    }
}

/// Why there is no log of tasks that exist.
fn nothing(args: &LogsArgs, kept: &[Kept], tasks: usize) -> Refusal {
    let spec = again(&args.spec);
    let what = &args.task;
    if let Some(n) = args.attempt {
        let of_tasks = kept.iter().filter(|kept| kept.attempt.task.matches(what));
        let mut numbers: Vec<u32> = of_tasks.filter_map(|kept| number(&kept.attempt)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
        let help =
            if numbers.is_empty() { "there are none".into() } else { format!("there are {}", numbers.join(", ")) };
        return Refusal::new(Exit::Wrong, format!("`{what}` has no attempt {n} here")).help(help);
    }
    let never = if tasks == 1 { "it has not run here" } else { "none of them has run here" };
    Refusal::new(Exit::Wrong, format!("there is no log of `{what}`: {never}")).help(format!(
        "a result that was found in the store has no log of its own; `pipe explain {spec} '{what}'` tells where it is from"
    ))
}
