//! The tasks of a run -> tables, one for each stage: how each ended, why it ran or did not, and what its attempts used.

use crate::standing;
use crate::words;
use indexmap::IndexMap;
use pipe_engine::account::{Account, Kept, Laid};
use pipe_engine::attempt::{ItemCount, Usage};
use pipe_engine::backend::LOCAL;
use pipe_engine::report::{AttemptView, RunView, Span, Standing, TaskView, What};
use pipe_engine::world::Timestamp;
use serde::Serialize;
use std::collections::HashMap;
use std::time::Duration;

/// Tables of so many rows are open when the page is.
const OPEN: usize = 40;
/// How many numbers of a result are told.
const FACTS: usize = 6;

/// One stage.
#[derive(Serialize)]
pub(super) struct Stage {
    name: String,
    /// `3 done, 1 failed`.
    tally: String,
    sort: &'static str,
    took: String,
    is_open: bool,
    rows: Vec<Row>,
    /// Which columns say anything.
    has_items: bool,
    has_usage: bool,
}

/// A task, or one of several attempts of it.
#[derive(Serialize)]
struct Row {
    name: String,
    /// Whether it is an attempt, and not a task.
    is_attempt: bool,
    stands: String,
    sort: &'static str,
    lookup: &'static str,
    why: String,
    /// More that there is to say, a line each.
    notes: Vec<String>,
    items: String,
    took: String,
    used: Used,
    folder: String,
}

/// What an attempt used, each as mean and peak.
#[derive(Default, Serialize)]
struct Used {
    cpu: String,
    memory: String,
    disk: String,
    /// What went over networks and onto GPUs.
    #[serde(skip)]
    more: Vec<String>,
}

/// The tables of a run's stages, in the order in which they were heard of.
pub(super) fn stages(account: &Account, now: Timestamp) -> Vec<Stage> {
    let run = &account.run;
    let mut stages: IndexMap<&str, Vec<(&String, &TaskView)>> = IndexMap::new();
    for (name, task) in &run.tasks {
        stages.entry(name.split('[').next().unwrap_or(name)).or_default().push((name, task));
    }
    let told = Told::of(account, now);
    let are_few = run.tasks.len() <= OPEN;
    stages.into_iter().map(|(name, tasks)| told.stage(name, tasks, are_few)).collect()
}

/// What is known of tasks besides how they stand.
struct Told<'a> {
    run: &'a RunView,
    results: &'a IndexMap<String, Laid>,
    spans: HashMap<&'a str, Vec<&'a Span>>,
    /// The input of each that was there last.
    after: HashMap<&'a str, &'a str>,
    now: Timestamp,
}

impl<'a> Told<'a> {
    fn of(account: &'a Account, now: Timestamp) -> Self {
        let mut spans: HashMap<&str, Vec<&Span>> = HashMap::new();
        for span in &account.timeline.spans {
            spans.entry(&span.task).or_default().push(span);
        }
        let after = account.timeline.last_inputs.iter().map(|(input, task)| (&**task, &**input)).collect();
        Self { run: &account.run, results: &account.results, spans, after, now }
    }

    fn stage(&self, name: &str, mut tasks: Vec<(&String, &TaskView)>, are_few: bool) -> Stage {
        let (tally, took) = (tally(&tasks), self.took(&tasks));
        // What went wrong is looked for first, and what was there already last.
        tasks.sort_by_key(|(_, task)| rank(task));
        let sort = tasks.first().map_or("", |(_, task)| sort(task));
        let rows: Vec<Row> = tasks.iter().flat_map(|(name, task)| self.rows(name, task)).collect();
        Stage {
            name: name.to_owned(),
            tally,
            sort,
            took,
            is_open: are_few,
            has_items: rows.iter().any(|row| !row.items.is_empty()),
            has_usage: rows.iter().any(|row| !row.used.cpu.is_empty()),
            rows,
        }
    }

    /// From the first begin of an attempt to the last end.
    fn took(&self, tasks: &[(&String, &TaskView)]) -> String {
        let attempts = || tasks.iter().flat_map(|(_, task)| &task.attempts);
        let began = attempts().map(|attempt| attempt.started).min();
        let ended = attempts().map(|attempt| attempt.ended.unwrap_or(self.now)).max();
        began.zip(ended).map_or_else(String::new, |(began, ended)| words::duration(ended.since(began)))
    }

    /// One row of a task with one attempt, and of one with several a row for each below it.
    fn rows(&self, name: &str, task: &TaskView) -> Vec<Row> {
        let last = task.attempts.last();
        let mut row = Row {
            name: name.to_owned(),
            is_attempt: false,
            stands: standing::word(task.standing).to_owned(),
            sort: sort(task),
            lookup: standing::lookup(task),
            why: standing::why(task),
            notes: self.notes(name, task),
            items: last.map_or_else(String::new, |last| items(last.items)),
            took: String::new(),
            used: Used::default(),
            folder: self.results.get(name).and_then(|laid| laid.folder.clone()).unwrap_or_default(),
        };
        match task.attempts.as_slice() {
            [] => vec![row],
            [one] => {
                row.took = self.time(one);
                row.used = used(one.usage);
                row.notes.extend(std::mem::take(&mut row.used.more));
                row.notes.extend(failed(one));
                vec![row]
            }
            several => {
                row.took = words::duration(several.iter().map(|attempt| self.length(attempt)).sum());
                let numbered = several.iter().enumerate();
                let attempts = numbered.map(|(place, attempt)| self.attempt(place + 1, attempt));
                std::iter::once(row).chain(attempts).collect()
            }
        }
    }

    fn attempt(&self, number: usize, attempt: &AttemptView) -> Row {
        let mut used = used(attempt.usage);
        let more = std::mem::take(&mut used.more);
        let (stands, sort) = match (&attempt.failure, attempt.ended) {
            (Some(_), _) => ("failed", "bad"),
            (None, Some(_)) => ("done", "good"),
            (None, None) => ("not ended", "open"),
        };
        Row {
            name: format!("attempt {number}"),
            is_attempt: true,
            stands: stands.to_owned(),
            sort,
            lookup: "",
            why: String::new(),
            notes: failed(attempt).into_iter().chain(elsewhere(attempt)).chain(more).collect(),
            items: items(attempt.items),
            took: self.time(attempt),
            used,
            folder: String::new(),
        }
    }

    /// What a task waited for, what its result says, and whether that is there still.
    fn notes(&self, name: &str, task: &TaskView) -> Vec<String> {
        let mut notes = Vec::new();
        let facts = words::facts(&task.result, FACTS);
        notes.extend((!facts.is_empty()).then_some(facts));
        let spans = self.spans.get(name).map(Vec::as_slice).unwrap_or_default();
        let waits = [(What::Room, "for room"), (What::Machine, "for a machine"), (What::Rest, "before trying again")];
        let waited = waits.iter().filter_map(|(what, word)| {
            let of = spans.iter().filter(|span| span.what == *what);
            let time: Duration = of.map(|span| span.end.since(span.begin)).sum();
            (time >= Duration::from_millis(50)).then(|| format!("{} {word}", words::duration(time)))
        });
        let waited = waited.collect::<Vec<_>>().join(", ");
        let waited = if waited.is_empty() { waited } else { format!("waited {waited}") };
        let after = self.after.get(name).map_or_else(String::new, |input| format!("after {input}"));
        let both: Vec<String> = [after, waited].into_iter().filter(|part| !part.is_empty()).collect();
        notes.extend((!both.is_empty()).then(|| both.join(", ")));
        notes.extend(task.attempts.last().filter(|_| task.attempts.len() == 1).and_then(elsewhere));
        let is_gone = self.results.get(name).is_some_and(|laid| laid.state == Kept::Removed);
        notes.extend(is_gone.then(|| "its result has been removed from the store since".to_owned()));
        notes
    }

    fn length(&self, attempt: &AttemptView) -> Duration {
        attempt.ended.unwrap_or(self.now).since(attempt.started)
    }

    fn time(&self, attempt: &AttemptView) -> String {
        let is_open = attempt.ended.is_none() && self.run.finished.is_none();
        format!("{}{}", words::duration(self.length(attempt)), if is_open { " so far" } else { "" })
    }
}

/// `2 failed, 30 done`, in the order in which one asks.
fn tally(tasks: &[(&String, &TaskView)]) -> String {
    let mut standings: Vec<(usize, String)> = Vec::new();
    let mut counts: HashMap<String, u64> = HashMap::new();
    for (_, task) in tasks {
        let why = task.skip.and_then(words::skip).map_or_else(String::new, |why| format!(" ({why})"));
        let word = format!("{}{why}", standing::word(task.standing));
        if *counts.entry(word.clone()).and_modify(|n| *n += 1).or_insert(1) == 1 {
            standings.push((rank(task), word));
        }
    }
    standings.sort();
    standings.iter().map(|(_, word)| format!("{} {word}", counts[word])).collect::<Vec<_>>().join(", ")
}

fn rank(task: &TaskView) -> usize {
    match task.standing {
        Standing::Failed => 0,
        Standing::Running | Standing::Submitted | Standing::Resting => 1,
        Standing::Cancelled => 2,
        Standing::Skipped => 3,
        Standing::Succeeded => 4,
        Standing::Cached => 5,
    }
}

fn sort(task: &TaskView) -> &'static str {
    let lacks = || task.attempts.last().is_some_and(|attempt| attempt.items.failed > 0);
    match task.standing {
        Standing::Failed => "bad",
        Standing::Running | Standing::Submitted | Standing::Resting => "open",
        Standing::Cancelled | Standing::Skipped => "warn",
        Standing::Succeeded if lacks() => "warn",
        Standing::Succeeded => "good",
        Standing::Cached => "found",
    }
}

/// `58 of 60` where some are lacking, `60 (12 found)`; nothing where none are counted.
fn items(items: ItemCount) -> String {
    let have = items.made + items.reused;
    let of = if items.failed > 0 { format!(" of {}", have + items.failed) } else { String::new() };
    let found = if items.reused > 0 { format!(" ({} found)", items.reused) } else { String::new() };
    if have + items.failed == 0 { String::new() } else { format!("{have}{of}{found}") }
}

/// `transient: the service is busy (http_503)`.
fn failed(attempt: &AttemptView) -> Option<String> {
    let failure = attempt.failure.as_ref()?;
    Some(format!("{}: {} ({})", failure.class.word(), failure.message, failure.code))
}

fn elsewhere(attempt: &AttemptView) -> Option<String> {
    let job = attempt.page.as_ref().map(|page| format!(": {}, {}", page.job, page.link)).unwrap_or_default();
    (attempt.backend != LOCAL).then(|| format!("on {}{job}", attempt.backend))
}

fn used(usage: Option<Usage>) -> Used {
    let Some(usage) = usage else { return Used::default() };
    let network = usage
        .network
        .filter(|network| network.received + network.sent > 0)
        .map(|network| format!("{} received, {} sent", words::bytes(network.received), words::bytes(network.sent)));
    let gpu = usage.gpu.map(|gpu| {
        let busy = gpu.busy_mean.zip(gpu.busy_peak).map(|(mean, peak)| format!("{mean:.1} / {peak:.1} GPUs, "));
        let (mean, peak) = (words::bytes(gpu.memory_mean), words::bytes(gpu.memory_peak));
        format!("{}{mean} / {peak} of GPU memory", busy.unwrap_or_default())
    });
    Used {
        cpu: format!("{:.1} / {:.1}", usage.cpu_mean, usage.cpu_peak),
        memory: format!("{} / {}", words::bytes(usage.memory_mean), words::bytes(usage.memory_peak)),
        disk: format!("{} / {}", words::bytes(usage.read), words::bytes(usage.written)),
        more: network.into_iter().chain(gpu).collect(),
    }
}
