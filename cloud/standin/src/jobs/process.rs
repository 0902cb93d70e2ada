//! A container -> a process of this machine: its program, its environment and nothing else of ours, and the signals that end it.

use super::state::Jobs;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value as Json;
use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::sync::watch;

/// What a process of ours must have to find its programs.
const PATH: &str = "PATH";

/// What is to run.
pub(super) struct Process {
    words: Vec<String>,
    variables: Vec<(String, String)>,
    folder: Option<String>,
    grace: Duration,
}

/// How it ended.
pub(super) enum End {
    Succeeded,
    Failed(String),
    Cancelled,
}

impl Process {
    /// What a container of a job runs, or why it cannot.
    pub(super) fn of(jobs: &Jobs, job: &str, container: &Json, ours: &[(&str, String)]) -> Result<Self, String> {
        let image = container["image"].as_str().unwrap_or_default();
        let mut words = texts(&container["command"]);
        let grace = {
            let state = jobs.state();
            if words.is_empty() {
                words = state.entry_point(image).ok_or_else(|| format!("Image '{image}' not found."))?;
            }
            state.grace_of_processes()
        };
        words.extend(texts(&container["args"]));
        let mut variables = vec![(PATH.to_owned(), std::env::var(PATH).unwrap_or_default())];
        for one in container["env"].as_array().into_iter().flatten() {
            let name = one["name"].as_str().unwrap_or_default().to_owned();
            variables.push((name, value(jobs, job, one)?));
        }
        variables.extend(ours.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let folder = container["workingDir"].as_str().map(str::to_owned);
        Ok(Self { words, variables, folder, grace })
    }

    /// Runs it, until it ends, its time is over, or it is told to stop.
    pub(super) async fn run(self, log: &Path, timeout: Duration, mut stop: watch::Receiver<bool>) -> End {
        let mut child = match self.begin(log) {
            Ok(child) => child,
            Err(error) => return End::Failed(format!("the container did not start: {error}")),
        };
        let ended = tokio::select! {
            ended = child.wait() => Ok(ended),
            () = tokio::time::sleep(timeout) => Err(End::Failed(format!("it took longer than {timeout:?}"))),
            _ = stop.wait_for(|stopped| *stopped) => Err(End::Cancelled),
        };
        match ended {
            Ok(Ok(status)) if status.success() => End::Succeeded,
            Ok(Ok(status)) => End::Failed(in_words(status)),
            Ok(Err(error)) => End::Failed(error.to_string()),
            Err(end) => {
                self.end(&mut child).await;
                end
            }
        }
    }

    fn begin(&self, log: &Path) -> io::Result<Child> {
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        let (program, arguments) = self.words.split_first().ok_or(io::ErrorKind::NotFound)?;
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(self.variables.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        command.process_group(0).kill_on_drop(true).spawn()
    }

    /// The first signal, and after a while the last.
    async fn end(&self, child: &mut Child) {
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let send = |signal| group.map(|group| kill_process_group(group, signal));
        let _ = send(Signal::TERM);
        if tokio::time::timeout(self.grace, child.wait()).await.is_err() {
            let _ = send(Signal::KILL);
            let _ = child.wait().await;
        }
    }
}

fn texts(list: &Json) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect()
}

/// What a variable is set to: a text, or a secret.
fn value(jobs: &Jobs, job: &str, variable: &Json) -> Result<String, String> {
    let secret = &variable["valueSource"]["secretKeyRef"];
    let Some(name) = secret["secret"].as_str() else {
        return Ok(variable["value"].as_str().unwrap_or_default().to_owned());
    };
    // A secret without a project is one of the job's own.
    let project = job.split('/').nth(1).unwrap_or_default();
    let name = if name.contains('/') { name.to_owned() } else { format!("projects/{project}/secrets/{name}") };
    let version = secret["version"].as_str().filter(|version| !version.is_empty()).unwrap_or("latest");
    let bytes = jobs.secrets().value(&format!("{name}/versions/{version}"));
    let bytes = bytes.ok_or_else(|| format!("Secret {name}/versions/{version} was not found."))?;
    String::from_utf8(bytes).map_err(|_| format!("Secret {name} is no text."))
}

fn in_words(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("The container exited with an error, code {code}."),
        None => format!("The container was ended: {status}."),
    }
}
