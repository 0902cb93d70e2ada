//! The texts of a spec, read from the disk -> which files were asked for, and what each was when it was read.

use super::Watched;
use crate::spec::{Disk, Texts};
use crate::stamp::Stamp;
use crate::world::World;
use std::cell::{Cell, RefCell};
use std::fs;
use std::io;
use std::path::Path;

/// The files of this machine; remembers which were read, and which were looked for in vain.
pub struct Watching {
    world: World,
    seen: RefCell<Vec<Watched>>,
    /// Whether one was so young that its times cannot tell the next change, or its name is no text.
    is_lost: Cell<bool>,
}

impl Watching {
    /// Has read nothing yet.
    pub fn with(world: World) -> Self {
        Self { world, seen: RefCell::default(), is_lost: Cell::new(false) }
    }

    /// What was read so far. `None` when it cannot be told whether that is still the same.
    pub fn seen(&self) -> Option<Vec<Watched>> {
        if self.is_lost.get() { None } else { Some(self.seen.borrow().clone()) }
    }
}

impl Texts for Watching {
    fn read(&self, path: &Path, most: usize) -> io::Result<Vec<u8>> {
        // Before it is read: when it changes meanwhile, its times differ from these.
        let stamp = fs::metadata(path).ok().map(|meta| Stamp::of(&meta));
        match path.to_str() {
            _ if stamp.is_some_and(|stamp| stamp.is_racy(self.world.now())) => self.is_lost.set(true),
            Some(path) => self.seen.borrow_mut().push(Watched { path: path.to_owned(), stamp }),
            None => self.is_lost.set(true),
        }
        Disk.read(path, most)
    }
}
