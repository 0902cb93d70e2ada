//! Sample games for tests of the whole: made once for a run of the tests, shared by its processes.

use pipe_testdata::{Recipe, generate};
use rusqlite::Connection;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Sample data and a store that tests of one run share, so that what one has cut another need not.
pub(crate) struct Sample {
    root: PathBuf,
}

impl Sample {
    /// The sample data of this run of the tests. Whoever comes first makes it; nothing is taken over from an earlier
    /// run, whose code may have been another.
    pub(crate) fn shared() -> Self {
        let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("quickstart");
        fs::create_dir_all(&all).unwrap();
        let run = std::env::var("NEXTEST_RUN_ID").unwrap_or_else(|_| std::process::id().to_string());
        let root = all.join(&run);
        let lock = File::create(all.join("lock")).unwrap();
        lock.lock().unwrap();
        if !root.exists() {
            for old in fs::read_dir(&all).unwrap().flatten().filter(|e| e.file_name() != "lock") {
                fs::remove_dir_all(old.path()).unwrap();
            }
            fs::create_dir_all(&root).unwrap();
        }
        generate(&root.join("data"), &Recipe::default()).unwrap();
        let sample = Self { root };
        if !sample.root.join("store").exists() {
            // Every test begins with the clips and frames of the undisturbed games; its own seed leaves the models of
            // the tests to the tests.
            Project::new(&sample).run(&["-P", "seed=1001"]);
        }
        sample
    }

    /// The parameter that leads the quickstart to the sample data.
    pub(crate) fn param(&self) -> String {
        format!("data={}", self.root.join("data").display())
    }

    /// The sample data under another name: a database of its own, and links to the same videos.
    pub(crate) fn disturbed(&self, name: &str) -> Data {
        let data = Data { folder: self.root.join(format!("data-{name}-{}", std::process::id())) };
        let original = self.root.join("data");
        for game in fs::read_dir(original.join("videos")).unwrap().flatten().filter(|e| e.path().is_dir()) {
            let folder = data.folder.join("videos").join(game.file_name());
            fs::create_dir_all(&folder).unwrap();
            for video in fs::read_dir(game.path()).unwrap().flatten() {
                symlink(video.path(), folder.join(video.file_name())).unwrap();
            }
        }
        fs::copy(original.join("plays.db"), data.folder.join("plays.db")).unwrap();
        data
    }
}

/// One set of sample data.
pub(crate) struct Data {
    folder: PathBuf,
}

impl Data {
    /// The parameter that leads the quickstart here.
    pub(crate) fn param(&self) -> String {
        format!("data={}", self.folder.display())
    }

    /// Changes the database.
    pub(crate) fn change_plays(&self, sql: &str) {
        Connection::open(self.folder.join("plays.db")).unwrap().execute_batch(sql).unwrap();
    }

    /// Gives two angles of a game each other's video.
    pub(crate) fn exchange(&self, game: &str, a: &str, b: &str) {
        let path = |name: &str| self.folder.join(format!("videos/{game}/{name}.mp4"));
        fs::rename(path(a), path("aside")).unwrap();
        fs::rename(path(b), path(a)).unwrap();
        fs::rename(path("aside"), path(b)).unwrap();
    }

    /// Gives every file new times and the same bytes. Links are replaced by copies, so no other test is touched.
    pub(crate) fn touch_everything(&self) {
        let database = self.folder.join("plays.db");
        let bytes = fs::read(&database).unwrap();
        fs::write(&database, bytes).unwrap();
        for game in fs::read_dir(self.folder.join("videos")).unwrap().flatten() {
            for video in fs::read_dir(game.path()).unwrap().flatten() {
                let bytes = fs::read(video.path()).unwrap();
                fs::remove_file(video.path()).unwrap();
                fs::write(video.path(), bytes).unwrap();
            }
        }
    }
}

/// A copy of the quickstart with a state of its own and the shared store.
pub(crate) struct Project {
    folder: tempfile::TempDir,
    store: PathBuf,
    data: PathBuf,
}

impl Project {
    pub(crate) fn new(sample: &Sample) -> Self {
        Self::with_store(sample, &sample.root.join("store"))
    }

    /// The quickstart with another store.
    pub(crate) fn with_store(sample: &Sample, store: &Path) -> Self {
        let project =
            Self { folder: tempfile::tempdir().unwrap(), store: store.to_owned(), data: sample.root.join("data") };
        let specs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../specs");
        for folder in ["prompts", "tools"] {
            fs::create_dir(project.folder.path().join(folder)).unwrap();
        }
        for file in ["quickstart.toml", "quickstart.yaml", "prompts/play.jinja", "tools/model-card.sh"] {
            fs::copy(specs.join(file), project.folder.path().join(file)).unwrap();
        }
        let store = project.store.display().to_string();
        let data = project.data.display().to_string();
        for spec in ["quickstart.toml", "quickstart.yaml"] {
            project.edit(spec, |text| text.replace("../out", &store).replace("../testdata", &data));
        }
        project
    }

    /// The store it shares.
    pub(crate) fn store(&self) -> &Path {
        &self.store
    }

    /// Its own state folder.
    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join(".pipe")
    }

    pub(crate) fn edit_spec(&self, change: impl Fn(String) -> String) {
        self.edit("quickstart.toml", change);
    }

    fn edit(&self, file: &str, change: impl Fn(String) -> String) {
        let path = self.folder.path().join(file);
        let before = fs::read_to_string(&path).unwrap();
        let after = change(before.clone());
        assert_ne!(before, after, "the change found nothing to change in {file}");
        fs::write(path, after).unwrap();
    }

    pub(crate) fn pipe(&self, arguments: &[&str]) -> Said {
        let output = Command::new(env!("CARGO_BIN_EXE_pipe"))
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Said {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs the quickstart, which must end well.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.run_spec("quickstart.toml", arguments)
    }

    pub(crate) fn run_spec(&self, spec: &str, arguments: &[&str]) -> Run {
        let said = self.pipe(&[&["run", spec, "--json"], arguments].concat());
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        let events = said.stdout.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        Run { events, store: self.store.clone() }
    }
}

/// What the binary said.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The events of a run.
pub(crate) struct Run {
    pub(crate) events: Vec<Json>,
    store: PathBuf,
}

impl Run {
    fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Json> {
        self.events.iter().filter(move |e| e["type"] == kind)
    }

    /// What the one task of a stage told about its result.
    pub(crate) fn result_of(&self, task: &str) -> Json {
        let event = self.of("task_succeeded").find(|e| e["task"] == task);
        event.unwrap_or_else(|| panic!("{task} did not run: {:?}", self.events.last()))["result"].clone()
    }

    /// The digest of every task's result, by the task.
    pub(crate) fn digests(&self) -> BTreeMap<String, String> {
        let text = |event: &Json, key: &str| event[key].as_str().unwrap().to_owned();
        self.of("task_succeeded").map(|e| (text(e, "task"), text(e, "digest"))).collect()
    }

    /// Attempts of a stage.
    pub(crate) fn started(&self, stage: &str) -> usize {
        self.of("attempt_started").filter(|e| is_of(e, stage)).count()
    }

    /// Items made by the attempts of a stage, where there were any.
    pub(crate) fn items_made(&self, stage: &str) -> Vec<(String, u64)> {
        self.of("attempt_ended")
            .filter(|e| is_of(e, stage))
            .map(|e| (e["task"].as_str().unwrap().to_owned(), e["items"]["made"].as_u64().unwrap()))
            .collect()
    }

    /// A file of the newest result of a stage without a matrix.
    pub(crate) fn output(&self, stage: &str, file: &str) -> String {
        let folder = self.store.join("data/quickstart").join(stage);
        let newest = fs::read_dir(folder).unwrap().flatten().max_by_key(|e| e.metadata().unwrap().modified().unwrap());
        fs::read_to_string(newest.unwrap().path().join(file)).unwrap()
    }
}

fn is_of(event: &Json, stage: &str) -> bool {
    event["task"].as_str().is_some_and(|t| t == stage || t.starts_with(&format!("{stage}[")))
}
