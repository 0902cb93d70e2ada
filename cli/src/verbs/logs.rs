//! `pipe logs`: a task's name -> what its newest attempt wrote.

use super::follow::Following;
use super::lines::{Lines, Whole, each_piece, stream};
use super::{again, matching};
use crate::args::LogsArgs;
use crate::exit::{Exit, Refusal};
use crate::failed;
use crate::life::Life;
use crate::paths;
use crate::printer::Printer;
use crate::runs;
use crate::tail::Tail;
use crate::wiring::Project;
use crate::words;
use pipe_engine::event::JobPage;
use pipe_engine::failure::Failure;
use pipe_engine::ids::{AttemptId, RunId, TaskId};
use pipe_engine::report::RunView;
use pipe_engine::state::{Lock, Tried, tried};
use pipe_engine::units::Millis;
use pipe_engine::world::World;
use serde::Serialize;
use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

pub(crate) fn run(args: &LogsArgs, printer: &Printer) -> Result<Exit, Refusal> {
    let (project, _) = Project::load(&args.spec, printer)?.grown(&World::real(), printer)?;
    if args.follow
        && let Some(run) = going_on(&project)?
    {
        return follow(args, &project, &run, printer);
    }
    let tasks: Vec<&TaskId> =
        matching(&project, &args.task)?.into_iter().map(|task| &project.plan.task(task).id).collect();
    let mut found = newest(&project, &tasks, args.attempt)?;
    if found.is_empty() {
        return Err(nothing(args, &project, &tasks));
    }
    found.retain(|kept| is_since(&kept.log, args.since));
    if let Some(since) = args.since.filter(|_| found.is_empty()) {
        let since = words::duration(Duration::from_millis(since.0));
        printer.line(&format!("`{}` wrote nothing in the last {since}", args.task));
    }
    if printer.json {
        documents(&found, args.tail)?
    } else {
        texts(&found, args.tail, printer)?
    }
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
    Following { args, state: &project.state, lines: Lines { are_several, printer }, tasks }.until_they_end(run)
}

/// An attempt that left its folder, or that has a job elsewhere.
struct Kept {
    tried: Tried,
    log: PathBuf,
    elsewhere: Option<Elsewhere>,
}

/// What the journal has of an attempt elsewhere.
struct Elsewhere {
    page: JobPage,
    failure: Option<Failure>,
}

/// What journals tell of attempts elsewhere. Each run is read once, and none of a spec that has no place but this machine.
struct Jobs<'a> {
    project: &'a Project,
    runs: HashMap<RunId, Option<RunView>>,
}

impl Jobs<'_> {
    fn of(&mut self, tried: &Tried) -> Option<Elsewhere> {
        if self.project.plan.places.len() == 1 {
            return None;
        }
        let read = || runs::view(&self.project.state.journal(), &tried.run).ok();
        let view = self.runs.entry(tried.run.clone()).or_insert_with(read).as_ref()?;
        let attempts = &view.tasks.get(&tried.task)?.attempts;
        let attempt = attempts.iter().rev().find(|attempt| attempt.id.as_ref() == Some(&tried.attempt))?;
        Some(Elsewhere { page: attempt.page.clone()?, failure: attempt.failure.clone() })
    }
}

/// Of each task the newest attempt that left anything, or the newest of this number.
fn newest(project: &Project, tasks: &[&TaskId], wanted: Option<u32>) -> Result<Vec<Kept>, Refusal> {
    let mut found: HashMap<String, Kept> = HashMap::new();
    let mut jobs = Jobs { project, runs: HashMap::new() };
    tried(&project.state.journal(), &project.plan.name, tasks.iter().copied(), |tried| {
        let is_wanted = wanted.is_none_or(|n| number(&tried.attempt) == Some(n)) && !found.contains_key(&tried.task);
        if is_wanted {
            let (folder, elsewhere) = (project.state.attempt(&tried.attempt), jobs.of(&tried));
            if folder.is_dir() || elsewhere.is_some() {
                found.insert(tried.task.clone(), Kept { tried, log: folder.join("log"), elsewhere });
            }
        }
        if found.len() == tasks.len() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(tasks.iter().filter_map(|task| found.remove(&task.to_string())).collect())
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

fn texts(found: &[Kept], tail: Option<usize>, printer: &Printer) -> Result<(), Refusal> {
    let lines = Lines { are_several: found.len() > 1, printer };
    for Kept { tried, log, elsewhere } in found {
        lines.header(&tried.task, &tried.run, &paths::from_here(log));
        let paint = |style, text: &str| printer.paint_err(style, text);
        elsewhere.iter().for_each(|job| printer.line(failed::job(paint, &job.page).trim_start_matches('\n')));
        let (mut has_any, mut is_read) = (false, true);
        let printed = each_piece(&mut Tail::new(log.clone()), tail, &mut |piece| {
            has_any = true;
            is_read = lines.text(&tried.task, piece)?;
            Ok(is_read)
        });
        printed.map_err(|error| unreadable(log, &error))?;
        if !is_read {
            return Ok(());
        }
        match elsewhere {
            _ if has_any => {}
            Some(Elsewhere { page, failure: Some(failure) }) => {
                printer.line(&failed::block(paint, &tried.task, failure, Some(&page.log)));
            }
            _ => printer.line("(it wrote nothing)"),
        }
    }
    Ok(())
}

/// What `--json` tells of an attempt.
#[derive(Serialize)]
struct Document<'a> {
    attempt: &'a AttemptId,
    /// Why it failed, where it ran elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<&'a Failure>,
    /// Where its job is found, where it ran elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<&'a JobPage>,
    log: Whole,
    path: String,
    run: &'a RunId,
    task: &'a str,
}

impl Kept {
    fn document(&self, tail: Option<usize>) -> Document<'_> {
        let Tried { attempt, run, task } = &self.tried;
        let log = Whole { path: self.log.clone(), tail, failed: Cell::new(None) };
        let (job, failure) = match &self.elsewhere {
            Some(Elsewhere { page, failure }) => (Some(page), failure.as_ref()),
            None => (None, None),
        };
        Document { attempt, failure, job, log, path: paths::from_here(&self.log), run, task }
    }
}

fn documents(found: &[Kept], tail: Option<usize>) -> Result<(), Refusal> {
    let documents: Vec<Document<'_>> = found.iter().map(|kept| kept.document(tail)).collect();
    stream(&documents)?;
    let failed =
        documents.iter().zip(found).find_map(|(document, kept)| Some((document.log.failed.take()?, &kept.log)));
    failed.map_or(Ok(()), |(error, log)| Err(unreadable(log, &error)))
}

fn unreadable(log: &Path, error: &io::Error) -> Refusal {
    Refusal::new(Exit::Unavailable, format!("cannot read {}: {error}", log.display()))
}

/// Why there is no log of tasks that exist.
fn nothing(args: &LogsArgs, project: &Project, tasks: &[&TaskId]) -> Refusal {
    let spec = again(&args.spec);
    let what = &args.task;
    if let Some(n) = args.attempt {
        let mut numbers = BTreeSet::new();
        let all = tried(&project.state.journal(), &project.plan.name, tasks.iter().copied(), |tried| {
            numbers.extend(number(&tried.attempt).filter(|_| project.state.attempt(&tried.attempt).is_dir()));
            ControlFlow::Continue(())
        });
        if let Err(error) = all {
            return error.into();
        }
        let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
        let help =
            if numbers.is_empty() { "there are none".into() } else { format!("there are {}", numbers.join(", ")) };
        return Refusal::new(Exit::Wrong, format!("`{what}` has no attempt {n} here")).help(help);
    }
    let never = if tasks.len() == 1 { "it has not run here" } else { "none of them has run here" };
    Refusal::new(Exit::Wrong, format!("there is no log of `{what}`: {never}")).help(format!(
        "a result that was found in the store has no log of its own; `pipe explain {spec} '{what}'` tells where it is from"
    ))
}
