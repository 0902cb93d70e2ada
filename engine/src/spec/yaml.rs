//! YAML 1.2 text -> [`Node`] tree, by the core rules: `no` and `yes` are texts, `true` and `null` are not.
//!
//! The tree is built from the parser's events and not by its own loader, so that aliases are counted before they are
//! written out, and a key that is there twice is seen. What TOML cannot say (tags, merge keys, several documents, keys
//! that are not texts) is refused: both languages describe the same trees.

#[cfg(test)]
mod tests;

use super::node::{MAX_DEPTH, MAX_FILE, MAX_NODES, Node, Value, refuse_nul};
use super::slips;
use super::toml::{bad_number, duplicate_key, too_deep_at, too_many_at, unreadable};
use crate::text::{Diagnostic, Edit, MOST_PROBLEMS, Span, Spanned, code};
use saphyr_parser::{Event, Parser, ScalarStyle};
use std::collections::{HashMap, hash_map::Entry};

/// How much text a tree may hold once its aliases are written out, in bytes.
const MAX_TEXT: usize = 4 * MAX_FILE;

/// Reads YAML. The tree holds what could be read; it may be trusted only when there are no problems.
pub fn parse(text: &str) -> (Node, Vec<Diagnostic>) {
    if let Some(problem) = unreadable(text) {
        return (Node { value: Value::Table(Vec::new()), span: 0..0 }, vec![problem]);
    }
    let mut builder = Builder::new(text);
    for event in events(text) {
        let step = match event {
            Ok((event, span)) => builder.take(event, span),
            Err(problem) => Err(Stop(problem)),
        };
        if let Err(Stop(problem)) = step {
            builder.problems.push(problem);
            break;
        }
    }
    builder.finish()
}

/// The parser's events with spans in bytes; it counts in characters.
fn events(text: &str) -> impl Iterator<Item = Result<(Event<'_>, Span), Diagnostic>> {
    let bytes: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let byte = move |index: usize| bytes[index.min(bytes.len() - 1)];
    let mut parser = Parser::new_from_str(text);
    std::iter::from_fn(move || {
        parser.next_event().map(|event| match event {
            Ok((event, span)) => Ok((event, byte(span.start.index())..byte(span.end.index()))),
            Err(error) => {
                let at = byte(error.marker().index());
                // The scanner reads ahead and has a limit of its own, on `[` and `{`.
                if error.info().contains("recursion limit") {
                    return Err(too_deep_at(at..at));
                }
                Err(slips::in_yaml(text, Diagnostic::error(code::SYNTAX, error.info(), at..at, "here")))
            }
        })
    })
}

/// A problem after which the rest of the file is not read.
struct Stop(Diagnostic);

/// A list or table whose end has not been read yet.
struct Open {
    node: Node,
    anchor: usize,
    /// Of a table: the key whose value comes next.
    key: Option<Spanned<String>>,
    /// Of a table: where each key was written first.
    places: HashMap<String, Span>,
}

/// A finished anchor and what writing it out once more costs.
struct Anchor {
    node: Node,
    size: Size,
}

/// What a tree takes of the limits.
#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    bytes: usize,
    depth: usize,
}

struct Builder<'t> {
    text: &'t str,
    open: Vec<Open>,
    root: Option<Node>,
    anchors: HashMap<usize, Anchor>,
    used: Size,
    kept: Size,
    documents: usize,
    problems: Vec<Diagnostic>,
}

impl<'t> Builder<'t> {
    fn new(text: &'t str) -> Self {
        let (open, anchors, problems) = (Vec::new(), HashMap::new(), Vec::new());
        let (used, kept) = (Size::default(), Size::default());
        Self { text, open, root: None, anchors, used, kept, documents: 0, problems }
    }

    fn finish(mut self) -> (Node, Vec<Diagnostic>) {
        // After a problem in the middle, what was read so far is put together, so that it can be looked at.
        while let Some(open) = self.open.pop() {
            self.place(open.node);
        }
        let root = self.root.unwrap_or(Node { value: Value::Null, span: 0..0 });
        // An empty file is an empty table, as it is in TOML.
        let root = if self.text.trim().is_empty() || (root.value == Value::Null && root.span.is_empty()) {
            Node { value: Value::Table(Vec::new()), span: root.span }
        } else {
            root
        };
        refuse_nul(&root, &mut self.problems);
        self.problems.truncate(MOST_PROBLEMS);
        (root, self.problems)
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Stop> {
        match event {
            Event::DocumentStart(_) => self.document(span),
            Event::Alias(id) => self.alias(id, span),
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.is_some(), &span);
                let value = self.scalar(&text, style, &span);
                let span = span.start..self.trimmed(span.start, span.end);
                self.leaf(Node { value, span }, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_tag(tag.is_some(), &span);
                self.begin(Value::List(Vec::new()), anchor, span)
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_tag(tag.is_some(), &span);
                self.begin(Value::Table(Vec::new()), anchor, span)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn document(&mut self, span: Span) -> Result<(), Stop> {
        self.documents += 1;
        if self.documents == 1 {
            return Ok(());
        }
        let message = "a spec is one YAML document, and here a second begins";
        Err(Stop(Diagnostic::error(code::UNSUPPORTED, message, span, "").help("put it into a file of its own")))
    }

    fn refuse_tag(&mut self, tagged: bool, span: &Span) {
        if tagged {
            let message = "tags such as `!!str` have no meaning in a spec";
            let problem = Diagnostic::error(code::UNSUPPORTED, message, span.clone(), "this value has a tag");
            let written = self.text.get(span.clone()).unwrap_or_default();
            let end = written.find(char::is_whitespace).map(|at| at + 1).filter(|_| written.starts_with('!'));
            let edit = end.map(|end| Edit::new(span.start..span.start + end, ""));
            self.problems.push(problem.fix("drop the tag; quote the value if it should be a text", edit));
        }
    }

    fn begin(&mut self, value: Value, anchor: usize, span: Span) -> Result<(), Stop> {
        self.spend(Size { nodes: 1, bytes: 0, depth: 1 }, &span)?;
        self.open.push(Open { node: Node { value, span }, anchor, key: None, places: HashMap::new() });
        Ok(())
    }

    fn end(&mut self, span: Span) -> Result<(), Stop> {
        let Some(mut open) = self.open.pop() else { return Ok(()) };
        open.node.span.end = self.trimmed(open.node.span.start, span.end);
        let kept = self.remember(open.anchor, &open.node);
        self.place(open.node);
        kept
    }

    /// A block's end is told where the next token begins, which may be lines later.
    fn trimmed(&self, start: usize, end: usize) -> usize {
        start + self.text.get(start..end).map_or(0, |text| text.trim_end().len())
    }

    fn leaf(&mut self, node: Node, anchor: usize) -> Result<(), Stop> {
        self.spend(measure(&node), &node.span)?;
        self.remember(anchor, &node)?;
        self.place(node);
        Ok(())
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<(), Stop> {
        let Some(size) = self.anchors.get(&id).map(|anchor| anchor.size) else {
            let message = "this alias stands inside the value it repeats";
            return Err(Stop(Diagnostic::error(code::UNSUPPORTED, message, span, "it would never end")));
        };
        self.spend(size, &span)?;
        let node = self.anchors[&id].node.clone();
        self.place(node);
        Ok(())
    }

    /// Keeps what an alias may repeat. Anchors inside anchors are kept once for each, so these copies have a limit too.
    fn remember(&mut self, anchor: usize, node: &Node) -> Result<(), Stop> {
        if anchor == 0 {
            return Ok(());
        }
        let size = measure(node);
        self.kept.nodes += size.nodes;
        self.kept.bytes += size.bytes;
        if self.kept.nodes > MAX_NODES || self.kept.bytes > MAX_TEXT {
            return Err(Stop(too_many_at(node.span.start..node.span.start)));
        }
        self.anchors.insert(anchor, Anchor { node: node.clone(), size });
        Ok(())
    }

    /// Takes `size` off the limits before anything is built.
    fn spend(&mut self, size: Size, span: &Span) -> Result<(), Stop> {
        self.used.nodes += size.nodes;
        self.used.bytes += size.bytes;
        if self.open.len() + size.depth > MAX_DEPTH {
            return Err(Stop(too_deep_at(span.start..span.start)));
        }
        if self.used.nodes > MAX_NODES || self.used.bytes > MAX_TEXT {
            return Err(Stop(too_many_at(span.clone())));
        }
        Ok(())
    }

    /// Puts a finished value where it belongs: a key, a key's value, a list's item, or the root.
    fn place(&mut self, node: Node) {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        match (&mut open.node.value, open.key.take()) {
            (Value::Table(entries), Some(key)) => match open.places.entry(key.value.clone()) {
                Entry::Vacant(place) => {
                    place.insert(key.span.clone());
                    entries.push((key, node));
                }
                Entry::Occupied(first) => {
                    self.problems.push(duplicate_key(self.text, &key.value, key.span, Some(first.get().clone())));
                }
            },
            (Value::Table(_), None) => {
                let key = key(self.text, node, &mut self.problems);
                open.key = Some(key);
            }
            (Value::List(items), _) => items.push(node),
            _ => unreachable!("only lists and tables are ever open"),
        }
    }

    /// The value of a scalar by the YAML 1.2 core rules; whatever is quoted is a text.
    fn scalar(&mut self, text: &str, style: ScalarStyle, span: &Span) -> Value {
        if style != ScalarStyle::Plain {
            return Value::String(text.to_owned());
        }
        match text {
            "" | "~" | "null" | "Null" | "NULL" => Value::Null,
            "true" | "True" | "TRUE" => Value::Bool(true),
            "false" | "False" | "FALSE" => Value::Bool(false),
            number if looks_numeric(number) => number_of(number).unwrap_or_else(|| {
                self.problems.push(bad_number(number, span.clone()));
                Value::Integer(0)
            }),
            text => Value::String(text.to_owned()),
        }
    }
}

/// A node that stands where a key belongs, as a key; a key that is no text is a problem.
fn key(text: &str, node: Node, problems: &mut Vec<Diagnostic>) -> Spanned<String> {
    let written = text.get(node.span.clone()).unwrap_or_default();
    match node.value {
        Value::String(value) => {
            if value == "<<" && written == "<<" {
                let message = "merge keys (`<<`) are not part of YAML 1.2, and a spec does not know them";
                let problem = Diagnostic::error(code::UNSUPPORTED, message, node.span.clone(), "");
                problems.push(problem.help("write the keys out, or repeat a whole value with an alias"));
            }
            Spanned { value, span: node.span }
        }
        other => {
            let message = format!("a key must be a string, and this is {}", other.kind());
            let problem = Diagnostic::error(code::UNSUPPORTED, message, node.span.clone(), "");
            problems.push(match other {
                Value::Table(_) if written.starts_with('{') => {
                    problem.fix("if this is a template, put it in quotes: \"{{ ... }}\"", quotes(text, &node.span))
                }
                Value::List(_) | Value::Table(_) => problem,
                _ => {
                    let quoted = format!("\"{written}\"");
                    problem.fix(format!("quote it: {quoted}"), [Edit::new(node.span.clone(), quoted.clone())])
                }
            });
            Spanned { value: written.to_owned(), span: node.span }
        }
    }
}

/// Quotes around the template whose inner braces are at `inner`; none when that is not all of it.
fn quotes(text: &str, inner: &Span) -> Vec<Edit> {
    let begin = inner.start.saturating_sub(1);
    let whole = text.get(begin..).and_then(|rest| rest.starts_with("{{").then_some(rest));
    let line = whole.and_then(|rest| rest.lines().next()).unwrap_or_default();
    match line.rfind("}}").map(|at| at + 2) {
        Some(length) if line[length..].trim().is_empty() && !line.contains(['"', '\\', '#']) => {
            vec![Edit::new(begin..begin, "\""), Edit::new(begin + length..begin + length, "\"")]
        }
        _ => Vec::new(),
    }
}

/// What a finished tree takes of the limits.
fn measure(node: &Node) -> Size {
    let children: Vec<(usize, &Node)> = match &node.value {
        Value::String(text) => return Size { nodes: 1, bytes: text.len(), depth: 0 },
        Value::List(items) => items.iter().map(|item| (0, item)).collect(),
        Value::Table(entries) => entries.iter().map(|(key, node)| (key.value.len(), node)).collect(),
        _ => return Size { nodes: 1, bytes: 0, depth: 0 },
    };
    let mut total = Size { nodes: 1, bytes: 0, depth: 0 };
    for (key, child) in children {
        let size = measure(child);
        total.nodes += size.nodes;
        total.bytes += key + size.bytes;
        total.depth = total.depth.max(size.depth);
    }
    Size { depth: total.depth + 1, ..total }
}

/// Whether the core rules read this plain scalar as a number, be it one that fits or not.
fn looks_numeric(text: &str) -> bool {
    let (prefix, rest) = text.split_at(text.len().min(2).min(text.find(|c: char| !c.is_ascii()).unwrap_or(2)));
    match prefix {
        "0x" => return !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "0o" => return !rest.is_empty() && rest.bytes().all(|byte| matches!(byte, b'0'..=b'7')),
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|exponent| !exponent.is_empty() && digits(exponent))
}

/// The number, or `None` when it does not fit or is not finite.
fn number_of(text: &str) -> Option<Value> {
    let whole = match text.get(..2) {
        Some("0x") => Some(i64::from_str_radix(&text[2..], 16)),
        Some("0o") => Some(i64::from_str_radix(&text[2..], 8)),
        _ if text.contains(['.', 'e', 'E']) => None,
        _ => Some(text.parse()),
    };
    match whole {
        Some(number) => number.ok().map(Value::Integer),
        None => text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::Float),
    }
}
