//! What happens around a run: commands when it has ended, and when it begins by itself.

use crate::units::{Millis, Usd};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

/// The keys of a spec that are about what happens around a run.
pub(super) const AROUND_KEYS: [&str; 7] = ["hooks", "schedule", "max_cost", "deadline", "labels", "pools", "sources"];

/// What happens around a run.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct Around {
    /// Commands to run when a run has ended.
    #[serde(default)]
    pub hooks: Hooks,
    /// When the pipeline runs by itself: under `pipe schedule` or a server.
    pub schedule: Option<Schedule>,
    /// The most a run may cost, such as `"20 USD"`: what would go beyond is not started.
    pub max_cost: Option<Usd>,
    /// How long a run may take, such as `"6h"`: then nothing more is started, and what runs is stopped.
    pub deadline: Option<Millis>,
    /// Names and values that runs and their cloud resources carry.
    #[serde(default)]
    pub labels: IndexMap<String, String>,
    /// How many tasks may draw from a pool at once, such as `{ database = 2 }`: stages name the pools they draw from.
    #[serde(default)]
    pub pools: IndexMap<String, Pool>,
    /// What may be read that lies elsewhere.
    #[serde(default)]
    pub sources: Reach,
}

/// What may be read that lies elsewhere, such as `{ schemes = ["https"], hosts = ["*.example.com"] }`. Addresses come out of
/// parameters and tables too: what is not named here is refused before anybody is asked.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reach {
    /// The schemes of addresses. Default: all that this build reads.
    #[schemars(length(min = 1))]
    pub schemes: Option<Vec<String>>,
    /// The hosts, and the buckets: `"videos.example.com"`, or `"*.example.com"` for all below it. Default: any.
    #[schemars(length(min = 1))]
    pub hosts: Option<Vec<String>>,
}

/// How many tasks may draw from a pool at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Pool(#[schemars(range(min = 1))] pub u32);

/// Commands to run when a run has ended, in the spec's folder. They get `PIPE_RUN`, `PIPE_STATUS` (`succeeded`, `failed`,
/// `interrupted`, or `stopped` by a limit such as its `deadline`) and `PIPE_FAILED` (how many tasks); how they end changes
/// nothing.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hooks {
    /// When every task has succeeded.
    pub success: Option<Hook>,
    /// When a task has failed, or the run was stopped.
    pub failure: Option<Hook>,
}

/// Write `{ argv = ["program", "argument"] }` or `{ shell = "..." }`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// The program and its arguments.
    #[schemars(length(min = 1))]
    pub argv: Option<Vec<String>>,
    /// Or lines for `sh -e`. Templates cannot stand in them; `env` gives them values.
    #[schemars(length(min = 1), extend("format" = "no-template"))]
    pub shell: Option<String>,
    /// Variables it gets.
    #[serde(default)]
    pub env: IndexMap<String, String>,
    /// How long it may take. Default: `"1m"`.
    pub timeout: Option<Millis>,
}

/// When a pipeline runs by itself, such as `{ cron = "0 3 * * *", time_zone = "Europe/Berlin" }`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Minute, hour, day of the month, month and day of the week: `"0 3 * * *"` is every night at three.
    #[schemars(length(min = 1))]
    pub cron: String,
    /// The time zone those are meant in. Default: `"UTC"`.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// What happens when the last run still goes on. Default: `"skip"`.
    #[serde(default)]
    pub overlap: Overlap,
    /// Which of the runs are made up for that fell into a time when nobody was there. Default: `"last"`.
    #[serde(default)]
    pub catch_up: CatchUp,
}

/// What happens to a run that falls due while the last one goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// It does not take place.
    #[default]
    Skip,
    /// It begins when the last one has ended.
    Queue,
    /// The last one is stopped.
    Replace,
}

/// Which missed runs are made up for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// None.
    None,
    /// The newest.
    #[default]
    Last,
    /// Each of them, one after another; of more than a hundred, the newest hundred.
    All,
}

fn utc() -> String {
    "UTC".to_owned()
}
