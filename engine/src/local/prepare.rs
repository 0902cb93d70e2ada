//! An attempt's folders and files, made before its process starts.

use super::Local;
use crate::attempt::Attempt;
use crate::failure::Failure;
use crate::ids::AttemptId;
use crate::stage::Launch;
use crate::worker::{ATTEMPT, write_whole};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// An attempt that only needs to be started.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// What it is to do.
    pub attempt: Attempt,
    /// Its folder in the state folder.
    pub folder: PathBuf,
    /// How it is started.
    pub launch: Launch,
    /// For a program: the variables that say where its inputs are.
    pub variables: BTreeMap<String, String>,
}

/// Gives the attempt its number, its output folder in the store and its folder in the state.
///
/// The number is the first whose output folder could be made: making a folder is a step that only one of two
/// engines can win, so no two attempts share one.
///
/// # Errors
/// When a folder or file cannot be made.
pub fn prepare(local: &Local, mut attempt: Attempt, launch: Launch) -> Result<Prepared, Failure> {
    let stem = attempt.output.clone();
    let parent = local.store.path(&stem);
    let parent = parent.parent().unwrap_or(local.store.root());
    fs::create_dir_all(parent).map_err(|e| Failure::io("make the folder", parent, &e))?;
    for number in 1.. {
        attempt.output = format!("{stem}-{number}");
        let folder = local.store.path(&attempt.output);
        match fs::create_dir(&folder) {
            Ok(()) => {
                attempt.id = AttemptId::new(&attempt.fingerprint, number);
                break;
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(Failure::io("make the folder", &folder, &e)),
        }
    }
    let folder = local.state.attempt(&attempt.id);
    let begin = || -> io::Result<()> {
        // A state folder that outlived its store may hold an attempt of this name.
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(folder.join("work"))
    };
    begin().map_err(|e| Failure::io("make the folder", &folder, &e))?;
    write_whole(&folder.join(ATTEMPT), &attempt)?;
    let variables = match launch {
        Launch::Worker => BTreeMap::new(),
        Launch::Program { .. } => place_inputs(local, &attempt, &folder)?,
    };
    Ok(Prepared { attempt, folder, launch, variables })
}

/// Lays out what a program was promised: inputs as links to read-only files, project files as copies under their
/// own relative paths. Returns the variables that lead to them.
fn place_inputs(local: &Local, attempt: &Attempt, folder: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let mut variables = BTreeMap::new();
    for (field, artifacts) in &attempt.inputs {
        let place = folder.join("inputs").join(plain_name(field));
        for artifact in artifacts {
            let cell = if artifacts.len() == 1 { place.clone() } else { place.join(artifact.cell.folder()) };
            fs::create_dir_all(&cell).map_err(|e| Failure::io("make the folder", &cell, &e))?;
            for file in &artifact.files {
                link(&local.store.path(&file.at), &cell.join(&file.path))?;
            }
        }
        variables.insert(variable(field), place.display().to_string());
    }
    for (field, file) in &attempt.files {
        if field.starts_with("files[") {
            let place = folder.join("work").join(&file.written);
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

fn link(target: &Path, place: &Path) -> Result<(), Failure> {
    make_parent(place)?;
    symlink(target, place).map_err(|e| Failure::io("link", place, &e))
}

fn make_parent(place: &Path) -> Result<(), Failure> {
    let parent = place.parent().unwrap_or(place);
    fs::create_dir_all(parent).map_err(|e| Failure::io("make the folder", parent, &e))
}

/// `inputs.model.stage` is `model` to its program.
fn plain_name(field: &str) -> String {
    let name = field.strip_prefix("inputs.").unwrap_or(field);
    let name = name.strip_suffix(".stage").or_else(|| name.strip_suffix(".file")).unwrap_or(name);
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

fn variable(field: &str) -> String {
    format!("PIPE_INPUT_{}", plain_name(field).to_ascii_uppercase())
}
