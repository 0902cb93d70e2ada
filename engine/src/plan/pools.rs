//! What a spec says of how many tasks may run at once -> pools, and which of them each stage draws from.

use super::code;
use super::places::Place;
use super::settings::Settings;
use crate::spec::Pool;
use crate::spec::StageSpec;
use crate::spec::common::Common;
use crate::spec::node::PathPart;
use crate::text::{Diagnostic, closest, one_of};
use indexmap::IndexMap;
use std::collections::BTreeMap;

/// The pools of a plan.
pub(super) struct Pools {
    names: Vec<String>,
    sizes: Vec<u32>,
    /// The pool of each place that has a limit, by the place's index.
    of_places: BTreeMap<usize, usize>,
}

impl Pools {
    /// Those that the spec names.
    pub(super) fn of(named: &IndexMap<String, Pool>) -> Self {
        Self {
            names: named.keys().cloned().collect(),
            sizes: named.values().map(|pool| pool.0).collect(),
            of_places: BTreeMap::new(),
        }
    }

    /// The pools a stage draws from: those it names, its own when it has a limit, and that of the place where it runs.
    pub(super) fn of_stage(
        &mut self,
        spec: &StageSpec,
        common: &Common,
        settings: &Settings,
        (index, place): (usize, &Place),
        problems: &mut Vec<Diagnostic>,
    ) -> Vec<usize> {
        let mut drawn: Vec<usize> = self.of_place(index, place).into_iter().collect();
        for (at, name) in common.pools.iter().enumerate() {
            match self.names.iter().position(|known| known == name) {
                Some(pool) => drawn.push(pool),
                None => problems.push(self.unknown(spec, at, name)),
            }
        }
        if let Some(parallel) = settings.parallel {
            drawn.push(self.sizes.len());
            self.sizes.push(parallel);
        }
        drawn.sort_unstable();
        drawn.dedup();
        drawn
    }

    fn of_place(&mut self, index: usize, place: &Place) -> Option<usize> {
        let parallel = place.parallel?;
        let next = self.sizes.len();
        let pool = *self.of_places.entry(index).or_insert(next);
        if pool == next {
            self.sizes.push(parallel);
        }
        Some(pool)
    }

    /// How large each is.
    pub(super) fn into_sizes(self) -> Vec<u32> {
        self.sizes
    }

    fn unknown(&self, spec: &StageSpec, at: usize, name: &str) -> Diagnostic {
        let span = spec.common.at(&[PathPart::from("pools"), PathPart::Index(at)]).span.clone();
        let names = || self.names.iter().map(String::as_str);
        let help = match closest(name, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if self.names.is_empty() => format!("declare it: `{name} = 2` under `[pools]`"),
            None => format!("it is one of {}", one_of(names())),
        };
        Diagnostic::error(code::UNKNOWN_POOL, format!("no pool is named `{name}`"), span, "named here").help(help)
    }
}
