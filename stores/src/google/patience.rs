//! How often an upload is tried again: as long as it gets on between two failures.

use super::TRIES;
use super::source::Watch;
use google_cloud_gax::error::Error;
use google_cloud_gax::retry_policy::RetryPolicy;
use google_cloud_gax::retry_result::RetryResult;
use google_cloud_gax::retry_state::RetryState;
use google_cloud_storage::retry_policy::RetryableErrors;
use std::sync::{Mutex, PoisonError};

/// Tries what Google's page on retries has tried again.
#[derive(Debug)]
pub(super) struct Patience {
    watch: Watch,
    /// How much had arrived at the last failure, and how many failures there were since that had.
    failures: Mutex<(u64, u32)>,
}

impl Patience {
    pub(super) fn with(watch: Watch) -> Self {
        Self { watch, failures: Mutex::default() }
    }

    /// Takes note of one more failure.
    fn is_at_its_end(&self) -> bool {
        let arrived = self.watch.arrived();
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let (place, count) = *failures;
        *failures = if arrived > place { (arrived, 1) } else { (place, count + 1) };
        failures.1 >= TRIES || self.watch.is_troubled()
    }
}

impl RetryPolicy for Patience {
    fn on_error(&self, state: &RetryState, error: Error) -> RetryResult {
        match RetryableErrors.on_error(state, error) {
            RetryResult::Continue(error) if self.is_at_its_end() => RetryResult::Exhausted(error),
            other => other,
        }
    }
}
