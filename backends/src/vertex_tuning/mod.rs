//! `kind = "vertex-tuning"`: one tuning job of Vertex AI for each attempt of a stage that tunes a model of Gemini.
//!
//! `request -> job (its description) -> backend: made, seen, stopped -> standing, siblings, errors (what became of it) -> answer (what
//! Vertex AI tells of the model)`. No code of ours runs there. Only `client` knows how Google is reached.

mod config;

#[cfg(feature = "cloud")]
mod answer;
#[cfg(feature = "cloud")]
mod backend;
#[cfg(feature = "cloud")]
mod client;
#[cfg(feature = "cloud")]
mod errors;
#[cfg(feature = "cloud")]
mod job;
#[cfg(feature = "cloud")]
mod prices;
#[cfg(feature = "cloud")]
mod siblings;
#[cfg(feature = "cloud")]
mod standing;
#[cfg(feature = "cloud")]
mod there;

use config::Config;
use pipe_engine::backend::{BackendKind, Capability, Need};
use pipe_engine::stage::{ConfigProblem, read_config};
use pipe_engine::units::{Millis, Usd};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value as Json;

/// The service, as stages that want it name it.
const SERVICE: &str = "gemini-tuning";

pub(crate) struct VertexTuning;

impl BackendKind for VertexTuning {
    fn name(&self) -> &'static str {
        "vertex-tuning"
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
        Capability {
            gpus: Some(Vec::new()),
            is_remote: true,
            is_priced: true,
            source: "https://cloud.google.com/vertex-ai/generative-ai/docs/models/gemini-supervised-tuning, read 2026-11",
            ..Capability::default()
        }
    }

    fn service(&self) -> Option<&'static str> {
        Some(SERVICE)
    }

    /// The most that a tuning may cost, where that is written: how many tokens it takes is not known before its examples are.
    fn price(&self, config: &Json, _: &Need, _: Millis) -> Option<Usd> {
        read_config::<Config>(config).ok()?.max_cost
    }

    #[cfg(feature = "cloud")]
    fn connect(
        &self,
        config: &Json,
        store: &str,
    ) -> Result<std::sync::Arc<dyn pipe_engine::backend::Backend>, pipe_engine::failure::Failure> {
        let config = crate::settings(config, Config::check)?;
        Ok(std::sync::Arc::new(backend::TuningJobs::new(config, store)))
    }
}
