//! Results that were removed: their manifests lie under `lineage/`, where they count for nothing and can still be found.

use super::{Folder, Store, StoreError, blocking};
use crate::ids::Fingerprint;
use crate::manifest::{Manifest, place};
use crate::world::Timestamp;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

/// A result that was removed.
#[derive(Clone, Debug, PartialEq)]
pub struct Removed {
    /// What was filed of it.
    pub manifest: Manifest,
    /// When it was removed.
    pub when: Timestamp,
}

/// Where the manifest of a result that was removed lies, from the store's root.
pub fn place_of(fingerprint: &Fingerprint) -> String {
    format!("lineage/{}/{fingerprint}.json", fingerprint.short(2))
}

/// The result that was removed from under a fingerprint, of several the last one.
///
/// # Errors
/// When the store cannot be read.
pub fn find(store: &Folder, fingerprint: &Fingerprint) -> Result<Option<Removed>, StoreError> {
    let at = place_of(fingerprint);
    let Some((bytes, _)) = store.get_stamped(&at)? else { return Ok(None) };
    let when = fs::metadata(store.path(&at)).ok().and_then(|meta| meta.modified().ok());
    let since = when.and_then(|when| when.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    let when = Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
    Ok(Manifest::read(fingerprint, &bytes).map(|manifest| Removed { manifest, when }))
}

/// The fingerprints of all results that were removed.
///
/// # Errors
/// When the store cannot be listed.
pub fn all(store: &Folder) -> Result<Vec<Fingerprint>, StoreError> {
    let listed = blocking(store.list("lineage/"))?;
    let names = listed.iter().filter_map(|stat| stat.at.rsplit('/').next()?.strip_suffix(".json"));
    Ok(names.filter(|name| !name.contains('.')).map(|name| Fingerprint(name.to_owned())).collect())
}

/// Moves a manifest out of `results/`: from then on the result is a miss. One step, so that it is in one of both places
/// whatever dies in between. An earlier manifest of the same key stays beside it.
///
/// # Errors
/// When it cannot be moved. It is no error when it is gone.
pub fn remove(store: &Folder, fingerprint: &Fingerprint, now: Timestamp) -> Result<(), StoreError> {
    let (from, to) = (store.path(&place(fingerprint)), store.path(&place_of(fingerprint)));
    let moved = || -> io::Result<()> {
        fs::create_dir_all(to.parent().unwrap_or(store.root()))?;
        keep_earlier(&to)?;
        // Its time tells when it was removed. Whoever may move a file need not be its owner: then it tells less.
        let touched = File::open(&from)?.set_modified(UNIX_EPOCH + Duration::from_millis(now.0));
        touched.unwrap_or_else(|error| tracing::debug!(%error, "the time of a removal is not kept"));
        fs::rename(&from, &to)
    };
    match moved() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(StoreError::Failed { doing: "move to the lineage", at: from.display().to_string(), source }),
        Ok(()) => Ok(()),
    }
}

/// Gives what was removed from under the same key before another name: `<fingerprint>.<time>.json`.
fn keep_earlier(to: &Path) -> io::Result<()> {
    let Ok(meta) = fs::metadata(to) else { return Ok(()) };
    let when = meta.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    fs::rename(to, to.with_extension(format!("{when}.json")))
}
