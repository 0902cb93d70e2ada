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

    /// The manifest filed under `fingerprint`. One that cannot be read, or is another's, is put in quarantine
    /// and counts as absent, so that a damaged file costs a rerun and not an evening.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn find(&self, fingerprint: &Fingerprint) -> Result<Option<Manifest>, StoreError> {
        let at = manifest::place(fingerprint);
        let bytes = match blocking(self.store.get(&at)) {
            Ok(bytes) => bytes,
            Err(StoreError::Missing { .. }) => return Ok(None),
            Err(other) => return Err(other),
        };
        match serde_json::from_slice::<Manifest>(&bytes) {
            Ok(found) if found.fingerprint == *fingerprint => Ok(Some(found)),
            _ => {
                self.quarantine(fingerprint)?;
                Ok(None)
            }
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
