//! What an attempt elsewhere says -> passing events of the run, and a log where those of attempts on this machine lie, so
//! that whoever looks for one finds it.

use super::Message;
use crate::attempt::Outcome;
use crate::elsewhere::Listener;
use crate::event::{Body, Doubles};
use crate::ids::AttemptId;
use crate::scheduler::TaskIndex;
use crate::state::StateFolder;
use crate::worker::{ATTEMPT, OUTCOME, write_whole};
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc::UnboundedSender;

/// Lines of children that may be on their way here. A program that talks faster than it is listened to is heard in
/// part; its log has every line.
pub(super) const LINES_UNHEARD: usize = 256;

/// Hears one attempt.
pub(super) struct Heard {
    task: TaskIndex,
    number: u32,
    id: AttemptId,
    /// Where its log goes.
    folder: PathBuf,
    log: Mutex<Option<File>>,
    outbox: UnboundedSender<Message>,
    /// Lines that are on their way to the run.
    unheard: Arc<AtomicUsize>,
    /// Whether its silence would matter.
    listens: bool,
}

impl Heard {
    pub(super) fn of(
        (task, number, id): (TaskIndex, u32, AttemptId),
        state: &StateFolder,
        (outbox, unheard): (UnboundedSender<Message>, Arc<AtomicUsize>),
        listens: bool,
    ) -> Self {
        let folder = state.attempt(&id);
        Self { task, number, id, folder, log: Mutex::default(), outbox, unheard, listens }
    }

    /// Whether the folder is that of an attempt on this machine of the same name, which keeps its own log.
    fn is_taken(&self) -> bool {
        self.folder.join(ATTEMPT).exists()
    }

    fn keep(&self, line: &str) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.is_none() && !self.is_taken() {
            *log = fs::create_dir_all(&self.folder).and_then(|()| File::create(self.folder.join("log"))).ok();
        }
        // A log that cannot be written must not end what it speaks of.
        log.iter_mut().for_each(|log| drop(log.write_all(format!("{line}\n").as_bytes())));
    }

    /// Keeps its outcome beside its log: a folder without one is taken for that of an attempt that died.
    pub(super) fn ended(&self, outcome: &Outcome) {
        if !self.is_taken() && fs::create_dir_all(&self.folder).is_ok() {
            let _ = write_whole(&self.folder.join(OUTCOME), outcome);
        }
    }
}

impl Listener for Heard {
    fn begun(&self) {
        let _ = self.outbox.send(Message::Begun(self.task, self.number));
    }

    fn heard(&self) {
        if self.listens {
            let _ = self.outbox.send(Message::Heard(self.task, self.number));
        }
    }

    fn doubled(&self, doubles: Doubles) {
        let _ = self.outbox.send(Message::Doubled(self.task, self.id.clone(), doubles));
    }

    fn passing(&self, said: Body) {
        if let Body::Log { line } = &said {
            self.keep(line);
            if self.unheard.fetch_add(1, Ordering::Relaxed) >= LINES_UNHEARD {
                self.unheard.fetch_sub(1, Ordering::Relaxed);
                return;
            }
        }
        let _ = self.outbox.send(Message::Passing(self.task, self.id.clone(), said));
    }
}
