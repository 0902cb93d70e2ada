//! The places that a plan's tasks run at, besides this machine -> each ready for use, or why a run cannot begin.

use crate::exit::{Exit, Refusal};
use pipe_engine::backend::Backend;
use pipe_engine::plan::Plan;
use std::collections::HashMap;
use std::sync::Arc;

/// Connects every place that the plan uses.
///
/// # Errors
/// When this build cannot use one of them.
pub(crate) fn connect(plan: &Plan) -> Result<HashMap<String, Arc<dyn Backend>>, Refusal> {
    let store = plan.bucket.clone().unwrap_or_else(|| plan.store.display().to_string());
    let mut connected = HashMap::new();
    for stage in &plan.stages {
        let place = &plan.places[stage.backend];
        let Some((kind, config)) = &place.kind else { continue };
        if connected.contains_key(&place.name) {
            continue;
        }
        let backend = kind
            .connect(config, &store)
            .map_err(|failure| refusal(format!("`{}` runs on `{}`: {failure}", stage.name, place.name)))?;
        connected.insert(place.name.clone(), backend);
    }
    Ok(connected)
}

fn refusal(problem: String) -> Refusal {
    let help = "run it on this machine: `backend = \"local\"` and a store in a folder, perhaps as a profile";
    Refusal::new(Exit::Unavailable, problem).help(help)
}
