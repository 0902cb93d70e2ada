//! This process's children -> those among them that an attempt left behind, and whose each of them is.
//!
//! To look for them among all processes of the machine costs more than a small task does. So this process adopts them: the
//! kernel gives it whoever loses a parent below it, whatever process group or session that one went into. Whoever lives
//! of an attempt whose first process has ended is thus one of our children, or below one.

use super::noted::Marks;
use super::stat::{Stat, everybody, ticks_now};
use rustix::process::{Pid, WaitOptions, getpgid, getpgrp, set_child_subreaper, waitpid};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::ops::RangeInclusive;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

/// Children belong to the process, so this is one table for all of its runs.
static TABLE: Mutex<Table> = Mutex::new(Table::new());
/// Whether the kernel gives us those that are left behind.
static ADOPTS: LazyLock<bool> =
    LazyLock::new(|| set_child_subreaper(Pid::from_raw(process::id().cast_signed())).is_ok());
/// A child's number in that list takes no more than this.
const LONGEST: usize = 16;
/// The kernel's list of the main thread's children, open since it is read after each attempt.
static CHILDREN: LazyLock<Option<File>> = LazyLock::new(|| {
    let id = process::id();
    File::open(format!("/proc/{id}/task/{id}/children")).ok()
});

/// What tells an attempt's processes from all others.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) marks: Marks,
    /// A folder that nobody else works in.
    pub(super) folder: PathBuf,
}

struct Table {
    /// By their first processes.
    attempts: BTreeMap<i32, Running>,
    /// Children that were there before, or were started for something else: nobody of an attempt.
    apart: Option<BTreeSet<i32>>,
    /// Those that were adopted and live, so that each is looked at closely once. They keep their numbers until we wait
    /// for them.
    adopted: BTreeMap<i32, Adopted>,
}

struct Running {
    known: Known,
    began: RangeInclusive<u64>,
    /// Those that the last look found below its first process, with when each was started.
    seen: BTreeMap<i32, u64>,
    /// Those that were found when it was to end.
    listed: BTreeMap<i32, u64>,
    has_ended: bool,
}

impl Running {
    /// Whether a process was seen below its first one, or is in a group or session of one that was.
    fn has_seen(&self, pid: i32, stat: &Stat) -> bool {
        [&self.seen, &self.listed].into_iter().any(|members| {
            let leads = |leader: i32| members.get(&leader).is_some_and(|started| *started <= stat.started);
            members.get(&pid) == Some(&stat.started) || leads(stat.group) || leads(stat.session)
        })
    }
}

#[derive(Clone, Copy)]
struct Adopted {
    started: u64,
    /// The attempt it is known to belong to.
    owner: Option<i32>,
}

/// Starts an attempt's first process; says between which two moments. Under the lock: nobody may see it before it is listed
/// and take it for another's.
pub(super) fn start<T>(
    known: Known,
    spawn: impl FnOnce() -> io::Result<T>,
    id: impl Fn(&T) -> Option<i32>,
) -> io::Result<(T, RangeInclusive<u64>)> {
    LazyLock::force(&ADOPTS);
    let mut table = lock();
    table.apart();
    let before = ticks_now();
    let child = spawn()?;
    let began = before..=ticks_now();
    if let Some(id) = id(&child) {
        let (seen, listed) = (BTreeMap::new(), BTreeMap::new());
        table.attempts.insert(id, Running { known, began: began.clone(), seen, listed, has_ended: false });
    }
    Ok((child, began))
}

/// Starts a program that is to be left alone: it belongs to no attempt, and may outlive this process.
///
/// # Errors
/// When it cannot be started.
pub fn start_apart(command: &mut process::Command) -> io::Result<process::Child> {
    let mut table = lock();
    let child = command.spawn()?;
    table.apart().insert(child.id().cast_signed());
    Ok(child)
}

/// What an attempt's processes have in their environments.
pub(super) fn marks_of(root: i32) -> Option<Marks> {
    lock().attempts.get(&root).map(|running| running.known.marks.clone())
}

/// Takes note of all whom an attempt has started and that live now.
pub(super) fn saw(root: i32, members: &BTreeMap<i32, u64>) {
    if let Some(running) = lock().attempts.get_mut(&root) {
        running.seen.clone_from(members);
    }
}

/// Takes note of some more that are an attempt's, which is to end: whoever loses its parent then is known still.
pub(super) fn listed(root: i32, members: impl IntoIterator<Item = (i32, u64)>) {
    if let Some(running) = lock().attempts.get_mut(&root) {
        running.listed.extend(members);
    }
}

/// Takes note that an attempt's first process was waited for.
pub(super) fn ended(root: i32) {
    if let Some(running) = lock().attempts.get_mut(&root) {
        running.has_ended = true;
    }
}

/// Forgets an attempt of which nobody is left.
pub(super) fn forget(root: i32) {
    lock().attempts.remove(&root);
}

/// Those that were adopted and live, with when each was started. Dead ones are waited for, which nobody else does: of a program
/// that leaves many behind none stays among the dead for as long as it runs.
pub(super) fn living() -> BTreeMap<i32, u64> {
    let mut table = lock();
    let living = table.living().unwrap_or_default();
    living.into_iter().filter_map(|child| Some((child, table.adopted.get(&child)?.started))).collect()
}

/// The children that an attempt that has ended left behind, and those that nobody is known to have left and nobody who still
/// runs can have started: they were started before. Dead ones are waited for.
pub(super) fn left_by(root: i32) -> Vec<i32> {
    let mut table = lock();
    let Some(living) = table.living() else { return table.found_by_what_they_say(root) };
    living.into_iter().filter(|child| table.is_left_by(*child, root)).collect()
}

impl Table {
    const fn new() -> Self {
        Self { attempts: BTreeMap::new(), apart: None, adopted: BTreeMap::new() }
    }

    /// Whoever is a child before anything was started was one before this program began in its process.
    fn apart(&mut self) -> &mut BTreeSet<i32> {
        self.apart.get_or_insert_with(|| children().into_iter().flatten().collect())
    }

    /// The children that were adopted and live. `None` where the kernel does not tell.
    fn living(&mut self) -> Option<Vec<i32>> {
        let children = children().filter(|_| *ADOPTS)?;
        let apart = self.apart.get_or_insert_default();
        apart.retain(|child| children.contains(child));
        let others = children.into_iter().filter(|child| !self.attempts.contains_key(child) && !apart.contains(child));
        let (dead, living): (Vec<_>, Vec<_>) =
            others.filter(|child| is_adopted(*child)).partition(|child| is_laid_to_rest(*child));
        self.adopted.retain(|child, _| !dead.contains(child));
        living.iter().for_each(|child| self.look_at(*child));
        Some(living)
    }

    /// Each is looked at closely once, as soon as it is there: its attempt may soon be gone.
    fn look_at(&mut self, child: i32) {
        if self.adopted.contains_key(&child) {
            return;
        }
        if let Some(stat) = Stat::of(child) {
            self.adopted.insert(child, Adopted { started: stat.started, owner: self.owner(child, &stat) });
        }
    }

    fn is_left_by(&self, child: i32, root: i32) -> bool {
        let Some(adopted) = self.adopted.get(&child).copied() else { return false };
        match adopted.owner.filter(|owner| self.attempts.contains_key(owner)) {
            Some(owner) => owner == root,
            None => self.may_be_of(root, adopted) && !self.may_be_of_who_runs(adopted),
        }
    }

    /// The attempt whose a process is by its environment, its group, by having been seen, or by where it works.
    fn owner(&self, child: i32, stat: &Stat) -> Option<i32> {
        let works_in = fs::read_link(format!("/proc/{child}/cwd")).ok();
        let is_of = |root: i32, running: &Running| {
            stat.group == root
                || running.has_seen(child, stat)
                || works_in.as_ref().is_some_and(|folder| folder.starts_with(&running.known.folder))
                || running.known.marks.are_of(child)
        };
        self.attempts.iter().find(|(root, running)| is_of(**root, running)).map(|(root, _)| *root)
    }

    fn may_be_of(&self, root: i32, adopted: Adopted) -> bool {
        self.attempts.get(&root).is_some_and(|running| *running.began.start() <= adopted.started)
    }

    fn may_be_of_who_runs(&self, adopted: Adopted) -> bool {
        let mut running = self.attempts.values().filter(|running| !running.has_ended);
        running.any(|running| *running.began.start() <= adopted.started)
    }

    /// Where the kernel does not tell who is adopted: whoever says of itself that it is the attempt's.
    fn found_by_what_they_say(&self, root: i32) -> Vec<i32> {
        let me = process::id().cast_signed();
        let others = everybody().filter(|pid| *pid != me && !self.attempts.contains_key(pid));
        let is_left =
            |pid: &i32| Stat::of(*pid).is_some_and(|stat| !stat.is_dead && self.owner(*pid, &stat) == Some(root));
        others.filter(is_left).collect()
    }
}

/// Programs that other parts of this process start and wait for themselves are in its own process group, where no attempt is.
fn is_adopted(child: i32) -> bool {
    getpgid(Pid::from_raw(child)).is_ok_and(|group| group != getpgrp())
}

/// Waits for a child that is dead.
fn is_laid_to_rest(child: i32) -> bool {
    Pid::from_raw(child).is_none_or(|child| matches!(waitpid(Some(child), WaitOptions::NOHANG), Ok(Some(_))))
}

/// The children of the main thread: the kernel gives it those that we adopt. `None` where it does not tell.
fn children() -> Option<Vec<i32>> {
    let (mut list, mut length) = (vec![0; 4096], 0);
    loop {
        let read = CHILDREN.as_ref()?.read_at(&mut list[length..], length as u64).ok()?;
        length += read;
        // A list that is not nearly as long as there is room for is all there is.
        if read == 0 || length < 4096 - LONGEST {
            break;
        }
        list.resize(length + 4096, 0);
    }
    let list = std::str::from_utf8(&list[..length]).ok()?;
    list.split_whitespace().map(|child| child.parse().ok()).collect()
}

fn lock() -> MutexGuard<'static, Table> {
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}
