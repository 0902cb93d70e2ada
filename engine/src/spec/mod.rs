//! Spec text -> [`Spec`]: TOML and YAML meet in one spanned tree, merged from all files that make up the spec, which is
//! held against the schema of the types it will become. A `Spec` may still be wrong in what only a plan can know:
//! names, cycles, cells, files.

mod automation;
pub mod common;
mod dotenv;
mod keep;
mod load;
pub mod model;
pub mod node;
mod outside;
mod overlay;
mod param;
mod pen;
pub mod schema;
pub(crate) mod secrets;
pub mod shape;
mod slips;
pub mod template;
pub mod toml;
pub mod yaml;

pub use automation::{Around, CatchUp, Hook, Hooks, Overlap, Pool, Reach, Schedule};
pub use common::{Common, RetrySpec};
pub(crate) use load::folder_of;
pub use load::{Disk, Given, Setting, Texts, variable_of};
pub use model::{BackendSpec, Spec, StageSpec};
pub use outside::{Environment, Outside, Variable};
pub use param::{Param, ParamType};
pub(crate) use pen::replace_text;
pub use schema::SpecSchema;

use crate::text::{Diagnostic, MOST_PROBLEMS, Severity, SourceText, Sources, Spanned, code, keep_few};
use load::{Loaded, extent};
use model::SpecFile;
use node::{Node, Value};
use pen::Pen;
use std::io;
use std::path::Path;

/// A spec, its texts, and what is wrong with it.
///
/// There is a `Spec` whenever the texts could be parsed, so that the plan can look for more problems in what is right:
/// a stage whose shape is wrong is marked as broken, and no plan is made of it.
pub struct Read {
    /// The spec.
    pub spec: Option<Spec>,
    /// The texts that make it up.
    pub sources: Sources,
    /// Errors and warnings.
    pub problems: Vec<Diagnostic>,
}

/// Reads the spec at `path` with everything that makes it up, and reports every problem of its shape.
///
/// # Errors
/// When the file itself cannot be read.
pub fn load(path: &Path, texts: &dyn Texts, outside: &Outside, schema: &SpecSchema) -> io::Result<Read> {
    Ok(interpret(load::load(path, texts, outside)?, schema))
}

/// Reads one text, with nothing from outside.
pub fn read(source: SourceText, schema: &SpecSchema) -> Read {
    interpret(load::single(source), schema)
}

fn interpret(loaded: Loaded, schema: &SpecSchema) -> Read {
    let Loaded { mut sources, root, others, profile, settings, environment, mut problems } = loaded;
    let digest = digest(&sources);
    let Some(root) = root else { return Read { spec: None, sources, problems } };
    if let Some(problem) = newer_version(&root) {
        return Read { spec: None, sources, problems: vec![problem] };
    }
    check(&root, schema, &sources, &mut problems);
    secrets::check(&root, &mut sources, &mut problems);
    keep::check(&root, &mut problems);
    for (place, other) in others {
        if problems.len() >= MOST_PROBLEMS {
            break;
        }
        let mut found = Vec::new();
        check(&other, schema, &sources, &mut found);
        secrets::check(&other, &mut sources, &mut found);
        // What is wrong without this profile too has been told.
        problems.extend(found.into_iter().filter(|problem| place.contains(&problem.span().start)));
    }
    let params = param::read(root.get("params"), &sources, &mut problems);
    let spec = typed::<SpecFile>(&root, &SCALARS).map(|file| Spec {
        broken: problems.iter().any(|p| p.severity == Severity::Error),
        digest,
        name: Spanned { value: file.name, span: root.get("name").map_or(0..0, |n| n.span.clone()) },
        description: file.description,
        params,
        settings,
        profile,
        environment,
        store: file.store.root,
        location: file.store.location,
        uplink: file.store.uplink,
        keep: file.store.keep,
        backends: root.get("backends").into_iter().flat_map(Node::entries).map(|e| backend(e, &problems)).collect(),
        defaults: sound(&root, &problems, |key| key == "defaults").get("defaults").cloned(),
        stages: root.get("stages").into_iter().flat_map(Node::entries).map(|e| stage(e, &problems)).collect(),
        around: sound(&root, &problems, |key| automation::AROUND_KEYS.contains(&key)),
        root,
    });
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    if spec.is_none() && errors == 0 {
        let whole = 0..sources.main().text.len();
        problems.push(Diagnostic::error(code::WRONG_TYPE, "the spec cannot be read", whole, ""));
    }
    keep_few(&mut problems);
    // Nobody looked for more problems than that, so it cannot be told what is right.
    Read { spec: spec.filter(|_| errors < MOST_PROBLEMS), sources, problems }
}

/// The keys of a spec that become values at once; the others are read by the plan, or have been.
const SCALARS: [&str; 4] = ["version", "name", "description", "store"];

fn check(root: &Node, schema: &SpecSchema, sources: &Sources, problems: &mut Vec<Diagnostic>) {
    shape::check(root, &schema.root, sources, problems);
    check_names(root, Pen::new(sources), problems);
    check_tables(root, problems);
}

/// A template may stand for any value, but not for what must be known before templates have values: which stages,
/// backends, profiles and parameters there are.
fn check_tables(root: &Node, problems: &mut Vec<Diagnostic>) {
    let tables = ["stages", "backends", "profiles", "params"].map(|key| (key, root.get(key)));
    let whole = tables.iter().filter_map(|(key, node)| Some(((*key).to_owned(), (*node)?)));
    let parts = tables[..3].iter().flat_map(|(key, node)| {
        let entries = node.iter().flat_map(|node| node.entries());
        entries.map(move |(name, node)| (format!("{key}.{}", name.value), node))
    });
    let is_template = |node: &Node| matches!(&node.value, Value::String(text) if template::is_template(text));
    for (name, node) in whole.chain(parts).filter(|(_, node)| is_template(node)) {
        let message = format!("`{name}` cannot be a template");
        let help = "write the table out: what it says must be known before any template has a value";
        problems.push(Diagnostic::error(code::WRONG_TYPE, message, node.span.clone(), "").help(help));
    }
}

/// Whatever else a spec of another version says cannot be judged here, so this is all that is told of it.
fn newer_version(root: &Node) -> Option<Diagnostic> {
    let version = root.get("version")?;
    let Value::Integer(number @ 2..) = version.value else { return None };
    let message = format!("the spec is written in version {number} of the language, and this pipe reads version 1");
    let help = format!(
        "use a newer pipe (this is {}), or write `version = 1` when the spec uses nothing of version {number}",
        env!("CARGO_PKG_VERSION")
    );
    Some(Diagnostic::error(code::NEWER_VERSION, message, version.span.clone(), "").help(help))
}

/// BLAKE3 over the texts of all files, in the order they were read. What was typed is no file.
fn digest(sources: &Sources) -> String {
    let mut hasher = blake3::Hasher::new();
    for file in sources.files().filter(|file| !file.path.starts_with('<') && !file.path.ends_with(".env")) {
        hasher.update(&(file.text.len() as u64).to_le_bytes());
        hasher.update(file.text.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

fn kind_of(name: &Spanned<String>, node: &Node) -> Spanned<String> {
    match node.get("kind") {
        Some(Node { value: Value::String(kind), span }) => Spanned { value: kind.clone(), span: span.clone() },
        _ => Spanned { value: String::new(), span: name.span.clone() },
    }
}

/// The entries of the root that are wanted and in which nothing is wrong: what has been reported need not be told again
/// by whoever reads them.
fn sound(root: &Node, problems: &[Diagnostic], wanted: impl Fn(&str) -> bool) -> Node {
    let entries = root.entries().iter().filter(|(name, node)| wanted(&name.value) && !is_broken(name, node, problems));
    Node { value: Value::Table(entries.cloned().collect()), span: root.span.clone() }
}

/// Whether a problem that has been reported lies in an entry of a table.
fn is_broken(name: &Spanned<String>, node: &Node, problems: &[Diagnostic]) -> bool {
    let place = extent(node);
    problems.iter().any(|problem| {
        let at = problem.span().start;
        problem.severity == Severity::Error && ((place.start..=place.end).contains(&at) || name.span.contains(&at))
    })
}

fn stage((name, node): &(Spanned<String>, Node), problems: &[Diagnostic]) -> StageSpec {
    StageSpec {
        name: name.clone(),
        kind: kind_of(name, node),
        broken: is_broken(name, node, problems),
        common: part(node, |key| common::COMMON_KEYS.contains(&key)),
        body: part(node, |key| key != "kind" && !common::COMMON_KEYS.contains(&key)),
    }
}

fn backend((name, node): &(Spanned<String>, Node), problems: &[Diagnostic]) -> BackendSpec {
    BackendSpec {
        name: name.clone(),
        kind: kind_of(name, node),
        broken: is_broken(name, node, problems),
        common: part(node, |key| common::PLACE_KEYS.contains(&key)),
        body: part(node, |key| key != "kind" && !common::PLACE_KEYS.contains(&key)),
    }
}

/// The keys of a table that `T` has, as a `T`; `None` when its shape is not right, which has been reported.
fn typed<T: serde::de::DeserializeOwned>(node: &Node, keys: &[&str]) -> Option<T> {
    let part = keys.iter().filter_map(|k| Some(((*k).to_owned(), node.get(k)?.to_json())));
    serde_json::from_value(serde_json::Value::Object(part.collect())).ok()
}

/// The entries of a table whose keys are wanted.
fn part(node: &Node, wanted: impl Fn(&str) -> bool) -> Node {
    let value = match &node.value {
        Value::Table(entries) => Value::Table(entries.iter().filter(|(key, _)| wanted(&key.value)).cloned().collect()),
        other => other.clone(),
    };
    Node { value, span: node.span.clone() }
}

/// Names of stages and of the pipeline become folders of the store, so they are plain; so are the others, which people
/// type. A parameter's name stands in templates, where `-` would take away.
fn check_names(root: &Node, pen: Pen<'_>, problems: &mut Vec<Diagnostic>) {
    let name = root.get("name").into_iter().filter_map(|node| match &node.value {
        Value::String(name) => Some(("name of a pipeline", Spanned { value: name.clone(), span: node.span.clone() })),
        _ => None,
    });
    let tables = [("name of a stage", "stages"), ("name of a backend", "backends"), ("name of a profile", "profiles")];
    let keys = tables.into_iter().flat_map(|(what, table)| {
        let entries = root.get(table).into_iter().flat_map(Node::entries);
        entries.map(move |(key, _)| (what, key.clone()))
    });
    for (what, name) in name.chain(keys).filter(|(_, name)| !is_plain(&name.value)) {
        let message = format!("`{}` cannot be the {what}", name.value);
        let help = "use letters, digits, `-`, `_` and `.`, at most 100 of them, and begin with a letter or digit";
        let problem = Diagnostic::error(code::BAD_NAME, message, name.span.clone(), "").help(help);
        problems.push(Diagnostic { fix: pen.respell(&name, '-', is_plain).into_iter().collect(), ..problem });
    }
    for (key, _) in root.get("params").into_iter().flat_map(Node::entries).filter(|(key, _)| !is_word(&key.value)) {
        let message = format!("`{}` cannot be the name of a parameter", key.value);
        let help = "use letters, digits and `_`, and begin with a letter: templates use it as `{{ params.NAME }}`";
        let problem = Diagnostic::error(code::BAD_NAME, message, key.span.clone(), "").help(help);
        problems.push(Diagnostic { fix: pen.respell(key, '_', is_word).into_iter().collect(), ..problem });
    }
    if let Some(Node { value: Value::String(folder), span }) = root.get("store").and_then(|s| s.get("root"))
        && template::is_template(folder)
    {
        let help = "write the folder itself: results of all parameters share one store; a profile can name another";
        let problem = Diagnostic::error(code::BAD_NAME, "the store's root cannot be a template", span.clone(), "");
        problems.push(problem.help(help));
    }
}

fn is_plain(name: &str) -> bool {
    name.len() <= 100
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

fn is_word(name: &str) -> bool {
    name.len() <= 100
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
