//! A number of tasks -> a project that tells whether it was made once, whole and right.
//!
//! Four stages and one task that gathers: `left` and `right` write files in two parts with a nap between, so that a kill
//! can fall into the middle; `right` leaves a process behind; `both` takes two inputs; `last` publishes into the project.
//! Every task notes its start and its end in a file outside.

use pipe_engine::manifest::Manifest;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

const SPEC: &str = r#"version = 1
name = "fire"

[stages.left]
kind = "command"
matrix.n = [QUARTER]
shell = '''echo "start $PIPE_TASK" >> NOTES
    { seq 1 300; sleep 0.$((PIPE_CELL_N % 5)); seq 301 600; echo $PIPE_TASK; } > $PIPE_OUTPUT/x
    echo "end $PIPE_TASK" >> NOTES'''
outputs = ["x"]

[stages.right]
kind = "command"
matrix.n = [QUARTER]
shell = '''echo "start $PIPE_TASK" >> NOTES
    sleep 30 > /dev/null 2>&1 &
    { seq 1 300; sleep 0.$((PIPE_CELL_N % 5)); seq 301 600; echo $PIPE_TASK; } > $PIPE_OUTPUT/x
    echo "end $PIPE_TASK" >> NOTES'''
outputs = ["x"]

[stages.both]
kind = "command"
matrix.n = [QUARTER]
shell = '''echo "start $PIPE_TASK" >> NOTES
    cat $PIPE_INPUT_LEFT/x $PIPE_INPUT_RIGHT/x > $PIPE_OUTPUT/x
    echo "end $PIPE_TASK" >> NOTES'''
inputs = { left = { stage = "left" }, right = { stage = "right" } }
outputs = ["x"]

[stages.last]
kind = "command"
matrix.n = [REST]
shell = '''echo "start $PIPE_TASK" >> NOTES
    { echo $PIPE_TASK; sleep 0.$((PIPE_CELL_N % 2)); tail -n 3 $PIPE_INPUT_BOTH/x; } > $PIPE_OUTPUT/x
    echo "end $PIPE_TASK" >> NOTES'''
inputs = { both = { stage = "both" } }
outputs = ["x"]
publish = { "x" = "published/{{ n }}.txt" }

[stages.all]
kind = "command"
shell = '''echo "start $PIPE_TASK" >> NOTES
    { sleep 0.2; cat $PIPE_INPUT_LAST/*/x; } > $PIPE_OUTPUT/x
    echo "end $PIPE_TASK" >> NOTES'''
inputs = { last = { stage = "last" } }
outputs = ["x"]
"#;

/// What a task made: its files and their digests.
pub(crate) type Made = BTreeMap<String, String>;

/// A folder with the spec, and the file that the tasks write their notes to.
pub(crate) struct Project {
    pub(crate) folder: PathBuf,
    pub(crate) notes: PathBuf,
    pub(crate) tasks: usize,
}

impl Project {
    /// Writes a project of so many tasks, which must be a multiple of four, into a folder that is there.
    pub(crate) fn write(folder: &Path, notes: &Path, tasks: usize) -> io::Result<Self> {
        let numbers = |n: usize| (0..n).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
        let spec = SPEC
            .replace("QUARTER", &numbers(tasks / 4))
            .replace("REST", &numbers(tasks / 4 - 1))
            .replace("NOTES", &notes.display().to_string());
        Self::with(folder, notes, &spec, tasks)
    }

    /// Writes a project with a spec of its own.
    pub(crate) fn with(folder: &Path, notes: &Path, spec: &str, tasks: usize) -> io::Result<Self> {
        fs::write(folder.join("spec.toml"), spec)?;
        fs::write(notes, "")?;
        Ok(Self { folder: folder.canonicalize()?, notes: notes.to_owned(), tasks })
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.join(".pipe")
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.folder.join("out")
    }

    /// The notes of the tasks between two bytes, in order: whether it is a start, and of which task.
    pub(crate) fn notes_in(&self, bytes: Range<usize>) -> Vec<(bool, String)> {
        let text = fs::read_to_string(&self.notes).unwrap_or_default();
        let lines = text.get(bytes).unwrap_or_default().lines();
        lines.filter_map(|l| l.split_once(' ')).map(|(what, task)| (what == "start", task.to_owned())).collect()
    }

    /// The manifests in the store; and those that cannot be read, by their paths.
    pub(crate) fn manifests(&self) -> (Vec<Manifest>, Vec<String>) {
        let (mut read, mut torn) = (Vec::new(), Vec::new());
        for folder in entries(&self.store().join("results")) {
            for file in entries(&folder) {
                match fs::read(&file).ok().and_then(|text| serde_json::from_slice(&text).ok()) {
                    Some(manifest) => read.push(manifest),
                    None => torn.push(format!("{} is no manifest", file.display())),
                }
            }
        }
        (read, torn)
    }

    /// What a manifest says its task made, if all of it is there as it says.
    pub(crate) fn made(&self, manifest: &Manifest) -> Result<Made, String> {
        let mut made = Made::new();
        for file in &manifest.files {
            let bytes = fs::read(self.store().join(&file.at)).map_err(|e| format!("{}: {e}", file.at))?;
            if blake3::hash(&bytes).to_hex().as_str() != file.blake3 {
                return Err(format!(
                    "{} has other bytes than its manifest says ({} of {})",
                    file.at,
                    bytes.len(),
                    file.size
                ));
            }
            made.insert(file.path.clone(), file.blake3.clone());
        }
        Ok(made)
    }

    /// What was published into the project, by name.
    pub(crate) fn published(&self) -> Made {
        let file = |path: PathBuf| {
            let name = path.file_name()?.to_string_lossy().into_owned();
            Some((name, blake3::hash(&fs::read(path).ok()?).to_hex().to_string()))
        };
        entries(&self.folder.join("published")).into_iter().filter_map(file).collect()
    }
}

/// How long a file of notes is.
pub(crate) fn noted(notes: &Path) -> usize {
    fs::metadata(notes).map_or(0, |meta| usize::try_from(meta.len()).unwrap_or(0))
}

/// What lies in a folder; nothing when it is not there.
pub(crate) fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
