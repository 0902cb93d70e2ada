//! How Vertex AI is reached: a client that makes each call once.

use crate::google::{no_client, of_region, once};
use google_cloud_aiplatform_v1::client::JobService;
use pipe_engine::failure::Failure;

/// A client of a region.
///
/// # Errors
/// When there are no credentials.
pub(super) async fn client(endpoint: Option<&str>, region: &str) -> Result<JobService, Failure> {
    let endpoint = of_region(endpoint, region);
    once(JobService::builder(), Some(&endpoint)).build().await.map_err(no_client)
}
