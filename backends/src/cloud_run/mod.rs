//! `kind = "cloud-run"`: one Cloud Run Job for each attempt.
//!
//! `attempt -> job (its description) -> backend: made, run once, seen, stopped, removed -> standing, errors (what became
//! of it, as a failure with its class)`. Before a run: `check`; of jobs that are left: `there`. Only `client`
//! knows how Google is reached.

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
mod standing;
#[cfg(feature = "cloud")]
mod there;

use config::Config;
use pipe_engine::backend::{BackendKind, Beyond, Capability, Need, Startup};
use pipe_engine::stage::{ConfigProblem, read_config};
use pipe_engine::units::{Millis, Usd};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value as Json;

pub(crate) struct CloudRun;

impl BackendKind for CloudRun {
    fn name(&self) -> &'static str {
        "cloud-run"
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

    #[cfg(feature = "cloud")]
    fn connect(
        &self,
        config: &Json,
        store: &str,
    ) -> Result<std::sync::Arc<dyn pipe_engine::backend::Backend>, pipe_engine::failure::Failure> {
        let config = crate::settings(config, Config::check)?;
        Ok(std::sync::Arc::new(backend::CloudRunJobs::new(config, store)))
    }

    fn regions(&self, config: &Json) -> Vec<String> {
        let config: Config = read_config(config).unwrap_or_default();
        let regions: Vec<String> = config.regions().map(str::to_owned).collect();
        if regions.len() > 1 { regions } else { Vec::new() }
    }

    fn location(&self, config: &Json) -> Option<String> {
        read_config::<Config>(config).ok()?.regions().next().map(str::to_owned)
    }

    fn beyond(&self, config: &Json, need: &Need, time: Option<Millis>) -> Vec<Beyond> {
        limits::beyond(&read_config(config).unwrap_or_default(), need, time)
    }

    fn machine(&self, config: &Json, need: &Need) -> Option<String> {
        let config: Config = read_config(config).ok()?;
        let limits::Shape { cpu, memory } = limits::shape(&config.of_instance(need));
        let gpu = need.gpu.as_ref().map_or("", |_| " and an nvidia-l4");
        let plural = if cpu.slots() == 1 { "" } else { "s" };
        Some(format!("{cpu} CPU{plural}, {memory}{gpu}"))
    }

    fn startup(&self, _: &Json) -> Startup {
        prices::startup()
    }

    fn price(&self, config: &Json, need: &Need, time: Millis) -> Option<Usd> {
        prices::price(&read_config(config).ok()?, need, time)
    }
}
