//! Attempts that have ended well -> results in the store, many at a time.

use super::sharing::{copied, share};
use super::{Dispatcher, Message};
use crate::failpoint::reach;
use crate::failure::Failure;
use crate::key::completed;
use crate::local;
use crate::manifest::{Artifact, Manifest};
use crate::run::publish;
use crate::scheduler::{Input, Stop, TaskIndex};
use std::sync::Arc;
use std::time::Duration;

/// Finished tasks are published together: when nothing else can start, after this long, or when there are this many.
const GROUP_WAIT: Duration = Duration::from_millis(100);
const GROUP_SIZE: usize = 64;

impl Dispatcher {
    /// A task is ready to be published; more of them may follow soon.
    pub(super) fn gather(&mut self) {
        let due = self.setup.world.now().after(GROUP_WAIT);
        self.publish_at.get_or_insert(due);
    }

    /// One group at a time: while one is being flushed the next gathers.
    pub(super) fn publish_if_due(&mut self) {
        let Some(due) = self.publish_at.filter(|_| !self.publishing) else { return };
        if self.finishing.len() < GROUP_SIZE && due > self.setup.world.now() && !self.state.is_idle() {
            return;
        }
        self.publish_at = None;
        // What workers elsewhere have filed is in no group.
        if self.finishing.is_empty() {
            return;
        }
        self.publishing = true;
        let group = std::mem::take(&mut self.finishing);
        let (store, outbox) = (self.setup.local.store.clone(), self.outbox.clone());
        let (shared, trust) = (self.setup.shared.clone(), self.trust.clone());
        let (copies, plan, state) = (self.copies.clone(), self.setup.plan.clone(), self.setup.local.state.clone());
        tokio::task::spawn_blocking(move || {
            let filed = publish::publish(&store, &trust, group);
            reach("group.filed");
            let done =
                filed.iter().filter_map(|(task, made)| Some((&made.as_ref().ok()?.fingerprint, &plan.task(*task).id)));
            local::forget_checkpoints(&state, done);
            match shared {
                Some(shared) => share(&shared, filed, (&copies, &plan), &outbox),
                None => {
                    let copied = filed.into_iter().map(|filed| copied(&copies, &plan, filed));
                    let _ = outbox.send(Message::Published(copied.collect()));
                }
            }
        });
    }

    /// Nothing more is begun whose result could not be published.
    pub(super) fn stop_if_broken(&mut self) {
        if let Some(why) = self.setup.local.store.broken()
            && !self.gave_up
        {
            tracing::error!(why, "the disk of the store failed a flush: nothing more is begun");
            self.gave_up = true;
            self.feed(Input::Cancel(Stop::Now));
        }
    }

    pub(super) fn published(&mut self, task: TaskIndex, result: Result<Manifest, Failure>) {
        let result = result.map(|manifest| {
            let is_whole = completed(&manifest.key).is_none();
            let artifact = Arc::new(Artifact::from(manifest).in_little_room());
            self.setup.finder.remember(task, artifact.clone(), is_whole);
            self.known[task] = Some(artifact);
        });
        self.feed(Input::Published(task, result));
    }
}
