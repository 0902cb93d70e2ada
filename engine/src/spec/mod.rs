//! Spec text -> [`Spec`]: TOML and YAML meet in one spanned tree, which is held against the schema of the types it
//! will become. A `Spec` may still be wrong in what only a plan can know: names, cycles, cells, files.

pub mod model;
pub mod node;
pub mod schema;
pub mod shape;
pub mod template;
pub mod toml;
pub mod yaml;

pub use model::{Common, Resources, RetrySpec, Spec, StageSpec};
pub use schema::SpecSchema;

use crate::text::{Diagnostic, Severity, SourceText, Span, Spanned, code};
use model::SpecFile;
use node::{Node, Value};

/// Reads a spec and reports every problem of its shape.
///
/// There is a `Spec` whenever the text could be parsed, so that the plan can look for more problems in what is right:
/// a stage whose shape is wrong is marked as broken, and no plan is made of it.
pub fn read(source: SourceText, schema: &SpecSchema) -> (Option<Spec>, SourceText, Vec<Diagnostic>) {
    let is_yaml = std::path::Path::new(&source.path).extension().is_some_and(|e| e == "yaml" || e == "yml");
    let (root, mut problems) = if is_yaml { yaml::parse(&source.text) } else { toml::parse(&source.text) };
    if problems.iter().any(|p| p.severity == Severity::Error) {
        return (None, source, problems);
    }
    shape::check(&root, &schema.root, &mut problems);
    check_names(&root, &mut problems);
    let spec = interpret(root, &source, &problems);
    if spec.is_none() && problems.is_empty() {
        let whole = 0..source.text.len();
        problems.push(Diagnostic::error(code::WRONG_TYPE, "the spec cannot be read", whole, ""));
    }
    (spec, source, problems)
}

/// A tree -> a `Spec`, as far as its shape is right.
fn interpret(root: Node, source: &SourceText, problems: &[Diagnostic]) -> Option<Spec> {
    let file: SpecFile = typed(&root, &["version", "name", "params", "store"])?;
    let mut stages = Vec::new();
    if let Some(Node { value: Value::Table(entries), .. }) = root.get("stages") {
        stages.extend(entries.iter().map(|(name, node)| stage(name, node, problems)));
    }
    let name_span = root.get("name").map_or(0..0, |n| n.span.clone());
    Some(Spec {
        broken: problems.iter().any(|p| p.severity == Severity::Error),
        digest: blake3::hash(source.text.as_bytes()).to_hex().to_string(),
        name: Spanned { value: file.name, span: name_span },
        params: file.params,
        store: file.store.root,
        defaults: root.get("defaults").cloned(),
        stages,
        root,
    })
}

fn stage(name: &Spanned<String>, node: &Node, problems: &[Diagnostic]) -> StageSpec {
    let place = extent(node);
    let touched = |p: &Diagnostic| {
        let at = p.span().start;
        p.severity == Severity::Error && (place.contains(&at) || name.span.contains(&at))
    };
    let kind = match node.get("kind") {
        Some(Node { value: Value::String(kind), span }) => Spanned { value: kind.clone(), span: span.clone() },
        _ => Spanned { value: String::new(), span: name.span.clone() },
    };
    StageSpec {
        name: name.clone(),
        kind,
        broken: problems.iter().any(touched),
        common: part(node, |key| model::COMMON_KEYS.contains(&key)),
        body: part(node, |key| key != "kind" && !model::COMMON_KEYS.contains(&key)),
    }
}

/// From the first byte of a value to the last of what it holds. A TOML table's own span is its header only.
fn extent(node: &Node) -> Span {
    let join = |a: Span, b: Span| a.start.min(b.start)..a.end.max(b.end);
    match &node.value {
        Value::Table(entries) => {
            entries.iter().fold(node.span.clone(), |all, (key, inner)| join(join(all, key.span.clone()), extent(inner)))
        }
        Value::List(items) => items.iter().fold(node.span.clone(), |all, inner| join(all, extent(inner))),
        _ => node.span.clone(),
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

/// Names become folders of the store, so they are plain: letters, digits, `-`, `_` and `.`, and no dot first.
fn check_names(root: &Node, problems: &mut Vec<Diagnostic>) {
    let mut names = Vec::new();
    if let Some(Node { value: Value::String(name), span }) = root.get("name") {
        names.push(("name", name, span));
    }
    if let Some(Node { value: Value::Table(stages), .. }) = root.get("stages") {
        names.extend(stages.iter().map(|(key, _)| ("stage", &key.value, &key.span)));
    }
    for (what, name, span) in names.into_iter().filter(|(_, name, _)| !is_plain(name)) {
        let message = format!("`{name}` cannot be a {what}: it becomes a folder of the store");
        let help = "use letters, digits, `-`, `_` and `.`, at most 100 of them, and begin with a letter or digit";
        problems.push(Diagnostic::error(code::BAD_NAME, message, span.clone(), "").help(help));
    }
    if let Some(Node { value: Value::String(folder), span }) = root.get("store").and_then(|s| s.get("root"))
        && template::is_template(folder)
    {
        let help = "write the folder itself: results of all parameters share one store";
        let problem = Diagnostic::error(code::BAD_NAME, "the store's root cannot be a template", span.clone(), "");
        problems.push(problem.help(help));
    }
}

fn is_plain(name: &str) -> bool {
    name.len() <= 100
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}
