//! A group that is filed on this machine -> results in the bucket. Each is told of as soon as it is there: a large one holds
//! nobody up, neither the others of its group nor the next group.

use super::Message;
use crate::failure::Failure;
use crate::manifest::Manifest;
use crate::plan::Plan;
use crate::run::copies::Copies;
use crate::scheduler::TaskIndex;
use crate::shared::Shared;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;

/// A task, and its result as it was filed.
pub(super) type Filed = (TaskIndex, Result<Manifest, Failure>);

/// Copies into the project what a task publishes there.
pub(super) fn copied(copies: &Copies, plan: &Plan, (task, filed): Filed) -> Filed {
    (task, filed.and_then(|made| copies.of_made(plan.task(task), made)))
}

/// Puts what was filed into the bucket, side by side.
pub(super) fn share(
    shared: &Arc<Shared>,
    filed: Vec<Filed>,
    (copies, plan): (&Arc<Copies>, &Arc<Plan>),
    outbox: &UnboundedSender<Message>,
) {
    // The next group may be filed.
    let _ = outbox.send(Message::Published(Vec::new()));
    for (task, filed) in filed {
        let (shared, copies, plan, outbox) = (shared.clone(), copies.clone(), plan.clone(), outbox.clone());
        tokio::task::spawn_blocking(move || {
            let pushed = filed.and_then(|ours| shared.push(ours, plan.is_forced(task)));
            let _ = outbox.send(Message::Published(vec![copied(&copies, &plan, (task, pushed))]));
        });
    }
}
