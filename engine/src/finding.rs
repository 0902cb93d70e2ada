//! What is found out before a run: what is as it must be, what is not, and the role or the command that mends it.

use crate::failure::Failure;
use serde::Serialize;

/// How much a finding matters to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// It is as it must be.
    Good,
    /// It was not found out.
    Unknown,
    /// A run goes on all the same, and something will be missed.
    Warning,
    /// It would stop a run.
    Error,
}

impl Level {
    /// Its word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One thing that was found out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub level: Level,
    /// A stable word for programs, such as `no_bucket`.
    pub code: String,
    /// A sentence for people.
    pub message: String,
    /// What it was found on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    /// What mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// What was said, in the words of whoever said it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

impl Finding {
    /// Something is as it must be.
    pub fn good(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::of(Level::Good, Failure::failed(code, message))
    }

    /// Something was not found out.
    pub fn unknown(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::of(Level::Unknown, Failure::failed(code, message))
    }

    /// A run would be stopped by this.
    pub fn error(failure: Failure) -> Self {
        Self::of(Level::Error, failure)
    }

    /// A run goes on with this.
    pub fn warning(failure: Failure) -> Self {
        Self::of(Level::Warning, failure)
    }

    /// What failed, as a finding.
    pub fn of(level: Level, failure: Failure) -> Self {
        let Failure { code, message, on, help, source, .. } = failure;
        Self { level, code, message, on, help, source }
    }

    /// Names the thing it was found on.
    #[must_use]
    pub fn on(mut self, on: impl Into<String>) -> Self {
        self.on = Some(on.into());
        self
    }

    /// Says what mends it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
