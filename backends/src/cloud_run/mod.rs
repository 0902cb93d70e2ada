//! `kind = "cloud-run"`: one Cloud Run Job for each attempt.

mod config;
mod limits;
mod prices;

use config::Config;
use pipe_engine::backend::{BackendKind, Capability, Need};
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

    fn capability(&self, _: &Json) -> Capability {
        limits::capability()
    }

    fn price(&self, config: &Json, need: &Need, time: Millis) -> Option<Usd> {
        let config: Config = read_config(config).ok()?;
        prices::price(config.region.as_deref()?, need, time)
    }
}
