//! Everything that decides an output -> a fingerprint and the same fields in words.
//! One writer makes both, so what `pipe explain` shows is what was hashed.

use crate::ids::Fingerprint;
use serde_json::Value as Json;
use std::collections::BTreeMap;

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

/// Collects fields; see [`KeyWriter::finish`].
#[derive(Default)]
pub struct KeyWriter {
    fields: Fields,
}

impl KeyWriter {
    /// One field.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.fields.insert(name.into(), value.to_string());
        self
    }

    /// A JSON value, one field for each leaf, so that a change names the leaf and not the tree.
    #[must_use]
    pub fn json(mut self, name: &str, value: &Json) -> Self {
        leaves(name, value, &mut self.fields);
        self
    }

    /// Takes fields out again: what they name is hashed in another way.
    #[must_use]
    pub fn without(mut self, names: impl IntoIterator<Item = String>) -> Self {
        for name in names {
            self.fields.remove(&name);
        }
        self
    }

    /// Hashes the fields in the order of their names. Each part is preceded by its length, so no two different
    /// sets of fields make the same bytes.
    pub fn finish(self) -> Key {
        let mut hasher = blake3::Hasher::new_derive_key("pipe 2026-11 fingerprint v1");
        for (name, value) in &self.fields {
            for part in [name, value] {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part.as_bytes());
            }
        }
        Key { fingerprint: Fingerprint(hasher.finalize().to_hex().to_string()), fields: self.fields }
    }
}

/// Objects and lists are opened; an empty one is a leaf. Strings are quoted, so that `"1"` and `1` differ.
fn leaves(name: &str, value: &Json, fields: &mut Fields) {
    match value {
        Json::Object(map) if !map.is_empty() => {
            for (key, inner) in map {
                leaves(&format!("{name}.{key}"), inner, fields);
            }
        }
        Json::Array(items) if !items.is_empty() => {
            for (i, inner) in items.iter().enumerate() {
                leaves(&format!("{name}[{i}]"), inner, fields);
            }
        }
        leaf => {
            fields.insert(name.to_owned(), leaf.to_string());
        }
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

/// The fields that differ, by name.
pub fn changes(before: &Fields, now: &Fields) -> Vec<Change> {
    let names: std::collections::BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    names
        .into_iter()
        .filter(|name| before.get(*name) != now.get(*name))
        .map(|name| Change { field: name.clone(), before: before.get(name).cloned(), now: now.get(name).cloned() })
        .collect()
}

/// The reason for a rerun in a few words: the first fields that changed.
pub fn reason(before: &Fields, now: &Fields) -> String {
    let changed = changes(before, now);
    let names: Vec<&str> = changed.iter().take(3).map(|c| c.field.as_str()).collect();
    match changed.len() {
        0 => "its result is gone".to_owned(),
        n if n > 3 => format!("{} and {} more changed", names.join(", "), n - 3),
        _ => format!("{} changed", names.join(", ")),
    }
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
    fn moving_a_character_from_a_name_to_a_value_changes_the_key() {
        let a = KeyWriter::default().field("ab", "c").finish();
        let b = KeyWriter::default().field("a", "bc").finish();
        assert_ne!(a.fingerprint, b.fingerprint);
    }

    #[test]
    fn a_change_names_just_the_leaf_that_changed() {
        let a = KeyWriter::default().json("config", &json!({"size": [64, 36], "frames": 6})).finish();
        let b = KeyWriter::default().json("config", &json!({"size": [64, 48], "frames": 6})).finish();
        assert_eq!(reason(&a.fields, &b.fields), "config.size[1] changed");
    }

    #[test]
    fn a_number_and_its_text_are_different_values() {
        let a = KeyWriter::default().json("v", &json!(1)).finish();
        let b = KeyWriter::default().json("v", &json!("1")).finish();
        assert_ne!(a.fingerprint, b.fingerprint);
    }
}
