//! A custom job: what was said of it, how far it is, and what it is told to do.

use super::progress::{Progress, State};
use super::spec::Spec;
use crate::answer::Refusal;
use serde_json::{Map, Value as Json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// A custom job.
pub(super) struct Custom {
    pub(super) name: String,
    pub(super) id: u64,
    pub(super) spec: Spec,
    said: Map<String, Json>,
    progress: Mutex<Progress>,
    pub(super) orders: watch::Sender<Orders>,
    /// How many lists it still misses.
    misses: AtomicU64,
}

/// What a job is told.
#[derive(Clone, Copy, Default)]
pub(super) struct Orders {
    pub(super) is_cancelled: bool,
    /// How often its machines were taken away.
    pub(super) preemptions: u64,
}

impl Custom {
    pub(super) fn new(name: String, id: u64, spec: Spec, said: Map<String, Json>, misses: u64) -> Self {
        Self {
            name,
            id,
            spec,
            said,
            progress: Mutex::new(Progress::new()),
            orders: watch::Sender::default(),
            misses: AtomicU64::new(misses),
        }
    }

    pub(super) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is in a list that is made now.
    pub(super) fn is_listed(&self) -> bool {
        self.misses.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err()
    }

    /// Where its replicas print, in order.
    pub(super) fn logs(&self) -> Vec<String> {
        self.spec.replicas().iter().map(|replica| self.log(&replica.name())).collect()
    }

    pub(super) fn log(&self, replica: &str) -> String {
        format!("custom-{}-{replica}", self.id)
    }

    /// Begins to end it.
    pub(super) fn cancel(&self) -> Result<(), Refusal> {
        let mut progress = self.progress();
        if progress.state().is_end() {
            let says = format!("The CustomJob is in state {} and cannot be cancelled.", progress.state().name());
            return Err(Refusal::precondition(says));
        }
        progress.go_to(State::Cancelling);
        self.orders.send_modify(|orders| orders.is_cancelled = true);
        Ok(())
    }

    /// Takes its machines away. Whether it had any.
    pub(super) fn preempt(&self) -> bool {
        let progress = self.progress();
        let runs = progress.state() == State::Running;
        if runs {
            self.orders.send_modify(|orders| orders.preemptions += 1);
        }
        runs
    }

    /// The job as it is told.
    pub(super) fn resource(&self) -> Json {
        let mut resource = Json::Object(self.said.clone());
        resource["name"] = self.name.clone().into();
        self.progress().tell(&mut resource);
        resource
    }
}
