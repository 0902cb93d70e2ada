//! A plan that was made with more rows than the one before it -> the same plan with the tasks that were known at their old
//! places, so that whatever speaks of tasks by their places need not be told.

use super::{Plan, Task};
use petgraph::graph::{DiGraph, NodeIndex};
use std::collections::HashMap;
use std::sync::Arc;

impl Plan {
    /// This plan with the tasks of `before` first, in their order, and the new ones after them. `before` is a plan of the
    /// same spec in which fewer rows were known.
    ///
    /// Inputs still come first: a task that was known needs only tasks that were known too.
    #[must_use]
    pub fn continuing(self, before: &Self) -> Self {
        // A stage has all of its tasks or none, so those of a stage that had some are the same in both.
        let (known, mine) = (before.by_stage(), self.by_stage());
        let mut order = vec![0; before.len()];
        for (old, now) in known.iter().zip(&mine).flat_map(|(known, mine)| known.iter().zip(mine)) {
            order[*old] = *now;
        }
        order.extend((0..self.len()).filter(|place| known[self.task(*place).stage].is_empty()));
        let mut places = vec![0; order.len()];
        for (new, old) in order.iter().enumerate() {
            places[*old] = new;
        }
        let (nodes, edges) = self.graph.into_nodes_edges();
        let mut tasks: Vec<Option<Task>> = nodes.into_iter().map(|node| Some(node.weight)).collect();
        // Each list by its address, which stays its own as long as the list is kept.
        let mut lists: HashMap<*const NodeIndex, [Arc<[NodeIndex]>; 2]> = HashMap::new();
        let mut graph = DiGraph::with_capacity(order.len(), edges.len());
        for old in order {
            let mut task = tasks[old].take().expect("each place comes once");
            for input in &mut task.inputs {
                // Many tasks may share one list, and are to go on doing so.
                let moved = lists.entry(input.tasks.as_ptr()).or_insert_with(|| {
                    let moved = input.tasks.iter().map(|need| NodeIndex::new(places[need.index()]));
                    [input.tasks.clone(), moved.collect()]
                });
                input.tasks = moved[1].clone();
            }
            graph.add_node(task);
        }
        for edge in edges {
            let [from, to] = [edge.source(), edge.target()].map(|old| NodeIndex::new(places[old.index()]));
            graph.add_edge(from, to, ());
        }
        let mut grown = Self { graph, ..self };
        grown.select_as(before);
        grown
    }
}
