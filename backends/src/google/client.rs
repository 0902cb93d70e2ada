//! How Google's services are reached: by clients that make each call once.

use super::{choose_tls, is_on_loopback};
use google_cloud_auth::credentials::{Credentials, anonymous};
use google_cloud_gax::client_builder::ClientBuilder;
use google_cloud_gax::retry_policy::NeverRetry;

/// A client that is about to be made, with the credentials of whoever is logged in here; of nobody for an endpoint on loopback.
pub(crate) fn once<F>(builder: ClientBuilder<F, Credentials>, endpoint: Option<&str>) -> ClientBuilder<F, Credentials> {
    choose_tls();
    // A call that is lost may have had its effect, and what is to be done then is decided above.
    let builder = builder.with_retry_policy(NeverRetry);
    let Some(endpoint) = endpoint else { return builder };
    let builder = builder.with_endpoint(endpoint);
    if is_on_loopback(endpoint) { builder.with_credentials(anonymous::Builder::new().build()) } else { builder }
}

/// Where Vertex AI is asked: it has jobs by region, each behind an address of its own.
pub(crate) fn of_region(endpoint: Option<&str>, region: &str) -> String {
    endpoint.map_or_else(|| format!("https://{region}-aiplatform.googleapis.com"), str::to_owned)
}
