//! A name that leads nowhere -> the ones that would have: spec files in the folders around, tasks of a plan.

use pipe_engine::text::closest;
use std::fs;
use std::path::{Path, PathBuf};

/// How many names a help line offers.
const OFFERED: usize = 8;

/// Help for a spec that cannot be read.
pub(crate) fn specs(wanted: &Path) -> String {
    let mut found = specs_around(wanted);
    found.sort();
    found.dedup();
    let names: Vec<String> = found.iter().map(|path| path.display().to_string()).collect();
    match closest(&wanted.display().to_string(), names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.is_empty() => "name a TOML or YAML file; there is none near here".to_owned(),
        None => format!("specs near here: {}", some(&names)),
    }
}

/// Help for a task pattern that names no task.
pub(crate) fn tasks(wanted: &str, stages: &[&str], tasks: &[String]) -> String {
    let stage = wanted.split('[').next().unwrap_or(wanted);
    if stages.contains(&stage) {
        let of_stage: Vec<String> = tasks.iter().filter(|t| t.split('[').next() == Some(stage)).cloned().collect();
        return format!("`{stage}` has {}", some(&of_stage));
    }
    match closest(stage, stages.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", some(&stages.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>())),
    }
}

fn some(names: &[String]) -> String {
    let shown = names.iter().take(OFFERED).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(OFFERED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Spec files in the folder that was named, and in `specs/` here.
fn specs_around(wanted: &Path) -> Vec<PathBuf> {
    let parent = wanted.parent().unwrap_or(Path::new(""));
    let folders = [parent, Path::new(""), Path::new("specs")];
    folders.iter().flat_map(|folder| specs_in(folder)).collect()
}

fn specs_in(folder: &Path) -> Vec<PathBuf> {
    let place = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    let files = entries.map(|entry| folder.join(entry.file_name()));
    files.filter(|path| looks_like_a_spec(path)).collect()
}

/// Other TOML and YAML files lie around in every project; only a spec has stages.
fn looks_like_a_spec(path: &Path) -> bool {
    let known = path.extension().is_some_and(|e| e == "toml" || e == "yaml" || e == "yml");
    known && fs::read_to_string(path).is_ok_and(|text| text.contains("stages"))
}
