//! What every scene needs: the binary, the size of the project, an undisturbed run to hold the others against.

use crate::engine::{Ended, Engine};
use crate::project::Project;
use crate::watch::{Control, Watch};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The binary, and what a run that nobody disturbs does.
pub(crate) struct Bench {
    pub(crate) pipe: PathBuf,
    pub(crate) tasks: usize,
    pub(crate) seed: u64,
    pub(crate) is_short: bool,
    pub(crate) control: Control,
    /// How long the undisturbed run took.
    pub(crate) took: Duration,
    /// How often it came to each fail point.
    pub(crate) reached: BTreeMap<String, u64>,
    folder: TempDir,
}

impl Bench {
    /// Copies the binary, so that a build meanwhile changes nothing, and runs the project undisturbed.
    pub(crate) fn new(pipe: &Path, tasks: usize, seed: u64, is_short: bool) -> Result<Self, String> {
        let told = |e: io::Error| e.to_string();
        let folder = tempfile::tempdir().map_err(told)?;
        let copy = folder.path().join("pipe");
        fs::copy(pipe, &copy).map_err(|e| format!("{}: {e}: build it, or name it with --pipe", pipe.display()))?;
        let mut bench = Self {
            pipe: copy,
            tasks,
            seed,
            is_short,
            control: Control::default(),
            took: Duration::ZERO,
            reached: BTreeMap::new(),
            folder,
        };
        let project = bench.project("control").map_err(told)?;
        let log = bench.folder.path().join("points");
        let begun = Instant::now();
        let with = [("PIPE_FAILPOINT_LOG", log.display().to_string())];
        let ended = Engine::start(&bench.pipe, &project, &with, Vec::new()).wait();
        bench.took = begun.elapsed();
        if ended.code() != Some(0) {
            return Err(ended.told());
        }
        let points =
            fs::read_to_string(&log).map_err(|_| "this pipe has no fail points: build it by tools/torture.sh")?;
        for point in points.lines() {
            *bench.reached.entry(point.to_owned()).or_default() += 1;
        }
        bench.control = control(&project)?;
        if bench.control.made.len() != tasks || bench.control.published.len() != tasks / 4 - 1 {
            return Err("the undisturbed run did not make everything".to_owned());
        }
        fs::remove_dir_all(&project.folder).map_err(told)?;
        Ok(bench)
    }

    /// A fresh project in a folder of its own.
    pub(crate) fn project(&self, name: &str) -> io::Result<Project> {
        let folder = self.room(name)?;
        Project::write(&folder, &self.notes(name), self.tasks)
    }

    /// A fresh project under watch, in the place of the one that had this name.
    pub(crate) fn watch(&self, name: &str) -> Watch {
        Watch::over(self.project(name).expect("a folder for temporary files can be written"))
    }

    /// An empty folder.
    pub(crate) fn room(&self, name: &str) -> io::Result<PathBuf> {
        let folder = self.folder.path().join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir(&folder)?;
        Ok(folder)
    }

    /// Where the tasks of a project take their notes.
    pub(crate) fn notes(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.notes"))
    }

    /// A run of a project to its end.
    pub(crate) fn run(&self, project: &Project) -> Ended {
        Engine::start(&self.pipe, project, &[], Vec::new()).wait()
    }
}

fn control(project: &Project) -> Result<Control, String> {
    let (manifests, torn) = project.manifests();
    if let Some(torn) = torn.first() {
        return Err(torn.clone());
    }
    let made = manifests.iter().map(|m| Ok((m.provenance.task.to_string(), project.made(m)?)));
    Ok(Control { made: made.collect::<Result<_, String>>()?, published: project.published() })
}

/// Numbers that look random and are the same for the same seed: splitmix64.
pub(crate) struct Seed(u64);

impl Seed {
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// A number from 0 up to 1.
    pub(crate) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
