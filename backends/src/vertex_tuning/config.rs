//! How a spec names the tuning jobs of Vertex AI.

use crate::google::check_endpoint;
use pipe_engine::stage::ConfigProblem;
use pipe_engine::units::{Millis, Usd};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// How often it is asked how jobs stand. They take hours.
#[cfg(feature = "cloud")]
const POLL: Millis = Millis(30_000);

/// Tuning jobs of Vertex AI: one for each attempt of a stage that tunes a model of Gemini.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(feature = "cloud"), expect(dead_code, reason = "used where requests are sent there"))]
pub(super) struct Config {
    /// The project. Default: `GOOGLE_CLOUD_PROJECT`, `GCP_PROJECT_ID` or `CLOUDSDK_CORE_PROJECT`.
    pub(super) project: Option<String>,
    /// The region, such as `us-central1`. Default: `CLOUD_REGION`, `GOOGLE_CLOUD_REGION` or `CLOUDSDK_RUN_REGION`.
    pub(super) region: Option<String>,
    /// The account that reads the examples and their clips. Default: Vertex AI's own service agent for tuning.
    pub(super) service_account: Option<String>,
    /// Names and values that jobs carry.
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    /// The most that one tuning may cost, such as `"20 USD"`: price x counted tokens x epochs. One that may cost more, or of which
    /// that is not known, is not asked for.
    pub(super) max_cost: Option<Usd>,
    /// What a million training tokens costs, in US dollars, by the model that is tuned: `{ "gemini-2.5-flash" = 5 }`. `pipe` knows
    /// no prices of its own here, and no price is not free.
    #[serde(default)]
    pub(super) prices: BTreeMap<String, f64>,
    /// How often it is asked how jobs stand, such as `"30s"`, which is the default.
    pub(super) poll: Option<Millis>,
    /// Where the service is asked, such as `https://us-central1-aiplatform.googleapis.com`, which is the default of that
    /// region. Whoever is on loopback needs no `https`, and is shown no credentials.
    pub(super) endpoint: Option<String>,
}

impl Config {
    pub(super) fn check(&self) -> Result<(), ConfigProblem> {
        if let Some((name, _)) = self.prices.iter().find(|(_, price)| price.is_sign_negative()) {
            return Err(ConfigProblem::new(format!("prices.{name}"), "a price is not negative"));
        }
        crate::written([("project", self.project.as_deref()), ("region", self.region.as_deref())])?;
        if self.poll.is_some_and(|poll| poll.0 == 0) {
            return Err(ConfigProblem::new("poll", "its poll is 0, which asks without a pause"));
        }
        check_endpoint(self.endpoint.as_deref())
    }

    #[cfg(feature = "cloud")]
    pub(super) fn poll(&self) -> Millis {
        self.poll.unwrap_or(POLL)
    }
}
