//! Bytes that may hold secrets -> the same bytes with `***` in their place, however they were cut into pieces.

use super::Values;
use crate::failure::Failure;
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// What stands where a secret stood.
pub(super) const STARS: &str = "***";
/// Shorter values are left: three letters stand everywhere, and stars in their place would tell them.
const SHORTEST: usize = 4;
/// A piece of Base64 that is shorter could stand there by chance.
const SHORTEST_BASE64: usize = 8;

/// Takes secrets out of what one process says: their values, their lines, and the forms in which they are usually
/// written into something else (JSON, Base64, percent-encoding).
#[derive(Clone, Default)]
pub struct Redactor {
    /// What must not be said, the longest first.
    forms: Vec<Vec<u8>>,
    /// Bytes with which one of them begins.
    first: BTreeSet<u8>,
    /// The end of what was fed, while it may be the beginning of a secret.
    held: Vec<u8>,
}

impl Redactor {
    /// A redactor for these secrets.
    pub fn of(values: &Values) -> Self {
        let mut forms: Vec<Vec<u8>> = values.values().flat_map(|value| forms(value.reveal())).collect();
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
        forms.dedup();
        let first = forms.iter().map(|form| form[0]).collect();
        Self { forms, first, held: Vec::new() }
    }

    /// Whether it changes nothing.
    pub fn is_idle(&self) -> bool {
        self.forms.is_empty()
    }

    /// Takes the next bytes in and gives back those that can be said. Bytes that may be the beginning of a secret are
    /// kept until the next ones tell.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        if self.is_idle() {
            return bytes.to_vec();
        }
        let mut text = std::mem::take(&mut self.held);
        text.extend_from_slice(bytes);
        let (said, rest) = self.said(&text, true);
        self.held = text[rest..].to_vec();
        said
    }

    /// The bytes that were kept: nothing comes after them.
    pub fn finish(&mut self) -> Vec<u8> {
        let held = std::mem::take(&mut self.held);
        self.said(&held, false).0
    }

    /// A text that is whole.
    pub fn text(&self, text: &str) -> String {
        if self.is_idle() {
            return text.to_owned();
        }
        String::from_utf8_lossy(&self.said(text.as_bytes(), false).0).into_owned()
    }

    /// Every text of a failure.
    pub fn failure(&self, failure: Failure) -> Failure {
        let Failure { class, code, message, on, help, source } = failure;
        let [on, help, source] = [on, help, source].map(|text| text.map(|text| self.text(&text)));
        Failure { class, code: self.text(&code), message: self.text(&message), on, help, source }
    }

    /// Every text in a value, those that are keys too.
    pub fn json(&self, value: &Json) -> Json {
        match value {
            Json::String(text) => Json::String(self.text(text)),
            Json::Number(number) => {
                let shown = number.to_string();
                let said = self.text(&shown);
                if said == shown { value.clone() } else { Json::String(said) }
            }
            Json::Array(items) => items.iter().map(|item| self.json(item)).collect(),
            Json::Object(map) => {
                Json::Object(map.iter().map(|(key, item)| (self.text(key), self.json(item))).collect())
            }
            other => other.clone(),
        }
    }

    /// What can be said of `text`, and where the part begins that cannot be judged while `more` may come.
    fn said(&self, text: &[u8], more: bool) -> (Vec<u8>, usize) {
        let (mut said, mut at) = (Vec::with_capacity(text.len()), 0);
        while at < text.len() {
            let rest = &text[at..];
            if !self.first.contains(&rest[0]) {
                said.push(rest[0]);
                at += 1;
                continue;
            }
            // The longest come first, so one that is not whole yet is waited for before a shorter one is taken.
            let found = self.forms.iter().find(|form| rest.starts_with(form) || more && form.starts_with(rest));
            match found {
                Some(form) if rest.len() < form.len() => return (said, at),
                Some(form) => {
                    said.extend_from_slice(STARS.as_bytes());
                    at += form.len();
                }
                None => {
                    said.push(rest[0]);
                    at += 1;
                }
            }
        }
        (said, at)
    }
}

/// The ways in which a value is written that are worth looking for.
fn forms(value: &str) -> Vec<Vec<u8>> {
    let json = Json::from(value).to_string();
    let percent = percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string();
    let plain = [value, &json[1..json.len() - 1], &percent].map(str::to_owned);
    let lines = value.lines().map(|line| line.trim().to_owned());
    let texts = plain.into_iter().chain(lines).filter(|form| form.len() >= SHORTEST);
    let encoded = (0..3).flat_map(|skip| base64(value.as_bytes().get(skip..).unwrap_or_default()));
    texts.map(String::into_bytes).chain(encoded.filter(|form| form.len() >= SHORTEST_BASE64)).collect()
}

/// The letters of Base64 that only these bytes decide: whatever follows them, these stay. In both alphabets.
fn base64(bytes: &[u8]) -> [Vec<u8>; 2] {
    ["+/", "-_"].map(|last| {
        let letters = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(last.chars());
        let letters: Vec<u8> = letters.map(|letter| letter as u8).collect();
        let groups = bytes.chunks_exact(3).map(|group| u32::from_be_bytes([0, group[0], group[1], group[2]]));
        groups.flat_map(|group| [18, 12, 6, 0].map(|shift| letters[(group >> shift & 63) as usize])).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::super::Value;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn redactor(values: &[&str]) -> Redactor {
        Redactor::of(&values.iter().enumerate().map(|(i, v)| (format!("S{i}"), Value::new(*v))).collect())
    }

    #[test]
    fn a_secret_is_taken_out_wherever_it_stands() {
        let redactor = redactor(&["hunter2", "hunter2-long"]);
        assert_eq!(redactor.text("a hunter2 b hunter2-long hunter2-lo hunter"), "a *** b *** ***-lo hunter");
    }

    #[test]
    fn a_secret_in_base64_is_taken_out_whatever_stands_before_it() {
        // The texts come from coreutils: `printf 'user:hunter2-hunter2' | base64`, and so on.
        let redactor = redactor(&["hunter2-hunter2"]);
        for text in ["aHVudGVyMi1odW50ZXIy", "dXNlcjpodW50ZXIyLWh1bnRlcjI=", "eDpodW50ZXIyLWh1bnRlcjIK"] {
            assert!(redactor.text(text).contains("***"), "{text}");
        }
    }

    #[test]
    fn the_lines_of_a_secret_and_its_json_are_taken_out() {
        let redactor = redactor(&["line one\nline \"two\""]);
        assert_eq!(redactor.text("x line one y"), "x *** y");
        assert_eq!(redactor.text(r#"{"k":"line one\nline \"two\""}"#), r#"{"k":"***"}"#);
        assert_eq!(redactor.json(&json!({"line one": ["line one!", 1]})), json!({"***": ["***!", 1]}));
    }

    #[test]
    fn a_secret_that_is_a_number_is_taken_out_of_numbers() {
        assert_eq!(redactor(&["12345678"]).json(&json!([12_345_678, 1])), json!(["***", 1]));
    }

    #[test]
    fn three_letters_are_no_secret() {
        assert_eq!(redactor(&["abc"]).text("abcabc"), "abcabc");
    }

    proptest! {
        #[test]
        fn however_it_is_cut_the_same_is_said(
            parts in prop::collection::vec(prop::sample::select(vec!["ab", "abab", "abcd", "abcde", "x", "\n"]), 0..12),
            cuts in prop::collection::vec(0_usize..40, 0..6),
        ) {
            let text = parts.concat();
            let mut redactor = redactor(&["abcd", "ababx", "abcde"]);
            let whole = redactor.text(&text);
            prop_assert!(!whole.contains("abcd") && !whole.contains("ababx"));
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).chain([0, text.len()]).collect();
            cuts.sort_unstable();
            let mut said = Vec::new();
            for pair in cuts.windows(2) {
                said.extend(redactor.feed(&text.as_bytes()[pair[0]..pair[1]]));
            }
            said.extend(redactor.finish());
            prop_assert_eq!(String::from_utf8(said).unwrap(), whole);
        }
    }
}
