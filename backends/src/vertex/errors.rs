//! What Vertex AI's client says -> a failure: its class, and the role or the command that mends it.

use crate::google::{Service, Where};
use google_cloud_gax::error::Error;
use pipe_engine::failure::Failure;

const VERTEX: Service = Service {
    name: "Vertex AI",
    api: "aiplatform.googleapis.com",
    role: "roles/aiplatform.user",
    lists: "gcloud ai custom-jobs list",
    regions: "https://cloud.google.com/vertex-ai/docs/general/locations",
};

/// A call that did not do what it should have; `doing` fits after "cannot".
pub(super) fn failed(error: &Error, doing: &str, at: &Where) -> Failure {
    crate::google::failed(error, doing, at, &VERTEX)
}
