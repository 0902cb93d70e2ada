//! `pipe graph`: a plan -> a picture of its stages, or of its tasks.

use crate::args::{GraphArgs, GraphFormat};
use crate::exit::{Exit, Refusal};
use crate::forecast::Forecasts;
use crate::printer::Printer;
use crate::wiring::Project;
use pipe_engine::lookup::Finder;
use pipe_engine::plan::{Detail, Look, Plan, dot, mermaid, svg};
use pipe_engine::world::World;
use serde_json::{Value as Json, json};
use std::fs;
use std::path::Path;

pub(crate) fn run(args: &GraphArgs, printer: &Printer) -> Result<Exit, Refusal> {
    let format = format_of(args)?;
    let (project, finder) = Project::load(&args.spec, printer)?.grown(&World::real(), printer)?;
    if printer.json {
        printer.document(&document(&project.plan))?;
        return Ok(Exit::Done);
    }
    let picture = match format {
        GraphFormat::Dot => dot(&project.plan),
        GraphFormat::Mermaid => mermaid(&project.plan),
        GraphFormat::Svg => {
            let looks = looks(&project, &finder)?;
            svg(&project.plan, Detail { looks: looks.as_deref(), tasks: args.tasks })
        }
    };
    let Some(file) = &args.output else {
        printer.data(&picture)?;
        return Ok(Exit::Done);
    };
    fs::write(file, picture).map_err(|error| {
        Refusal::new(Exit::Unavailable, format!("cannot write {}: {error}", file.display()))
            .help("check that its folder is there and can be written")
    })?;
    printer.line(&format!("wrote {}", file.display()));
    Ok(Exit::Done)
}

/// The format that was named, or else the one that the file's name means.
fn format_of(args: &GraphArgs) -> Result<GraphFormat, Refusal> {
    let meant = args.output.as_deref().map(named_by).transpose()?;
    let format = args.format.or(meant).unwrap_or(if args.tasks { GraphFormat::Svg } else { GraphFormat::Dot });
    if args.tasks && format != GraphFormat::Svg {
        return Err(Refusal::new(Exit::Wrong, "only SVG can show each task").help("add `--format svg`"));
    }
    Ok(format)
}

fn named_by(file: &Path) -> Result<GraphFormat, Refusal> {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("svg") => Ok(GraphFormat::Svg),
        Some("dot" | "gv") => Ok(GraphFormat::Dot),
        Some("mmd" | "mermaid") => Ok(GraphFormat::Mermaid),
        _ => Err(Refusal::new(Exit::Wrong, format!("the name {} does not tell the format", file.display()))
            .help("let it end in .svg, .dot or .mmd; other formats can be made of the DOT by `dot`")),
    }
}

/// What would be done with each task. Where nothing was ever kept there is nothing to tell apart.
fn looks(project: &Project, finder: &Finder) -> Result<Option<Vec<Look>>, Refusal> {
    if !project.has_store() {
        return Ok(None);
    }
    project.reach(finder)?;
    let forecasts = Forecasts::of(&project.plan, finder);
    let looks = (0..project.plan.len()).map(|task| forecasts.task(task).look()).collect();
    finder.save();
    Ok(Some(looks))
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
