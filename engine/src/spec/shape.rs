//! A tree and a JSON Schema -> every place where the tree is not what the schema wants, in people's words.
//!
//! The schema is made by schemars from the types that will hold the values, so types, editor completion and messages
//! have one truth. Knows nothing of what keys mean; strings that hold a template are accepted anywhere, since their
//! value is known later, and only the template itself is checked.

mod schema;
#[cfg(test)]
mod tests;
mod variants;

use super::node::{Node, Value};
use crate::spec::template::{Templates, diagnostic, is_template};
use crate::text::{Diagnostic, Span, Spanned, closest, code, listed, one_of};
use crate::units::{Bytes, Cpu, Millis, MillisRange, Usd};
use schema::{Shape, wanted};
use serde_json::Value as Json;

/// Checks `node` against `schema`, a root schema of schemars 1.x, and adds every problem to `problems`.
pub fn check(node: &Node, schema: &Json, problems: &mut Vec<Diagnostic>) {
    let mut checker = Checker { root: schema, templates: Templates::new(), problems: Vec::new() };
    checker.node(node, schema, &Place { name: None, span: node.span.start..node.span.start });
    problems.append(&mut checker.problems);
}

/// Checks a part of a spec against a root schema of its own. Problems call it `name`.
pub(super) fn check_named(node: &Node, name: &str, schema: &Json, problems: &mut Vec<Diagnostic>) {
    let mut checker = Checker { root: schema, templates: Templates::new(), problems: Vec::new() };
    checker.node(node, schema, &Place { name: Some(name), span: node.span.clone() });
    problems.append(&mut checker.problems);
}

/// The schema of a value that may be anything; its templates are still checked.
static ANYTHING: Json = Json::Bool(true);

/// How a value is called in a message, and where to point when the value itself has no good place.
struct Place<'n> {
    name: Option<&'n str>,
    span: Span,
}

impl Place<'_> {
    fn of(key: &Spanned<String>) -> Place<'_> {
        Place { name: Some(&key.value), span: key.span.clone() }
    }

    fn name(&self) -> String {
        self.name.map_or_else(|| "the spec".to_owned(), |name| format!("`{name}`"))
    }
}

struct Checker<'s> {
    root: &'s Json,
    templates: Templates,
    problems: Vec<Diagnostic>,
}

impl<'s> Checker<'s> {
    fn node(&mut self, node: &Node, schema: &'s Json, place: &Place<'_>) {
        if let Value::String(text) = &node.value
            && is_template(text)
        {
            if let Err(error) = self.templates.check(text) {
                self.problems.push(diagnostic(node, text, error));
            }
            return;
        }
        let shape = Shape::of(self.root, schema);
        if let Some(alternatives) = shape.alternatives() {
            self.variant(node, &shape, &alternatives, place);
        } else {
            self.plain(node, &shape, place);
        }
    }

    /// Checks against a schema without alternatives.
    fn plain(&mut self, node: &Node, shape: &Shape<'s>, place: &Place<'_>) {
        let types = shape.types();
        if !types.is_empty() && !types.iter().any(|kind| schema::accepts(kind, &node.value)) {
            self.wrong_type(node, &wanted(&types), place);
            // The description of a table shows how to write one.
            if types == ["object"]
                && let Some(text) = shape.text("description")
                && let Some(problem) = self.problems.last_mut()
            {
                problem.help = Some(first_sentence(text));
            }
            return;
        }
        let values = shape.values();
        if !values.is_empty() {
            self.one_of_values(node, &values, place);
        }
        match &node.value {
            Value::String(text) => self.text(node, text, shape, place),
            Value::Integer(number) => self.range(node, *number as f64, shape, place),
            Value::Float(number) => self.range(node, *number, shape, place),
            Value::List(items) => self.list(node, items, shape, place),
            Value::Table(entries) => self.table(entries, shape, place),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn error(&mut self, code: &'static str, message: String, span: Span, label: impl Into<String>) -> &mut Diagnostic {
        self.problems.push(Diagnostic::error(code, message, span, label));
        self.problems.last_mut().expect("one was pushed above")
    }

    fn wrong_type(&mut self, node: &Node, wanted: &str, place: &Place<'_>) {
        let message = format!("{} wants {wanted}", place.name());
        self.error(code::WRONG_TYPE, message, node.span.clone(), format!("this is {}", node.value.kind()));
    }

    fn one_of_values(&mut self, node: &Node, values: &[&Json], place: &Place<'_>) {
        let is = node.to_json();
        if values.contains(&&is) {
            return;
        }
        let names: Vec<String> = values.iter().map(|value| shown(value)).collect();
        let names = || names.iter().map(String::as_str);
        let is = shown(&is);
        let help = match closest(&is, names()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("it is one of {}", one_of(names())),
        };
        let message = format!("{} cannot be `{is}`", place.name());
        self.error(code::UNKNOWN_VALUE, message, node.span.clone(), "").help = Some(help);
    }

    fn text(&mut self, node: &Node, text: &str, shape: &Shape<'s>, place: &Place<'_>) {
        let unit = match shape.text("format") {
            Some("bytes") => text.parse::<Bytes>().err(),
            Some("duration") => text.parse::<Millis>().err(),
            Some("duration-range") => text.parse::<MillisRange>().err(),
            Some("cpu") => text.parse::<Cpu>().err(),
            Some("usd") => text.parse::<Usd>().err(),
            _ => None,
        };
        if let Some(error) = unit {
            self.error(code::BAD_UNIT, format!("{} cannot be read: {error}", place.name()), node.span.clone(), "");
        }
        let length = text.chars().count() as u64;
        self.length(node, length, "character", [shape.count("minLength"), shape.count("maxLength")], place);
    }

    fn length(&mut self, node: &Node, is: u64, what: &str, [least, most]: [Option<u64>; 2], place: &Place<'_>) {
        let (bound, count) = match (least, most) {
            (Some(least), Some(most)) if least == most && is != least => ("exactly", least),
            (Some(least), _) if is < least => ("at least", least),
            (_, Some(most)) if is > most => ("at most", most),
            _ => return,
        };
        let plural = if count == 1 { "" } else { "s" };
        let message = format!("{} wants {bound} {count} {what}{plural}", place.name());
        self.error(code::WRONG_LENGTH, message, node.span.clone(), format!("this has {is}"));
    }

    fn range(&mut self, node: &Node, is: f64, shape: &Shape<'s>, place: &Place<'_>) {
        let rules: [Rule; 4] = [
            ("minimum", "at least", |is, bound| is >= bound),
            ("exclusiveMinimum", "more than", |is, bound| is > bound),
            ("maximum", "at most", |is, bound| is <= bound),
            ("exclusiveMaximum", "less than", |is, bound| is < bound),
        ];
        for (key, words, holds) in rules {
            if let Some(bound) = shape.find(key)
                && bound.as_f64().is_some_and(|limit| !holds(is, limit))
            {
                let message = format!("{} is out of range", place.name());
                self.error(code::OUT_OF_RANGE, message, node.span.clone(), format!("wants {words} {bound}"));
                return;
            }
        }
    }

    fn list(&mut self, node: &Node, items: &[Node], shape: &Shape<'s>, place: &Place<'_>) {
        self.length(node, items.len() as u64, "item", [shape.count("minItems"), shape.count("maxItems")], place);
        let fixed = shape.find("prefixItems").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
        let rest = shape.find("items");
        for (index, item) in items.iter().enumerate() {
            let schema = fixed.get(index).or(rest).unwrap_or(&ANYTHING);
            let name = format!("{}[{index}]", place.name.unwrap_or_default());
            self.node(item, schema, &Place { name: Some(&name), span: item.span.clone() });
        }
    }

    fn table(&mut self, entries: &[(Spanned<String>, Node)], shape: &Shape<'s>, place: &Place<'_>) {
        let known = shape.properties();
        for (key, value) in entries {
            match known.iter().find(|(name, _)| *name == key.value) {
                Some((_, schema)) => self.node(value, schema, &Place::of(key)),
                None => match shape.other_keys() {
                    Some(schema) => self.node(value, schema, &Place::of(key)),
                    None if shape.is_closed() => self.unknown_key(key, &known, place),
                    None => self.node(value, &ANYTHING, &Place::of(key)),
                },
            }
        }
        for name in shape.required() {
            if !entries.iter().any(|(key, _)| key.value == name) {
                let schema = known.iter().find(|(known, _)| *known == name).map(|(_, schema)| *schema);
                self.missing_key(name, schema, place);
            }
        }
    }

    fn unknown_key(&mut self, key: &Spanned<String>, known: &[(&str, &Json)], place: &Place<'_>) {
        let names = || known.iter().map(|(name, _)| *name);
        let help = match closest(&key.value, names()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if known.is_empty() => format!("{} has no keys", place.name()),
            None => format!("the keys here: {}", listed(names())),
        };
        let message = format!("unknown key `{}` in {}", key.value, place.name());
        self.error(code::UNKNOWN_KEY, message, key.span.clone(), "").help = Some(help);
    }

    fn missing_key(&mut self, name: &str, schema: Option<&'s Json>, place: &Place<'_>) {
        let description = schema.and_then(|schema| Shape::of(self.root, schema).text("description"));
        let message = format!("{} has no key `{name}`", place.name());
        let help = description.map(|text| format!("`{name}`: {}", first_sentence(text)));
        self.error(code::MISSING_KEY, message, place.span.clone(), format!("needs `{name}`")).help = help;
    }
}

/// A keyword that bounds numbers, its words, and whether a number keeps it.
type Rule = (&'static str, &'static str, fn(f64, f64) -> bool);

/// A value as a message shows it: a text without its quotes.
fn shown(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The first paragraph of a description, on one line.
fn first_sentence(text: &str) -> String {
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    paragraph.split_whitespace().collect::<Vec<_>>().join(" ")
}
