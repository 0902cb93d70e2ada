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

use crate::text::{Diagnostic, Severity, SourceText, Spanned, code};
use model::SpecFile;
use node::{Node, Value};

/// Reads a spec and reports every problem of its shape. There is no `Spec` when one of them is an error.
pub fn read(source: SourceText, schema: &SpecSchema) -> (Option<Spec>, SourceText, Vec<Diagnostic>) {
    let is_yaml = std::path::Path::new(&source.path).extension().is_some_and(|e| e == "yaml" || e == "yml");
    let (root, mut problems) = if is_yaml { yaml::parse(&source.text) } else { toml::parse(&source.text) };
    if problems.iter().all(|p| p.severity != Severity::Error) {
        shape::check(&root, &schema.root, &mut problems);
    }
    if problems.iter().any(|p| p.severity == Severity::Error) {
        return (None, source, problems);
    }
    let spec = interpret(root, &source).map_err(|problem| problems.push(problem)).ok();
    (spec, source, problems)
}

/// A tree whose shape is right -> a `Spec`.
fn interpret(root: Node, source: &SourceText) -> Result<Spec, Diagnostic> {
    let file: SpecFile = typed(&root, &["version", "name", "params", "store", "defaults"])?;
    let mut stages = Vec::new();
    if let Some(Node { value: Value::Table(entries), .. }) = root.get("stages") {
        for (name, node) in entries {
            stages.push(stage(name, node)?);
        }
    }
    let name_span = root.get("name").map_or(0..0, |n| n.span.clone());
    Ok(Spec {
        digest: blake3::hash(source.text.as_bytes()).to_hex().to_string(),
        name: Spanned { value: file.name, span: name_span },
        params: file.params,
        store: file.store.root,
        defaults: file.defaults,
        stages,
        root,
    })
}

fn stage(name: &Spanned<String>, node: &Node) -> Result<StageSpec, Diagnostic> {
    let common: Common = typed(node, &model::COMMON_KEYS)?;
    let kind = match node.get("kind").map(|n| (&n.value, n.span.clone())) {
        Some((Value::String(kind), span)) => Spanned { value: kind.clone(), span },
        _ => return Err(Diagnostic::error(code::MISSING_KEY, "a stage needs a `kind`", name.span.clone(), "")),
    };
    Ok(StageSpec {
        name: name.clone(),
        kind,
        common,
        body: without(node, &model::COMMON_KEYS),
        span: node.span.clone(),
    })
}

/// The keys of a table that `T` has, as a `T`.
fn typed<T: serde::de::DeserializeOwned>(node: &Node, keys: &[&str]) -> Result<T, Diagnostic> {
    let part: serde_json::Map<_, _> =
        keys.iter().filter_map(|k| Some(((*k).to_owned(), node.get(k)?.to_json()))).collect();
    serde_path_to_error::deserialize(serde_json::Value::Object(part)).map_err(|error| {
        let at = node.at(&model::path_parts(&error.path().to_string()));
        Diagnostic::error(code::WRONG_TYPE, error.inner().to_string(), at.span.clone(), "")
    })
}

fn without(node: &Node, keys: &[&str]) -> Node {
    let value = match &node.value {
        Value::Table(entries) => Value::Table(
            entries
                .iter()
                .filter(|(key, _)| key.value != "kind" && !keys.contains(&key.value.as_str()))
                .cloned()
                .collect(),
        ),
        other => other.clone(),
    };
    Node { value, span: node.span.clone() }
}
