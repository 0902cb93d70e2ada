//! The runs that go on: children of ours, and those that an earlier process left.

use crate::process::Process;
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::future;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::Duration;
use std::{io, mem};
use tokio::process::Child;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

/// How often a run that is no child of ours is looked at.
const POLL: Duration = Duration::from_millis(500);

/// A run that has ended.
pub(super) struct Ended {
    pub(super) spec: PathBuf,
    /// How; unknown of a run that was no child of ours.
    pub(super) status: Option<ExitStatus>,
}

/// One run at most for each spec.
#[derive(Default)]
pub(super) struct Runs {
    tasks: JoinSet<Ended>,
    asks: BTreeMap<PathBuf, UnboundedSender<()>>,
}

impl Runs {
    /// Starts a program, in a group of its own: Ctrl-C in a terminal reaches only us, and we pass it on once.
    pub(super) fn start(&mut self, spec: PathBuf, command: Command) -> io::Result<Option<Process>> {
        let child = tokio::process::Command::from(command).process_group(0).spawn()?;
        let process = child.id().and_then(Process::of);
        let (ask, asked) = unbounded_channel();
        self.asks.insert(spec.clone(), ask);
        self.tasks.spawn(attend(spec, child, asked));
        Ok(process)
    }

    /// Watches a run that an earlier process started.
    pub(super) fn adopt(&mut self, spec: PathBuf, process: Process) {
        let (ask, asked) = unbounded_channel();
        self.asks.insert(spec.clone(), ask);
        self.tasks.spawn(attend_orphan(spec, process, asked));
    }

    /// Asks the run of a spec to end.
    pub(super) fn ask_to_end(&self, spec: &PathBuf) {
        if let Some(ask) = self.asks.get(spec) {
            // One that has just ended needs no asking.
            let _ = ask.send(());
        }
    }

    pub(super) fn ask_all_to_end(&self) {
        self.asks.keys().for_each(|spec| self.ask_to_end(spec));
    }

    pub(super) fn len(&self) -> usize {
        self.asks.len()
    }

    /// The next run that ends; waits for ever when there is none.
    pub(super) async fn next(&mut self) -> Ended {
        match self.tasks.join_next().await {
            Some(Ok(ended)) => {
                mem::drop(self.asks.remove(&ended.spec));
                ended
            }
            _ => future::pending().await,
        }
    }
}

async fn attend(spec: PathBuf, mut child: Child, mut asked: UnboundedReceiver<()>) -> Ended {
    loop {
        tokio::select! {
            status = child.wait() => return Ended { spec, status: status.ok() },
            Some(()) = asked.recv() => {
                // A child that has not been waited for keeps its number.
                if let Some(process) = child.id().and_then(Process::of) {
                    process.signal(Signal::TERM);
                }
            }
        }
    }
}

async fn attend_orphan(spec: PathBuf, process: Process, mut asked: UnboundedReceiver<()>) -> Ended {
    while process.lives() {
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            Some(()) = asked.recv() => process.signal(Signal::TERM),
        }
    }
    Ended { spec, status: None }
}
