//! An attempt's folders and files, made before its process starts.

use super::{Local, checkpoints};
use crate::attempt::Attempt;
use crate::failpoint::reach;
use crate::failure::Failure;
use crate::ids::AttemptId;
use crate::plan::input_name;
use crate::secret;
use crate::stage::Launch;
use crate::worker::{ATTEMPT, write_whole};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

/// An attempt that only needs to be started.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// What it is to do.
    pub attempt: Attempt,
    /// Its folder in the state folder.
    pub folder: PathBuf,
    /// How it is started.
    pub launch: Launch,
    /// Variables of its stage.
    pub env: BTreeMap<String, String>,
    /// Its secrets, by the variables its process gets. They are written nowhere.
    pub secrets: secret::Values,
    /// For a program: the variables that say where its inputs are.
    pub variables: BTreeMap<String, String>,
    /// How often the kernel had killed for want of memory before it began.
    pub(super) oom_kills: Option<u64>,
}

/// Gives the attempt its number, its output folder in the store and its folder in the state.
///
/// The number is the first of which both folders could be made: making a folder is a step that only one can win, two
/// tasks of one run that have the same key or two engines of one store, so no two attempts share either. A failed try
/// keeps its name and its log when the next one begins.
///
/// # Errors
/// When a folder or file cannot be made.
pub fn prepare(
    local: &Local,
    mut attempt: Attempt,
    launch: Launch,
    env: BTreeMap<String, String>,
    secrets: secret::Values,
) -> Result<Prepared, Failure> {
    let stem = attempt.output.clone();
    let parent = local.store.path(&stem);
    let parent = parent.parent().unwrap_or(local.store.root());
    fs::create_dir_all(parent).map_err(|e| Failure::io("make the folder", parent, &e))?;
    for number in 1.. {
        attempt.id = AttemptId::new(&attempt.fingerprint, number);
        attempt.output = format!("{stem}-{number}");
        let folder = local.state.attempt(&attempt.id);
        if !make_first(&folder)? {
            continue;
        }
        if make_first(&local.store.path(&attempt.output))? {
            break;
        }
        let _ = fs::remove_dir(&folder);
    }
    reach("attempt.folder_made");
    lay_out(local, attempt, launch, env, secrets)
}

/// As [`prepare`], of an attempt that has its number and its output folder: it was described elsewhere, and this machine
/// works on it alone. What a process before has left of its folder is removed.
///
/// # Errors
/// As [`prepare`].
pub(crate) fn prepare_as(
    local: &Local,
    attempt: Attempt,
    launch: Launch,
    env: BTreeMap<String, String>,
    secrets: secret::Values,
) -> Result<Prepared, Failure> {
    let folder = local.state.attempt(&attempt.id);
    let _ = fs::remove_dir_all(&folder);
    for place in [&folder, &local.store.path(&attempt.output)] {
        fs::create_dir_all(place).map_err(|e| Failure::io("make the folder", place, &e))?;
    }
    lay_out(local, attempt, launch, env, secrets)
}

/// Fills an attempt's folder.
fn lay_out(
    local: &Local,
    mut attempt: Attempt,
    launch: Launch,
    env: BTreeMap<String, String>,
    secrets: secret::Values,
) -> Result<Prepared, Failure> {
    let folder = local.state.attempt(&attempt.id);
    fs::create_dir_all(work_folder(&attempt, &folder)).map_err(|e| Failure::io("make the folder", &folder, &e))?;
    attempt.checkpoints = checkpoints::of_worker(&local.state, &attempt, &launch);
    write_whole(&folder.join(ATTEMPT), &attempt)?;
    reach("attempt.described");
    let variables = match launch {
        Launch::Worker => BTreeMap::new(),
        Launch::Program { .. } => place_inputs(local, &attempt, &folder)?,
    };
    let oom_kills = local.oom_kills.count();
    let mut prepared = Prepared { attempt, folder, launch, env, secrets, variables, oom_kills };
    checkpoints::give(&local.state, &mut prepared)?;
    Ok(prepared)
}

/// Makes a folder. Returns whether it was not there yet.
fn make_first(folder: &Path) -> Result<bool, Failure> {
    match fs::create_dir(folder) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(Failure::io("make the folder", folder, &e)),
    }
}

/// Lays out what a program was promised: inputs as links to read-only files, project files as copies under their
/// own relative paths. Returns the variables that lead to them.
fn place_inputs(local: &Local, attempt: &Attempt, folder: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let mut variables = BTreeMap::new();
    for (field, artifacts) in &attempt.inputs {
        let place = folder.join("inputs").join(plain_name(field));
        let takes_all = takes_all(&attempt.config, field);
        // Of an input without any result there is an empty folder, and not none.
        fs::create_dir_all(&place).map_err(|e| Failure::io("make the folder", &place, &e))?;
        for artifact in artifacts {
            let gathered = takes_all || artifact.cell.is_gathered_by(&attempt.task.cell);
            let cell = if gathered { place.join(artifact.cell.folder()) } else { place.clone() };
            fs::create_dir_all(&cell).map_err(|e| Failure::io("make the folder", &cell, &e))?;
            for file in &artifact.files {
                link(&local.store.path(&file.at), &cell.join(&file.path))?;
            }
        }
        variables.insert(variable(field), place.display().to_string());
    }
    for (field, file) in &attempt.files {
        if is_project_file(field) {
            // An absolute path leads to the file itself; a copy onto it would empty it.
            if Path::new(&file.written).is_absolute() {
                continue;
            }
            let place = work_folder(attempt, folder).join(&file.written);
            make_parent(&place)?;
            fs::copy(&file.path, &place).map_err(|e| Failure::io("copy", &file.path, &e))?;
        } else {
            let name = file.path.file_name().unwrap_or_default();
            let place = folder.join("inputs").join(plain_name(field)).join(name);
            link(&file.path, &place)?;
            variables.insert(variable(field), place.display().to_string());
        }
    }
    Ok(variables)
}

/// Whether `all = true` stands beside the field of an input, such as `inputs.games.stage`.
fn takes_all(config: &Json, field: &str) -> bool {
    let Some((table, _)) = field.rsplit_once('.') else { return false };
    config.pointer(&format!("/{}/all", table.replace('.', "/"))) == Some(&Json::Bool(true))
}

/// Where a program runs: as deep below `work/` as its project files climb, so that a copy of `../tools/x.py` has a
/// place of its own there and lands on nothing else.
pub(super) fn work_folder(attempt: &Attempt, folder: &Path) -> PathBuf {
    let files = attempt.files.iter().filter(|(field, _)| is_project_file(field));
    let deepest = files.map(|(_, file)| climb(Path::new(&file.written))).max().unwrap_or(0);
    (0..deepest).fold(folder.join("work"), |work, _| work.join("spec"))
}

fn is_project_file(field: &str) -> bool {
    field.starts_with("files[")
}

/// How many folders a relative path leaves at most on its way: 1 for `../a` and for `a/../../b/c`.
fn climb(path: &Path) -> usize {
    let (mut depth, mut most) = (0_usize, 0);
    for part in path.components() {
        match part {
            Component::ParentDir if depth == 0 => most += 1,
            Component::ParentDir => depth -= 1,
            Component::Normal(_) => depth += 1,
            _ => {}
        }
    }
    most
}

fn link(target: &Path, place: &Path) -> Result<(), Failure> {
    make_parent(place)?;
    symlink(target, place).map_err(|e| Failure::io("link", place, &e))
}

fn make_parent(place: &Path) -> Result<(), Failure> {
    let parent = place.parent().unwrap_or(place);
    fs::create_dir_all(parent).map_err(|e| Failure::io("make the folder", parent, &e))
}

/// The input's name as a part of a variable's and of a path.
fn plain_name(field: &str) -> String {
    input_name(field).chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

fn variable(field: &str) -> String {
    format!("PIPE_INPUT_{}", plain_name(field).to_ascii_uppercase())
}
