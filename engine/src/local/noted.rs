//! The processes of attempts -> a file of the state folder, in which the next engine finds whom a dead one has left.
//!
//! Environments tell most of that, but a program may clean its own. So each attempt's first process is noted, whose group
//! others may be in, and of all others those that were seen without our marks. Nothing is flushed: no process outlives the
//! machine, and what one of its programs wrote the next one reads.

use super::stat::{self, Stat};
use crate::attempt::Attempt;
use crate::state::StateFolder;
use crate::worker::OUTCOME;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

const FILE: &str = "processes";
/// In how many looks a process may come to be without our marks: in the first it may be a copy of its parent that has not
/// become another program yet.
const LOOKS: u8 = 2;

/// The file that was written to last, open since each attempt writes a line.
static OPEN: Mutex<Option<(PathBuf, File)>> = Mutex::new(None);

/// The marks in the environments of an attempt's processes.
#[derive(Clone, Debug)]
pub(super) struct Marks {
    state: Vec<u8>,
    attempt: Vec<u8>,
}

impl Marks {
    /// `owner`: the state folder's name.
    pub(super) fn of(owner: &[u8], attempt: &Attempt) -> Self {
        Self { state: [b"PIPE_STATE=", owner].concat(), attempt: format!("PIPE_ATTEMPT={}", attempt.id).into_bytes() }
    }

    /// An attempt's name alone is not enough: engines that do the same work for two stores arrive at the same name.
    pub(super) fn are_of(&self, pid: i32) -> bool {
        stat::has_variables(pid, &[&self.state, &self.attempt])
    }
}

/// Notes the first process of an attempt, and between which two moments it was started.
pub(super) fn root(state: &StateFolder, attempt: &Attempt, pid: i32, began: &RangeInclusive<u64>) {
    write(state, &format!("root {pid} {} {} {}\n", began.start(), began.end(), attempt.id));
}

/// Forgets all: nobody of them lives.
pub(super) fn forget(state: &StateFolder) {
    *open() = None;
    let _ = fs::remove_file(state.root().join(FILE));
}

fn write(state: &StateFolder, line: &str) {
    let mut open = open();
    if open.as_ref().is_none_or(|(root, _)| root != state.root()) {
        let file = File::options().append(true).create(true).open(state.root().join(FILE));
        *open = file.ok().map(|file| (state.root().to_owned(), file));
        let me = Stat::of(std::process::id().cast_signed());
        if let (Some((_, file)), Some(me), Some(boot)) = (open.as_mut(), me, stat::boot()) {
            let _ = file.write_all(format!("engine {boot} {}\n", me.session).as_bytes());
        }
    }
    // Who is not noted is found by what its environment says.
    if let Some((_, file)) = open.as_mut() {
        let _ = file.write_all(line.as_bytes());
    }
}

fn open() -> MutexGuard<'static, Option<(PathBuf, File)>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks at those that an attempt started, and notes who does not have its marks.
pub(super) struct Strays {
    state: StateFolder,
    marks: Marks,
    /// How often each was looked at.
    looks: BTreeMap<(i32, u64), u8>,
}

impl Strays {
    pub(super) fn of(state: StateFolder, marks: Marks) -> Self {
        Self { state, marks, looks: BTreeMap::new() }
    }

    /// Takes one look, at those that are there with when each was started.
    pub(super) fn look(&mut self, members: &BTreeMap<i32, u64>) {
        self.looks.retain(|(pid, started), _| members.get(pid) == Some(started));
        for (pid, started) in members {
            let looks = self.looks.entry((*pid, *started)).or_default();
            if *looks >= LOOKS {
                continue;
            }
            *looks += 1;
            if !self.marks.are_of(*pid) {
                *looks = LOOKS;
                write(&self.state, &format!("stray {pid} {started}\n"));
            }
        }
    }
}

/// What engines of a folder have noted since the machine was started.
#[derive(Debug, Default)]
pub(super) struct Noted {
    roots: BTreeMap<i32, Root>,
    strays: BTreeMap<i32, u64>,
}

#[derive(Debug)]
struct Root {
    began: RangeInclusive<u64>,
    /// That of its engine.
    session: i32,
    /// Whether nobody saw its attempt end.
    was_left: bool,
}

impl Noted {
    pub(super) fn read(state: &StateFolder) -> Self {
        let (mut noted, mut session) = (Self::default(), None);
        let (text, boot) = (fs::read_to_string(state.root().join(FILE)).unwrap_or_default(), stat::boot());
        for line in text.lines() {
            match *line.split(' ').collect::<Vec<_>>() {
                ["engine", then, of] => session = of.parse().ok().filter(|_| boot.as_deref() == Some(then)),
                ["root", pid, from, to, attempt] => {
                    let numbers = (pid.parse(), from.parse(), to.parse());
                    if let ((Ok(pid), Ok(from), Ok(to)), Some(session)) = (numbers, session) {
                        let folder = state.root().join("attempts").join(attempt);
                        let was_left = folder.exists() && !folder.join(OUTCOME).exists();
                        noted.roots.insert(pid, Root { began: from..=to, session, was_left });
                    }
                }
                ["stray", pid, started] if session.is_some() => {
                    if let (Ok(pid), Ok(started)) = (pid.parse(), started.parse()) {
                        noted.strays.insert(pid, started);
                    }
                }
                // The last line of an engine that was killed while it wrote it.
                _ => {}
            }
        }
        noted
    }

    /// Whether a process is one of them, or in the group of an attempt that nobody saw end. A group goes by the number
    /// of its first process, which is given to nobody else while there is anybody in it.
    pub(super) fn knows(&self, pid: i32, stat: &Stat) -> bool {
        let is_root = || self.roots.get(&pid).is_some_and(|root| root.began.contains(&stat.started));
        self.strays.get(&pid) == Some(&stat.started) || is_root() || self.is_in_a_group(pid, stat)
    }

    fn is_in_a_group(&self, pid: i32, stat: &Stat) -> bool {
        let Some(root) = self.roots.get(&stat.group).filter(|root| root.was_left && pid != stat.group) else {
            return false;
        };
        // Another process that has the number by now leads a group of its own.
        let leader = Stat::of(stat.group);
        let is_its = leader.is_none_or(|leader| root.began.contains(&leader.started));
        is_its && stat.session == root.session && stat.started >= *root.began.start()
    }
}
