//! `trainer = { type = "gemini-tuning" }`: a model of Gemini, tuned by Vertex AI. What it asks for and what it makes of the answer is
//! here; who asks for it is a place of the kind `vertex-tuning`.

mod answer;
mod clips;
mod dataset;
mod example;
mod limits;

pub(super) use answer::TunedModel;

use crate::records::RECORDS;
use dataset::copied;
use limits::LIMITS;
use pipe_engine::attempt::{Attempt, Input};
use pipe_engine::failure::Failure;
use pipe_engine::manifest::FileEntry;
use pipe_engine::stage::{ConfigProblem, Desk, Made};
use serde_json::{Value as Json, json};
use std::fs;
use std::num::NonZeroU32;

/// The service that does it.
pub(super) const SERVICE: &str = "gemini-tuning";
/// The file of the result.
pub(super) const MODEL: &str = "tuned-model.json";
/// The longest name that a model is shown under. Source: the definition of `TuningJob.tuned_model_display_name`.
const LONGEST_NAME: usize = 128;

/// How a model is tuned.
pub(super) struct Tuning<'a> {
    pub(super) base: Option<&'a str>,
    /// Whether another stage's model is tuned on.
    pub(super) has_from: bool,
    pub(super) from_model: Option<&'a str>,
    pub(super) checkpoint: Option<&'a str>,
    pub(super) epochs: Option<NonZeroU32>,
    pub(super) learning_rate_multiplier: Option<f64>,
    pub(super) adapter_size: Option<u32>,
    pub(super) display_name: Option<&'a str>,
    pub(super) last_checkpoint_only: bool,
    pub(super) max_dropped: Option<f64>,
}

impl Tuning<'_> {
    pub(super) fn check(&self) -> Result<(), ConfigProblem> {
        let wrong = |field: &str, why: String| Err(ConfigProblem::new(format!("trainer.{field}"), why));
        let sources = [self.base.is_some(), self.has_from, self.from_model.is_some()];
        if sources.iter().filter(|is_there| **is_there).count() != 1 {
            let why = "exactly one of `base`, `from` and `from_model` says what is tuned".to_owned();
            let help =
                "base = \"gemini-2.5-flash\" begins anew; from = \"STAGE\" and from_model = \"projects/...\" tune on";
            return wrong("base", why).map_err(|problem| problem.help(help));
        }
        if self.from_model.is_some_and(|name| !is_model(name)) {
            return wrong("from_model", "it is no name like projects/P/locations/L/models/M@V".to_owned());
        }
        if self.checkpoint.is_some() && self.base.is_some() {
            return wrong("checkpoint", "only a model that was tuned has checkpoints".to_owned());
        }
        if self.learning_rate_multiplier.is_some_and(|factor| !factor.is_finite() || factor <= 0.0) {
            return wrong("learning_rate_multiplier", "it is not above 0".to_owned());
        }
        if let Some(size) = self.adapter_size.filter(|size| !LIMITS.adapters.contains(size)) {
            let sizes: Vec<String> = LIMITS.adapters.iter().map(u32::to_string).collect();
            return wrong("adapter_size", format!("{size} is none of {}", sizes.join(", ")));
        }
        if self.display_name.is_some_and(|name| name.chars().count() > LONGEST_NAME) {
            return wrong("display_name", format!("it is longer than {LONGEST_NAME} letters"));
        }
        if self.max_dropped.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
            return wrong("max_dropped", "it is no share from 0 to 1".to_owned());
        }
        Ok(())
    }

    /// What Vertex AI is asked for, once examples and clips are within its limits.
    pub(super) fn request(&self, attempt: &Attempt, desk: &dyn Desk) -> Result<Json, Failure> {
        let dataset = only(attempt, "dataset")?;
        let [train, validation] = RECORDS.map(|name| dataset.files.iter().find(|file| file.path == name));
        let Some(train) = train else {
            return Err(Failure::failed("no_examples", format!("the data set has no `{}`", RECORDS[0])));
        };
        in_google(train, desk)?;
        let from = self.from(attempt, desk)?;
        let clips = clips::gathered(attempt, desk)?;
        let training = copied(train, false, &clips, desk)?;
        let validation = validation.filter(|file| file.size > 0);
        let validation = validation.map(|file| copied(file, true, &clips, desk)).transpose()?;
        if let Some(other) = validation.as_ref().filter(|other| other.resolution != training.resolution) {
            let message = format!(
                "the examples to validate with have mediaResolution `{}`, and those to train with `{}`",
                other.resolution.as_deref().unwrap_or_default(),
                training.resolution.as_deref().unwrap_or_default()
            );
            return Err(Failure::failed("bad_examples", message).help("give all of them the same"));
        }
        Ok(json!({
            "base": self.base,
            "from": from,
            "training": training.uri,
            "validation": validation.map(|examples| examples.uri),
            "epochs": self.epochs,
            "learning_rate_multiplier": self.learning_rate_multiplier,
            "adapter_size": self.adapter_size,
            "display_name": self.display_name,
            "last_checkpoint_only": self.last_checkpoint_only,
            "tokens": training.tokens,
        }))
    }

    pub(super) fn answered(&self, answer: &Json) -> Result<Made, Failure> {
        answer::made(answer, self.max_dropped)
    }

    /// The model that is tuned on.
    fn from(&self, attempt: &Attempt, desk: &dyn Desk) -> Result<Option<Json>, Failure> {
        if let Some(model) = self.from_model {
            return Ok(Some(json!({ "model": model, "checkpoint": self.checkpoint })));
        }
        if !self.has_from {
            return Ok(None);
        }
        let made = only(attempt, "trainer.from")?;
        let Some(file) = made.files.iter().find(|file| file.path == MODEL) else {
            return Err(Failure::failed("no_tuned_model", format!("the stage in `from` made no `{MODEL}`"))
                .help("name a stage that tunes a model of Gemini"));
        };
        let path = desk.brought(file)?;
        let text = fs::read(&path).map_err(|e| Failure::io("read", &path, &e))?;
        let unread =
            |e| Failure::failed("no_tuned_model", "it is no tuned model").on(path.display().to_string()).source(e);
        let model: TunedModel = serde_json::from_slice(&text).map_err(unread)?;
        let known = |id: &str| model.checkpoints.iter().any(|checkpoint| checkpoint.id == id);
        if let Some(id) = self.checkpoint.filter(|id| !known(id)) {
            let ids: Vec<&str> = model.checkpoints.iter().map(|checkpoint| checkpoint.id.as_str()).collect();
            let message = format!("the model has no checkpoint `{id}`; it has {}", ids.join(", "));
            return Err(Failure::failed("no_checkpoint", message).on(model.model));
        }
        Ok(Some(json!({ "model": model.model, "checkpoint": self.checkpoint, "base": model.base_model })))
    }
}

/// The one result in a field.
fn only<'a>(attempt: &'a Attempt, field: &str) -> Result<&'a Input, Failure> {
    let inputs = attempt.inputs.get(field).map(Vec::as_slice).unwrap_or_default();
    inputs.first().ok_or_else(|| Failure::failed("no_input", format!("there is no result for `{field}`")))
}

/// Whether Google can read what lies in the store.
fn in_google(file: &FileEntry, desk: &dyn Desk) -> Result<(), Failure> {
    let uri = desk.whereabouts(file);
    if uri.starts_with("gs://") {
        return Ok(());
    }
    Err(Failure::failed("not_in_google", "Vertex AI tunes with examples and clips that lie in Cloud Storage")
        .on(uri)
        .help("use a store there: root = \"gs://BUCKET/PREFIX\""))
}

fn is_model(name: &str) -> bool {
    let parts: Vec<&str> = name.split('/').collect();
    matches!(parts[..], ["projects", project, "locations", region, "models", model]
        if [project, region, model].iter().all(|part| !part.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_has_a_resource_name() {
        assert!(is_model("projects/films/locations/us-central1/models/7@1"));
        assert!(is_model("projects/films/locations/us-central1/models/7"));
        assert!(!is_model("models/7") && !is_model("projects//locations/a/models/7") && !is_model("gemini-2.5-flash"));
    }
}
