//! A store, and attempts made by hand.

use crate::formats;
use pipe_engine::attempt::{Attempt, Input, Outcome, RemoteSource, SourceFile, VERSION};
use pipe_engine::event::Body;
use pipe_engine::failure::Failure;
use pipe_engine::ids::{AttemptId, Cell, Fingerprint, RunId, TaskId};
use pipe_engine::key::KeyWriter;
use pipe_engine::remote;
use pipe_engine::stage::Registry;
use pipe_engine::units::Bytes;
use pipe_engine::worker::{OUTCOME, run_attempt};
use pipe_engine::world::World;
use serde_json::Value as Json;
use std::cell::Cell as Counter;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A store in a temporary folder.
pub(crate) struct Bench {
    folder: tempfile::TempDir,
    /// Where the store lies when it is not in this folder.
    store: Option<PathBuf>,
    attempts: Counter<u32>,
    /// What the last attempt said on its way.
    pub(crate) said: Mutex<Vec<Body>>,
}

/// What an attempt is given.
#[derive(Default)]
pub(crate) struct Given {
    pub(crate) config: Json,
    pub(crate) cell: Vec<(&'static str, &'static str)>,
    pub(crate) inputs: Vec<(&'static str, Vec<Input>)>,
    pub(crate) files: Vec<(&'static str, PathBuf)>,
    /// Files elsewhere, by their addresses.
    pub(crate) elsewhere: Vec<(&'static str, String)>,
    pub(crate) cpu: u32,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, store: None, attempts: Counter::new(0), said: Mutex::default() }
    }

    /// A bench in this folder whose store lies elsewhere.
    #[cfg(feature = "video")]
    pub(crate) fn within(folder: &Path, store: PathBuf) -> Self {
        let folder = tempfile::tempdir_in(folder).unwrap();
        Self { folder, store: Some(store), attempts: Counter::new(0), said: Mutex::default() }
    }

    /// A path in the store.
    pub(crate) fn stored(&self, path: &str) -> PathBuf {
        self.store.clone().unwrap_or_else(|| self.path("store")).join(path)
    }

    /// A path outside the store.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs an attempt of a kind, as a worker does.
    pub(crate) fn run(&self, kind: &str, given: Given) -> Outcome {
        let number = self.attempts.get() + 1;
        self.attempts.set(number);
        let attempt = self.attempt(kind, given, number);
        let folder = self.path(&format!("attempts/{number}"));
        fs::create_dir_all(&folder).unwrap();
        fs::create_dir_all(attempt.store.join(&attempt.output)).unwrap();
        fs::write(folder.join("attempt.json"), serde_json::to_vec(&attempt).unwrap()).unwrap();
        self.said.lock().unwrap().clear();
        let said = &self.said;
        let hear = |body| said.lock().unwrap().push(body);
        run_attempt(&folder, &kinds(), &World::real(), &hear).unwrap();
        let outcome: Outcome = serde_json::from_slice(&fs::read(folder.join(OUTCOME)).unwrap()).unwrap();
        if outcome.failure.is_none() {
            self.check_formats(kind, &outcome);
        }
        outcome
    }

    /// Holds what a kind wrote against the schemas it gives for it.
    fn check_formats(&self, kind: &str, outcome: &Outcome) {
        for format in pipe_stages::all().get(kind).unwrap().formats() {
            let validator = jsonschema::validator_for(format.schema.as_value()).unwrap();
            for file in outcome.files.iter().filter(|file| format.files.contains(&file.path.as_str())) {
                for record in formats::records(&file.path, &self.text(outcome, &file.path)) {
                    validator.validate(&record).unwrap_or_else(|e| panic!("{}: {e}: {record}", file.path));
                }
            }
        }
    }

    /// The failure of an attempt that must fail.
    pub(crate) fn failure(&self, kind: &str, given: Given) -> Failure {
        self.run(kind, given).failure.expect("the attempt should have failed")
    }

    /// The artifact of an attempt, as an input for the next.
    #[cfg(feature = "video")]
    pub(crate) fn input(&self, outcome: &Outcome, cell: &[(&str, &str)]) -> Input {
        assert_eq!(outcome.failure, None);
        Input {
            cell: cell_of(cell),
            digest: pipe_engine::manifest::digest(&outcome.files),
            files: outcome.files.clone(),
        }
    }

    /// A file of an artifact, as text.
    pub(crate) fn text(&self, outcome: &Outcome, path: &str) -> String {
        fs::read_to_string(self.file(outcome, path)).unwrap()
    }

    /// Where a file of an artifact lies.
    pub(crate) fn file(&self, outcome: &Outcome, path: &str) -> PathBuf {
        let entry = outcome.files.iter().find(|f| f.path == path).unwrap_or_else(|| panic!("{path}: {outcome:?}"));
        self.stored(&entry.at)
    }

    fn attempt(&self, kind: &str, given: Given, number: u32) -> Attempt {
        let kinds = pipe_stages::all();
        let key = KeyWriter::default().field("test", number).finish();
        let inputs = given.inputs.into_iter().map(|(field, inputs)| (field.to_owned(), inputs));
        let files = given.files.into_iter().map(|(field, path)| (field.to_owned(), source(&path)));
        let elsewhere = given.elsewhere.iter().map(|(field, uri)| ((*field).to_owned(), found(uri)));
        Attempt {
            version: VERSION,
            id: AttemptId(format!("test-{number}")),
            run: RunId("test".to_owned()),
            pipeline: "test".to_owned(),
            task: TaskId { stage: kind.to_owned(), cell: cell_of(&given.cell) },
            kind: kind.to_owned(),
            code: kinds.get(kind).unwrap().code(),
            fingerprint: Fingerprint(key.fingerprint.0),
            key: key.fields,
            config: given.config,
            inputs: inputs.collect(),
            files: files.chain(elsewhere).collect(),
            store: self.stored(""),
            output: format!("data/test/{kind}/all@{number}"),
            anew: false,
            cpu: given.cpu.max(1),
            memory: Bytes(1 << 30),
            disk: None,
            checkpoints: Some(self.path("checkpoints")),
            provision: None,
        }
    }
}

fn cell_of(pairs: &[(&str, &str)]) -> Cell {
    pairs.iter().map(|(k, v)| (*k, Json::from(*v))).collect()
}

/// The kinds of a build, with what opens sources elsewhere for those who do not wait long.
fn kinds() -> Registry {
    let remotes = pipe_stores::WebAndBuckets::patient(Duration::from_secs(2), Duration::from_millis(1));
    pipe_stages::all().with_remotes(Arc::new(remotes))
}

/// What lies at an address, as the engine finds it when it makes a key.
fn found(uri: &str) -> SourceFile {
    let stat = kinds().remotes().unwrap().look(uri).unwrap();
    let written = remote::shown(uri);
    SourceFile {
        path: PathBuf::from(&written),
        written,
        size: stat.size,
        blake3: remote::digest(uri, &stat),
        stamps: BTreeMap::new(),
        remote: Some(RemoteSource { uri: uri.to_owned(), stat }),
    }
}

fn source(path: &Path) -> SourceFile {
    let bytes = fs::read(path).unwrap();
    SourceFile {
        path: path.to_owned(),
        written: path.display().to_string(),
        size: bytes.len() as u64,
        blake3: blake3::hash(&bytes).to_hex().to_string(),
        stamps: BTreeMap::new(),
        remote: None,
    }
}
