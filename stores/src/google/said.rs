//! What Google's client says -> a store's error, or why a source is not read.

use crate::refused::{EXPIRED, NO_CREDENTIALS};
use crate::remote::{Trouble, cause};
use google_cloud_gax::error::{CredentialsError, Error};
use pipe_engine::failure::Class;
use pipe_engine::store::StoreError;
use std::error::Error as _;
use std::io;

/// Why Cloud Storage has not done something.
#[derive(Debug)]
pub(crate) enum Said {
    /// It did not answer in time.
    Nothing,
    /// There is nobody to ask as.
    NoClient(String),
    Error(Box<Error>),
}

impl From<Error> for Said {
    fn from(error: Error) -> Self {
        tracing::debug!(?error, "the service failed");
        Self::Error(Box::new(error))
    }
}

impl Said {
    pub(crate) fn store_error(self, doing: &'static str, at: &str) -> StoreError {
        let at = at.to_owned();
        let words = self.words();
        let failed = |kind, words| StoreError::Failed { doing, at: at.clone(), source: io::Error::new(kind, words) };
        let away = |class, words| StoreError::Away { doing, at: at.clone(), class, source: io::Error::other(words) };
        match self.status() {
            Some(404) => StoreError::Missing { at },
            Some(412) => StoreError::Conflict { at },
            Some(401) => failed(io::ErrorKind::PermissionDenied, format!("{EXPIRED}: {words}")),
            Some(403) => failed(io::ErrorKind::PermissionDenied, words),
            Some(429) => away(Class::Throttled, words),
            // It was spoilt on its way, and may not be the next time.
            Some(400) if words.contains("CRC32C") => away(Class::Transient, words),
            Some(400..500) => failed(io::ErrorKind::Other, words),
            _ if self.is_nobody() => failed(io::ErrorKind::PermissionDenied, NO_CREDENTIALS.to_owned()),
            _ => away(Class::Transient, words),
        }
    }

    pub(crate) fn trouble(self) -> Trouble {
        match self.status() {
            Some(404) => Trouble::missing(),
            Some(412 | 416) => Trouble::Changed,
            Some(401 | 403) => Trouble::refused("the service refuses it"),
            _ if self.is_nobody() => Trouble::refused(NO_CREDENTIALS),
            Some(status @ 400..500) if !matches!(status, 408 | 429) => Trouble::odd(self.words()),
            _ => Trouble::Broken(self.words()),
        }
    }

    fn status(&self) -> Option<u16> {
        if let Self::Error(error) = self { error.http_status_code() } else { None }
    }

    /// Whether there are no credentials, or none that anybody takes.
    fn is_nobody(&self) -> bool {
        match self {
            Self::Nothing => false,
            Self::NoClient(_) => true,
            Self::Error(error) => error
                .source()
                .and_then(|source| source.downcast_ref::<CredentialsError>())
                .is_some_and(|error| !error.is_transient()),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Nothing => "the service says nothing".to_owned(),
            Self::NoClient(why) => why.clone(),
            Self::Error(error) => error.status().map_or_else(|| cause(&**error), |status| status.message.clone()),
        }
    }
}
