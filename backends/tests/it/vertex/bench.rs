//! The bench with Vertex AI on it.

use crate::bench::{self, VERTEX, states};
use pipe_engine::attempt::Attempt;
use pipe_engine::backend::Job;
use pipe_standin::Asked;
use serde_json::{Value as Json, json};
use std::ops::Deref;

pub(super) use crate::bench::{STORE, attempt};

/// What a worker does that claims its attempt first, and then does its work, which is noted.
pub(super) const CLAIMS: &str = "mkdir \"claim-${1##*/}\" 2> /dev/null || exit 76; echo \"$1\" >> worked";

pub(super) struct Bench(bench::Bench);

impl Bench {
    pub(super) fn running(script: &str) -> Self {
        Self::with(script, &json!({}))
    }

    pub(super) fn with(script: &str, more: &Json) -> Self {
        Self(bench::Bench::of(&VERTEX, script, more))
    }

    /// The jobs of an attempt that there are, the newest first.
    pub(super) fn jobs(&self, attempt: &Attempt) -> Vec<Json> {
        self.listed("customJobs", attempt)
    }

    /// How the jobs of an attempt stand, the newest first.
    pub(super) fn states(&self, attempt: &Attempt) -> Vec<String> {
        states(&self.jobs(attempt))
    }
}

impl Deref for Bench {
    type Target = bench::Bench;

    fn deref(&self) -> &bench::Bench {
        &self.0
    }
}

/// Whether this method was asked: `create`.
pub(super) fn is(asked: &Asked, method: &str) -> bool {
    VERTEX.is(asked, method)
}

/// Whether a job has a name that Vertex AI has given.
pub(super) fn is_name(job: &Job) -> bool {
    let parts: Vec<&str> = job.0.split('/').collect();
    let ["projects", _, "locations", "us-central1", "customJobs", number] = parts[..] else { return false };
    number.parse::<u64>().is_ok()
}
