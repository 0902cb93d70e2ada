//! How a spec names Vertex AI.

use pipe_engine::stage::ConfigProblem;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Vertex AI custom jobs: one for each attempt.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// The project. Default: `GOOGLE_CLOUD_PROJECT`, `GCP_PROJECT_ID` or `CLOUDSDK_CORE_PROJECT`.
    project: Option<String>,
    /// The region, such as `us-central1`. Default: `CLOUD_REGION`, `GOOGLE_CLOUD_REGION` or `CLOUDSDK_RUN_REGION`.
    region: Option<String>,
    /// The machine type, such as `n1-standard-8`. Default: the smallest that fits.
    #[expect(dead_code, reason = "used when attempts are sent there")]
    machine: Option<String>,
    /// The image of the worker; a stage may name its own.
    #[expect(dead_code, reason = "used when attempts are sent there")]
    image: Option<String>,
    /// The account that attempts act as. Default: the project's own.
    #[expect(dead_code, reason = "used when attempts are sent there")]
    service_account: Option<String>,
    /// Names and values that jobs carry.
    #[serde(default)]
    #[expect(dead_code, reason = "used when attempts are sent there")]
    labels: BTreeMap<String, String>,
}

impl Config {
    pub(super) fn check(&self) -> Result<(), ConfigProblem> {
        crate::written([("project", self.project.as_deref()), ("region", self.region.as_deref())])
    }
}
