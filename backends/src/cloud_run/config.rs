//! How a spec names Cloud Run.

use super::limits::Limits;
use super::prices::Prices;
use crate::google::check_endpoint;
use pipe_engine::backend::Need;
use pipe_engine::stage::ConfigProblem;
use pipe_engine::units::{Bytes, Millis};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// How many attempts run at once where nothing is said: half of the executions that a project may have in a region.
pub(super) const AT_ONCE: u32 = 500;
/// How often it is asked how jobs stand.
#[cfg(feature = "cloud")]
const POLL: Millis = Millis(10_000);

/// Google Cloud Run Jobs: one job for each attempt.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(feature = "cloud"), expect(dead_code, reason = "used where attempts are sent there"))]
pub(super) struct Config {
    /// The project. Default: `GOOGLE_CLOUD_PROJECT`, `GCP_PROJECT_ID` or `CLOUDSDK_CORE_PROJECT`.
    pub(super) project: Option<String>,
    /// The region, such as `us-central1`. Default: `CLOUD_REGION`, `GOOGLE_CLOUD_REGION` or `CLOUDSDK_RUN_REGION`.
    pub(super) region: Option<String>,
    /// Regions that are asked for a machine, the next whenever there was none to be had, such as
    /// `["us-central1", "us-east4"]`. Default: that of `region` alone.
    #[serde(default)]
    regions: Vec<String>,
    /// The image of the worker; a stage may name its own.
    pub(super) image: Option<String>,
    /// The account that attempts act as. Default: the project's own.
    pub(super) service_account: Option<String>,
    /// How many attempts run at once. Default: 500.
    #[schemars(range(min = 1, max = 1000))]
    at_once: Option<u32>,
    /// Names and values that jobs carry.
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    /// Where the `resources.disk` of an attempt is. Default: `"disk"`.
    #[serde(default)]
    pub(super) scratch: Scratch,
    /// How a job is begun. Default: `"run"`.
    #[serde(default)]
    pub(super) start: Start,
    /// How often it is asked how jobs stand, such as `"10s"`, which is the default.
    poll: Option<Millis>,
    /// Where the service is asked, such as `https://run.googleapis.com`, which is the default. Whoever is on loopback needs
    /// no `https`, and is shown no credentials.
    pub(super) endpoint: Option<String>,
    /// Other prices than the published ones.
    #[serde(default)]
    pub(super) prices: Prices,
    /// Other limits than the documented ones.
    #[serde(default)]
    pub(super) limits: Limits,
}

/// What scratch space is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Scratch {
    /// A disk of the instance.
    #[default]
    Disk,
    /// The instance's memory, of which there must be so much more.
    Memory,
}

/// How a job is begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Start {
    /// By a call of its own, after it was looked whether it runs.
    #[default]
    Run,
    /// Together with being made, so that nothing can come between. Whether a project has that must be tried.
    Token,
}

impl Config {
    pub(super) fn check(&self) -> Result<(), ConfigProblem> {
        let region = self.regions().next();
        crate::written([("project", self.project.as_deref()), ("region", region)])?;
        if self.poll.is_some_and(|poll| poll.0 == 0) {
            return Err(ConfigProblem::new("poll", "its poll is 0, which asks without a pause"));
        }
        check_endpoint(self.endpoint.as_deref())
    }

    /// The regions that are asked, in this order.
    pub(super) fn regions(&self) -> impl Iterator<Item = &str> {
        let only = self.region.iter().filter(|_| self.regions.is_empty());
        self.regions.iter().chain(only).map(String::as_str)
    }

    pub(super) fn at_once(&self) -> u32 {
        self.at_once.unwrap_or(AT_ONCE)
    }

    /// What an instance must have for an attempt: what it asked for, and its scratch space if that is in memory.
    pub(super) fn of_instance(&self, need: &Need) -> Need {
        let scratch = need.disk.filter(|_| self.scratch == Scratch::Memory).unwrap_or(Bytes(0));
        Need { memory: Bytes(need.memory.0.saturating_add(scratch.0)), ..need.clone() }
    }

    #[cfg(feature = "cloud")]
    pub(super) fn poll(&self) -> Millis {
        self.poll.unwrap_or(POLL)
    }
}
