//! The backend that is this machine: an attempt becomes a supervised child process with a folder of its own.
//! Built-in stages run as `pipe worker`; a program of the author's is spawned directly.

mod adopted;
mod cause;
mod checkpoints;
mod collect;
mod ending;
mod facts;
mod gpus;
mod network;
mod noted;
mod prepare;
mod process;
mod searched;
mod sockets;
mod stat;
mod sweep;
mod usage;

pub use adopted::start_apart;
pub use cause::OomKills;
pub(crate) use checkpoints::forget as forget_checkpoints;
pub use collect::taken_in;
pub use facts::of as facts_in;
pub(crate) use gpus::VARIABLE as GPUS;
pub(crate) use prepare::prepare_as;
pub use prepare::{Prepared, prepare};
pub use sweep::{begin_work, clear_away, left_clean, sweep_output};

use crate::attempt::Outcome;
use crate::doing;
use crate::event::Body;
use crate::failpoint::reach;
use crate::failure::Failure;
use crate::scheduler::Stop;
use crate::state::StateFolder;
use crate::store::Folder;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Removes what an attempt needed while it ran; its description, outcome and log stay.
fn clear(folder: &Path) {
    // There after a worker that died, and nearly never else.
    let _ = std::fs::remove_file(folder.join(doing::FILE));
    for folder in ["work", "inputs"].map(|name| folder.join(name)) {
        // Nearly always the one is empty and the other is not there.
        match std::fs::remove_dir(&folder) {
            Err(e) if e.kind() != ErrorKind::NotFound => drop(std::fs::remove_dir_all(&folder)),
            _ => {}
        }
    }
}

/// What every attempt on this machine shares.
#[derive(Clone)]
pub struct Local {
    /// The store the attempts write to.
    pub store: Arc<Folder>,
    /// Where their descriptions and logs go.
    pub state: StateFolder,
    /// The binary that is started as the worker.
    pub worker: PathBuf,
    /// Who counts what the kernel kills for want of memory.
    pub oom_kills: OomKills,
    /// How long a child may take to end after it was asked to.
    pub grace: Duration,
}

impl Local {
    /// Starts a prepared attempt.
    ///
    /// # Errors
    /// When its program cannot be started.
    pub fn start(&self, prepared: &Prepared) -> Result<tokio::process::Child, Failure> {
        process::spawn(self, prepared)
    }

    /// Follows a started attempt to its end. `stop` asks for that end; `say` carries passing events out; `hear` is told
    /// now and then that it says something, be it a part of a line.
    pub async fn follow(
        &self,
        child: tokio::process::Child,
        prepared: Prepared,
        stop: watch::Receiver<Option<Stop>>,
        say: impl Fn(Body) + Send + Sync,
        hear: Option<impl Fn() + Send + Sync>,
    ) -> Outcome {
        let end = process::supervise(self, child, &prepared, stop, &say, &hear).await;
        reach("attempt.ended");
        let store = self.store.clone();
        let gathered = tokio::task::spawn_blocking(move || collect::outcome(&store, &prepared, end)).await;
        gathered.expect("collecting an outcome does not panic")
    }
}
