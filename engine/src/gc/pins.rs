//! `pins/<name>.json`: results that a person wants to keep, whatever becomes of the rest.

use crate::ids::{Fingerprint, TaskId};
use crate::store::{Folder, Store, StoreError, blocking};
use crate::world::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the format.
const VERSION: u32 = 1;

/// One pin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pin {
    /// The format's version.
    pub version: u32,
    /// The result.
    pub fingerprint: Fingerprint,
    /// The pipeline that wanted it.
    pub pipeline: String,
    /// The task it is of, as it was named then.
    pub task: TaskId,
    /// When it was pinned.
    pub pinned: Timestamp,
}

impl Pin {
    /// A pin of a result.
    pub fn new(fingerprint: Fingerprint, pipeline: &str, task: TaskId, now: Timestamp) -> Self {
        Self { version: VERSION, fingerprint, pipeline: pipeline.to_owned(), task, pinned: now }
    }
}

/// All pins, by their names. One that cannot be read as such stops whoever asks: it may be what keeps a result.
///
/// # Errors
/// When the store cannot be read.
pub fn all(store: &Folder) -> Result<BTreeMap<String, Pin>, StoreError> {
    let mut pins = BTreeMap::new();
    for stat in blocking(store.list("pins/"))? {
        let Some(name) = stat.at.strip_prefix("pins/").and_then(|name| name.strip_suffix(".json")) else { continue };
        let bytes = blocking(store.get(&stat.at))?;
        let pin = serde_json::from_slice(&bytes);
        let failed = |error: serde_json::Error| StoreError::Failed {
            doing: "read the pin",
            at: store.path(&stat.at).display().to_string(),
            source: error.into(),
        };
        pins.insert(name.to_owned(), pin.map_err(failed)?);
    }
    Ok(pins)
}

/// Writes a pin. One that is there under the same name stays as it is.
///
/// # Errors
/// When the store cannot be written.
pub fn put(store: &Folder, name: &str, pin: &Pin) -> Result<(), StoreError> {
    let bytes = serde_json::to_vec_pretty(pin).expect("a pin has string keys and finite numbers only");
    match blocking(store.put_new(&place(name), &bytes)) {
        Err(StoreError::Conflict { .. }) | Ok(()) => Ok(()),
        Err(other) => Err(other),
    }
}

/// Takes a pin away.
///
/// # Errors
/// When the store cannot be written.
pub fn take(store: &Folder, name: &str) -> Result<(), StoreError> {
    blocking(store.delete(&place(name)))
}

fn place(name: &str) -> String {
    format!("pins/{name}.json")
}
