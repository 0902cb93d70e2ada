//! Cleans up after attempts that died: their processes, wherever those went, and what they left half written.

use super::noted::{self, Noted};
use super::stat::{Stat, everybody};
use crate::attempt::{Attempt, ItemCount, Outcome, VERSION};
use crate::failure::Failure;
use crate::state::StateFolder;
use crate::store::Folder;
use crate::worker::{OUTCOME, read_attempt, write_whole};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process;
use std::time::Duration;

/// How often it is looked whether somebody who is to be killed is still there, and how long it is waited in between.
const LOOKS: usize = 1000;
const BETWEEN_LOOKS: Duration = Duration::from_millis(2);

/// The file that tells that the last engine left nothing behind. It is taken away before an attempt is begun.
const CLEAN: &str = "clean";

/// Ends and clears away what a dead engine of this state folder left. Call it with the folder's lock held: then no living
/// engine's children can carry the folder's name in their environment. Where the last engine left nothing behind, it is
/// not looked for. Says whether nothing is left, as it may be of another store.
pub fn clear_away(state: &StateFolder, store: &Folder) -> bool {
    if state.root().join(CLEAN).exists() {
        return true;
    }
    end_orphans(state);
    sweep_dead_attempts(state, store)
}

/// From here on there may be something to clear away.
pub fn begin_work(state: &StateFolder) {
    let _ = fs::remove_file(state.root().join(CLEAN));
    noted::forget(state);
}

/// Takes note that there is nothing to clear away: all that was begun has ended.
pub fn left_clean(state: &StateFolder) {
    drop(fs::File::create(state.root().join(CLEAN)));
}

/// Kills what a dead engine of this state folder left running, until nobody is left: one that is being killed may write for
/// a moment longer. One that hangs in the kernel is not waited for for ever.
fn end_orphans(state: &StateFolder) {
    let (owner, noted) = (owner(state), Noted::read(state));
    let mut stopped = BTreeSet::new();
    for _ in 0..LOOKS {
        let orphans = orphans(&owner, &noted);
        if orphans.is_empty() {
            return;
        }
        // They are held still first, until nobody new is found: one that is started between the look and the kill by one
        // of another folder's engine, or without an environment, would be known by nothing once its parent is gone.
        let new: Vec<i32> = orphans.iter().copied().filter(|pid| stopped.insert(*pid)).collect();
        if new.is_empty() {
            signal_all(&orphans, Signal::KILL);
            std::thread::sleep(BETWEEN_LOOKS);
        } else {
            signal_all(&new, Signal::STOP);
        }
    }
}

fn signal_all(pids: &[i32], signal: Signal) {
    for pid in pids.iter().filter_map(|pid| Pid::from_raw(*pid)) {
        let _ = kill_process(pid, signal);
    }
}

/// The processes whose environments name the folder, those that were noted, and all below them. Environments of other
/// users cannot be read, and their processes are not ours to kill.
fn orphans(owner: &[u8], noted: &Noted) -> Vec<i32> {
    let me = process::id().cast_signed();
    let living = everybody().filter(|pid| *pid != me).filter_map(|pid| Some((pid, Stat::of(pid)?)));
    let all: BTreeMap<i32, Stat> = living.filter(|(_, stat)| !stat.is_dead).collect();
    let is_ours = |(pid, stat): &(&i32, &Stat)| noted.knows(**pid, stat) || is_marked(**pid, owner);
    let mut orphans: BTreeSet<i32> = all.iter().filter(is_ours).map(|(pid, _)| *pid).collect();
    loop {
        let before = orphans.len();
        // Whoever leads a group or a session has led it from the start.
        let is_theirs = |stat: &Stat| [stat.parent, stat.group, stat.session].iter().any(|pid| orphans.contains(pid));
        let more: Vec<i32> = all.iter().filter(|(_, stat)| is_theirs(stat)).map(|(pid, _)| *pid).collect();
        orphans.extend(more);
        if orphans.len() == before {
            return orphans.into_iter().collect();
        }
    }
}

/// A person may have the first of the two in their own environment; the second is ours alone.
fn is_marked(pid: i32, owner: &[u8]) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let mut variables = environment.split(|byte| *byte == 0);
    variables.clone().any(|variable| variable == owner) && variables.any(|v| v.starts_with(b"PIPE_ATTEMPT="))
}

/// The state folder as its children's environments name it: the same however its path was written.
pub(super) fn owner_name(state: &StateFolder) -> PathBuf {
    state.root().canonicalize().unwrap_or_else(|_| state.root().to_owned())
}

fn owner(state: &StateFolder) -> Vec<u8> {
    let mut variable = b"PIPE_STATE=".to_vec();
    variable.extend_from_slice(owner_name(state).as_os_str().as_bytes());
    variable
}

/// Sweeps the output folders of attempts that have no outcome: their engine died with them. Their logs stay. Says whether
/// none is left.
fn sweep_dead_attempts(state: &StateFolder, store: &Folder) -> bool {
    let Ok(attempts) = fs::read_dir(state.root().join("attempts")) else { return false };
    let mut is_clean = true;
    for folder in attempts.flatten().map(|e| e.path()) {
        if folder.join(OUTCOME).exists() {
            continue;
        }
        match read_attempt(&folder) {
            Ok(attempt) if attempt.store == store.root() => {
                sweep_output(store, &attempt.output);
                let _ = write_whole(&folder.join(OUTCOME), &died_with_its_engine(&attempt));
                super::clear(&folder);
            }
            // It belongs to another store, which a run there will sweep.
            Ok(_) => is_clean = false,
            // Its engine died before it was described, so nothing was started.
            Err(_) => drop(fs::remove_dir_all(&folder)),
        }
    }
    is_clean
}

fn died_with_its_engine(attempt: &Attempt) -> Outcome {
    Outcome {
        version: VERSION,
        id: attempt.id.clone(),
        failure: Some(Failure::failed("engine_died", "the engine died while this ran")),
        files: Vec::new(),
        result: Json::Null,
        items: ItemCount::default(),
        usage: None,
    }
}

/// Removes the half-written files of an attempt. Finished items are read-only, listed by manifests of their own,
/// and stay; so does a folder that holds one.
pub fn sweep_output(store: &Folder, output: &str) {
    let folder = store.path(output);
    match fs::symlink_metadata(&folder) {
        Ok(meta) if meta.is_dir() => sweep_folder(&folder),
        // A link in its place leads to files that are not the attempt's own.
        Ok(_) => drop(fs::remove_file(&folder)),
        Err(_) => {}
    }
}

fn sweep_folder(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        match entry.metadata() {
            Ok(meta) if meta.is_dir() => sweep_folder(&path),
            Ok(meta) if meta.is_file() && meta.permissions().readonly() => {}
            _ => drop(fs::remove_file(&path)),
        }
    }
    // Fails when something is left in it, as it should.
    let _ = fs::remove_dir(folder);
}
