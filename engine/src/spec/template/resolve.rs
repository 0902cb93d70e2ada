//! A tree of the spec and a context -> the tree's values, every problem with its place in the file.

use super::{Context, MAX_MADE, TemplateError, Templates, Use, place_in_string};
use crate::spec::node::{Node, Value};
use crate::text::{Diagnostic, Edit, MOST_PROBLEMS, code};
use serde_json::Value as Json;
use std::ops::Range;

/// How much text one tree may become, in bytes.
pub(super) const MAX_TOTAL: usize = 16 * MAX_MADE;

impl Templates {
    /// The values of a tree with all templates resolved. Keys are left as they are.
    ///
    /// # Errors
    /// Every template of the tree that has no value, with its place.
    pub fn resolve(&self, node: &Node, context: &Context) -> Result<Json, Vec<Diagnostic>> {
        self.resolve_for(node, context, Use::Anything)
    }

    /// As [`Templates::resolve`], for a field that holds paths; see [`Templates::path_value`] for the rule.
    ///
    /// # Errors
    /// As [`Templates::resolve`], and for what is put into a path and could lead elsewhere.
    pub fn resolve_path(&self, node: &Node, context: &Context) -> Result<Json, Vec<Diagnostic>> {
        self.resolve_for(node, context, Use::Path)
    }

    pub(super) fn resolve_for(&self, node: &Node, context: &Context, purpose: Use) -> Result<Json, Vec<Diagnostic>> {
        let mut walk = Walk { templates: self, context, purpose, left: MAX_TOTAL, problems: Vec::new() };
        let value = walk.node(node);
        if walk.problems.is_empty() { Ok(value) } else { Err(walk.problems) }
    }
}

struct Walk<'a> {
    templates: &'a Templates,
    context: &'a Context,
    purpose: Use,
    /// How many bytes of text may still be made; 0 once that was told.
    left: usize,
    problems: Vec<Diagnostic>,
}

impl Walk<'_> {
    fn node(&mut self, node: &Node) -> Json {
        match &node.value {
            Value::String(text) => self.string(node, text),
            Value::List(items) => items.iter().map(|item| self.node(item)).collect(),
            Value::Table(entries) => {
                let pairs = entries.iter().map(|(key, value)| (key.value.clone(), self.node(value)));
                Json::Object(pairs.collect())
            }
            _ => node.to_json(),
        }
    }

    fn string(&mut self, node: &Node, text: &str) -> Json {
        if self.left == 0 || self.problems.len() >= MOST_PROBLEMS {
            return Json::Null;
        }
        let value = match self.templates.value_for(text, self.context, self.purpose) {
            Ok(value) => value,
            Err(error) => {
                self.problems.push(diagnostic(node, text, error));
                return Json::Null;
            }
        };
        self.left = self.left.saturating_sub(text_len(&value));
        if self.left == 0 {
            let message = format!("the templates here make more than {MAX_TOTAL} bytes together");
            self.problems.push(Diagnostic::error(
                code::RUNAWAY,
                message,
                node.span.clone(),
                "the limit is passed here",
            ));
        }
        value
    }
}

/// A template's problem with its place in the file: the exact spot where it can be told.
pub(crate) fn diagnostic(node: &Node, text: &str, error: TemplateError) -> Diagnostic {
    let exactly = |range: &Range<usize>| place_in_string(&node.span, text, range);
    let span = error.range.as_ref().and_then(exactly).unwrap_or_else(|| node.span.clone());
    let mut problem = Diagnostic::error(error.code, error.message, span, "");
    problem.help = error.help;
    let edit = error.fix.and_then(|(range, new)| Some(Edit::new(exactly(&range)?, new)));
    problem.fix = edit.into_iter().collect();
    problem
}

pub(super) fn text_len(value: &Json) -> usize {
    match value {
        Json::String(text) => text.len(),
        Json::Array(items) => items.iter().map(|item| 1 + text_len(item)).sum(),
        Json::Object(entries) => entries.iter().map(|(key, item)| key.len() + text_len(item)).sum(),
        _ => 1,
    }
}
