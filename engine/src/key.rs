//! Everything that decides an output -> a fingerprint and the same fields in words.
//! One writer makes both, so what `pipe explain` shows is what was hashed.

use crate::ids::{AttemptId, Fingerprint};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fmt::{self, Write};

/// The fields of a key, by name. Names are paths such as `config.size[0]` or `inputs.plays`.
pub type Fields = BTreeMap<String, String>;

/// A finished key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// BLAKE3 over `fields`.
    pub fingerprint: Fingerprint,
    /// What was hashed.
    pub fields: Fields,
}

/// Collects fields; see [`KeyWriter::finish`]. Of two fields of one name the later stands.
#[derive(Default)]
pub struct KeyWriter {
    /// All names and values, one after the other: a plan makes a key for each of its tasks, and a string for each of its
    /// fields would cost more than all the rest.
    text: String,
    fields: Vec<Field>,
}

/// Where a field's name begins in the text, where its value does, and where that ends.
#[derive(Clone, Copy)]
struct Field {
    name: usize,
    value: usize,
    end: usize,
}

impl Field {
    fn parts(self, text: &str) -> [&str; 2] {
        [&text[self.name..self.value], &text[self.value..self.end]]
    }
}

impl KeyWriter {
    /// One field.
    #[must_use]
    pub fn field(mut self, name: impl fmt::Display, value: impl fmt::Display) -> Self {
        self.push(name, value);
        self
    }

    /// A JSON value, one field for each leaf, so that a change names the leaf and not the tree.
    #[must_use]
    pub fn json(mut self, name: &str, value: &Json) -> Self {
        self.leaves(&mut name.to_owned(), value);
        self
    }

    /// Takes fields out again: what they name is hashed in another way.
    #[must_use]
    pub fn without(mut self, names: impl IntoIterator<Item = String>) -> Self {
        for name in names {
            self.fields.retain(|field| field.parts(&self.text)[0] != name);
        }
        self
    }

    /// Hashes the fields in the order of their names. Each part is preceded by its length, so no two different
    /// sets of fields make the same bytes.
    pub fn finish(mut self) -> Key {
        self.put_in_order();
        let fields = self.fields.iter().map(|field| field.parts(&self.text).map(str::to_owned).into());
        Key { fingerprint: self.hash(), fields: fields.collect() }
    }

    /// The fingerprint alone of the key that [`KeyWriter::finish`] gives.
    pub fn fingerprint(mut self) -> Fingerprint {
        self.put_in_order();
        self.hash()
    }

    fn push(&mut self, name: impl fmt::Display, value: impl fmt::Display) {
        let begin = self.text.len();
        let _ = write!(self.text, "{name}");
        let middle = self.text.len();
        let _ = write!(self.text, "{value}");
        self.fields.push(Field { name: begin, value: middle, end: self.text.len() });
    }

    /// Objects and lists are opened; an empty one is a leaf. Strings are quoted, so that `"1"` and `1` differ. `name` is
    /// as it was when this returns.
    fn leaves(&mut self, name: &mut String, value: &Json) {
        let here = name.len();
        match value {
            Json::Object(map) if !map.is_empty() => {
                for (key, inner) in map {
                    name.push('.');
                    name.push_str(key);
                    self.leaves(name, inner);
                    name.truncate(here);
                }
            }
            Json::Array(items) if !items.is_empty() => {
                for (i, inner) in items.iter().enumerate() {
                    let _ = write!(name, "[{i}]");
                    self.leaves(name, inner);
                    name.truncate(here);
                }
            }
            leaf => self.push(&*name, leaf),
        }
    }

    fn put_in_order(&mut self) {
        let text = &self.text;
        self.fields.sort_by_key(|field| field.parts(text)[0]);
        self.fields.dedup_by(|later, kept| {
            let same = later.parts(text)[0] == kept.parts(text)[0];
            if same {
                *kept = *later;
            }
            same
        });
    }

    fn hash(&self) -> Fingerprint {
        let mut bytes = Vec::with_capacity(self.text.len() + 16 * self.fields.len());
        for part in self.fields.iter().flat_map(|field| field.parts(&self.text)) {
            bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        let hash = blake3::derive_key("pipe 2026-11 fingerprint v1", &bytes);
        Fingerprint(blake3::Hash::from_bytes(hash).to_hex().to_string())
    }
}

/// How one field differs between two keys.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Change {
    /// The field's name.
    pub field: String,
    /// Its value before; absent when the field is new.
    pub before: Option<String>,
    /// Its value now; absent when the field is gone.
    pub now: Option<String>,
}

impl Change {
    /// The field as its author knows it: `config.crf` is `crf`, `inputs.inputs.model.stage` is `model`.
    pub fn name(&self) -> String {
        name(&self.field)
    }
}

/// The fields that differ, by name.
pub fn changes(before: &Fields, now: &Fields) -> Vec<Change> {
    let names: std::collections::BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    names
        .into_iter()
        .filter(|name| before.get(*name) != now.get(*name))
        .map(|name| Change { field: name.clone(), before: before.get(name).cloned(), now: now.get(name).cloned() })
        .collect()
}

/// How many changes a reason tells.
const TOLD: usize = 2;
/// Longer values are not told, only what differs inside them.
const LONGEST: usize = 24;
/// Letters told on each side of what differs inside a long value.
const AROUND: usize = 6;

/// The field that only keys of incomplete results have.
const INCOMPLETE: &str = "incomplete";

/// The key of a result that lacks some of its items: no other attempt has it, so nobody takes the result for theirs.
pub fn incomplete(fields: Fields, attempt: &AttemptId) -> Key {
    written(fields).field(INCOMPLETE, attempt).finish()
}

/// The key that the result would have if it lacked nothing. `None`: it lacks nothing.
pub fn completed(fields: &Fields) -> Option<Key> {
    fields.contains_key(INCOMPLETE).then(|| written(fields.clone()).without([INCOMPLETE.to_owned()]).finish())
}

fn written(fields: Fields) -> KeyWriter {
    fields.into_iter().fold(KeyWriter::default(), |key, (name, value)| key.field(name, value))
}

/// The fingerprint of a key of which these are the fields.
pub fn fingerprint_of(fields: &Fields) -> Fingerprint {
    written(fields.clone()).fingerprint()
}

/// The reason for a rerun in a few words: ``1 of 48 fields changed: `crf` 23 -> 20``.
pub fn reason(before: &Fields, now: &Fields) -> String {
    let changed = changes(before, now);
    if changed.is_empty() {
        return "its result is gone".to_owned();
    }
    let gone = changed.iter().filter(|change| change.now.is_none()).count();
    let (count, all) = (changed.len(), now.len() + gone);
    let told: Vec<String> = changed.iter().take(TOLD).map(ToString::to_string).collect();
    let more = if count > TOLD { format!(" and {} more", count - TOLD) } else { String::new() };
    let fields = if all == 1 { "field" } else { "fields" };
    format!("{count} of {all} {fields} changed: {}{more}", told.join(", "))
}

/// Such as `` `crf` 23 -> 20 ``; of results and files, whose digests tell a person nothing, only that they are others.
impl fmt::Display for Change {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = name(&self.field);
        let (before, now) = match (&self.before, &self.now) {
            (Some(before), Some(now)) => (before, now),
            (None, Some(now)) if now.chars().count() <= LONGEST => {
                return write!(out, "`{name}` is new: {}", bare(now));
            }
            (None, _) => return write!(out, "`{name}` is new"),
            (Some(_), None) => return write!(out, "`{name}` is gone"),
        };
        if self.field.starts_with("inputs.") {
            return write!(out, "`{name}` gives another result");
        }
        if self.field.starts_with("files.") {
            return match (before.rsplit_once(' '), now.rsplit_once(' ')) {
                (Some((was, _)), Some((is, _))) if was != is => write!(out, "`{name}` {was} -> {is}"),
                _ => write!(out, "`{name}` has other bytes"),
            };
        }
        match told(before, now) {
            Some((before, now)) => write!(out, "`{name}` {before} -> {now}"),
            None => write!(out, "`{name}`"),
        }
    }
}

/// A field as its author knows it: `config.crf` is `crf`, `inputs.inputs.model.stage` is `model`.
fn name(field: &str) -> String {
    let groups = ["config.", "inputs.", "files."];
    let own = groups.iter().find_map(|group| field.strip_prefix(group)).unwrap_or(field);
    match own.strip_prefix("inputs.") {
        Some(named) => named.replacen(".stage", "", 1).replacen(".file", "", 1),
        None => own.to_owned(),
    }
}

/// Two values, or, where they are long, the parts of them that differ with a little around them.
fn told(before: &str, now: &str) -> Option<(String, String)> {
    let short = |text: &str| text.chars().count() <= LONGEST;
    if short(before) && short(now) {
        let is_text = |text: &str| text.len() > 2 && text.starts_with('"') && !text.contains([' ', '\\']);
        let bare = |text: &str| if is_text(before) && is_text(now) { bare(text) } else { text.to_owned() };
        return Some((bare(before), bare(now)));
    }
    let (before, now): (Vec<char>, Vec<char>) = (before.chars().collect(), now.chars().collect());
    let least = before.len().min(now.len());
    let begin = (0..least).take_while(|i| before[*i] == now[*i]).count();
    let same_end = |i: &usize| before[before.len() - 1 - i] == now[now.len() - 1 - i];
    let end = (0..least - begin).take_while(same_end).count();
    let part = |text: &[char]| {
        let (from, to) = (begin.saturating_sub(AROUND), (text.len() - end + AROUND).min(text.len()));
        let (cut, rest) = (if from > 0 { "…" } else { "" }, if to < text.len() { "…" } else { "" });
        format!("{cut}{}{rest}", text[from..to].iter().collect::<String>())
    };
    let (before, now) = (part(&before), part(&now));
    (short(&before) && short(&now)).then_some((before, now))
}

/// A string without its quotes.
fn bare(value: &str) -> String {
    value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_order_in_which_fields_are_written_does_not_matter() {
        let a = KeyWriter::default().field("a", 1).json("c", &json!({"x": [1, 2]})).finish();
        let b = KeyWriter::default().json("c", &json!({"x": [1, 2]})).field("a", 1).finish();
        assert_eq!(a, b);
    }

    #[test]
    fn of_two_fields_of_one_name_the_later_stands() {
        let both = KeyWriter::default().field("a", 2).field("b", 0).field("a", 1).finish();
        assert_eq!(both, KeyWriter::default().field("a", 1).field("b", 0).finish());
    }

    #[test]
    fn a_fingerprint_stays_what_it_was_when_results_were_filed_under_it() {
        // The BLAKE3 derive-key digest of the lengths and texts, by the reference implementation in Python.
        let writer = || KeyWriter::default().field("kind", "command").json("config", &json!({ "argv": ["a", 1] }));
        assert_eq!(writer().finish().fingerprint.0, "ea14502883cb94d16f70f7ae3fa13cfb756ad546296bb864bd2a6428e794f235");
        assert_eq!(writer().finish().fingerprint, writer().fingerprint());
    }

    #[test]
    fn moving_a_character_from_a_name_to_a_value_changes_the_key() {
        let a = KeyWriter::default().field("ab", "c").finish();
        let b = KeyWriter::default().field("a", "bc").finish();
        assert_ne!(a.fingerprint, b.fingerprint);
    }

    #[test]
    fn a_change_names_just_the_leaf_that_changed() {
        let a = KeyWriter::default().json("config", &json!({"size": [64, 36], "frames": 6})).finish();
        let b = KeyWriter::default().json("config", &json!({"size": [64, 48], "frames": 6})).finish();
        assert_eq!(reason(&a.fields, &b.fields), "1 of 3 fields changed: `size[1]` 36 -> 48");
    }

    #[test]
    fn a_reason_tells_values_that_a_person_can_read() {
        let told = |field: &str, before: Option<&str>, now: Option<&str>| {
            let text = |value: Option<&str>| value.map(str::to_owned);
            Change { field: field.into(), before: text(before), now: text(now) }.to_string()
        };
        assert_eq!(told("config.preset", Some("\"slow\""), Some("\"fast\"")), "`preset` slow -> fast");
        assert_eq!(told("config.n", Some("\"1\""), Some("1")), "`n` \"1\" -> 1", "the quotes are what changed");
        assert_eq!(told("config.crf", None, Some("20")), "`crf` is new: 20");
        assert_eq!(told("config.crf", Some("20"), None), "`crf` is gone");
        assert_eq!(told("inputs.plays", Some("3f2a"), Some("77be")), "`plays` gives another result");
        let gathered = "inputs.inputs.frames.stage[game=g1]";
        assert_eq!(told(gathered, Some("3f2a"), Some("77be")), "`frames[game=g1]` gives another result");
        assert_eq!(told("files.video", Some("3f2a"), Some("77be")), "`video` has other bytes");
        assert_eq!(told("files.files[0]", Some("a.sh 3f"), Some("a.sh 77")), "`files[0]` has other bytes");
        assert_eq!(told("files.files[0]", Some("a.sh 3f"), Some("b.sh 3f")), "`files[0]` a.sh -> b.sh");
        let (before, now) = ("\"echo one two three $((1 + 0)) four\"", "\"echo one two three $((1 + 12)) four\"");
        assert_eq!(told("config.argv[2]", Some(before), Some(now)), "`argv[2]` …((1 + 0)) fou… -> …((1 + 12)) fou…");
        assert_eq!(told("config.query", Some(&"a".repeat(90)), Some(&"b".repeat(80))), "`query`");
    }

    #[test]
    fn of_many_changes_the_first_are_told_and_the_others_counted() {
        let fields =
            |n: u32| KeyWriter::default().json("config", &json!({"a": n, "b": n, "c": n, "d": 0})).finish().fields;
        assert_eq!(reason(&fields(1), &fields(2)), "3 of 4 fields changed: `a` 1 -> 2, `b` 1 -> 2 and 1 more");
        let (mut less, all) = (fields(1), fields(1));
        less.remove("config.d");
        assert_eq!(reason(&all, &less), "1 of 4 fields changed: `d` is gone");
    }

    #[test]
    fn a_number_and_its_text_are_different_values() {
        let a = KeyWriter::default().json("v", &json!(1)).finish();
        let b = KeyWriter::default().json("v", &json!("1")).finish();
        assert_ne!(a.fingerprint, b.fingerprint);
    }
}
