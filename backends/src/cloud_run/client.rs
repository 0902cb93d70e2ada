//! How Google is reached: clients that make each call once.

use crate::google::{choose_tls, is_on_loopback, no_client};
use google_cloud_auth::credentials::anonymous;
use google_cloud_gax::retry_policy::NeverRetry;
use google_cloud_run_v2::client::{Executions, Jobs};
use pipe_engine::failure::Failure;

/// What Cloud Run can be asked.
pub(super) struct Clients {
    pub(super) jobs: Jobs,
    pub(super) executions: Executions,
}

/// Clients with the credentials of whoever is logged in here; of nobody for an endpoint on loopback.
///
/// # Errors
/// When there are no credentials.
pub(super) async fn clients(endpoint: Option<&str>) -> Result<Clients, Failure> {
    choose_tls();
    // A call that is lost may have had its effect, and what is to be done then is decided above.
    let mut jobs = Jobs::builder().with_retry_policy(NeverRetry);
    let mut executions = Executions::builder().with_retry_policy(NeverRetry);
    if let Some(endpoint) = endpoint {
        (jobs, executions) = (jobs.with_endpoint(endpoint), executions.with_endpoint(endpoint));
    }
    if endpoint.is_some_and(is_on_loopback) {
        let nobody = anonymous::Builder::new().build();
        (jobs, executions) = (jobs.with_credentials(nobody.clone()), executions.with_credentials(nobody));
    }
    let jobs = jobs.build().await.map_err(no_client)?;
    Ok(Clients { jobs, executions: executions.build().await.map_err(no_client)? })
}
