//! `pipe logs`: a task's name -> what its newest attempt wrote.

use super::follow::Following;
use super::{again, matching};
use crate::args::LogsArgs;
use crate::exit::{Exit, Refusal};
use crate::life::Life;
use crate::paths;
use crate::printer::{Printer, Style};
use crate::runs;
use crate::tail;
use crate::wiring::Project;
use crate::words;
use pipe_engine::attempt::Attempt;
use pipe_engine::ids::{AttemptId, RunId};
use pipe_engine::state::Lock;
use pipe_engine::units::Millis;
use pipe_engine::worker::{ATTEMPT, read_attempt};
use pipe_engine::world::World;
use serde_json::json;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) fn run(args: &LogsArgs, printer: &Printer) -> Result<Exit, Refusal> {
    let (project, _) = Project::load(&args.spec, printer)?.grown(&World::real(), printer)?;
    if let Some(run) = going_on(&project)?.filter(|_| args.follow) {
        return follow(args, &project, &run, printer);
    }
    let tasks = matching(&project, &args.task)?;
    let kept = kept(&project.state.root().join("attempts"), &project.plan.name);
    let mut found = Vec::new();
    for task in tasks.iter().map(|index| &project.plan.task(*index).id) {
        let of_task = kept.iter().filter(|kept| kept.attempt.task == *task);
        let wanted = of_task.filter(|kept| args.attempt.is_none_or(|n| number(&kept.attempt.id) == Some(n)));
        found.extend(wanted.max_by_key(|kept| kept.begun));
    }
    if found.is_empty() {
        return Err(nothing(args, &kept, tasks.len()));
    }
    found.retain(|kept| is_since(&kept.folder.join("log"), args.since));
    if let Some(since) = args.since.filter(|_| found.is_empty()) {
        let since = words::duration(Duration::from_millis(since.0));
        printer.line(&format!("`{}` wrote nothing in the last {since}", args.task));
    }
    show(&found, args, printer)?;
    Ok(Exit::Done)
}

/// The run of the project's own that goes on.
fn going_on(project: &Project) -> Result<Option<RunId>, Refusal> {
    let holder = Lock::holder(project.state.root());
    let newest = runs::of(&project.state.journal(), Some(&project.plan.name))?.next().transpose()?;
    let going_on = newest.filter(|view| matches!(Life::of(view, holder), Life::Running(_)));
    Ok(going_on.and_then(|view| view.run))
}

fn follow(args: &LogsArgs, project: &Project, run: &RunId, printer: &Printer) -> Result<Exit, Refusal> {
    let stage = args.task.split('[').next().unwrap_or(&args.task);
    // Its tasks come to be known while the run goes on.
    let is_waiting = project.plan.stages.iter().any(|known| known.name == stage && known.waits_for.is_some());
    let tasks = if is_waiting {
        None
    } else {
        let tasks = matching(project, &args.task)?.into_iter();
        Some(tasks.map(|index| project.plan.task(index).id.to_string()).collect::<Vec<_>>())
    };
    let are_several = tasks.as_ref().is_none_or(|tasks| tasks.len() > 1);
    let lines = Lines { run, are_several, printer };
    Following { args, state: &project.state, lines, tasks }.until_they_end(run)
}

/// How the lines of a run's attempts are printed as they come.
pub(super) struct Lines<'a> {
    run: &'a RunId,
    are_several: bool,
    printer: &'a Printer,
}

impl Lines<'_> {
    /// Says whose lines come now, where they do not say it themselves.
    pub(super) fn header(&self, task: &str, log: &Path) {
        if !self.are_several && !self.printer.json {
            let header = header(task, self.run, &paths::from_here(log));
            self.printer.line(&self.printer.paint_err(Style::Strong, &header));
        }
    }

    /// One line.
    pub(super) fn print(&self, task: &str, attempt: &AttemptId, line: &str) -> io::Result<()> {
        if self.printer.json {
            let line = json!({ "task": task, "attempt": attempt, "run": self.run, "line": line });
            return self.printer.data(&format!("{line}\n"));
        }
        let before = if self.are_several { prefix(task, self.printer) } else { String::new() };
        self.printer.data(&format!("{before}{line}\n"))
    }
}

fn header(task: &str, run: &RunId, place: &str) -> String {
    format!("== {task} (run {run}, {place})")
}

fn prefix(task: &str, printer: &Printer) -> String {
    format!("{} ", printer.paint_out(Style::Faint, &format!("{task} |")))
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
fn number(attempt: &AttemptId) -> Option<u32> {
    attempt.0.rsplit('-').next()?.parse().ok()
}

/// Whether something was written to a log within that time before now. Lines have no times of their own.
pub(super) fn is_since(log: &Path, since: Option<Millis>) -> bool {
    let Some(since) = since else { return true };
    let Ok(written) = fs::metadata(log).and_then(|meta| meta.modified()) else { return false };
    let written = written.duration_since(UNIX_EPOCH).unwrap_or_default();
    written.as_millis() + u128::from(since.0) >= u128::from(World::real().now().0)
}

fn show(found: &[&Kept], args: &LogsArgs, printer: &Printer) -> Result<(), Refusal> {
    let mut documents = Vec::new();
    for Kept { attempt, folder, .. } in found {
        let path = folder.join("log");
        let log = read_log(&path)?;
        let log = args.tail.map_or(&*log, |lines| tail::last(&log, lines));
        let (task, place) = (attempt.task.to_string(), paths::from_here(&path));
        if printer.json {
            documents.push(json!({
                "task": task, "attempt": attempt.id, "run": attempt.run, "path": place, "log": log,
            }));
            continue;
        }
        printer.line(&printer.paint_err(Style::Strong, &header(&task, &attempt.run, &place)));
        if log.is_empty() {
            printer.line("(it wrote nothing)");
        }
        match found {
            [_] => printer.data(log)?,
            _ => printer.data(&prefixed(log, &prefix(&task, printer)))?,
        }
    }
    if printer.json {
        printer.document(&documents)?;
    }
    Ok(())
}

fn prefixed(log: &str, prefix: &str) -> String {
    log.lines().map(|line| format!("{prefix}{line}\n")).collect()
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
        let mut numbers: Vec<u32> = of_tasks.filter_map(|kept| number(&kept.attempt.id)).collect();
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
