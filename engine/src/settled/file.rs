//! A record <-> its file in the state folder. Damage of any sort reads as if there were none, and is never flushed: to lose a
//! record costs one plan.

use super::Settled;
use crate::state::StateFolder;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

/// Tells records of this layout from all others. Bump it when the layout changes.
const CONTEXT: &str = "pipe 2026-11 what a run stood on v1";
const DIGEST: usize = 32;
/// So many records are kept: one for each way in which the specs of a folder are run.
const MOST: usize = 32;

impl Settled {
    /// The record of this name, if there is one.
    pub fn read(state: &StateFolder, name: &str) -> Option<Self> {
        let bytes = fs::read(place(state, name)).ok()?;
        let (digest, body) = bytes.split_at_checked(DIGEST)?;
        if blake3::derive_key(CONTEXT, body) != *digest {
            return None;
        }
        postcard::from_bytes(body).ok()
    }

    /// Writes the record in the place of an older one. Failing to is no error.
    pub fn write(&self, state: &StateFolder, name: &str) {
        if let Err(error) = self.try_to_write(state, name) {
            tracing::debug!(%error, "what the run stood on was not written down");
        }
    }

    fn try_to_write(&self, state: &StateFolder, name: &str) -> io::Result<()> {
        let body = postcard::to_allocvec(self).map_err(io::Error::other)?;
        let mut bytes = blake3::derive_key(CONTEXT, &body).to_vec();
        bytes.extend_from_slice(&body);
        let place = place(state, name);
        let aside = place.with_extension("new");
        fs::create_dir_all(folder(state))?;
        fs::write(&aside, bytes)?;
        fs::rename(aside, place)?;
        forget_oldest(state)
    }

    /// Forgets the record of this name.
    pub fn forget(state: &StateFolder, name: &str) {
        let _ = fs::remove_file(place(state, name));
    }
}

fn folder(state: &StateFolder) -> PathBuf {
    state.root().join("settled")
}

fn place(state: &StateFolder, name: &str) -> PathBuf {
    folder(state).join(name)
}

fn forget_oldest(state: &StateFolder) -> io::Result<()> {
    let entries = fs::read_dir(folder(state))?.flatten();
    let age =
        |entry: &fs::DirEntry| entry.metadata().and_then(|meta| meta.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let mut records: Vec<(SystemTime, PathBuf)> = entries.map(|entry| (age(&entry), entry.path())).collect();
    records.sort();
    let too_many = records.len().saturating_sub(MOST);
    records.drain(..too_many).try_for_each(|(_, record)| fs::remove_file(record))
}
