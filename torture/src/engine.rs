//! `pipe run --json` as a process: started, heard, killed, waited for.

use crate::project::{Project, noted};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A run that takes longer than this needs a person.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);
/// Tasks side by side: they sleep more than they work.
const AT_ONCE: &str = "8";
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A process by its number and the moment it was started: a number alone may go to another.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Process {
    pub(crate) id: i32,
    started: String,
}

/// A line of `--json`.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) kind: String,
    pub(crate) task: Option<String>,
}

/// How a run ended.
pub(crate) struct Ended {
    pub(crate) status: Option<ExitStatus>,
    pub(crate) stderr: String,
    /// Processes of tasks that lived when it ended.
    pub(crate) children: Vec<Process>,
    /// How long the tasks' notes were when it ended.
    pub(crate) noted: usize,
    pub(crate) events: Vec<Event>,
    /// Processes of the engine before, that still lived when this one said its first word.
    pub(crate) survivors: Vec<Process>,
}

impl Ended {
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.and_then(|status| status.code())
    }

    pub(crate) fn was_killed(&self) -> bool {
        self.status.is_some_and(|status| status.signal() == Some(9))
    }

    /// Its exit in words, with what it said.
    pub(crate) fn told(&self) -> String {
        let status = self.status.map_or_else(|| "did not end".to_owned(), |status| status.to_string());
        format!("pipe run: {status}: {}", self.stderr.trim())
    }
}

/// A run that goes on.
pub(crate) struct Engine {
    child: Child,
    heard: Arc<Mutex<Vec<Event>>>,
    out: JoinHandle<Vec<Process>>,
    err: JoinHandle<String>,
    notes: PathBuf,
    state: PathBuf,
}

impl Engine {
    /// Starts `pipe run spec.toml --json` in the project. `before`: what the engine before has left running.
    pub(crate) fn start(pipe: &Path, project: &Project, with: &[(&str, String)], before: Vec<Process>) -> Self {
        let mut command = Command::new(pipe);
        command.args(["run", "spec.toml", "--json", "--cpu", AT_ONCE]).current_dir(&project.folder);
        for variable in ["PIPE_STATE", "PIPE_ATTEMPT", "PIPE_LOG"] {
            command.env_remove(variable);
        }
        command.envs(with.iter().map(|(name, value)| (*name, value))).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("pipe can be started");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (out, mut err) = (child.stdout.take().expect("it is piped"), child.stderr.take().expect("it is piped"));
        let hears = heard.clone();
        let out = std::thread::spawn(move || {
            let mut survivors = Vec::new();
            for (n, line) in BufReader::new(out).lines().map_while(Result::ok).enumerate() {
                if n == 0 {
                    survivors = before.iter().filter(|process| process.lives()).cloned().collect();
                }
                hears.lock().unwrap_or_else(PoisonError::into_inner).extend(event(&line));
            }
            survivors
        });
        let err = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = err.read_to_string(&mut text);
            text
        });
        Self { child, heard, out, err, notes: project.notes.clone(), state: project.state() }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What was heard until now.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it has said this, or has ended. Returns whether it has said it.
    pub(crate) fn says(&mut self, kind: &str) -> bool {
        let until = Instant::now() + PATIENCE;
        loop {
            let is_over = Instant::now() >= until || !matches!(self.child.try_wait(), Ok(None));
            if self.events().iter().any(|event| event.kind == kind) {
                return true;
            }
            if is_over {
                return false;
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Kills it after a while, unless it has ended by then.
    pub(crate) fn kill_after(mut self, rest: Duration) -> Ended {
        let until = Instant::now() + rest;
        while Instant::now() < until && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(LOOK_EVERY.min(until.saturating_duration_since(Instant::now())));
        }
        self.kill()
    }

    /// Kills it now.
    pub(crate) fn kill(mut self) -> Ended {
        let _ = self.child.kill();
        let status = self.child.wait().ok();
        self.ended(status)
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Ended {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Ok(Some(status)) = self.child.try_wait() {
                return self.ended(Some(status));
            }
            std::thread::sleep(LOOK_EVERY);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.ended(None)
    }

    fn ended(self, status: Option<ExitStatus>) -> Ended {
        let (noted, children) = (noted(&self.notes), children_of(&self.state));
        let survivors = self.out.join().unwrap_or_default();
        let stderr = self.err.join().unwrap_or_default();
        let events = std::mem::take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner));
        Ended { status, stderr, children, noted, events, survivors }
    }
}

fn event(line: &str) -> Option<Event> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    let task = line["task"].as_str().map(str::to_owned);
    Some(Event { kind: line["type"].as_str()?.to_owned(), task })
}

impl Process {
    pub(crate) fn lives(&self) -> bool {
        started(&Path::new("/proc").join(self.id.to_string())).as_ref() == Some(&self.started)
    }

    pub(crate) fn kill(&self) {
        if let Some(id) = rustix::process::Pid::from_raw(self.id) {
            let _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
        }
    }
}

/// `PF_EXITING` of the kernel's flags: a process on its way out, which does nothing more of its own.
const EXITING: u64 = 4;

/// When a process was started; `None` when it is gone or going, or dead and not yet asked for.
fn started(process: &Path) -> Option<String> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let is_exiting = fields.get(6)?.parse::<u64>().ok()? & EXITING != 0;
    (!is_exiting && !matches!(*fields.first()?, "Z" | "X")).then(|| fields.get(19).map(|&s| s.to_owned()))?
}

/// The processes that engines of this state folder have started.
pub(crate) fn children_of(state: &Path) -> Vec<Process> {
    let mut owner = b"PIPE_STATE=".to_vec();
    owner.extend_from_slice(state.as_os_str().as_bytes());
    let process = |path: PathBuf| {
        let id = path.file_name()?.to_str()?.parse().ok()?;
        let environment = fs::read(path.join("environ")).ok()?;
        let is_ours = environment.split(|b| *b == 0).any(|variable| variable == owner);
        Some(Process { id, started: started(&path).filter(|_| is_ours)? })
    };
    crate::project::entries(Path::new("/proc")).into_iter().filter_map(process).collect()
}
