//! What the client of Vertex AI's tuning says -> a failure: its class, and the role or the command that mends it.

use crate::google::{Service, Where};
use google_cloud_gax::error::Error;
use pipe_engine::failure::Failure;

const TUNING: Service = Service {
    name: "Vertex AI",
    api: "aiplatform.googleapis.com",
    role: "roles/aiplatform.user",
    // Nothing of gcloud lists tuning jobs; this asks the same project and region.
    lists: "gcloud ai models list",
    regions: "https://cloud.google.com/vertex-ai/docs/general/locations",
};

/// A call that did not do what it should have; `doing` fits after "cannot".
pub(super) fn failed(error: &Error, doing: &str, at: &Where) -> Failure {
    crate::google::failed(error, doing, at, &TUNING)
}
