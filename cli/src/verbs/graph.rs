//! `pipe graph`: a plan -> a picture of its stages.

use crate::args::{GraphArgs, GraphFormat};
use crate::exit::{Exit, Refusal};
use crate::printer::Printer;
use crate::wiring::Project;
use pipe_engine::plan::{Plan, dot, mermaid};
use serde_json::{Value as Json, json};

pub(crate) fn run(args: &GraphArgs, printer: &Printer) -> Result<Exit, Refusal> {
    let project = Project::load(&args.spec, printer)?;
    if printer.json {
        printer.document(&document(&project.plan))?;
        return Ok(Exit::Done);
    }
    let picture = match args.format {
        GraphFormat::Dot => dot(&project.plan),
        GraphFormat::Mermaid => mermaid(&project.plan),
    };
    printer.data(&picture)?;
    Ok(Exit::Done)
}

fn document(plan: &Plan) -> Json {
    let stages = plan.stages.iter().zip(plan.by_stage()).map(|(stage, tasks)| {
        json!({
            "name": stage.name,
            "kind": stage.kind.name(),
            "tasks": tasks.len(),
            "needs": stage.needs.iter().map(|need| &plan.stages[*need].name).collect::<Vec<_>>(),
        })
    });
    json!({ "pipeline": plan.name, "stages": stages.collect::<Vec<_>>() })
}
