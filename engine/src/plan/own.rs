//! What a stage says of one of its cells besides its kind's own settings: whether it runs, its variables, where its
//! files are published, its labels.

use super::condition::Reader;
use super::making::Ground;
use super::{When, cells, code};
use crate::ids::scalar;
use crate::spec::StageSpec;
use crate::spec::node::Node;
use crate::spec::template::{Context, Prepared};
use crate::text::Diagnostic;
use indexmap::IndexMap;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use std::path::PathBuf;

type Found<T> = Result<T, Vec<Diagnostic>>;

/// The tables of a stage that are read for each of its cells.
pub(super) struct Own<'a> {
    ground: &'a Ground<'a>,
    spec: &'a StageSpec,
    when: Result<Reader<'a>, Diagnostic>,
    env: Option<Table<'a>>,
    labels: Option<Table<'a>>,
    publish: Option<Table<'a>>,
    /// Where each file is published to, with the folder that is relative to.
    targets: Vec<(&'a str, PathBuf, Prepared<'a>)>,
}

/// A table with its templates compiled.
struct Table<'a> {
    key: &'static str,
    node: &'a Node,
    prepared: Prepared<'a>,
}

impl<'a> Own<'a> {
    pub(super) fn of(ground: &'a Ground<'a>, spec: &'a StageSpec) -> Self {
        let table = |key| {
            let node = spec.common.get(key)?;
            Some(Table { key, node, prepared: ground.templates.prepare(node, &ground.context) })
        };
        let publish = table("publish");
        let entries = publish.iter().flat_map(|table| table.node.entries());
        let targets = entries.map(|(file, target)| {
            let prepared = ground.templates.prepare_path(target, &ground.context);
            (file.value.as_str(), ground.request.folder(&target.span), prepared)
        });
        let when = Reader::of(spec.common.get("when"), &ground.context, &ground.templates);
        Self { ground, spec, when, env: table("env"), labels: table("labels"), targets: targets.collect(), publish }
    }

    pub(super) fn when(&self, context: &Context) -> Found<When> {
        self.when.as_ref().map_err(|problem| vec![problem.clone()])?.read(context)
    }

    /// The defaults' variables, then the stage's own.
    pub(super) fn env(&self, context: &Context) -> Found<BTreeMap<String, String>> {
        let usual = self.ground.defaults.env.clone();
        let own = entries(self.env.as_ref(), context)?;
        let mut env = BTreeMap::new();
        for (name, value) in usual.into_iter().chain(own) {
            let written = self.env.iter().flat_map(|table| table.node.entries()).find(|(key, _)| key.value == name);
            let span = || written.map_or_else(|| self.spec.name.span.clone(), |(key, _)| key.span.clone());
            let wrong = |message: String, help: &str| {
                Err(vec![Diagnostic::error(code::BAD_VARIABLE, message, span(), "").help(help)])
            };
            if name.starts_with("PIPE_") || name.is_empty() || name.contains(['=', '\0']) {
                return wrong(
                    format!("a variable cannot be named `{name}`"),
                    "names that begin with PIPE_ are pipe's own",
                );
            }
            if !cells::is_scalar(&value) {
                return wrong(
                    format!("the variable `{name}` is {value}"),
                    "its value is text, a number, or true or false",
                );
            }
            env.insert(name, scalar(&value));
        }
        Ok(env)
    }

    pub(super) fn labels(&self, context: &Context) -> Found<IndexMap<String, String>> {
        let mut labels = self.ground.defaults.labels.clone();
        labels
            .extend(entries(self.labels.as_ref(), context)?.iter().map(|(name, value)| (name.clone(), scalar(value))));
        Ok(labels)
    }

    /// Where files of the result are copied to. What a template puts into a path may not lead elsewhere.
    pub(super) fn publish(&self, context: &Context) -> Found<IndexMap<String, PathBuf>> {
        entries(self.publish.as_ref(), context)?;
        let paths = self.targets.iter().map(|(file, folder, target)| {
            let path = target.resolve(context)?;
            Ok(((*file).to_owned(), folder.join(scalar(&path))))
        });
        paths.collect()
    }
}

/// The entries of a table in `context`.
fn entries(table: Option<&Table<'_>>, context: &Context) -> Found<Map<String, Json>> {
    let Some(table) = table else { return Ok(Map::new()) };
    match table.prepared.resolve(context)? {
        Json::Object(map) => Ok(map),
        _ => {
            let message = format!("`{}` is not a table", table.key);
            Err(vec![Diagnostic::error(code::BAD_SETTING, message, table.node.span.clone(), "")])
        }
    }
}
