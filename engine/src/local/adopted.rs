//! This process's children -> whether there are others among them than the attempts it started: those that an attempt
//! left behind.
//!
//! To look for them among all processes of the machine costs more than a small task does. So this process adopts them: the
//! kernel gives it whoever loses a parent below it, whatever process group or session that one went into.

use rustix::process::{Pid, WaitOptions, getpgid, getpgrp, set_child_subreaper, waitpid};
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::process;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use tokio::process::Child;

/// The attempts that run. Children belong to the process, so this is one list for all of its runs.
static STARTED: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());
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

/// Starts an attempt's child. Under the lock: nobody may see it before it is listed and take it for another's.
pub(super) fn start(spawn: impl FnOnce() -> io::Result<Child>) -> io::Result<Child> {
    LazyLock::force(&ADOPTS);
    let mut started = lock();
    let child = spawn()?;
    started.extend(id_of(&child));
    Ok(child)
}

/// Takes a child off the list that was waited for.
pub(super) fn ended(id: Pid) {
    lock().remove(&id.as_raw_nonzero().get());
}

/// Whether somebody is left whom an attempt started, also one that still runs. Those that are dead are waited for,
/// which nobody else does. Where the kernel does not tell, the answer is yes.
pub(super) fn somebody_is_left() -> bool {
    let started = lock();
    let Some(children) = children().filter(|_| *ADOPTS) else { return true };
    let others = children.into_iter().filter(|child| !started.contains(child));
    others.filter(|child| !is_laid_to_rest(*child)).count() > 0
}

/// Waits for a child that is dead. Programs that other parts of this process start and wait for themselves are in its own
/// process group, where no attempt is.
fn is_laid_to_rest(child: i32) -> bool {
    let Some(child) = Pid::from_raw(child) else { return true };
    let is_adopted = getpgid(Some(child)).is_ok_and(|group| group != getpgrp());
    is_adopted && matches!(waitpid(Some(child), WaitOptions::NOHANG), Ok(Some(_)))
}

/// The children of the main thread: the kernel gives it those that we adopt. `None` where it does not tell, or they are
/// too many to be read at once.
fn children() -> Option<Vec<i32>> {
    let mut list = [0; 4096];
    let length = CHILDREN.as_ref()?.read_at(&mut list, 0).ok().filter(|length| *length < list.len() - LONGEST)?;
    let list = std::str::from_utf8(&list[..length]).ok()?;
    list.split_whitespace().map(|child| child.parse().ok()).collect()
}

fn id_of(child: &Child) -> Option<i32> {
    child.id().map(u32::cast_signed)
}

fn lock() -> MutexGuard<'static, BTreeSet<i32>> {
    STARTED.lock().unwrap_or_else(PoisonError::into_inner)
}
