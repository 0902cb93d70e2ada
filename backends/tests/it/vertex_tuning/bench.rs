//! The bench with the tuning of Vertex AI on it, and examples in a bucket.

use crate::bench::{self, Service, states};
use pipe_engine::attempt::Attempt;
use pipe_engine::backend::{Backend, Job};
use pipe_engine::failure::Failure;
use serde_json::{Value as Json, json};
use std::ops::Deref;
use std::sync::Arc;

pub(super) use crate::bench::attempt;

static TUNING: Service =
    Service { kind: "vertex-tuning", methods: "aiplatform.projects.locations.tuningJobs.", version: "v1" };

/// An example, as Google's page on tuning data shows it.
pub(super) fn example(words: &str) -> String {
    let content = |role: &str, text: &str| json!({ "role": role, "parts": [{ "text": text }] });
    json!({ "contents": [content("user", words), content("model", "a goal")] }).to_string()
}

/// What a stage asks for.
pub(super) fn request(more: &Json) -> Json {
    let mut request =
        json!({ "base": "gemini-2.5-flash", "training": "gs://films/train.jsonl", "epochs": 2, "tokens": 10 });
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request
}

pub(super) struct Bench(bench::Bench);

impl Bench {
    pub(super) fn with(lines: &[String], more: &Json) -> Self {
        let mut config = json!({ "image": null });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let bench = bench::Bench::of(&TUNING, "true", &config);
        bench.standin.make_bucket("films");
        bench.standin.put("films", "train.jsonl", lines.join("\n").as_bytes());
        Self(bench)
    }

    /// With two examples that are as they must be.
    pub(super) fn new() -> Self {
        Self::with(&[example("one"), example("two")], &json!({}))
    }

    pub(super) fn ask(&self, attempt: &Attempt, request: &Json) -> Result<Job, Failure> {
        self.wait(self.place.request(attempt, request))
    }

    /// What an engine does until it knows of a job: it looks for one before each time that it asks.
    pub(super) fn asked_for(&self, attempt: &Attempt, request: &Json) -> Job {
        self.known(attempt, || self.ask(attempt, request))
    }

    pub(super) fn answer(&self, job: &Job) -> Result<Json, Failure> {
        self.wait(self.place.answer(job))
    }

    /// Another place of the same store: an engine that comes later.
    pub(super) fn later(&self) -> Arc<dyn Backend> {
        self.other(&json!({ "image": null }))
    }

    /// The jobs of an attempt that there are, the newest first.
    pub(super) fn jobs(&self, attempt: &Attempt) -> Vec<Json> {
        self.listed("tuningJobs", attempt)
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
