//! A task whose inputs are known -> its key, and the result the store already has for it or the reason why not.

use crate::attempt::{Input, SourceFile};
use crate::failure::Failure;
use crate::ids::Fingerprint;
use crate::key::{Key, KeyWriter, reason};
use crate::manifest::{Manifest, place};
use crate::plan::{Plan, Task, TaskFile};
use crate::stage::Mark;
use crate::stamp::{FileStamp, companion};
use crate::state::{Hints, Known};
use crate::store::{Folder, Results};
use crate::work::{files_are_there, store_failed};
use crate::world::World;
use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Files changed less than this before they were hashed may change again without a trace in their times: their
/// digests are not remembered. File systems step their clocks by at most this much.
const RACY: Duration = Duration::from_secs(2);

/// What is known of a task once its inputs are.
#[derive(Clone, Debug)]
pub struct Looked {
    /// Its key.
    pub key: Key,
    /// Its files outside the store, hashed.
    pub files: BTreeMap<String, SourceFile>,
    /// The result, or the reason why there is none.
    pub found: Result<Arc<Manifest>, String>,
}

/// Looks tasks up. Shared by the threads that do.
pub struct Finder {
    plan: Arc<Plan>,
    store: Arc<Folder>,
    hints: Mutex<Hints>,
    world: World,
    repairs: bool,
}

impl Finder {
    /// A finder for the tasks of `plan` in `store`.
    pub fn new(plan: Arc<Plan>, store: Arc<Folder>, hints: Hints, world: World) -> Self {
        Self { plan, store, hints: Mutex::new(hints), world, repairs: true }
    }

    /// A finder that leaves the store as it is: results that cannot be trusted count as absent and stay in place.
    #[must_use]
    pub fn looking_only(self) -> Self {
        Self { repairs: false, ..self }
    }

    /// Looks a task up. `inputs` are its input artifacts, by field.
    ///
    /// # Errors
    /// When one of its files cannot be read, or the store cannot.
    pub fn look(&self, index: usize, inputs: &BTreeMap<String, Vec<Input>>) -> Result<Looked, Failure> {
        let task = self.plan.task(index);
        let files = self.files(task)?;
        let key = self.key(task, inputs, &files);
        let found = match self.find(&key.fingerprint)? {
            Some(manifest) => {
                self.hints().remember_newest(&self.plan.name, &task.id, &key.fingerprint);
                Ok(manifest)
            }
            None => Err(self.why(task, &key)),
        };
        Ok(Looked { key, files, found })
    }

    /// Takes note of a result that was just published, so that the next run need not open it.
    pub fn remember(&self, index: usize, manifest: &Manifest) {
        let mut hints = self.hints();
        hints.remember_newest(&self.plan.name, &self.plan.task(index).id, &manifest.fingerprint);
        if let Ok(meta) = fs::metadata(self.store.path(&place(&manifest.fingerprint))) {
            hints.remember_manifest(FileStamp::of(&meta), manifest.clone());
        }
    }

    /// The key of the newest result of a task under its present name, for comparison.
    pub fn newest(&self, task: &Task) -> Option<Manifest> {
        let fingerprint = self.hints().newest(&self.plan.name, &task.id).cloned()?;
        self.find(&fingerprint).ok().flatten().map(|m| (*m).clone())
    }

    /// Saves what was learned.
    pub fn save(&self) {
        self.hints().save();
    }

    /// Everything that decides the task's output, and nothing else: no name of a stage, no path of an input file.
    fn key(&self, task: &Task, inputs: &BTreeMap<String, Vec<Input>>, files: &BTreeMap<String, SourceFile>) -> Key {
        let stage = &self.plan.stages[task.stage];
        let named = task.inputs.iter().map(|i| &i.field).chain(task.files.iter().map(|f| &f.field));
        let mut config = KeyWriter::default().field("kind", stage.kind.name()).field("code", &stage.code);
        config = config.json("config", &task.config).without(named.map(|field| format!("config.{field}")));
        for (key, value) in &task.id.cell.0 {
            config = config.json(&format!("cell.{key}"), value);
        }
        for (field, artifacts) in inputs {
            for artifact in artifacts {
                let gathered = artifact.is_gathered_by(&task.id.cell);
                let name = if gathered { format!("{field}[{}]", artifact.cell) } else { field.clone() };
                config = config.field(format!("inputs.{name}"), &artifact.digest);
            }
        }
        for file in &task.files {
            let hashed = &files[&file.field];
            let value = match file.mark {
                Mark::ProjectFile => format!("{} {}", file.written, hashed.blake3),
                _ => hashed.blake3.clone(),
            };
            config = config.field(format!("files.{}", file.field), value);
        }
        config.finish()
    }

    fn find(&self, fingerprint: &Fingerprint) -> Result<Option<Arc<Manifest>>, Failure> {
        // A manifest that was seen before and whose file is the same is not opened again.
        let stamp = fs::metadata(self.store.path(&place(fingerprint))).ok().map(|meta| FileStamp::of(&meta));
        let Some(stamp) = stamp else { return Ok(None) };
        let seen = self.hints().manifest(fingerprint, &stamp).cloned();
        let results = Results::of(self.store.as_ref());
        let read = |fingerprint| if self.repairs { results.find(fingerprint) } else { results.peek(fingerprint) };
        let manifest = match seen {
            Some(manifest) => Some(manifest),
            None => read(fingerprint).map_err(store_failed)?.inspect(|manifest| {
                self.hints().remember_manifest(stamp, manifest.clone());
            }),
        };
        match manifest {
            Some(manifest) if files_are_there(&self.store, &manifest.files)? => Ok(Some(Arc::new(manifest))),
            Some(_) if self.repairs => {
                results.quarantine(fingerprint).map_err(store_failed)?;
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    fn why(&self, task: &Task, key: &Key) -> String {
        let newest = self.hints().newest(&self.plan.name, &task.id).cloned();
        match newest {
            None => "not run before".to_owned(),
            Some(fingerprint) if fingerprint == key.fingerprint => "its result is gone".to_owned(),
            Some(fingerprint) => match self.find(&fingerprint) {
                Ok(Some(manifest)) => reason(&manifest.key, &key.fields),
                _ => "its key changed".to_owned(),
            },
        }
    }

    fn files(&self, task: &Task) -> Result<BTreeMap<String, SourceFile>, Failure> {
        let companions = self.plan.stages[task.stage].kind.companions();
        task.files.iter().map(|file| Ok((file.field.clone(), self.source(file, companions)?))).collect()
    }

    /// The digest of a file, and of the companions it has: a database's write-ahead log is part of what it says. They
    /// are looked at before and after, since one may move into the other meanwhile.
    fn source(&self, file: &TaskFile, companions: &[&str]) -> Result<SourceFile, Failure> {
        let failed = |e: io::Error| unreadable(file, &e);
        let path = file.path.canonicalize().map_err(failed)?;
        let stamps = || -> io::Result<BTreeMap<String, FileStamp>> {
            let suffixes = std::iter::once("").chain(companions.iter().copied());
            suffixes.map(|s| Ok((s.to_owned(), FileStamp::of_companion(&companion(&path, s))?))).collect()
        };
        let before = stamps().map_err(failed)?;
        let (size, mut blake3) = self.digest(&path).map_err(failed)?;
        for suffix in companions {
            match self.digest(&companion(&path, suffix)) {
                Ok((0, _)) => {}
                Ok((_, more)) => {
                    blake3 = blake3::hash(format!("{blake3}{suffix}{more}").as_bytes()).to_hex().to_string();
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(unreadable(file, &e)),
            }
        }
        let source = SourceFile { path, written: file.written.clone(), size, blake3, stamps: before };
        source.check_unchanged()?;
        Ok(source)
    }

    /// The digest of a file, remembered unless it was written so shortly before that its times cannot tell.
    fn digest(&self, path: &Path) -> io::Result<(u64, String)> {
        let meta = fs::metadata(path)?;
        let stamp = FileStamp::of(&meta);
        if let Some(known) = self.hints().file(path, &stamp) {
            return Ok((meta.len(), known.to_owned()));
        }
        let now = self.world.now();
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(File::open(path)?)?;
        let blake3 = hasher.finalize().to_hex().to_string();
        let after = fs::metadata(path)?;
        if FileStamp::of(&after) == stamp && !is_racy(&meta, now.0) {
            self.hints().remember_file(path, Known { stamp, blake3: blake3.clone() });
        }
        Ok((after.len(), blake3))
    }

    fn hints(&self) -> MutexGuard<'_, Hints> {
        self.hints.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_racy(meta: &Metadata, now_millis: u64) -> bool {
    use std::os::unix::fs::MetadataExt;
    let changed = meta.mtime().max(meta.ctime()).max(0).cast_unsigned() * 1000;
    changed + u64::try_from(RACY.as_millis()).unwrap_or(u64::MAX) >= now_millis
}

fn unreadable(file: &TaskFile, error: &io::Error) -> Failure {
    let code = if error.kind() == io::ErrorKind::NotFound { "file_missing" } else { "file_unreadable" };
    Failure::failed(code, format!("cannot read the file of `{}`", file.field))
        .on(file.path.display().to_string())
        .source(error)
        .help("check the path in the spec; it is relative to the spec's file")
}
