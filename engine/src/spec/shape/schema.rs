//! One schema with everything it refers to, asked as if it were one table.
//!
//! schemars spreads a type over `$ref`, `allOf` and the schema itself; here they are put side by side. Knows nothing of
//! trees and messages, except how types are called.

use crate::spec::node::Value;
use serde_json::{Map, Value as Json};

/// A schema and those it consists of, the outermost first.
pub(super) struct Shape<'s> {
    parts: Vec<&'s Map<String, Json>>,
}

/// A chain of references longer than this is a circle.
const LONGEST_CHAIN: usize = 32;

impl<'s> Shape<'s> {
    /// Follows every reference of `schema`; `root` is where they point into.
    pub(super) fn of(root: &'s Json, schema: &'s Json) -> Self {
        let (mut parts, mut next) = (Vec::new(), vec![schema]);
        while let Some(schema) = next.pop() {
            let Some(schema) = schema.as_object() else { continue };
            if parts.len() == LONGEST_CHAIN {
                break;
            }
            parts.push(schema);
            let target = schema.get("$ref").and_then(Json::as_str).and_then(|link| link.strip_prefix('#'));
            next.extend(target.and_then(|pointer| root.pointer(pointer)));
            next.extend(schema.get("allOf").and_then(Json::as_array).into_iter().flatten());
        }
        Self { parts }
    }

    /// The value of a keyword, the outermost first.
    pub(super) fn find(&self, keyword: &str) -> Option<&'s Json> {
        self.parts.iter().find_map(|part| part.get(keyword))
    }

    /// The value of a keyword that is a text.
    pub(super) fn text(&self, keyword: &str) -> Option<&'s str> {
        self.find(keyword).and_then(Json::as_str)
    }

    /// The value of a keyword that is a count.
    pub(super) fn count(&self, keyword: &str) -> Option<u64> {
        self.find(keyword).and_then(Json::as_u64)
    }

    /// The types a value may have; empty when any.
    pub(super) fn types(&self) -> Vec<&'s str> {
        match self.find("type") {
            Some(Json::String(one)) => vec![one],
            Some(Json::Array(several)) => several.iter().filter_map(Json::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// The values a value may have; empty when any.
    pub(super) fn values(&self) -> Vec<&'s Json> {
        let only = self.find("const");
        let several = self.find("enum").and_then(Json::as_array);
        only.into_iter().chain(several.into_iter().flatten()).collect()
    }

    /// The schemas of which a value has to fit one.
    pub(super) fn alternatives(&self) -> Option<Vec<&'s Json>> {
        self.find("oneOf")
            .or_else(|| self.find("anyOf"))
            .and_then(Json::as_array)
            .map(|several| several.iter().collect())
    }

    /// The keys of a table, in the order of the type's fields, each once.
    pub(super) fn properties(&self) -> Vec<(&'s str, &'s Json)> {
        let mut known: Vec<(&str, &Json)> = Vec::new();
        for part in &self.parts {
            for (name, schema) in part.get("properties").and_then(Json::as_object).into_iter().flatten() {
                if !known.iter().any(|(other, _)| other == name) {
                    known.push((name, schema));
                }
            }
        }
        known
    }

    /// The keys a table must have, each once.
    pub(super) fn required(&self) -> Vec<&'s str> {
        let lists = self.parts.iter().filter_map(|part| part.get("required").and_then(Json::as_array));
        let mut names: Vec<&str> = Vec::new();
        for name in lists.flatten().filter_map(Json::as_str) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// What keys that are not named may hold, when the schema says it.
    pub(super) fn other_keys(&self) -> Option<&'s Json> {
        self.find("additionalProperties").filter(|schema| schema.is_object())
    }

    /// Whether keys that are not named are wrong.
    pub(super) fn is_closed(&self) -> bool {
        let closed = |part: &&Map<String, Json>| {
            ["additionalProperties", "unevaluatedProperties"]
                .iter()
                .any(|key| part.get(*key) == Some(&Json::Bool(false)))
        };
        self.parts.iter().any(closed)
    }
}

/// Whether a value is of the type that a schema calls `kind`.
pub(super) fn accepts(kind: &str, value: &Value) -> bool {
    match value {
        Value::Null => kind == "null",
        Value::Bool(_) => kind == "boolean",
        Value::Integer(_) => kind == "integer" || kind == "number",
        Value::Float(_) => kind == "number",
        Value::String(_) => kind == "string",
        Value::List(_) => kind == "array",
        Value::Table(_) => kind == "object",
    }
}

/// Types as a message asks for them: "a string or a list". Nobody is asked to write null, unless nothing else goes.
pub(super) fn wanted(types: &[&str]) -> String {
    let mut words: Vec<&str> = Vec::new();
    for kind in types {
        let word = match *kind {
            "boolean" => "true or false",
            "integer" => "an integer",
            "number" => "a number",
            "string" => "a string",
            "array" => "a list",
            "object" => "a table",
            _ if types.len() > 1 => continue,
            _ => "null",
        };
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words.join(" or ")
}
