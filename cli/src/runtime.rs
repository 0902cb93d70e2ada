//! Calls that are awaited -> what comes of them, for verbs that have no other use for a runtime.

use crate::exit::{Exit, Refusal};
use std::io;
use tokio::runtime::{Builder, Runtime};

/// A runtime on this thread.
///
/// # Errors
/// When the system has none to give.
pub(crate) fn here() -> Result<Runtime, Refusal> {
    let cannot = |error: io::Error| Refusal::new(Exit::Unavailable, format!("cannot start: {error}"));
    Builder::new_current_thread().enable_all().build().map_err(cannot)
}
