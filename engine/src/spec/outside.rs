//! What decides a spec besides its own files: the command line and the variables of the environment.

use crate::text::{Span, Spanned};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What whoever reads the spec asks for.
#[derive(Clone, Debug, Default)]
pub struct Outside {
    /// `--profile`.
    pub profile: Option<String>,
    /// `-P name=value`, in the order they were typed.
    pub params: Vec<(String, String)>,
    /// `--params FILE`.
    pub params_file: Option<PathBuf>,
    /// The variables of this process. Those of `.env` are added while the spec is read.
    pub environment: Environment,
}

/// Variables by name. What this process has wins over what `.env` says.
#[derive(Clone, Default)]
pub struct Environment {
    real: BTreeMap<String, String>,
    file: BTreeMap<String, Spanned<String>>,
}

/// A variable's value and, where `.env` gave it, its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable<'a> {
    /// Its value.
    pub value: &'a str,
    /// Where it is written; absent for one of this process.
    pub span: Option<Span>,
}

/// Names only: some of the values are secrets.
impl std::fmt::Debug for Environment {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Environment").field("real", &self.real.keys()).field("file", &self.file.keys()).finish()
    }
}

impl Environment {
    /// The variables of a process.
    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { real: variables.into_iter().collect(), file: BTreeMap::new() }
    }

    /// The variable's value. An empty one counts as not set, as shells are used to.
    pub fn get(&self, name: &str) -> Option<Variable<'_>> {
        let real = self.real.get(name).map(|value| Variable { value, span: None });
        let file = || self.file.get(name).map(|v| Variable { value: &v.value, span: Some(v.span.clone()) });
        real.or_else(file).filter(|variable| !variable.value.is_empty())
    }

    pub(super) fn add_file(&mut self, lines: impl IntoIterator<Item = (String, Spanned<String>)>) {
        self.file.extend(lines);
    }
}
