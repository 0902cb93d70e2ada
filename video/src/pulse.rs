//! Whether the threads that cut get on: each says what it is at, and beats with every packet and picture. Who watches can
//! tell that one hangs in a decoder, and on which clip, which the thread itself can tell nobody. Who takes notes can tell
//! the same of one that crashes.

use std::any::Any;
use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

thread_local! {
    /// What this thread is at, the innermost last.
    static AT: RefCell<Vec<Arc<Beat>>> = const { RefCell::new(Vec::new()) };
}

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The source is opened, or read for clips that are not known yet.
    Source,
    /// A clip is made, by its number in the plan.
    Clip(usize),
}

/// Dropped when what it was taken of has ended, or waits for another thread.
pub type Note = Box<dyn Any + Send>;

/// The threads of one plan.
#[derive(Clone, Default)]
pub struct Pulse(Arc<Threads>);

#[derive(Default)]
struct Threads {
    working: Mutex<Vec<Arc<Beat>>>,
    notes: OnceLock<Box<dyn Fn(At) -> Note + Send + Sync>>,
}

/// A piece of work on one thread.
pub(crate) struct Beat {
    at: At,
    count: AtomicU64,
    /// What whoever looks saw last, and how often in a row it was the same.
    seen: AtomicU64,
    same: AtomicU32,
    note: Mutex<Option<Note>>,
}

/// Lets a thread wait for another one that does what it needs. Dropped, it is at its work again.
pub(crate) struct Resting {
    pulse: Pulse,
    beats: Vec<Arc<Beat>>,
}

/// Ends a piece of work when it is dropped.
pub(crate) struct Working {
    pulse: Pulse,
    beat: Arc<Beat>,
}

impl Pulse {
    /// Looks at every thread. Says what one has been at that has not got on for the most looks in a row, and how many.
    pub fn look(&self) -> Option<(At, u32)> {
        let working = self.lock();
        let seen = working.iter().map(|beat| (beat.at, beat.look()));
        seen.max_by_key(|(_, looks)| *looks)
    }

    /// From here on a note is taken of everything that a thread begins. Only the first who asks takes notes.
    pub fn take_notes(&self, of: impl Fn(At) -> Note + Send + Sync + 'static) {
        let _ = self.0.notes.set(Box::new(of));
    }

    /// This thread is at something until what is returned is dropped.
    pub(crate) fn begin(&self, at: At) -> Working {
        let (count, seen, same) = (AtomicU64::new(1), AtomicU64::new(0), AtomicU32::new(0));
        let beat = Arc::new(Beat { at, count, seen, same, note: Mutex::new(self.note(at)) });
        self.lock().push(beat.clone());
        AT.with_borrow_mut(|all| all.push(beat.clone()));
        Working { pulse: self.clone(), beat }
    }

    /// This thread may have to wait for another one until what is returned is dropped.
    pub(crate) fn rest(&self) -> Resting {
        let beats = AT.take();
        self.lock().retain(|beat| !beats.iter().any(|mine| Arc::ptr_eq(mine, beat)));
        beats.iter().for_each(|beat| beat.noted(None));
        Resting { pulse: self.clone(), beats }
    }

    fn note(&self, at: At) -> Option<Note> {
        self.0.notes.get().map(|note| note(at))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Beat>>> {
        self.0.working.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Beat {
    fn look(&self) -> u32 {
        let count = self.count.load(Ordering::Relaxed);
        if self.seen.swap(count, Ordering::Relaxed) == count {
            self.same.fetch_add(1, Ordering::Relaxed) + 1
        } else {
            self.same.store(0, Ordering::Relaxed);
            0
        }
    }

    fn noted(&self, note: Option<Note>) {
        *self.note.lock().unwrap_or_else(PoisonError::into_inner) = note;
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.pulse.lock().retain(|beat| !Arc::ptr_eq(beat, &self.beat));
        // A thread that works for this one may keep the beat for longer.
        self.beat.noted(None);
        AT.with_borrow_mut(|all| all.retain(|beat| !Arc::ptr_eq(beat, &self.beat)));
    }
}

impl Drop for Resting {
    fn drop(&mut self) {
        let beats = std::mem::take(&mut self.beats);
        beats.iter().for_each(|beat| beat.noted(self.pulse.note(beat.at)));
        self.pulse.lock().extend(beats.iter().cloned());
        AT.set(beats);
        beat();
    }
}

/// This thread got on. Everything that it is at did.
pub(crate) fn beat() {
    AT.with_borrow(|all| {
        for beat in all {
            beat.count.fetch_add(1, Ordering::Relaxed);
        }
    });
}

/// What this thread is at, for another one that works for it.
pub(crate) fn mine() -> Vec<Arc<Beat>> {
    AT.with_borrow(Vec::clone)
}

/// This thread works for one that is at these.
pub(crate) fn work_for(theirs: Vec<Arc<Beat>>) {
    AT.set(theirs);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_gets_on_is_told_from_who_hangs() {
        let pulse = Pulse::default();
        assert_eq!(pulse.look(), None);
        let _hanging = pulse.begin(At::Clip(7));
        let other = pulse.clone();
        let looks = std::thread::spawn(move || {
            let _busy = other.begin(At::Clip(8));
            (0..5)
                .map(|_| {
                    beat();
                    other.look()
                })
                .collect::<Vec<_>>()
        });
        let looks = looks.join().unwrap();
        assert_eq!(looks.last(), Some(&Some((At::Clip(7), 4))), "{looks:?}");
        beat();
        assert_eq!(pulse.look(), Some((At::Clip(7), 0)));
    }

    #[test]
    fn what_is_inside_another_keeps_that_one_alive_and_goes_with_its_end() {
        let pulse = Pulse::default();
        let outer = pulse.begin(At::Clip(1));
        let inner = pulse.begin(At::Source);
        pulse.look();
        beat();
        assert_eq!(pulse.look().map(|(_, looks)| looks), Some(0));
        drop(inner);
        pulse.look();
        assert_eq!(pulse.look(), Some((At::Clip(1), 2)));
        drop(outer);
        assert_eq!(pulse.look(), None);
    }

    #[test]
    fn who_waits_for_another_does_not_hang() {
        let pulse = Pulse::default();
        let working = pulse.begin(At::Clip(1));
        pulse.look();
        let resting = pulse.rest();
        assert_eq!(pulse.look(), None);
        drop(resting);
        assert_eq!(pulse.look(), Some((At::Clip(1), 0)));
        drop(working);
        assert_eq!(pulse.look(), None);
    }

    #[test]
    fn notes_are_kept_while_a_thread_is_at_something_and_does_not_wait_for_another() {
        /// Strikes out what it was taken of.
        struct Line(Arc<Mutex<Vec<At>>>, At);
        impl Drop for Line {
            fn drop(&mut self) {
                self.0.lock().unwrap().retain(|at| *at != self.1);
            }
        }
        let (pulse, lines) = (Pulse::default(), Arc::new(Mutex::new(Vec::new())));
        let page = lines.clone();
        pulse.take_notes(move |at| {
            page.lock().unwrap().push(at);
            Box::new(Line(page.clone(), at))
        });
        let now = || lines.lock().unwrap().clone();
        let clip = pulse.begin(At::Clip(1));
        let helped_by = mine();
        let resting = pulse.rest();
        assert_eq!(now(), []);
        let source = pulse.begin(At::Source);
        assert_eq!(now(), [At::Source]);
        drop(source);
        drop(resting);
        assert_eq!(now(), [At::Clip(1)]);
        drop(clip);
        assert_eq!((now(), helped_by.len()), (vec![], 1));
    }

    #[test]
    fn a_thread_that_works_for_another_beats_for_it() {
        let pulse = Pulse::default();
        let _waiting = pulse.begin(At::Source);
        pulse.look();
        let theirs = mine();
        std::thread::spawn(move || {
            work_for(theirs);
            beat()
        })
        .join()
        .unwrap();
        assert_eq!(pulse.look(), Some((At::Source, 0)));
    }
}
