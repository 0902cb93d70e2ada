//! The spec as a tree that is the same for TOML and YAML: values, each with the bytes it was read from.
//!
//! Knows nothing of either language, nor of what the keys mean. The limits that every reader keeps are here.

use crate::text::{Diagnostic, Span, Spanned, code};
use serde_json::Number;

/// The largest file a spec may be, in bytes.
pub const MAX_FILE: usize = 1 << 20;
/// How deep tables and lists may lie in each other; the root table is at depth 1.
pub const MAX_DEPTH: usize = 64;
/// How many values a tree may have, after YAML aliases have been written out.
pub const MAX_NODES: usize = 200_000;

/// One value of the spec and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What was written.
    pub value: Value,
    /// The bytes it was read from. For a TOML table with a header, the header.
    pub span: Span,
}

/// What a [`Node`] holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// YAML's `null`; TOML has none.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A finite number with a fraction or exponent.
    Float(f64),
    /// A text, templates and all. TOML's dates and times are texts.
    String(String),
    /// Values in order.
    List(Vec<Node>),
    /// Named values in the order of the file; each name once.
    Table(Vec<(Spanned<String>, Node)>),
}

/// One step down the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathPart {
    /// Into a table.
    Key(String),
    /// Into a list, from 0.
    Index(usize),
}

impl From<&str> for PathPart {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<usize> for PathPart {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

impl Node {
    /// The value under `key`; `None` when this is no table or has no such key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        let Value::Table(entries) = &self.value else { return None };
        entries.iter().find(|(name, _)| name.value == key).map(|(_, node)| node)
    }

    /// The value under `key`, to change it.
    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.entries_mut().iter_mut().find(|(name, _)| name.value == key).map(|(_, node)| node)
    }

    /// The entries of a table, in the order of the file; none of anything else.
    pub fn entries(&self) -> &[(Spanned<String>, Node)] {
        if let Value::Table(entries) = &self.value { entries } else { &[] }
    }

    pub(super) fn entries_mut(&mut self) -> &mut [(Spanned<String>, Node)] {
        if let Value::Table(entries) = &mut self.value { entries } else { &mut [] }
    }

    /// The table without some of its entries.
    pub(crate) fn without(&self, keys: &[&str]) -> Node {
        let kept = self.entries().iter().filter(|(key, _)| !keys.contains(&key.value.as_str()));
        Node { value: Value::Table(kept.cloned().collect()), span: self.span.clone() }
    }

    /// The value at the end of `path`, or the deepest one on the way that exists.
    ///
    /// A problem found long after reading thus always has a place to point at.
    pub fn at(&self, path: &[PathPart]) -> &Node {
        let Some((first, rest)) = path.split_first() else { return self };
        let child = match (first, &self.value) {
            (PathPart::Key(key), _) => self.get(key),
            (PathPart::Index(index), Value::List(items)) => items.get(*index),
            (PathPart::Index(_), _) => None,
        };
        child.map_or(self, |child| child.at(rest))
    }

    /// Moves the tree to where its text lies among all texts.
    pub(super) fn shift(&mut self, by: usize) {
        move_span(&mut self.span, by);
        match &mut self.value {
            Value::List(items) => items.iter_mut().for_each(|item| item.shift(by)),
            Value::Table(entries) => {
                for (key, node) in entries {
                    move_span(&mut key.span, by);
                    node.shift(by);
                }
            }
            _ => {}
        }
    }

    /// The value at the end of `path`, if there is one.
    pub fn find(&self, path: &[PathPart]) -> Option<&Node> {
        path.iter().try_fold(self, |node, part| match (part, &node.value) {
            (PathPart::Key(key), _) => node.get(key),
            (PathPart::Index(index), Value::List(items)) => items.get(*index),
            (PathPart::Index(_), _) => None,
        })
    }

    /// How many values there are.
    pub(super) fn size(&self) -> usize {
        match &self.value {
            Value::List(items) => 1 + items.iter().map(Node::size).sum::<usize>(),
            Value::Table(entries) => 1 + entries.iter().map(|(_, node)| node.size()).sum::<usize>(),
            _ => 1,
        }
    }

    /// The tree without its places.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Integer(value) => (*value).into(),
            Value::Float(value) => Number::from_f64(*value).expect("readers refuse numbers that are not finite").into(),
            Value::String(value) => value.as_str().into(),
            Value::List(items) => items.iter().map(Node::to_json).collect(),
            Value::Table(entries) => {
                let pairs = entries.iter().map(|(key, node)| (key.value.clone(), node.to_json()));
                serde_json::Value::Object(pairs.collect())
            }
        }
    }
}

fn move_span(span: &mut Span, by: usize) {
    *span = span.start + by..span.end + by;
}

impl Value {
    /// The kind of value as a message names it, e.g. "a list".
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a number with a fraction",
            Self::String(_) => "a string",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// Tells of every text and key that holds NUL: no path, argument or variable can.
pub(super) fn refuse_nul(node: &Node, problems: &mut Vec<Diagnostic>) {
    let mut refuse = |text: &str, span: &Span| {
        if text.contains('\0') {
            let problem = Diagnostic::error(code::NUL, "a text of a spec cannot hold NUL", span.clone(), "");
            problems.push(problem.help("take it out: no path, argument or variable can hold it"));
        }
    };
    match &node.value {
        Value::String(text) => refuse(text, &node.span),
        Value::List(items) => items.iter().for_each(|item| refuse_nul(item, problems)),
        Value::Table(entries) => {
            entries.iter().for_each(|(key, _)| refuse(&key.value, &key.span));
            entries.iter().for_each(|(_, value)| refuse_nul(value, problems));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Node {
        crate::spec::toml::parse("[stages.clips]\nsize = [64, 32]\nname = \"x\"\n").0
    }

    #[test]
    fn a_path_that_ends_early_gives_the_deepest_value_there_is() {
        let tree = tree();
        assert_eq!(tree.at(&["stages".into(), "clips".into(), "size".into(), 1.into()]).value, Value::Integer(32));
        assert_eq!(tree.at(&["stages".into(), "clips".into(), "size".into(), 7.into()]).value.kind(), "a list");
        assert_eq!(tree.at(&["stages".into(), "nope".into(), "size".into()]), tree.get("stages").unwrap());
        assert_eq!(tree.at(&[]), &tree);
    }

    #[test]
    fn json_has_the_same_values_without_the_places() {
        let expected = serde_json::json!({ "stages": { "clips": { "size": [64, 32], "name": "x" } } });
        assert_eq!(tree().to_json(), expected);
    }
}
