//! A child that ended -> an outcome. A worker has left its own; a program's output folder is looked at.

use super::process::End;
use super::{Prepared, cause, facts, sweep};
use crate::attempt::{ItemCount, Outcome, VERSION};
use crate::disk::Room;
use crate::doing;
use crate::failpoint::reach;
use crate::failure::{Class, Failure};
use crate::manifest::FileEntry;
use crate::secret::Redactor;
use crate::stage::{ClassRule, Launch};
use crate::store::Folder;
use crate::work::{entry, seal};
use crate::worker::{OUTCOME, write_whole};
use serde_json::Value as Json;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// How many of the last lines a failure quotes, and how many characters of each.
const QUOTED: usize = 6;
const QUOTED_CHARS: usize = 2000;
/// How programs end that were killed, or that gave up by themselves: 128 and the number of the signal.
const KILLED: i32 = 128 + 9;
const ABORTED: i32 = 128 + 6;
/// A file grew larger than the limit that a worker sets itself.
const FILE_TOO_LARGE: i32 = 128 + 25;
/// How a process ends that reads or writes what is not its own, does what the machine cannot, or finds itself in a state that
/// cannot be: Linux's numbers.
const CRASHES: [(i32, &str); 5] = [(4, "SIGILL"), (6, "SIGABRT"), (7, "SIGBUS"), (8, "SIGFPE"), (11, "SIGSEGV")];

/// The outcome of an attempt whose process ended, also written into its folder. What a failed attempt left half
/// written is removed.
pub(super) fn outcome(store: &Folder, prepared: &Prepared, end: End) -> Outcome {
    let (redactor, usage) = (Redactor::of(&prepared.secrets), end.usage);
    let outcome = match &prepared.launch {
        Launch::Worker => worker_outcome(store, prepared, &end),
        Launch::Program { outputs, classes, .. } => {
            program_outcome(store, prepared, &end, (outputs, classes), &redactor)
        }
    };
    let outcome =
        Outcome { failure: outcome.failure.map(|failure| with_what_was_wanted(store, prepared, failure)), ..outcome };
    let outcome = Outcome { usage, ..outcome.redacted(&redactor) };
    if outcome.failure.is_some() {
        match prepared.launch {
            Launch::Worker => sweep::sweep_output(store, &prepared.attempt.output),
            // A program has no items, so nothing it wrote is promised anywhere, read-only or not.
            Launch::Program { .. } => drop(fs::remove_dir_all(store.path(&prepared.attempt.output))),
        }
    }
    // The journal decides what happened; this file is for people and for the sweep of a later run.
    if let Err(failure) = write_whole(&prepared.folder.join(OUTCOME), &outcome) {
        tracing::warn!(%failure, "the outcome was not kept");
    }
    reach("outcome.written");
    super::clear(&prepared.folder);
    outcome
}

fn worker_outcome(store: &Folder, prepared: &Prepared, end: &End) -> Outcome {
    let written = fs::read(prepared.folder.join(OUTCOME)).ok();
    let left = written.and_then(|text| serde_json::from_slice::<Outcome>(&text).ok());
    match left {
        Some(outcome) if outcome.id == prepared.attempt.id => outcome,
        _ => failed(prepared, died(store, prepared, end, &[])),
    }
}

fn program_outcome(
    store: &Folder,
    prepared: &Prepared,
    end: &End,
    (outputs, classes): (&[String], &[ClassRule]),
    redactor: &Redactor,
) -> Outcome {
    // A program that was asked to end may say that all is well; what it wrote is still half of what was wanted.
    if end.stopped.is_some() || !matches!(&end.status, Ok(status) if status.success()) {
        return failed(prepared, died(store, prepared, end, classes));
    }
    let folder = store.path(&prepared.attempt.output);
    // Through a link, files that are not the attempt's own would be made read-only and listed as its output.
    if !fs::symlink_metadata(&folder).is_ok_and(|meta| meta.is_dir()) {
        let failure = Failure::failed("bad_output", "the program took its output folder away")
            .on(folder.display().to_string())
            .help("write into the folder that $PIPE_OUTPUT names, and leave the folder itself as it is");
        return failed(prepared, failure);
    }
    if let Some(missing) = outputs.iter().find(|output| !folder.join(output).exists()) {
        let failure = Failure::failed("output_missing", "the program ended well but did not write its output")
            .on(missing.clone())
            .help("write it under the folder that $PIPE_OUTPUT names, or take it out of `outputs`");
        return failed(prepared, failure);
    }
    match taken_in(store, &prepared.attempt.output, redactor) {
        Ok((files, result)) => Outcome { files, result, ..empty(prepared) },
        Err(failure) => failed(prepared, failure),
    }
}

/// Everything in a folder of the store as the files of an artifact, hashed and sealed, and the facts it tells of itself.
///
/// # Errors
/// When something in it is no file, or cannot be read.
pub fn taken_in(store: &Folder, at: &str, redactor: &Redactor) -> Result<(Vec<FileEntry>, Json), Failure> {
    let folder = store.path(at);
    let result = facts::of(&folder, redactor)?;
    let mut files = Vec::new();
    gather(&folder, "", at, &mut files)?;
    files.iter().try_for_each(|f| seal(&store.path(&f.at)))?;
    Ok((files, result))
}

/// Everything a program wrote, sorted by path.
fn gather(folder: &Path, prefix: &str, at: &str, files: &mut Vec<FileEntry>) -> Result<(), Failure> {
    let read = |e: &std::io::Error| Failure::io("look into", folder, e);
    let mut names = fs::read_dir(folder)
        .and_then(|entries| entries.map(|e| e.map(|e| e.file_name())).collect::<Result<Vec<_>, _>>())
        .map_err(|e| read(&e))?;
    names.sort();
    for name in names {
        let full = folder.join(&name);
        let Some(name) = name.to_str() else {
            return Err(Failure::failed("bad_output", "an output's name is not UTF-8").on(full.display().to_string()));
        };
        let path = format!("{prefix}{name}");
        let kind = fs::symlink_metadata(&full).map_err(|e| read(&e))?.file_type();
        if kind.is_dir() {
            gather(&full, &format!("{path}/"), at, files)?;
        } else if kind.is_file() {
            files.push(entry(&full, &path, &format!("{at}/{path}"))?);
        } else {
            return Err(Failure::failed("bad_output", "an output is neither a file nor a folder")
                .on(full.display().to_string())
                .help("write the bytes themselves: a link would point into this machine"));
        }
    }
    Ok(())
}

/// Why a child that left no outcome ended.
fn died(store: &Folder, prepared: &Prepared, end: &End, classes: &[ClassRule]) -> Failure {
    let (code, message) = match &end.status {
        _ if end.stopped.is_some() => ("stopped".to_owned(), "stopped".to_owned()),
        Ok(status) => exit_words(*status),
        Err(error) => ("lost".to_owned(), format!("cannot be waited for: {error}")),
    };
    let failure = Failure::failed(code, message);
    let failure = if end.stopped.is_some() { failure } else { classed(store, prepared, end, classes, failure) };
    let failure = with_what_it_was_at(prepared, failure);
    let quoted = end.last_lines.iter().skip(end.last_lines.len().saturating_sub(QUOTED));
    let said: Vec<&str> = quoted.filter(|line| !line.trim().is_empty()).map(|line| shortened(line)).collect();
    if said.is_empty() { failure } else { failure.source(said.join("\n")) }
}

/// Of a worker that died, what it was at: nobody else knows which of its many inputs it died of.
fn with_what_it_was_at(prepared: &Prepared, failure: Failure) -> Failure {
    let is_worker = prepared.launch == Launch::Worker;
    match is_worker.then(|| doing::left_in(&prepared.folder)).flatten() {
        Some(what) => Failure { message: format!("{}, while it worked on {what}", failure.message), ..failure },
        None => failure,
    }
}

/// The failure with its class: as the stage's own rules say, then as the kernel does, then as the disk looks.
fn classed(store: &Folder, prepared: &Prepared, end: &End, classes: &[ClassRule], failure: Failure) -> Failure {
    let code = end.status.as_ref().ok().and_then(|status| exit_code(*status));
    if let Some((place, rule)) = classes.iter().enumerate().find(|(_, rule)| rule.holds(code, &end.last_lines)) {
        let class = rule.class.word();
        let message = format!("{}: {class}, as `classes[{place}]` says", failure.message);
        return Failure { class: rule.class, message, ..failure };
    }
    if is_out_of_memory(prepared, end, code) {
        let reserved = prepared.attempt.memory;
        let message = format!("{}: memory ran out", failure.message);
        return Failure { class: Class::OutOfMemory, code: "out_of_memory".to_owned(), message, ..failure }
            .help(format!("ask for more memory than {reserved} with `resources.memory`, or give it less to do"));
    }
    if prepared.launch == Launch::Worker && code == Some(FILE_TOO_LARGE) {
        let message = format!("{}: a file grew larger than all the disk that was asked for", failure.message);
        return Failure { class: Class::OutOfDisk, code: "file_too_large".to_owned(), message, ..failure };
    }
    let crash = CRASHES.iter().find(|(signal, _)| prepared.launch == Launch::Worker && code == Some(128 + signal));
    if let Some((_, name)) = crash {
        let message = format!("the worker {} ({name}): it crashed", failure.message);
        return Failure { code: "crashed".to_owned(), message, ..failure }.help(
            "a damaged or hostile file can do that to what decodes it: look at the input, or leave it out; what was \
             finished is kept",
        );
    }
    let places = [store.path(&prepared.attempt.output), prepared.folder.clone()];
    if let Some((folder, room)) = cause::full(places.iter().map(PathBuf::as_path)) {
        let message = format!("{} when the disk was full, {room}", failure.message);
        return Failure { class: Class::OutOfDisk, code: "out_of_disk".to_owned(), message, ..failure }
            .on(folder.display().to_string());
    }
    failure
}

/// The kernel has killed it and says why; or a worker says itself that it got no memory, as Rust programs do. A kill alone
/// says nothing: anybody may send one.
fn is_out_of_memory(prepared: &Prepared, end: &End, code: Option<i32>) -> bool {
    let says_so = || end.last_lines.iter().any(|line| line.starts_with("memory allocation of "));
    match code {
        Some(KILLED) => end.oom_killed,
        Some(ABORTED) => prepared.launch == Launch::Worker && says_so(),
        _ => false,
    }
}

/// A failure for want of disk says how much there was and how much was asked for.
fn with_what_was_wanted(store: &Folder, prepared: &Prepared, failure: Failure) -> Failure {
    if failure.class != Class::OutOfDisk {
        return failure;
    }
    // A stage that finds the disk full by itself may not have looked how full.
    let is_told = failure.message.contains(" free") || failure.message.contains("no more files");
    let room = Room::at(&store.path(&prepared.attempt.output)).filter(|_| !is_told);
    let had = room.map_or_else(String::new, |room| format!(", {room} now"));
    let wanted =
        prepared.attempt.disk.map_or_else(String::new, |disk| format!(", and `resources.disk` asked for {disk}"));
    let help = match prepared.attempt.disk {
        Some(_) => "make room, or ask for what it really needs",
        None => "make room, and say with `resources.disk` what it needs: it then shares the disk with fewer others",
    };
    Failure { message: format!("{}{had}{wanted}", failure.message), ..failure }.help(help)
}

/// The beginning of a line that is too long to be quoted.
fn shortened(line: &str) -> &str {
    line.char_indices().nth(QUOTED_CHARS).map_or(line, |(end, _)| &line[..end])
}

/// As a shell tells it.
fn exit_code(status: ExitStatus) -> Option<i32> {
    status.code().or_else(|| Some(128 + status.signal()?))
}

fn exit_words(status: ExitStatus) -> (String, String) {
    match (status.code(), status.signal()) {
        (Some(code), _) => (format!("exit_{code}"), format!("ended with exit code {code}")),
        (None, Some(signal)) => (format!("signal_{signal}"), format!("was killed by signal {signal}")),
        (None, None) => ("ended".to_owned(), format!("ended: {status}")),
    }
}

fn failed(prepared: &Prepared, failure: Failure) -> Outcome {
    Outcome { failure: Some(failure), ..empty(prepared) }
}

fn empty(prepared: &Prepared) -> Outcome {
    Outcome {
        version: VERSION,
        id: prepared.attempt.id.clone(),
        failure: None,
        files: Vec::new(),
        result: Json::Null,
        items: ItemCount::default(),
        usage: None,
    }
}
