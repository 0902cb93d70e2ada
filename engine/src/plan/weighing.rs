//! How large what tasks read is, as far as earlier runs and a look at it tell.

use super::Request;
use super::traffic::Sizes;
use crate::remote::Remotes;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// So many sources elsewhere are looked at, each of which takes a moment; of others the size is not known.
const LOOKS: u32 = 200;
/// So many files of a folder are looked at.
const FILES: u32 = 10_000;

/// Asks for sizes.
pub(super) struct Weighing<'a> {
    request: &'a Request<'a>,
    /// The written name of a task, by its place in the plan.
    name: &'a dyn Fn(usize) -> String,
    remotes: Option<&'a Arc<dyn Remotes>>,
    seen: RefCell<HashMap<String, Option<u64>>>,
}

impl<'a> Weighing<'a> {
    pub(super) fn of(request: &'a Request<'a>, name: &'a dyn Fn(usize) -> String) -> Self {
        let remotes = request.kinds.remotes().filter(|_| !request.offline);
        Self { request, name, remotes, seen: RefCell::default() }
    }
}

impl Sizes for Weighing<'_> {
    fn result(&self, task: usize) -> Option<u64> {
        self.request.experience.bytes(&(self.name)(task))
    }

    fn source(&self, uri: &str) -> Option<u64> {
        let mut seen = self.seen.borrow_mut();
        if let Some(known) = seen.get(uri) {
            return *known;
        }
        let remotes = self.remotes.filter(|_| seen.len() < LOOKS as usize)?;
        // What cannot be asked here is told when the task is looked up.
        let size = remotes.look(uri).ok().map(|stat| stat.size);
        seen.insert(uri.to_owned(), size);
        size
    }

    fn file(&self, path: &Path) -> Option<u64> {
        let left = Cell::new(FILES);
        if self.request.offline { None } else { size(path, &left) }
    }
}

/// The bytes of a file, or of all files in a folder.
fn size(path: &Path, left: &Cell<u32>) -> Option<u64> {
    left.set(left.get().checked_sub(1)?);
    let meta = fs::metadata(path).ok()?;
    if !meta.is_dir() {
        return Some(meta.len());
    }
    fs::read_dir(path).ok()?.map(|entry| size(&entry.ok()?.path(), left)).sum()
}
