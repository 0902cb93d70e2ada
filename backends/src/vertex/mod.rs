//! `kind = "vertex"`: one Vertex AI custom job for each attempt.
//!
//! `attempt -> machine, job (its description) -> backend: made, seen, stopped, removed -> standing, siblings, errors (what became of
//! it, as a failure with its class)`. Only `client` knows how Google is reached.

mod config;
mod limits;

#[cfg(feature = "cloud")]
mod backend;
#[cfg(feature = "cloud")]
mod client;
#[cfg(feature = "cloud")]
mod errors;
#[cfg(feature = "cloud")]
mod job;
#[cfg(feature = "cloud")]
mod machine;
#[cfg(feature = "cloud")]
mod siblings;
#[cfg(feature = "cloud")]
mod standing;

use config::Config;
use pipe_engine::backend::{BackendKind, Capability};
use pipe_engine::stage::{ConfigProblem, read_config};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value as Json;

pub(crate) struct Vertex;

impl BackendKind for Vertex {
    fn name(&self) -> &'static str {
        "vertex"
    }

    fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        Config::json_schema(generator)
    }

    fn variables(&self) -> &'static [(&'static str, &'static [&'static str])] {
        &[("project", crate::PROJECT), ("region", crate::REGION)]
    }

    fn check(&self, config: &Json) -> Result<(), ConfigProblem> {
        read_config::<Config>(config)?.check()
    }

    fn capability(&self, _: &Json) -> Capability {
        limits::capability()
    }

    #[cfg(feature = "cloud")]
    fn connect(
        &self,
        config: &Json,
        store: &str,
    ) -> Result<std::sync::Arc<dyn pipe_engine::backend::Backend>, pipe_engine::failure::Failure> {
        let wrong = |problem: ConfigProblem| pipe_engine::failure::Failure::failed("bad_backend", problem.message);
        let config: Config = read_config(config).map_err(wrong)?;
        config.check().map_err(wrong)?;
        Ok(std::sync::Arc::new(backend::VertexJobs::new(config, store)))
    }
}
