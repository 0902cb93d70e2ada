//! Fingerprint -> manifest, in any store. The one place that files, finds and quarantines results.

use super::{Store, StoreError, blocking};
use crate::ids::Fingerprint;
use crate::manifest::{self, Manifest};

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

    fn read(&self, fingerprint: &Fingerprint) -> Result<Filing, StoreError> {
        let bytes = match blocking(self.store.get(&manifest::place(fingerprint))) {
            Ok(bytes) => bytes,
            Err(StoreError::Missing { .. }) => return Ok(Filing::Absent),
            Err(other) => return Err(other),
        };
        let version = serde_json::from_slice::<serde_json::Value>(&bytes).ok().and_then(|v| v["version"].as_u64());
        if version.is_some_and(|v| v > u64::from(manifest::VERSION)) {
            return Ok(Filing::Newer);
        }
        match serde_json::from_slice::<Manifest>(&bytes) {
            Ok(found) if found.fingerprint == *fingerprint => Ok(Filing::Good(Box::new(found))),
            _ => Ok(Filing::Damaged),
        }
    }

    /// Files a manifest whose bytes are flushed already. The first one stands.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn file(&self, manifest: &Manifest) -> Result<Filed, StoreError> {
        let at = manifest::place(&manifest.fingerprint);
        let bytes = serde_json::to_vec_pretty(manifest).expect("a manifest has string keys and finite numbers only");
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
