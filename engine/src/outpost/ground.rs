//! A scratch folder -> what an attempt needs of a machine: a copy of the bucket that holds what it takes and what it makes,
//! and a state folder.

use super::{Errand, GRACE};
use crate::attempt::Attempt;
use crate::failure::Failure;
use crate::ids::Fingerprint;
use crate::local::{self, Local, Prepared};
use crate::shared::{Shared, here};
use crate::stage::Launch;
use crate::state::StateFolder;
use crate::store::Folder;
use crate::work::store_failed;
use crate::worker::{BUCKET, kind_of};
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};

/// Where an attempt is worked on.
pub(super) struct Ground {
    pub(super) shared: Shared,
    pub(super) local: Local,
    /// Items of the copy that came from the bucket.
    passed: Mutex<HashSet<Fingerprint>>,
}

impl Ground {
    /// Lays it out, or clears it of what an earlier process of the same job has left. Items that are whole stay.
    pub(super) fn lay(errand: &Errand) -> Result<Self, Failure> {
        let place = errand.scratch.join("state");
        let failed = |e| Failure::io("make the folder", &place, &e);
        fs::create_dir_all(place.join("attempts")).map_err(failed)?;
        let state = StateFolder::at(place.canonicalize().map_err(failed)?);
        let store = Arc::new(Folder::open(errand.scratch.join("store")).map_err(store_failed)?);
        local::clear_away(&state, &store);
        local::begin_work(&state);
        let shared = Shared::of(&errand.root, errand.bucket.clone(), store.clone()).for_one_attempt();
        let (worker, oom_kills) = (errand.worker.clone(), errand.oom_kills.clone());
        let local = Local { store, state, worker, oom_kills, grace: GRACE };
        Ok(Self { shared, local, passed: Mutex::default() })
    }

    /// Whether an item need not be looked at.
    pub(super) fn is_passed(&self, item: &Fingerprint) -> bool {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner).contains(item)
    }

    /// An item need not be looked at from now on.
    pub(super) fn pass(&self, item: &Fingerprint) {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner).insert(item.clone());
    }

    /// Brings what an attempt takes, and makes it ready to be started.
    pub(super) fn prepare(&self, mut attempt: Attempt, errand: &Errand) -> Result<Prepared, Failure> {
        let kind = kind_of(&attempt, &errand.kinds)?;
        kind.check(&attempt.config).map_err(|problem| {
            Failure::failed("bad_config", format!("the attempt's settings do not fit: {}", problem.message))
                .on(problem.field)
        })?;
        for input in attempt.inputs.values_mut().flatten() {
            self.shared.bring_all(&input.files)?;
            input.files.iter_mut().for_each(|file| *file = here(file));
        }
        for file in attempt.files.values_mut() {
            *file = self.shared.borrowed(file)?;
        }
        let launch = kind.launch(&attempt.config);
        let variables = attempt.key.iter().filter_map(|(name, value)| Some((name.strip_prefix("env.")?, value)));
        let own = variables.map(|(name, value)| (name.to_owned(), value.clone()));
        // What the author says counts for more than what a provider does.
        let env: BTreeMap<String, String> = errand.passed.clone().into_iter().chain(own).collect();
        let attempt = Attempt { store: self.local.store.root().to_owned(), checkpoints: None, ..attempt };
        let mut prepared = local::prepare_as(&self.local, attempt, launch, env, errand.secrets.clone()?)?;
        if prepared.launch == Launch::Worker && !errand.is_dry {
            prepared.env.insert(BUCKET.to_owned(), errand.root.clone());
        }
        Ok(prepared)
    }
}
