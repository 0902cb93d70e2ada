//! The filter of a list -> whether a job is in it. What the definition of `customJobs.list` shows is read: comparisons of a
//! name, a state, a time and labels, with AND between them. OR and NOT are not done.

use crate::answer::Refusal;
use regex::Regex;
use serde_json::Value as Json;
use std::cmp::Ordering;
use std::sync::LazyLock;

/// One comparison and what comes after it.
static TERM: LazyLock<Regex> = LazyLock::new(|| {
    let field = r"labels\.(?<label>[^\s=:!<>]+)|(?<field>display_name|state|create_time)";
    let value = r#""(?<quoted>[^"]*)"|(?<bare>[^\s"]+)"#;
    Regex::new(&format!(r"^\s*(?:{field})\s*(?<op>!=|<=|>=|=|:|<|>)\s*(?:{value})(?:\s+AND\s+|\s*$)"))
        .expect("a pattern of ours")
});

/// A filter that was read.
pub(super) struct Filter(Vec<Term>);

struct Term {
    field: Field,
    comparison: Comparison,
}

enum Field {
    Label(String),
    Name,
    State,
    Created,
}

enum Comparison {
    Is(String),
    IsNot(String),
    /// Each `*` stands for any letters.
    Like(Regex),
    Ordered(jiff::Timestamp, &'static [Ordering]),
}

impl Filter {
    pub(super) fn read(text: &str) -> Result<Self, Refusal> {
        let mut rest = text.trim();
        let mut terms = Vec::new();
        while !rest.is_empty() {
            let Some(found) = TERM.captures(rest) else { return Err(unread(text)) };
            let name = |name: &str| found.name(name).map(|found| found.as_str());
            let value = name("quoted").or(name("bare")).unwrap_or_default();
            let field = match (name("label"), name("field")) {
                (Some(label), _) => Field::Label(label.trim_matches('"').to_owned()),
                (_, Some("display_name")) => Field::Name,
                (_, Some("state")) => Field::State,
                _ => Field::Created,
            };
            let comparison =
                Comparison::read(&field, name("op").unwrap_or_default(), value).ok_or_else(|| unread(text))?;
            terms.push(Term { field, comparison });
            rest = &rest[found[0].len()..];
        }
        Ok(Self(terms))
    }

    /// `name`: the field of the job that `display_name` means.
    pub(super) fn takes(&self, job: &Json, name: &str) -> bool {
        self.0.iter().all(|term| {
            let value = match &term.field {
                Field::Label(label) => &job["labels"][label],
                Field::Name => &job[name],
                Field::State => &job["state"],
                Field::Created => &job["createTime"],
            };
            term.comparison.takes(value.as_str())
        })
    }
}

fn unread(text: &str) -> Refusal {
    let has = |word: &str| text.split_whitespace().any(|known| known == word);
    if has("OR") || has("NOT") {
        return Refusal::not_done("OR and NOT in a filter");
    }
    Refusal::invalid(format!("Invalid filter: {text:?}"))
}

impl Comparison {
    /// Source of what each field can be asked: the definition of `customJobs.list`.
    fn read(field: &Field, op: &str, value: &str) -> Option<Self> {
        match (field, op) {
            (Field::Created, ":") => None,
            (Field::Created, op) => {
                let orders: &[Ordering] = match op {
                    "=" => &[Ordering::Equal],
                    "!=" => &[Ordering::Less, Ordering::Greater],
                    "<" => &[Ordering::Less],
                    "<=" => &[Ordering::Less, Ordering::Equal],
                    ">" => &[Ordering::Greater],
                    _ => &[Ordering::Greater, Ordering::Equal],
                };
                Some(Self::Ordered(value.parse().ok()?, orders))
            }
            (_, "=") => Some(Self::Is(value.to_owned())),
            (Field::Name | Field::State, "!=") => Some(Self::IsNot(value.to_owned())),
            (Field::Name, ":") => Self::like(value),
            (Field::Label(_), ":") if value == "*" => Self::like(value),
            _ => None,
        }
    }

    fn like(value: &str) -> Option<Self> {
        let parts: Vec<String> = value.split('*').map(regex::escape).collect();
        Regex::new(&format!("(?s)^{}$", parts.join(".*"))).ok().map(Self::Like)
    }

    fn takes(&self, value: Option<&str>) -> bool {
        match self {
            Self::Is(wanted) => value == Some(wanted),
            Self::IsNot(other) => value != Some(other),
            Self::Like(form) => value.is_some_and(|value| form.is_match(value)),
            Self::Ordered(time, orders) => {
                let value = value.and_then(|value| value.parse::<jiff::Timestamp>().ok());
                value.is_some_and(|value| orders.contains(&value.cmp(time)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Source of the forms: the examples in the definition of `customJobs.list`.
    #[test]
    fn a_filter_takes_what_all_its_comparisons_take() {
        let job = json!({
            "displayName": "my_job_7", "state": "JOB_STATE_RUNNING", "createTime": "2021-05-18T00:00:01Z",
            "labels": { "key-a": "value" },
        });
        let cases = [
            ("", true),
            ("labels.key-a=value", true),
            ("labels.key-a=\"value\"", true),
            ("labels.key-a=other", false),
            ("labels.key-b=value", false),
            ("labels.key-a:*", true),
            ("labels.key-b:*", false),
            ("display_name:\"my_job_*\"", true),
            ("display_name:\"your_job_*\"", false),
            ("display_name=\"my_job\"", false),
            ("state!=\"JOB_STATE_FAILED\" AND labels.key-a=value", true),
            ("state=\"JOB_STATE_FAILED\" AND labels.key-a=value", false),
            ("create_time>\"2021-05-18T00:00:00Z\"", true),
            ("create_time<=\"2021-05-18T00:00:00Z\"", false),
        ];
        for (text, expected) in cases {
            let filter = Filter::read(text).unwrap_or_else(|refusal| panic!("{text}: {refusal:?}"));
            assert_eq!(filter.takes(&job, "displayName"), expected, "{text}");
        }
    }

    #[test]
    fn a_filter_that_says_something_else_is_refused() {
        let cases = [
            ("labels.a!=b", 400),
            ("priority=1", 400),
            ("state:RUN", 400),
            ("create_time>yesterday", 400),
            ("labels.a=b labels.c=d", 400),
            ("state=\"a\" OR state=\"b\"", 501),
            ("NOT state=\"a\"", 501),
        ];
        for (text, code) in cases {
            assert_eq!(Filter::read(text).err().map(|refusal| refusal.code), Some(code), "{text}");
        }
    }
}
