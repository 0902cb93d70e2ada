//! A file or folder that is there already -> the result of a task, as if an attempt had made it: copied into the store,
//! sealed, hashed, and filed under the task's key with where it came from.

use crate::attempt::SourceFile;
use crate::failure::Failure;
use crate::ids::{AttemptId, RunId};
use crate::local::taken_in;
use crate::lookup::Looked;
use crate::manifest::{FileEntry, Manifest, Of, Provenance, VERSION, digest};
use crate::plan::{Plan, Task};
use crate::secret::{Redactor, Values};
use crate::stage::{Format, Launch};
use crate::store::{Filed, Folder, Results};
use crate::work::store_failed;
use crate::world::Timestamp;
use serde_json::{Map, Value as Json};
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// What is to be taken in, and as what.
pub struct Adoption<'a> {
    /// The plan of the task.
    pub plan: &'a Plan,
    /// The task.
    pub task: &'a Task,
    /// Its key.
    pub looked: &'a Looked,
    /// The file or folder.
    pub from: &'a Path,
    /// Whether it takes the place of a result that is there.
    pub replaces: bool,
}

/// Who made what no run did.
const NO_RUN: &str = "adopted";

impl Adoption<'_> {
    /// Takes it in.
    ///
    /// # Errors
    /// When the task's kind could not have made it, when there is a result already, or when it cannot be copied. The
    /// store is as it was then.
    pub fn adopt(&self, store: &Folder, now: Timestamp) -> Result<Manifest, Failure> {
        if self.looked.found.is_ok() && !self.replaces {
            return Err(there_already());
        }
        let (output, number) = self.folder(store)?;
        let adopted = self.take_in(store, &output).and_then(|(files, result)| {
            self.looked.files.values().try_for_each(SourceFile::check_unchanged)?;
            store.flush(files.iter().map(|file| file.at.as_str())).map_err(store_failed)?;
            self.file(store, self.manifest(files, result, number, now))
        });
        let own = format!("{output}/");
        if !adopted.as_ref().is_ok_and(|manifest| manifest.files.iter().any(|file| file.at.starts_with(&own))) {
            let _ = fs::remove_dir_all(store.path(&output));
        }
        adopted
    }

    /// A folder that nobody else writes into, as an attempt gets one.
    fn folder(&self, store: &Folder) -> Result<(String, u32), Failure> {
        let (stage, cell, short) = (&self.task.id.stage, &self.task.id.cell, self.looked.key.fingerprint.short(8));
        let stem = format!("data/{}/{stage}/{}@{short}", self.plan.name, cell.folder());
        for number in 1.. {
            let output = format!("{stem}-{number}");
            let path = store.path(&output);
            let parent = path.parent().unwrap_or(store.root());
            match fs::create_dir_all(parent).and_then(|()| fs::create_dir(&path)) {
                Ok(()) => return Ok((output, number)),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(Failure::io("make the folder", &path, &e)),
            }
        }
        Err(Failure::failed("store", "no folder is free").on(stem))
    }

    fn take_in(&self, store: &Folder, output: &str) -> Result<(Vec<FileEntry>, Json), Failure> {
        let (folder, kind) = (store.path(output), &self.plan.stages[self.task.stage].kind);
        let makes = kind.makes(&self.task.config);
        let meta = fs::metadata(self.from).map_err(|e| Failure::io("look at", self.from, &e))?;
        if meta.is_dir() {
            copy_folder(self.from, &folder)?;
        } else {
            let own = self.from.file_name().unwrap_or_default().to_string_lossy().into_owned();
            // A kind that makes one file says what it is called.
            let name = if let [one] = makes.as_slice() { one.clone() } else { own };
            copy_file(self.from, &folder.join(name))?;
        }
        check(self.plan, self.task, self.from, &folder)?;
        let (files, facts) = taken_in(store, output, &Redactor::of(&Values::default()))?;
        // What a built-in stage tells of its results is known by making them only.
        let is_program = matches!(self.plan.launch(self.task), Launch::Program { .. });
        Ok((files, if is_program { facts } else { Json::Null }))
    }

    fn manifest(&self, files: Vec<FileEntry>, result: Json, number: u32, now: Timestamp) -> Manifest {
        let key = &self.looked.key;
        let from = self.from.canonicalize().unwrap_or_else(|_| self.from.to_owned());
        Manifest {
            version: VERSION,
            of: Of::Task,
            fingerprint: key.fingerprint.clone(),
            key: key.fields.clone(),
            digest: digest(&files),
            files,
            result,
            provenance: Provenance {
                run: RunId(NO_RUN.to_owned()),
                attempt: AttemptId::new(&key.fingerprint, number),
                task: self.task.id.clone(),
                published: now,
                sources: self.looked.files.values().map(|file| file.written.clone()).collect(),
                pipeline: Some(self.plan.name.clone()),
                adopted: Some(from.display().to_string()),
            },
        }
    }

    /// Files the manifest, or gives the one back that is there when it speaks of the same bytes.
    fn file(&self, store: &Folder, ours: Manifest) -> Result<Manifest, Failure> {
        let results = Results::of(store);
        match results.file(&ours).map_err(store_failed)? {
            Filed::Ours => Ok(ours),
            Filed::Theirs(theirs) if !self.replaces => {
                Err(there_already().source(format!("made by run {}", theirs.provenance.run)))
            }
            Filed::Theirs(theirs) if theirs.digest == ours.digest => Ok(*theirs),
            Filed::Theirs(theirs) if results.replace(&theirs, &ours).map_err(store_failed)? => Ok(ours),
            Filed::Theirs(_) => Err(there_already().source("it was replaced a moment ago")),
        }
    }
}

/// Refuses what the task's kind could not have made.
pub(crate) fn check(plan: &Plan, task: &Task, from: &Path, folder: &Path) -> Result<(), Failure> {
    let stage = &plan.stages[task.stage];
    let makes = stage.kind.makes(&task.config);
    let wrong = |message: String, file: &str| {
        let help = format!("adopt what a `{}` stage makes: {}", stage.kind.name(), makes.join(", "));
        Failure::failed("cannot_adopt", message).on(from.join(file).display().to_string()).help(help)
    };
    if let Some(missing) = makes.iter().find(|file| !folder.join(file).exists()) {
        return Err(wrong(format!("every result of this task has `{missing}`, and this has not"), missing));
    }
    let spreads = plan.stages.iter().any(|other| other.rows_of == Some(task.stage));
    if spreads && !stage.kind.rows().iter().any(|file| folder.join(file).is_file()) {
        let names = stage.kind.rows().join(" or ");
        return Err(wrong(format!("a stage is spread over the rows of this task, and there is no {names}"), ""));
    }
    for file in stage.kind.formats().iter().flat_map(|format: &Format| format.files) {
        check_json(&folder.join(file)).map_err(|problem| wrong(problem, file))?;
    }
    Ok(())
}

fn there_already() -> Failure {
    Failure::failed("there_already", "the task has a result already").help("`--force` puts this in its place")
}

/// Names that are not UTF-8 are refused when the copy is looked through.
fn copy_folder(from: &Path, to: &Path) -> Result<(), Failure> {
    let entries = fs::read_dir(from).map_err(|e| Failure::io("look into", from, &e))?;
    for entry in entries {
        let entry = entry.map_err(|e| Failure::io("look into", from, &e))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        // What a link leads to is taken for what lies there; one to a folder could lead back here.
        let meta = fs::metadata(&source).map_err(|e| Failure::io("look at", &source, &e))?;
        let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        if meta.is_dir() && is_link {
            return Err(Failure::failed("cannot_adopt", "a link leads to a folder")
                .on(source.display().to_string())
                .help("put the files themselves there"));
        }
        if meta.is_dir() {
            fs::create_dir(&target).map_err(|e| Failure::io("make the folder", &target, &e))?;
            copy_folder(&source, &target)?;
        } else if meta.is_file() {
            copy_file(&source, &target)?;
        } else {
            let failure = Failure::failed("cannot_adopt", "it is neither a file nor a folder");
            return Err(failure.on(source.display().to_string()));
        }
    }
    Ok(())
}

/// The kernel shares the bytes between the two files where the file system can.
pub(crate) fn copy_file(from: &Path, to: &Path) -> Result<(), Failure> {
    let parent = to.parent().unwrap_or(to);
    fs::create_dir_all(parent).map_err(|e| Failure::io("make the folder", parent, &e))?;
    let copy = || -> io::Result<u64> { io::copy(&mut File::open(from)?, &mut File::create_new(to)?) };
    copy().map(drop).map_err(|e| Failure::io("copy", from, &e))
}

/// Whether a file that others read holds what its name says, when it is there.
fn check_json(path: &Path) -> Result<(), String> {
    let Ok(text) = fs::read(path) else { return Ok(()) };
    if path.extension().is_none_or(|extension| extension != "jsonl") {
        return serde_json::from_slice::<Json>(&text).map(drop).map_err(|error| format!("it is not JSON: {error}"));
    }
    let lines = text.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.trim_ascii().is_empty());
    lines
        .map(|(n, line)| (n + 1, serde_json::from_slice::<Map<String, Json>>(line)))
        .try_for_each(|(n, read)| read.map(drop).map_err(|error| format!("line {n} is not a JSON object: {error}")))
}
