//! One child process and everything it starts: spawned in a group of its own, both pipes always read, ended gently
//! and then for good.

use super::adopted::{self, Known};
use super::ending::Tree;
use super::noted::{self, Marks, Strays};
use super::usage::{self, Meter};
use super::{Local, Prepared, gpus, prepare, searched, sweep};
use crate::attempt::Usage;
use crate::event::Body;
use crate::failure::{Class, Failure};
use crate::ids::scalar;
use crate::scheduler::Stop;
use crate::secret::{self, Redactor};
use crate::stage::Launch;
use crate::state::StateFolder;
use rustix::process::Pid;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::sync::{Notify, watch};

/// How many of the last lines are kept in memory for whoever asks why it failed, and how many bytes of them at most.
const KEPT: usize = 200;
const KEPT_BYTES: usize = 128 * 1024;
/// Longer lines are cut in the log, so that a program that writes no line ends cannot fill the memory.
const LONGEST_LINE: usize = 64 * 1024;
/// That a child says something is told no more often than this.
const WORDS_APART: Duration = Duration::from_millis(50);
/// What a program gets of our own environment: what it needs to find other programs and its own settings.
const INHERITED: [&str; 4] = ["PATH", "HOME", "USER", "TMPDIR"];
/// Language and time zone change what programs write, so they do not depend on who started the run. A stage's `env`,
/// which is in its key, can set others.
const FIXED: [(&str, &str); 3] = [("LANG", "C.UTF-8"), ("LC_ALL", "C.UTF-8"), ("TZ", "UTC")];

/// How a child ended and the last it said.
pub(super) struct End {
    pub(super) status: std::io::Result<ExitStatus>,
    pub(super) stopped: Option<Stop>,
    /// The last lines it wrote, oldest first.
    pub(super) last_lines: Vec<String>,
    /// Whether the kernel killed somebody for want of memory meanwhile.
    pub(super) oom_killed: bool,
    pub(super) usage: Option<Usage>,
}

/// Starts the child. It leads a process group, so that all it starts can be signalled at once.
pub(super) fn spawn(local: &Local, prepared: &Prepared) -> Result<Child, Failure> {
    let mut command = match &prepared.launch {
        Launch::Worker => worker(local, prepared),
        Launch::Program { argv, .. } => program(prepared, argv)?,
    };
    let attempt = &prepared.attempt;
    let owner = sweep::owner_name(&local.state).into_os_string().into_vec();
    command
        .envs(&prepared.env)
        .envs(prepared.secrets.iter().map(|(name, value)| (name, value.reveal())))
        .env("PIPE_ATTEMPT", &attempt.id.0)
        .env("PIPE_STATE", OsStr::from_bytes(&owner))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let known = Known { marks: Marks::of(&owner, attempt), folder: prepared.folder.clone() };
    let (child, began) = adopted::start(known, || command.spawn(), id_of).map_err(|e| cannot_start(&command, e))?;
    if let Some(id) = id_of(&child) {
        noted::root(&local.state, attempt, id, &began);
    }
    Ok(child)
}

fn id_of(child: &Child) -> Option<i32> {
    child.id().map(u32::cast_signed)
}

fn cannot_start(command: &Command, error: std::io::Error) -> Failure {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    // The machine may have room for another process in a moment.
    let busy = matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::OutOfMemory);
    let class = if busy { Class::Transient } else { Class::Failed };
    Failure::of(class, "cannot_start", "cannot start the program")
        .on(program)
        .source(error)
        .help("check that it is installed and on PATH, or name a project file in `files`")
}

/// A worker ends by itself when its input ends: that is how it notices that its engine died.
fn worker(local: &Local, prepared: &Prepared) -> Command {
    let mut command = Command::new(&local.worker);
    command.arg("worker").arg(&prepared.folder).stdin(Stdio::piped());
    let names: Vec<&str> = prepared.secrets.keys().map(String::as_str).collect();
    command.env(secret::NAMES, names.join(","));
    command
}

fn program(prepared: &Prepared, argv: &[String]) -> Result<Command, Failure> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err(Failure::failed("cannot_start", "the command is empty").help("give `argv` at least a program"));
    };
    let attempt = &prepared.attempt;
    let work = prepare::work_folder(attempt, &prepared.folder);
    // A path such as `tools/report.sh` means the project file that was placed in the attempt's folder.
    let placed = work.join(program);
    let path = prepared.env.get("PATH").map(OsString::from).or_else(|| std::env::var_os("PATH"));
    let is_placed = program.contains('/') && placed.exists();
    let found = if is_placed { Some(placed) } else { searched::on_path(program, path.as_deref(), &work) };
    let mut command = Command::new(found.as_deref().unwrap_or(Path::new(program)));
    if !is_placed {
        command.arg0(program);
    }
    command.args(arguments).current_dir(&work).stdin(Stdio::null()).env_clear();
    command.envs(INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?)))).envs(FIXED);
    command
        .env("PIPE_OUTPUT", attempt.store.join(&attempt.output))
        .env("PIPE_RUN", &attempt.run.0)
        .env("PIPE_TASK", attempt.task.to_string())
        .env("PIPE_CPU", attempt.cpu.to_string())
        .envs(&prepared.variables);
    for (key, value) in attempt.task.cell.iter() {
        command.env(format!("PIPE_CELL_{}", key.to_ascii_uppercase()), scalar(value));
    }
    Ok(command)
}

/// Reads both pipes and waits for the child; ends it when told to.
pub(super) async fn supervise(
    local: &Local,
    mut child: Child,
    prepared: &Prepared,
    mut stop: watch::Receiver<Option<Stop>>,
    say: &(impl Fn(Body) + Send + Sync),
    hear: &Option<impl Fn() + Send + Sync>,
) -> End {
    let log = Log::of(prepared);
    let speaks = prepared.launch == Launch::Worker;
    // Each pipe has one of its own: what stands half in one and half in the other is in neither.
    let redactor = Redactor::of(&prepared.secrets);
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let talk = |line: &[u8]| match serde_json::from_slice::<Body>(line) {
        Ok(body) if speaks => say(body),
        _ => log.line(line, say),
    };
    let complain = |line: &[u8]| log.line(line, say);
    let word = Notify::new();
    let reading = async {
        let kept = || {
            log.keep();
            word.notify_one();
        };
        tokio::join!(lines(stdout, redactor.clone(), &talk, &kept), lines(stderr, redactor.clone(), &complain, &kept))
    };
    let root = id_of(&child).and_then(Pid::from_raw);
    let input = child.stdin.take();
    tokio::pin!(reading);
    let tree = root.map(|root| Tree::of(root, local.grace));
    let mut meter = root.map(|root| Watch::of(root, local, prepared));
    let waiting = wait(&mut child, tree, stop.clone());
    tokio::pin!(waiting);
    let next_look = tokio::time::sleep(usage::FIRST);
    tokio::pin!(next_look);
    let next_word = tokio::time::sleep(Duration::ZERO);
    tokio::pin!(next_word);
    let mut read_all = false;
    let (status, stopped, tree) = loop {
        tokio::select! {
            ended = &mut waiting => break ended,
            _ = &mut reading, if !read_all => read_all = true,
            () = async { next_word.as_mut().await; word.notified().await }, if hear.is_some() => {
                hear.iter().for_each(|hear| hear());
                next_word.set(tokio::time::sleep(WORDS_APART));
            }
            () = &mut next_look => {
                meter = look(meter).await;
                next_look.set(tokio::time::sleep(usage::EVERY));
            }
        }
    };
    drop(input);
    if let Some(tree) = tree {
        tree.end_the_rest(&mut stop).await;
    }
    // A pipe that somebody who got away still holds is read no longer.
    if !read_all {
        let _ = tokio::time::timeout(Duration::from_secs(1), &mut reading).await;
    }
    let oom_killed = prepared.oom_kills.is_some_and(|before| local.oom_kills.count() > Some(before));
    End { status, stopped, oom_killed, last_lines: log.last(), usage: meter.and_then(|watch| watch.meter.usage()) }
}

/// Who looks at an attempt's processes while they run.
struct Watch {
    root: i32,
    meter: Meter,
    /// From the first look on: a short attempt has none.
    strays: Option<Strays>,
    state: StateFolder,
}

impl Watch {
    fn of(root: Pid, local: &Local, prepared: &Prepared) -> Self {
        let root = root.as_raw_nonzero().get();
        let meter = Meter::of(root, prepared.env.contains_key(gpus::VARIABLE));
        Self { root, meter, strays: None, state: local.state.clone() }
    }

    fn look(&mut self) {
        self.meter.look();
        adopted::saw(self.root, self.meter.members());
        if self.strays.is_none() {
            self.strays = adopted::marks_of(self.root).map(|marks| Strays::of(self.state.clone(), marks));
        }
        // Those that were left behind before anybody saw them: whosever they are, the next engine shall find them.
        let mut all = adopted::living();
        all.extend(self.meter.members());
        self.strays.iter_mut().for_each(|strays| strays.look(&all));
    }
}

/// Looks at a child and all it started. A tree of a thousand processes takes a while to walk.
async fn look(watch: Option<Watch>) -> Option<Watch> {
    let mut watch = watch?;
    let looked = tokio::task::spawn_blocking(move || {
        watch.look();
        watch
    });
    looked.await.ok()
}

/// Waits for the child. Once told to stop it asks all that it started to end, waits for the grace period and kills them.
async fn wait(
    child: &mut Child,
    tree: Option<Tree>,
    mut stop: watch::Receiver<Option<Stop>>,
) -> (std::io::Result<ExitStatus>, Option<Stop>, Option<Tree>) {
    let told = async |stop: &mut watch::Receiver<Option<Stop>>, at_least: Stop| {
        let wanted = stop.wait_for(|s| s.is_some_and(|s| s >= at_least)).await.map(|s| *s);
        // A sender that is gone tells nothing any more.
        if let Ok(how) = wanted { how } else { std::future::pending().await }
    };
    let how = tokio::select! {
        status = child.wait() => return (status, None, tree),
        how = told(&mut stop, Stop::Gently) => how,
    };
    // A child that has no number any more was waited for.
    let Some(mut tree) = tree else { return (child.wait().await, how, None) };
    if how == Some(Stop::Gently) {
        tree.ask().await;
        tokio::select! {
            status = child.wait() => return (status, how, Some(tree)),
            () = tree.lose_patience() => {}
            _ = told(&mut stop, Stop::Now) => {}
        }
    }
    tree.kill().await;
    (child.wait().await, how, Some(tree))
}

/// Feeds each line, without its end and without secrets, to `take`, and calls `kept` after each reading. Bytes need not
/// be text.
async fn lines(
    pipe: Option<impl AsyncRead + Unpin>,
    mut redactor: Redactor,
    take: &(dyn Fn(&[u8]) + Sync),
    kept: &(dyn Fn() + Sync),
) {
    let Some(mut pipe) = pipe else { return };
    let (mut buffer, mut line) = (vec![0; 16 * 1024], Vec::new());
    while let Ok(n @ 1..) = pipe.read(&mut buffer).await {
        for part in redactor.feed(&buffer[..n]).split_inclusive(|b| *b == b'\n') {
            line.extend_from_slice(part);
            if line.ends_with(b"\n") || line.len() >= LONGEST_LINE {
                take(without_end(&line));
                line.clear();
            }
        }
        kept();
    }
    line.extend(redactor.finish());
    if !line.is_empty() {
        take(without_end(&line));
        kept();
    }
}

fn without_end(line: &[u8]) -> &[u8] {
    let Some(line) = line.strip_suffix(b"\n") else { return line };
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The attempt's log: every line in a file, the last few in memory for the error message. There is none of a program that
/// says nothing: most small ones do not, and to make a file costs as much as much else that is done for one.
struct Log {
    path: PathBuf,
    file: Mutex<Option<BufWriter<File>>>,
    last: Mutex<Tail>,
}

/// The last lines, as many as there is room for.
#[derive(Default)]
struct Tail {
    lines: VecDeque<String>,
    bytes: usize,
}

impl Tail {
    fn push(&mut self, line: String) {
        self.bytes += line.len();
        self.lines.push_back(line);
        while self.lines.len() > KEPT || (self.bytes > KEPT_BYTES && self.lines.len() > 1) {
            self.bytes -= self.lines.pop_front().map_or(0, |line| line.len());
        }
    }
}

impl Log {
    fn of(prepared: &Prepared) -> Self {
        Self { path: prepared.folder.join("log"), file: Mutex::default(), last: Mutex::default() }
    }

    fn line(&self, line: &[u8], say: &(impl Fn(Body) + Send + Sync)) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if file.is_none() {
            *file = File::create(&self.path).ok().map(BufWriter::new);
        }
        if let Some(file) = file.as_mut() {
            // A log that cannot be written (a full disk) must not end the work it speaks of.
            let _ = file.write_all(line).and_then(|()| file.write_all(b"\n"));
        }
        drop(file);
        let text = String::from_utf8_lossy(line).into_owned();
        self.last.lock().unwrap_or_else(PoisonError::into_inner).push(text.clone());
        say(Body::Log { line: text });
    }

    /// Writes out what was read in one go: a system call a line would slow a talkative program down.
    fn keep(&self) {
        if let Some(file) = self.file.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            let _ = file.flush();
        }
    }

    fn last(&self) -> Vec<String> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).lines.iter().cloned().collect()
    }
}
