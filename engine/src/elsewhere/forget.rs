//! An attempt whose end is known for good -> its place may remove its job.

use super::describe::outcome;
use super::{Depot, answer};
use crate::backend::Backend;
use crate::failure::Failure;
use crate::ids::AttemptId;
use std::time::Duration;

/// The rests before a job that could not be removed is tried again. Who runs the last task of a run waits for no more.
const RESTS: [Duration; 3] = [Duration::from_millis(200), Duration::from_millis(500), Duration::from_secs(1)];

/// Lets a backend remove the job of an attempt. What is lost here all the same costs nothing but order, and a later run finds it.
pub async fn forget(backend: &dyn Backend, attempt: &AttemptId) {
    let mut removed = remove(backend, attempt).await;
    for rest in RESTS {
        if removed.is_ok() {
            return;
        }
        tokio::time::sleep(rest).await;
        removed = remove(backend, attempt).await;
    }
    if let Err(failure) = removed {
        tracing::debug!(%attempt, %failure, "a job that nobody needs any more is still there");
    }
}

async fn remove(backend: &dyn Backend, attempt: &AttemptId) -> Result<(), Failure> {
    match answer(backend.find(attempt)).await? {
        Some(job) => answer(backend.forget(&job)).await,
        None => Ok(()),
    }
}

/// Removes jobs that do not run and whose attempts have an outcome in the store: who died before it could do so has left them. A
/// job without an outcome stays, since its attempt is open, and whoever takes that up looks at the job.
pub async fn tidy(backend: &dyn Backend, depot: &Depot) {
    let idle = match answer(backend.idle()).await {
        Ok(idle) => idle,
        Err(failure) => return tracing::debug!(%failure, "jobs that are over could not be listed"),
    };
    for (attempt, job) in idle {
        let (depot, id) = (depot.clone(), attempt.clone());
        let outcome = tokio::task::spawn_blocking(move || outcome(depot.store(), &id));
        if let Ok(Some(_)) = outcome.await.expect("reading an outcome does not panic")
            && let Err(failure) = answer(backend.forget(&job)).await
        {
            tracing::debug!(%attempt, %failure, "a job that nobody needs any more is still there");
        }
    }
}
