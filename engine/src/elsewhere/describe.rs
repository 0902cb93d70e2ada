//! An attempt's place in the store: `attempts/<id>/attempt.json` says what is to be done, `outcome.json` how it ended.
//!
//! An attempt that has a description and no outcome is open: its job may be waiting, running or never have been made. Who
//! wants the same key takes that attempt up instead of beginning another, on whichever machine. The same holds for one that
//! ended well and of which nobody has filed the result.

use super::Depot;
use crate::attempt::{Attempt, Outcome};
use crate::failure::Failure;
use crate::ids::AttemptId;
use crate::store::{Store, StoreError};
use crate::work::store_failed;
use crate::worker::{ATTEMPT, OUTCOME};
use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Gives the attempt its number, its output folder and its place in the store; or finds the one of the same key that is
/// open. In a folder a number is taken by making the output folder, in a bucket by the description, which is created once:
/// neither an attempt of this machine nor another engine has the same.
///
/// `unheard`: the attempt of this key of which the journal knows that it was handed over, and not how it ended. Its worker
/// may have ended it meanwhile, and what it made is not made again.
///
/// # Errors
/// When the store cannot be read or written.
pub fn describe(depot: &Depot, mut attempt: Attempt, unheard: Option<&AttemptId>) -> Result<Attempt, Failure> {
    let store = depot.store();
    if let Some(id) = unheard
        && let Some(described) = read(store, &place(id, ATTEMPT))?
    {
        return Ok(described);
    }
    depot.send_files(&mut attempt)?;
    let stem = attempt.output.clone();
    for number in 1.. {
        attempt.id = AttemptId::new(&attempt.fingerprint, number);
        attempt.output = format!("{stem}-{number}");
        let is_over = match outcome(store, &attempt.id)? {
            Some(outcome) => attempt.anew || !depot.is_whole(&attempt, &outcome)?,
            None => false,
        };
        let described = read(store, &place(&attempt.id, ATTEMPT))?;
        match described {
            // Of one that gc is removing the outcome is there to the last.
            _ if is_over => continue,
            Some(described) => return Ok(described),
            None => {}
        }
        if !depot.take(&attempt.output)? {
            continue;
        }
        if write_new(store, &place(&attempt.id, ATTEMPT), &attempt)? {
            break;
        }
        // Somebody was first by a moment, or it was we and the answer was lost.
        if let Some(described) = read(store, &place(&attempt.id, ATTEMPT))? {
            return Ok(described);
        }
    }
    Ok(attempt)
}

/// The outcome of an attempt, once it has one.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn outcome(store: &dyn Store, id: &AttemptId) -> Result<Option<Outcome>, Failure> {
    read(store, &place(id, OUTCOME))
}

/// Ends an attempt with this outcome, unless its worker has left one of its own. Returns the one that counts.
///
/// # Errors
/// When the store cannot be read or written.
pub fn close(store: &dyn Store, outcome: Outcome) -> Result<Outcome, Failure> {
    if write_new(store, &place(&outcome.id, OUTCOME), &outcome)? {
        return Ok(outcome);
    }
    Ok(self::outcome(store, &outcome.id)?.unwrap_or(outcome))
}

/// Where something of an attempt lies in the store.
pub(crate) fn place(id: &AttemptId, file: &str) -> String {
    format!("attempts/{id}/{file}")
}

/// Reads an object of an attempt, if it is there.
pub(crate) fn read<T: DeserializeOwned>(store: &dyn Store, at: &str) -> Result<Option<T>, Failure> {
    let text = match wait(store.get(at)) {
        Ok(text) => text,
        Err(StoreError::Missing { .. }) => return Ok(None),
        Err(error) => return Err(store_failed(error)),
    };
    let unread = |e| {
        Failure::failed("bad_attempt", "what another version of pipe wrote of an attempt cannot be read")
            .on(at)
            .source(e)
            .help("use the same version of pipe everywhere, or remove that folder of the store when its job is over")
    };
    serde_json::from_slice(&text).map(Some).map_err(unread)
}

/// Writes an object unless it is there. Returns whether it was not.
pub(crate) fn write_new(store: &dyn Store, at: &str, value: &impl Serialize) -> Result<bool, Failure> {
    let bug = |e| Failure::failed("bug", "an attempt has no JSON").source(e);
    let mut text = serde_json::to_vec_pretty(value).map_err(bug)?;
    text.push(b'\n');
    match wait(store.put_new(at, &text)) {
        Ok(()) => Ok(true),
        Err(StoreError::Conflict { .. }) => Ok(false),
        Err(error) => Err(store_failed(error)),
    }
}

fn wait<T>(answer: BoxFuture<'_, T>) -> T {
    crate::store::blocking(answer)
}
