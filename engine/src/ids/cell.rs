//! A point of a stage's matrix, and how it is written.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::Arc;

/// What may stand in a cell's text, a folder name and a URL as it is.
const PLAIN: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// One point of a stage's matrix: key -> scalar, keys sorted. Written `angle=FAR_LEFT,game=g1`.
// A plan has a hundred thousand of them and each is in several places: so it is small, and its clones share it.
#[derive(Clone, Debug, Default, PartialEq, JsonSchema)]
#[schemars(transparent)]
pub struct Cell(#[schemars(with = "BTreeMap<String, Json>")] Arc<[(Arc<str>, Json)]>);

impl Cell {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.0.iter().find(|(name, _)| **name == *key).map(|(_, value)| value)
    }

    /// Whether it has a key.
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// The keys and their values, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Json)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// The keys, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.iter().map(|(key, _)| &**key)
    }

    /// Whether it is that of a stage without a matrix.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The cell that has this key as well.
    #[must_use]
    pub fn with(&self, key: &str, value: &Json) -> Self {
        self.0.iter().cloned().chain([(key.into(), value.clone())]).collect()
    }

    /// Whether every key that both cells have has the same value in both.
    pub fn agrees_with(&self, other: &Self) -> bool {
        self.iter().all(|(key, value)| other.get(key).is_none_or(|theirs| theirs == value))
    }

    /// Whether a task at `other` gathers what is made at this cell: this has keys that the other has not, so there may be
    /// several. Told from the keys and not from how many there are, so that a matrix may shrink to one value.
    pub fn is_gathered_by(&self, other: &Self) -> bool {
        self.keys().any(|key| !other.has(key))
    }

    /// The name of this cell's folder: its text, or `all` for a stage without a matrix.
    pub fn folder(&self) -> String {
        if self.is_empty() { "all".to_owned() } else { self.to_string() }
    }

    /// How many bytes its text has.
    pub fn text_len(&self) -> usize {
        let mut counted = Counted(0);
        let _ = write!(counted, "{self}");
        counted.0
    }

    /// As a JSON object.
    pub fn to_json(&self) -> Json {
        Json::Object(self.iter().map(|(key, value)| (key.to_string(), value.clone())).collect())
    }
}

/// Counts what is written to it.
struct Counted(usize);

impl Write for Counted {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

impl<K: Into<Arc<str>>> FromIterator<(K, Json)> for Cell {
    /// Of two values of one key the later stands.
    fn from_iter<I: IntoIterator<Item = (K, Json)>>(pairs: I) -> Self {
        let mut pairs: Vec<(Arc<str>, Json)> = pairs.into_iter().map(|(key, value)| (key.into(), value)).collect();
        // Stable, so the last of a key comes last; `dedup_by` keeps the first, so it is asked from behind.
        pairs.sort_by(|a, b| b.0.cmp(&a.0));
        pairs.reverse();
        pairs.dedup_by(|next, kept| next.0 == kept.0);
        Self(pairs.into())
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (key, value)) in self.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}{}=", utf8_percent_encode(key, &PLAIN))?;
            match value {
                Json::String(text) => write!(f, "{}", utf8_percent_encode(text, &PLAIN))?,
                other => write!(f, "{}", utf8_percent_encode(&other.to_string(), &PLAIN))?,
            }
        }
        Ok(())
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(key, value)| (&**key, value)))
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(BTreeMap::<String, Json>::deserialize(deserializer)?.into_iter().collect())
    }
}

/// How a scalar reads inside a cell: a string as it is, anything else as JSON.
pub fn scalar(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_cell_is_written_with_sorted_keys_and_percent_encoding() {
        let cell = Cell::from_iter([("game", json!("a/b=ü")), ("angle", json!("FAR_LEFT")), ("n", json!(3))]);
        assert_eq!(cell.to_string(), "angle=FAR_LEFT,game=a%2Fb%3D%C3%BC,n=3");
        assert_eq!(cell.text_len(), cell.to_string().len());
        assert_eq!(serde_json::to_string(&cell).unwrap(), r#"{"angle":"FAR_LEFT","game":"a/b=ü","n":3}"#);
    }

    #[test]
    fn of_two_values_of_one_key_the_later_stands() {
        let cell = Cell::from_iter([("b", json!(1)), ("a", json!(1)), ("b", json!(2))]);
        assert_eq!(cell.to_string(), "a=1,b=2");
        assert_eq!(cell.with("a", &json!(3)).to_string(), "a=3,b=2");
    }
}
