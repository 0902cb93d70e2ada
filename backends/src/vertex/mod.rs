//! `kind = "vertex"`: one Vertex AI custom job for each attempt.

mod config;
mod limits;

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
}
