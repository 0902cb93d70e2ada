//! What a process is at -> a file in its attempt's folder, and back into words when the process has died without any.
//!
//! Who crashes has no time to say what on, so it is said before: each piece of work is noted when it begins and struck out
//! when it ends. What was written outlives its process in the kernel, so nothing is flushed and a note costs one call.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The name of the file inside an attempt's folder.
pub const FILE: &str = "doing";

/// How many characters of a piece of work are noted.
const LONGEST: usize = 200;
/// How many pieces of work are told of one process.
const TOLD: usize = 4;

/// What all threads of a process are at. Its file is made with the first note and goes with the last owner.
#[derive(Clone, Default)]
pub struct Doing(Arc<Noted>);

#[derive(Default)]
struct Noted {
    /// `None`: it is written nowhere.
    path: Option<PathBuf>,
    now: Mutex<Now>,
}

#[derive(Default)]
struct Now {
    /// How many pieces were begun so far.
    begun: u64,
    pieces: BTreeMap<u64, String>,
    file: Option<File>,
    /// How long the file is.
    length: usize,
}

/// A piece of work that is being done. Dropped, it is over.
#[must_use]
pub struct Piece {
    doing: Doing,
    number: u64,
}

impl Doing {
    /// For the attempt whose folder this is.
    pub fn of(folder: &Path) -> Self {
        Self(Arc::new(Noted { path: Some(folder.join(FILE)), now: Mutex::default() }))
    }

    /// Notes that somebody works on this until what is returned is dropped. `what`: as a sentence takes it, such as
    /// "play `7`".
    pub fn begin(&self, what: &str) -> Piece {
        let mut now = self.lock();
        now.begun += 1;
        let number = now.begun;
        // A name may be anything, and a line is a piece.
        let plain = what.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c });
        now.pieces.insert(number, plain.collect());
        now.write(self.0.path.as_deref());
        Piece { doing: self.clone(), number }
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.0.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Now {
    /// A note that cannot be written must not end the work it speaks of.
    fn write(&mut self, path: Option<&Path>) {
        let Some(path) = path else { return };
        if self.file.is_none() {
            self.file = File::create(path).ok();
        }
        let Some(file) = &self.file else { return };
        let mut text = self.pieces.values().map(|what| format!("{what}\n")).collect::<String>().into_bytes();
        // All in one call, so that it is what is now or what was before. Empty lines lie over what was longer.
        text.resize(text.len().max(self.length), b'\n');
        self.length = text.len();
        let _ = file.write_all_at(&text, 0);
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        let mut now = self.doing.lock();
        now.pieces.remove(&self.number);
        now.write(self.doing.0.path.as_deref());
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        let now = self.now.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = self.path.as_ref().filter(|_| now.file.is_some()) {
            let _ = fs::remove_file(path);
        }
    }
}

/// What a process that died was at, as a sentence takes it. `None`: nothing that anybody noted.
pub fn left_in(folder: &Path) -> Option<String> {
    let bytes = fs::read(folder.join(FILE)).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    // Threads that work together note the same.
    let mut seen = BTreeSet::new();
    let mut all: Vec<String> =
        text.lines().filter(|line| !line.is_empty() && seen.insert(*line)).map(str::to_owned).collect();
    if all.len() > TOLD {
        let more = all.split_off(TOLD).len();
        all.push(format!("{more} more"));
    }
    let last = all.pop()?;
    Some(if all.is_empty() { last } else { format!("{} and {last}", all.join(", ")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_begun_and_has_not_ended_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let told = || left_in(folder.path());
        let doing = Doing::of(folder.path());
        assert_eq!((told(), folder.path().join(FILE).exists()), (None, false), "nobody has noted anything");
        let long = doing.begin("play `with a long name` of FAR_LEFT");
        let short = doing.begin("play `b`");
        assert_eq!(told().as_deref(), Some("play `with a long name` of FAR_LEFT and play `b`"));
        drop(long);
        assert_eq!(told().as_deref(), Some("play `b`"), "nothing is left of what was longer");
        drop(short);
        assert_eq!(told(), None);
        drop(doing);
        assert!(!folder.path().join(FILE).exists());
    }

    #[test]
    fn pieces_of_several_threads_stand_side_by_side_and_the_same_stands_once() {
        let folder = tempfile::tempdir().unwrap();
        let doing = Doing::of(folder.path());
        let note = |n: usize| [doing.begin("the film"), doing.begin(&format!("clip {n}"))];
        let pieces = std::thread::scope(|scope| {
            [0, 1, 2].map(|n| scope.spawn(move || note(n))).map(|thread| thread.join().unwrap())
        });
        let told = left_in(folder.path()).unwrap();
        assert_eq!(told.matches("the film").count(), 1, "{told}");
        assert!((0..3).all(|n| told.contains(&format!("clip {n}"))) && told.contains(" and "), "{told}");
        drop(pieces);
    }

    #[test]
    fn of_many_pieces_the_first_few_are_told_and_none_is_longer_than_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let doing = Doing::of(folder.path());
        let _pieces: Vec<Piece> = ["a\nb", "c", "d", "e", "f", "g"].map(|what| doing.begin(what)).into();
        assert_eq!(left_in(folder.path()).as_deref(), Some("a b, c, d, e and 2 more"));
        let _long = Doing::of(folder.path()).begin(&"é".repeat(1000));
        assert_eq!(left_in(folder.path()), Some("é".repeat(200)));
    }

    #[test]
    fn who_notes_nowhere_works_as_well() {
        drop(Doing::default().begin("play `a`"));
        let folder = tempfile::tempdir().unwrap();
        drop(Doing::of(&folder.path().join("not there")).begin("play `a`"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
