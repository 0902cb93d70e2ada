//! The names a template takes from its context, while its tree is walked: those it does not give itself.

use std::collections::BTreeSet;

/// Names taken so far, and those that are given where the walk stands.
pub(super) struct Names {
    /// With what is asked of them: `params.games`. A name that is asked for in another way stands alone.
    taken: BTreeSet<String>,
    /// What each block around has given, the innermost last.
    given: Vec<BTreeSet<String>>,
}

impl Default for Names {
    fn default() -> Self {
        Self { taken: BTreeSet::new(), given: vec![BTreeSet::new()] }
    }
}

impl Names {
    /// A block begins.
    pub(super) fn enter(&mut self) {
        self.given.push(BTreeSet::new());
    }

    /// The innermost block ends.
    pub(super) fn leave(&mut self) {
        self.given.pop();
    }

    /// The innermost block gives a name.
    pub(super) fn give(&mut self, name: &str) {
        self.given.last_mut().expect("the template itself is never left").insert(name.to_owned());
    }

    /// A name is used, with what is asked of it.
    pub(super) fn take(&mut self, path: &[&str]) {
        if !self.given.iter().any(|block| block.contains(path[0])) {
            self.taken.insert(path.join("."));
        }
    }

    /// All that was taken, with what was asked: `params.games`.
    pub(super) fn paths(&self) -> &BTreeSet<String> {
        &self.taken
    }

    /// The names alone: `params`.
    pub(super) fn alone(&self) -> BTreeSet<String> {
        self.taken.iter().map(|path| path.split_once('.').map_or(path.as_str(), |(name, _)| name).to_owned()).collect()
    }
}
