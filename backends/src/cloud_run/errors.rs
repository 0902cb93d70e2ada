//! What Cloud Run's clients say -> a failure: its class, and the role or the command that mends it.

use crate::google::{Service, Where};
use google_cloud_gax::error::Error;
use pipe_engine::failure::Failure;

const CLOUD_RUN: Service = Service {
    name: "Cloud Run",
    api: "run.googleapis.com",
    role: "roles/run.developer",
    lists: "gcloud run jobs list",
    regions: "gcloud run regions list --project PROJECT",
};

/// Whether a name is taken.
pub(super) fn is_taken(error: &Error) -> bool {
    error.http_status_code() == Some(409)
}

/// A call that did not do what it should have; `doing` fits after "cannot".
pub(super) fn failed(error: &Error, doing: &str, at: &Where) -> Failure {
    crate::google::failed(error, doing, at, &CLOUD_RUN)
}
