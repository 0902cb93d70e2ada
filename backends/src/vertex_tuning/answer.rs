//! A job that is done -> what its stage is told: the model, what became of the examples, and what it may have cost.

use super::config::Config;
use super::prices::cost;
use google_cloud_aiplatform_v1::model::tuning_job::TuningSpec;
use google_cloud_aiplatform_v1::model::{SupervisedTuningDataStats, TunedModel, TuningJob};
use pipe_engine::failure::Failure;
use serde_json::{Value as Json, json};

/// What is told of a job, and of those of the same attempt that nobody needed.
///
/// # Errors
/// When it is done and there is no model.
pub(super) fn answer(config: &Config, job: &TuningJob, others: &[&TuningJob]) -> Result<Json, Failure> {
    let Some(model) = &job.tuned_model else {
        return Err(Failure::failed("no_model", "the tuning is done, and there is no model of it").on(&job.name));
    };
    let mut told = json!({
        "job": job.name,
        "model": model.model,
        "endpoint": model.endpoint,
        "base_model": base(job),
        "checkpoints": checkpoints(model),
        "second_jobs": others.iter().map(|other| &other.name).collect::<Vec<_>>(),
    });
    let stats = job.tuning_data_stats.as_ref().and_then(|stats| stats.supervised_tuning_data_stats());
    if let Some(stats) = stats {
        told["examples"] = examples(stats);
        told["cost"] = at_most(config, job, stats).unwrap_or_default();
    }
    Ok(told)
}

/// The model of Google's that was tuned, or that lies below the one that was.
fn base(job: &TuningJob) -> Option<&str> {
    let below = || job.pre_tuned_model().map(|from| from.base_model.as_str());
    job.base_model().map(String::as_str).or_else(below).filter(|name| !name.is_empty())
}

fn checkpoints(model: &TunedModel) -> Json {
    let checkpoint = |point: &google_cloud_aiplatform_v1::model::TunedModelCheckpoint| json!({ "id": point.checkpoint_id, "epoch": point.epoch, "step": point.step, "endpoint": point.endpoint });
    model.checkpoints.iter().map(checkpoint).collect()
}

fn examples(stats: &SupervisedTuningDataStats) -> Json {
    let reasons = stats.truncated_example_indices.iter().zip(&stats.dropped_example_reasons);
    json!({
        "given": stats.tuning_dataset_example_count,
        "dropped": stats.total_truncated_example_count,
        "reasons": reasons.map(|(line, why)| json!({ "line": line, "why": why })).collect::<Vec<_>>(),
        "billable_tokens": stats.total_billable_token_count,
        "characters": stats.total_tuning_character_count,
        "steps": stats.tuning_step_count,
    })
}

/// The price of the tokens that Vertex AI has counted, seen in each epoch. Its definition does not say whether the epochs are in
/// that count already: it is what the tuning cost at most.
fn at_most(config: &Config, job: &TuningJob, stats: &SupervisedTuningDataStats) -> Option<Json> {
    let Some(TuningSpec::SupervisedTuningSpec(spec)) = &job.tuning_spec else { return None };
    let epochs = u64::try_from(spec.hyper_parameters.as_ref()?.epoch_count).ok().filter(|epochs| *epochs > 0)?;
    let tokens = u64::try_from(stats.total_billable_token_count).ok()?;
    cost(config, base(job)?, tokens, epochs).map(|cost| json!(cost.0 as f64 / 1e6))
}
