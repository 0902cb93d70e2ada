//! The name that a job is shown under and its labels -> what is wrong with them.

use crate::definitions::Problem;
use serde_json::{Map, Value as Json};

/// Letters of a name that is shown, and of a label's key or value. Source: the definitions of these fields.
const NAME: usize = 128;
const LABEL: usize = 64;

pub(super) fn check(said: &Map<String, Json>, shown: &str, problems: &mut Vec<Problem>) {
    let name = said.get(shown).and_then(Json::as_str).unwrap_or_default();
    if name.chars().count() > NAME {
        problems.push(Problem::new(shown, format!("Field '{shown}' is longer than {NAME} letters.")));
    }
    for (key, value) in said.get("labels").and_then(Json::as_object).into_iter().flatten() {
        if key.is_empty() || !is_label(key) || !is_label(value.as_str().unwrap_or_default()) {
            let says = format!(
                "Invalid label {key:?}: {value}. Keys and values have {LABEL} letters at most, and only lower-case \
                 letters, digits, underscores and dashes."
            );
            problems.push(Problem::new(format!("labels.{key}"), says));
        }
    }
}

/// Letters of every language are allowed.
fn is_label(text: &str) -> bool {
    let is_plain = |c: char| (c.is_alphanumeric() && !c.is_uppercase()) || c == '_' || c == '-';
    text.chars().count() <= LABEL && text.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_has_small_letters_digits_underscores_and_dashes() {
        let long = "a".repeat(64);
        let cases =
            [("", true), ("a-1_b", true), ("é", true), (&long, true), ("A", false), ("a.b", false), ("a b", false)];
        for (label, expected) in cases {
            assert_eq!(is_label(label), expected, "{label}");
        }
        assert!(!is_label(&"a".repeat(65)));
    }
}
