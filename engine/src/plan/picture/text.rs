//! The plan's stages as text that other programs draw: Graphviz DOT and Mermaid.

use super::tasks_of;
use crate::plan::Plan;
use std::fmt::Write;

/// A DOT digraph: one box for each stage with its kind and number of tasks.
pub fn dot(plan: &Plan) -> String {
    let mut out = String::from(
        "digraph pipeline {\n  rankdir=LR;\n  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n",
    );
    for (i, tasks) in plan.by_stage().iter().enumerate() {
        let [name, kind, tasks] = label(plan, i, tasks.len());
        let _ =
            writeln!(out, "  s{i} [label=\"{}\\n{kind}\\n{tasks}\"];", name.replace('\\', "\\\\").replace('"', "\\\""));
    }
    for (from, to) in edges(plan) {
        let _ = writeln!(out, "  s{from} -> s{to};");
    }
    out.push_str("}\n");
    out
}

/// A Mermaid flowchart of the same.
pub fn mermaid(plan: &Plan) -> String {
    let mut out = String::from("flowchart LR\n");
    for (i, tasks) in plan.by_stage().iter().enumerate() {
        let [name, kind, tasks] = label(plan, i, tasks.len());
        let _ = writeln!(out, "  s{i}[\"<b>{}</b><br/>{kind}<br/>{tasks}\"]", name.replace('"', "#quot;"));
    }
    for (from, to) in edges(plan) {
        let _ = writeln!(out, "  s{from} --> s{to}");
    }
    out
}

fn label(plan: &Plan, stage: usize, count: usize) -> [String; 3] {
    let stage = &plan.stages[stage];
    [stage.name.clone(), stage.kind.name().to_owned(), tasks_of(stage, count)]
}

fn edges(plan: &Plan) -> impl Iterator<Item = (usize, usize)> + '_ {
    plan.stages.iter().enumerate().flat_map(|(to, stage)| stage.needs.iter().map(move |from| (*from, to)))
}
