//! A value that does not fit its place -> the value that was probably meant, when one can be told.
//!
//! Whatever is proposed here has been held against the schema again: a fix never trades one problem for another.

use super::schema::Shape;
use super::{Checker, Place};
use crate::spec::node::{Node, Value};
use crate::text::{Edit, Spanned};
use crate::units::{Bytes, Millis, MillisRange};
use serde_json::Value as Json;

/// What to do, in words and as edits.
pub(super) type Mend = (String, Vec<Edit>);

impl<'s> Checker<'s> {
    /// A value of the wrong type, where `schemas` are the shapes it could have had.
    pub(super) fn mend(&mut self, node: &Node, schemas: &[&'s Json]) -> Option<Mend> {
        // Trying a value must not lead to trying what could be done about that.
        if self.is_trying {
            return None;
        }
        schemas.iter().find_map(|schema| {
            let shape = Shape::of(self.root, schema);
            let scalar = self.as_scalar(node, &shape, schema);
            let listed = scalar.or_else(|| self.as_item(node, schema)).or_else(|| self.in_a_list(node, &shape));
            listed.or_else(|| self.by_name(node, &shape)).or_else(|| {
                let is_scalar = !matches!(node.value, Value::List(_) | Value::Table(_) | Value::Null);
                is_scalar.then(|| self.in_a_table(node, &shape)).flatten()
            })
        })
    }

    /// `[[stages]]` with a `name` in each for `[stages.NAME]`.
    fn by_name(&self, node: &Node, shape: &Shape<'s>) -> Option<Mend> {
        let Value::List(items) = &node.value else { return None };
        let tables = items.iter().all(|item| matches!(item.value, Value::Table(_)));
        shape.other_keys().filter(|_| tables && !items.is_empty())?;
        let edits: Option<Vec<[Edit; 2]>> = items.iter().map(|item| self.pen.name_in_header(item, "name")).collect();
        Some(("give each a name of its own, as its key".to_owned(), edits.unwrap_or_default().concat()))
    }

    /// `"3"` for `3`, `yes` for `true`, `5` for `"5"`, `3.0` for `3`.
    fn as_scalar(&mut self, node: &Node, shape: &Shape<'s>, schema: &'s Json) -> Option<Mend> {
        let meant = shape.types().into_iter().find_map(|kind| meant(kind, &node.value))?;
        let other = Node { value: value_of(&meant)?, span: node.span.clone() };
        if !self.fits(&other, schema) {
            return None;
        }
        let help = match &meant {
            Json::String(_) => "put it in quotes".to_owned(),
            other => format!("write `{other}`"),
        };
        Some((help, vec![self.pen.put(node, &meant)]))
    }

    /// `["clips"]` for `"clips"`.
    fn as_item(&mut self, node: &Node, schema: &'s Json) -> Option<Mend> {
        let Value::List(items) = &node.value else { return None };
        let [item] = items.as_slice() else { return None };
        let fits = self.fits(item, schema);
        let outside = [node.span.start..item.span.start, item.span.end..node.span.end];
        fits.then(|| ("drop the brackets".to_owned(), outside.map(|span| Edit::new(span, "")).to_vec()))
    }

    /// `"clips"` for `["clips"]`. A text with blanks may be several items, so nothing is proposed for it.
    fn in_a_list(&mut self, node: &Node, shape: &Shape<'s>) -> Option<Mend> {
        let is_list = shape.types() == ["array"] && shape.count("minItems").is_none_or(|least| least <= 1);
        let items = shape.find("items").filter(|_| is_list)?;
        let several = matches!(&node.value, Value::String(text) if text.contains(char::is_whitespace));
        let fits = !several && self.fits(node, items);
        fits.then(|| ("put it in brackets".to_owned(), self.pen.wrap(node, "[", "]").to_vec()))
    }

    /// `"model"` for `{ stage = "model" }`: the first of the table's keys that takes the value, and of a text that looks
    /// like a path the first that names a file.
    fn in_a_table(&mut self, node: &Node, shape: &Shape<'s>) -> Option<Mend> {
        let properties = shape.properties();
        let is_path = matches!(&node.value, Value::String(text) if text.contains(['/', '.']));
        let takes = |checker: &mut Self, schema: &'s Json| !checker.is_anything(schema) && checker.fits(node, schema);
        let file = |schema: &'s Json| {
            let schemas = self.flattened(&[schema]);
            let format = |schema: &&'s Json| Shape::of(self.root, schema).text("format");
            schemas.iter().any(|schema| matches!(format(schema), Some("input-file" | "input-source")))
        };
        let named = properties.iter().find(|(_, schema)| is_path && file(schema)).copied();
        let (key, _) = named.or_else(|| properties.iter().copied().find(|(_, schema)| takes(self, schema)))?;
        let others = shape.required().into_iter().any(|name| name != key);
        (!others).then(|| (format!("write it under its key `{key}`"), self.pen.wrap_in_table(node, key).to_vec()))
    }

    /// Whether a value has no problem with a schema.
    fn fits(&mut self, node: &Node, schema: &'s Json) -> bool {
        let before = std::mem::take(&mut self.problems);
        let was_trying = std::mem::replace(&mut self.is_trying, true);
        self.node(node, schema, &Place { name: None, span: node.span.clone() });
        self.is_trying = was_trying;
        std::mem::replace(&mut self.problems, before).is_empty()
    }

    fn is_anything(&self, schema: &'s Json) -> bool {
        let shape = Shape::of(self.root, schema);
        shape.types().is_empty() && shape.alternatives().is_none() && shape.values().is_empty()
    }

    /// The one alternative of a tagged table that has all the keys that are written, and whose needs they meet best.
    pub(super) fn meant_by_keys(
        &self,
        entries: &[(Spanned<String>, Node)],
        tag: &str,
        words: &[(&'s Json, &'s Json)],
    ) -> Option<&'s Json> {
        let knows_all = |shape: &Shape<'s>| {
            let known = shape.properties();
            entries.iter().all(|(key, _)| known.iter().any(|(name, _)| *name == key.value))
        };
        let has_all = |shape: &Shape<'s>| {
            let needed = shape.required().into_iter().filter(|name| *name != tag);
            needed.into_iter().all(|name| entries.iter().any(|(key, _)| key.value == name))
        };
        let shaped = |wanted: &dyn Fn(&Shape<'s>) -> bool| {
            let fitting = words.iter().filter(|(_, schema)| wanted(&Shape::of(self.root, schema)));
            fitting.map(|(word, _)| *word).collect::<Vec<_>>()
        };
        let only = |words: Vec<&'s Json>| if let [one] = words.as_slice() { Some(*one) } else { None };
        only(shaped(&|shape| knows_all(shape) && has_all(shape))).or_else(|| only(shaped(&knows_all)))
    }
}

/// The only value a place can have that needs no decision: the one there is, or the one it has by itself.
pub(super) fn only_value(shape: &Shape<'_>) -> Option<Json> {
    if let [one] = shape.values().as_slice() {
        return Some((*one).clone());
    }
    let bound = shape.find("minimum").filter(|least| Some(*least) == shape.find("maximum"));
    bound.cloned()
}

/// A value as the type that is wanted, when it says the same.
fn meant(kind: &str, value: &Value) -> Option<Json> {
    match (kind, value) {
        ("integer", Value::String(text)) => text.trim().parse::<i64>().ok().map(Json::from),
        ("number", Value::String(text)) => {
            let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
            text.trim().parse::<i64>().ok().map(Json::from).or_else(|| number.map(Json::from))
        }
        #[expect(clippy::cast_possible_truncation, reason = "numbers of this size are whole in both types")]
        ("integer", Value::Float(number)) if number.fract() == 0.0 && number.abs() < 1e15 => {
            Some(Json::from(*number as i64))
        }
        ("boolean", Value::String(text)) => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "y" => Some(Json::Bool(true)),
            "false" | "no" | "off" | "n" => Some(Json::Bool(false)),
            _ => None,
        },
        ("boolean", Value::Integer(number @ (0 | 1))) => Some(Json::Bool(*number == 1)),
        ("string", Value::Bool(_) | Value::Integer(_) | Value::Float(_)) => {
            let node = Node { value: value.clone(), span: 0..0 };
            Some(Json::from(node.to_json().to_string()))
        }
        _ => None,
    }
}

fn value_of(json: &Json) -> Option<Value> {
    match json {
        Json::Bool(value) => Some(Value::Bool(*value)),
        Json::String(text) => Some(Value::String(text.clone())),
        Json::Number(number) => number.as_i64().map(Value::Integer).or_else(|| number.as_f64().map(Value::Float)),
        _ => None,
    }
}

/// A size or duration in words of everyday as the spec writes it: `5 minutes` is `5m`, `1:30:00` is `1h30m`.
pub(super) fn unit_spelling(format: &str, text: &str) -> Option<String> {
    match format {
        "bytes" => respelled(text, &SIZE_WORDS).filter(|text| text.parse::<Bytes>().is_ok()),
        "duration" => duration(text),
        "duration-range" => {
            let between = ["..", " to ", " - ", "-", ","].into_iter().find_map(|sign| text.split_once(sign))?;
            let end = |text: &str| text.trim().parse::<Millis>().ok().map(|_| text.trim().to_owned());
            let ends = [between.0, between.1].map(|text| end(text).or_else(|| duration(text)));
            let [Some(a), Some(b)] = ends else { return None };
            [format!("{a}..{b}"), format!("{b}..{a}")].into_iter().find(|text| text.parse::<MillisRange>().is_ok())
        }
        _ => None,
    }
}

/// Help for a size whose unit means one thing to some and another to others.
pub(super) fn two_units(format: &str, text: &str) -> Option<String> {
    let text = text.trim();
    let letter = text.chars().last().filter(|c| "kKmMgGtT".contains(*c) && format == "bytes")?;
    let amount = text[..text.len() - 1].trim_end().parse::<f64>().ok()?;
    let (decimal, binary) = match letter.to_ascii_uppercase() {
        'K' => ("kB", "KiB"),
        'M' => ("MB", "MiB"),
        'G' => ("GB", "GiB"),
        _ => ("TB", "TiB"),
    };
    Some(format!("write `{amount} {decimal}`, in powers of 1000, or `{amount} {binary}`, in powers of 1024"))
}

fn duration(text: &str) -> Option<String> {
    if let [hours, minutes, seconds] = text.split(':').collect::<Vec<_>>().as_slice() {
        let total = [(hours, 3600), (minutes, 60), (seconds, 1)]
            .into_iter()
            .try_fold(0_u64, |total, (text, one)| total.checked_add(text.parse::<u64>().ok()?.checked_mul(one)?))?;
        return total.checked_mul(1000).map(|millis| Millis(millis).to_string());
    }
    respelled(text, &TIME_WORDS).filter(|text| text.parse::<Millis>().is_ok())
}

/// The text with its units in the spec's words, a decimal point for a comma, and nothing between two amounts.
fn respelled(text: &str, words: &[(&str, &str)]) -> Option<String> {
    let mut made = String::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ',')).unwrap_or(rest.len());
        let (amount, after) = rest.split_at(digits);
        let after = after.trim_start();
        let letters = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let unit = unit.to_lowercase();
        let (_, unit) = words.iter().find(|(word, _)| *word == unit || format!("{word}s") == unit)?;
        made.push_str(&amount.trim_end_matches(',').replace(',', "."));
        made.push_str(unit);
        rest = after.trim_start_matches([' ', ',']).trim_start_matches("and ");
    }
    (!made.is_empty()).then_some(made)
}

const TIME_WORDS: [(&str, &str); 14] = [
    ("d", "d"),
    ("day", "d"),
    ("h", "h"),
    ("hr", "h"),
    ("hour", "h"),
    ("m", "m"),
    ("min", "m"),
    ("minute", "m"),
    ("s", "s"),
    ("sec", "s"),
    ("second", "s"),
    ("ms", "ms"),
    ("msec", "ms"),
    ("millisecond", "ms"),
];

const SIZE_WORDS: [(&str, &str); 14] = [
    ("b", " B"),
    ("byte", " B"),
    ("kb", " kB"),
    ("kilobyte", " kB"),
    ("kib", " KiB"),
    ("kibibyte", " KiB"),
    ("mb", " MB"),
    ("megabyte", " MB"),
    ("mib", " MiB"),
    ("mebibyte", " MiB"),
    ("gb", " GB"),
    ("gigabyte", " GB"),
    ("gib", " GiB"),
    ("gibibyte", " GiB"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_everyday_are_respelled() {
        for (format, written, meant) in [
            ("duration", "5 minutes", Some("5m")),
            ("duration", "1 hour and 30 mins", Some("1h30m")),
            ("duration", "1:30:00", Some("1h30m")),
            ("duration", "1,5 hours", Some("1.5h")),
            ("duration", "5 parsecs", None),
            ("duration", "soon", None),
            ("bytes", "2 gigabytes", Some("2 GB")),
            ("bytes", "1,5 GiB", Some("1.5 GiB")),
            ("bytes", "8G", None),
            ("duration-range", "2s-2m", Some("2s..2m")),
            ("duration-range", "2 seconds to 2 minutes", Some("2s..2m")),
            ("duration-range", "2m..2s", Some("2s..2m")),
        ] {
            assert_eq!(unit_spelling(format, written).as_deref(), meant, "{written}");
        }
    }
}
