//! What a run was asked for, in words: with the spec and its parameters, all that running it again takes. Part of the
//! frozen format of events: fields are only added.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

/// What whoever started a run said besides the spec's name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Asked {
    /// The spec's path from the root of the file system.
    pub path: String,
    /// The profile that was laid over the spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The git revision the spec was read from, as it was typed; absent when it was read from the disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The parameters whose values came from outside the spec: the command line, a file or the environment.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub params: Map<String, Json>,
    /// These and nothing else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<String>,
    /// These and all that follows from them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<String>,
    /// These and all that they need.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub until: Vec<String>,
    /// Files and folders that stood for results, by the names of the stages, tasks or inputs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, String>,
    /// Whether what was asked for was to be made anew even where its result was there.
    #[serde(default, skip_serializing_if = "is_false")]
    pub force: bool,
    /// Whether nothing more was to be started once a task had failed for good.
    #[serde(default, skip_serializing_if = "is_false")]
    pub fail_fast: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands the field over by reference")]
fn is_false(value: &bool) -> bool {
    !value
}
