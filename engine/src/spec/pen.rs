//! A change that somebody should make to a spec -> the edits that make it, in the language of the file they change.
//!
//! Knows how TOML and YAML are written; knows nothing of what is wrong, nor of what a key means.

use super::node::{Node, Value};
use crate::text::{Edit, Sources, Span, Spanned};
use serde_json::Value as Json;

/// Writes into the files of a spec.
#[derive(Clone, Copy)]
pub(crate) struct Pen<'t> {
    sources: &'t Sources,
}

/// The file a place lies in.
struct Page<'t> {
    text: &'t str,
    /// By how much the spans of its values are greater than their places in `text`.
    start: usize,
    is_yaml: bool,
}

impl<'t> Pen<'t> {
    pub(crate) fn new(sources: &'t Sources) -> Self {
        Self { sources }
    }

    fn page(self, place: &Span) -> Page<'t> {
        let source = self.sources.place(place).source;
        let is_yaml = [".yaml", ".yml", ".json"].iter().any(|ending| source.path.ends_with(ending));
        Page { text: &source.text, start: self.sources.extent(place.start).start, is_yaml }
    }

    /// Another name for a key; quotes around the old one stay.
    pub(crate) fn rename(self, key: &Spanned<String>, name: &str) -> Edit {
        let page = self.page(&key.span);
        match inside(&key.span, &key.value) {
            // A table whose header is dotted has a span per key, but not every reader gives it.
            Some(span) if page.written(&span) == Some(key.value.as_str()) => Edit::new(span, name),
            _ => Edit::new(key.span.clone(), page.key(name)),
        }
    }

    /// Another name for a key of the whole file, in every header of TOML that begins with it.
    pub(crate) fn rename_all(self, key: &Spanned<String>, name: &str) -> Vec<Edit> {
        let page = self.page(&key.span);
        let mut edits = vec![self.rename(key, name)];
        let mut start = page.start;
        for line in page.text.split_inclusive('\n').filter(|_| !page.is_yaml) {
            let inner = line.trim_start().trim_start_matches('[').trim_start();
            let at = start + (line.len() - inner.len());
            start += line.len();
            let rest = inner.strip_prefix(key.value.as_str()).map(str::trim_start);
            let is_header = line.trim_start().starts_with('[') && rest.is_some_and(|rest| rest.starts_with(['.', ']']));
            if is_header && at != key.span.start {
                edits.push(Edit::new(at..at + key.value.len(), name));
            }
        }
        edits
    }

    /// `[[stages]]` and the line `name = "x"` below it, as `[stages.x]`.
    pub(crate) fn name_in_header(self, item: &Node, key: &str) -> Option<[Edit; 2]> {
        let page = self.page(&item.span);
        let header = page.rest(item.span.start).lines().next()?;
        let path = header.trim_end().strip_prefix("[[")?.strip_suffix("]]")?;
        let (name, place) = item.entries().iter().find_map(|(name, node)| match &node.value {
            Value::String(text) if name.value == key => Some((text, name.span.start)),
            _ => None,
        })?;
        let line = place - page.column(place);
        let length = page.rest(line).lines().next()?.len();
        let named = format!("[{}.{}]", path.trim(), page.key(name));
        let end = item.span.start + header.trim_end().len();
        // The line goes with the break before it: the header is above.
        Some([Edit::new(item.span.start..end, named), Edit::new(line - 1..line + length, "")])
    }

    /// Another value in the place of one.
    pub(crate) fn put(self, node: &Node, value: &Json) -> Edit {
        match (&node.value, value) {
            (Value::String(old), Json::String(new)) => replace_text(node, old, new),
            _ => Edit::new(node.span.clone(), self.page(&node.span).value(value)),
        }
    }

    /// The same name with `sign` for what cannot stand in one; `None` when that is no name either.
    pub(crate) fn respell(self, name: &Spanned<String>, sign: char, is_name: fn(&str) -> bool) -> Option<Edit> {
        let signs: String = name.value.chars().map(|c| if is_name(&format!("a{c}")) { c } else { sign }).collect();
        let begin = signs.find(|c: char| is_name(&c.to_string()))?;
        let spelt = signs[begin..].trim_end_matches(sign);
        is_name(spelt).then(|| self.rename(name, spelt))
    }

    /// Puts signs around a value: `clips` becomes `[clips]`.
    pub(crate) fn wrap(self, node: &Node, before: &str, after: &str) -> [Edit; 2] {
        let Span { start, end } = node.span;
        [Edit::new(start..start, before), Edit::new(end..end, after)]
    }

    /// Puts a table with one key around a value: `model` becomes `{ stage = model }`.
    pub(crate) fn wrap_in_table(self, node: &Node, key: &str) -> [Edit; 2] {
        let page = self.page(&node.span);
        self.wrap(node, &format!("{{ {}{}", page.key(key), page.between()), " }")
    }

    /// One more key for a table called `name`; none for the whole file. `None` where there is no place for it that can
    /// be told, such as a table that consists of dotted keys.
    pub(crate) fn add(self, table: &Node, name: Option<&str>, key: &str, value: &Json) -> Option<Edit> {
        let page = self.page(&table.span);
        let entry = format!("{}{}{}", page.key(key), page.between(), page.value(value));
        let first = table.entries().iter().map(|(key, _)| key.span.start).find(|at| page.holds(*at));
        if page.rest(table.span.start).starts_with('{') {
            let at = table.span.start + 1;
            let comma = if first.is_some() { "," } else { " " };
            return Some(Edit::new(at..at, format!(" {entry}{comma}")));
        }
        if page.is_yaml {
            let at = first.unwrap_or(page.start);
            return Some(Edit::new(at..at, format!("{entry}\n{}", " ".repeat(page.column(at)))));
        }
        let Some(name) = name else {
            let at = first.map_or(page.start, |at| at - page.column(at));
            return Some(Edit::new(at..at, format!("{entry}\n")));
        };
        let line = page.rest(table.span.start).lines().next()?;
        let header = line.split('#').next()?.trim().strip_prefix('[')?.strip_suffix(']')?;
        let last = header.rsplit('.').next()?.trim().trim_matches(['"', '\'']);
        let end = table.span.start + line.trim_end().len();
        (last == name).then(|| Edit::new(end..end, format!("\n{entry}")))
    }
}

impl<'t> Page<'t> {
    fn written(&self, span: &Span) -> Option<&'t str> {
        self.text.get(span.start.checked_sub(self.start)?..span.end.checked_sub(self.start)?)
    }

    fn holds(&self, at: usize) -> bool {
        at.checked_sub(self.start).is_some_and(|at| at <= self.text.len())
    }

    fn rest(&self, at: usize) -> &'t str {
        at.checked_sub(self.start).and_then(|at| self.text.get(at..)).unwrap_or_default()
    }

    /// How many bytes a place is from the beginning of its line.
    fn column(&self, at: usize) -> usize {
        let before = self.text.get(..at.saturating_sub(self.start)).unwrap_or_default();
        before.rsplit('\n').next().unwrap_or_default().len()
    }

    fn between(&self) -> &'static str {
        if self.is_yaml { ": " } else { " = " }
    }

    fn key(&self, key: &str) -> String {
        let bare = if self.is_yaml { is_plain(key) } else { is_bare(key) };
        if bare { key.to_owned() } else { quoted(key) }
    }

    fn value(&self, value: &Json) -> String {
        match value {
            Json::String(text) if self.is_yaml && is_plain(text) => text.clone(),
            Json::String(text) => quoted(text),
            Json::Array(items) => {
                let items: Vec<String> = items.iter().map(|item| self.value(item)).collect();
                format!("[{}]", items.join(", "))
            }
            Json::Object(entries) => {
                let entry = |(key, value): (&String, &Json)| {
                    format!("{}{}{}", self.key(key), self.between(), self.value(value))
                };
                let entries: Vec<String> = entries.iter().map(entry).collect();
                format!("{{ {} }}", entries.join(", "))
            }
            other => other.to_string(),
        }
    }
}

/// Another text in the place of a string, in the same quotes where it can be.
pub(crate) fn replace_text(node: &Node, old: &str, new: &str) -> Edit {
    match inside(&node.span, old) {
        Some(span) if !new.contains(['"', '\'', '\\', '\n']) => {
            let plain = span == node.span;
            Edit::new(span, if plain && !is_plain(new) { quoted(new) } else { new.to_owned() })
        }
        _ => Edit::new(node.span.clone(), quoted(new)),
    }
}

/// The bytes between the quotes of a string, or all of one without quotes; `None` when its text is written otherwise
/// than it is: with escapes, folded, in three quotes.
pub(crate) fn inside(span: &Span, text: &str) -> Option<Span> {
    match span.len().checked_sub(text.len()) {
        Some(quotes @ (0 | 2)) => Some(span.start + quotes / 2..span.end - quotes / 2),
        _ => None,
    }
}

/// JSON's way to quote is TOML's and YAML's too.
fn quoted(text: &str) -> String {
    Json::from(text).to_string()
}

/// Whether TOML takes a key without quotes.
fn is_bare(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// Whether YAML takes a text without quotes as that text, also between brackets.
fn is_plain(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(word)
        && !["true", "false", "null", "yes", "no", "on", "off"].contains(&text.to_ascii_lowercase().as_str())
}
