//! The end of a program and its last words -> what sort of failure it was, by rules that its stage gives.

use super::ConfigProblem;
use crate::failure::Class;
use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Memory that a compiled pattern may take: what needs more is no pattern for a line.
const LARGEST: usize = 1 << 20;

/// A failure of the program that is of another class than `failed`, which decides how often it is tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClassRule {
    /// The exit code, or several. A signal counts as 128 and its number, as in a shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exits>,
    /// A regular expression that matches one of the last 200 lines the program wrote.
    #[schemars(length(min = 1))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// What it is then. With `exit` and `pattern`, both must fit.
    pub class: Class,
}

/// One exit code, or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Exits {
    /// This one.
    One(#[schemars(range(min = 1, max = 255))] i32),
    /// Any of these.
    Several(Vec<i32>),
}

impl Exits {
    fn all(&self) -> &[i32] {
        match self {
            Self::One(code) => std::slice::from_ref(code),
            Self::Several(codes) => codes,
        }
    }
}

impl ClassRule {
    /// Looks at a rule, the `place`th of its stage.
    ///
    /// # Errors
    /// What is wrong, and in which field.
    pub fn check(&self, place: usize) -> Result<(), ConfigProblem> {
        let wrong = |field: &str, message: String| ConfigProblem::new(format!("classes[{place}]{field}"), message);
        if self.exit.is_none() && self.pattern.is_none() {
            let help = "write the exit code it is about, a pattern for a line of the output, or both";
            return Err(wrong("", "it says nothing of when it holds".to_owned()).help(help));
        }
        let codes = self.exit.as_ref().map_or(&[][..], Exits::all);
        if self.exit.is_some() && codes.is_empty() {
            return Err(wrong(".exit", "an empty list never holds".to_owned()).help("write a code, or take it out"));
        }
        if let Some(code) = codes.iter().find(|code| !(1..=255).contains(*code)) {
            let help = "a program that failed ends with a code from 1 to 255";
            return Err(wrong(".exit", format!("{code} is no exit code of a failure")).help(help));
        }
        let pattern = self.pattern.as_deref().map_or(Ok(()), sound);
        pattern.map_err(|why| {
            let help = "it is a regular expression: \\ takes a sign by its word, as in `\\(`";
            wrong(".pattern", why).help(help)
        })
    }

    /// Whether it holds for a program that ended with this code and wrote these lines last.
    pub fn holds(&self, code: Option<i32>, lines: &[String]) -> bool {
        let ended_so = |exits: &Exits| code.is_some_and(|code| exits.all().contains(&code));
        let said_so = |pattern: &String| {
            // It was compiled when the plan was made.
            compiled(pattern).is_ok_and(|pattern| lines.iter().any(|line| pattern.is_match(line)))
        };
        self.exit.as_ref().is_none_or(ended_so) && self.pattern.as_ref().is_none_or(said_so)
    }
}

impl fmt::Display for ClassRule {
    /// When it holds: `exit 75`, `exit 1 or 2 and "CUDA out of memory"`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let codes = self.exit.as_ref().map(|exits| {
            let codes: Vec<String> = exits.all().iter().map(ToString::to_string).collect();
            format!("exit {}", codes.join(" or "))
        });
        let pattern = self.pattern.as_ref().map(|pattern| format!("\"{pattern}\""));
        f.write_str(&codes.into_iter().chain(pattern).collect::<Vec<_>>().join(" and "))
    }
}

/// Patterns that can be understood: the same ones stand in each of a hundred thousand tasks.
static SOUND: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

fn sound(pattern: &str) -> Result<(), String> {
    let known = || SOUND.lock().unwrap_or_else(PoisonError::into_inner);
    if known().contains(pattern) {
        return Ok(());
    }
    compiled(pattern)?;
    if known().len() < 1000 {
        known().insert(pattern.to_owned());
    }
    Ok(())
}

/// The pattern, or what is wrong with it in one line.
fn compiled(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern).size_limit(LARGEST).build().map_err(|error| {
        let told = error.to_string();
        let last = told.lines().last().unwrap_or_default();
        format!("it cannot be understood: {}", last.trim_start_matches("error: "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(exit: Option<Exits>, pattern: Option<&str>) -> ClassRule {
        ClassRule { exit, pattern: pattern.map(str::to_owned), class: Class::Transient }
    }

    #[test]
    fn a_rule_holds_when_all_that_it_says_does() {
        let lines = ["loading".to_owned(), "CUDA out of memory: 3 GiB".to_owned()];
        let (one, several) = (|| Some(Exits::One(75)), || Some(Exits::Several(vec![1, 2])));
        let cases = [
            (rule(one(), None), Some(75), true),
            (rule(one(), None), Some(1), false),
            (rule(one(), None), None, false),
            (rule(several(), Some("CUDA out of memory")), Some(2), true),
            (rule(several(), Some("CUDA out of memory")), Some(3), false),
            (rule(several(), Some("^out of memory")), Some(2), false),
            (rule(None, Some(r"memory: \d+ GiB$")), Some(9), true),
            (rule(None, Some("(?i)LOADING")), None, true),
        ];
        for (rule, code, holds) in cases {
            assert_eq!(rule.holds(code, &lines), holds, "{rule} at {code:?}");
        }
    }

    #[test]
    fn a_rule_is_told_in_the_words_of_the_spec() {
        assert_eq!(rule(Some(Exits::One(75)), None).to_string(), "exit 75");
        assert_eq!(rule(Some(Exits::Several(vec![1, 2])), Some("a|b")).to_string(), "exit 1 or 2 and \"a|b\"");
    }

    #[test]
    fn a_pattern_that_would_fill_the_memory_is_refused() {
        let problem = rule(None, Some(r"(\w{100}){100}")).check(3).unwrap_err();
        assert_eq!(problem.field, "classes[3].pattern");
        assert!(problem.message.contains("size limit"), "{}", problem.message);
    }
}
