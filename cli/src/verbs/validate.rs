//! `pipe validate`: a spec -> all that is wrong with it, or its size.

use crate::args::ValidateArgs;
use crate::exit::{Exit, Refusal};
use crate::printer::Printer;
use crate::wiring::{self, Checked};
use crate::words::count;
use pipe_engine::plan::Plan;
use pipe_engine::text::{render, to_json};
use serde_json::json;

pub(crate) fn run(args: &ValidateArgs, printer: &Printer) -> Result<Exit, Refusal> {
    let mut checked = wiring::check(&args.spec)?;
    checked.look_around(&args.spec);
    let exit = if checked.plan.is_some() { Exit::Done } else { Exit::Wrong };
    if printer.json {
        printer.document(&document(&checked))?;
        return Ok(exit);
    }
    let Checked { sources, problems, plan, .. } = checked;
    let Some(plan) = plan else { return Err(wiring::wrong(&sources, &problems, printer)) };
    if !problems.is_empty() {
        printer.line(&render(&sources, &problems, printer.colors_talk()));
    }
    printer.data(&format!("{}: {}\n", sources.main().path, size(&plan)))?;
    Ok(exit)
}

fn document(checked: &Checked) -> serde_json::Value {
    json!({
        "spec": checked.sources.main().path,
        "valid": checked.plan.is_some(),
        "stages": checked.plan.as_ref().map(|plan| plan.stages.len()),
        "tasks": checked.plan.as_ref().map(Plan::len),
        "problems": to_json(&checked.sources, &checked.problems),
    })
}

/// `6 stages, 75 tasks`.
fn size(plan: &Plan) -> String {
    format!("{}, {}", count(plan.stages.len() as u64, "stage"), count(plan.len() as u64, "task"))
}
