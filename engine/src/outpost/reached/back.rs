//! What attempts before have reached, out of the bucket -> the folder that this one goes on from.

use super::{Reached, Saved, VERSION, look, name};
use crate::elsewhere::read;
use crate::failure::Failure;
use crate::manifest::FileEntry;
use crate::shared::Shared;
use crate::store::{blocking, check_path};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

impl Reached {
    /// Lays the newest of what was reached there, unless a process before us has left something newer on this machine. What
    /// cannot be had is no failure: the work begins at its beginning then.
    pub(super) fn go_on(&mut self, shared: &Shared) {
        match blocking(self.bucket.list(&self.shelf)) {
            Ok(listed) => self.there = listed.into_iter().map(|stat| stat.at).collect(),
            Err(error) => return tracing::warn!(%error, "what was reached before cannot be looked for"),
        }
        let mut lists: Vec<String> = self.there.iter().filter(|at| self.is_list(at)).cloned().collect();
        lists.sort();
        let ours = (1..).find(|number| !lists.contains(&format!("{}{}", self.shelf, name(&self.attempt, *number))));
        self.next = ours.unwrap_or(1);
        if !look(&self.folder).is_empty() {
            return;
        }
        while let Some(list) = lists.pop() {
            match self.bring(shared, &list) {
                Ok(()) => {
                    self.last = look(&self.folder);
                    return tracing::info!(list, "goes on from what was reached before");
                }
                Err(failure) => tracing::warn!(%failure, list, "what was reached before cannot be had"),
            }
            // The folder itself is there for whoever was told of it.
            let _ = fs::remove_dir_all(&self.folder).and_then(|()| fs::create_dir_all(&self.folder));
        }
    }

    fn is_list(&self, at: &str) -> bool {
        at.strip_prefix(&self.shelf).is_some_and(|name| name.ends_with(".json") && !name.contains('/'))
    }

    fn bring(&self, shared: &Shared, list: &str) -> Result<(), Failure> {
        let gone = || Failure::failed("no_checkpoint", "it is gone").on(list);
        let saved: Saved = read(self.bucket.as_ref(), list)?.ok_or_else(gone)?;
        if saved.version != VERSION {
            return Err(Failure::failed("bad_checkpoint", "another version of pipe wrote it").on(list));
        }
        saved.files.iter().try_for_each(|file| lay(shared, file, &self.folder))
    }
}

/// Brings a file and puts it in its place. The copy keeps none: whoever goes on from a file may write into it.
fn lay(shared: &Shared, file: &FileEntry, folder: &Path) -> Result<(), Failure> {
    let is_sound = check_path(&file.path).is_ok() && check_path(&file.at).is_ok();
    if !is_sound || !file.blake3.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Failure::failed("bad_checkpoint", "it names no file of its own").on(&file.path));
    }
    let (brought, place) = (shared.brought(file)?, folder.join(&file.path));
    let laid = fs::create_dir_all(place.parent().unwrap_or(folder))
        .and_then(|()| fs::copy(&brought, &place))
        .and_then(|_| fs::set_permissions(&place, Permissions::from_mode(0o644)));
    let _ = fs::remove_file(&brought);
    laid.map_err(|e| Failure::io("copy", &place, &e))
}
