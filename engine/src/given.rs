//! A file or folder of a person -> the result that a run takes in the place of a task's own. Nothing is filed under the
//! task's key: what follows is keyed by the digest of the bytes, as ever, so it is nobody's but theirs.

use crate::adopt::{check, copy_file};
use crate::failure::Failure;
use crate::ids::{AttemptId, RunId, TaskId};
use crate::key::{Key, KeyWriter};
use crate::local::{facts_in, taken_in};
use crate::manifest::{Artifact, FileEntry, Manifest, Of, Provenance, VERSION, digest};
use crate::plan::{Plan, Task};
use crate::secret::{Redactor, Values};
use crate::stage::Launch;
use crate::store::{Filed, Folder, Results};
use crate::work::{entry, files_are_there, store_failed};
use crate::world::Timestamp;
use serde_json::Value as Json;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Who made what a person has given.
const NO_RUN: &str = "given";

/// What is given, and in the place of which task's result.
pub struct Given<'a> {
    /// The plan of the task.
    pub plan: &'a Plan,
    /// The task.
    pub task: &'a Task,
    /// The file or folder.
    pub from: &'a Path,
}

impl Given<'_> {
    /// The result it stands for, with its files where they lie: for whoever only looks.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn look(&self) -> Result<Artifact, Failure> {
        let at = |file: &Path| file.canonicalize().unwrap_or_else(|_| file.to_owned()).display().to_string();
        let files = self.files()?.into_iter().map(|(path, file)| entry(&file, &path, &at(&file)));
        let files = files.collect::<Result<Vec<_>, _>>()?;
        let result =
            if self.is_program() && self.from.is_dir() { facts_in(self.from, &no_secrets())? } else { Json::Null };
        let digest = digest(&files);
        Ok(Artifact { fingerprint: key(&digest).fingerprint, digest, files, result })
    }

    /// The same in the store: copied, sealed and filed under a key that says its bytes and no more. What was given before
    /// is taken as it is there.
    ///
    /// # Errors
    /// When the task's kind could not have made it, or it cannot be copied.
    pub fn take_in(&self, store: &Folder, now: Timestamp) -> Result<Artifact, Failure> {
        let results = Results::of(store);
        let seen = self.look()?;
        if let Some(there) = results.find(&seen.fingerprint).map_err(store_failed)? {
            if files_are_there(store, &there.files)? {
                return Ok(there.into());
            }
            results.quarantine(&seen.fingerprint).map_err(store_failed)?;
        }
        let (output, number) = self.folder(store, &seen.digest)?;
        let taken = self.copied(store, &output).and_then(|(files, result)| {
            if digest(&files) != seen.digest {
                return Err(Failure::failed("input_changed", "it changed while it was copied")
                    .on(self.from.display().to_string())
                    .help("run again when nobody writes to it any more"));
            }
            store.flush(files.iter().map(|file| file.at.as_str())).map_err(store_failed)?;
            match results.file(&self.manifest(files, result, number, now)).map_err(store_failed)? {
                Filed::Ours => results.find(&seen.fingerprint).map_err(store_failed),
                Filed::Theirs(theirs) => Ok(Some(*theirs)),
            }
        });
        match taken {
            Ok(Some(manifest)) => Ok(manifest.into()),
            Ok(None) => Err(Failure::failed("store", "what was filed a moment ago is gone").on(seen.fingerprint.0)),
            Err(failure) => {
                let _ = fs::remove_dir_all(store.path(&output));
                Err(failure)
            }
        }
    }

    fn copied(&self, store: &Folder, output: &str) -> Result<(Vec<FileEntry>, Json), Failure> {
        let folder = store.path(output);
        self.files()?.iter().try_for_each(|(path, file)| copy_file(file, &folder.join(path)))?;
        check(self.plan, self.task, self.from, &folder)?;
        let (files, facts) = taken_in(store, output, &no_secrets())?;
        Ok((files, if self.is_program() { facts } else { Json::Null }))
    }

    /// Its files by the paths they have in the result, sorted.
    fn files(&self) -> Result<Vec<(String, PathBuf)>, Failure> {
        let meta = fs::metadata(self.from).map_err(|e| Failure::io("look at", self.from, &e))?;
        let mut files = Vec::new();
        if meta.is_dir() {
            gather(self.from, "", &mut files)?;
        } else {
            let own = self.from.file_name().unwrap_or_default().to_string_lossy().into_owned();
            // A kind that makes one file says what it is called.
            let makes = self.plan.stages[self.task.stage].kind.makes(&self.task.config);
            files.push((if let [one] = makes.as_slice() { one.clone() } else { own }, self.from.to_owned()));
        }
        files.sort();
        Ok(files)
    }

    fn is_program(&self) -> bool {
        matches!(self.plan.launch(self.task), Launch::Program { .. })
    }

    /// A folder that nobody else writes into.
    fn folder(&self, store: &Folder, digest: &str) -> Result<(String, u32), Failure> {
        let stem = format!("data/{}/given/{}@{}", self.plan.name, self.task.id.stage, &digest[..8]);
        for number in 1.. {
            let path = store.path(&format!("{stem}-{number}"));
            match fs::create_dir_all(path.parent().unwrap_or(store.root())).and_then(|()| fs::create_dir(&path)) {
                Ok(()) => return Ok((format!("{stem}-{number}"), number)),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(Failure::io("make the folder", &path, &e)),
            }
        }
        Err(Failure::failed("store", "no folder is free").on(stem))
    }

    fn manifest(&self, files: Vec<FileEntry>, result: Json, number: u32, now: Timestamp) -> Manifest {
        let digest = digest(&files);
        let Key { fingerprint, fields } = key(&digest);
        let from = self.from.canonicalize().unwrap_or_else(|_| self.from.to_owned());
        // Not the task's own name: of its results gc keeps the newest, and this is none of them.
        let stage = format!("given-{}", self.task.id.stage);
        Manifest {
            version: VERSION,
            of: Of::Task,
            key: fields,
            digest,
            files,
            result,
            provenance: Provenance {
                run: RunId(NO_RUN.to_owned()),
                attempt: AttemptId::new(&fingerprint, number),
                task: TaskId { stage, cell: self.task.id.cell.clone() },
                published: now,
                sources: Vec::new(),
                pipeline: Some(self.plan.name.clone()),
                adopted: Some(from.display().to_string()),
            },
            fingerprint,
        }
    }
}

/// No task has a key of this form, since each names its kind.
fn key(digest: &str) -> Key {
    KeyWriter::default().field("given", digest).finish()
}

fn no_secrets() -> Redactor {
    Redactor::of(&Values::default())
}

/// What lies in a folder. A link is taken for the file it leads to; one to a folder could lead back here.
fn gather(folder: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) -> Result<(), Failure> {
    let cannot = |message: &str, path: &Path| {
        let failure = Failure::failed("cannot_give", message).on(path.display().to_string());
        Err(failure.help("give a folder of files, whose names are UTF-8"))
    };
    for entry in fs::read_dir(folder).map_err(|e| Failure::io("look into", folder, &e))? {
        let entry = entry.map_err(|e| Failure::io("look into", folder, &e))?;
        let path = entry.path();
        let meta = fs::metadata(&path).map_err(|e| Failure::io("look at", &path, &e))?;
        let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        let name = entry.file_name();
        let Some(name) = name.to_str() else { return cannot("a name is not UTF-8", &path) };
        let inside = format!("{prefix}{name}");
        match (meta.is_dir(), meta.is_file()) {
            (true, _) if is_link => return cannot("a link leads to a folder", &path),
            (true, _) => gather(&path, &format!("{inside}/"), files)?,
            (_, true) => files.push((inside, path)),
            _ => return cannot("it is neither a file nor a folder", &path),
        }
    }
    Ok(())
}
