//! A plan -> one attempt of each sort that it would hand over, for whoever asks beforehand what becomes of such. None of them
//! is ever described in a store.

use crate::attempt::{Attempt, VERSION};
use crate::ids::{AttemptId, Cell, Fingerprint, RunId, TaskId};
use crate::key::Fields;
use crate::plan::{Plan, Stage};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What the attempts of some stages ask of their place.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The place, by its index in the plan.
    pub place: usize,
    /// The stages whose attempts ask for this, with the code of their kinds.
    pub stages: Vec<Tried>,
    /// Such an attempt. Of its task no more is right than that it is of the first of these stages.
    pub attempt: Attempt,
}

/// A stage of a trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Its name.
    pub stage: String,
    /// Its kind.
    pub kind: String,
    /// The version of the kind's code.
    pub code: String,
}

/// The trials of all stages that run elsewhere. `store` is the store's root as a place is told of it; `name` is nobody
/// else's.
pub fn trials(plan: &Plan, store: &str, name: &str) -> Vec<Trial> {
    let mut trials: Vec<Trial> = Vec::new();
    for stage in plan.stages.iter().filter(|stage| !plan.places[stage.backend].is_local()) {
        let attempt = attempt(plan, stage, store, &format!("check-{name}-{}", trials.len() + 1));
        let tried = Tried { stage: stage.name.clone(), kind: stage.kind.name().to_owned(), code: stage.code.clone() };
        let same = |known: &&mut Trial| known.place == stage.backend && asks_the_same(&known.attempt, &attempt);
        match trials.iter_mut().find(same) {
            Some(known) => known.stages.push(tried),
            None => trials.push(Trial { place: stage.backend, stages: vec![tried], attempt }),
        }
    }
    trials
}

fn asks_the_same(one: &Attempt, other: &Attempt) -> bool {
    (one.cpu, one.memory, one.disk, &one.provision) == (other.cpu, other.memory, other.disk, &other.provision)
}

fn attempt(plan: &Plan, stage: &Stage, store: &str, id: &str) -> Attempt {
    let settings = &stage.settings;
    Attempt {
        version: VERSION,
        id: AttemptId(id.to_owned()),
        run: RunId("check".to_owned()),
        pipeline: plan.name.clone(),
        task: TaskId { stage: stage.name.clone(), cell: Cell::default() },
        kind: stage.kind.name().to_owned(),
        code: stage.code.clone(),
        fingerprint: Fingerprint(String::new()),
        key: Fields::default(),
        config: Json::Null,
        inputs: BTreeMap::new(),
        files: BTreeMap::new(),
        store: PathBuf::from(store),
        output: String::new(),
        anew: false,
        checkpoints: None,
        cpu: settings.cpu.slots(),
        memory: settings.memory,
        disk: settings.disk,
        provision: Some(settings.provision()),
    }
}
