//! The types a spec becomes. Their documentation is what editors and `docs/` show, through the JSON Schema.

use super::node::{Node, PathPart};
use crate::text::Spanned;
use crate::units::{Bytes, Millis, MillisRange};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as Json;

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
    /// Values that templates use as `{{ params.x }}` and `-P x=...` changes.
    #[serde(default)]
    pub(super) params: IndexMap<String, Json>,
    /// Where results are kept.
    #[serde(default)]
    pub(super) store: StoreSpec,
    /// What holds for every stage that does not say otherwise.
    #[serde(default)]
    #[expect(dead_code, reason = "the plan reads it, with its templates resolved")]
    pub(super) defaults: Defaults,
}

/// Where results are kept.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StoreSpec {
    /// A folder, relative to the spec's file. Default: `out`.
    #[serde(default = "default_root")]
    pub(super) root: String,
}

impl Default for StoreSpec {
    fn default() -> Self {
        Self { root: default_root() }
    }
}

fn default_root() -> String {
    "out".to_owned()
}

/// What holds for every stage that does not say otherwise.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// When to try again.
    #[serde(default)]
    pub retry: Option<RetrySpec>,
    /// The longest an attempt may run, such as `"30m"`.
    #[serde(default)]
    pub timeout: Option<Millis>,
    /// What an attempt needs of its machine.
    #[serde(default)]
    pub resources: Option<Resources>,
}

/// The keys every kind of stage has, besides `kind`.
pub const COMMON_KEYS: [&str; 4] = ["matrix", "retry", "timeout", "resources"];

/// What every kind of stage can say.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct Common {
    /// One task for each combination of these values, such as `{ game = ["g1", "g2"] }`. Templates use a key as
    /// `{{ game }}`.
    #[serde(default)]
    pub matrix: Option<IndexMap<String, Axis>>,
    /// When to try again.
    #[serde(default)]
    pub retry: Option<RetrySpec>,
    /// The longest an attempt may run, such as `"30m"`.
    #[serde(default)]
    pub timeout: Option<Millis>,
    /// What an attempt needs of its machine.
    #[serde(default)]
    pub resources: Option<Resources>,
}

/// The values of one key of a matrix: a list, or a template that gives one.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Axis(#[schemars(with = "Vec<Json>")] pub Json);

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
    /// The machine was taken away. Default: 10.
    #[serde(default)]
    pub preempted: Option<u32>,
    /// The attempt ran longer than its `timeout`. Default: 0.
    #[serde(default)]
    pub timeout: Option<u32>,
    /// Nothing was heard for too long. Default: 1.
    #[serde(default)]
    pub stalled: Option<u32>,
    /// Out of memory; tried again with twice as much. Default: 1.
    #[serde(default)]
    pub out_of_memory: Option<u32>,
    /// The first and the longest rest, such as `"2s..2m"`.
    #[serde(default)]
    pub backoff: Option<MillisRange>,
}

/// What an attempt needs of its machine.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// CPU slots: threads it keeps busy. Default: 1. More than the machine has is taken as all it has.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1024))]
    pub cpu: Option<u32>,
    /// Memory, such as `"2 GiB"`. Attempts on one machine together reserve at most 80 % of it. Default: `"512 MiB"`.
    #[serde(default)]
    pub memory: Option<Bytes>,
}

/// A spec as it was written.
#[derive(Debug)]
pub struct Spec {
    /// Whether something in it is wrong, which has been reported: no plan is made of it.
    pub broken: bool,
    /// BLAKE3 of its text.
    pub digest: String,
    /// The pipeline's name.
    pub name: Spanned<String>,
    /// Parameters and their defaults.
    pub params: IndexMap<String, Json>,
    /// The store's root as written.
    pub store: String,
    /// What holds for every stage, templates unresolved.
    pub defaults: Option<Node>,
    /// The stages in the order of the file.
    pub stages: Vec<StageSpec>,
    /// The whole tree, for places.
    pub root: Node,
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
