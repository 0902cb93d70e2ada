//! A tuning job: what was said of it, how far it is, and what came of it.

use super::super::progress::{Progress, State};
use super::spec::Spec;
use crate::answer::Refusal;
use serde_json::{Map, Value as Json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// A tuning job.
pub(in super::super) struct Tuning {
    pub(in super::super) name: String,
    pub(super) spec: Spec,
    said: Map<String, Json>,
    progress: Mutex<Progress>,
    /// What is told besides, once it is known.
    found: Mutex<Map<String, Json>>,
    pub(super) is_cancelled: watch::Sender<bool>,
    /// How many lists it still misses.
    misses: AtomicU64,
    /// How often it is looked at before it is done.
    pub(super) looks: watch::Sender<u64>,
}

impl Tuning {
    pub(super) fn new(name: String, spec: Spec, said: Map<String, Json>, misses: u64, looks: u64) -> Self {
        Self {
            name,
            spec,
            said,
            progress: Mutex::new(Progress::new()),
            found: Mutex::default(),
            is_cancelled: watch::Sender::new(false),
            misses: AtomicU64::new(misses),
            looks: watch::Sender::new(looks),
        }
    }

    pub(super) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a field to what is told of it.
    pub(super) fn tell(&self, field: &str, value: Json) {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).insert(field.to_owned(), value);
    }

    /// Whether it is in a list that is made now.
    pub(super) fn is_listed(&self) -> bool {
        self.misses.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err()
    }

    /// Where it is: its name without its last two parts.
    pub(super) fn parent(&self) -> &str {
        self.name.split("/tuningJobs/").next().unwrap_or_default()
    }

    /// Begins to end it.
    pub(super) fn cancel(&self) -> Result<(), Refusal> {
        let mut progress = self.progress();
        if progress.state().is_end() {
            let says = format!("The TuningJob is in state {} and cannot be cancelled.", progress.state().name());
            return Err(Refusal::precondition(says));
        }
        progress.go_to(State::Cancelling);
        self.is_cancelled.send_replace(true);
        Ok(())
    }

    /// Somebody was told of it.
    pub(super) fn looked_at(&self) {
        if self.progress().state() == State::Running {
            self.looks.send_modify(|left| *left = left.saturating_sub(1));
        }
    }

    /// The job as it is told.
    pub(super) fn resource(&self) -> Json {
        let mut resource = Json::Object(self.said.clone());
        resource["name"] = self.name.clone().into();
        for (field, value) in &*self.found.lock().unwrap_or_else(PoisonError::into_inner) {
            resource[field] = value.clone();
        }
        self.progress().tell(&mut resource);
        resource
    }
}
