//! What a worker elsewhere says while it works: `attempts/<id>/segments/000001.jsonl` and those after it, each some lines that
//! are passing events. They stay when the worker is gone, and whoever follows the attempt reads them from the first on.

use super::{Depot, place};
use crate::event::{Body, Doubles};
use crate::ids::AttemptId;
use crate::store::StoreError;
use crate::world::Timestamp;
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::time::Duration;

/// A passing event, and when it was said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Said {
    pub(crate) time: Timestamp,
    #[serde(flatten)]
    pub(crate) body: Body,
}

/// Where the segment of a number lies; the first is 1.
pub(crate) fn segment(id: &AttemptId, number: u32) -> String {
    place(id, &format!("segments/{number:06}.jsonl"))
}

/// Who is told of an attempt elsewhere while it is followed.
pub trait Listener: Send + Sync {
    /// Its job runs.
    fn begun(&self) {}
    /// It has said something, whatever it was.
    fn heard(&self) {}
    /// It has said this.
    fn passing(&self, _said: Body) {}
    /// It has ended, and had other jobs too.
    fn doubled(&self, _doubles: Doubles) {}
}

/// Reads what is new of an attempt's segments.
pub(super) struct Ear {
    depot: Depot,
    id: AttemptId,
    next: u32,
}

impl Ear {
    /// `None` where workers leave no segments: only those do that have a bucket before them.
    pub(super) fn of(depot: &Depot, id: &AttemptId) -> Option<Self> {
        matches!(depot, Depot::Bucket(_)).then(|| Self { depot: depot.clone(), id: id.clone(), next: 1 })
    }

    /// Tells all that is new. What cannot be read now is read the next time.
    pub(super) async fn hear(&mut self, listener: &impl Listener) {
        loop {
            let at = segment(&self.id, self.next);
            match self.depot.store().get(&at).await {
                Ok(text) => {
                    self.next += 1;
                    listener.heard();
                    // A line that is none, or that a newer version wrote, says nothing.
                    let lines = text.split(|byte| *byte == b'\n');
                    lines.filter_map(|line| serde_json::from_slice::<Said>(line).ok()).for_each(|said| {
                        if said.body != Body::Unknown {
                            listener.passing(said.body);
                        }
                    });
                }
                Err(StoreError::Missing { .. }) => return,
                Err(error) => return tracing::debug!(%error, "what a worker says cannot be read now"),
            }
        }
    }

    /// Tells what is new again and again.
    pub(super) async fn listen(&mut self, every: Duration, listener: &impl Listener) -> Infallible {
        loop {
            tokio::time::sleep(every).await;
            self.hear(listener).await;
        }
    }
}
