//! TOML text -> [`Node`] tree and every syntax problem, not only the first.
//!
//! Knows nothing of what a spec may say. Dates and times become texts, since a spec has no use for them.

#[cfg(test)]
mod tests;

use super::node::{MAX_DEPTH, MAX_FILE, MAX_NODES, Node, PathPart, Value, refuse_nul};
use super::slips;
use crate::text::{Diagnostic, Edit, MOST_PROBLEMS, Span, Spanned, code};
use ::toml::de::{DeArray, DeInteger, DeTable, DeValue, Error};

/// Reads TOML. The tree holds what could be read; it may be trusted only when there are no problems.
pub fn parse(text: &str) -> (Node, Vec<Diagnostic>) {
    let empty = Node { value: Value::Table(Vec::new()), span: 0..0 };
    if let Some(problem) = unreadable(text) {
        return (empty, vec![problem]);
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader { text, nodes: 0, problems: Vec::new() };
    let span = table.span();
    let root = Node { value: reader.table(table.into_inner(), 1), span };
    let mut problems: Vec<Diagnostic> =
        first_of_each_line(text, &errors).into_iter().map(|error| describe(error, text, &root)).collect();
    problems.append(&mut reader.problems);
    refuse_nul(&root, &mut problems);
    problems.truncate(MOST_PROBLEMS);
    (root, problems)
}

/// Whether TOML takes `text` for a value.
pub(super) fn is_value(text: &str) -> bool {
    DeTable::parse(&format!("v = {text}\n")).is_ok()
}

/// One slip makes the parser stumble several times on its line; only the first is about what was written. A broken file
/// of a megabyte has a million problems, and nobody reads more than the first few.
fn first_of_each_line<'e>(text: &str, errors: &'e [Error]) -> Vec<&'e Error> {
    let mut kept: Vec<&Error> = Vec::new();
    let mut line = 0..0;
    for error in errors {
        let start = error.span().map_or(0, |span| span.start).min(text.len());
        if kept.is_empty() || !line.contains(&start) {
            kept.push(error);
            let bytes = text.as_bytes();
            let line_start = bytes[..start].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
            let line_end = bytes[start..].iter().position(|&byte| byte == b'\n').map_or(text.len(), |at| start + at);
            line = line_start..line_end + 1;
        }
        if kept.len() == MOST_PROBLEMS {
            break;
        }
    }
    kept
}

/// What keeps a file from being read at all, whatever its language: its size, or NUL, which parsers take for its end.
pub(super) fn unreadable(text: &str) -> Option<Diagnostic> {
    if text.len() > MAX_FILE {
        let problem = Diagnostic::error(code::TOO_BIG, "the file is larger than a spec may be", 0..0, "");
        return Some(problem.help(format!("a spec has at most {MAX_FILE} bytes; keep data in files that stages read")));
    }
    let at = text.find('\0')?;
    Some(Diagnostic::error(code::NUL, "the file holds NUL, which no text has", at..at + 1, "here"))
}

/// Lists and tables nested too deep, noticed at `span`.
pub(super) fn too_deep_at(span: Span) -> Diagnostic {
    Diagnostic::error(code::TOO_DEEP, "tables and lists are nested too deep", span, "this is too deep")
        .help(format!("a spec may nest {MAX_DEPTH} levels"))
}

/// More values than a spec may have, noticed at `span`.
pub(super) fn too_many_at(span: Span) -> Diagnostic {
    Diagnostic::error(code::TOO_MANY, "the spec has too many values", span, "the limit is reached here")
        .help(format!("a spec has at most {MAX_NODES} values; keep long lists in a file and read them with a stage"))
}

struct Reader<'t> {
    text: &'t str,
    nodes: usize,
    problems: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn table(&mut self, table: DeTable<'_>, depth: usize) -> Value {
        let mut entries: Vec<(Spanned<String>, Node)> = Vec::new();
        for (key, value) in table {
            let name = Spanned { span: key.span(), value: key.into_inner().into_owned() };
            entries.push((name, self.node(value, depth + 1)));
        }
        // The crate sorts by name. The order of the file is the one people expect in messages and pictures.
        entries.sort_by_key(|(key, _)| key.span.start);
        Value::Table(entries)
    }

    fn node(&mut self, value: ::toml::Spanned<DeValue<'_>>, depth: usize) -> Node {
        let span = value.span();
        self.nodes += 1;
        if self.nodes > MAX_NODES || depth > MAX_DEPTH + 1 {
            return self.refuse(span);
        }
        let value = match value.into_inner() {
            DeValue::String(text) => Value::String(text.into_owned()),
            DeValue::Integer(number) => self.integer(&number, &span),
            DeValue::Float(number) => self.float(number.as_str(), &span),
            DeValue::Boolean(value) => Value::Bool(value),
            DeValue::Datetime(_) => Value::String(self.text.get(span.clone()).unwrap_or_default().to_owned()),
            DeValue::Array(_) | DeValue::Table(_) if depth > MAX_DEPTH => return self.refuse(span),
            DeValue::Array(items) => self.list(items, depth),
            DeValue::Table(table) => self.table(table, depth),
        };
        Node { value, span }
    }

    /// Says once that a limit is passed; the rest of the tree is then left out.
    fn refuse(&mut self, span: Span) -> Node {
        if self.nodes == MAX_NODES + 1 {
            self.problems.push(too_many_at(span.clone()));
        } else if self.nodes <= MAX_NODES {
            self.problems.push(too_deep_at(span.clone()));
        }
        Node { value: Value::Null, span }
    }

    fn list(&mut self, items: DeArray<'_>, depth: usize) -> Value {
        Value::List(items.into_iter().map(|item| self.node(item, depth + 1)).collect())
    }

    fn integer(&mut self, number: &DeInteger<'_>, span: &Span) -> Value {
        i64::from_str_radix(number.as_str(), number.radix()).map_or_else(
            |_| {
                self.problems.push(bad_number(&number.to_string(), span.clone()));
                Value::Integer(0)
            },
            Value::Integer,
        )
    }

    fn float(&mut self, written: &str, span: &Span) -> Value {
        match written.parse::<f64>() {
            Ok(number) if number.is_finite() => Value::Float(number),
            _ => {
                self.problems.push(bad_number(written, span.clone()));
                Value::Float(0.0)
            }
        }
    }
}

/// A number that a spec cannot hold.
pub(super) fn bad_number(written: &str, span: Span) -> Diagnostic {
    let problem = Diagnostic::error(code::BAD_NUMBER, format!("`{written}` is not a number a spec can hold"), span, "");
    let bounds = "whole numbers go from -2^63 to 2^63 - 1; others must be finite";
    if written.bytes().all(|byte| byte.is_ascii_digit()) {
        let place = problem.span();
        return problem
            .fix(format!("{bounds}; put it in quotes if it is a name"), [Edit::new(place, format!("\"{written}\""))]);
    }
    problem.help(bounds)
}

/// The problem as a person says it. For a key that is there twice, both places are shown.
fn describe(error: &Error, text: &str, root: &Node) -> Diagnostic {
    let span = error.span().unwrap_or(0..0);
    match error.message() {
        // The crate does not say which dotted key it was.
        message if message.contains("recurs") && error.span().is_none() => too_deep_at(longest_key(text)),
        "duplicate key" => {
            let key = unquoted(text.get(span.clone()).unwrap_or_default());
            let first = first_place(root, text, key, span.start);
            duplicate_key(text, key, span, first)
        }
        message if message.contains("recurs") => too_deep_at(span),
        message => {
            // The crate names the wrong alternative when it misses a value.
            let message = message.trim_end_matches(", expected literal string");
            slips::in_toml(text, Diagnostic::error(code::SYNTAX, message, span, "here"))
        }
    }
}

/// The first line with so many dots that its key may be nested too deep.
fn longest_key(text: &str) -> Span {
    let mut start = 0;
    let found = text.split_inclusive('\n').find_map(|line| {
        let key = line.split('=').next().unwrap_or_default().trim_end();
        let place = start..start + key.len();
        start += line.len();
        (key.matches('.').count() >= MAX_DEPTH && !key.starts_with('#')).then_some(place)
    });
    found.unwrap_or(0..0)
}

/// Where a key that is there twice was written first. The crate keeps the first in its tree and tells only of the second.
fn first_place(root: &Node, text: &str, key: &str, again: usize) -> Option<Span> {
    let before = text.get(..again)?;
    let line = before[before.rfind('\n').map_or(0, |at| at + 1)..].trim_start();
    if !line.starts_with('[') {
        return key_below(enclosing(root, text, again), key, again);
    }
    // The second header has taken the first one's place in the tree, so the first is looked up in the text; a table
    // that was written as `key = { ... }` is in the tree.
    let header = line.trim_start_matches('[');
    let names = header.split('.').map(|name| unquoted(name.trim())).filter(|name| !name.is_empty());
    let path: Vec<PathPart> = names.map(PathPart::from).collect();
    earlier_header(before, header, key).or_else(|| {
        let own = |(name, _): &&(Spanned<String>, Node)| name.value == key && name.span.start < again;
        match &root.at(&path).value {
            Value::Table(entries) => entries.iter().find(own).map(|(name, _)| name.span.clone()),
            _ => None,
        }
    })
}

/// The key of the first header in `before` that reads `[<prefix><key>]`.
fn earlier_header(before: &str, prefix: &str, key: &str) -> Option<Span> {
    let mut start = 0;
    before.split_inclusive('\n').find_map(|line| {
        let line_start = start;
        start += line.len();
        let header = line.trim_start().trim_start_matches('[');
        let name = header.strip_prefix(prefix)?.split(']').next()?.trim();
        let at = line_start + (line.len() - header.len()) + prefix.len();
        let is_header = line.trim_start().starts_with('[') && line.ends_with('\n');
        (is_header && unquoted(name) == key).then(|| at..at + name.len())
    })
}

/// The table that a key at `place` belongs to: the inline table around it, else the one whose header was the last.
fn enclosing<'n>(root: &'n Node, text: &str, place: usize) -> &'n Node {
    let below: Vec<&Node> = match &root.value {
        Value::Table(entries) => entries.iter().map(|(_, node)| node).collect(),
        Value::List(items) => items.iter().collect(),
        _ => Vec::new(),
    };
    let deeper = below.into_iter().map(|node| enclosing(node, text, place)).filter(|node| {
        let has_header = node.span.start < place && text[node.span.start..].starts_with('[');
        matches!(node.value, Value::Table(_)) && (has_header || node.span.contains(&place))
    });
    deeper.max_by_key(|node| (node.span.contains(&place), node.span.start)).unwrap_or(root)
}

fn key_below(node: &Node, key: &str, before: usize) -> Option<Span> {
    let Value::Table(entries) = &node.value else { return None };
    let own = entries.iter().find(|(name, _)| name.value == key && name.span.start < before);
    own.map(|(name, _)| name.span.clone())
        .or_else(|| entries.iter().find_map(|(_, child)| key_below(child, key, before)))
}

fn unquoted(key: &str) -> &str {
    key.trim_matches(['"', '\''])
}

/// A key that one table has twice; `first` is where it was written before.
pub(super) fn duplicate_key(text: &str, key: &str, again: Span, first: Option<Span>) -> Diagnostic {
    let message = format!("the key `{}` is there twice", unquoted(key));
    let problem = Diagnostic::error(code::DUPLICATE_KEY, message, again.clone(), "again here");
    let Some(first) = first else { return problem.help("keep one of the two") };
    let repeated = repeated_line(text, &first, &again);
    let problem = problem.and(first, "first here");
    match repeated {
        Some(line) => problem.fix("both say the same, so take one out", [Edit::new(line, "")]),
        None => problem.help("keep one of the two"),
    }
}

/// The whole line of `again`, when it says just what the line of `first` says and stands alone.
fn repeated_line(text: &str, first: &Span, again: &Span) -> Option<Span> {
    let line_of = |place: &Span| {
        let start = text.get(..place.start)?.rfind('\n').map_or(0, |at| at + 1);
        let end = text.get(place.end..)?.find('\n').map_or(text.len(), |at| place.end + at + 1);
        Some(start..end)
    };
    let (one, other) = (line_of(first)?, line_of(again)?);
    let said = text[other.clone()].trim_end();
    let opens = said.ends_with(['[', '{', ':', '|', '>', ',']) || said.trim_start().starts_with('[');
    let same = text[one.clone()].trim_end() == said && said.trim_start().starts_with(&text[again.clone()]);
    (same && one != other && !opens).then_some(other)
}
