//! Where a spec stood in version control when it was run, in words. Part of the frozen format of events: fields are
//! only added. Knows no version control: whoever starts a run looks and fills this in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The state of the repository a spec lies in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Revision {
    /// The name of the repository's top folder.
    pub folder: String,
    /// Where the repository comes from, without user names and passwords.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// The commit, in full.
    pub commit: String,
    /// The branch that was checked out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The tags of the commit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What `--at` asked for, such as `v1.2`. The spec and the files of the project are then those of the commit, and
    /// what lay on the disk had no part in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// What on the disk differed from the commit. Absent when it could not be found out in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<Changes>,
}

/// Tracked files that differ from the commit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Changes {
    /// How many files differ.
    pub count: u64,
    /// The first of them, sorted, from the top folder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// BLAKE3 of what they hold: two runs of one commit with equal digests saw equal files. Absent when nothing differs,
    /// and when it is too much to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}
