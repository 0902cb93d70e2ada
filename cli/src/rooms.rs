//! The state folder and the store, and who may be in them: a run has the one for itself and shares the other, and what
//! removes things has both to itself.

use crate::exit::{self, Exit, Refusal};
use crate::printer::Printer;
use crate::wiring::Project;
use pipe_engine::event::{Body, RunEvent};
use pipe_engine::state::{Lock, LockError, StateFolder};
use pipe_engine::store::{Folder, Hold};
use std::path::Path;
use std::sync::Arc;

/// The state folder, which a run has for itself, and the store, which it shares with others but not with what removes
/// results.
pub(crate) struct Locks {
    lock: Lock,
    _hold: Hold,
}

impl Locks {
    /// Hears that a run begins, before the journal does, and writes its name beside our own.
    ///
    /// # Errors
    /// When the system gives no second handle on the lock's file.
    pub(crate) fn teller(&self) -> Result<impl Fn(&RunEvent) + Send + Sync + use<>, Refusal> {
        let tell = self.lock.teller().map_err(|error| {
            Refusal::new(Exit::Unavailable, format!("cannot use the lock of the state folder: {error}"))
                .help("check the limits on open files")
        })?;
        Ok(move |event: &RunEvent| {
            if matches!(event.body, Body::RunStarted { .. }) {
                tell(&event.run);
            }
        })
    }
}

/// A state folder and a store that are ours to work in.
pub(crate) struct Rooms {
    pub(crate) state: StateFolder,
    pub(crate) store: Arc<Folder>,
    /// Whether nothing of an engine that died is left in the state folder.
    pub(crate) is_clean: bool,
    pub(crate) locks: Locks,
}

impl Rooms {
    /// Takes the state folder, opens the store, and cleans up after an engine that died.
    ///
    /// # Errors
    /// When the state folder is held by another run, or it or the store cannot be written.
    pub(crate) fn take(state: &StateFolder, store: &Path, wait: bool, printer: &Printer) -> Result<Self, Refusal> {
        let lock = take_lock(state.root(), wait, printer)?;
        // Children carry the folder's name in their environment, so it must always be written in the same way.
        let state = StateFolder::at(state.root().canonicalize().unwrap_or_else(|_| state.root().to_owned()));
        let store = Arc::new(Folder::open(store)?);
        let locks = Locks { lock, _hold: share(&store, printer)? };
        let is_clean = pipe_engine::local::clear_away(&state, &store);
        Ok(Self { state, store, is_clean, locks })
    }
}

/// Works with a store beside others. What removes results is soon done.
pub(crate) fn share(store: &Folder, printer: &Printer) -> Result<Hold, Refusal> {
    if let Some(hold) = Hold::shared(store, false)? {
        return Ok(hold);
    }
    printer.line(&format!("waiting for `pipe cache gc`, which is using {}", store.root().display()));
    Ok(Hold::shared(store, true)?.expect("who waits is let in"))
}

/// A state folder and its store while nothing runs in either: what removes things holds both.
pub(crate) struct Alone {
    pub(crate) state: StateFolder,
    pub(crate) store: Folder,
    _locks: Locks,
}

impl Alone {
    /// Takes both, and cleans up after an engine that died.
    ///
    /// # Errors
    /// When somebody uses either, or one cannot be written.
    pub(crate) fn open(project: &Project) -> Result<Self, Refusal> {
        let lock = alone_with(&project.state)?;
        let store = Folder::open(&project.plan.store)?;
        let Some(hold) = Hold::alone(&store)? else {
            return Err(busy(&format!("a run with another state folder is using {}", store.root().display())));
        };
        let state = StateFolder::at(project.state.root().canonicalize().unwrap_or(project.state.root().to_owned()));
        pipe_engine::local::clear_away(&state, &store);
        Ok(Self { state, store, _locks: Locks { lock, _hold: hold } })
    }
}

/// Takes a state folder for what removes things.
///
/// # Errors
/// When a run has it.
pub(crate) fn alone_with(state: &StateFolder) -> Result<Lock, Refusal> {
    Lock::take(state.root(), false).map_err(|error| match error {
        LockError::Held { .. } => busy(&error.to_string()),
        LockError::Network { .. } | LockError::Io { .. } => error.into(),
    })
}

fn busy(who: &str) -> Refusal {
    Refusal::new(Exit::Unavailable, format!("{who}: nothing is removed while anything runs"))
        .help("try again when it has ended, or see what would go with `--dry-run`")
}

fn take_lock(root: &Path, wait: bool, printer: &Printer) -> Result<Lock, LockError> {
    match Lock::take(root, false) {
        Err(LockError::Held { holder, .. }) if wait => {
            printer.line(&format!("waiting for {holder} to end: it uses {}", root.display()));
            if let Some(help) = exit::let_go_on(&holder) {
                printer.line(&help);
            }
            Lock::take(root, true)
        }
        taken => taken,
    }
}
