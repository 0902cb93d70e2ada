//! Places to run besides this machine: Cloud Run Jobs, Vertex AI and its tuning, one folder each, with the same file names in every
//! folder. A place tells here how its settings look, what it can hold and what that costs, and takes attempts as jobs.

mod google;

mod cloud_run;
#[cfg(feature = "detached")]
mod detached;
mod money;
mod traffic;
mod vertex;
mod vertex_tuning;

#[cfg(feature = "cloud")]
pub use google::fetch_secret;

use pipe_engine::backend::Backends;
use pipe_engine::stage::ConfigProblem;

/// All kinds of places.
pub fn all() -> Backends {
    let all = Backends::default().with(cloud_run::CloudRun).with(vertex::Vertex).with(vertex_tuning::VertexTuning);
    let all = all.with_traffic(traffic::Buckets);
    #[cfg(feature = "detached")]
    let all = detached::add_to(all);
    all
}

/// Variables by which Google's own tools know a project, the first that is set.
const PROJECT: &[&str] = &["GOOGLE_CLOUD_PROJECT", "GCP_PROJECT_ID", "CLOUDSDK_CORE_PROJECT"];
/// Variables that name a region.
const REGION: &[&str] = &["CLOUD_REGION", "GOOGLE_CLOUD_REGION", "CLOUDSDK_RUN_REGION"];

/// The settings of a place that is to be used. The plan has looked at them before, so what is wrong with them is wrong with it.
#[cfg(feature = "cloud")]
fn settings<C: serde::de::DeserializeOwned>(
    config: &serde_json::Value,
    check: impl FnOnce(&C) -> Result<(), ConfigProblem>,
) -> Result<C, pipe_engine::failure::Failure> {
    let read = pipe_engine::stage::read_config(config).and_then(|config| check(&config).map(|()| config));
    read.map_err(|problem| pipe_engine::failure::Failure::failed("bad_backend", problem.message))
}

/// Checks that settings without which nothing can be sent are written somewhere.
fn written<const N: usize>(fields: [(&str, Option<&str>); N]) -> Result<(), ConfigProblem> {
    match fields.into_iter().find(|(_, value)| value.is_none_or(str::is_empty)) {
        Some((field, _)) => Err(ConfigProblem::new(field, format!("its {field} is written nowhere"))),
        None => Ok(()),
    }
}
