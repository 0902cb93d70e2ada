//! How a spec names a place of detached processes.

use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;

/// Processes of this machine that outlive the engine: one for each attempt.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// Where its jobs are kept.
    pub(super) folder: PathBuf,
    /// Seconds until a job begins to work.
    #[serde(default)]
    pub(super) delay: f64,
}
