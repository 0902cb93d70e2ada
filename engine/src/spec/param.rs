//! `[params]` -> the parameters a spec declares. `x = 5` is a parameter with that default and its type; a table with
//! `type` or `default` says more about one.

use super::node::{Node, Value};
use super::shape;
use crate::text::{Diagnostic, Sources, Span};
use schemars::{JsonSchema, schema_for};
use serde::Deserialize;
use serde_json::Value as Json;

/// A parameter that says more than its default.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema is used; values are read from the tree, with their places")]
pub(super) struct Declaration {
    /// What values it takes. Default: the type of `default`.
    #[serde(rename = "type")]
    kind: Option<ParamType>,
    /// Its value unless another is set. Without one, the parameter must be set.
    default: Option<Json>,
    /// What it is for.
    help: Option<String>,
    /// The values it may have.
    allowed: Option<Vec<Json>>,
    /// The smallest value of a number.
    min: Option<f64>,
    /// The largest value of a number.
    max: Option<f64>,
}

/// The type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ParamType {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// Values in order.
    List,
    /// Named values.
    Table,
}

/// A parameter as the spec declares it.
#[derive(Clone, Debug)]
pub struct Param {
    /// Its name.
    pub name: String,
    /// Where its name is written.
    pub span: Span,
    /// What values it takes.
    pub kind: ParamType,
    /// Its value unless another is set.
    pub default: Option<Node>,
    /// What it is for.
    pub help: Option<String>,
    /// The values it may have; any when empty.
    pub allowed: Vec<Node>,
    /// The smallest value.
    pub min: Option<f64>,
    /// The largest value.
    pub max: Option<f64>,
}

impl ParamType {
    /// As a message names a value of this type.
    pub fn words(self) -> &'static str {
        match self {
            Self::String => "a string",
            Self::Integer => "an integer",
            Self::Number => "a number",
            Self::Boolean => "true or false",
            Self::List => "a list",
            Self::Table => "a table",
        }
    }

    /// Whether a value is of this type.
    pub fn takes(self, value: &Value) -> bool {
        match self {
            Self::String => matches!(value, Value::String(_)),
            Self::Integer => matches!(value, Value::Integer(_)),
            Self::Number => matches!(value, Value::Integer(_) | Value::Float(_)),
            Self::Boolean => matches!(value, Value::Bool(_)),
            Self::List => matches!(value, Value::List(_)),
            Self::Table => matches!(value, Value::Table(_)),
        }
    }

    fn named(name: &str) -> Option<Self> {
        let all = [
            ("string", Self::String),
            ("integer", Self::Integer),
            ("number", Self::Number),
            ("boolean", Self::Boolean),
            ("list", Self::List),
            ("table", Self::Table),
        ];
        all.into_iter().find(|(known, _)| *known == name).map(|(_, kind)| kind)
    }

    fn of(value: &Value) -> Self {
        match value {
            Value::Bool(_) => Self::Boolean,
            Value::Integer(_) => Self::Integer,
            Value::Float(_) => Self::Number,
            Value::String(_) | Value::Null => Self::String,
            Value::List(_) => Self::List,
            Value::Table(_) => Self::Table,
        }
    }
}

/// Whether the value of an entry of `[params]` declares a parameter rather than being its default.
pub(super) fn is_declaration(node: &Node) -> bool {
    node.get("type").is_some() || node.get("default").is_some()
}

/// The parameters of `[params]`. What is wrong with a declaration is told, and it then takes anything.
pub(super) fn read(table: Option<&Node>, sources: &Sources, problems: &mut Vec<Diagnostic>) -> Vec<Param> {
    let schema = schema_for!(Declaration).to_value();
    let entries = table.into_iter().flat_map(Node::entries);
    let param = entries.map(|(name, node)| {
        let (name, span) = (name.value.clone(), name.span.clone());
        if !is_declaration(node) {
            return Param { kind: ParamType::of(&node.value), default: Some(node.clone()), ..Param::named(name, span) };
        }
        shape::check_named(node, &format!("params.{name}"), &schema, sources, problems);
        declared(node, Param::named(name, span))
    });
    param.collect()
}

fn declared(node: &Node, param: Param) -> Param {
    let text = |key: &str| match node.get(key).map(|node| &node.value) {
        Some(Value::String(text)) => Some(text.clone()),
        _ => None,
    };
    let number = |key: &str| match node.get(key).map(|node| &node.value) {
        Some(Value::Integer(number)) => Some(*number as f64),
        Some(Value::Float(number)) => Some(*number),
        _ => None,
    };
    let default = node.get("default").cloned();
    let allowed = match node.get("allowed").map(|node| &node.value) {
        Some(Value::List(values)) => values.clone(),
        _ => Vec::new(),
    };
    let by_example = || default.as_ref().or(allowed.first()).map(|node| ParamType::of(&node.value));
    let kind = text("type").and_then(|name| ParamType::named(&name)).or_else(by_example).unwrap_or(ParamType::String);
    Param { kind, help: text("help"), allowed, min: number("min"), max: number("max"), default, ..param }
}

impl Param {
    fn named(name: String, span: Span) -> Self {
        let kind = ParamType::String;
        Self { name, span, kind, default: None, help: None, allowed: Vec::new(), min: None, max: None }
    }
}
