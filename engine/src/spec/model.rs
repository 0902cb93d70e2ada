//! The types a spec becomes. Their documentation is what editors and `docs/` show, through the JSON Schema.

use super::automation::{Around, Hooks, Pool, Reach};
use super::common::Defaults;
use super::load::Setting;
use super::node::{Node, PathPart};
use super::outside::Environment;
use super::param::Param;
use crate::text::{Span, Spanned};
use crate::units::{Bytes, Millis, Usd};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as Json;

/// The version of the language that this build reads.
pub const VERSION: u32 = 1;

/// A pipeline: stages that make things, and what they need of each other.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SpecFile {
    /// The version of the language: `1`.
    #[expect(dead_code, reason = "the schema admits one version only")]
    #[schemars(range(min = 1, max = 1))]
    pub(super) version: u32,
    /// The pipeline's name. Its results lie in a folder of this name.
    #[schemars(length(min = 1))]
    pub(super) name: String,
    /// What it is for.
    pub(super) description: Option<String>,
    /// A spec that this one is laid over, such as `"base.toml"`: tables meet key by key, anything else is replaced.
    #[expect(dead_code, reason = "followed before the types are read")]
    pub(super) extends: Option<String>,
    /// Values that templates use as `{{ params.x }}`: `x = 5`, or `x = { type = "integer", min = 1, help = "..." }`.
    /// `-P x=...`, a file, the environment and a profile change them.
    #[serde(default)]
    #[expect(dead_code, reason = "read from the tree, with their places")]
    pub(super) params: IndexMap<String, Json>,
    /// Where results are kept.
    #[serde(default)]
    pub(super) store: StoreSpec,
    /// What holds for every stage that does not say otherwise.
    #[serde(default)]
    #[expect(dead_code, reason = "the plan reads it, with its templates resolved")]
    pub(super) defaults: Defaults,
    /// Changes to this spec under a name, such as `[profiles.prod]`: `--profile prod` lays one over it.
    #[serde(default)]
    #[expect(dead_code, reason = "laid over the tree before the types are read")]
    pub(super) profiles: IndexMap<String, Profile>,
    /// What happens around a run.
    #[serde(flatten)]
    #[expect(dead_code, reason = "the plan reads it, with its templates resolved")]
    pub(super) around: Around,
}

/// Changes to a spec under a name. Every part is written as in the spec itself.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema is used: a profile is checked as part of the spec it changes")]
pub(super) struct Profile {
    /// Other values of parameters.
    #[serde(default)]
    params: IndexMap<String, Json>,
    /// Another store.
    store: Option<StoreSpec>,
    /// Other backends, or other settings of them.
    #[serde(default)]
    backends: IndexMap<String, IndexMap<String, Json>>,
    /// Other defaults.
    defaults: Option<Defaults>,
    /// Other settings of stages.
    #[serde(default)]
    stages: IndexMap<String, IndexMap<String, Json>>,
    /// Other hooks.
    hooks: Option<Hooks>,
    /// Other settings of the schedule.
    schedule: Option<IndexMap<String, Json>>,
    /// Another limit of cost.
    max_cost: Option<Usd>,
    /// Another limit of time.
    deadline: Option<Millis>,
    /// More labels.
    #[serde(default)]
    labels: IndexMap<String, String>,
    /// Other sizes of pools.
    #[serde(default)]
    pools: IndexMap<String, Pool>,
    /// Other limits of what may be read that lies elsewhere.
    sources: Option<Reach>,
}

/// Where results are kept.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StoreSpec {
    /// A folder, relative to the file that names it. Default: `out`.
    #[serde(default = "default_root")]
    pub(super) root: String,
    /// Where its bucket is, and others that are read from, such as `us-central1` or `EU`. Default: where whoever reads is, if that is
    /// a place elsewhere.
    pub(super) location: Option<String>,
    /// How many bytes a second go from this machine into its bucket, such as `"10 MB"`, which is the default.
    pub(super) uplink: Option<Bytes>,
    /// What `pipe cache gc` keeps when it is not told otherwise.
    #[serde(default)]
    pub(super) keep: Keep,
}

/// How much `pipe cache gc` keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    /// So many results of each task, the newest. Default: 3.
    pub results: Option<u32>,
    /// All results that are younger than this. Default: `1d`.
    pub younger_than: Option<Millis>,
    /// The events and logs of so many runs of each pipeline, the newest. Default: 100.
    pub runs: Option<u32>,
    /// The checkpoints of work that is not done, for so long after the last was written. Default: `7d`.
    pub checkpoints: Option<Millis>,
    /// What is known of a result that was removed or put in quarantine, for so long. Default: `90d`.
    pub removed: Option<Millis>,
}

impl Default for StoreSpec {
    fn default() -> Self {
        Self { root: default_root(), location: None, uplink: None, keep: Keep::default() }
    }
}

fn default_root() -> String {
    "out".to_owned()
}

/// A spec as it was written.
#[derive(Debug)]
pub struct Spec {
    /// Whether something in it is wrong, which has been reported: no plan is made of it.
    pub broken: bool,
    /// BLAKE3 of the texts of all files that make it up.
    pub digest: String,
    /// The pipeline's name.
    pub name: Spanned<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Its parameters.
    pub params: Vec<Param>,
    /// Values of parameters from outside `[params]`; of one name, the first counts.
    pub settings: Vec<Setting>,
    /// The profile that is laid over it.
    pub profile: Option<String>,
    /// The variables of this process and of `.env`.
    pub environment: Environment,
    /// The store's root as written.
    pub store: String,
    /// Where its bucket is, and others that are read from.
    pub location: Option<String>,
    /// How many bytes a second go from this machine into its bucket.
    pub uplink: Option<Bytes>,
    /// What of it is kept.
    pub keep: Keep,
    /// Places to run, templates unresolved.
    pub backends: Vec<BackendSpec>,
    /// What holds for every stage, templates unresolved.
    pub defaults: Option<Node>,
    /// The stages in the order of the file.
    pub stages: Vec<StageSpec>,
    /// What happens around a run, templates unresolved.
    pub around: Node,
    /// The whole tree, for places.
    pub root: Node,
}

/// One place to run that a spec names.
#[derive(Clone, Debug)]
pub struct BackendSpec {
    /// Its name.
    pub name: Spanned<String>,
    /// Its kind.
    pub kind: Spanned<String>,
    /// What every kind can say, templates unresolved.
    pub common: Node,
    /// What only its kind understands, templates unresolved.
    pub body: Node,
    /// Whether something in it is wrong, which has been reported.
    pub broken: bool,
}

/// One stage.
#[derive(Clone, Debug)]
pub struct StageSpec {
    /// Its name.
    pub name: Spanned<String>,
    /// Its kind.
    pub kind: Spanned<String>,
    /// What every kind can say, templates unresolved.
    pub common: Node,
    /// What only its kind understands, templates unresolved.
    pub body: Node,
    /// Whether something in it is wrong, which has been reported.
    pub broken: bool,
}

impl Spec {
    /// Where the value at `path` is written, such as `["store", "root"]`, or the deepest table on the way to it.
    pub fn place(&self, path: &[&str]) -> Span {
        let parts: Vec<PathPart> = path.iter().map(|part| PathPart::from(*part)).collect();
        self.root.at(&parts).span.clone()
    }
}

/// A field such as `source.path` or `size[0]` as steps down a tree.
pub fn path_parts(field: &str) -> Vec<PathPart> {
    let mut parts = Vec::new();
    for piece in field.split('.').filter(|p| !p.is_empty()) {
        let mut pieces = piece.split('[');
        parts.extend(pieces.next().filter(|p| !p.is_empty()).map(PathPart::from));
        parts.extend(pieces.filter_map(|i| i.trim_end_matches(']').parse().ok()).map(PathPart::Index));
    }
    parts
}
