//! What outlives an engine: results in the store, and those records of its journal that were committed in time.

use pipe_engine::scheduler::Record;
use std::collections::BTreeSet;

/// A result: the task's place in the case, and the places of the inputs that it was made of. They are in its key, so what
/// was made without one of them is another result.
pub(crate) type Key = (usize, Vec<usize>);

/// The store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    pub(crate) filed: BTreeSet<Key>,
}

/// The journal of one life. What is handed over while a group is being committed waits for the next group.
#[derive(Default)]
pub(crate) struct Journal {
    pub(crate) records: Vec<Record>,
    /// How many of them a crash leaves.
    pub(crate) durable: usize,
    committing: bool,
}

impl Journal {
    /// The size the journal has once the next group is committed, if a commit can begin now.
    pub(super) fn begin_commit(&mut self) -> Option<usize> {
        let begins = !self.committing && self.durable < self.records.len();
        self.committing |= begins;
        begins.then_some(self.records.len())
    }

    pub(super) fn committed(&mut self, size: usize) {
        self.committing = false;
        self.durable = size;
    }

    pub(super) fn is_whole(&self) -> bool {
        self.durable == self.records.len()
    }
}
