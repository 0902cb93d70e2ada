//! What a stage asks for -> the description of a tuning job, in the words of Google's definitions.

use super::config::Config;
use crate::google::labels;
use google_cloud_aiplatform_v1::model::supervised_hyper_parameters::AdapterSize;
use google_cloud_aiplatform_v1::model::{PreTunedModel, SupervisedHyperParameters, SupervisedTuningSpec, TuningJob};
use pipe_engine::attempt::Attempt;
use pipe_engine::failure::Failure;
use pipe_engine::ids::AttemptId;
use serde::Deserialize;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// The labels by which jobs are found: that of an attempt, and that of a store, since attempts of one name in two stores are two
/// attempts.
pub(super) const OF_ATTEMPT: &str = "pipe-attempt";
pub(super) const OF_STORE: &str = "pipe-store";
/// How many labels a job may have. Source: https://cloud.google.com/run/docs/configuring/jobs/labels, read 2026-11.
const MOST_LABELS: usize = 64;

/// What a stage asks for. `train` writes it: `stages/src/train/gemini/request.rs`.
#[derive(Debug, Deserialize)]
pub(super) struct Request {
    /// A model of Google's.
    pub(super) base: Option<String>,
    /// A model that was tuned before, by its resource name, with one of its checkpoints and the model of Google's below it.
    pub(super) from: Option<From>,
    training: String,
    validation: Option<String>,
    pub(super) epochs: Option<u32>,
    learning_rate_multiplier: Option<f64>,
    adapter_size: Option<u32>,
    display_name: Option<String>,
    #[serde(default)]
    last_checkpoint_only: bool,
    /// About how many tokens its examples have, where that is known.
    pub(super) tokens: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct From {
    pub(super) model: String,
    checkpoint: Option<String>,
    base: Option<String>,
}

impl Request {
    /// # Errors
    /// When it is none that this build understands.
    pub(super) fn read(request: &Json) -> Result<Self, Failure> {
        let bug = |e| Failure::failed("bug", "the stage asks for what this build does not understand").source(e);
        Self::deserialize(request).map_err(bug)
    }

    /// The model by whose price it is paid.
    pub(super) fn model(&self) -> &str {
        let below = self.from.as_ref().map(|from| from.base.as_deref().unwrap_or(&from.model));
        self.base.as_deref().or(below).unwrap_or_default()
    }
}

/// What Vertex AI is told of an attempt.
///
/// # Errors
/// When there is no such adapter.
pub(super) fn description(
    config: &Config,
    store: &str,
    attempt: &Attempt,
    request: Request,
) -> Result<TuningJob, Failure> {
    let adapter = request.adapter_size.map(adapter).transpose()?;
    let mut parameters = SupervisedHyperParameters::new();
    parameters.epoch_count = request.epochs.map_or(0, i64::from);
    parameters.learning_rate_multiplier = request.learning_rate_multiplier.unwrap_or_default();
    parameters.adapter_size = adapter.unwrap_or(AdapterSize::Unspecified);
    let spec = SupervisedTuningSpec::new()
        .set_training_dataset_uri(request.training)
        .set_validation_dataset_uri(request.validation.unwrap_or_default())
        .set_hyper_parameters(parameters)
        .set_export_last_checkpoint_only(request.last_checkpoint_only);
    let job = TuningJob::new()
        .set_description(format!("{} of {}", attempt.task, attempt.pipeline))
        .set_tuned_model_display_name(request.display_name.unwrap_or_default())
        .set_service_account(config.service_account.clone().unwrap_or_default())
        .set_labels(all_labels(config, store, attempt))
        .set_supervised_tuning_spec(spec);
    Ok(match request.from {
        Some(From { model, checkpoint, .. }) => {
            let from = PreTunedModel::new().set_tuned_model_name(model);
            job.set_pre_tuned_model(from.set_checkpoint_id(checkpoint.unwrap_or_default()))
        }
        None => job.set_base_model(request.base.unwrap_or_default()),
    })
}

fn all_labels(config: &Config, store: &str, attempt: &Attempt) -> BTreeMap<String, String> {
    let mut labels = labels(&config.labels, attempt);
    if labels.len() >= MOST_LABELS
        && let Some(last) = labels.keys().rev().find(|name| !name.starts_with("pipe-")).cloned()
    {
        labels.remove(&last);
    }
    labels.insert(OF_STORE.to_owned(), of_store(store));
    labels
}

/// What tells the jobs of a store from those of others.
pub(super) fn of_store(store: &str) -> String {
    blake3::hash(store.trim_end_matches('/').as_bytes()).to_hex()[..8].to_owned()
}

/// The attempt that a job of this store was made for.
pub(super) fn attempt_of(job: &TuningJob, store: &str) -> Option<AttemptId> {
    let is_ours = job.labels.get(OF_STORE).is_some_and(|found| *found == of_store(store));
    job.labels.get(OF_ATTEMPT).filter(|_| is_ours).map(|attempt| AttemptId(attempt.clone()))
}

fn adapter(size: u32) -> Result<AdapterSize, Failure> {
    Ok(match size {
        1 => AdapterSize::One,
        2 => AdapterSize::Two,
        4 => AdapterSize::Four,
        8 => AdapterSize::Eight,
        16 => AdapterSize::Sixteen,
        32 => AdapterSize::ThirtyTwo,
        other => return Err(Failure::failed("bug", format!("there is no adapter of size {other}"))),
    })
}
