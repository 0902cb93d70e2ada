//! Items outlive the attempt that made them: whoever needs one again finds it, in the same task or in any other.

use pipe_engine::attempt::{Attempt, ItemCount, Outcome, VERSION};
use pipe_engine::event::Body;
use pipe_engine::failure::Failure;
use pipe_engine::ids::{AttemptId, Cell, Fingerprint, RunId, TaskId};
use pipe_engine::key::{Fields, KeyWriter};
use pipe_engine::local::clear_away;
use pipe_engine::stage::{ConfigProblem, Registry, StageKind};
use pipe_engine::state::StateFolder;
use pipe_engine::store::Folder;
use pipe_engine::units::Bytes;
use pipe_engine::work::Work;
use pipe_engine::worker::{ATTEMPT, OUTCOME, run_attempt};
use pipe_engine::world::World;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use tempfile::TempDir;

const CLIPS: usize = 1000;
const FINISHED: usize = 900;

/// Tells this binary to be the worker that is going to be killed; holds its attempt's folder.
const WORKER: &str = "PIPE_TEST_ITEMS_WORKER";

/// Makes a thousand tiny clips, one after the other.
struct Clips;

impl StageKind for Clips {
    fn name(&self) -> &'static str {
        "clips"
    }
    fn code(&self) -> String {
        "1".to_owned()
    }
    fn schema(&self, _: &mut SchemaGenerator) -> Schema {
        true.into()
    }
    fn check(&self, _: &Json) -> Result<(), ConfigProblem> {
        Ok(())
    }
    fn run(&self, work: &Work<'_>) -> Result<Json, Failure> {
        for clip in 0..CLIPS {
            if clip == FINISHED && std::env::var_os(WORKER).is_some() {
                let mut out = std::io::stdout();
                writeln!(out, "{FINISHED} are there").unwrap();
                fs::write(work.output("half.mp4")?, "ha").unwrap();
                std::thread::sleep(std::time::Duration::from_secs(60));
            }
            let key = KeyWriter::default().field("clip", clip.to_string()).finish();
            let make = |place: &Path| {
                fs::write(place, clip.to_string()).unwrap();
                Ok(json!({ "clip": clip }))
            };
            let item = work.item(&key, &format!("clips/{clip}.mp4"), make)?;
            assert_eq!(item.facts, json!({ "clip": clip }));
        }
        Ok(Json::Null)
    }
}

fn kinds() -> Registry {
    Registry::default().with(Clips)
}

/// A state folder and a store. In memory where there is such a place: each clip is flushed, which is not what is tried here.
struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        Self { folder: folder.unwrap() }
    }

    fn state(&self) -> StateFolder {
        StateFolder::at(self.folder.path().join("state"))
    }

    fn store(&self) -> Folder {
        Folder::open(self.folder.path().join("store")).unwrap()
    }

    /// Describes an attempt at a task. Returns its folder.
    fn attempt(&self, pipeline: &str, stage: &str, number: u32) -> PathBuf {
        let fingerprint = Fingerprint(blake3::hash(pipeline.as_bytes()).to_hex().to_string());
        let id = AttemptId::new(&fingerprint, number);
        let attempt = Attempt {
            version: VERSION,
            id: id.clone(),
            run: RunId("r".to_owned()),
            pipeline: pipeline.to_owned(),
            task: TaskId { stage: stage.to_owned(), cell: Cell::default() },
            kind: "clips".to_owned(),
            code: "1".to_owned(),
            fingerprint,
            key: Fields::default(),
            config: json!({}),
            inputs: BTreeMap::new(),
            files: BTreeMap::new(),
            store: self.store().root().to_owned(),
            output: format!("data/{pipeline}/{stage}/all@12345678-{number}"),
            anew: false,
            cpu: 1,
            memory: Bytes(1 << 20),
            disk: None,
            checkpoints: None,
            provision: None,
        };
        let folder = self.state().attempt(&id);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(ATTEMPT), serde_json::to_vec(&attempt).unwrap()).unwrap();
        folder
    }

    fn run(&self, folder: &Path) -> Outcome {
        assert!(run_attempt(folder, &kinds(), &World::real(), &|_: Body| {}).unwrap(), "the attempt failed");
        serde_json::from_slice(&fs::read(folder.join(OUTCOME)).unwrap()).unwrap()
    }
}

/// A test for the runner and, with the variable set, the child of the one below.
#[test]
fn a_worker_goes_on_until_it_is_killed() {
    let Some(folder) = std::env::var_os(WORKER) else { return };
    run_attempt(Path::new(&folder), &kinds(), &World::real(), &|_: Body| {}).unwrap();
}

#[test]
fn a_retry_finds_the_900_clips_that_its_dead_attempt_had_finished() {
    let bench = Bench::new();
    let first = bench.attempt("week", "clips", 1);
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "items::a_worker_goes_on_until_it_is_killed", "--nocapture"])
        .env(WORKER, &first)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("900 are there")), "the worker ended before it was killed");
    child.kill().unwrap();
    child.wait().unwrap();
    clear_away(&bench.state(), &bench.store());
    let half = bench.store().path("data/week/clips/all@12345678-1/half.mp4");
    assert!(!half.exists(), "what was half done is swept");
    let again = bench.run(&bench.attempt("week", "clips", 2));
    assert_eq!(again.items, ItemCount { made: 100, reused: 900, failed: 0 });
    assert_eq!(again.files.len(), CLIPS);
    for file in &again.files {
        let text = fs::read_to_string(bench.store().path(&file.at)).unwrap();
        assert_eq!(file.path, format!("clips/{text}.mp4"));
    }
}

#[test]
fn two_specs_that_ask_for_one_clip_share_it_and_copy_nothing() {
    let bench = Bench::new();
    let one = bench.run(&bench.attempt("week", "clips", 1));
    let two = bench.run(&bench.attempt("season", "cuts", 1));
    assert_eq!((one.items.made, two.items), (1000, ItemCount { made: 0, reused: 1000, failed: 0 }));
    assert_eq!(one.files, two.files, "both name the same bytes in the same place");
    let meta = fs::metadata(bench.store().path(&one.files[0].at)).unwrap();
    assert!(meta.permissions().readonly() && meta.nlink() == 1);
    assert!(!bench.store().path("data/season/cuts/all@12345678-1/clips/0.mp4").exists());
}

#[test]
fn an_attempt_on_another_machine_takes_items_out_of_the_bucket_and_those_that_are_spoilt_are_made_anew() {
    let (bucket, bench) = (Bench::new(), Bench::new());
    let made = bucket.run(&bucket.attempt("week", "clips", 1));
    let spoilt = bucket.store().path(&made.files[7].at);
    fs::remove_file(&spoilt).unwrap();
    fs::write(&spoilt, "x".repeat(made.files[7].size as usize)).unwrap();
    let kinds = kinds().with_bucket("s3://bucket/prefix", Arc::new(bucket.store()));
    let folder = bench.attempt("week", "clips", 2);
    assert!(run_attempt(&folder, &kinds, &World::real(), &|_: Body| {}).unwrap());
    let outcome: Outcome = serde_json::from_slice(&fs::read(folder.join(OUTCOME)).unwrap()).unwrap();
    assert_eq!(outcome.items, ItemCount { made: 1, reused: 999, failed: 0 });
    for (file, before) in outcome.files.iter().zip(&made.files) {
        let text = fs::read_to_string(bench.store().path(&file.at)).unwrap();
        assert_eq!(file.path, format!("clips/{text}.mp4"));
        assert_eq!((&file.blake3, file.at == before.at), (&before.blake3, before.path != made.files[7].path));
    }
    assert_eq!(bench.run(&bench.attempt("week", "clips", 3)).items.reused, 1000, "they are here now");
}
