//! `pipe plan`: a spec -> what a run would do, and why. Starts nothing, takes no lock, writes nothing into the store.

use crate::args::PlanArgs;
use crate::exit::{Exit, Refusal};
use crate::forecast::{self, Forecast};
use crate::printer::{Printer, Style};
use crate::table::{self, Entry, left, right};
use crate::wiring::Project;
use crate::words::count;
use pipe_engine::plan::{Plan, Task};
use pipe_engine::world::World;
use serde_json::{Value as Json, json};

/// How many different reasons a stage's line tells.
const REASONS: usize = 2;

pub(crate) fn run(args: &PlanArgs, printer: &Printer) -> Result<Exit, Refusal> {
    let project = Project::load(&args.spec, printer)?;
    let finder = project.finder(&World::real());
    let forecasts = forecast::of(&project.plan, &finder);
    // Digests of large files are worth remembering; where there is no state folder yet, this does nothing.
    finder.save();
    let plan = &project.plan;
    if printer.json {
        printer.document(&document(plan, &forecasts))?;
        return Ok(Exit::Done);
    }
    let rows = if args.tasks { task_rows(plan, &forecasts) } else { stage_rows(plan, &forecasts) };
    printer.data(&format!("{}\n{}\n", table::lines(printer, &rows), conclusion(plan, &forecasts)))?;
    Ok(Exit::Done)
}

/// What is told of a task: a word, and why.
fn told(plan: &Plan, forecast: &Forecast) -> (&'static str, Style, String) {
    match forecast {
        Forecast::Hit(..) => ("hit", Style::Good, String::new()),
        Forecast::Run(_, reason) => ("run", Style::Warning, reason.clone()),
        Forecast::DependsOn(on) => ("depends", Style::Plain, format!("depends on {}", plan.task(*on).id)),
        Forecast::Failed(failure) => ("failed", Style::Error, failure.to_string()),
    }
}

fn task_rows(plan: &Plan, forecasts: &[Forecast]) -> Vec<Vec<Entry>> {
    let row = |(task, forecast): (&Task, &Forecast)| {
        let (word, style, why) = told(plan, forecast);
        vec![left(Style::Plain, task.id.to_string()), left(style, word), left(Style::Faint, why)]
    };
    let header = vec![left(Style::Strong, "task"), left(Style::Strong, ""), left(Style::Strong, "why")];
    std::iter::once(header).chain(plan.tasks().zip(forecasts).map(row)).collect()
}

fn stage_rows(plan: &Plan, forecasts: &[Forecast]) -> Vec<Vec<Entry>> {
    let header = ["tasks", "hit", "run", "depends"].map(|title| right(Style::Strong, title));
    let mut rows = vec![vec![left(Style::Strong, "stage"), left(Style::Strong, "kind")]];
    rows[0].extend(header);
    rows[0].push(left(Style::Strong, "why"));
    rows.extend((0..plan.stages.len()).map(|place| stage_row(plan, forecasts, place)));
    rows
}

fn stage_row(plan: &Plan, forecasts: &[Forecast], place: usize) -> Vec<Entry> {
    let stage = &plan.stages[place];
    let counts = Counts::of(plan, forecasts, |task| task.stage == place);
    let number = |n: u64, style| right(style, if n == 0 { String::new() } else { n.to_string() });
    vec![
        left(Style::Plain, &stage.name),
        left(Style::Faint, stage.kind.name()),
        right(Style::Plain, counts.all().to_string()),
        number(counts.hit, Style::Good),
        number(counts.run, Style::Warning),
        number(counts.depends, Style::Plain),
        left(Style::Faint, reasons(plan, forecasts, place)),
    ]
}

/// Why tasks of a stage run, each reason once; of those that depend on others, the stages they depend on.
fn reasons(plan: &Plan, forecasts: &[Forecast], place: usize) -> String {
    let mut found: Vec<String> = Vec::new();
    for (task, forecast) in plan.tasks().zip(forecasts).filter(|(task, _)| task.stage == place) {
        let reason = match forecast {
            Forecast::Hit(..) => continue,
            Forecast::DependsOn(on) => format!("depends on {}", plan.task(*on).id.stage),
            Forecast::Failed(failure) => format!("{}: {failure}", task.id),
            Forecast::Run(_, reason) => reason.clone(),
        };
        if !found.contains(&reason) {
            found.push(reason);
        }
    }
    let more = found.len().saturating_sub(REASONS);
    found.truncate(REASONS);
    let shown = found.join("; ");
    if more > 0 { format!("{shown}; and {more} more") } else { shown }
}

/// How many tasks are to be what.
#[derive(Default)]
struct Counts {
    hit: u64,
    run: u64,
    depends: u64,
    failed: u64,
}

impl Counts {
    fn of(plan: &Plan, forecasts: &[Forecast], which: impl Fn(&Task) -> bool) -> Self {
        let mut counts = Self::default();
        for (_, forecast) in plan.tasks().zip(forecasts).filter(|(task, _)| which(task)) {
            match forecast {
                Forecast::Hit(..) => counts.hit += 1,
                Forecast::Run(..) => counts.run += 1,
                Forecast::DependsOn(_) => counts.depends += 1,
                Forecast::Failed(_) => counts.failed += 1,
            }
        }
        counts
    }

    fn all(&self) -> u64 {
        self.hit + self.run + self.depends + self.failed
    }
}

/// The plan in one sentence.
fn conclusion(plan: &Plan, forecasts: &[Forecast]) -> String {
    let counts = Counts::of(plan, forecasts, |_| true);
    if counts.hit == counts.all() {
        return format!("nothing to do: {} up to date", count(counts.hit, "task"));
    }
    let mut parts = vec![format!("{} to run", counts.run)];
    if counts.depends > 0 {
        parts.push(format!("{} that depend on what others give", counts.depends));
    }
    if counts.failed > 0 {
        parts.push(format!("{} that cannot be looked up", counts.failed));
    }
    format!("{}: {}, {} up to date", count(counts.all(), "task"), parts.join(", "), counts.hit)
}

/// Holds nothing of where the spec or the store lies: equal specs give equal documents.
fn document(plan: &Plan, forecasts: &[Forecast]) -> Json {
    let stages = plan.stages.iter().enumerate().map(|(place, stage)| {
        let counts = Counts::of(plan, forecasts, |task| task.stage == place);
        json!({
            "name": stage.name, "kind": stage.kind.name(), "code": stage.code,
            "needs": stage.needs.iter().map(|need| &plan.stages[*need].name).collect::<Vec<_>>(),
            "tasks": counts.all(), "hit": counts.hit, "run": counts.run,
            "depends": counts.depends, "failed": counts.failed,
        })
    });
    let tasks = plan.tasks().zip(forecasts).map(|(task, forecast)| {
        let (state, _, why) = told(plan, forecast);
        let mut told = json!({ "task": task.id.to_string(), "stage": task.id.stage, "cell": task.id.cell });
        told["state"] = state.into();
        match forecast {
            Forecast::Hit(key, _) | Forecast::Run(key, _) => told["fingerprint"] = json!(key.fingerprint),
            Forecast::DependsOn(on) => told["depends_on"] = plan.task(*on).id.to_string().into(),
            Forecast::Failed(failure) => told["failure"] = json!(failure),
        }
        if let Forecast::Run(..) = forecast {
            told["reason"] = why.into();
        }
        told
    });
    json!({
        "pipeline": plan.name,
        "params": plan.params,
        "stages": stages.collect::<Vec<_>>(),
        "tasks": tasks.collect::<Vec<_>>(),
    })
}
