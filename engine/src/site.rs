//! Where and by whom a run was started, in words. Part of the frozen format of events: fields are only added. Knows no
//! system: whoever starts a run looks and fills this in. It is in no key and no artifact.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The machine that a run was started on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Site {
    /// Its name.
    pub host: String,
    /// The name of the user who started the run; absent where nothing tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// CPUs that the run may use.
    pub cpus: u32,
    /// The version of `pipe`.
    pub pipe: String,
}
