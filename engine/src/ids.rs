//! The names of things: runs, cells, tasks, attempts, fingerprints; and how each is written and read back.

mod cell;

pub use cell::{Cell, scalar};

use crate::world::World;
use percent_encoding::percent_decode_str;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

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
        if self.cell.is_empty() { f.write_str(&self.stage) } else { write!(f, "{}[{}]", self.stage, self.cell) }
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

    /// As [`TaskId::matches`], of a task of which no more is known than how its name is written.
    pub fn is_named(written: &str, pattern: &str) -> bool {
        let stage = written.split('[').next().unwrap_or(written).to_owned();
        let cell = Self::cell_of(written).into_iter().map(|(key, value)| (key, value.into())).collect();
        Self { stage, cell }.matches(pattern)
    }

    /// The keys and values of a task's cell, by how its name is written.
    pub fn cell_of(written: &str) -> Vec<(String, String)> {
        let (_, cell) = written.split_once('[').unwrap_or((written, "]"));
        let pairs = cell.strip_suffix(']').unwrap_or(cell).split(',').filter_map(|pair| pair.split_once('='));
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        pairs.map(|(key, value)| (decoded(key), decoded(value))).collect()
    }

    fn has(&self, pair: &str) -> bool {
        let Some((key, value)) = pair.split_once('=') else { return false };
        let decoded = |text: &str| percent_decode_str(text.trim()).decode_utf8_lossy().into_owned();
        self.cell.get(&decoded(key)).is_some_and(|v| scalar(v) == decoded(value))
    }
}

/// One try of a task: `<fingerprint20>-<n>`. `n` counts the folders that stand in the store, never a clock, so two
/// engines that know nothing of each other arrive at the same name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct AttemptId(pub String);

/// How many digits of a fingerprint the names of attempts begin with.
pub(crate) const ATTEMPT_DIGITS: usize = 20;

impl AttemptId {
    /// The name of try `number` at `fingerprint`.
    pub fn new(fingerprint: &Fingerprint, number: u32) -> Self {
        Self(format!("{}-{number}", fingerprint.short(ATTEMPT_DIGITS)))
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

    #[test]
    fn a_pattern_names_a_stage_a_task_or_a_part_of_a_matrix() {
        let id =
            TaskId { stage: "clips".into(), cell: Cell::from_iter([("game", json!("g1")), ("angle", json!("FAR"))]) };
        for pattern in ["clips", "clips[]", "clips[game=g1]", "clips[angle=FAR,game=g1]", "clips[game=g1,angle=FAR]"] {
            assert!(id.matches(pattern) && TaskId::is_named(&id.to_string(), pattern), "{pattern}");
        }
        for pattern in ["clip", "clips[game=g2]", "clips[game]", "clips[game=g1,x=1]"] {
            assert!(!id.matches(pattern) && !TaskId::is_named(&id.to_string(), pattern), "{pattern}");
        }
    }

    #[test]
    fn an_attempt_is_named_by_twenty_digits_and_its_number() {
        let id = AttemptId::new(&Fingerprint("0123456789abcdef0123456789".into()), 2);
        assert_eq!(id.0, "0123456789abcdef0123-2");
    }
}
