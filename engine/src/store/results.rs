//! Fingerprint -> manifest, in any store. The one place that files, finds and quarantines results.

use super::{Store, StoreError, blocking};
use crate::ids::Fingerprint;
use crate::manifest::{self, Manifest};
use serde::Deserialize;

/// What came of filing a manifest.
pub enum Filed {
    /// Ours is the one.
    Ours,
    /// Somebody else's was there first; this is it.
    Theirs(Box<Manifest>),
}

/// What stands under a fingerprint.
enum Filing {
    Good(Box<Manifest>),
    Absent,
    Newer,
    Damaged,
}

/// A manifest of any version.
#[derive(Deserialize)]
struct Version {
    version: u64,
}

/// The manifests of a store.
#[derive(Clone, Copy)]
pub struct Results<'a> {
    store: &'a dyn Store,
}

impl<'a> Results<'a> {
    /// The manifests of `store`.
    pub fn of(store: &'a dyn Store) -> Self {
        Self { store }
    }

    /// The manifest filed under `fingerprint`. One that is damaged is put in quarantine and counts as absent, so that it
    /// costs a rerun and not an evening. One of a newer version counts as absent and stays where it is.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn find(&self, fingerprint: &Fingerprint) -> Result<Option<Manifest>, StoreError> {
        match self.read(fingerprint)? {
            Filing::Good(manifest) => Ok(Some(*manifest)),
            Filing::Absent | Filing::Newer => Ok(None),
            Filing::Damaged => {
                self.quarantine(fingerprint)?;
                Ok(None)
            }
        }
    }

    /// As [`Results::find`], and leaves everything as it is.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn peek(&self, fingerprint: &Fingerprint) -> Result<Option<Manifest>, StoreError> {
        match self.read(fingerprint)? {
            Filing::Good(manifest) => Ok(Some(*manifest)),
            _ => Ok(None),
        }
    }

    /// As [`Results::peek`], for a fingerprint of which only the beginning is known, as in an attempt's name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn peek_starting(&self, start: &str) -> Result<Option<Manifest>, StoreError> {
        let Some(folder) = start.get(..2) else { return Ok(None) };
        let listed = blocking(self.store.list(&format!("results/{folder}/")))?;
        let names = listed.iter().filter_map(|stat| stat.at.rsplit('/').next()?.strip_suffix(".json"));
        match names.filter(|name| name.starts_with(start)).collect::<Vec<_>>().as_slice() {
            [one] => self.peek(&Fingerprint((*one).to_owned())),
            _ => Ok(None),
        }
    }

    fn read(&self, fingerprint: &Fingerprint) -> Result<Filing, StoreError> {
        let Some(bytes) = self.bytes(fingerprint)? else { return Ok(Filing::Absent) };
        let version = serde_json::from_slice::<Version>(&bytes).ok().map(|v| v.version);
        if version.is_some_and(|v| v > u64::from(manifest::VERSION)) {
            return Ok(Filing::Newer);
        }
        match serde_json::from_slice::<Manifest>(&bytes) {
            Ok(found) if found.fingerprint == *fingerprint => Ok(Filing::Good(Box::new(found))),
            _ => Ok(Filing::Damaged),
        }
    }

    fn bytes(&self, fingerprint: &Fingerprint) -> Result<Option<Vec<u8>>, StoreError> {
        match blocking(self.store.get(&manifest::place(fingerprint))) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(StoreError::Missing { .. }) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// Files a manifest whose bytes are flushed already. The first one stands.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn file(&self, manifest: &Manifest) -> Result<Filed, StoreError> {
        let at = manifest::place(&manifest.fingerprint);
        let bytes = bytes_of(manifest);
        for _ in 0..2 {
            match blocking(self.store.put_new(&at, &bytes)) {
                Ok(()) => return Ok(Filed::Ours),
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(other),
            }
            // Whatever stands there may be damaged; `find` moves it away then, and the second round files ours.
            if let Some(theirs) = self.find(&manifest.fingerprint)? {
                return Ok(Filed::Theirs(Box::new(theirs)));
            }
        }
        Err(StoreError::Conflict { at })
    }

    /// Files a manifest in the place of another, which must still be the one that stands there.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn replace(&self, theirs: &Manifest, ours: &Manifest) -> Result<bool, StoreError> {
        let at = manifest::place(&ours.fingerprint);
        let old = match blocking(self.store.get(&at)) {
            Ok(old) => old,
            Err(StoreError::Missing { .. }) => return Ok(false),
            Err(other) => return Err(other),
        };
        if serde_json::from_slice::<Manifest>(&old).ok().as_ref() != Some(theirs) {
            return Ok(false);
        }
        match blocking(self.store.replace_if(&at, &old, &bytes_of(ours))) {
            Ok(()) => Ok(true),
            Err(StoreError::Conflict { .. } | StoreError::Missing { .. }) => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// Moves a manifest that must not be trusted to `quarantine/`, where people can look at it.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn quarantine(&self, fingerprint: &Fingerprint) -> Result<(), StoreError> {
        let at = manifest::place(fingerprint);
        tracing::warn!(%fingerprint, "a result cannot be trusted and is put in quarantine");
        match blocking(self.store.get(&at)) {
            Ok(bytes) => {
                let digest = blake3::hash(&bytes).to_hex();
                let aside = format!("quarantine/{fingerprint}-{}.json", &digest[..8]);
                match blocking(self.store.put_new(&aside, &bytes)) {
                    Ok(()) | Err(StoreError::Conflict { .. }) => blocking(self.store.delete(&at)),
                    Err(other) => Err(other),
                }
            }
            Err(StoreError::Missing { .. }) => Ok(()),
            Err(other) => Err(other),
        }
    }
}

/// What is filed of a manifest.
pub(crate) fn bytes_of(manifest: &Manifest) -> Vec<u8> {
    serde_json::to_vec_pretty(manifest).expect("a manifest has string keys and finite numbers only")
}
