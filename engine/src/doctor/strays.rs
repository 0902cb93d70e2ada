//! The jobs that a place has of a store -> which of them somebody wants. A job costs as long as it runs, and one that nobody
//! knows of runs on.

use crate::backend::{Backend, Job, JobThere, Standing};
use crate::elsewhere::place;
use crate::failure::{Class, Failure};
use crate::ids::AttemptId;
use crate::store::{Store, blocking};
use crate::work::store_failed;
use crate::worker::{ATTEMPT, OUTCOME};
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Duration;

/// How long a job that was told to stop may take: its worker has its machine's grace, and its place takes its time.
const GRACE: Duration = Duration::from_secs(120);

/// Who wants a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The journal has its attempt as one that is not over: a run goes on with it, or the next one does.
    Known,
    /// The store has its attempt as one that is not over: whoever wants that result goes on with it, on any machine.
    Open,
    /// Its attempt and it are over, and it was not removed.
    Ended,
    /// It runs, and no attempt wants it.
    Stray,
}

impl Verdict {
    /// Whether nobody loses anything when it is removed.
    pub fn is_unwanted(self) -> bool {
        matches!(self, Self::Ended | Self::Stray)
    }

    /// In words.
    pub fn word(self) -> &'static str {
        match self {
            Self::Known => "known: it is in the journal",
            Self::Open => "known: its attempt is open in the store",
            Self::Ended => "ended, and was not removed",
            Self::Stray => "stray: no attempt wants it",
        }
    }
}

/// A job, and who wants it.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The job.
    pub there: JobThere,
    /// Who wants it.
    pub verdict: Verdict,
}

/// Says of each job who wants it. `known` are the attempts that the journal has as not over.
///
/// # Errors
/// When the store cannot be read.
pub fn judge(there: Vec<JobThere>, known: &BTreeSet<AttemptId>, store: &dyn Store) -> Result<Vec<Judged>, Failure> {
    let judged = there.into_iter().map(|there| {
        let verdict = verdict(&there, known, store)?;
        Ok(Judged { there, verdict })
    });
    judged.collect()
}

fn verdict(there: &JobThere, known: &BTreeSet<AttemptId>, store: &dyn Store) -> Result<Verdict, Failure> {
    if known.contains(&there.attempt) {
        return Ok(Verdict::Known);
    }
    let has = |file: &str| {
        blocking(store.stat(&place(&there.attempt, file))).map(|found| found.is_some()).map_err(store_failed)
    };
    if has(ATTEMPT)? && !has(OUTCOME)? {
        return Ok(Verdict::Open);
    }
    let is_over = matches!(there.standing, Standing::Over(_) | Standing::Gone);
    Ok(if is_over { Verdict::Ended } else { Verdict::Stray })
}

/// Ends a job that nobody wants, and removes it.
///
/// # Errors
/// When its place does not do as asked, or the job does not end.
pub async fn reap(backend: &dyn Backend, there: &JobThere) -> Result<(), Failure> {
    if !matches!(there.standing, Standing::Over(_) | Standing::Gone) {
        backend.cancel(&there.job).await?;
        end(backend, &there.job).await?;
    }
    backend.forget(&there.job).await
}

async fn end(backend: &dyn Backend, job: &Job) -> Result<(), Failure> {
    let wait = async {
        loop {
            match backend.poll(std::slice::from_ref(job)).await?.pop() {
                Some(Standing::Over(_) | Standing::Gone) | None => return Ok(()),
                Some(Standing::Waiting | Standing::Running) => tokio::time::sleep(backend.poll_every()).await,
            }
        }
    };
    let message = "it was told to stop, and runs still";
    let runs = || Failure::of(Class::Transient, "still_runs", message).on(&job.0).help("do it again in a moment");
    tokio::time::timeout(GRACE, wait).await.unwrap_or_else(|_| Err(runs()))
}
