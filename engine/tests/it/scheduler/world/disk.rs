//! What outlives an engine: the store, what its journals tell for good, and the jobs elsewhere.

use super::super::case::{Key, Try};
use super::jobs::Jobs;
use pipe_engine::scheduler::Record;
use std::collections::{BTreeMap, BTreeSet};

/// An attempt: what it makes, and its number among all that were to make it.
pub(crate) type Name = (Key, u32);

#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    /// Results in the store.
    pub(crate) filed: BTreeSet<Key>,
    /// Attempts that the store describes, and what each does. Those that have an outcome too are over.
    pub(super) described: BTreeMap<Name, Try>,
    pub(super) outcomes: BTreeSet<Name>,
    /// Attempts of which the journal tells that there may be a job, and those that were to be stopped.
    pub(super) open: BTreeSet<Name>,
    pub(super) stopping: BTreeSet<Name>,
    pub(super) jobs: Jobs,
    /// What the clock shows when the next life begins.
    pub(crate) clock: u64,
}

impl Disk {
    /// A store that has these results, and nothing else.
    pub(crate) fn with(filed: BTreeSet<Key>) -> Self {
        Self { filed, ..Self::default() }
    }

    /// The attempt of which nobody has heard how it ended, or the one that is open under a key, or the next one. Says
    /// whether it was there.
    pub(super) fn describe(&mut self, key: Key, does: Try, unheard: Option<Name>) -> (Name, bool) {
        let mut names = (1..).map(|number| (key.clone(), number));
        let open = || names.find(|name| !self.outcomes.contains(name)).expect("there are numbers enough");
        let name = unheard.unwrap_or_else(open);
        let is_there = self.described.contains_key(&name);
        self.described.entry(name.clone()).or_insert(does);
        (name, is_there)
    }

    fn take_in(&mut self, mark: Mark) {
        match mark {
            Mark::Open(name) => drop(self.open.insert(name)),
            Mark::Stopping(name) => drop(self.stopping.insert(name)),
            Mark::Over(name) => drop(self.open.remove(&name)),
        }
    }
}

/// What a record says of an attempt elsewhere.
#[derive(Clone, Debug)]
pub(super) enum Mark {
    Open(Name),
    Stopping(Name),
    Over(Name),
}

/// The journal of one life. What is handed over while a group is being committed waits for the next group.
#[derive(Default)]
pub(crate) struct Journal {
    pub(crate) records: Vec<Record>,
    marks: BTreeMap<usize, Mark>,
    /// How many of the records a crash leaves.
    pub(crate) durable: usize,
    committing: bool,
}

impl Journal {
    pub(super) fn push(&mut self, record: Record, mark: Option<Mark>) {
        self.marks.extend(mark.map(|mark| (self.records.len(), mark)));
        self.records.push(record);
    }

    /// The size the journal has once the next group is committed, if a commit can begin now.
    pub(super) fn begin_commit(&mut self) -> Option<usize> {
        let begins = !self.committing && self.durable < self.records.len();
        self.committing |= begins;
        begins.then_some(self.records.len())
    }

    pub(super) fn committed(&mut self, size: usize, disk: &mut Disk) {
        self.committing = false;
        self.durable = size;
        while let Some(mark) = self.marks.first_entry().filter(|mark| *mark.key() < size) {
            disk.take_in(mark.remove());
        }
    }

    pub(super) fn is_whole(&self) -> bool {
        self.durable == self.records.len()
    }
}
