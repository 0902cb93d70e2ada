//! How Google is reached: clients that make each call once.

use crate::google::{no_client, once};
use google_cloud_run_v2::client::{Executions, Jobs};
use pipe_engine::failure::Failure;

/// What Cloud Run can be asked.
pub(super) struct Clients {
    pub(super) jobs: Jobs,
    pub(super) executions: Executions,
}

/// The clients.
///
/// # Errors
/// When there are no credentials.
pub(super) async fn clients(endpoint: Option<&str>) -> Result<Clients, Failure> {
    let jobs = once(Jobs::builder(), endpoint).build().await.map_err(no_client)?;
    Ok(Clients { jobs, executions: once(Executions::builder(), endpoint).build().await.map_err(no_client)? })
}
