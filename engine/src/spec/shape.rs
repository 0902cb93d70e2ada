//! A tree and a JSON Schema -> every place where the tree is not what the schema wants, in people's words.
//!
//! The schema is made by schemars from the types that will hold the values, so types, editor completion and messages
//! have one truth. Knows nothing of what keys mean; strings that hold a template are accepted anywhere, since their
//! value is known later, and only the template itself is checked.

mod mend;
mod schema;
#[cfg(test)]
mod tests;
mod values;
mod variants;

pub(crate) use values::Values;

use super::node::{Node, Value};
use super::pen::Pen;
use crate::spec::template::{Templates, diagnostic, is_template, place_in_string};
use crate::text::{Diagnostic, MOST_PROBLEMS, Sources, Span, Spanned, closest, code, listed, one_of};
use crate::units::{Bytes, Cpu, Millis, MillisRange, Usd};
use schema::{Shape, wanted};
use serde_json::Value as Json;
use std::cell::OnceCell;

/// Checks `node` against `schema`, a root schema of schemars 1.x, and adds every problem to `problems`. `sources` is
/// what the tree was read from: fixes are written in the language of each file.
pub fn check(node: &Node, schema: &Json, sources: &Sources, problems: &mut Vec<Diagnostic>) {
    let mut checker = Checker::new(schema, Pen::new(sources));
    checker.node(node, schema, &Place { name: None, span: node.span.start..node.span.start });
    problems.append(&mut checker.problems);
}

/// Checks a part of a spec against a root schema of its own. Problems call it `name`.
pub(super) fn check_named(node: &Node, name: &str, schema: &Json, sources: &Sources, problems: &mut Vec<Diagnostic>) {
    let mut checker = Checker::new(schema, Pen::new(sources));
    checker.node(node, schema, &Place { name: Some(name), span: node.span.clone() });
    problems.append(&mut checker.problems);
}

/// The schema of a value that may be anything; its templates are still checked.
static ANYTHING: Json = Json::Bool(true);

/// The format of a text that a shell reads: a value that got into it would become code.
pub(super) const NO_TEMPLATE: &str = "no-template";

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
    /// Made when the first template is met; most parts of a spec have none.
    templates: OnceCell<Templates>,
    pen: Pen<'s>,
    problems: Vec<Diagnostic>,
    /// The templates that were let through, and what each is to become.
    templated: Vec<(Span, &'s Json)>,
    /// Whether a value is only held against a schema to see if it fits.
    is_trying: bool,
}

impl<'s> Checker<'s> {
    fn new(root: &'s Json, pen: Pen<'s>) -> Self {
        let (templates, problems, templated) = (OnceCell::new(), Vec::new(), Vec::new());
        Self { root, templates, pen, problems, templated, is_trying: false }
    }

    fn node(&mut self, node: &Node, schema: &'s Json, place: &Place<'_>) {
        if self.problems.len() >= MOST_PROBLEMS {
            return;
        }
        if let Value::String(text) = &node.value
            && is_template(text)
        {
            if Shape::of(self.root, schema).text("format") == Some(NO_TEMPLATE) {
                return self.template_in_code(node, text, place);
            }
            self.templated.push((node.span.clone(), schema));
            if let Err(error) = self.templates.get_or_init(Templates::new).check(text) {
                self.problems.push(diagnostic(node, text, error));
            }
            return;
        }
        let shape = Shape::of(self.root, schema);
        if let Some(alternatives) = shape.alternatives() {
            self.variant(node, &shape, &alternatives, place);
        } else {
            self.plain(node, schema, &shape, place);
        }
    }

    fn template_in_code(&mut self, node: &Node, text: &str, place: &Place<'_>) {
        let found = text.find("{{").or_else(|| text.find("{%")).or_else(|| text.find("{#")).unwrap_or(0);
        let span = place_in_string(&node.span, text, &(found..found + 2)).unwrap_or(node.span.clone());
        let message = format!("{} cannot hold a template: a shell would run whatever its value says", place.name());
        let help = "give it the value as a variable, env = { VALUE = \"{{ ... }}\" }, and write \"$VALUE\"; \
                    the keys of the matrix are there as $PIPE_CELL_KEY";
        self.error(code::TEMPLATE_IN_CODE, message, span, "").help = Some(help.to_owned());
    }

    /// Checks against a schema without alternatives.
    fn plain(&mut self, node: &Node, schema: &'s Json, shape: &Shape<'s>, place: &Place<'_>) {
        let types = shape.types();
        if !types.is_empty() && !types.iter().any(|kind| schema::accepts(kind, &node.value)) {
            self.wrong_type(node, &[schema], place);
            return;
        }
        let values = shape.values();
        if !values.is_empty() {
            self.one_of_values(node, &values, place);
        }
        match &node.value {
            Value::String(text) => self.text(node, text, shape, place),
            Value::Integer(number) => self.number(node, *number as f64, shape, place),
            Value::Float(number) => self.number(node, *number, shape, place),
            Value::List(items) => self.list(node, items, shape, place),
            Value::Table(_) => self.table(node, shape, place),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn error(&mut self, code: &'static str, message: String, span: Span, label: impl Into<String>) -> &mut Diagnostic {
        self.problems.push(Diagnostic::error(code, message, span, label));
        self.problems.last_mut().expect("one was pushed above")
    }

    /// The value is of none of the types that `schemas` want.
    fn wrong_type(&mut self, node: &Node, schemas: &[&'s Json], place: &Place<'_>) {
        let shapes: Vec<Shape<'s>> = schemas.iter().map(|schema| Shape::of(self.root, schema)).collect();
        let types: Vec<&str> = shapes.iter().flat_map(Shape::types).collect();
        let message = format!("{} wants {}", place.name(), wanted(&types));
        let problem =
            Diagnostic::error(code::WRONG_TYPE, message, node.span.clone(), format!("this is {}", node.value.kind()));
        // The description of a table shows how to write one.
        let description = shapes.iter().filter(|shape| shape.types() == ["object"]).find_map(|s| s.text("description"));
        let problem = match self.mend(node, schemas) {
            Some((help, edits)) => problem.fix(help, edits),
            None => Diagnostic { help: description.map(first_sentence), ..problem },
        };
        self.problems.push(problem);
    }

    fn one_of_values(&mut self, node: &Node, values: &[&Json], place: &Place<'_>) {
        let is = node.to_json();
        if values.contains(&&is) {
            return;
        }
        let names: Vec<String> = values.iter().map(|value| shown(value)).collect();
        let names = || names.iter().map(String::as_str);
        let is = shown(&is);
        let message = format!("{} cannot be `{is}`", place.name());
        let problem = Diagnostic::error(code::UNKNOWN_VALUE, message, node.span.clone(), "");
        let meant = closest(&is, names()).and_then(|meant| values.iter().find(|value| shown(value) == meant));
        self.problems.push(match meant {
            Some(meant) => problem.fix(did_you_mean(&shown(meant)), [self.pen.put(node, meant)]),
            None => problem.help(format!("it is one of {}", one_of(names()))),
        });
    }

    /// A size, a duration and the like, be it written with its unit or as a bare number.
    fn unit(&mut self, node: &Node, text: &str, shape: &Shape<'s>, place: &Place<'_>) {
        let unit = match shape.text("format") {
            Some("bytes") => text.parse::<Bytes>().err(),
            Some("duration") => text.parse::<Millis>().err(),
            Some("duration-range") => text.parse::<MillisRange>().err(),
            Some("cpu") => text.parse::<Cpu>().err(),
            Some("usd") => text.parse::<Usd>().err(),
            _ => None,
        };
        let Some(error) = unit.map(|error| error.to_string()) else { return };
        let format = shape.text("format").unwrap_or_default();
        let (what, advice) = error.split_once(": ").unwrap_or((&error, ""));
        let message = format!("{} cannot be read: {what}", place.name());
        let problem = Diagnostic::error(code::BAD_UNIT, message, node.span.clone(), "");
        self.problems.push(match mend::unit_spelling(format, text) {
            Some(meant) => problem.fix(did_you_mean(&meant), [self.pen.put(node, &Json::from(meant))]),
            None => problem.help(mend::two_units(format, text).unwrap_or_else(|| advice.to_owned())),
        });
    }

    fn text(&mut self, node: &Node, text: &str, shape: &Shape<'s>, place: &Place<'_>) {
        self.unit(node, text, shape, place);
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

    fn number(&mut self, node: &Node, is: f64, shape: &Shape<'s>, place: &Place<'_>) {
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
        self.unit(node, &node.to_json().to_string(), shape, place);
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

    fn table(&mut self, node: &Node, shape: &Shape<'s>, place: &Place<'_>) {
        let known = shape.properties();
        let mut misspelt = Vec::new();
        for (key, value) in node.entries() {
            if self.problems.len() >= MOST_PROBLEMS {
                break;
            }
            match known.iter().find(|(name, _)| *name == key.value) {
                Some((_, schema)) => self.node(value, schema, &Place::of(key)),
                None => match shape.other_keys() {
                    Some(schema) => self.node(value, schema, &Place::of(key)),
                    None if shape.is_closed() => misspelt.extend(self.unknown_key(key, node, &known, place)),
                    None => self.node(value, &ANYTHING, &Place::of(key)),
                },
            }
        }
        for name in shape.required() {
            if node.get(name).is_none() && !misspelt.contains(&name) {
                let schema = known.iter().find(|(known, _)| *known == name).map(|(_, schema)| *schema);
                self.missing_key(name, node, schema, place);
            }
        }
    }

    /// Says that a key is unknown, and which one was probably meant.
    fn unknown_key(
        &mut self,
        key: &Spanned<String>,
        table: &Node,
        known: &[(&'s str, &'s Json)],
        place: &Place<'_>,
    ) -> Option<&'s str> {
        let names = || known.iter().map(|(name, _)| *name);
        let message = format!("unknown key `{}` in {}", key.value, place.name());
        let problem = Diagnostic::error(code::UNKNOWN_KEY, message, key.span.clone(), "");
        // A key that is there already was not meant a second time.
        let meant = closest(&key.value, names().filter(|name| table.get(name).is_none()));
        self.problems.push(match meant {
            Some(meant) if place.name.is_none() => problem.fix(did_you_mean(meant), self.pen.rename_all(key, meant)),
            Some(meant) => problem.fix(did_you_mean(meant), [self.pen.rename(key, meant)]),
            None if known.is_empty() => problem.help(format!("{} has no keys", place.name())),
            None => problem.help(format!("the keys here: {}", listed(names()))),
        });
        meant
    }

    fn missing_key(&mut self, name: &str, table: &Node, schema: Option<&'s Json>, place: &Place<'_>) {
        let shape = schema.map(|schema| Shape::of(self.root, schema));
        let message = format!("{} has no key `{name}`", place.name());
        let mut problem = Diagnostic::error(code::MISSING_KEY, message, place.span.clone(), format!("needs `{name}`"));
        let description = shape.as_ref().and_then(|shape| shape.text("description"));
        problem.help = description.map(|text| format!("`{name}`: {}", first_sentence(text)));
        let value = shape.as_ref().and_then(mend::only_value);
        problem.fix = value.and_then(|value| self.pen.add(table, place.name, name, &value)).into_iter().collect();
        self.problems.push(problem);
    }
}

fn did_you_mean(name: &str) -> String {
    format!("did you mean `{name}`?")
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
