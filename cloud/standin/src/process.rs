//! A container -> a process of this machine: its program, its environment and nothing else of ours, and the signals that end it.

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value as Json;
use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::{Child, Command};

/// What a process of ours must have to find its programs.
const PATH: &str = "PATH";

/// What is to run.
pub(crate) struct Process {
    pub(crate) words: Vec<String>,
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) folder: Option<String>,
    /// How long it has between the first signal and the last.
    pub(crate) grace: Duration,
}

/// What runs.
pub(crate) struct Running {
    child: Child,
    grace: Duration,
}

/// How it ended.
pub(crate) enum End {
    Exited(ExitStatus),
    /// It was told to stop, and did or was killed.
    Stopped,
    /// The machine cannot tell.
    Lost(io::Error),
}

impl Process {
    /// Begins it. What it prints is added to a file.
    pub(crate) fn begin(self, log: &Path) -> io::Result<Running> {
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        let (program, arguments) = self.words.split_first().ok_or(io::ErrorKind::NotFound)?;
        let mut command = Command::new(program);
        command.args(arguments).env_clear().env(PATH, std::env::var(PATH).unwrap_or_default());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.process_group(0).kill_on_drop(true).spawn()?;
        Ok(Running { child, grace: self.grace })
    }
}

impl Running {
    /// Waits until it ends, or ends it when `stop` is ready.
    pub(crate) async fn end(mut self, stop: impl Future<Output = ()>) -> End {
        tokio::select! {
            ended = self.child.wait() => return ended.map_or_else(End::Lost, End::Exited),
            () = stop => {}
        }
        self.signal().await;
        End::Stopped
    }

    /// The first signal, and after a while the last.
    async fn signal(&mut self) {
        let group = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let send = |signal| group.map(|group| kill_process_group(group, signal));
        let _ = send(Signal::TERM);
        if tokio::time::timeout(self.grace, self.child.wait()).await.is_err() {
            let _ = send(Signal::KILL);
            let _ = self.child.wait().await;
        }
    }
}

pub(crate) fn texts(list: &Json) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect()
}
