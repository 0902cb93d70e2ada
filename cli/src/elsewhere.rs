//! The places that a plan's tasks run at, besides this machine -> each ready for use, or why a run cannot begin.

use crate::exit::{Exit, Refusal};
use pipe_engine::backend::Backend;
use pipe_engine::plan::{Place, Plan};
use std::collections::HashMap;
use std::sync::Arc;

/// Connects every place that the plan uses.
///
/// # Errors
/// When this build cannot use one of them.
pub(crate) fn connect(plan: &Plan) -> Result<HashMap<String, Arc<dyn Backend>>, Refusal> {
    let mut connected = HashMap::new();
    for stage in &plan.stages {
        let place = &plan.places[stage.backend];
        if connected.contains_key(&place.name) {
            continue;
        }
        let backend = connected_to(plan, place).map_err(|refusal| refusal.of(&format!("`{}` runs on", stage.name)))?;
        connected.extend(backend.map(|backend| (place.name.clone(), backend)));
    }
    Ok(connected)
}

/// A place, ready for use; `None` for this machine.
///
/// # Errors
/// When this build cannot use it.
pub(crate) fn connected_to(plan: &Plan, place: &Place) -> Result<Option<Arc<dyn Backend>>, Refusal> {
    let Some((kind, config)) = &place.kind else { return Ok(None) };
    let backend = kind.connect(config, &store(plan)).map_err(|failure| {
        let help = "run it on this machine: `backend = \"local\"` and a store in a folder, perhaps as a profile";
        Refusal::new(Exit::Unavailable, format!("`{}`: {failure}", place.name)).help(help)
    })?;
    Ok(Some(backend))
}

/// The store's root, as places elsewhere are told of it.
pub(crate) fn store(plan: &Plan) -> String {
    plan.bucket.clone().unwrap_or_else(|| plan.store.display().to_string())
}
