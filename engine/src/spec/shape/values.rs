//! What templates made -> every place where it is not what the schema wants, at the template that made it.
//!
//! While a spec is read a template is let through wherever it stands. Its value is known when the plan is made; then the
//! same checker looks at it, so that a value out of a template is told of in the same words as one that is written.

use super::schema::Shape;
use super::{Checker, Place, shown};
use crate::spec::node::{Node, PathPart, Value};
use crate::spec::pen::Pen;
use crate::spec::template::{behind_name, is_template};
use crate::text::{Diagnostic, Sources, Span, Spanned, code};
use serde_json::Value as Json;

/// A part of a spec with its templates, and the schema of what they are to become.
pub(crate) struct Values<'s> {
    checker: Checker<'s>,
    node: &'s Node,
    schema: &'s Json,
    /// The templates whose values have to be more than of the right type, and the schema of each.
    bounded: Vec<(Vec<PathPart>, &'s Json)>,
}

impl<'s> Values<'s> {
    /// `schema` lies in the root schema `root`.
    pub(crate) fn new(node: &'s Node, schema: &'s Json, root: &'s Json, sources: &'s Sources) -> Self {
        let mut checker = Checker::new(root, Pen::new(sources));
        checker.node(node, schema, &Place { name: None, span: node.span.clone() });
        checker.problems.clear();
        let templated = std::mem::take(&mut checker.templated);
        let mut bounded = Vec::new();
        walk(node, &mut Vec::new(), &mut |path, node| {
            let schema = templated.iter().find(|(span, _)| *span == node.span).map(|(_, schema)| *schema);
            bounded.extend(schema.filter(|schema| is_bounded(root, schema)).map(|schema| (path.to_vec(), schema)));
        });
        Self { checker, node, schema, bounded }
    }

    /// All that is wrong with what the templates made.
    pub(crate) fn problems(&mut self, made: &Json) -> Vec<Diagnostic> {
        let mut templates = Vec::new();
        let node = joined(self.node, made, &mut templates);
        self.checker.node(&node, self.schema, &Place { name: None, span: self.node.span.clone() });
        self.told(&templates)
    }

    /// What is wrong with values whose type is right: numbers out of range, units, words that are not known. Most stages
    /// have no such template, and then this costs nothing.
    pub(crate) fn out_of_bounds(&mut self, made: &Json) -> Vec<Diagnostic> {
        let mut templates = Vec::new();
        for (path, schema) in &self.bounded {
            let Some(value) = at(made, path) else { continue };
            let node = joined(self.node.at(path), value, &mut templates);
            let name = path.iter().rev().find_map(|part| if let PathPart::Key(key) = part { Some(key) } else { None });
            self.checker.node(&node, schema, &Place { name: name.map(String::as_str), span: node.span.clone() });
        }
        self.told(&templates)
    }

    /// The problems, in words that tell what is written from what came of it.
    fn told(&mut self, templates: &[Template]) -> Vec<Diagnostic> {
        let mut problems = std::mem::take(&mut self.checker.problems);
        self.checker.templated.clear();
        for problem in &mut problems {
            let Some((span, text, made)) = templates.iter().find(|(span, ..)| *span == problem.span()) else {
                continue;
            };
            let label = &mut problem.labels[0].text;
            *label = match (label.strip_prefix("this is"), made) {
                (Some(what), _) => format!("this makes{what}"),
                (None, Json::Array(_) | Json::Object(_)) => std::mem::take(label),
                (None, made) if label.is_empty() => format!("this makes `{}`", shown(made)),
                (None, made) => format!("{label}, and this makes `{}`", shown(made)),
            };
            // What is proposed for a value that is written does not hold for the template that makes it.
            problem.fix.clear();
            if problem.code == code::WRONG_TYPE {
                let as_text = problem.message.ends_with("wants a string") && !made.is_array() && !made.is_object();
                problem.help = as_text.then(|| "make it a text: `{{ ... | string }}`".to_owned());
                problem.fix.extend(behind_name(span, text, "string").filter(|_| as_text));
            }
        }
        problems
    }
}

/// A template's place, its text and what it made.
type Template = (Span, String, Json);

/// Whether a schema says more of a value than its type.
fn is_bounded(root: &Json, schema: &Json) -> bool {
    let shape = Shape::of(root, schema);
    let bounds = ["format", "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "minLength", "maxLength"];
    bounds.iter().any(|key| shape.find(key).is_some())
        || ["minItems", "maxItems"].iter().any(|key| shape.find(key).is_some())
        || shape.alternatives().is_some()
        || !shape.values().is_empty()
}

/// Every template of a tree with its path.
fn walk<'n>(node: &'n Node, path: &mut Vec<PathPart>, found: &mut impl FnMut(&[PathPart], &'n Node)) {
    match &node.value {
        Value::String(text) if is_template(text) => found(path, node),
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(index.into());
                walk(item, path, found);
                path.pop();
            }
        }
        Value::Table(entries) => {
            for (key, item) in entries {
                path.push(key.value.as_str().into());
                walk(item, path, found);
                path.pop();
            }
        }
        _ => {}
    }
}

fn at<'j>(made: &'j Json, path: &[PathPart]) -> Option<&'j Json> {
    path.iter().try_fold(made, |value, part| match part {
        PathPart::Key(key) => value.get(key),
        PathPart::Index(index) => value.get(index),
    })
}

/// The tree with what its templates made in their places. `templates` gets each of them.
fn joined(node: &Node, made: &Json, templates: &mut Vec<Template>) -> Node {
    let value = match (&node.value, made) {
        (Value::String(text), _) if is_template(text) => {
            templates.push((node.span.clone(), text.clone(), made.clone()));
            return spread(made, &node.span);
        }
        (Value::List(items), Json::Array(values)) => {
            Value::List(items.iter().zip(values).map(|(item, made)| joined(item, made, templates)).collect())
        }
        (Value::Table(entries), Json::Object(values)) => {
            let entry = |(key, item): &(Spanned<String>, Node)| {
                let made = values.get(&key.value).unwrap_or(&Json::Null);
                (key.clone(), joined(item, made, templates))
            };
            Value::Table(entries.iter().map(entry).collect())
        }
        (value, _) => value.clone(),
    };
    Node { value, span: node.span.clone() }
}

/// A value all of which stands at one place.
fn spread(made: &Json, span: &Span) -> Node {
    let value = match made {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::Integer(whole),
            None => Value::Float(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => Value::List(items.iter().map(|item| spread(item, span)).collect()),
        Json::Object(entries) => {
            let entry = |(key, item): (&String, &Json)| {
                (Spanned { value: key.clone(), span: span.clone() }, spread(item, span))
            };
            Value::Table(entries.iter().map(entry).collect())
        }
    };
    Node { value, span: span.clone() }
}
