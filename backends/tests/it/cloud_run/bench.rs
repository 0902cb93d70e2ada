//! The bench with Cloud Run on it.

use crate::bench::{self, CLOUD_RUN, PARENT};
use pipe_engine::attempt::Attempt;
use pipe_engine::backend::Job;
use pipe_standin::Asked;
use serde_json::{Value as Json, json};
use std::ops::Deref;

pub(super) use crate::bench::{STORE, attempt};

pub(super) struct Bench(bench::Bench);

impl Bench {
    pub(super) fn running(script: &str) -> Self {
        Self::with(script, &json!({}))
    }

    pub(super) fn with(script: &str, more: &Json) -> Self {
        Self(bench::Bench::of(&CLOUD_RUN, script, more))
    }
}

impl Deref for Bench {
    type Target = bench::Bench;

    fn deref(&self) -> &bench::Bench {
        &self.0
    }
}

/// Whether this method was asked: `jobs.run`.
pub(super) fn is(asked: &Asked, method: &str) -> bool {
    CLOUD_RUN.is(asked, method)
}

/// Whether a job has the name of an attempt's.
pub(super) fn is_job_of(job: &Job, attempt: &Attempt) -> bool {
    job.0.starts_with(&format!("{PARENT}/jobs/pipe-{}-", attempt.id))
}
