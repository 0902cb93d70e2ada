//! What stopped a verb -> text on stderr and an exit code. The one place that does either.

use crate::printer::{Printer, Style};
use crate::shown::shown;
use pipe_clock::LedgerError;
use pipe_engine::failure::Failure;
use pipe_engine::state::{Holder, JournalError, LockError};
use pipe_engine::store::StoreError;
use std::fmt::Write;
use std::io;
use std::process::ExitCode;

/// How the process ends. `pipe --help` documents the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All done, or nothing to do.
    Done = 0,
    /// A task failed.
    TaskFailed = 1,
    /// The spec or the command line is wrong.
    Wrong = 2,
    /// A service, the store or the state folder cannot be had.
    Unavailable = 3,
    /// A limit stopped the run.
    Limit = 4,
    /// A bug of ours, or an engine that died under its worker.
    Bug = 70,
    /// Of a worker: its machine was about to be taken away, and its outcome says so.
    Preempted = 75,
    /// Of a worker: another job has the attempt.
    Duplicate = 76,
    /// Somebody asked us to stop.
    Interrupted = 130,
}

/// Why a verb could not do as asked.
#[derive(Debug)]
pub(crate) struct Refusal {
    exit: Exit,
    message: String,
    help: Option<String>,
    /// Text that comes first and says more, such as the problems of a spec.
    before: String,
}

impl Refusal {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), help: None, before: String::new() }
    }

    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says first what it is about: "`clips` runs on".
    #[must_use]
    pub(crate) fn of(mut self, what: &str) -> Self {
        self.message = format!("{what} {}", self.message);
        self
    }

    /// The same as something that was found out.
    pub(crate) fn failure(self, code: &str) -> Failure {
        let failure = Failure::failed(code, self.message);
        self.help.into_iter().fold(failure, Failure::help)
    }

    #[must_use]
    pub(crate) fn after(mut self, text: String) -> Self {
        self.before = text;
        self
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        let refusal = Self::new(Exit::Unavailable, failure.to_string());
        match failure.help {
            Some(help) => refusal.help(help),
            None => refusal,
        }
    }
}

impl From<LockError> for Refusal {
    fn from(error: LockError) -> Self {
        let help = match &error {
            LockError::Held { holder, .. } => let_go_on(holder).unwrap_or_else(|| {
                "wait for it with `--wait`, end it with `pipe cancel`, or use another state folder with `--state DIR`".into()
            }),
            LockError::Network { .. } => "keep it on a disk of this machine, with `--state DIR` or the variable PIPE_STATE; the store and \
                 the project may stay where they are"
                .to_owned(),
            LockError::Io { .. } => {
                "check that the folder can be written, or use another one with `--state DIR`".to_owned()
            }
        };
        Self::new(Exit::Unavailable, error.to_string()).help(help)
    }
}

/// What a person does about a run whose process is stopped. A stopped process holds all it had, and hears of nothing.
pub(crate) fn let_go_on(holder: &Holder) -> Option<String> {
    let process = holder.process().filter(|_| holder.is_stopped())?;
    Some(format!("it is stopped: `kill -CONT {process}` lets it go on, and `fg` in the terminal where it was stopped"))
}

impl From<JournalError> for Refusal {
    fn from(error: JournalError) -> Self {
        let help = match &error {
            JournalError::Full(_) => "make room on the disk, or use another one with `--state DIR`",
            JournalError::TooNew { .. } => {
                "results are in the store, and any version finds them: `--state DIR` names another folder"
            }
            JournalError::Damaged(_) => {
                "only the history of runs is in it; results are in the store. Move `journal.db`, `journal.db-wal` and \
                 `journal.db-shm` out of the state folder (`.pipe` beside the spec, or `--state DIR`) and run again"
            }
            JournalError::NoLog { .. } => {
                "its disk failed a write or a flush: look at it (`dmesg`, `df`), or use another one with `--state DIR`"
            }
            JournalError::Stopped { .. } => {
                "nothing more was written down or begun, and what ran was ended. Results are in the store: the next run \
                 finds them and does the rest. Where the folder is still there, look at its disk first (`dmesg`, `df`)"
            }
            _ => "check the state folder and its disk; results are in the store and are not lost",
        };
        Self::new(Exit::Unavailable, error.to_string()).help(help)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::new(Exit::Unavailable, error.to_string())
            .help("check `[store] root` in the spec, and the disk it lies on")
    }
}

impl From<LedgerError> for Refusal {
    fn from(error: LedgerError) -> Self {
        Self::new(Exit::Unavailable, error.to_string())
            .help("check the state folder and its disk; `--state DIR` names another")
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::new(Exit::Unavailable, format!("cannot write the output: {error}"))
    }
}

/// The end of the process: says what went wrong, if anything did.
pub(crate) fn code_of(ended: Result<Exit, Refusal>, printer: &Printer) -> ExitCode {
    let exit = ended.unwrap_or_else(|refusal| {
        let mut text = refusal.before;
        if !text.is_empty() && !text.ends_with("\n\n") {
            text.push('\n');
        }
        let _ = write!(text, "{} {}", printer.paint_err(Style::Error, "error:"), shown(&refusal.message));
        if let Some(help) = refusal.help {
            let _ = write!(text, "\n{} {}", printer.paint_err(Style::Help, "help:"), shown(&help));
        }
        printer.line(&text);
        refusal.exit
    });
    ExitCode::from(exit as u8)
}

/// From here on a panic says that it is our mistake and how to report it, and ends the process at once: a thread
/// that is gone would leave the others waiting for it. Whatever was going on is safe, as it is from a power cut.
pub(crate) fn report_panics_as_bugs() {
    let show_place = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        use io::Write;
        show_place(panic);
        let _ = writeln!(
            io::stderr(),
            "error: this is a bug in pipe {}\nhelp: please report the lines above with the command you typed; \
             RUST_BACKTRACE=1 shows more. Nothing that was finished is lost: run it again.",
            env!("CARGO_PKG_VERSION")
        );
        std::process::exit(Exit::Bug as i32);
    }));
}
