//! `pipe explain`: a task -> the fields of its key, what of them changed since its newest result, where that lies, and
//! why the task last ran.

use super::matching;
use crate::args::ExplainArgs;
use crate::exit::{Exit, Refusal};
use crate::forecast::{Forecast, Forecasts};
use crate::paths;
use crate::printer::{Printer, Style};
use crate::shown::shown;
use crate::table::{self, left};
use crate::wiring::Project;
use crate::words;
use pipe_engine::attempt::Usage;
use pipe_engine::key::{Change, Fields, changes};
use pipe_engine::lookup::{Finder, Looked};
use pipe_engine::manifest::Manifest;
use pipe_engine::plan::Plan;
use pipe_engine::state::{Ending, Past};
use pipe_engine::store::lineage::Removed;
use pipe_engine::world::World;
use serde_json::{Value as Json, json};

/// More tasks than this are counted, not shown.
const SHOWN: usize = 20;
/// Longer values are cut: a program's text can have pages. `--json` has them whole.
const LONGEST: usize = 100;

pub(crate) fn run(args: &ExplainArgs, printer: &Printer) -> Result<Exit, Refusal> {
    let (project, finder) = Project::load(&args.spec, printer)?.grown(&World::real(), printer)?;
    project.reach(&finder)?;
    let tasks = matching(&project, &args.task)?;
    let forecasts = Forecasts::of(&project.plan, &finder);
    finder.save();
    let shown = if printer.json { tasks.len() } else { SHOWN };
    finder.ask_ahead(tasks.iter().take(shown).map(|task| project.plan.task(*task)));
    let told = tasks.iter().map(|task| Explained::of(&project.plan, &finder, &forecasts, *task));
    if printer.json {
        printer.document(&told.map(|told| told.document()).collect::<Vec<_>>())?;
        return Ok(Exit::Done);
    }
    let blocks: Vec<String> = told.take(SHOWN).map(|told| told.block(printer, tasks.len() > 1)).collect();
    printer.data(&blocks.join("\n"))?;
    if tasks.len() > SHOWN {
        let one = project.plan.task(tasks[SHOWN]).id.to_string();
        printer.line(&format!("\nand {} more, such as `{one}`", tasks.len() - SHOWN));
    }
    Ok(Exit::Done)
}

/// What there is to say of one task.
struct Explained<'a> {
    plan: &'a Plan,
    task: usize,
    forecast: &'a Forecast,
    /// Its key in words and why it would run, when its key is known.
    looked: Option<Looked>,
    /// The newest result under the task's name.
    newest: Option<Manifest>,
    /// The same, when it was removed.
    removed: Option<Removed>,
    /// The newest attempt this state folder knows of.
    past: Option<&'a Past>,
}

impl<'a> Explained<'a> {
    fn of(plan: &'a Plan, finder: &'a Finder, forecasts: &'a Forecasts<'a>, task: usize) -> Self {
        let (forecast, looked) = (forecasts.task(task), forecasts.look(task));
        let (newest, past) = (finder.newest(plan.task(task)), finder.history().newest(&plan.task(task).id));
        let removed = if newest.is_some() { None } else { finder.removed(plan.task(task)) };
        Self { plan, task, forecast, looked, newest, removed, past }
    }

    fn verdict(&self) -> (Style, String) {
        match self.forecast {
            Forecast::Hit(..) => (Style::Good, "up to date".to_owned()),
            Forecast::Run(_) => (Style::Warning, format!("would run: {}", self.reason())),
            Forecast::Skip(why) => (Style::Plain, format!("would be skipped: {why}")),
            Forecast::DependsOn(on) => (Style::Warning, format!("depends on {}", self.plan.task(*on).id)),
            Forecast::Failed(failure) => (Style::Error, format!("cannot be looked up: {failure}")),
            Forecast::Out => (Style::Plain, "not asked for".to_owned()),
        }
    }

    /// The fields of the key; of a task that depends on others, those of its newest result.
    fn fields(&self) -> Option<(&Fields, &'static str)> {
        match (&self.looked, &self.newest) {
            (Some(looked), _) => Some((&looked.key.fields, "key")),
            (_, Some(newest)) => Some((&newest.key, "key of its newest result")),
            _ => None,
        }
    }

    fn reason(&self) -> &str {
        self.looked.as_ref().and_then(|looked| looked.found.as_ref().err()).map_or("", String::as_str)
    }

    fn changes(&self) -> Vec<Change> {
        let newest = self.newest.as_ref().or(self.removed.as_ref().map(|removed| &removed.manifest));
        match (&self.looked, newest) {
            (Some(Looked { key, found: Err(_), .. }), Some(newest)) => changes(&newest.key, &key.fields),
            _ => Vec::new(),
        }
    }

    fn place(&self) -> Option<String> {
        let newest = self.newest.as_ref()?;
        if let Some(uri) = &self.plan.bucket {
            return Some(format!("{}/{}", uri.trim_end_matches('/'), newest.folder()?));
        }
        let root = self.plan.store.canonicalize().unwrap_or_else(|_| self.plan.store.clone());
        Some(paths::from_here(&root.join(newest.folder()?)))
    }

    /// `short` leaves the fields out that did not change.
    fn block(&self, printer: &Printer, short: bool) -> String {
        let (style, verdict) = self.verdict();
        let name = self.plan.task(self.task).id.to_string();
        let mut text =
            format!("{}: {}\n", printer.paint_out(Style::Strong, &name), printer.paint_out(style, &shown(&verdict)));
        if let Some(past) = self.past {
            let other = matches!(self.forecast, Forecast::Hit(fingerprint) if *fingerprint != past.fingerprint);
            text.push_str(&format!("  ran     {}\n", shown(&ran(past, other))));
            text.push_str(&past.usage.map_or_else(String::new, |usage| format!("  used    {}\n", used(usage))));
        }
        if let Some(newest) = &self.newest {
            let place = self.place().unwrap_or_else(|| "no files".to_owned());
            let made = format!("run {}, {}", newest.provenance.run, newest.provenance.published.to_local());
            text.push_str(&format!("  result  {place}  ({made})\n"));
            let facts = words::facts(&newest.result, usize::MAX);
            if !facts.is_empty() {
                text.push_str(&format!("          {facts}\n"));
            }
        }
        if let Some(Removed { manifest, when }) = &self.removed {
            let made = manifest.provenance.published.to_local();
            text.push_str(&format!("  result  removed by gc on {}  (made {made})\n", when.to_local()));
        }
        for change in self.changes() {
            text.push_str(&changed(&change, printer));
        }
        if let Some((fields, title)) = self.fields().filter(|_| !short) {
            text.push_str(&format!("  {title}\n{}", field_lines(fields, printer)));
        }
        text
    }

    fn document(&self) -> Json {
        let (_, verdict) = self.verdict();
        let state = match self.forecast {
            Forecast::Hit(..) => "hit",
            Forecast::Run(..) => "run",
            Forecast::Skip(_) => "skip",
            Forecast::DependsOn(_) => "depends",
            Forecast::Failed(_) => "failed",
            Forecast::Out => "out",
        };
        let key = self
            .looked
            .as_ref()
            .map_or(Json::Null, |Looked { key, .. }| json!({ "fingerprint": key.fingerprint, "fields": key.fields }));
        json!({
            "task": self.plan.task(self.task).id.to_string(),
            "state": state, "why": verdict, "key": key, "changes": self.changes(),
            "removed": self.removed.as_ref().map(|removed| removed.when),
            "newest": self.newest, "folder": self.place(), "last_attempt": self.past.map(attempt),
        })
    }
}

/// `2026-11-22 02:00:12 for 3.2 s; why: not run before`. `other`: for another key than the task has now.
fn ran(past: &Past, other: bool) -> String {
    let took = past.took.map_or_else(String::new, |took| format!(" for {}", words::duration(took)));
    let ended = match &past.ending {
        Ending::Succeeded => String::new(),
        Ending::Failed(failure) => format!(", and failed: {}", failure.message),
        Ending::CutShort => ", and was cut short".to_owned(),
    };
    let other = if other { ", with another key" } else { "" };
    format!("{}{took}{other}{ended}; why: {}", past.started.to_local(), past.reason)
}

/// `1.9 CPUs on average, 190 MiB of memory at most, 0.8 GPUs on average, 7.2 GiB of GPU memory at most, 64 MiB written,
/// 1.2 GiB received`.
fn used(usage: Usage) -> String {
    let (received, sent) = usage.network.map_or((0, 0), |network| (network.received, network.sent));
    let moved = [(usage.read, "read"), (usage.written, "written"), (received, "received"), (sent, "sent")];
    let moved = moved.into_iter().filter(|(bytes, _)| *bytes > 0);
    let moved: String = moved.map(|(bytes, word)| format!(", {} {word}", words::bytes(bytes))).collect();
    let gpus = usage.gpu.map_or_else(String::new, |gpu| {
        let busy = gpu.busy_mean.map_or_else(String::new, |busy| format!(", {busy:.1} GPUs on average"));
        format!("{busy}, {} of GPU memory at most", words::bytes(gpu.memory_peak))
    });
    let (cpu, memory) = (usage.cpu_mean, words::bytes(usage.memory_peak));
    format!("{cpu:.1} CPUs on average, {memory} of memory at most{gpus}{moved}")
}

fn attempt(past: &Past) -> Json {
    let (ended, failure) = match &past.ending {
        Ending::Succeeded => ("succeeded", None),
        Ending::Failed(failure) => ("failed", Some(failure)),
        Ending::CutShort => ("cut_short", None),
    };
    json!({
        "run": past.run, "attempt": past.attempt, "fingerprint": past.fingerprint, "reason": past.reason,
        "started": past.started, "seconds": past.took.map(|took| took.as_secs_f64()), "ended": ended, "failure": failure,
        "usage": past.usage,
    })
}

fn changed(change: &Change, printer: &Printer) -> String {
    let value = |value: &Option<String>| {
        value.as_deref().map_or_else(|| "(absent)".to_owned(), |value| words::cut(value, LONGEST))
    };
    let (before, now) = (value(&change.before), value(&change.now));
    let title = printer.paint_out(Style::Warning, "changed");
    format!("  {title} {}\n            from {before}\n            to   {now}\n", shown(&change.field))
}

fn field_lines(fields: &Fields, printer: &Printer) -> String {
    let row = |(name, value): (&String, &String)| {
        vec![left(Style::Plain, format!("    {name}")), left(Style::Faint, words::cut(value, LONGEST))]
    };
    table::lines(printer, &fields.iter().map(row).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_was_used_only_that_is_told_which_was() {
        let plain = json!({ "cpu_mean": 1.94, "cpu_peak": 2, "memory_mean": 1, "memory_peak": 199229440, "read": 0, "written": 0 });
        let told = |usage: &Json| used(serde_json::from_value(usage.clone()).unwrap());
        assert_eq!(told(&plain), "1.9 CPUs on average, 190 MiB of memory at most");
        let mut whole = plain;
        whole["network"] = json!({
            "received": 30000000, "sent": 0, "received_mean": 1, "received_peak": 1, "sent_mean": 0, "sent_peak": 0,
        });
        whole["gpu"] = json!({ "busy_mean": 0.8, "busy_peak": 1.0, "memory_mean": 1, "memory_peak": 8589934592_u64 });
        assert_eq!(
            told(&whole),
            "1.9 CPUs on average, 190 MiB of memory at most, 0.8 GPUs on average, 8.0 GiB of GPU memory at most, \
             29 MiB received"
        );
    }
}
