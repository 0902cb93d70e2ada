//! `pipe status`: the journal's events of one run -> how it stands. Looks only; a run that goes on is not disturbed.

use super::{again, beside, causes, watch};
use crate::args::StatusArgs;
use crate::exit::{Exit, Refusal, let_go_on};
use crate::failed;
use crate::life::Life;
use crate::paths;
use crate::printer::{Printer, Style};
use crate::progress::note;
use crate::runs;
use crate::standing::word;
use crate::table::{self, Entry, left, right};
use crate::wiring::Project;
use crate::words;
use indexmap::IndexMap;
use pipe_engine::report::{RunView, Standing, TaskView};
use pipe_engine::state::{Lock, StateFolder};
use pipe_engine::world::{Timestamp, World};
use serde_json::json;

/// Longer lines of parameters are cut; `--json` has them whole.
const WIDEST: usize = 100;
/// Running tasks of which it is told how far they are.
const MOST_GOING_ON: usize = 8;

pub(crate) fn run(args: &StatusArgs, printer: &Printer) -> Result<Exit, Refusal> {
    let project = Project::load(&args.spec, printer)?;
    let (journal, pipeline) = (project.state.journal(), Some(project.plan.name.as_str()));
    let place = beside(&args.spec.spec, args.spec.given.state.as_ref());
    let holder = Lock::holder(project.state.root());
    let view = match &args.run {
        Some(wanted) => runs::named(&journal, pipeline, wanted)?,
        None => runs::of(&journal, pipeline)?.next().ok_or_else(|| never_run(&again(&args.spec)))??,
    };
    if let (true, Some(run)) = (args.watch, &view.run) {
        return watch::until_it_ends(run, &project.state, &place, printer);
    }
    let life = Life::of(&view, holder);
    if printer.json {
        let document = json!({ "state": life.word(), "run": view });
        printer.document(&document)?;
        return Ok(Exit::Done);
    }
    if args.tasks {
        let told = headline(&view, &life, World::real().now(), printer) + &causes::one_by_one(&view, printer);
        printer.data(&told)?;
        return Ok(Exit::Done);
    }
    printer.data(&text(&view, &life, &project.state, &place, printer))?;
    Ok(Exit::Done)
}

/// All that is told of a run.
pub(super) fn text(view: &RunView, life: &Life, state: &StateFolder, spec: &str, printer: &Printer) -> String {
    let now = World::real().now();
    let mut text = headline(view, life, now, printer);
    text.push_str(&origin(view, printer));
    text.push_str(&format!("\n{}", table::lines(printer, &rows(view, now))));
    if matches!(life, Life::Running(_)) {
        text.push_str(&going_on(view, state, now, printer));
        text.push_str(&jobs(view, printer));
    }
    text.push_str(&causes::in_short(view, printer));
    text.push_str(&losses(view, printer));
    text.push_str(&failures(view, state, printer));
    if let (Life::Running(_), Some(left)) = (life, view.disk_full) {
        let title = printer.paint_out(Style::Warning, "disk full:");
        text.push_str(&format!("\n{title} {}\n", words::disk_full(state.root(), left)));
    }
    text.push_str(&advice(view, life, spec));
    text
}

pub(super) fn never_run(spec: &str) -> Refusal {
    Refusal::new(Exit::Wrong, format!("{spec} was never run")).help(format!("pipe run {spec}"))
}

/// `run 20261121-235414-71d2 of demo: done in 3.2 s, began 2026-11-21 23:54:14`.
fn headline(view: &RunView, life: &Life, now: Timestamp, printer: &Printer) -> String {
    let until = if matches!(life, Life::Running(_)) { now } else { view.heard };
    let took = words::duration(until.since(view.started));
    let word = printer.paint_out(life.style(), &life.told());
    let run = view.run.as_ref().map_or("?", |run| run.0.as_str());
    format!("run {run} of {}: {word} after {took}, began {}\n", view.pipeline, view.started.to_local())
}

/// What the run was made of: commit, parameters.
fn origin(view: &RunView, printer: &Printer) -> String {
    let params: Vec<String> = view.params.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    let slot = view.slot.map(Timestamp::to_local);
    let commit = view.revision.as_ref().map(words::revision);
    let parts = [("slot", slot), ("commit", commit), ("params", Some(params.join(", ")))];
    let told = parts.into_iter().filter_map(|(name, told)| Some((name, told.filter(|told| !told.is_empty())?)));
    told.map(|(name, told)| format!("  {}  {}\n", printer.paint_out(Style::Faint, name), words::cut(&told, WIDEST)))
        .collect()
}

pub(crate) fn advice(view: &RunView, life: &Life, spec: &str) -> String {
    let resume = format!("`pipe resume {spec}{}`", view.run.as_ref().map_or_else(String::new, |run| format!(" {run}")));
    match life {
        Life::Running(holder) => let_go_on(holder).map_or_else(String::new, |help| format!("\n{help}\n")),
        Life::Died => format!("\nrun it again: {resume} keeps what is finished and does the rest\n"),
        Life::Interrupted | Life::Stopped(_) => format!("\n{resume} does the rest\n"),
        Life::Failed => format!("\n`pipe rerun {spec} --failed` does what failed and what follows it\n"),
        Life::Done => String::new(),
    }
}

/// What the tasks of one stage come to.
#[derive(Default)]
struct Tally {
    standings: IndexMap<String, u64>,
    attempts: u64,
    items: u64,
    /// Items that tasks which ended well go without.
    lost: u64,
    /// The most memory one of its attempts was seen to hold.
    memory: u64,
    began: Option<Timestamp>,
    ended: Timestamp,
}

impl Tally {
    fn add(&mut self, task: &TaskView, now: Timestamp) {
        let why = task.skip.and_then(words::skip).map_or_else(String::new, |why| format!(" ({why})"));
        *self.standings.entry(format!("{}{why}", word(task.standing))).or_default() += 1;
        self.attempts += task.attempts.len() as u64;
        for attempt in &task.attempts {
            self.items += attempt.items.made;
            self.lost += if attempt.failure.is_none() { attempt.items.failed } else { 0 };
            self.memory = self.memory.max(attempt.usage.map_or(0, |usage| usage.memory_peak));
            self.began = Some(self.began.map_or(attempt.started, |began| began.min(attempt.started)));
            self.ended = self.ended.max(attempt.ended.unwrap_or(now));
        }
    }
}

fn rows(view: &RunView, now: Timestamp) -> Vec<Vec<Entry>> {
    // A run that no longer goes on was last heard of at its newest event.
    let now = if view.finished.is_some() { view.heard } else { now };
    let mut stages: IndexMap<&str, Tally> = IndexMap::new();
    for (name, task) in &view.tasks {
        stages.entry(name.split('[').next().unwrap_or(name)).or_default().add(task, now);
    }
    let mut rows = vec![vec![
        left(Style::Strong, "stage"),
        left(Style::Strong, "tasks"),
        right(Style::Strong, "attempts"),
        // Few stages count items; a column of nothing says nothing.
        right(Style::Strong, if stages.values().any(|tally| tally.items > 0) { "items" } else { "" }),
        right(Style::Strong, if stages.values().any(|tally| tally.memory > 0) { "memory" } else { "" }),
        right(Style::Strong, "time"),
    ]];
    rows.extend(stages.iter().map(|(name, tally)| row(name, tally)));
    let unheard = view.planned.saturating_sub(view.tasks.len() as u64);
    if unheard > 0 {
        rows.push(vec![left(Style::Faint, "(others)"), left(Style::Faint, format!("{unheard} not begun"))]);
    }
    rows
}

fn row(name: &str, tally: &Tally) -> Vec<Entry> {
    let standings: Vec<String> = tally.standings.iter().map(|(word, n)| format!("{n} {word}")).collect();
    let standings: Vec<String> =
        standings.into_iter().chain((tally.lost > 0).then(|| format!("without {} items", tally.lost))).collect();
    let style = match (tally.standings.contains_key("failed"), tally.lost) {
        (true, _) => Style::Error,
        (false, 0) => Style::Plain,
        (false, _) => Style::Warning,
    };
    let number = |n: u64| right(Style::Plain, if n == 0 { String::new() } else { n.to_string() });
    let time = tally.began.map_or_else(String::new, |began| words::duration(tally.ended.since(began)));
    vec![
        left(Style::Plain, name),
        left(style, standings.join(", ")),
        number(tally.attempts),
        number(tally.items),
        right(Style::Plain, if tally.memory == 0 { String::new() } else { words::bytes(tally.memory) }),
        right(Style::Faint, time),
    ]
}

/// How far the tasks are that run and tell it.
fn going_on(view: &RunView, state: &StateFolder, now: Timestamp, printer: &Printer) -> String {
    let told = view.run.as_ref().map(|run| note::newest(state, run)).unwrap_or_default();
    let began = |task: &str| Some(view.tasks.get(task)?.attempts.last()?.started);
    let rows = told.iter().filter_map(|(task, event)| {
        let far = note::how_far(event, began(task)?, now);
        Some(vec![left(Style::Plain, format!("  {task}")), left(Style::Faint, far)])
    });
    let rows: Vec<Vec<Entry>> = rows.take(MOST_GOING_ON).collect();
    let title = printer.paint_out(Style::Strong, "how far tasks are");
    if rows.is_empty() { String::new() } else { format!("\n{title}\n{}", table::lines(printer, &rows)) }
}

/// The jobs elsewhere of tasks that are not over, and where a person finds each.
fn jobs(view: &RunView, printer: &Printer) -> String {
    let open = view.tasks.iter().filter(|(_, task)| matches!(task.standing, Standing::Running | Standing::Submitted));
    let rows = open.filter_map(|(name, task)| {
        let page = task.attempts.last()?.page.as_ref()?;
        let job = page.job.rsplit('/').next().unwrap_or(&page.job);
        let name = left(Style::Plain, format!("  {name}"));
        Some(vec![
            name,
            left(Style::Plain, word(task.standing)),
            left(Style::Plain, job),
            left(Style::Faint, &page.link),
        ])
    });
    let rows: Vec<Vec<Entry>> = rows.take(MOST_GOING_ON).collect();
    let title = printer.paint_out(Style::Strong, "jobs elsewhere");
    if rows.is_empty() { String::new() } else { format!("\n{title}\n{}", table::lines(printer, &rows)) }
}

/// The items that tasks go without, with as much of the reasons as their stages tell.
fn losses(view: &RunView, printer: &Printer) -> String {
    let mut text = String::new();
    for (name, task) in &view.tasks {
        let items = task.attempts.last().filter(|attempt| attempt.failure.is_none()).map(|attempt| attempt.items);
        let Some(items) = items.filter(|items| items.failed > 0) else { continue };
        let total = items.made + items.reused + items.failed;
        let title = printer.paint_out(Style::Warning, "items failed:");
        text.push_str(&format!("\n{title} {name} goes without {} of {total}\n", items.failed));
        let reasons = task.result["failures"].as_array().into_iter().flatten().filter_map(|reason| reason.as_str());
        reasons.for_each(|reason| text.push_str(&format!("  {}\n", words::cut(reason, WIDEST))));
    }
    text
}

fn failures(view: &RunView, state: &StateFolder, printer: &Printer) -> String {
    let mut text = String::new();
    for (name, task) in &view.tasks {
        let Some(failure) = &task.failure else { continue };
        let attempt = task.attempts.last();
        let page = attempt.and_then(|attempt| attempt.page.as_ref());
        let log = attempt.and_then(|attempt| Some(state.attempt(attempt.id.as_ref()?).join("log")));
        let log = log.filter(|log| log.exists()).map(|log| paths::from_here(&log));
        // Of a container that never started its provider alone knows anything.
        let log = log.or_else(|| page.map(|page| page.log.clone()));
        let paint = |style, text: &str| printer.paint_out(style, text);
        let block = failed::block(paint, name, failure, log.as_ref());
        let job = page.map_or_else(String::new, |page| failed::job(paint, page));
        text.push_str(&format!("\n{block}{job}\n"));
    }
    text
}
