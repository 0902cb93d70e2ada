//! TOML text -> [`Node`] tree and every syntax problem, not only the first.
//!
//! Knows nothing of what a spec may say. Dates and times become texts, since a spec has no use for them.

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::yaml;
    use crate::text::{SourceText, Sources, render};
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    fn json_of(text: &str) -> Json {
        let (node, problems) = parse(text);
        assert_eq!(problems, [], "{text}");
        node.to_json()
    }

    fn shown(text: &str) -> String {
        render(&Sources::of(SourceText::new("x.toml", text)), &parse(text).1, false)
    }

    #[test]
    fn every_kind_of_value_is_read_and_dates_are_texts() {
        let text =
            "a = 1\nb = 0x1F\nc = 1.5\nd = true\ne = 'x'\nf = [1, [2]]\ng.h = 2026-01-02T03:04:05Z\n[t]\nu = -0b1\n";
        let text = text.replace("-0b1", "0b1");
        let expected = json!({
            "a": 1, "b": 31, "c": 1.5, "d": true, "e": "x", "f": [1, [2]], "g": { "h": "2026-01-02T03:04:05Z" },
            "t": { "u": 1 },
        });
        assert_eq!(json_of(&text), expected);
    }

    #[test]
    fn keys_keep_the_order_of_the_file() {
        let (node, _) = parse("z = 1\na = 2\n[m]\nb = 1\n[c]\n");
        let Value::Table(entries) = node.value else { panic!("a table") };
        let keys: Vec<&str> = entries.iter().map(|(key, _)| key.value.as_str()).collect();
        assert_eq!(keys, ["z", "a", "m", "c"]);
    }

    #[test]
    fn every_syntax_problem_is_told_in_one_pass() {
        insta::assert_snapshot!(shown("a = \nb = [1, \"x\nc = 3\n[d\n"), @r#"
        error[S0102]: this is not TOML: a text must be in quotes
         --> x.toml:1:5
          |
        1 | a = 
          |     ^ here

        error[S0102]: a text whose closing quote is missing
         --> x.toml:2:9
          |
        2 | b = [1, "x
          |         ^^ it begins here
          |
        help: close it
          |
        2 | b = [1, "x"
          |           +

        error[S0102]: this is not TOML: missing comma between array elements, expected `,`
         --> x.toml:3:1
          |
        3 | c = 3
          | ^ here

        error[S0102]: this is not TOML: a text must be in quotes
         --> x.toml:3:1
          |
        3 | c = 3
          | ^ here

        error[S0102]: this is not TOML: missing comma between array elements, expected `,`
         --> x.toml:4:1
          |
        4 | [d
          | ^ here

        error[S0102]: a text must be in quotes
         --> x.toml:4:2
          |
        4 | [d
          |  ^
          |
        help: put it in quotes
          |
        4 - [d
        4 + ["d"
          |
        "#);
    }

    #[test]
    fn a_key_that_is_there_twice_is_shown_at_both_places() {
        insta::assert_snapshot!(
            shown("name = 1\n[a]\nname = 2\nx = { name = 3 }\nname = 4\n[b]\ny = { k = 1, k = 2 }\n[c]\n[b.c]\n[c]\n"), @r#"
        error[S0103]: the key `name` is there twice
         --> x.toml:5:1
          |
        3 | name = 2
          | ---- first here
        4 | x = { name = 3 }
        5 | name = 4
          | ^^^^ again here
          |
        help: keep one of the two

        error[S0103]: the key `k` is there twice
         --> x.toml:7:14
          |
        7 | y = { k = 1, k = 2 }
          |       -      ^ again here
          |       |
          |       first here
          |
        help: keep one of the two

        error[S0103]: the key `c` is there twice
          --> x.toml:10:2
           |
         8 | [c]
           |  - first here
         9 | [b.c]
        10 | [c]
           |  ^ again here
           |
        help: keep one of the two
        "#);
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        insta::assert_snapshot!(shown("a = 9223372036854775808\nb = nan\nc = -inf\n"), @r#"
        error[S0107]: `9223372036854775808` is not a number a spec can hold
         --> x.toml:1:5
          |
        1 | a = 9223372036854775808
          |     ^^^^^^^^^^^^^^^^^^^
          |
        help: whole numbers go from -2^63 to 2^63 - 1; others must be finite; put it in quotes if it is a name
          |
        1 - a = 9223372036854775808
        1 + a = "9223372036854775808"
          |

        error[S0107]: `nan` is not a number a spec can hold
         --> x.toml:2:5
          |
        2 | b = nan
          |     ^^^
          |
        help: whole numbers go from -2^63 to 2^63 - 1; others must be finite

        error[S0107]: `-inf` is not a number a spec can hold
         --> x.toml:3:5
          |
        3 | c = -inf
          |     ^^^^
          |
        help: whole numbers go from -2^63 to 2^63 - 1; others must be finite
        "#);
    }

    fn codes(text: &str) -> Vec<&'static str> {
        parse(text).1.iter().map(|problem| problem.code).collect()
    }

    #[test]
    fn hostile_files_are_refused_and_not_followed() {
        assert_eq!(codes(&format!("a = {}1{}", "[".repeat(63), "]".repeat(63))), [] as [&str; 0]);
        assert_eq!(codes(&format!("a = {}1{}", "[".repeat(64), "]".repeat(64))), ["S0104"]);
        assert!(codes(&format!("a = {}", "[".repeat(500_000))).contains(&"S0104"));
        assert_eq!(codes(&"#".repeat(MAX_FILE + 1)), ["S0101"]);
        assert_eq!(codes(&format!("a = [{}]", "1,".repeat(MAX_NODES))), ["S0105"]);
        assert_eq!(codes("a = \"\\u0000\"\n\"b\\u0000\" = 1\n"), ["S0109", "S0109"]);
        assert_eq!(codes("a = \"\0\"\n"), ["S0109"]);
        let dots = vec!["a"; 79].join(".");
        let deep = format!("[{dots}]\n{}1{}", format!("{dots} = {{").repeat(75), "}".repeat(75));
        assert!(codes(&deep).contains(&"S0104"));
        assert_eq!(codes(&"=\n".repeat(500_000)).len(), MOST_PROBLEMS);
        assert_eq!(codes(&"\\u".repeat(MAX_FILE / 2)).len(), 1);
    }

    #[test]
    fn a_dotted_key_that_is_too_deep_is_shown() {
        let dots = vec!["a"; 90].join(".");
        for (text, place) in [
            (format!("x = 1\n{dots} = 1.5\n"), 6..6 + dots.len()),
            (format!("# {dots}\n[{dots}]\nx = 1\n"), dots.len() + 3..2 * dots.len() + 5),
        ] {
            let (_, problems) = parse(&text);
            let found: Vec<_> = problems.iter().map(|problem| (problem.code, problem.span())).collect();
            assert_eq!(found, [("S0104", place)], "{text}");
        }
    }

    /// Documents that both languages can say: no null, no empty root.
    fn document() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            (-1e9..1e9f64).prop_map(Json::from),
            "[^\\x00]{0,12}".prop_map(Json::from),
            "(no|yes|null|true|1e3|~|0x1|<<|\\.nan|\\{\\{ x \\}\\})".prop_map(Json::from),
        ];
        let value = leaf.prop_recursive(4, 24, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
                prop::collection::btree_map("[^\\x00\n]{0,6}", inner, 0..4)
                    .prop_map(|map| Json::Object(map.into_iter().collect())),
            ]
        });
        prop::collection::btree_map("[a-zé]{1,6}", value, 1..5).prop_map(|map| Json::Object(map.into_iter().collect()))
    }

    /// Quotes a text so that TOML and YAML both read it back; both know `\\uXXXX` and `\\UXXXXXXXX`.
    fn quoted(text: &str) -> String {
        let letters = text.chars().map(|c| match c {
            ' '..='~' if c != '"' && c != '\\' => c.to_string(),
            c => format!("\\U{:08X}", u32::from(c)),
        });
        format!("\"{}\"", letters.collect::<String>())
    }

    fn written(value: &Json, colon: &str) -> String {
        match value {
            Json::String(text) => quoted(text),
            Json::Array(items) => {
                format!("[{}]", items.iter().map(|item| written(item, colon)).collect::<Vec<_>>().join(", "))
            }
            Json::Object(map) => {
                let pairs = map.iter().map(|(key, value)| format!("{}{colon}{}", quoted(key), written(value, colon)));
                format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
            }
            Json::Number(number) if number.is_f64() => format!("{:?}", number.as_f64().unwrap()),
            other => other.to_string(),
        }
    }

    proptest! {
        #[test]
        fn the_same_document_in_toml_and_yaml_is_the_same_tree(document in document()) {
            let root = document.as_object().unwrap();
            let line = |colon: &str| -> String {
                root.iter().map(|(key, value)| format!("{}{colon}{}\n", quoted(key), written(value, colon))).collect()
            };
            let (toml, toml_problems) = parse(&line(" = "));
            let (yaml, yaml_problems) = yaml::parse(&line(": "));
            prop_assert_eq!(toml_problems, []);
            prop_assert_eq!(yaml_problems, []);
            prop_assert_eq!(toml.to_json().to_string(), document.to_string());
            prop_assert_eq!(yaml.to_json().to_string(), document.to_string());
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "(?s).{0,80}") {
            let _ = shown(&text);
        }

        #[test]
        fn no_text_of_toml_signs_makes_the_reader_panic(text in "[-a1é=.,_e+'\"#{}\\[\\] \n\t]{0,60}") {
            let _ = shown(&text);
        }
    }
}
