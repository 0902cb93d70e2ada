//! A tree of the spec with its templates compiled -> its values in one context after another.
//!
//! A stage of a hundred thousand cells has the same templates in each of them. Here they are compiled once, and what uses
//! only names that stay the same is evaluated once. Whatever goes wrong is left to [`Templates::resolve`], which knows
//! how to say it: this file knows no messages.

use super::program::Program;
use super::resolve::{MAX_TOTAL, text_len};
use super::{Context, Templates, Use, is_template};
use crate::spec::node::{Node, Value};
use crate::text::Diagnostic;
use minijinja::Value as Made;
use serde_json::{Map, Value as Json};
use std::collections::BTreeSet;

/// A tree whose templates are compiled.
pub struct Prepared<'t> {
    templates: &'t Templates,
    node: &'t Node,
    purpose: Use,
    /// The compiled tree, unless some template of it is wrong in every context.
    part: Option<Part<'t>>,
    /// The names its templates use, all of which a context must have.
    names: BTreeSet<String>,
}

/// A part of the tree.
enum Part<'t> {
    /// The same in every context, and how much of [`MAX_TOTAL`] it takes.
    Same(Json, usize),
    Template(Program<'t>),
    List(Vec<Self>),
    Table(Vec<(&'t str, Self)>),
}

impl Templates {
    /// Compiles a tree for contexts that all hold what `shared` does.
    pub fn prepare<'t>(&'t self, node: &'t Node, shared: &Context) -> Prepared<'t> {
        self.prepare_for(node, shared, Use::Anything)
    }

    /// As [`Templates::prepare`], for a field that holds paths.
    pub fn prepare_path<'t>(&'t self, node: &'t Node, shared: &Context) -> Prepared<'t> {
        self.prepare_for(node, shared, Use::Path)
    }

    fn prepare_for<'t>(&'t self, node: &'t Node, shared: &Context, purpose: Use) -> Prepared<'t> {
        let mut compiler =
            Compiler { templates: self, purpose, shared, values: shared.value(), names: BTreeSet::new() };
        let part = compiler.part(node);
        Prepared { templates: self, node, purpose, part, names: compiler.names }
    }
}

impl Prepared<'_> {
    /// The values of the tree in `context`, as [`Templates::resolve`] gives them.
    ///
    /// # Errors
    /// As [`Templates::resolve`].
    pub fn resolve(&self, context: &Context) -> Result<Json, Vec<Diagnostic>> {
        self.quickly(context).map_or_else(|| self.templates.resolve_for(self.node, context, self.purpose), Ok)
    }

    fn quickly(&self, context: &Context) -> Option<Json> {
        let part = self.part.as_ref()?;
        if self.templates.is_spent() || !self.names.iter().all(|name| context.names.contains_key(name.as_str())) {
            return None;
        }
        let mut left = MAX_TOTAL;
        let values = if self.names.is_empty() { Made::UNDEFINED } else { context.value() };
        part.value(self.templates, &values, self.purpose, &mut left).filter(|_| left > 0)
    }
}

impl Part<'_> {
    fn value(&self, templates: &Templates, values: &Made, purpose: Use, left: &mut usize) -> Option<Json> {
        let made = match self {
            Self::Same(json, size) => {
                *left = left.saturating_sub(*size);
                return Some(json.clone());
            }
            Self::List(items) => {
                return items.iter().map(|item| item.value(templates, values, purpose, left)).collect();
            }
            Self::Table(entries) => {
                let pairs = entries
                    .iter()
                    .map(|(key, part)| Some(((*key).to_owned(), part.value(templates, values, purpose, left)?)));
                return pairs.collect::<Option<Map<_, _>>>().map(Json::Object);
            }
            Self::Template(program) => templates.run(program, values.clone(), purpose),
        };
        let made = made.ok()?;
        *left = left.saturating_sub(text_len(&made));
        Some(made)
    }
}

struct Compiler<'t, 's> {
    templates: &'t Templates,
    purpose: Use,
    shared: &'s Context,
    values: Made,
    /// The names used so far.
    names: BTreeSet<String>,
}

impl<'t> Compiler<'t, '_> {
    /// `None` when a template is not well formed.
    fn part(&mut self, node: &'t Node) -> Option<Part<'t>> {
        match &node.value {
            Value::String(text) if is_template(text) => self.template(text),
            Value::String(text) => Some(Part::Same(Json::from(text.as_str()), text.len())),
            Value::List(items) => {
                let parts = items.iter().map(|item| self.part(item)).collect::<Option<Vec<_>>>()?;
                let values = parts.iter().map(Part::same).collect::<Option<Vec<_>>>();
                Some(match values {
                    Some(values) => Part::Same(Json::Array(values), parts.iter().map(Part::size).sum()),
                    None => Part::List(parts),
                })
            }
            Value::Table(entries) => {
                let parts = entries.iter().map(|(key, node)| Some((key.value.as_str(), self.part(node)?)));
                let parts = parts.collect::<Option<Vec<_>>>()?;
                let pairs = parts.iter().map(|(key, part)| Some(((*key).to_owned(), part.same()?)));
                Some(match pairs.collect::<Option<Map<_, _>>>() {
                    Some(map) => Part::Same(Json::Object(map), parts.iter().map(|(_, part)| part.size()).sum()),
                    None => Part::Table(parts),
                })
            }
            _ => Some(Part::Same(node.to_json(), 0)),
        }
    }

    fn template(&mut self, text: &'t str) -> Option<Part<'t>> {
        let program = Program::compile(text).ok()?;
        let names = self.templates.names_of(&program);
        let part = Part::Template(program);
        let is_shared = names.iter().all(|name| self.shared.names.contains_key(name.as_str()));
        self.names.extend(names);
        // What fails now fails in every context, and is told there.
        let value =
            if is_shared { part.value(self.templates, &self.values, self.purpose, &mut { MAX_TOTAL }) } else { None };
        Some(match value {
            Some(value) => {
                let size = text_len(&value);
                Part::Same(value, size)
            }
            None => part,
        })
    }
}

impl Part<'_> {
    fn same(&self) -> Option<Json> {
        match self {
            Self::Same(json, _) => Some(json.clone()),
            _ => None,
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Same(_, size) => *size,
            _ => 0,
        }
    }
}
