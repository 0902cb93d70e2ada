//! Which stage needs which, and an order in which inputs come first.

use super::code;
use crate::spec::template::is_template;
use crate::spec::{Spec, SpecSchema, model::path_parts};
use crate::stage::marked;
use crate::text::{Diagnostic, closest, one_of};
use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use std::collections::HashMap;

/// The places of the spec's stages, inputs first and otherwise as in the file. Empty when there is no such order.
pub(super) fn sort(spec: &Spec, schema: &SpecSchema, problems: &mut Vec<Diagnostic>) -> Vec<usize> {
    let graph = connect(spec, schema, problems);
    let mut circular = false;
    for group in tarjan_scc(&graph) {
        let around = group.len() > 1 || graph.contains_edge(group[0], group[0]);
        if around {
            circular = true;
            problems.push(cycle(spec, &group));
        }
    }
    if circular { Vec::new() } else { inputs_first(&graph) }
}

fn connect(spec: &Spec, schema: &SpecSchema, problems: &mut Vec<Diagnostic>) -> DiGraph<(), ()> {
    let mut graph = DiGraph::new();
    let places: HashMap<&str, NodeIndex> =
        spec.stages.iter().map(|s| (s.name.value.as_str(), graph.add_node(()))).collect();
    for stage in &spec.stages {
        let here = places[stage.name.value.as_str()];
        let body = stage.body.to_json();
        let own = marked(&schema.root, schema.kind(&stage.kind.value), &body).into_iter().map(|m| (m, &stage.body));
        let common = stage.common.to_json();
        let shared = marked(&schema.root, schema.common(), &common).into_iter().map(|m| (m, &stage.common));
        for (found, node) in own.chain(shared).filter(|(m, _)| m.mark.is_stage()) {
            let span = node.at(&path_parts(&found.field)).span.clone();
            if is_template(&found.text) {
                let message = format!("`{}` names a stage by a template", found.field);
                let help = "write the stage's name: the graph must be known before anything runs";
                problems.push(Diagnostic::error(code::COMPUTED_STAGE, message, span, "").help(help));
            } else if let Some(there) = places.get(found.text.as_str()) {
                graph.update_edge(*there, here, ());
            } else {
                let names = || spec.stages.iter().map(|s| s.name.value.as_str());
                let help = closest(&found.text, names()).map_or_else(
                    || format!("the spec has {}", one_of(names())),
                    |near| format!("did you mean `{near}`?"),
                );
                let message = format!("no stage is named `{}`", found.text);
                problems.push(Diagnostic::error(code::UNKNOWN_STAGE, message, span, "named here").help(help));
            }
        }
    }
    graph
}

fn cycle(spec: &Spec, group: &[NodeIndex]) -> Diagnostic {
    let mut places: Vec<usize> = group.iter().map(|i| i.index()).collect();
    places.sort_unstable();
    let names: Vec<String> = places.iter().map(|p| format!("`{}`", spec.stages[*p].name.value)).collect();
    let message = match names.as_slice() {
        [one] => format!("stage {one} needs its own result"),
        many => format!("stages need each other's results: {}", many.join(", ")),
    };
    let mut spans = places.iter().map(|p| spec.stages[*p].name.span.clone());
    let first = Diagnostic::error(code::CYCLE, message, spans.next().unwrap_or(0..0), "is in the circle");
    spans.fold(first, |d, span| d.and(span, "is in the circle")).help("take one of these references out")
}

/// Kahn's order, always taking the first in the file that is free: petgraph's own order would change when a stage
/// that has nothing to do with it moves.
fn inputs_first(graph: &DiGraph<(), ()>) -> Vec<usize> {
    let mut missing: Vec<usize> =
        graph.node_indices().map(|n| graph.neighbors_directed(n, petgraph::Incoming).count()).collect();
    let mut free: std::collections::BTreeSet<usize> = (0..missing.len()).filter(|n| missing[*n] == 0).collect();
    let mut order = Vec::with_capacity(missing.len());
    while let Some(next) = free.pop_first() {
        order.push(next);
        for after in graph.neighbors(NodeIndex::new(next)) {
            missing[after.index()] -= 1;
            if missing[after.index()] == 0 {
                free.insert(after.index());
            }
        }
    }
    order
}
