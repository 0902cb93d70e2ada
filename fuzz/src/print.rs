//! A tree -> TOML or YAML that means the same. Plain and ugly: only readers see it.

use pipe_engine::spec::node::{Node, Value};
use std::fmt::Write;

/// A table as TOML: one line for each of its entries, inner tables inline. There must be no null.
pub(crate) fn toml(tree: &Node) -> String {
    let Value::Table(entries) = &tree.value else { return String::new() };
    entries.iter().map(|(key, node)| format!("{} = {}\n", quoted(&key.value), inline(node, " = "))).collect()
}

/// Any tree as YAML on one line.
pub(crate) fn yaml_flow(tree: &Node) -> String {
    inline(tree, ": ")
}

/// Any tree as YAML with a line for each value.
pub(crate) fn yaml_block(tree: &Node) -> String {
    let mut out = String::new();
    block(tree, 0, &mut out);
    out
}

/// Whether there is a null, which TOML cannot say.
pub(crate) fn has_null(tree: &Node) -> bool {
    match &tree.value {
        Value::Null => true,
        Value::List(items) => items.iter().any(has_null),
        Value::Table(entries) => entries.iter().any(|(_, node)| has_null(node)),
        _ => false,
    }
}

fn inline(node: &Node, between: &str) -> String {
    match &node.value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        // With a point or an exponent, so that it stays a number with a fraction.
        Value::Float(value) => format!("{value:?}"),
        Value::String(text) => quoted(text),
        Value::List(items) => {
            format!("[{}]", items.iter().map(|item| inline(item, between)).collect::<Vec<_>>().join(", "))
        }
        Value::Table(entries) => {
            let mark = |key: &str| if between == ": " { key_mark(key) } else { "" };
            let pairs = entries.iter().map(|(key, node)| {
                format!("{}{}{between}{}", mark(&key.value), quoted(&key.value), inline(node, between))
            });
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
    }
}

fn block(node: &Node, depth: usize, out: &mut String) {
    let indent = " ".repeat(depth);
    match &node.value {
        Value::List(items) if !items.is_empty() => {
            for item in items {
                let _ = write!(out, "\n{indent}- ");
                block(item, depth + 1, out);
            }
        }
        Value::Table(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                let mark = key_mark(&key.value);
                let line = if mark.is_empty() { String::new() } else { format!("\n{indent}") };
                let _ = write!(out, "\n{indent}{mark}{}{line}: ", quoted(&key.value));
                block(value, depth + 1, out);
            }
        }
        _ => out.push_str(&inline(node, ": ")),
    }
}

/// YAML wants a mark before a key that is longer than 1024 characters.
fn key_mark(key: &str) -> &'static str {
    if key.chars().count() > 100 { "? " } else { "" }
}

/// A text in the double quotes that both languages have, with everything unusual escaped.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            c => drop(write!(out, "\\U{:08x}", u32::from(c))),
        }
    }
    out.push('"');
    out
}
