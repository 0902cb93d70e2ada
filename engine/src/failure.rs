//! Why something did not work. One type crosses all rooms; `class` alone decides whether it is tried again.

use crate::disk::Room;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What sort of failure it is. Retries have one budget for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Network trouble, a service's own error: the same call may work in a moment.
    Transient,
    /// A service asked us to slow down.
    Throttled,
    /// There is no machine to be had.
    Capacity,
    /// The machine was taken away.
    Preempted,
    /// The attempt ran longer than its `timeout`.
    Timeout,
    /// Nothing was heard for longer than was declared.
    Stalled,
    /// More memory was wanted than there was.
    OutOfMemory,
    /// More disk was wanted than there was.
    OutOfDisk,
    /// The work itself failed.
    Failed,
}

impl Class {
    /// Its word in specs and journals, such as `out-of-memory`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Throttled => "throttled",
            Self::Capacity => "capacity",
            Self::Preempted => "preempted",
            Self::Timeout => "timeout",
            Self::Stalled => "stalled",
            Self::OutOfMemory => "out-of-memory",
            Self::OutOfDisk => "out-of-disk",
            Self::Failed => "failed",
        }
    }

    /// How often a task may be tried again after a failure of this class, unless its spec says otherwise.
    /// `None` has no count: the run's own timeout ends it.
    pub fn budget(self) -> Option<u32> {
        match self {
            Self::Transient => Some(5),
            Self::Throttled | Self::Capacity => None,
            Self::Preempted => Some(10),
            Self::Stalled | Self::OutOfMemory => Some(1),
            Self::Timeout | Self::OutOfDisk | Self::Failed => Some(0),
        }
    }
}

/// What failed, on what, why, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// Decides retries.
    pub class: Class,
    /// A stable word for programs, such as `video_missing`.
    pub code: String,
    /// A sentence for people.
    pub message: String,
    /// The file, URI or row it happened on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The error below, in its own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

impl Failure {
    /// A failure of the work itself.
    pub fn failed(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::of(Class::Failed, code, message)
    }

    /// A failure of the given class.
    pub fn of(class: Class, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { class, code: code.into(), message: message.into(), on: None, help: None, source: None }
    }

    /// Something that could not be read or written. A full disk gets its own class, so it is told apart.
    pub fn io(doing: &str, path: impl AsRef<std::path::Path>, error: &std::io::Error) -> Self {
        let (class, message) = match error.kind() {
            std::io::ErrorKind::StorageFull => (Class::OutOfDisk, full(doing, path.as_ref())),
            std::io::ErrorKind::QuotaExceeded => (Class::OutOfDisk, format!("cannot {doing}: the quota is used up")),
            _ => (Class::Failed, format!("cannot {doing}")),
        };
        Self::of(class, "io", message).on(path.as_ref().display().to_string()).source(error)
    }

    /// Names the thing it happened on.
    #[must_use]
    pub fn on(mut self, on: impl Into<String>) -> Self {
        self.on = Some(on.into());
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Keeps the words of the error below.
    #[must_use]
    pub fn source(mut self, source: impl fmt::Display) -> Self {
        self.source = Some(source.to_string());
        self
    }
}

/// What cannot be done on a full disk, with what it has left. What was wanted may be more than that.
fn full(doing: &str, path: &std::path::Path) -> String {
    let room = Room::at(path).map_or_else(String::new, |room| format!(", {room}"));
    format!("cannot {doing}: the disk is full{room}")
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(on) = &self.on {
            write!(f, ": {on}")?;
        }
        if let Some(source) = &self.source {
            write!(f, " ({source})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}
