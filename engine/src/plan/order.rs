//! Which stage needs which, and an order in which inputs come first.

use super::code;
use crate::spec::template::is_template;
use crate::spec::{Spec, SpecSchema, model::path_parts, replace_text};
use crate::text::{Diagnostic, MOST_PROBLEMS, Span, closest, one_of};
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use std::collections::{HashMap, VecDeque, hash_map::Entry};

/// The stages by their places in the spec. A link goes to the stage that needs the other, and knows where that is written.
type Needs = DiGraph<(), Span>;

/// The places of the spec's stages, inputs first and otherwise as in the file. Empty when there is no such order.
pub(super) fn sort(spec: &Spec, schema: &SpecSchema, problems: &mut Vec<Diagnostic>) -> Vec<usize> {
    let graph = connect(spec, schema, problems);
    // Not Tarjan's: petgraph walks it by recursion, and a spec may be a chain of ten thousand stages.
    let circles: Vec<Vec<NodeIndex>> = kosaraju_scc(&graph)
        .into_iter()
        .filter(|group| group.len() > 1 || graph.contains_edge(group[0], group[0]))
        .map(|group| shortest_circle(&graph, &group))
        .collect();
    problems.extend(circles.iter().map(|circle| cycle(spec, &graph, circle)));
    if circles.is_empty() { inputs_first(&graph) } else { Vec::new() }
}

fn connect(spec: &Spec, schema: &SpecSchema, problems: &mut Vec<Diagnostic>) -> Needs {
    let mut graph = Needs::new();
    let places: HashMap<&str, NodeIndex> =
        spec.stages.iter().map(|s| (s.name.value.as_str(), graph.add_node(()))).collect();
    for stage in &spec.stages {
        if problems.len() >= MOST_PROBLEMS {
            break;
        }
        let here = places[stage.name.value.as_str()];
        let body = stage.body.to_json();
        let own = schema.marked(&stage.kind.value, &body).into_iter().map(|m| (m, &stage.body));
        let common = stage.common.to_json();
        let shared = schema.marked_in_common(&common).into_iter().map(|m| (m, &stage.common));
        for (found, part) in own.chain(shared).filter(|(m, _)| m.mark.is_stage()) {
            let node = part.at(&path_parts(&found.field));
            let span = node.span.clone();
            if is_template(&found.text) {
                let message = format!("`{}` names a stage by a template", found.field);
                let help = "write the stage's name: the graph must be known before anything runs";
                problems.push(Diagnostic::error(code::COMPUTED_STAGE, message, span, "").help(help));
            } else if let Some(there) = places.get(found.text.as_str()) {
                if !graph.contains_edge(*there, here) {
                    graph.add_edge(*there, here, span);
                }
            } else {
                let names = || spec.stages.iter().map(|s| s.name.value.as_str());
                let message = format!("no stage is named `{}`", found.text);
                let problem = Diagnostic::error(code::UNKNOWN_STAGE, message, span, "named here");
                let others = || names().filter(|name| *name != stage.name.value);
                problems.push(match closest(&found.text, others()) {
                    Some(near) => {
                        problem.fix(format!("did you mean `{near}`?"), [replace_text(node, &found.text, near)])
                    }
                    None => problem.help(format!("the spec has {}", one_of(names()))),
                });
            }
        }
    }
    graph
}

/// The shortest way from the first of the stages in the file back to itself; each gives its result to the next.
fn shortest_circle(graph: &Needs, group: &[NodeIndex]) -> Vec<NodeIndex> {
    let start = group.iter().copied().min().expect("a group has a stage");
    let mut came_from: HashMap<NodeIndex, NodeIndex> = HashMap::new();
    let mut next = VecDeque::from([start]);
    while let Some(here) = next.pop_front() {
        for there in graph.neighbors(here) {
            if let Entry::Vacant(first_time) = came_from.entry(there) {
                first_time.insert(here);
                next.push_back(there);
            }
        }
        if came_from.contains_key(&start) {
            break;
        }
    }
    let mut circle = vec![came_from.get(&start).copied().unwrap_or(start)];
    while circle[0] != start {
        circle.insert(0, came_from[&circle[0]]);
    }
    circle
}

/// The circle as it is drawn, with a label at each place that closes one of its links.
fn cycle(spec: &Spec, graph: &Needs, circle: &[NodeIndex]) -> Diagnostic {
    let name = |node: NodeIndex| spec.stages[node.index()].name.value.as_str();
    let around: Vec<NodeIndex> = circle.iter().chain(circle.first()).copied().collect();
    let message = match circle {
        [one] => format!("stage `{}` needs its own result", name(*one)),
        _ if around.len() <= LONGEST_DRAWN => {
            let names: Vec<&str> = around.iter().map(|node| name(*node)).collect();
            format!("stages need each other in a circle: {}", names.join(" -> "))
        }
        _ => {
            let names: Vec<&str> = around.iter().take(LONGEST_DRAWN - 2).map(|node| name(*node)).collect();
            let more = around.len() - LONGEST_DRAWN + 1;
            let last = name(around[0]);
            format!("stages need each other in a circle: {} -> ... {more} more ... -> {last}", names.join(" -> "))
        }
    };
    let mut links = around.windows(2).take(LONGEST_DRAWN).map(|link| {
        let place = graph.find_edge(link[0], link[1]).map_or(0..0, |edge| graph[edge].clone());
        (place, format!("{} -> {}", name(link[0]), name(link[1])))
    });
    let (place, link) = links.next().unwrap_or((0..0, String::new()));
    let first = Diagnostic::error(code::CYCLE, message, place, link);
    links.fold(first, |problem, (place, link)| problem.and(place, link)).help("take one of these references out")
}

/// A circle of more stages is drawn without those in its middle.
const LONGEST_DRAWN: usize = 10;

/// Kahn's order, always taking the first in the file that is free: petgraph's own order would change when a stage
/// that has nothing to do with it moves.
fn inputs_first(graph: &Needs) -> Vec<usize> {
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
