//! The files outside the store that a task names: where they lie, and whether they are there at all.

use super::making::Ground;
use super::{Request, Task, TaskFile, code};
use crate::remote::{has_user, scheme, shown};
use crate::spec::model::path_parts;
use crate::spec::node::Value;
use crate::spec::template::{Context, Prepared};
use crate::spec::{StageSpec, replace_text};
use crate::stage::{Mark, Marked, StageKind};
use crate::text::{Diagnostic, Span, closest};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The paths in a stage's settings, their templates compiled when they are first met.
pub(super) struct Paths<'a> {
    ground: &'a Ground<'a>,
    spec: &'a StageSpec,
    fields: HashMap<String, Field<'a>>,
}

/// A field that names a file.
struct Field<'a> {
    span: Span,
    /// The folder that its path is relative to: that of the file it is written in.
    folder: PathBuf,
    /// What it is made of. A list that came whole out of a template has no text of its own; the author wrote it in
    /// `params`.
    text: Option<Prepared<'a>>,
}

impl<'a> Paths<'a> {
    pub(super) fn of(ground: &'a Ground<'a>, spec: &'a StageSpec) -> Self {
        Self { ground, spec, fields: HashMap::new() }
    }

    /// The files of one task.
    pub(super) fn files(&mut self, found: &[Marked], context: &Context) -> Result<Vec<TaskFile>, Vec<Diagnostic>> {
        let mut files = Vec::new();
        let mut problems = Vec::new();
        for marked in found.iter().filter(|m| !m.mark.is_stage()) {
            let Ground { request, project, .. } = self.ground;
            let place = self.field(&marked.field);
            if let Some(text) = &place.text
                && let Err(more) = text.resolve(context)
            {
                problems.extend(more);
                continue;
            }
            if marked.mark == Mark::InputSource && scheme(&marked.text).is_some() {
                problems.extend(unread(&marked.text, request, &place.span));
                let (field, written, path) = (marked.field.clone(), marked.text.clone(), shown(&marked.text).into());
                files.push(TaskFile { field, mark: marked.mark, written, path });
                continue;
            }
            let path = place.folder.join(&marked.text);
            let (field, written) = (marked.field.clone(), marked.text.clone());
            if marked.mark.is_of_project()
                && let Some(end) = project.way_out(&place.folder, &written)
            {
                let message = format!("the file `{written}` is a link out of the project, to {}", end.display());
                let problem = Diagnostic::error(code::LINK_OUT, message, place.span.clone(), "named here");
                problems.push(problem.help("put the file into the project, or name it where it lies"));
                continue;
            }
            // Data is that of now, whichever revision the project is read from.
            match if marked.mark.is_of_project() { request.texts.locate(&path) } else { Ok(path) } {
                Ok(path) => files.push(TaskFile { field, mark: marked.mark, written, path }),
                Err(why) => {
                    let message = format!("the file `{written}` {why}");
                    problems.push(Diagnostic::error(code::MISSING_FILE, message, place.span.clone(), "named here"));
                }
            }
        }
        if problems.is_empty() { Ok(files) } else { Err(problems) }
    }

    fn field(&mut self, name: &str) -> &Field<'a> {
        let Self { ground, spec, fields } = self;
        if !fields.contains_key(name) {
            let path = path_parts(name);
            let node = spec.body.at(&path);
            let text = spec.body.find(&path).filter(|node| matches!(node.value, Value::String(_)));
            let text = text.map(|node| ground.templates.prepare_path(node, &ground.context));
            fields.insert(
                name.to_owned(),
                Field { span: node.span.clone(), folder: ground.request.folder(&node.span), text },
            );
        }
        &fields[name]
    }
}

/// Why nothing is read at a URI, if so. What lies there is asked when the task is looked up.
fn unread(uri: &str, request: &Request<'_>, span: &Span) -> Option<Diagnostic> {
    let (name, asked) = (shown(uri), scheme(uri)?);
    let schemes = request.kinds.remotes().map_or(&[][..], |remotes| remotes.schemes());
    let (message, help) = if has_user(uri) {
        let help = "leave the user out; a bucket's credentials come from the environment, and a signed URI has its own";
        (format!("`{name}` is written with a user, whom everybody who sees the spec would know"), help.to_owned())
    } else if schemes.is_empty() {
        let help = "copy it into a folder, or take a build with the feature `cloud`";
        (format!("this build reads files of this machine only, and not `{name}`"), help.to_owned())
    } else if !schemes.contains(&asked) {
        (format!("nothing is read at `{asked}://`"), format!("it can be a path, or a URI of {}", schemes.join(", ")))
    } else {
        return None;
    };
    Some(Diagnostic::error(code::UNREAD_SOURCE, message, span.clone(), "named here").help(help))
}

/// The files of all tasks of a stage that are not there: one problem for each field, however many cells miss it.
pub(super) fn missing<'a>(stage: &StageSpec, files: impl Iterator<Item = &'a TaskFile>) -> Vec<Diagnostic> {
    let mut by_field: BTreeMap<&str, Vec<(&TaskFile, &'static str)>> = BTreeMap::new();
    let mut seen = HashSet::new();
    let here = files.filter(|file| file.uri().is_none());
    for file in here.filter(|file| seen.insert((&file.field, &file.path))) {
        if let Some(wrong) = wrong(&file.path) {
            by_field.entry(&file.field).or_default().push((file, wrong));
        }
    }
    by_field.into_iter().map(|(field, files)| problem(stage, field, &files)).collect()
}

/// Files of the project that the tasks of a stage mean and do not name: a program would not find them.
pub(super) fn unnamed<'a>(
    stage: &StageSpec,
    request: &Request<'_>,
    kind: &dyn StageKind,
    tasks: impl Iterator<Item = &'a Task>,
) -> Vec<Diagnostic> {
    let mut meant: BTreeSet<(String, String)> = BTreeSet::new();
    for task in tasks {
        let is_named = |text: &str| task.files.iter().any(|file| Path::new(&file.written) == Path::new(text));
        let loose = kind.loose(&task.config).into_iter();
        meant.extend(loose.filter(|(_, text)| looks_like_a_file(text) && !is_named(text)));
    }
    let there = meant.into_iter().filter_map(|(field, text)| {
        let span = stage.body.at(&path_parts(&field)).span.clone();
        request.folder(&span).join(&text).is_file().then(|| {
            let message = format!("`{text}` is a file of the project, and the program will not find it");
            let help = format!("it starts in a folder of its own that holds what `files` names: files = [\"{text}\"]");
            Diagnostic::warning(code::UNNAMED_FILE, message, span, "not in `files`").help(help)
        })
    });
    there.collect()
}

/// Most arguments are no files; what has neither a dot nor a slash is not even looked for.
fn looks_like_a_file(text: &str) -> bool {
    text.contains(['.', '/']) && !text.starts_with(['/', '-']) && !text.contains(['\0', '\n'])
}

const MISSING: &str = "is not there";
const FOLDER: &str = "is a folder";
const POINTER: &str = "is a Git LFS pointer and not the file it stands for";

/// Why there is no file at a path, if there is none.
fn wrong(path: &Path) -> Option<&'static str> {
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => Some(FOLDER),
        Ok(meta) if meta.len() < LONGEST_POINTER && is_pointer(path) => Some(POINTER),
        Ok(_) => None,
        Err(_) => Some(MISSING),
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
    let node = stage.body.at(&path_parts(field));
    let problem = Diagnostic::error(code::MISSING_FILE, message, node.span.clone(), "named here");
    if let (Value::String(text), Some(near)) = (&node.value, near(first).filter(|_| wrong == MISSING)) {
        let help = format!("did you mean `{near}`?");
        // What a template made is not what is written.
        let written = *text == first.written;
        return if written { problem.fix(help, [replace_text(node, text, &near)]) } else { problem.help(help) };
    }
    let help = match wrong {
        FOLDER => "name a file in it".to_owned(),
        POINTER => "fetch it: `git lfs pull`".to_owned(),
        _ => format!("it was looked for at {}; paths are relative to the spec's file", first.path.display()),
    };
    problem.help(help)
}

/// The file of a like name in the same folder, as the spec would name it.
fn near(file: &TaskFile) -> Option<String> {
    let wanted = file.path.file_name()?.to_str()?;
    let folder = file.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = fs::read_dir(folder).ok()?.take(MOST_LISTED).flatten();
    let names: Vec<String> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    let meant = closest(wanted, names.iter().map(String::as_str))?;
    file.written.strip_suffix(wanted).map(|before| format!("{before}{meant}"))
}

/// Of a folder with more files than this only so many are looked at for a like name.
const MOST_LISTED: usize = 10_000;
