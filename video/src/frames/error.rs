//! What can be wrong with what was asked of frames, before there is a file to blame.

/// Settings and a picture that do not go together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (help: {help})")]
pub struct FrameError {
    /// What is wrong, as a lowercase sentence without a full stop.
    pub message: String,
    /// What to do, likewise.
    pub help: String,
}

impl FrameError {
    pub(crate) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        FrameError { message: message.into(), help: help.into() }
    }
}
