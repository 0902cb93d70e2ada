//! The names of things: runs, cells, tasks, attempts, fingerprints; and how each is written and read back.

use crate::world::World;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fmt;

/// What may stand in a cell's text, a folder name and a URL as it is.
const PLAIN: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// One execution of one plan, such as `20261121-230405-9f3c`: sorts by the time it began.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct RunId(pub String);

impl RunId {
    /// A new name from the world's clock and randomness.
    pub fn new(world: &World) -> Self {
        let now = i64::try_from(world.now().0).unwrap_or(i64::MAX);
        let stamp = jiff::Timestamp::from_millisecond(now)
            .map_or_else(|_| now.to_string(), |t| t.strftime("%Y%m%d-%H%M%S").to_string());
        Self(format!("{stamp}-{:04x}", world.random() & 0xffff))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The BLAKE3 key of everything that decides an output: 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Fingerprint(pub String);

impl Fingerprint {
    /// The first `n` digits, for names that people read.
    pub fn short(&self, n: usize) -> &str {
        &self.0[..n.min(self.0.len())]
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One point of a stage's matrix: key -> scalar, keys sorted. Written `angle=FAR_LEFT,game=g1`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Cell(pub BTreeMap<String, Json>);

impl Cell {
    /// Whether every key that both cells have has the same value in both.
    pub fn agrees_with(&self, other: &Self) -> bool {
        self.0.iter().all(|(key, value)| other.0.get(key).is_none_or(|theirs| theirs == value))
    }

    /// Whether a task at `other` gathers what is made at this cell: this has keys that the other has not, so there may be
    /// several. Told from the keys and not from how many there are, so that a matrix may shrink to one value.
    pub fn is_gathered_by(&self, other: &Self) -> bool {
        self.0.keys().any(|key| !other.0.contains_key(key))
    }

    /// The name of this cell's folder: its text, or `all` for a stage without a matrix.
    pub fn folder(&self) -> String {
        if self.0.is_empty() { "all".to_owned() } else { self.to_string() }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (key, value)) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}{}={}", utf8_percent_encode(key, &PLAIN), utf8_percent_encode(&scalar(value), &PLAIN))?;
        }
        Ok(())
    }
}

/// How a scalar reads inside a cell: a string as it is, anything else as JSON.
pub fn scalar(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// One stage at one cell. Written `clips[angle=FAR_LEFT,game=g1]`, or `model` without a matrix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TaskId {
    /// The stage's name in the spec.
    pub stage: String,
    /// The point of its matrix.
    #[serde(default)]
    pub cell: Cell,
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.cell.0.is_empty() { f.write_str(&self.stage) } else { write!(f, "{}[{}]", self.stage, self.cell) }
    }
}

impl TaskId {
    /// Whether `pattern`, a stage or a task as people type them, names this task. Cell keys may be in any order,
    /// and those left out match everything: `clips[game=g1]` names the clips of every angle of that game.
    pub fn matches(&self, pattern: &str) -> bool {
        let (stage, cell) = match pattern.strip_suffix(']').and_then(|p| p.split_once('[')) {
            Some((stage, cell)) => (stage, cell),
            None => (pattern, ""),
        };
        stage == self.stage && cell.split(',').filter(|p| !p.is_empty()).all(|pair| self.has(pair))
    }

    fn has(&self, pair: &str) -> bool {
        let Some((key, value)) = pair.split_once('=') else { return false };
        let decoded = |text: &str| percent_decode_str(text.trim()).decode_utf8_lossy().into_owned();
        self.cell.0.get(&decoded(key)).is_some_and(|v| scalar(v) == decoded(value))
    }
}

/// One try of a task: `<fingerprint20>-<n>`. `n` counts the folders that stand in the store, never a clock, so two
/// engines that know nothing of each other arrive at the same name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct AttemptId(pub String);

impl AttemptId {
    /// The name of try `number` at `fingerprint`.
    pub fn new(fingerprint: &Fingerprint, number: u32) -> Self {
        Self(format!("{}-{number}", fingerprint.short(20)))
    }
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn cell(pairs: &[(&str, Json)]) -> Cell {
        Cell(pairs.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect())
    }

    #[test]
    fn a_cell_is_written_with_sorted_keys_and_percent_encoding() {
        let c = cell(&[("game", json!("a/b=ü")), ("angle", json!("FAR_LEFT")), ("n", json!(3))]);
        assert_eq!(c.to_string(), "angle=FAR_LEFT,game=a%2Fb%3D%C3%BC,n=3");
    }

    #[test]
    fn a_pattern_names_a_stage_a_task_or_a_part_of_a_matrix() {
        let id = TaskId { stage: "clips".into(), cell: cell(&[("game", json!("g1")), ("angle", json!("FAR"))]) };
        for pattern in ["clips", "clips[]", "clips[game=g1]", "clips[angle=FAR,game=g1]", "clips[game=g1,angle=FAR]"] {
            assert!(id.matches(pattern), "{pattern}");
        }
        for pattern in ["clip", "clips[game=g2]", "clips[game]", "clips[game=g1,x=1]"] {
            assert!(!id.matches(pattern), "{pattern}");
        }
    }

    #[test]
    fn an_attempt_is_named_by_twenty_digits_and_its_number() {
        let id = AttemptId::new(&Fingerprint("0123456789abcdef0123456789".into()), 2);
        assert_eq!(id.0, "0123456789abcdef0123-2");
    }
}
