//! `pipe rerun --failed`: the tasks that failed in a run -> a run of them and of what follows from them.

use super::beside;
use super::resume::{Place, again};
use crate::args::{RerunArgs, RunArgs};
use crate::exit::{Exit, Refusal};
use crate::life::Life;
use crate::printer::Printer;
use crate::runs;
use crate::verbs::run;
use crate::words;
use pipe_engine::report::{RunView, Standing};
use serde_json::json;

/// How many names of tasks are told.
const TOLD: usize = 5;

pub(crate) fn run(args: &RerunArgs, printer: &Printer) -> Result<Exit, Refusal> {
    if !args.failed {
        let spec = beside(&args.spec, args.state.as_ref());
        let message = "say what is to run again: `--failed`, the tasks that failed and what follows from them";
        return Err(Refusal::new(Exit::Wrong, message).help(format!(
            "all of a run is `pipe resume {spec}`; one task anew is `pipe run {spec} --only TASK --force`"
        )));
    }
    let place = Place::of(Some(&args.spec), args.state.as_ref());
    let view = place.ended_run(Some(&args.spec), args.run.as_deref().unwrap_or("latest"))?;
    let failed = failed(&view);
    if failed.is_empty() {
        return nothing_failed(&view, args, printer);
    }
    // Of a run of an older version nobody knows which of its parameters were given to it.
    let params = view.asked.as_ref().map_or(&view.params, |asked| &asked.params);
    let again = again(&view, args.spec.clone(), &place, params, &args.how);
    let mut names = failed.iter().take(TOLD).map(String::as_str).collect::<Vec<_>>().join(", ");
    if failed.len() > TOLD {
        names.push_str(&format!(" and {} more", failed.len() - TOLD));
    }
    printer.line(&format!(
        "{} failed in run {}: {names}",
        words::count(failed.len() as u64, "task"),
        runs::name(&view)
    ));
    run::run(&narrowed(again, failed, &args.params), printer)
}

/// The tasks that failed, and the stages that never had any for that reason.
fn failed(view: &RunView) -> Vec<String> {
    let failed = view.tasks.iter().filter(|(_, task)| task.standing == Standing::Failed);
    failed.map(|(name, _)| name.clone()).collect()
}

/// The same run of less. What it was not asked for then is not asked for now, so `--only` and `--until` stand.
fn narrowed(mut again: RunArgs, failed: Vec<String>, params: &[(String, String)]) -> RunArgs {
    again.asked.from = failed;
    // Of one name given twice the last counts.
    again.spec.given.params.extend_from_slice(params);
    again
}

fn nothing_failed(view: &RunView, args: &RerunArgs, printer: &Printer) -> Result<Exit, Refusal> {
    let life = Life::of(view, None);
    if printer.json {
        printer.document(&json!({ "run": view.run, "state": life.word(), "failed": [] }))?;
    }
    printer.line(&format!("nothing failed in run {}: {}", runs::name(view), life.told()));
    if matches!(life, Life::Died | Life::Interrupted | Life::Stopped(_)) {
        printer.line(&format!(
            "`pipe resume {} {}` does the rest",
            beside(&args.spec, args.state.as_ref()),
            run_name(view)
        ));
    }
    Ok(Exit::Done)
}

fn run_name(view: &RunView) -> String {
    view.run.as_ref().map(ToString::to_string).unwrap_or_default()
}
