//! A value that may have one of several shapes -> the one it was meant to have, and its problems against that one.
//!
//! Saying that none of five shapes fits helps nobody. So the shape is chosen by what people look at: the word in
//! `kind` or `type`, then the value's type, then whatever fits best.

use super::schema::{Shape, accepts};
use super::{Checker, Place};
use crate::spec::node::{Node, Value};
use crate::spec::template::is_template;
use crate::text::{Diagnostic, code, one_of};
use serde_json::Value as Json;

impl<'s> Checker<'s> {
    /// Checks `node` against the one of `alternatives` that was meant. `around` is the schema they belong to.
    pub(super) fn variant(&mut self, node: &Node, around: &Shape<'s>, alternatives: &[&'s Json], place: &Place<'_>) {
        let all = self.flattened(alternatives);
        if let (Value::Table(_), Some(tag)) = (&node.value, self.tag(&all)) {
            self.tagged(node, tag, &all, place);
            return;
        }
        let fitting: Vec<&'s Json> = all.iter().copied().filter(|schema| self.takes(schema, node)).collect();
        if fitting.is_empty() {
            self.wrong_type(node, &all, place);
            return;
        }
        let values: Option<Vec<Vec<&'s Json>>> = fitting.iter().map(|schema| self.closed_values(schema)).collect();
        match values {
            Some(values) => self.one_of_values(node, &values.concat(), place),
            None => self.best(node, &fitting, place),
        }
        // Keys beside the alternatives hold for all of them.
        if matches!(node.value, Value::Table(_)) && !around.properties().is_empty() {
            self.table(node, around, place);
        }
    }

    /// Alternatives that are alternatives themselves are put in their place, as `Option` of an enum is.
    pub(super) fn flattened(&self, alternatives: &[&'s Json]) -> Vec<&'s Json> {
        let mut flat = Vec::new();
        let mut next: Vec<&'s Json> = alternatives.iter().rev().copied().collect();
        while let Some(schema) = next.pop() {
            match Shape::of(self.root, schema).alternatives() {
                Some(inner) if flat.len() + next.len() < MAX_ALTERNATIVES => next.extend(inner.into_iter().rev()),
                _ => flat.push(schema),
            }
        }
        flat
    }

    /// The key whose word decides: all tables among the alternatives have it, each with one word of its own.
    fn tag(&self, all: &[&'s Json]) -> Option<&'s str> {
        let mut tables =
            all.iter().map(|schema| Shape::of(self.root, schema)).filter(|shape| !shape.properties().is_empty());
        let first = tables.next()?.properties();
        let others: Vec<_> = tables.map(|shape| shape.properties()).collect();
        let mut candidates = first.into_iter().filter(|(name, schema)| {
            let has = |properties: &Vec<(&str, &'s Json)>| {
                properties.iter().any(|(other, schema)| other == name && schema.get("const").is_some())
            };
            schema.get("const").is_some() && others.iter().all(has)
        });
        candidates.next().map(|(name, _)| name)
    }

    /// Checks a table whose word under `tag` chooses the alternative.
    fn tagged(&mut self, node: &Node, tag: &str, all: &[&'s Json], place: &Place<'_>) {
        let word_of = |schema: &'s Json| self.property(schema, tag)?.get("const");
        let words: Vec<(&'s Json, &'s Json)> =
            all.iter().filter_map(|schema| word_of(schema).map(|word| (word, *schema))).collect();
        let Some(written) = node.get(tag) else {
            self.missing_tag(node, tag, &words, place);
            return;
        };
        let is = written.to_json();
        if let Some((_, schema)) = words.iter().find(|(word, _)| **word == is) {
            self.plain(node, schema, &Shape::of(self.root, schema), place);
        } else if !matches!(&written.value, Value::String(_)) {
            let words: Vec<&'s Json> = words.iter().filter_map(|(_, schema)| self.property(schema, tag)).collect();
            self.wrong_type(written, &words, &Place { name: Some(tag), span: written.span.clone() });
        } else if is.as_str().is_some_and(is_template) {
            let message = format!("`{tag}` cannot be a template");
            self.error(code::UNKNOWN_VALUE, message, written.span.clone(), "").help =
                Some(format!("it decides which keys {} has, so it is written out", place.name()));
        } else {
            let values: Vec<&Json> = words.iter().map(|(word, _)| *word).collect();
            self.one_of_values(written, &values, &Place { name: Some(tag), span: written.span.clone() });
        }
    }

    fn property(&self, schema: &'s Json, key: &str) -> Option<&'s Json> {
        Shape::of(self.root, schema).properties().into_iter().find(|(name, _)| *name == key).map(|(_, schema)| schema)
    }

    /// A table without the key that decides what it is; the keys it has may tell.
    fn missing_tag(&mut self, node: &Node, tag: &str, words: &[(&'s Json, &'s Json)], place: &Place<'_>) {
        let message = format!("{} has no key `{tag}`", place.name());
        let problem = Diagnostic::error(code::MISSING_KEY, message, place.span.clone(), format!("needs `{tag}`"));
        let meant = self.meant_by_keys(node.entries(), tag, words);
        let edit = meant.and_then(|word| self.pen.add(node, place.name, tag, word));
        self.problems.push(match (meant.and_then(Json::as_str), edit) {
            (Some(word), Some(edit)) => problem.fix(format!("its keys are those of `{word}`"), [edit]),
            _ => problem.help(format!("`{tag}` is one of {}", one_of(words.iter().filter_map(|(w, _)| w.as_str())))),
        });
    }

    /// Whether a value of this type could fit `schema` at all.
    fn takes(&self, schema: &'s Json, node: &Node) -> bool {
        let shape = Shape::of(self.root, schema);
        let types = shape.types();
        let values = shape.values();
        if !types.is_empty() {
            return types.iter().any(|kind| accepts(kind, &node.value));
        }
        // A bare `const` has no type of its own, so its value tells.
        let is = std::mem::discriminant(&node.to_json());
        values.is_empty() || values.iter().any(|value| std::mem::discriminant(*value) == is)
    }

    /// The values `schema` consists of, when it is nothing but a list of values.
    fn closed_values(&self, schema: &'s Json) -> Option<Vec<&'s Json>> {
        let values = Shape::of(self.root, schema).values();
        (!values.is_empty()).then_some(values)
    }

    /// Keeps the problems of the shape that has the fewest.
    fn best(&mut self, node: &Node, fitting: &[&'s Json], place: &Place<'_>) {
        let before = std::mem::take(&mut self.problems);
        let mut fewest: Option<Vec<_>> = None;
        for schema in fitting {
            self.plain(node, schema, &Shape::of(self.root, schema), place);
            let found = std::mem::take(&mut self.problems);
            if fewest.as_ref().is_none_or(|fewest| found.len() < fewest.len()) {
                fewest = Some(found);
            }
        }
        self.problems = before;
        self.problems.extend(fewest.unwrap_or_default());
    }
}

/// More alternatives than any type has; a schema that refers to itself in a circle ends here.
const MAX_ALTERNATIVES: usize = 256;
