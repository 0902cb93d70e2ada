//! `kind = "vertex"`: one Vertex AI custom job for each attempt.
//!
//! `attempt -> machine, job (its description) -> backend: made, seen, stopped, removed -> standing, siblings, errors (what became of
//! it, as a failure with its class)`. Before a run: `check`; of jobs that are left: `there`. Only `client` knows how Google is reached.

mod config;
mod limits;
mod prices;

#[cfg(feature = "cloud")]
mod backend;
#[cfg(feature = "cloud")]
mod check;
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
#[cfg(feature = "cloud")]
mod there;

use config::Config;
use limits::Fit;
use pipe_engine::backend::{BackendKind, Beyond, Capability, Need, Startup};
use pipe_engine::stage::{ConfigProblem, read_config};
use pipe_engine::units::{Millis, Usd};
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

    fn capability(&self, config: &Json) -> Capability {
        limits::capability(&read_config(config).unwrap_or_default())
    }

    fn regions(&self, config: &Json) -> Vec<String> {
        let config: Config = read_config(config).unwrap_or_default();
        let regions: Vec<String> = config.regions().map(str::to_owned).collect();
        if regions.len() > 1 { regions } else { Vec::new() }
    }

    fn location(&self, config: &Json) -> Option<String> {
        read_config::<Config>(config).ok()?.regions().next().map(str::to_owned)
    }

    fn beyond(&self, config: &Json, need: &Need, _: Option<Millis>) -> Vec<Beyond> {
        limits::beyond(&read_config(config).unwrap_or_default(), need)
    }

    fn machine(&self, config: &Json, need: &Need) -> Option<String> {
        let Fit { machine, gpus } = prices::machine(&read_config(config).ok()?, need)?;
        let gpus = gpus.map_or_else(String::new, |(model, count)| format!(" with {count} {model}"));
        Some(format!("{}{gpus}", machine.name))
    }

    fn startup(&self, _: &Json) -> Startup {
        prices::startup()
    }

    fn price(&self, config: &Json, need: &Need, time: Millis) -> Option<Usd> {
        prices::price(&read_config(config).ok()?, need, time)
    }

    #[cfg(feature = "cloud")]
    fn connect(
        &self,
        config: &Json,
        store: &str,
    ) -> Result<std::sync::Arc<dyn pipe_engine::backend::Backend>, pipe_engine::failure::Failure> {
        let config = crate::settings(config, Config::check)?;
        Ok(std::sync::Arc::new(backend::VertexJobs::new(config, store)))
    }
}
