//! Attempts that run elsewhere: described in the store, handed to a backend as jobs, followed to their outcomes.
//!
//! `describe -> (the intent is journaled) -> follow: find, else submit; poll; stop -> outcome`. Whatever dies in between,
//! the next engine comes to the same attempt by the same steps, finds its job and goes on: an attempt is open as long as
//! the store has its description and not its outcome.

mod depot;
mod describe;
mod follow;
mod forget;
mod poller;
mod reached;
mod segments;
mod service;

pub use depot::Depot;
pub use describe::{close, describe};
pub(crate) use describe::{outcome, place, read, write_new};
pub use follow::{end, follow};
pub use forget::{forget, tidy};
pub use poller::Poller;
pub use reached::forget_reached;
pub(crate) use reached::shelf_of;
pub use segments::Listener;
pub(crate) use segments::{Said, segment};
pub use service::Service;
pub(crate) use service::manifest;

use crate::failure::{Class, Failure};
use crate::ids::{Fingerprint, TaskId};
use std::future::Future;
use std::time::Duration;

/// The longest a backend may take to answer. Whether the call had its effect is not known then.
const ANSWER: Duration = Duration::from_secs(60);

/// Where an attempt writes, from the store's root, without its number: a name that a person can read.
pub(crate) fn output_of(pipeline: &str, task: &TaskId, fingerprint: &Fingerprint) -> String {
    format!("data/{pipeline}/{}/{}@{}", task.stage, task.cell.folder(), fingerprint.short(8))
}

/// What a backend answers, or that it does not.
async fn answer<T>(call: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let silent = || Failure::of(Class::Transient, "no_answer", "the backend does not answer");
    tokio::time::timeout(ANSWER, call).await.unwrap_or_else(|_| Err(silent()))
}
