//! What Google's client says -> a store's error, or why a source is not read.

use crate::refused::{EXPIRED, NO_CREDENTIALS};
use crate::remote::{Trouble, cause};
use google_cloud_gax::client_builder;
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
    /// There is nothing to ask it with.
    NoClient(client_builder::Error),
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
            Self::NoClient(error) => error.is_default_credentials(),
            Self::Error(error) => error
                .source()
                .and_then(|source| source.downcast_ref::<CredentialsError>())
                .is_some_and(|error| !error.is_transient()),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Nothing => "the service says nothing".to_owned(),
            Self::NoClient(error) => cause(error),
            Self::Error(error) => error.status().map_or_else(|| cause(&**error), |status| status.message.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use google_cloud_gax::error::rpc::{Code, Status};

    fn said(status: u16, words: &str) -> Said {
        let told = Status::default().set_code(Code::Unknown).set_message(words);
        Error::service_with_http_metadata(told, Some(status), None).into()
    }

    /// Source: https://cloud.google.com/storage/docs/json_api/v1/status-codes, read 2026-11.
    #[test]
    fn what_a_status_means_is_told_as_every_store_tells_it() {
        let told = |status, words| match said(status, words).store_error("write", "a") {
            StoreError::Missing { .. } => "missing".to_owned(),
            StoreError::Conflict { .. } => "conflict".to_owned(),
            StoreError::Away { class, .. } => format!("{class:?}"),
            StoreError::Failed { source, .. } => format!("{:?}", source.kind()),
            other => other.to_string(),
        };
        let spoilt = "Provided CRC32C \"a\" doesn't match calculated CRC32C \"b\".";
        for (status, words, expected) in [
            (404, "No such object", "missing"),
            (412, "At least one of the pre-conditions did not hold.", "conflict"),
            (401, "Invalid Credentials", "PermissionDenied"),
            (403, "does not have storage.objects.create access", "PermissionDenied"),
            (429, "rate limit exceeded", "Throttled"),
            (400, spoilt, "Transient"),
            (400, "Invalid bucket name", "Other"),
            (503, "try again", "Transient"),
        ] {
            assert_eq!(told(status, words), expected, "{status} {words}");
        }
        assert!(matches!(said(412, "").trouble(), Trouble::Changed));
        assert!(matches!(said(404, "").trouble(), Trouble::Lost(_)));
        assert!(matches!(said(503, "").trouble(), Trouble::Broken(_)));
    }
}
