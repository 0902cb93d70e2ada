//! The `git` program, and what is asked of it. Knows nothing of specs, plans or runs.
//!
//! It is the program and not a library: it answers in a few milliseconds, on its own, while a spec is being read; it
//! obeys what its user has set, such as which repositories of other users are safe; and a machine without it only
//! records less.

mod snapshot;
mod standing;
mod tree;

pub(crate) use snapshot::Snapshot;
pub(crate) use standing::Asked;

use std::path::Path;
use std::process::{Command, Stdio};

/// What leads git to another repository than the one a folder lies in: a hook that calls us has these set.
const LEADS_AWAY: [&str; 8] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
];

/// `git` in a folder: it asks nobody anything, locks nothing, and starts no program that the repository names.
fn git(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    for variable in LEADS_AWAY {
        command.env_remove(variable);
    }
    command.env("GIT_OPTIONAL_LOCKS", "0").env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
    command.arg("-C").arg(folder).args(["--no-pager", "-c", "core.fsmonitor=false"]).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The parts of an output that NUL ends.
fn parts(output: &[u8]) -> impl Iterator<Item = String> {
    output
        .split(|byte| *byte == 0)
        .filter(|part| !part.is_empty())
        .map(|part| String::from_utf8_lossy(part).into_owned())
}
