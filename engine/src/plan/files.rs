//! The files outside the store that a task names: where they lie, and whether they are there at all.

use super::{Request, TaskFile, code};
use crate::spec::StageSpec;
use crate::spec::model::path_parts;
use crate::spec::node::Value;
use crate::spec::template::{Context, Templates};
use crate::stage::Marked;
use crate::text::Diagnostic;
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;

/// The files of one task. Paths are relative to the folder of the file that names them.
pub(super) fn resolve(
    stage: &StageSpec,
    request: &Request<'_>,
    found: &[Marked],
    context: &Context,
    templates: &Templates,
) -> Result<Vec<TaskFile>, Vec<Diagnostic>> {
    let mut files = Vec::new();
    let mut problems = Vec::new();
    for marked in found.iter().filter(|m| !m.mark.is_stage()) {
        let node = stage.body.at(&path_parts(&marked.field));
        // A list that came whole out of a template has no node of its own; the author wrote it in `params`.
        let is_text = matches!(&node.value, Value::String(_))
            && templates.resolve(node, context).is_ok_and(|value| value.is_string());
        if is_text && let Err(more) = templates.resolve_path(node, context) {
            problems.extend(more);
            continue;
        }
        let path = request.folder(&node.span).join(&marked.text);
        let (field, written) = (marked.field.clone(), marked.text.clone());
        // Data is that of now, whichever revision the project is read from.
        match if marked.mark.is_of_project() { request.texts.locate(&path) } else { Ok(path) } {
            Ok(path) => files.push(TaskFile { field, mark: marked.mark, written, path }),
            Err(why) => {
                let message = format!("the file `{written}` {why}");
                problems.push(Diagnostic::error(code::MISSING_FILE, message, node.span.clone(), "named here"));
            }
        }
    }
    if problems.is_empty() { Ok(files) } else { Err(problems) }
}

/// The files of all tasks of a stage that are not there: one problem for each field, however many cells miss it.
pub(super) fn missing<'a>(stage: &StageSpec, files: impl Iterator<Item = &'a TaskFile>) -> Vec<Diagnostic> {
    let mut by_field: BTreeMap<&str, Vec<(&TaskFile, &'static str)>> = BTreeMap::new();
    let mut seen = HashSet::new();
    for file in files.filter(|file| seen.insert((&file.field, &file.path))) {
        if let Some(wrong) = wrong(&file.path) {
            by_field.entry(&file.field).or_default().push((file, wrong));
        }
    }
    by_field.into_iter().map(|(field, files)| problem(stage, field, &files)).collect()
}

const FOLDER: &str = "is a folder";
const POINTER: &str = "is a Git LFS pointer and not the file it stands for";

/// Why there is no file at a path, if there is none.
fn wrong(path: &Path) -> Option<&'static str> {
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => Some(FOLDER),
        Ok(meta) if meta.len() < LONGEST_POINTER && is_pointer(path) => Some(POINTER),
        Ok(_) => None,
        Err(_) => Some("is not there"),
    }
}

/// Whether a clone has left a pointer in a file's place: made into clips or hashed into a key it does harm only later.
fn is_pointer(path: &Path) -> bool {
    fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"version https://git-lfs.github.com/spec/"))
}

/// Pointers have about 130 bytes.
const LONGEST_POINTER: u64 = 1024;

fn problem(stage: &StageSpec, field: &str, files: &[(&TaskFile, &'static str)]) -> Diagnostic {
    let (first, wrong) = files[0];
    let more = match files.len() - 1 {
        0 => String::new(),
        n => format!(", and {n} more like it"),
    };
    let message = format!("the file `{}` {wrong}{more}", first.written);
    let span = stage.body.at(&path_parts(field)).span.clone();
    let help = match wrong {
        FOLDER => "name a file in it".to_owned(),
        POINTER => "fetch it: `git lfs pull`".to_owned(),
        _ => format!("it was looked for at {}; paths are relative to the spec's file", first.path.display()),
    };
    Diagnostic::error(code::MISSING_FILE, message, span, "named here").help(help)
}
