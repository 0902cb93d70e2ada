//! The files outside the store that a task names: where they lie, and whether they are there at all.

use super::{Request, TaskFile, code};
use crate::spec::StageSpec;
use crate::spec::model::path_parts;
use crate::spec::node::Value;
use crate::spec::template::{Context, Templates};
use crate::stage::Marked;
use crate::text::Diagnostic;
use std::collections::BTreeMap;
use std::fs;

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
        files.push(TaskFile {
            field: marked.field.clone(),
            mark: marked.mark,
            written: marked.text.clone(),
            path: request.folder(&node.span).join(&marked.text),
        });
    }
    if problems.is_empty() { Ok(files) } else { Err(problems) }
}

/// The files of all tasks of a stage that are not there: one problem for each field, however many cells miss it.
pub(super) fn missing<'a>(stage: &StageSpec, files: impl Iterator<Item = &'a TaskFile>) -> Vec<Diagnostic> {
    let mut by_field: BTreeMap<&str, Vec<(&TaskFile, &'static str)>> = BTreeMap::new();
    for file in files {
        let wrong = match fs::metadata(&file.path) {
            Ok(meta) if meta.is_dir() => "is a folder",
            Ok(_) => continue,
            Err(_) => "is not there",
        };
        let known = by_field.entry(&file.field).or_default();
        if !known.iter().any(|(f, _)| f.path == file.path) {
            known.push((file, wrong));
        }
    }
    by_field.into_iter().map(|(field, files)| problem(stage, field, &files)).collect()
}

fn problem(stage: &StageSpec, field: &str, files: &[(&TaskFile, &'static str)]) -> Diagnostic {
    let (first, wrong) = files[0];
    let more = match files.len() - 1 {
        0 => String::new(),
        n => format!(", and {n} more like it"),
    };
    let message = format!("the file `{}` {wrong}{more}", first.written);
    let span = stage.body.at(&path_parts(field)).span.clone();
    let help = if wrong == "is a folder" {
        "name a file in it".to_owned()
    } else {
        format!("it was looked for at {}; paths are relative to the spec's file", first.path.display())
    };
    Diagnostic::error(code::MISSING_FILE, message, span, "named here").help(help)
}
