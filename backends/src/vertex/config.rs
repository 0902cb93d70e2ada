//! How a spec names Vertex AI.

use super::limits::Limits;
use crate::google::check_endpoint;
use pipe_engine::stage::ConfigProblem;
use pipe_engine::units::Millis;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// How often it is asked how jobs stand.
#[cfg(feature = "cloud")]
const POLL: Millis = Millis(10_000);

/// Vertex AI custom jobs: one for each attempt.
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
    pub(super) regions: Vec<String>,
    /// The machine type, such as `n1-standard-8`. Default: the cheapest that fits.
    pub(super) machine: Option<String>,
    /// The image of the worker; a stage may name its own.
    pub(super) image: Option<String>,
    /// The account that attempts act as. Default: the project's own.
    pub(super) service_account: Option<String>,
    /// Names and values that jobs carry.
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    /// How often it is asked how jobs stand, such as `"10s"`, which is the default.
    pub(super) poll: Option<Millis>,
    /// Where the service is asked, such as `https://us-central1-aiplatform.googleapis.com`, which is the default of that
    /// region; of several regions, all of them are asked there. Whoever is on loopback needs no `https`, and is shown no
    /// credentials.
    pub(super) endpoint: Option<String>,
    /// Other prices than those that `pipe` knows, in US dollars an hour, such as `{ "n1-standard-8" = 0.4 }`: of machine
    /// types, without their GPUs, and of GPU types.
    #[serde(default)]
    pub(super) prices: BTreeMap<String, f64>,
    /// Other limits than the documented ones.
    #[serde(default)]
    pub(super) limits: Limits,
}

impl Config {
    pub(super) fn check(&self) -> Result<(), ConfigProblem> {
        if let Some((name, _)) = self.prices.iter().find(|(_, price)| price.is_sign_negative()) {
            return Err(ConfigProblem::new(format!("prices.{name}"), "a price is not negative"));
        }
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

    #[cfg(feature = "cloud")]
    pub(super) fn poll(&self) -> Millis {
        self.poll.unwrap_or(POLL)
    }
}
