//! Why something elsewhere is not read, in words that hold nothing which lets one in.

use pipe_engine::failure::{Class, Failure};
use std::error::Error;
use std::fmt::Display;

/// Why something elsewhere was not read.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It is not what it was.
    Changed,
    /// Another try may succeed.
    Broken(String),
    /// No other try will.
    Lost(Lost),
}

/// Why no try will succeed.
#[derive(Debug)]
pub(crate) struct Lost {
    code: &'static str,
    pub(super) message: String,
    help: &'static str,
}

impl Trouble {
    pub(crate) fn missing() -> Self {
        Self::lost("source_missing", "there is nothing there", "check the address in the spec")
    }

    pub(crate) fn refused(why: impl Display) -> Self {
        let help = "check the credentials in the environment; a signed address may have to be signed anew";
        Self::lost("source_refused", format!("it may not be read: {why}"), help)
    }

    pub(super) fn forbidden(why: &dyn Display) -> Self {
        let help = "name where the video itself lies; what a table or a server put in its place is not followed";
        Self::lost("source_forbidden", format!("it is never asked: {why}"), help)
    }

    pub(super) fn without_ranges() -> Self {
        let help = "copy it into a folder or a bucket, or serve it with a server that answers requests for ranges";
        Self::lost("source_without_ranges", "the server gives no parts of a file, only all of it", help)
    }

    pub(super) fn without_identity() -> Self {
        let help = "copy it into a folder or a bucket, or serve it with a server that tells one of them";
        let message = "the server tells neither an ETag nor when it was changed, so it could change unseen";
        Self::lost("source_without_identity", message, help)
    }

    pub(crate) fn odd(message: impl Into<String>) -> Self {
        Self::lost("source_odd", message, "try the address with another program, such as curl")
    }

    fn lost(code: &'static str, message: impl Into<String>, help: &'static str) -> Self {
        Self::Lost(Lost { code, message: message.into(), help })
    }

    /// The failure of somebody who tried often enough.
    pub(super) fn failure(self) -> Failure {
        match self {
            Self::Changed => Failure::failed("source_changed", "it changed while it was looked at"),
            Self::Broken(why) => Failure::of(Class::Transient, "source_unreachable", "it cannot be reached")
                .source(why)
                .help("check the address and the network"),
            Self::Lost(lost) => Failure::failed(lost.code, lost.message).help(lost.help),
        }
    }
}

impl Lost {
    /// Nothing was asked: something is wrong on this side.
    pub(super) fn here(why: &dyn Display) -> Self {
        let help = "check the address in the spec and the variables that the service's own tools take";
        Self { code: "source_not_opened", message: why.to_string(), help }
    }
}

/// The error at the bottom, such as a refused connection. What lies between is for those who debug it, and may hold the
/// address.
pub(crate) fn cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    cause.to_string()
}
