//! What differs -> lines for people: grouped, and short where much differs in the same way.

use super::{Changed, Group, PlanDiff, RunDiff, TaskDiff, group};
use crate::printer::{Printer, Style};
use crate::table::{self, Entry, left};
use crate::words::{count, duration, revision};
use indexmap::IndexMap;
use pipe_engine::key::Change;
use pipe_engine::report::Standing;
use pipe_engine::text::listed;
use std::time::Duration;

/// Two runs, for people.
pub(crate) fn runs(diff: &RunDiff, printer: &Printer) -> String {
    let name = |run: &Option<pipe_engine::ids::RunId>| run.as_ref().map_or_else(|| "?".to_owned(), ToString::to_string);
    let (before, now) = (&diff.before, &diff.now);
    let of = if before.pipeline == now.pipeline { String::new() } else { format!(" of {}", before.pipeline) };
    let mut text = format!("run {}{of} -> {} of {}\n", name(&before.run), name(&now.run), now.pipeline);
    let mut rows = Vec::new();
    let commits = [before, now].map(|side| side.revision.as_ref());
    if commits[0] != commits[1] {
        let told = commits.map(|commit| commit.map_or_else(|| "not recorded".to_owned(), revision));
        rows.push(row("commit", told.join(" -> ")));
    }
    if !diff.same_spec {
        rows.push(row("spec", "another text".to_owned()));
    }
    rows.extend(params(&diff.params));
    text.push_str(&table::lines(printer, &rows));
    let groups = group(&diff.changed, |task| (task.stage(), task.changes.as_deref().unwrap_or_default()));
    text.push_str(&section("changed", &groups.iter().map(ran).collect::<Vec<_>>(), printer));
    text.push_str(&section("added", &by_stage(&diff.added), printer));
    text.push_str(&section("removed", &by_stage(&diff.removed), printer));
    text + &format!("\n{}\n", conclusion(diff.changed.len(), diff.added.len(), diff.removed.len(), diff.same))
}

/// Two plans, for people.
pub(crate) fn plans(diff: &PlanDiff, printer: &Printer) -> String {
    let mut text = format!("{} -> {}\n", diff.before, diff.now);
    text.push_str(&table::lines(printer, &params(&diff.params)));
    let groups = group(&diff.changed, |task| (task.stage(), task.changes.as_slice()));
    text.push_str(&section("changed", &groups.iter().map(planned).collect::<Vec<_>>(), printer));
    text.push_str(&section("follow, because what they need may change", &by_stage(&diff.follow), printer));
    text.push_str(&section("added", &by_stage(&diff.added), printer));
    text.push_str(&section("removed", &by_stage(&diff.removed), printer));
    let waiting =
        diff.waiting.iter().map(|w| [w.stage.clone(), String::new(), format!("waits for the rows of {}", w.rows_of)]);
    text.push_str(&section("not known before the rows are", &waiting.collect::<Vec<_>>(), printer));
    let settings: Vec<[String; 3]> =
        diff.settings.iter().map(|change| [change.to_string(), String::new(), String::new()]).collect();
    text.push_str(&section("settings, on which no result depends", &settings, printer));
    let changed = diff.changed.len() + diff.follow.len();
    text.push_str(&format!("\n{}\n", conclusion(changed, diff.added.len(), diff.removed.len(), diff.same)));
    let work = &diff.work;
    let all = work.hit + (work.run.len() + work.depends.len()) as u64;
    if work.hit == all && work.waiting.is_empty() {
        return text + "nothing would run: every result is there\n";
    }
    let mut would = format!("{} would run", count(work.run.len() as u64, "task"));
    if !work.depends.is_empty() {
        let depend =
            if work.depends.len() == 1 { "1 depends".to_owned() } else { format!("{} depend", work.depends.len()) };
        would.push_str(&format!(", {depend} on what others give"));
    }
    would.push_str(&format!(", {} up to date", work.hit));
    if !work.waiting.is_empty() {
        would.push_str(&format!("; not known yet: the tasks of {}", listed(work.waiting.iter().map(String::as_str))));
    }
    text + &would + "\n"
}

fn row(name: &str, told: String) -> Vec<Entry> {
    vec![left(Style::Faint, format!("  {name}")), left(Style::Plain, told)]
}

fn params(changes: &[Change]) -> Vec<Vec<Entry>> {
    let name = |place| if place == 0 { "params" } else { "" };
    changes.iter().enumerate().map(|(place, change)| row(name(place), change.to_string())).collect()
}

/// A title and its rows; nothing when there are none.
fn section(title: &str, rows: &[[String; 3]], printer: &Printer) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let row = |[stage, tasks, told]: &[String; 3]| {
        vec![left(Style::Plain, format!("  {stage}")), left(Style::Faint, tasks), left(Style::Plain, told)]
    };
    let rows: Vec<Vec<Entry>> = rows.iter().map(row).collect();
    format!("\n{}\n{}", printer.paint_out(Style::Strong, title), table::lines(printer, &rows))
}

/// One task by its name, several by their stage.
fn named<T>(group: &Group<'_, T>, name: impl Fn(&T) -> String) -> [String; 2] {
    match group.tasks.as_slice() {
        [one] => [name(one), String::new()],
        many => [group.stage.to_owned(), count(many.len() as u64, "task")],
    }
}

fn planned(group: &Group<'_, Changed>) -> [String; 3] {
    let [stage, tasks] = named(group, |task| task.task.clone());
    [stage, tasks, group.fields.join("; ")]
}

/// What a group of tasks was made of in two runs, what became of it, and how long it took.
fn ran(group: &Group<'_, TaskDiff>) -> [String; 3] {
    let [stage, tasks] = named(group, |task| task.task.clone());
    let mut told = group.fields.clone();
    if group.tasks.iter().any(|task| task.changes.is_none()) {
        told.push("its key is no longer known".to_owned());
    }
    told.extend(results(&group.tasks));
    told.extend(endings(&group.tasks));
    told.extend(times(&group.tasks));
    [stage, tasks, told.join("; ")]
}

fn results(tasks: &[&TaskDiff]) -> Option<String> {
    let of = |wanted| tasks.iter().filter(|task| task.same_result == Some(wanted)).count();
    match (of(true), of(false)) {
        (0, 0) => None,
        (_, 0) => Some("the same bytes".to_owned()),
        (0, _) => Some("other bytes".to_owned()),
        (same, other) => Some(format!("other bytes in {other}, the same in {same}")),
    }
}

/// How tasks ended that ended in another way.
fn endings(tasks: &[&TaskDiff]) -> Vec<String> {
    let mut endings: IndexMap<(&str, &str), u64> = IndexMap::new();
    for task in tasks {
        *endings.entry((word(task.before.standing), word(task.now.standing))).or_default() += 1;
    }
    let told = endings.iter().filter(|((before, now), _)| before != now);
    told.map(
        |((before, now), n)| {
            if tasks.len() == 1 { format!("{before} -> {now}") } else { format!("{n} {before} -> {now}") }
        },
    )
    .collect()
}

/// A result that was found is as good as one that was made.
fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Succeeded | Standing::Cached => "done",
        Standing::Running | Standing::Submitted | Standing::Resting => "not ended",
        Standing::Failed => "failed",
        Standing::Skipped => "skipped",
        Standing::Cancelled => "stopped",
    }
}

fn times(tasks: &[&TaskDiff]) -> Option<String> {
    let sum = |of: fn(&TaskDiff) -> Option<u64>| {
        let times: Vec<u64> = tasks.iter().filter_map(|task| of(task)).collect();
        (!times.is_empty()).then(|| duration(Duration::from_millis(times.iter().sum())))
    };
    let (before, now) = (sum(|task| task.before.took_ms), sum(|task| task.now.took_ms));
    let told = |time: Option<String>| time.unwrap_or_else(|| "no time".to_owned());
    (before.is_some() || now.is_some()).then(|| format!("{} -> {}", told(before), told(now)))
}

/// Names of tasks, stage by stage.
fn by_stage(tasks: &[String]) -> Vec<[String; 3]> {
    let mut stages: IndexMap<&str, Vec<&String>> = IndexMap::new();
    for task in tasks {
        stages.entry(task.split('[').next().unwrap_or(task)).or_default().push(task);
    }
    let row = |(stage, tasks): (&str, Vec<&String>)| match tasks.as_slice() {
        [one] => [(*one).clone(), String::new(), String::new()],
        many => [stage.to_owned(), count(many.len() as u64, "task"), String::new()],
    };
    stages.into_iter().map(row).collect()
}

fn conclusion(changed: usize, added: usize, removed: usize, same: u64) -> String {
    let all = [(changed as u64, "changed"), (added as u64, "added"), (removed as u64, "removed")];
    let told: Vec<String> = all.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    if told.is_empty() {
        format!("no task differs: {same} in both")
    } else {
        format!("tasks: {}, {same} the same", told.join(", "))
    }
}
