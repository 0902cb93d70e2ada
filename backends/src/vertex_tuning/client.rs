//! How the tuning of Vertex AI is reached: a client that makes each call once.

use crate::google::{choose_tls, is_on_loopback, no_client};
use google_cloud_aiplatform_v1::client::GenAiTuningService;
use google_cloud_auth::credentials::anonymous;
use google_cloud_gax::retry_policy::NeverRetry;
use pipe_engine::failure::Failure;

/// A client with the credentials of whoever is logged in here; of nobody for an endpoint on loopback.
///
/// # Errors
/// When there are no credentials.
pub(super) async fn client(endpoint: Option<&str>, region: &str) -> Result<GenAiTuningService, Failure> {
    choose_tls();
    // The service has jobs by region, each behind an address of its own.
    let of_region = format!("https://{region}-aiplatform.googleapis.com");
    let endpoint = endpoint.unwrap_or(&of_region);
    // A call that is lost may have had its effect, and what is to be done then is decided above.
    let builder = GenAiTuningService::builder().with_retry_policy(NeverRetry).with_endpoint(endpoint);
    let is_here = is_on_loopback(endpoint);
    let builder = if is_here { builder.with_credentials(anonymous::Builder::new().build()) } else { builder };
    builder.build().await.map_err(no_client)
}
