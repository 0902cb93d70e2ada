//! Where the work of one key leaves in the store what it has reached on its way, for the next attempt at it.

use super::Depot;
use crate::ids::AttemptId;
use futures::future::join_all;

/// The place of all attempts of this one's key, with a `/` at its end.
pub(crate) fn shelf_of(attempt: &AttemptId) -> String {
    let key = attempt.0.rsplit_once('-').map_or(attempt.0.as_str(), |(key, _)| key);
    format!("checkpoints/{key}/")
}

/// Removes it: the work is done. What cannot be removed is garbage, and nothing else.
pub async fn forget_reached(depot: &Depot, attempt: &AttemptId) {
    // In a folder workers leave nothing there.
    if !matches!(depot, Depot::Bucket(_)) {
        return;
    }
    let store = depot.store();
    match store.list(&shelf_of(attempt)).await {
        Ok(left) => {
            let removed = join_all(left.iter().map(|stat| store.delete(&stat.at))).await;
            for error in removed.into_iter().filter_map(Result::err) {
                tracing::debug!(%error, "a checkpoint of work that is done is still there");
            }
        }
        Err(error) => tracing::debug!(%error, "checkpoints of work that is done could not be listed"),
    }
}
