//! Services that take no names for jobs, so that an attempt may come to have two: of which attempts it is not known whether a job
//! was made, in which order jobs were made, and how long one ran.

use google_cloud_wkt::Timestamp;
use pipe_engine::backend::Job;
use pipe_engine::failure::{Class, Failure};
use pipe_engine::ids::AttemptId;
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often it is looked for a job that may have been made, before another is.
const LOOKS_IN_DOUBT: u32 = 3;

/// Attempts of which it is not known whether a job was made.
#[derive(Default)]
pub(crate) struct Doubts(Mutex<BTreeSet<AttemptId>>);

impl Doubts {
    /// The job of an attempt, if there is one to be seen. Where one may have been made, it is looked more than once, a poll apart.
    pub(crate) async fn find<F>(
        &self,
        attempt: &AttemptId,
        poll: Duration,
        look: impl Fn() -> F,
    ) -> Result<Option<Job>, Failure>
    where
        F: Future<Output = Result<Option<Job>, Failure>>,
    {
        let looks = if self.all().contains(attempt) { LOOKS_IN_DOUBT } else { 1 };
        for looks_left in (0..looks).rev() {
            if let Some(job) = look().await? {
                return Ok(Some(job));
            }
            if looks_left > 0 {
                tokio::time::sleep(poll).await;
            }
        }
        Ok(None)
    }

    /// A job is about to be made. Should nobody wait for the answer any more, it is as lost as one that never comes.
    pub(crate) fn begin(&self, attempt: &AttemptId) {
        self.all().insert(attempt.clone());
    }

    /// That was the answer.
    pub(crate) fn end<T>(&self, attempt: &AttemptId, made: &Result<T, Failure>) {
        if made.as_ref().err().is_none_or(|failure| failure.class != Class::Transient) {
            self.all().remove(attempt);
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeSet<AttemptId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a job has run; one that runs still, until it was last heard of. One that waited until it was stopped has no start.
pub(crate) fn ran_ms(start: Option<&Timestamp>, end: Option<&Timestamp>, heard: Option<&Timestamp>) -> Option<u64> {
    let ms = |time: &Timestamp| time.seconds() * 1000 + i64::from(time.nanos()) / 1_000_000;
    u64::try_from(ms(end.or(heard)?) - ms(start?)).ok()
}

/// What puts jobs into the order in which they were made.
pub(crate) fn age<'a>(created: Option<&Timestamp>, name: &'a str) -> (i64, i32, &'a str) {
    let (seconds, nanos) = created.map_or((i64::MAX, 0), |time| (time.seconds(), time.nanos()));
    (seconds, nanos, name)
}
