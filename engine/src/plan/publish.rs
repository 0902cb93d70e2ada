//! `publish`: which files of a result are copied to where in the project, and whether they may be. Links are followed, so
//! that what is inside stays inside.

use super::project::{Project, real};
use super::{Request, Task, code};
use crate::ids::TaskId;
use crate::spec::node::PathPart;
use crate::text::{Diagnostic, Span};
use indexmap::IndexMap;
use petgraph::graph::DiGraph;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Component, Path, PathBuf};

/// Folders that belong to somebody else wherever they are.
const NOBODYS: [&str; 2] = [".git", ".pipe"];

/// Puts the real path of each target into its task, and says which of them cannot be.
pub(super) fn check(
    request: &Request<'_>,
    project: &Project,
    store: &Path,
    graph: &mut DiGraph<Task, ()>,
) -> Vec<Diagnostic> {
    if graph.node_weights().all(|task| task.publish.is_empty()) {
        return Vec::new();
    }
    let specs = request.sources.files().filter(|source| !source.path.starts_with('<'));
    let mut checker = Checker {
        request,
        project: project.root(),
        store: real(store),
        specs: specs.filter_map(|source| Path::new(&source.path).canonicalize().ok()).collect(),
        folders: HashMap::new(),
        taken: HashMap::new(),
        problems: Vec::new(),
    };
    for task in graph.node_weights_mut() {
        let publish = std::mem::take(&mut task.publish);
        task.publish = checker.task(&task.id, publish);
    }
    checker.problems
}

struct Checker<'a> {
    request: &'a Request<'a>,
    project: &'a Path,
    store: PathBuf,
    specs: Vec<PathBuf>,
    /// Where folders really are.
    folders: HashMap<PathBuf, PathBuf>,
    /// Who publishes to a target; `None` once that two do has been told.
    taken: HashMap<PathBuf, Option<(TaskId, Span)>>,
    problems: Vec<Diagnostic>,
}

impl Checker<'_> {
    fn task(&mut self, id: &TaskId, publish: IndexMap<String, PathBuf>) -> IndexMap<String, PathBuf> {
        let mut targets = IndexMap::new();
        for (file, target) in publish {
            let span = self.place(&id.stage, &file);
            if !is_inside(Path::new(&file)) || file.ends_with('/') {
                let message = format!("`{file}` is no file of a result");
                let help =
                    "name a file below $PIPE_OUTPUT, without a leading `/` and without `..`; folders are not published";
                self.problems.push(Diagnostic::error(code::BAD_PUBLISHED, message, span, "").help(help));
                continue;
            }
            match self.target(&target) {
                Ok(real) => {
                    self.take(id, &target, &real, span);
                    targets.insert(file, real);
                }
                Err((code, why)) => {
                    let message = format!("`{file}` cannot be published to `{}`: {why}", target.display());
                    let help = "name a place of its own in the project: the repository of the spec, or the spec's folder \
                                where there is none";
                    self.problems.push(Diagnostic::error(code, message, span, "").help(help));
                }
            }
        }
        targets
    }

    /// The real path of a target, when a result may be copied there.
    fn target(&mut self, written: &Path) -> Result<PathBuf, (&'static str, String)> {
        let real = self.real(written);
        let Ok(inside) = real.strip_prefix(self.project) else {
            return Err((code::OUTSIDE_PROJECT, "it leads out of the project".to_owned()));
        };
        let protected = |why: &str| Err((code::PROTECTED_TARGET, why.to_owned()));
        if real == self.project || real.is_dir() {
            return protected("it is a folder");
        }
        if real.starts_with(&self.store) {
            return protected("it lies in the store");
        }
        if inside.components().any(|part| NOBODYS.iter().any(|name| part.as_os_str() == *name)) {
            return protected("it lies in a folder of git or of pipe itself");
        }
        if self.specs.contains(&real) {
            return protected("it is the spec itself");
        }
        Ok(real)
    }

    /// As [`real`]. The folder is followed once, however many tasks publish into it.
    fn real(&mut self, path: &Path) -> PathBuf {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return real(path) };
        let whole = self.folders.entry(folder.to_owned()).or_insert_with(|| real(folder)).join(name);
        if whole.is_symlink() { real(&whole) } else { whole }
    }

    fn take(&mut self, id: &TaskId, written: &Path, target: &Path, span: Span) {
        match self.taken.entry(target.to_owned()) {
            Entry::Vacant(free) => drop(free.insert(Some((id.clone(), span)))),
            Entry::Occupied(mut taken) => {
                let Some((first, other)) = taken.insert(None) else { return };
                let message = format!("`{first}` and `{id}` publish to the same place, `{}`", written.display());
                let problem = Diagnostic::error(code::PUBLISHED_TWICE, message, span.clone(), "published here");
                self.problems.push(if other == span {
                    problem.help("put a key of the matrix into the path, such as `site/{{ game }}.html`")
                } else {
                    problem.and(other, "and here").help("give each a place of its own")
                });
            }
        }
    }

    fn place(&self, stage: &str, file: &str) -> Span {
        let spec = self.request.spec.stages.iter().find(|spec| spec.name.value == stage);
        spec.map_or(0..0, |s| s.common.at(&[PathPart::from("publish"), PathPart::from(file)]).span.clone())
    }
}

fn is_inside(path: &Path) -> bool {
    path.components().next().is_some() && path.components().all(|part| matches!(part, Component::Normal(_)))
}
