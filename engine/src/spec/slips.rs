//! A text that is not TOML or not YAML -> the slip behind it, in people's words and put right where it can be.
//!
//! Most slips are a habit of the other language: `:` for `=`, words without quotes, tabs. What the parsers say of them is
//! about the character at which they gave up, which may be lines later; so the lines around it are looked at here.

use super::node::{Node, Value};
use super::{toml, yaml};
use crate::text::{Diagnostic, Edit, Severity, Span, code};

/// The text of one line and where it begins.
#[derive(Clone, Copy)]
struct Line<'t> {
    text: &'t str,
    start: usize,
}

impl<'t> Line<'t> {
    fn at(text: &'t str, offset: usize) -> Self {
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
        let end = text[offset..].find('\n').map_or(text.len(), |at| offset + at);
        Self { text: text[start..end].trim_end_matches('\r'), start }
    }

    /// The nearest line above that says something.
    fn above(self, text: &'t str) -> Option<Self> {
        let mut line = self;
        while line.start > 0 {
            line = Self::at(text, line.start - 1);
            let said = line.text.trim_start();
            if !said.is_empty() && !said.starts_with('#') {
                return Some(line);
            }
        }
        None
    }

    fn indent(self) -> &'t str {
        &self.text[..self.text.len() - self.text.trim_start().len()]
    }

    /// The place of its indentation, or else of its first character.
    fn begin(self) -> Span {
        let first = self.text.chars().next().map_or(1, char::len_utf8);
        self.start..self.start + self.indent().len().max(first)
    }

    /// The places of the key's end and of what follows it, when the line begins with a key. A list's dash is passed over.
    fn key(self) -> Option<(usize, usize)> {
        let mut begin = self.indent().len();
        while self.text[begin..].starts_with("- ") {
            begin += 2 + (self.text[begin + 2..].len() - self.text[begin + 2..].trim_start().len());
        }
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '"' | '\'');
        let end = begin + self.text[begin..].find(|c| !is_name(c))?;
        let rest = end + (self.text[end..].len() - self.text[end..].trim_start().len());
        (end > begin).then_some((end, rest))
    }
}

/// A syntax problem of a TOML file, better told.
pub(super) fn in_toml(text: &str, problem: Diagnostic) -> Diagnostic {
    let line = Line::at(text, problem.span().start);
    curly_quotes(line)
        .or_else(|| colon_for_equals(line))
        .or_else(|| word_without_quotes(text, line, &problem))
        .or_else(|| open_quote(line, &problem))
        .unwrap_or_else(|| in_words(problem, "TOML", &TOML_WORDS))
}

/// A syntax problem of a YAML file, better told.
pub(super) fn in_yaml(text: &str, problem: Diagnostic) -> Diagnostic {
    let line = Line::at(text, problem.span().start);
    let lines = [Some(line), line.above(text)];
    let lines = || lines.iter().flatten().copied();
    tabs(text, line)
        .or_else(|| lines().find_map(equals_for_colon))
        .or_else(|| lines().find_map(colon_without_blank))
        .or_else(|| sign_that_wants_quotes(line, &problem))
        .or_else(|| uneven_indent(text, line, &problem))
        .unwrap_or_else(|| in_words(problem, "YAML", &YAML_WORDS))
}

/// Says that a file holds the other language than its name tells, when it does; then nothing else is to be said.
pub(super) fn other_language(text: &str, is_yaml: bool, root: &Node, problems: &mut Vec<Diagnostic>) {
    let is_table = |(root, problems): (Node, Vec<Diagnostic>)| !root.entries().is_empty() && problems.is_empty();
    let fails = problems.iter().any(|problem| problem.severity == Severity::Error && problem.code == code::SYNTAX);
    let (is, named, meant, ending) = if is_yaml {
        // Without a colon and a blank, lines of TOML are to YAML one long text.
        let unread = fails || matches!(root.value, Value::String(_) | Value::List(_));
        (unread && is_table(toml::parse(text)), "YAML", "TOML", ".toml")
    } else {
        (fails && is_table(yaml::parse(text)), "TOML", "YAML", ".yaml")
    };
    if is {
        let line = text.lines().find(|line| !line.trim().is_empty() && !line.trim_start().starts_with(['#', '-']));
        let start = line.map_or(0, |line| line.as_ptr() as usize - text.as_ptr() as usize);
        let message = format!("this looks like {meant}, and the file's name says {named}");
        let label = format!("{named} writes this otherwise");
        let end = start + line.map_or(0, |line| line.trim_end().len());
        let problem = Diagnostic::error(code::SYNTAX, message, start..end, label);
        *problems = vec![problem.help(format!("let the file's name end in `{ending}`"))];
    }
}

fn curly_quotes(line: Line<'_>) -> Option<Diagnostic> {
    let is_curly = |c: char| matches!(c, '“' | '”' | '„' | '‘' | '’' | '‚');
    let signs = || line.text.char_indices().filter(|(_, c)| is_curly(*c));
    let edits = signs().map(|(at, c)| {
        let straight = if matches!(c, '“' | '”' | '„') { "\"" } else { "'" };
        Edit::new(line.start + at..line.start + at + c.len_utf8(), straight)
    });
    let (first, sign) = signs().next()?;
    let place = line.start + first..line.start + first + sign.len_utf8();
    let problem = Diagnostic::error(code::SYNTAX, "curly quotes do not begin or end a text", place, "a curly quote");
    Some(problem.fix("use straight quotes", few(edits)))
}

/// `name: demo` for `name = "demo"`.
fn colon_for_equals(line: Line<'_>) -> Option<Diagnostic> {
    let (end, rest) = line.key()?;
    let value = line.text[rest..].strip_prefix(':')?.trim();
    let at = line.start + rest;
    let problem = Diagnostic::error(code::SYNTAX, "TOML writes `key = value`", at..at + 1, "`:` is YAML");
    let mut edits = vec![Edit::new(line.start + end..at + 1, " =")];
    if !toml::is_value(value) {
        let quoted = format!("\"{value}\"");
        let begin = line.start + (value.as_ptr() as usize - line.text.as_ptr() as usize);
        if value.is_empty() || !toml::is_value(&quoted) {
            return Some(problem.help("a table has a header of its own: `[name]`"));
        }
        edits.push(Edit::new(begin..begin + value.len(), quoted));
    }
    Some(problem.fix("write `=`", edits))
}

/// `kind = command` for `kind = "command"`, and `yes` or `True` for `true`.
fn word_without_quotes(text: &str, line: Line<'_>, problem: &Diagnostic) -> Option<Diagnostic> {
    let wants_quotes = problem.message.contains("must be quoted") || problem.message.contains("invalid boolean");
    let from = problem.span().start.checked_sub(line.start).filter(|_| wants_quotes)?;
    let rest = line.text.get(from..)?;
    let first = problem.span().start..problem.span().start + word(rest).len();
    let (mut edits, mut at) = (Vec::new(), problem.span().start);
    for piece in rest.split([',', ']', '}', '#']).take(MAX_EDITS) {
        let begin = at + (piece.len() - piece.trim_start().len());
        at += piece.len() + 1;
        let piece = piece.trim();
        if piece.is_empty() || word(piece) != piece {
            break;
        }
        edits.extend(match truth(piece) {
            Some(value) if value == piece => None,
            Some(value) => Some(Edit::new(begin..begin + piece.len(), value)),
            None if toml::is_value(piece) => None,
            None => Some(Edit::new(begin..begin + piece.len(), format!("\"{piece}\""))),
        });
    }
    let (message, help) = match truth(text.get(first.clone())?) {
        Some(value) => ("TOML has `true` and `false` only", format!("write `{value}`")),
        None => ("a text must be in quotes", "put it in quotes".to_owned()),
    };
    (!edits.is_empty()).then(|| Diagnostic::error(code::SYNTAX, message, first, "").fix(help, edits))
}

/// `"command` for `"command"`.
fn open_quote(line: Line<'_>, problem: &Diagnostic) -> Option<Diagnostic> {
    let end = line.text.trim_end().len();
    let begin = line.text.rfind('"').filter(|_| problem.message.contains("invalid basic string"))?;
    let is_last = !line.text[begin..].contains(['#', ',', ']', '}', '\\']);
    let place = line.start + begin..line.start + end;
    (is_last && line.text.matches('"').count() == 1).then(|| {
        Diagnostic::error(code::SYNTAX, "a text whose closing quote is missing", place.clone(), "it begins here")
            .fix("close it", [Edit::new(place.end..place.end, "\"")])
    })
}

/// How a text begins that needs no quotes in YAML.
fn word(text: &str) -> &str {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':');
    &text[..text.find(|c| !is_word(c)).unwrap_or(text.len())]
}

fn truth(word: &str) -> Option<&'static str> {
    match word.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Some("true"),
        "false" | "no" | "off" => Some("false"),
        _ => None,
    }
}

fn tabs(text: &str, line: Line<'_>) -> Option<Diagnostic> {
    let tab = line.start + line.indent().find('\t')?;
    let problem = Diagnostic::error(code::SYNTAX, "YAML does not take tabs for indentation", tab..tab + 1, "a tab");
    let mut start = 0;
    let edits = text.split_inclusive('\n').filter_map(|line| {
        let line = Line { text: line, start };
        start += line.text.len();
        let indent = line.indent().trim_end_matches(['\n', '\r']);
        let blanks = indent.replace('\t', "  ");
        indent.contains('\t').then(|| Edit::new(line.start..line.start + indent.len(), blanks))
    });
    Some(problem.fix("indent by two blanks for each level", few(edits)))
}

/// The edits, unless they are so many that the file is of another kind.
fn few(edits: impl Iterator<Item = Edit>) -> Vec<Edit> {
    let edits: Vec<Edit> = edits.take(MAX_EDITS + 1).collect();
    if edits.len() > MAX_EDITS { Vec::new() } else { edits }
}

/// How much of one slip is put right at once.
const MAX_EDITS: usize = 1000;

/// `name = demo` for `name: demo`.
fn equals_for_colon(line: Line<'_>) -> Option<Diagnostic> {
    let (end, rest) = line.key()?;
    let value = line.text[rest..].strip_prefix('=').filter(|value| !value.starts_with('='))?;
    let at = line.start + rest;
    let problem = Diagnostic::error(code::SYNTAX, "YAML writes `key: value`", at..at + 1, "`=` is TOML");
    let blank = value.len() - value.trim_start().len();
    Some(problem.fix("write `:`", [Edit::new(line.start + end..at + 1 + blank, ": ")]))
}

/// `name:demo` for `name: demo`.
fn colon_without_blank(line: Line<'_>) -> Option<Diagnostic> {
    let (end, rest) = line.key()?;
    let after = line.text[rest..].strip_prefix(':')?;
    let at = line.start + rest;
    let is_slip = end == rest && after.starts_with(|c: char| !c.is_whitespace() && c != '/' && c != ':');
    is_slip.then(|| {
        Diagnostic::error(code::SYNTAX, "YAML wants a blank after `:`", at..at + 1, "")
            .fix("put a blank behind it", [Edit::new(at + 1..at + 1, " ")])
    })
}

/// `name: @x` or `name: a: b`, which have a meaning in YAML unless they are quoted.
fn sign_that_wants_quotes(line: Line<'_>, problem: &Diagnostic) -> Option<Diagnostic> {
    let (_, rest) = line.key()?;
    let after = line.text[rest..].strip_prefix(": ")?;
    let value = after.trim();
    let begin = line.start + (value.as_ptr() as usize - line.text.as_ptr() as usize);
    let sign = value.starts_with(['@', '`', '%', '|', '>', '*', '&', '!']) || value.contains(": ");
    let is_here = (begin..=begin + value.len()).contains(&problem.span().start);
    let simple = !value.contains(['"', '\\', '#']) && !value.starts_with(['{', '[', '\'']);
    (sign && is_here && simple).then(|| {
        let place = begin..begin + value.len();
        Diagnostic::error(code::SYNTAX, "this text has a meaning of its own in YAML", place.clone(), "")
            .fix("put it in quotes", [Edit::new(place, format!("\"{value}\""))])
    })
}

fn uneven_indent(text: &str, line: Line<'_>, problem: &Diagnostic) -> Option<Diagnostic> {
    let above = line.above(text).filter(|_| problem.message.contains("did not find expected key"))?;
    let (here, there) = (line.indent(), above.indent());
    (here != there).then(|| {
        Diagnostic::error(code::SYNTAX, "the line is not indented like its neighbours", line.begin(), counted(here))
            .and(above.begin(), counted(there))
            .fix("indent both in the same way", [Edit::new(line.start..line.start + here.len(), there)])
    })
}

fn counted(indent: &str) -> String {
    match indent.len() {
        0 => "not at all".to_owned(),
        1 => "by 1 blank".to_owned(),
        count => format!("by {count} blanks"),
    }
}

/// The parser's message in plain words, where there are some.
fn in_words(problem: Diagnostic, language: &str, words: &[(&str, &str)]) -> Diagnostic {
    let said = words.iter().find(|(message, _)| problem.message.contains(message)).map(|(_, said)| *said);
    let message = said.map_or_else(|| problem.message.clone(), str::to_owned);
    Diagnostic { message: format!("this is not {language}: {message}"), ..problem }
}

const TOML_WORDS: [(&str, &str); 8] = [
    ("key with no value", "a key without `=` and a value"),
    ("invalid basic string", "a text whose closing quote is missing"),
    ("invalid literal string", "a text whose closing quote is missing"),
    ("unclosed array table", "a header whose `]]` is missing"),
    ("unclosed array", "a list whose `]` is missing"),
    ("unclosed inline table", "a table whose `}` is missing"),
    ("unclosed table", "a header whose `]` is missing"),
    ("string values must be quoted", "a text must be in quotes"),
];

const YAML_WORDS: [(&str, &str); 8] = [
    ("simple key expect", "a line without `:` where a key and a value belong"),
    ("mapping values are not allowed", "a `:` where no key can stand"),
    ("illegal placement of ':'", "a key inside a list or table whose closing bracket is missing"),
    ("misplaced bracket", "a closing bracket that no other opened"),
    ("invalid indentation in quoted", "a text whose closing quote is missing"),
    ("found unexpected end of stream", "a text whose closing quote is missing"),
    ("did not find expected key", "a line that is not indented like its neighbours"),
    ("unknown anchor", "an alias of an anchor that is not there"),
];
