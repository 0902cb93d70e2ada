//! The account of a run -> what its page shows, in the words of a person. The template says where.

use super::gantt::Gantt;
use super::pictures::{self, Chosen, LeftOut, Shown};
use super::reckoning::{self, Reckoned};
use super::tasks::{self, Stage};
use crate::life::Life;
use crate::printer::Style;
use crate::runs;
use crate::verbs;
use crate::words;
use pipe_engine::account::{Account, LogTail};
use pipe_engine::event::Counts;
use pipe_engine::failure::Failure;
use pipe_engine::report::{RunView, Standing, TaskView, What};
use pipe_engine::world::Timestamp;
use serde::Serialize;
use std::collections::HashMap;
use std::time::Duration;

/// Failures that are told in full; the tables have them all.
const FAILURES: usize = 50;
/// Failures whose logs are open when the page is.
const OPEN: usize = 3;
/// Links of a chain that are told.
const LINKS: usize = 12;
/// Longer values of settings are cut: a program's text can have pages.
const LONGEST: usize = 300;

/// Everything a page shows.
#[derive(Serialize)]
pub(super) struct Page {
    pipeline: String,
    run: String,
    sort: &'static str,
    verdict: String,
    /// How it ended, in one line.
    line: String,
    /// What is to be done about it: text, a command, text, and so on.
    next: Vec<String>,
    /// Why the page does not tell all that could be.
    notes: Vec<String>,
    facts: Vec<Fact>,
    counts: Vec<Count>,
    problems: Vec<Problem>,
    /// How many more there are.
    more_problems: usize,
    losses: Vec<Loss>,
    /// The way to the task that ended last.
    chain: Vec<Link>,
    /// Links before the first that is told.
    links_before: usize,
    gantt: Option<Gantt>,
    stages: Vec<Stage>,
    reckoned: Reckoned,
    /// Tasks that nothing was heard of.
    unheard: u64,
    pictures: Vec<Shown>,
    left_out: Vec<LeftOut>,
    bound: String,
    params: Vec<Fact>,
    settings: Vec<SettingsOf>,
    footer: String,
}

/// A name and what it stands for.
#[derive(Serialize)]
struct Fact {
    name: String,
    value: String,
}

#[derive(Serialize)]
struct Count {
    n: u64,
    word: &'static str,
    sort: &'static str,
}

/// A task that failed, or that was cut short.
#[derive(Serialize)]
struct Problem {
    task: String,
    message: String,
    /// The class and the code.
    class: String,
    tries: String,
    parts: Vec<Fact>,
    log: Option<LogTail>,
    is_open: bool,
}

/// Items that a task goes without.
#[derive(Serialize)]
struct Loss {
    task: String,
    failed: u64,
    of: u64,
    reasons: Vec<String>,
}

#[derive(Serialize)]
struct Link {
    task: String,
    took: String,
    /// How much of that it waited for room, where it did for long.
    waited: String,
}

#[derive(Serialize)]
struct SettingsOf {
    stage: String,
    task: String,
    fields: Vec<Fact>,
}

fn fact(name: impl Into<String>, value: impl Into<String>) -> Fact {
    Fact { name: name.into(), value: value.into() }
}

impl Page {
    pub(super) fn of(account: &Account, life: &Life, place: &str, pictures: Chosen) -> Self {
        let run = &account.run;
        // What has no end goes on until now, or went on until it was last heard of.
        let until = if matches!(life, Life::Running(_)) { account.written } else { run.heard };
        let (problems, more_problems) = problems(account, life);
        let (chain, links_before) = chain(account);
        let Chosen { shown, left_out } = pictures;
        Self {
            pipeline: run.pipeline.clone(),
            run: run.run.as_ref().map_or_else(String::new, |run| run.0.clone()),
            sort: sort(life),
            verdict: life.told(),
            line: line(run, life, until),
            next: verbs::status::advice(run, life, place).trim().split('`').map(str::to_owned).collect(),
            notes: notes(account, life),
            facts: facts(account, life, until),
            counts: counts(run),
            problems,
            more_problems,
            losses: losses(run),
            chain,
            links_before,
            gantt: Gantt::of(&account.timeline),
            stages: tasks::stages(account, until),
            reckoned: reckoning::table(&account.reckoning),
            unheard: run.planned.saturating_sub(run.tasks.len() as u64),
            pictures: shown,
            left_out,
            bound: pictures::bound(),
            params: run
                .params
                .iter()
                .map(|(name, value)| fact(name, words::cut(&value.to_string(), LONGEST)))
                .collect(),
            settings: settings(account),
            footer: format!("written {} by pipe {}", account.written.to_zoned(), env!("CARGO_PKG_VERSION")),
        }
    }
}

fn sort(life: &Life) -> &'static str {
    match (life, life.style()) {
        (Life::Running(_), _) => "open",
        (_, Style::Good) => "good",
        (_, Style::Warning) => "warn",
        _ => "bad",
    }
}

/// `3 ran, 72 up to date, 1 failed, in 12m 05s`.
fn line(run: &RunView, life: &Life, until: Timestamp) -> String {
    let took = words::duration(until.since(run.started));
    let is_idle = run
        .finished
        .is_some_and(|counts| counts.cached > 0 && counts == Counts { cached: counts.cached, ..Counts::default() });
    match life {
        Life::Done if is_idle => format!("nothing was to be done: {} up to date, in {took}", runs::counts(run).cached),
        Life::Running(_) => format!("{}, after {took} so far", runs::tally(run, life)),
        _ => format!("{}, in {took}", runs::tally(run, life)),
    }
}

fn notes(account: &Account, life: &Life) -> Vec<String> {
    let mut notes = Vec::new();
    if matches!(life, Life::Running(_)) {
        notes.push(format!("The run was still going on when this was written, at {}.", account.written.to_zoned()));
    }
    if let (Life::Running(_), Some(left)) = (life, account.run.disk_full) {
        notes.push(format!("It waits for room on its disk: {} were left.", words::bytes(left)));
    }
    let has_run = account.run.tasks.values().any(|task| !task.attempts.is_empty());
    if has_run && !account.knows_needs {
        notes.push(
            "What waited for what is not told: the spec is not the one that it was, or cannot be planned any more."
                .to_owned(),
        );
    }
    notes
}

fn facts(account: &Account, life: &Life, until: Timestamp) -> Vec<Fact> {
    let run = &account.run;
    let asked = run.asked.as_ref();
    let files = run.revision.as_ref().and_then(|revision| revision.changes.as_ref()).map(|changes| &changes.files);
    let ended = match life {
        Life::Running(_) => None,
        Life::Died => Some(format!("{} (last heard of)", until.to_zoned())),
        _ => Some(until.to_zoned()),
    };
    let all = [
        ("Run", run.run.as_ref().map(|run| run.0.clone())),
        ("Spec", Some(asked.map_or(run.spec.clone(), |asked| asked.path.clone()))),
        ("Commit", run.revision.as_ref().map(words::revision)),
        ("Changed files", files.map(|files| files.join(", "))),
        ("For the slot", run.slot.map(Timestamp::to_zoned)),
        ("Began", Some(run.started.to_zoned())),
        ("Ended", ended),
        ("Took", Some(words::duration(until.since(run.started)))),
        ("Exit code", account.exit.map(|exit| exit.to_string())),
        ("Where", run.site.as_ref().map(words::site)),
        ("Asked for", asked.map(verbs::runs::asked)),
    ];
    let told = all.into_iter().filter_map(|(name, value)| Some(fact(name, value.filter(|value| !value.is_empty())?)));
    told.collect()
}

fn counts(run: &RunView) -> Vec<Count> {
    let Counts { succeeded, cached, failed, skipped, cancelled } = runs::counts(run);
    let open = run.tasks.values().filter(|task| is_open(task)).count() as u64;
    let ended = succeeded + cached + failed + skipped + cancelled;
    let not_begun = if run.finished.is_some() { 0 } else { run.planned.saturating_sub(ended + open) };
    let all = [
        (failed, "failed", "bad"),
        (succeeded, "ran", "good"),
        (cached, "up to date", "found"),
        (skipped, "skipped", "warn"),
        (cancelled, "stopped or not started", "warn"),
        (open, "had not ended", "open"),
        (not_begun, "not begun", "open"),
    ];
    all.into_iter().filter(|(n, ..)| *n > 0).map(|(n, word, sort)| Count { n, word, sort }).collect()
}

fn is_open(task: &TaskView) -> bool {
    matches!(task.standing, Standing::Running | Standing::Submitted | Standing::Resting)
}

/// What failed, and what was cut short; and how many more there are.
fn problems(account: &Account, life: &Life) -> (Vec<Problem>, usize) {
    let is_cut_short = |task: &TaskView| *life == Life::Died && task.standing == Standing::Running;
    let wrong = account.run.tasks.iter().filter(|(_, task)| task.failure.is_some() || is_cut_short(task));
    let mut problems: Vec<Problem> = Vec::new();
    let mut more = 0;
    for (name, task) in wrong {
        if problems.len() == FAILURES {
            more += 1;
            continue;
        }
        let log = account.logs.get(name).cloned();
        let is_open = problems.len() < OPEN;
        problems.push(match &task.failure {
            Some(failure) => Problem { is_open, ..problem(name, task, failure, log) },
            None => cut_short(name, log, is_open),
        });
    }
    (problems, more)
}

fn problem(name: &str, task: &TaskView, failure: &Failure, log: Option<LogTail>) -> Problem {
    // A program's last words stand in its log as well.
    let is_in_log = |said: &&String| log.as_ref().is_some_and(|log| log.lines.join("\n").contains(said.trim_end()));
    let said = failure.source.as_ref().filter(|said| !is_in_log(said));
    let parts = [("on", failure.on.as_ref()), ("said", said), ("help", failure.help.as_ref())];
    let parts = parts.into_iter().filter_map(|(name, value)| Some(fact(name, value?.trim_end())));
    let tries = task.attempts.len() as u64;
    Problem {
        task: name.to_owned(),
        message: failure.message.clone(),
        class: format!("{} ({})", failure.class.word(), failure.code),
        tries: if tries > 1 { format!("after {}", words::count(tries, "attempt")) } else { String::new() },
        parts: parts.collect(),
        log,
        is_open: false,
    }
}

fn cut_short(name: &str, log: Option<LogTail>, is_open: bool) -> Problem {
    let message = "it was running when its engine died".to_owned();
    let (task, class, tries) = (name.to_owned(), String::new(), String::new());
    Problem { task, message, class, tries, parts: Vec::new(), log, is_open }
}

/// The items that tasks go without, with as much of the reasons as their stages tell.
fn losses(run: &RunView) -> Vec<Loss> {
    let lost = run.tasks.iter().filter_map(|(name, task)| {
        let items = task.attempts.last().filter(|attempt| attempt.failure.is_none())?.items;
        let reasons = task.result["failures"].as_array().into_iter().flatten().filter_map(|reason| reason.as_str());
        (items.failed > 0).then(|| Loss {
            task: name.clone(),
            failed: items.failed,
            of: items.made + items.reused + items.failed,
            reasons: reasons.map(str::to_owned).collect(),
        })
    });
    lost.collect()
}

/// The way to the end, with the time each task took from the end of the one before, and what of that it waited.
fn chain(account: &Account) -> (Vec<Link>, usize) {
    let mut ends: HashMap<&str, Timestamp> = HashMap::new();
    let mut waits: HashMap<&str, Duration> = HashMap::new();
    for span in &account.timeline.spans {
        let end = ends.entry(&span.task).or_default();
        *end = span.end.max(*end);
        if span.what == What::Room {
            *waits.entry(&span.task).or_default() += span.end.since(span.begin);
        }
    }
    let mut before = account.timeline.begin;
    let links = account.chain.iter().map(|task| {
        let end = ends.get(task.as_str()).copied().unwrap_or(before);
        let took: Duration = end.since(before);
        before = end;
        let waited = waits.get(task.as_str()).filter(|waited| **waited * 10 > took);
        let waited = waited.map_or_else(String::new, |waited| words::duration(*waited));
        Link { task: task.clone(), took: words::duration(took), waited }
    });
    let mut links: Vec<Link> = links.collect();
    let more = links.len().saturating_sub(LINKS);
    links.drain(..more);
    (links, more)
}

fn settings(account: &Account) -> Vec<SettingsOf> {
    let of = account.settings.iter().map(|(stage, settings)| SettingsOf {
        stage: stage.clone(),
        task: settings.task.clone(),
        fields: settings.key.iter().map(|(name, value)| fact(name, words::cut(value, LONGEST))).collect(),
    });
    of.collect()
}
