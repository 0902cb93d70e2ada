//! A run that ended -> the last lines a person reads: how it went, and where things are now.

use crate::bills::sum;
use crate::paths;
use crate::printer::{Printer, Style};
use crate::words;
use pipe_engine::event::{Counts, RunLimit};
use pipe_engine::lookup::Finder;
use pipe_engine::plan::{Part, Plan, Task};
use pipe_engine::run::Finished;
use pipe_engine::state::{Bill, StateFolder};
use std::collections::HashMap;
use std::time::Duration;

/// Kinds whose results people look at even when other stages follow.
const SHOWN_KINDS: [&str; 3] = ["extract-clips", "format-jsonl", "train"];
/// How many numbers of a result are told.
const FACTS: usize = 5;

/// All that is told of a run that ended.
pub(crate) struct Ended<'a> {
    pub(crate) plan: &'a Plan,
    /// How many tasks of each stage are not in the plan and have their results.
    pub(crate) beside: &'a HashMap<String, u64>,
    pub(crate) finder: &'a Finder,
    pub(crate) state: &'a StateFolder,
    pub(crate) finished: &'a Finished,
    pub(crate) took: Duration,
    /// The arguments that lead here again.
    pub(crate) spec: String,
    /// The arguments that lead to what is known of this run.
    pub(crate) place: String,
}

impl Ended<'_> {
    pub(crate) fn tell(&self, printer: &Printer) {
        let counts = self.finished.counts;
        let tasks = self.plan.asked().count() as u64 + self.beside.values().sum::<u64>();
        // Without a failure, what was skipped is what nobody wanted.
        if counts.cached + counts.skipped >= tasks && counts.succeeded + counts.failed + counts.cancelled == 0 {
            return printer.line(&nothing_to_do(counts, tasks, self.took));
        }
        let (style, word) = self.verdict();
        let took = words::duration(self.took);
        printer.line(&format!("\n{} in {took}: {}", printer.paint_err(style, word), told(&counts)));
        self.places(printer);
        self.left(printer);
        self.cost(printer);
        self.next_steps(printer);
    }

    /// What a run that had no money for all of it has left.
    fn left(&self, printer: &Printer) {
        if self.finished.limit != Some(RunLimit::Cost) {
            return;
        }
        let by_stage = self.plan.stages.iter().zip(self.plan.by_stage());
        let told = by_stage.filter_map(|(stage, tasks)| {
            let is_left = |task: &&usize| self.plan.part(**task) != Part::Out && self.finished.known[**task].is_none();
            let left = tasks.iter().filter(is_left).count() as u64;
            (left > 0).then(|| format!("{} of {}", words::count(left, "task"), stage.name))
        });
        let told = told.collect::<Vec<_>>().join(", ");
        let width = self.width();
        printer.line(&format!("  {}  {told}", printer.paint_err(Style::Faint, &format!("{:width$}", "left"))));
    }

    /// What somebody pays for it.
    fn cost(&self, printer: &Printer) {
        let plan = self.plan;
        if !plan.stages.iter().any(|stage| plan.places[stage.backend].capability.is_priced) {
            return;
        }
        // The run is over and well: its cost alone may be missing.
        let bills = Bill::all(&self.state.journal()).unwrap_or_default();
        let sum = sum(bills.iter().filter(|bill| bill.run == self.finished.run));
        if sum.attempts > 0 {
            let (attempts, width) = (words::count(sum.attempts, "attempt"), self.width());
            let name = printer.paint_err(Style::Faint, &format!("{:width$}", "cost"));
            printer.line(&format!("  {name}  {} for {attempts} elsewhere", sum.told()));
        }
    }

    fn verdict(&self) -> (Style, &'static str) {
        match self.finished {
            Finished { limit: Some(limit), .. } => (Style::Warning, words::stopped_by(*limit)),
            Finished { interrupted: true, .. } => (Style::Warning, "interrupted"),
            Finished { counts, .. } if counts.failed > 0 => (Style::Error, "failed"),
            _ => (Style::Good, "done"),
        }
    }

    /// Where the results are that nobody else in the plan takes, or that people look at.
    fn places(&self, printer: &Printer) {
        let shown: Vec<usize> = (0..self.plan.stages.len()).filter(|place| self.is_shown(*place)).collect();
        let (width, by_stage) = (self.width(), self.plan.by_stage());
        for place in shown {
            // A result of an earlier run would be another than was asked for.
            let made = by_stage[place].iter().filter(|task| self.finished.known[**task].is_some());
            let tasks = made.map(|task| self.plan.task(*task));
            let beside = self.beside.get(&self.plan.stages[place].name).copied().unwrap_or(0);
            let Some((folder, told)) = self.place(&tasks.collect::<Vec<_>>(), beside) else { continue };
            let told = if told.is_empty() { told } else { format!("  {}", printer.paint_err(Style::Faint, &told)) };
            printer.line(&format!("  {:width$}  {folder}{told}", self.plan.stages[place].name));
        }
    }

    /// Characters of the longest name that stands at the beginning of a line.
    fn width(&self) -> usize {
        let shown = (0..self.plan.stages.len()).filter(|place| self.is_shown(*place));
        shown.map(|place| self.plan.stages[place].name.chars().count()).max().unwrap_or(0).max("logs".len())
    }

    fn is_shown(&self, place: usize) -> bool {
        let is_last = self.plan.stages.iter().all(|stage| !stage.needs.contains(&place));
        is_last || SHOWN_KINDS.contains(&self.plan.stages[place].kind.name())
    }

    /// The folder of one result and its numbers, or the folder of many and how many. `beside` are more of them.
    fn place(&self, tasks: &[&Task], beside: u64) -> Option<(String, String)> {
        let first = tasks.iter().find_map(|task| self.finder.newest(task))?;
        let folder = first.folder()?;
        let count = tasks.len() as u64 + beside;
        if count == 1 {
            return Some((self.told_place(folder), words::facts(&first.result, FACTS)));
        }
        let (above, _) = folder.rsplit_once('/')?;
        Some((self.told_place(above), words::count(count, "result")))
    }

    /// A folder of the store, as a person finds it.
    fn told_place(&self, folder: &str) -> String {
        if let Some(uri) = &self.plan.bucket {
            return format!("{}/{folder}", uri.trim_end_matches('/'));
        }
        let root = self.plan.store.canonicalize().unwrap_or_else(|_| self.plan.store.clone());
        paths::from_here(&root.join(folder))
    }

    fn next_steps(&self, printer: &Printer) {
        let Counts { failed, cancelled, .. } = self.finished.counts;
        let logs = paths::from_here(&self.state.root().join("attempts"));
        let faint = |text: &str| printer.paint_err(Style::Faint, text);
        let width = self.width();
        let name = |name: &str| faint(&format!("{name:width$}"));
        printer.line(&format!("  {}  {logs}  {}", name("logs"), faint(&format!("(pipe logs {} TASK)", self.spec))));
        if failed > 0 || cancelled > 0 || self.finished.interrupted {
            let is_cut_short = cancelled > 0 || self.finished.interrupted;
            let (verb, option, what) = match is_cut_short {
                true => ("resume", "", "what is left"),
                false => ("rerun", " --failed", "what failed and what follows it"),
            };
            let what = faint(&format!("(does {what})"));
            printer.line(&format!("  {}  pipe {verb} {}{option}  {what}", name("next"), self.place));
        }
    }
}

/// What is said of a run in which nothing had to be done.
pub(crate) fn nothing_to_do(counts: Counts, tasks: u64, took: Duration) -> String {
    let (Counts { cached, skipped, .. }, took) = (counts, words::duration(took));
    let are = if tasks == 1 { "task is" } else { "tasks are" };
    let unwanted = if skipped > 0 { format!(", {skipped} skipped") } else { String::new() };
    format!("nothing to do: {cached} of {tasks} {are} up to date{unwanted} ({took})")
}

/// `3 ran, 72 up to date, 1 failed`.
pub(crate) fn told(counts: &Counts) -> String {
    let all = [
        (counts.succeeded, "ran"),
        (counts.cached, "up to date"),
        (counts.failed, "failed"),
        (counts.skipped, "skipped"),
        (counts.cancelled, "stopped or not started"),
    ];
    let told: Vec<String> = all.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    if told.is_empty() { "no tasks".to_owned() } else { told.join(", ") }
}
