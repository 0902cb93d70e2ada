//! An attempt whose end is in the journal -> its place may remove its job.

use super::answer;
use crate::backend::Backend;
use crate::ids::AttemptId;

/// Lets a backend remove the job of an attempt. It is asked once: what is lost here costs nothing but order, and whoever looks for
/// jobs that nobody needs finds it.
pub async fn forget(backend: &dyn Backend, attempt: &AttemptId) {
    let removed = match answer(backend.find(attempt)).await {
        Ok(Some(job)) => answer(backend.forget(&job)).await,
        Ok(None) => Ok(()),
        Err(failure) => Err(failure),
    };
    if let Err(failure) = removed {
        tracing::debug!(%attempt, %failure, "a job that nobody needs any more is still there");
    }
}
