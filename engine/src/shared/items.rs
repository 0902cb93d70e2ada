//! Items in the bucket -> items of the copy, for a worker whose machine has made none of them.

use super::bring::make_room;
use super::{DAMAGED, Shared, here, patiently};
use crate::failure::Failure;
use crate::ids::Fingerprint;
use crate::manifest::{FileEntry, Manifest, Of};
use crate::store::{Results, check_path};
use crate::work::{ItemsElsewhere, store_failed};
use std::fs;
use std::io;

impl ItemsElsewhere for Shared {
    /// In the copy an item lies under the path that it has in the bucket. Only a worker's own copy is without anything else
    /// there.
    fn item(&self, fingerprint: &Fingerprint) -> Result<Option<Manifest>, Failure> {
        let found = patiently(|| self.results().find(fingerprint).map_err(store_failed))?;
        let is_sound =
            |item: &Manifest| item.of == Of::Item && item.files.iter().all(|file| check_path(&file.at).is_ok());
        let Some(item) = found.filter(is_sound) else { return Ok(None) };
        match self.bring_all(&item.files).and_then(|()| item.files.iter().try_for_each(|file| self.lay(file))) {
            Ok(()) => {}
            Err(failure) if failure.code == DAMAGED => {
                self.distrust(fingerprint)?;
                return Ok(None);
            }
            Err(failure) => return Err(failure),
        }
        Results::of(self.copy.as_ref()).file(&item).map_err(store_failed)?;
        Ok(Some(item))
    }
}

impl Shared {
    fn lay(&self, file: &FileEntry) -> Result<(), Failure> {
        let (brought, place) = (self.copy.path(&here(file).at), self.copy.path(&file.at));
        make_room(&place)?;
        match fs::hard_link(&brought, &place) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => self.copied(&brought, &place),
            _ => Ok(()),
        }
    }
}
