//! Which tasks of one stage belong to a cell of another.
//!
//! The one rule by which cells meet: keys that both sides have must be equal; keys that only one side has do not matter.
//! All cells of a stage have the same keys, so the tasks of the one are put in order by the keys they share with the
//! other once, and each cell of the other finds its own without looking at the rest.

use crate::ids::Cell;
use petgraph::graph::NodeIndex;
use serde_json::Value as Json;
use std::collections::HashMap;
use std::sync::Arc;

/// The tasks of one stage as the cells of another see them.
pub(super) struct Matching {
    shared: Vec<Arc<str>>,
    tasks: HashMap<Vec<Json>, Arc<[NodeIndex]>>,
}

impl Matching {
    /// `tasks`: those of a stage with their cells, in cell order. `keys`: those of the cells that will ask.
    pub(super) fn new<'a>(tasks: impl Iterator<Item = (NodeIndex, &'a Cell)>, keys: &Cell) -> Self {
        let mut shared: Option<Vec<Arc<str>>> = None;
        let mut found: HashMap<Vec<Json>, Vec<NodeIndex>> = HashMap::new();
        for (task, cell) in tasks {
            let shared = shared
                .get_or_insert_with(|| cell.iter().map(|(key, _)| key.clone()).filter(|key| keys.has(key)).collect());
            found.entry(values(cell, shared)).or_default().push(task);
        }
        let tasks = found.into_iter().map(|(values, tasks)| (values, tasks.into())).collect();
        Self { shared: shared.unwrap_or_default(), tasks }
    }

    /// The tasks that belong to `cell`, in cell order. Cells that find the same share one list.
    pub(super) fn of(&self, cell: &Cell) -> Arc<[NodeIndex]> {
        self.tasks.get(&values(cell, &self.shared)).cloned().unwrap_or_default()
    }
}

fn values(cell: &Cell, keys: &[Arc<str>]) -> Vec<Json> {
    keys.iter().filter_map(|key| cell.get(key)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cell(keys: &[&str], values: &[u8]) -> Cell {
        keys.iter().zip(values).map(|(key, value)| (*key, Json::from(*value))).collect()
    }

    const KEYS: [&str; 4] = ["a", "b", "c", "d"];

    fn keys() -> impl Strategy<Value = Vec<&'static str>> {
        proptest::sample::subsequence(&KEYS[..], 0..=4)
    }

    proptest! {
        #[test]
        fn a_cell_finds_just_the_tasks_it_agrees_with(
            producer in keys(),
            consumer in keys(),
            made in proptest::collection::vec(proptest::collection::vec(0_u8..3, 4), 0..12),
            asked in proptest::collection::vec(0_u8..3, 4),
        ) {
            let made: Vec<(NodeIndex, Cell)> =
                made.iter().enumerate().map(|(i, values)| (NodeIndex::new(i), cell(&producer, values))).collect();
            let asked = cell(&consumer, &asked);
            let agrees = made.iter().filter(|(_, cell)| cell.agrees_with(&asked));
            let expected: Vec<NodeIndex> = agrees.map(|(task, _)| *task).collect();
            let matching = Matching::new(made.iter().map(|(task, cell)| (*task, cell)), &asked);
            prop_assert_eq!(matching.of(&asked).to_vec(), expected);
        }
    }
}
