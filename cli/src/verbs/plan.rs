//! `pipe plan`: a spec -> what a run would do, and why. Starts nothing, takes no lock, writes nothing into the store.

mod price;

use crate::args::{PlanArgs, PlanFormat};
use crate::cost::Costs;
use crate::exit::{Exit, Refusal};
use crate::forecast::{Forecast, Forecasts};
use crate::machine;
use crate::origins;
use crate::outlook::Outlook;
use crate::printer::{Printer, Style};
use crate::table::{self, Entry, left, right};
use crate::wiring::{self, Project};
use crate::words::count;
use pipe_engine::plan::{Part, Plan};
use pipe_engine::stage::{ClassRule, Launch};
use pipe_engine::world::World;
use serde_json::{Value as Json, json};
use std::collections::HashSet;
use std::mem::ManuallyDrop;

/// How many different reasons a stage's line tells.
const REASONS: usize = 2;
/// How many tasks of a stage are asked for their reason at most: each costs reading what its last result was made of.
const ASKED: usize = 1000;

pub(crate) fn run(args: &PlanArgs, printer: &Printer) -> Result<Exit, Refusal> {
    if args.origins {
        return show_origins(args, printer);
    }
    let project = Project::load_here(&args.spec, printer)?.asked(&args.asked)?;
    let (project, finder) = project.grown(&World::real(), printer)?;
    project.reach(&finder)?;
    tell_unseen(&project, printer);
    // The process ends after this; to take a hundred thousand tasks apart first would cost a tenth of planning them.
    let (project, finder) = (ManuallyDrop::new(project), ManuallyDrop::new(finder));
    let forecasts = ManuallyDrop::new(Forecasts::of(&project.plan, &finder));
    // Digests of large files are worth remembering; where there is no state folder yet, this does nothing.
    finder.save();
    let plan = &project.plan;
    let outlook = Outlook::of(plan, &finder, &forecasts, machine::limits(args.cpu, &project.store_here()));
    let costs = args.cost.then(|| Costs::of(plan, &finder, &forecasts));
    if printer.json {
        let mut told = document(plan, &forecasts, outlook.as_ref());
        if let Some(costs) = &costs {
            told["cost"] = costs.document(plan);
        }
        printer.document(&told)?;
        return Ok(Exit::Done);
    }
    let rows = match (&costs, args.tasks) {
        (Some(costs), false) => price::stage_rows(plan, costs),
        (Some(costs), true) => price::task_rows(plan, costs),
        (None, true) => task_rows(plan, &forecasts),
        (None, false) => stage_rows(plan, &forecasts, outlook.as_ref()),
    };
    let conclusion = conclusion(plan, &forecasts);
    let lines = lines(plan, outlook.as_ref(), costs.as_ref());
    printer.data(&match args.format {
        PlanFormat::Text => {
            let line = |(name, told): (&str, String)| format!("  {}  {told}\n", printer.paint_out(Style::Faint, name));
            let lines: String = lines.into_iter().chain(notes(plan, outlook.as_ref())).map(line).collect();
            format!("{}\n{conclusion}\n{lines}", table::lines(printer, &rows))
        }
        PlanFormat::Markdown => {
            let lines: String = lines.into_iter().map(|(name, told)| format!("* {}: {told}\n", name.trim())).collect();
            format!("### Plan of `{}`\n\n{conclusion}\n\n{lines}\n{}", plan.name, table::markdown(&rows))
        }
    })?;
    Ok(Exit::Done)
}

/// What the tasks to run take, if there are any, and where they were put.
fn lines(plan: &Plan, outlook: Option<&Outlook>, costs: Option<&Costs>) -> Vec<(&'static str, String)> {
    let Some(outlook) = outlook else { return Vec::new() };
    let mut lines = vec![("time ", outlook.time())];
    match costs {
        Some(costs) => lines.extend(price::totals(plan, costs)),
        None => lines.push(("price", outlook.price())),
    }
    lines.extend(price::limit(plan, outlook));
    lines.extend(price::choices(plan));
    lines
}

fn notes(plan: &Plan, outlook: Option<&Outlook>) -> Vec<(&'static str, String)> {
    let notes = outlook.into_iter().flat_map(|outlook| outlook.notes(plan)).map(|note| ("note ", note));
    notes.chain(rules(plan).map(|told| ("retry", told))).collect()
}

/// A plan that looks at no store calls finished work unfinished, so it says that it did not look.
fn tell_unseen(project: &Project, printer: &Printer) {
    if let Some(uri) = project.plan.bucket.as_deref().filter(|_| project.plan.opens && !project.has_store()) {
        let title = printer.paint_err(Style::Warning, "warning:");
        printer.line(&format!("{title} {uri} is not looked at (--offline): the plan takes it as empty"));
    }
}

fn show_origins(args: &PlanArgs, printer: &Printer) -> Result<Exit, Refusal> {
    let checked = wiring::check(&args.spec)?.sound(printer)?;
    if printer.json {
        printer.document(&origins::document(&checked))?;
    } else {
        printer.data(&origins::lines(&checked, printer))?;
    }
    Ok(Exit::Done)
}

/// What a stage's own rules say of its failures, and how often it is then tried again: `train: exit 75 is transient, 5
/// times`.
fn rules(plan: &Plan) -> impl Iterator<Item = String> {
    let stages = plan.stages.iter().zip(plan.by_stage());
    stages.filter_map(|(stage, tasks)| {
        let told = classes(plan, &tasks).into_iter().map(|rule| {
            let times = match stage.settings.retry.budget(rule.class) {
                None => "until time is over".to_owned(),
                Some(0) => "never".to_owned(),
                Some(1) => "once".to_owned(),
                Some(times) => format!("{times} times"),
            };
            format!("{rule} is {}, {times}", rule.class.word())
        });
        let told: Vec<String> = told.collect();
        (!told.is_empty()).then(|| format!("{}: {}", stage.name, told.join("; ")))
    })
}

/// The rules of a stage, as the first of its tasks has them.
fn classes(plan: &Plan, tasks: &[usize]) -> Vec<ClassRule> {
    match tasks.first().map(|task| plan.launch(plan.task(*task))) {
        Some(Launch::Program { classes, .. }) => classes,
        _ => Vec::new(),
    }
}

/// What is told of a task: a word, and why.
fn told(plan: &Plan, forecasts: &Forecasts<'_>, task: usize) -> (&'static str, Style, String) {
    if let Some(path) = plan.given_for(task) {
        return ("given", Style::Good, format!("from {}", path.display()));
    }
    match forecasts.task(task) {
        Forecast::Hit(..) => ("hit", Style::Good, String::new()),
        Forecast::Run(_) => ("run", Style::Warning, forecasts.reason(task)),
        Forecast::Skip(why) => ("skip", Style::Plain, why.clone()),
        Forecast::DependsOn(on) => ("depends", Style::Plain, format!("depends on {}", plan.task(*on).id)),
        Forecast::Failed(failure) => ("failed", Style::Error, failure.to_string()),
        Forecast::Out => ("out", Style::Faint, String::new()),
    }
}

fn task_rows(plan: &Plan, forecasts: &Forecasts<'_>) -> Vec<Vec<Entry>> {
    let row = |task: usize| {
        let (word, style, why) = told(plan, forecasts, task);
        vec![left(Style::Plain, plan.task(task).id.to_string()), left(style, word), left(Style::Faint, why)]
    };
    let header = vec![left(Style::Strong, "task"), left(Style::Strong, ""), left(Style::Strong, "why")];
    std::iter::once(header).chain(plan.asked().map(row)).collect()
}

fn stage_rows(plan: &Plan, forecasts: &Forecasts<'_>, outlook: Option<&Outlook>) -> Vec<Vec<Entry>> {
    let elsewhere = runs_elsewhere(plan);
    let places = if elsewhere { ["place", "price"] } else { ["", ""] };
    let time = if outlook.is_some() { "time" } else { "" };
    let knows_memory =
        outlook.is_some_and(|outlook| (0..plan.stages.len()).any(|place| !outlook.memory_of_stage(place).is_empty()));
    let memory = if knows_memory { "memory" } else { "" };
    let mut rows = vec![["stage", "kind", places[0]].map(|title| left(Style::Strong, title)).to_vec()];
    rows[0]
        .extend(["tasks", "hit", "run", "depends", time, memory, places[1]].map(|title| right(Style::Strong, title)));
    rows[0].push(left(Style::Strong, "why"));
    let stages = plan.by_stage();
    let asked = stages.iter().enumerate().filter(|(place, tasks)| is_asked_for(plan, *place, tasks));
    rows.extend(asked.map(|stage| {
        let runs_at = if elsewhere { plan.places[plan.stages[stage.0].backend].name.as_str() } else { "" };
        stage_row(plan, forecasts, outlook, stage, runs_at)
    }));
    rows
}

/// Whether a stage has tasks that the plan is asked for, or may come to have some.
fn is_asked_for(plan: &Plan, place: usize, tasks: &[usize]) -> bool {
    let has_tasks = tasks.iter().any(|task| plan.part(*task) != Part::Out);
    has_tasks || (tasks.is_empty() && !plan.is_left_out(place))
}

/// Whether it is worth saying where stages run.
fn runs_elsewhere(plan: &Plan) -> bool {
    plan.stages.iter().any(|stage| !plan.places[stage.backend].is_local())
}

fn stage_row(
    plan: &Plan,
    forecasts: &Forecasts<'_>,
    outlook: Option<&Outlook>,
    (place, tasks): (usize, &Vec<usize>),
    runs_at: &str,
) -> Vec<Entry> {
    let stage = &plan.stages[place];
    let counts = Counts::of(forecasts, tasks.iter().copied());
    let number = |n: u64, style| right(style, if n == 0 { String::new() } else { n.to_string() });
    vec![
        left(Style::Plain, &stage.name),
        left(Style::Faint, stage.kind.name()),
        left(Style::Faint, runs_at),
        right(Style::Plain, if stage.waits_for.is_some() { "?".to_owned() } else { counts.all().to_string() }),
        number(counts.hit, Style::Good),
        number(counts.run, Style::Warning),
        number(counts.depends, Style::Plain),
        right(Style::Plain, outlook.map_or_else(String::new, |outlook| outlook.of_stage(place))),
        right(Style::Plain, outlook.map_or_else(String::new, |outlook| outlook.memory_of_stage(place))),
        right(Style::Plain, outlook.map_or_else(String::new, |outlook| outlook.price_of_stage(place))),
        left(Style::Faint, reasons(plan, forecasts, place, tasks)),
    ]
}

/// Why tasks of a stage run, each reason once; of those that depend on others, the stages they depend on. Where the
/// same fields changed and each task has values of its own, the values are left out.
fn reasons(plan: &Plan, forecasts: &Forecasts<'_>, place: usize, tasks: &[usize]) -> String {
    if let Some(source) = plan.stages[place].waits_for {
        return format!("waits for the rows of {}", plan.stages[source].name);
    }
    let mut found: Vec<(String, String)> = Vec::new();
    let mut waited_for = HashSet::new();
    let mut asked = 0;
    for task in tasks {
        let reason = match forecasts.task(*task) {
            Forecast::DependsOn(on) if waited_for.insert(plan.task(*on).stage) => {
                format!("depends on {}", plan.task(*on).id.stage)
            }
            _ if plan.given_for(*task).is_some() => format!("given: {}", told(plan, forecasts, *task).2),
            Forecast::Skip(why) => format!("skipped: {why}"),
            Forecast::Failed(failure) if asked < ASKED => format!("{}: {failure}", plan.task(*task).id),
            Forecast::Run(_) if asked < ASKED => forecasts.reason(*task),
            _ => continue,
        };
        asked += 1;
        let common = without_values(&reason);
        match found.iter_mut().find(|(other, _)| *other == common) {
            Some((_, told)) if *told != reason => *told = common,
            Some(_) => {}
            None => found.push((common, reason)),
        }
    }
    let more = found.len().saturating_sub(REASONS);
    found.truncate(REASONS);
    let shown = found.into_iter().map(|(_, told)| told).collect::<Vec<_>>().join("; ");
    if more > 0 { format!("{shown}; and {more} more") } else { shown }
}

/// ``1 of 7 fields changed: `crf` `` out of ``1 of 7 fields changed: `crf` 23 -> 20``.
fn without_values(reason: &str) -> String {
    match reason.split_once("changed: ") {
        Some((head, told)) => {
            let names: Vec<String> = told.split('`').skip(1).step_by(2).map(|name| format!("`{name}`")).collect();
            format!("{head}changed: {}", names.join(", "))
        }
        None => reason.to_owned(),
    }
}

/// How many tasks are to be what.
#[derive(Default)]
struct Counts {
    hit: u64,
    run: u64,
    depends: u64,
    skip: u64,
    failed: u64,
}

impl Counts {
    fn of(forecasts: &Forecasts<'_>, tasks: impl Iterator<Item = usize>) -> Self {
        let mut counts = Self::default();
        for task in tasks {
            match forecasts.task(task) {
                Forecast::Hit(..) => counts.hit += 1,
                Forecast::Run(_) => counts.run += 1,
                Forecast::DependsOn(_) => counts.depends += 1,
                Forecast::Skip(_) => counts.skip += 1,
                Forecast::Failed(_) => counts.failed += 1,
                Forecast::Out => {}
            }
        }
        counts
    }

    fn all(&self) -> u64 {
        self.hit + self.run + self.depends + self.skip + self.failed
    }
}

/// The plan in one sentence.
fn conclusion(plan: &Plan, forecasts: &Forecasts<'_>) -> String {
    let counts = Counts::of(forecasts, 0..plan.len());
    let skipped = if counts.skip > 0 { format!(", {} skipped", counts.skip) } else { String::new() };
    if counts.hit + counts.skip == counts.all() && plan.waiting().next().is_none() {
        return format!("nothing to do: {} up to date{skipped}", count(counts.hit, "task"));
    }
    let mut parts = vec![format!("{} to run", counts.run)];
    if counts.depends > 0 {
        parts.push(format!("{} that depend on what others give", counts.depends));
    }
    if counts.failed > 0 {
        parts.push(format!("{} that cannot be looked up", counts.failed));
    }
    format!("{}: {}, {} up to date{skipped}", count(counts.all(), "task"), parts.join(", "), counts.hit)
}

/// Holds nothing of where the spec or the store lies: equal specs give equal documents.
fn document(plan: &Plan, forecasts: &Forecasts<'_>, outlook: Option<&Outlook>) -> Json {
    let stages = plan.stages.iter().zip(plan.by_stage()).enumerate().map(|(place, (stage, tasks))| {
        let classes = classes(plan, &tasks);
        let counts = Counts::of(forecasts, tasks.into_iter());
        let mut told = json!({
            "name": stage.name, "kind": stage.kind.name(), "code": stage.code,
            "needs": stage.needs.iter().map(|need| &plan.stages[*need].name).collect::<Vec<_>>(),
            "waits_for": stage.waits_for.map(|source| &plan.stages[source].name),
            "tasks": counts.all(), "hit": counts.hit, "run": counts.run,
            "depends": counts.depends, "skip": counts.skip, "failed": counts.failed,
            "place": plan.places[stage.backend].name,
            "classes": classes.iter().map(|rule| json!({
                "when": rule.to_string(), "class": rule.class, "retries": stage.settings.retry.budget(rule.class),
            })).collect::<Vec<_>>(),
            "seconds": outlook.and_then(|outlook| outlook.seconds_of_stage(place)),
            "used": outlook.and_then(|outlook| outlook.used_of_stage(place)),
            "price": outlook.map(|outlook| outlook.price_document_of(place)),
        });
        if let Some(choice) = &stage.choice {
            told["choice"] = price::choice_document(choice);
        }
        told
    });
    let tasks = plan.asked().map(|index| (index, plan.task(index))).map(|(index, task)| {
        let (state, _, why) = told(plan, forecasts, index);
        let mut told = json!({ "task": task.id.to_string(), "stage": task.id.stage, "cell": task.id.cell });
        told["state"] = state.into();
        match forecasts.task(index) {
            Forecast::Hit(fingerprint) => told["fingerprint"] = json!(fingerprint),
            Forecast::Run(fingerprint) => {
                told["fingerprint"] = json!(fingerprint);
                told["reason"] = why.into();
            }
            Forecast::DependsOn(on) => told["depends_on"] = plan.task(*on).id.to_string().into(),
            Forecast::Skip(why) => told["reason"] = json!(why),
            Forecast::Failed(failure) => told["failure"] = json!(failure),
            Forecast::Out => {}
        }
        told
    });
    json!({
        "pipeline": plan.name,
        "params": plan.params,
        "estimate": outlook.map(Outlook::document),
        "stages": stages.collect::<Vec<_>>(),
        "tasks": tasks.collect::<Vec<_>>(),
    })
}
