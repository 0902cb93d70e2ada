//! What every kind of stage can say, and the defaults of a spec for it.

use crate::resources::Resources;
use crate::stage::Results;
use crate::units::{Millis, MillisRange};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as Json;

/// What holds for every stage that does not say otherwise.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// When to try again.
    pub retry: Option<RetrySpec>,
    /// The longest an attempt may run, such as `"30m"`.
    pub timeout: Option<Millis>,
    /// The longest all attempts of a task and the rests between them may take together, such as `"6h"`.
    pub task_timeout: Option<Millis>,
    /// The longest an attempt on this machine may say nothing, such as `"10m"`: no output, no progress, no number. It is
    /// then stopped and has failed as `stalled`.
    pub silence: Option<Millis>,
    /// What an attempt needs of its machine.
    pub resources: Option<Resources>,
    /// Where tasks run: `"local"`, `"auto"`, or one of `[backends]`.
    pub backend: Option<String>,
    /// Variables every stage's programs get.
    #[serde(default)]
    pub env: IndexMap<String, Json>,
    /// The container image of tasks that run in one.
    pub image: Option<String>,
    /// Whether a machine may be one that can be taken away, which is cheaper; or `{ preemptions = 1 }`: after how many that
    /// were the next one stays.
    pub spot: Option<Spot>,
    /// Of two tasks that could start, the one with the higher number does. Default: 0.
    pub priority: Option<i32>,
    /// Names and values that tasks and their cloud resources carry.
    #[serde(default)]
    pub labels: IndexMap<String, String>,
}

/// The keys every kind of stage has, besides `kind`.
pub const COMMON_KEYS: [&str; 26] = [
    "description",
    "matrix",
    "foreach",
    "when",
    "always",
    "on_failure",
    "retry",
    "timeout",
    "task_timeout",
    "silence",
    "resources",
    "backend",
    "env",
    "secrets",
    "cache",
    "publish",
    "tags",
    "labels",
    "tools",
    "image",
    "expect",
    "spot",
    "deadline",
    "priority",
    "parallel",
    "pools",
];

/// Those of them that may differ from cell to cell; the others hold for the whole stage.
pub const CELL_KEYS: [&str; 4] = ["env", "publish", "labels", "when"];

/// What every kind of stage can say.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct Common {
    /// What it is for.
    pub description: Option<String>,
    /// One task for each combination of these values, such as `{ game = ["g1", "g2"] }`. Templates use a key as
    /// `{{ game }}`.
    pub matrix: Option<Matrix>,
    /// One task for each row that another stage makes, such as `{ stage = "games", key = "id" }`. Templates use the
    /// key as `{{ id }}` and other columns as `{{ row.x }}`.
    pub foreach: Option<Foreach>,
    /// Whether the task runs at all: `"{{ expression }}"` that is true or false. It may use `params`, the cell's keys
    /// and what inputs tell of themselves, such as `{{ inputs.plays.rows > 0 }}`.
    #[schemars(with = "Option<ConditionShape>")]
    pub when: Option<Json>,
    /// Whether it runs however the stages ended that it needs.
    #[serde(default)]
    pub always: bool,
    /// Whether it runs only when one of the stages failed that it needs.
    #[serde(default)]
    pub on_failure: bool,
    /// When to try again.
    pub retry: Option<RetrySpec>,
    /// The longest an attempt may run, such as `"30m"`.
    pub timeout: Option<Millis>,
    /// The longest all attempts of a task and the rests between them may take together, such as `"6h"`.
    pub task_timeout: Option<Millis>,
    /// The longest an attempt on this machine may say nothing, such as `"10m"`: no output, no progress, no number. It is
    /// then stopped and has failed as `stalled`.
    pub silence: Option<Millis>,
    /// What an attempt needs of its machine.
    pub resources: Option<Resources>,
    /// Where its tasks run: `"local"`, `"auto"`, or one of `[backends]`. Default: `"local"`.
    pub backend: Option<String>,
    /// Variables its programs get. They are part of what decides a result.
    #[serde(default)]
    pub env: IndexMap<String, Json>,
    /// Variables whose values are secret, by where these are: `env:NAME`, `file:PATH` or
    /// `gcp:projects/P/secrets/S/versions/V`. Only the names are part of what decides a result.
    #[serde(default)]
    pub secrets: IndexMap<String, String>,
    /// Whether an earlier result may be used. Default: true.
    pub cache: Option<bool>,
    /// Files of the result to copy into the project, such as `{ "report.html" = "site/report.html" }`.
    #[serde(default)]
    pub publish: IndexMap<String, String>,
    /// Words to choose stages by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Names and values that its tasks and their cloud resources carry.
    #[serde(default)]
    pub labels: IndexMap<String, String>,
    /// Programs it needs and the version of each, such as `{ ffmpeg = "7.1" }`: checked where it runs, and part of what
    /// decides a result.
    #[serde(default)]
    pub tools: IndexMap<String, String>,
    /// The container image of its tasks where they run in one; its digest is part of what decides a result.
    pub image: Option<String>,
    /// How long an attempt should take, for estimates before there is history.
    pub expect: Option<Millis>,
    /// Whether the machine may be one that can be taken away, which is cheaper; or `{ preemptions = 1 }`: after how many that
    /// were the next one stays. Default: `false`; of `true`, 3.
    pub spot: Option<Spot>,
    /// When the task should be done, counted from the beginning of the run; decides between backends.
    pub deadline: Option<Millis>,
    /// Of two tasks that could start, the one with the higher number does. Default: 0.
    pub priority: Option<i32>,
    /// How many of its tasks may run at once. Default: as many as there is room for.
    #[schemars(range(min = 1))]
    pub parallel: Option<u32>,
    /// Pools of the spec: each of its tasks takes one of each while it runs.
    #[serde(default)]
    pub pools: Vec<String>,
}

/// Whether a machine may be one that can be taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Spot {
    /// Whether it may.
    Allowed(bool),
    /// It may, up to a point.
    Until(SpotUntil),
}

/// How long machines that can be taken away are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpotUntil {
    /// After so many of a task's machines that were taken away the next is one that stays.
    #[schemars(range(min = 1))]
    pub preemptions: u32,
}

/// After so many where a spec says no more than that it may.
const PREEMPTIONS: u32 = 3;

impl Spot {
    /// After how many that were taken away the next one stays; `None` where all of them stay.
    pub fn preemptions(self) -> Option<u32> {
        match self {
            Self::Allowed(is_allowed) => is_allowed.then_some(PREEMPTIONS),
            Self::Until(SpotUntil { preemptions }) => Some(preemptions),
        }
    }
}

/// `true`, `false` or a template.
#[derive(JsonSchema)]
#[schemars(transparent)]
#[expect(dead_code, reason = "only the schema is used")]
struct ConditionShape(bool);

/// One task for each combination of the keys' values. `exclude` takes combinations out and `include` adds some.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct Matrix {
    /// Cells to add; each names every key.
    pub include: Option<Vec<IndexMap<String, Json>>>,
    /// Cells to leave out: those that have all the values named here.
    pub exclude: Option<Vec<IndexMap<String, Json>>>,
    /// The values of each key.
    #[serde(flatten)]
    pub axes: IndexMap<String, Axis>,
}

/// The values of one key of a matrix: a list, or a template that gives one.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Axis(#[schemars(with = "Vec<Json>")] pub Json);

/// One task for each row of a stage's result.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Foreach {
    /// The stage that makes the rows.
    pub stage: Results,
    /// The column that names a row; its values are text or numbers, each once.
    #[schemars(length(min = 1))]
    pub key: String,
}

/// How often to try again, by what went wrong, and how long to rest before.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetrySpec {
    /// The work itself failed. Default: 0.
    #[serde(default)]
    pub failed: Option<u32>,
    /// Network trouble, a service's own error. Default: 5.
    #[serde(default)]
    pub transient: Option<u32>,
    /// A service asked us to slow down. Default: until the run's `deadline` or the stage's `task_timeout`.
    #[serde(default)]
    pub throttled: Option<u32>,
    /// There is no machine to be had. Default: until the run's `deadline` or the stage's `task_timeout`.
    #[serde(default)]
    pub capacity: Option<u32>,
    /// The machine was taken away. Default: 10.
    #[serde(default)]
    pub preempted: Option<u32>,
    /// The attempt ran longer than its `timeout`. Default: 0.
    #[serde(default)]
    pub timeout: Option<u32>,
    /// Nothing was heard for as long as the stage's `silence`. Default: 1.
    #[serde(default)]
    pub stalled: Option<u32>,
    /// Out of memory; tried again with twice as much. Default: 1.
    #[serde(default)]
    pub out_of_memory: Option<u32>,
    /// Out of disk. Default: 0.
    #[serde(default)]
    pub out_of_disk: Option<u32>,
    /// The first and the longest rest, such as `"2s..2m"`.
    #[serde(default)]
    pub backoff: Option<MillisRange>,
}

/// What every kind of place understands.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct PlaceCommon {
    /// How many tasks may run there at once. Default: as many as its limits let.
    #[schemars(range(min = 1))]
    pub parallel: Option<u32>,
    /// How long an attempt waits there before its work begins, such as `"90s"`. Default: as long as the last five did, else what
    /// the kind is taken to need.
    pub startup: Option<Millis>,
}

/// Its keys.
pub const PLACE_KEYS: [&str; 2] = ["parallel", "startup"];
