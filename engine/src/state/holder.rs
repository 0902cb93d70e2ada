//! What a lock's file says -> the process that holds it: whether it is still that one, whether it is stopped, and a way
//! to ask it to end.
//!
//! A process is known by its number, the moment it started and the boot of the machine it started in. Numbers are
//! given away again; the three together are not.

use crate::ids::RunId;
use crate::world::Timestamp;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Fields of `/proc/N/stat`, counted from the one behind the program's name.
const STATE: usize = 0;
const STARTED: usize = 19;

/// What stands for a run where none has begun yet.
const NONE: &str = "-";

/// A process that holds a lock, or did when it wrote so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// Its number; absent when the file does not say, as in the moment before its holder has written it.
    process: Option<u32>,
    /// When it started, in the kernel's ticks since the boot. Older versions do not say.
    started: Option<u64>,
    /// The boot it started in.
    boot: Option<String>,
    /// The run that it has begun, [`NONE`] until then. Older versions do not say.
    run: Option<String>,
    /// When it took the lock.
    since: Timestamp,
    /// The lock's file, without links.
    file: PathBuf,
}

impl fmt::Display for Holder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.process {
            Some(process) if self.is_stopped() => write!(out, "process {process}, which is stopped"),
            Some(process) => write!(out, "process {process}"),
            None => write!(out, "a process that has not said its number"),
        }
    }
}

impl Holder {
    /// This process.
    pub(super) fn me() -> Self {
        let process = std::process::id();
        let run = Some(NONE.to_owned());
        Self { process: Some(process), started: started(process), boot: boot(), run, ..Self::default() }
    }

    /// What is added to the lock's file when a run begins: the last such line holds.
    pub(super) fn begins(run: &RunId) -> String {
        format!("run {run}\n")
    }

    /// What stands in the lock's file for it.
    pub(super) fn written(&self) -> String {
        let line = |name: &str, value: Option<String>| value.map(|value| format!("{name} {value}\n"));
        let lines = [
            line("process", self.process.map(|process| process.to_string())),
            line("started", self.started.map(|started| started.to_string())),
            line("boot", self.boot.clone()),
            line("run", self.run.clone()),
        ];
        lines.into_iter().flatten().collect()
    }

    /// What a lock's file says, whether or not it still holds.
    pub(super) fn read(said: &str) -> Self {
        let value = |name: &str| said.lines().rev().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Self {
            process: value("process").and_then(|text| text.trim().parse().ok()),
            started: value("started").and_then(|text| text.trim().parse().ok()),
            boot: value("boot").map(|text| text.trim().to_owned()),
            run: value("run").map(|text| text.trim().to_owned()),
            ..Self::default()
        }
    }

    /// Who holds a lock's file now.
    pub(super) fn of(file: &Path) -> Option<Self> {
        let file = file.canonicalize().ok()?;
        let written = fs::metadata(&file).and_then(|meta| meta.modified()).ok()?;
        let since = written.duration_since(UNIX_EPOCH).unwrap_or_default();
        let since = Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
        let holder = Self { since, file: file.clone(), ..Self::read(&fs::read_to_string(&file).ok()?) };
        holder.holds().then_some(holder)
    }

    /// Its number.
    pub fn process(&self) -> Option<u32> {
        self.process
    }

    /// Whether a run that began at this moment is its own. It says so itself, since the clock may have been set between the
    /// lock and the run; of one of an older version no run is its own that began before it took the lock.
    pub fn runs(&self, run: Option<&RunId>, started: Timestamp) -> bool {
        match &self.run {
            Some(its) => run.is_some_and(|run| run.0 == *its),
            None => started >= self.since,
        }
    }

    /// Whether it is the same process still, and holds the lock.
    pub fn holds(&self) -> bool {
        let Some(process) = self.process.filter(|_| self.is_the_same()) else { return false };
        let folder = Path::new("/proc").join(process.to_string());
        match fs::read_dir(folder.join("fd")) {
            Ok(files) => files.flatten().any(|file| fs::read_link(file.path()).is_ok_and(|path| path == self.file)),
            // Another user's process does not tell its files; that it lives must do.
            Err(_) => folder.exists(),
        }
    }

    /// Whether it was stopped, as by Ctrl-Z: it then hears of nothing until it is let go on.
    pub fn is_stopped(&self) -> bool {
        let state = self.process.filter(|_| self.is_the_same()).and_then(|process| field(process, STATE));
        matches!(state.as_deref(), Some("T" | "t"))
    }

    /// Whether the process that has its number now is the one that wrote it.
    fn is_the_same(&self) -> bool {
        let now = self.process.and_then(started);
        self.started.is_none_or(|then| now == Some(then))
            && self.boot.as_ref().is_none_or(|then| boot().as_ref() == Some(then))
    }

    /// Sends it SIGTERM, which asks it to end. Never any other process; says whether it was there to be asked.
    ///
    /// # Errors
    /// When the system does not let us.
    pub fn ask_to_end(&self) -> io::Result<bool> {
        let number = self.process.and_then(|process| i32::try_from(process).ok()).and_then(Pid::from_raw);
        let Some(number) = number else { return Ok(false) };
        let process = match pidfd_open(number, PidfdFlags::empty()) {
            Ok(process) => process,
            Err(Errno::SRCH) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        // What was opened cannot become another process any more, so this is the moment to look at it.
        if !self.holds() {
            return Ok(false);
        }
        match pidfd_send_signal(&process, Signal::TERM) {
            Ok(()) => Ok(true),
            Err(Errno::SRCH) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

fn started(process: u32) -> Option<u64> {
    field(process, STARTED)?.parse().ok()
}

/// The name of a program may hold blanks and brackets, so fields are counted behind the last bracket.
fn field(process: u32, place: usize) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(place).map(str::to_owned)
}

fn boot() -> Option<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// A process that has the lock's file open, and what it would have written there.
    fn holding(file: &Path) -> (std::process::Child, Holder) {
        let stdin = fs::File::create(file).unwrap();
        let child = Command::new("sleep").arg("300").stdin(stdin).spawn().unwrap();
        let process = child.id();
        let holder = Holder { process: Some(process), started: started(process), boot: boot(), ..Holder::default() };
        fs::write(file, holder.written()).unwrap();
        (child, Holder::of(file).unwrap())
    }

    #[test]
    fn the_process_that_holds_it_is_asked_to_end() {
        let folder = tempfile::tempdir().unwrap();
        let (mut child, holder) = holding(&folder.path().join("lock"));
        assert!(holder.ask_to_end().unwrap());
        assert!(!child.wait().unwrap().success());
        assert!(!holder.ask_to_end().unwrap(), "it is gone");
    }

    #[test]
    fn a_process_that_was_given_the_number_of_another_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("lock");
        let (mut child, holder) = holding(&file);
        let earlier = Holder { started: Some(1), ..holder.clone() };
        let of_another_boot = Holder { boot: Some("another".to_owned()), ..holder.clone() };
        let of_another_file = Holder { file: folder.path().join("other"), ..holder };
        for other in [earlier, of_another_boot, of_another_file] {
            assert!(!other.holds() && !other.ask_to_end().unwrap(), "{other:?}");
        }
        assert!(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn what_older_versions_wrote_is_understood() {
        let holder = Holder::read("process 12\n");
        assert_eq!((holder.process, holder.started, &holder.boot), (Some(12), None, &None));
        assert_eq!(Holder::read(&Holder::me().written()), Holder::me());
        assert_eq!(Holder::read("").to_string(), "a process that has not said its number");
    }
}
