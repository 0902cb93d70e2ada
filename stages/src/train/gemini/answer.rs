//! What Vertex AI tells of a tuning that is done -> a small file that stands for the model, and what somebody should know of it.

use super::MODEL;
use pipe_engine::attempt::USD_AT_MOST;
use pipe_engine::failure::Failure;
use pipe_engine::stage::Made;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// The version of the file.
const VERSION: u32 = 1;

/// A model that was tuned: what stands for it in the store. The model itself stays at Vertex AI.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct TunedModel {
    /// The version of this file.
    pub(crate) version: u32,
    /// Its resource name, `projects/P/locations/L/models/M@V`.
    pub(crate) model: String,
    /// The resource name of the endpoint that it answers at; empty when there is none.
    #[serde(default)]
    pub(crate) endpoint: String,
    /// The model of Google's below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) base_model: Option<String>,
    /// The resource name of the tuning job.
    pub(crate) job: String,
    /// What it was on its way.
    #[serde(default)]
    pub(crate) checkpoints: Vec<Checkpoint>,
    /// What became of the examples; absent where Vertex AI does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) examples: Option<Examples>,
}

/// The model after an epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Checkpoint {
    /// Its id, by which it can be tuned on.
    pub(crate) id: String,
    /// The epoch after which it was kept.
    pub(crate) epoch: i64,
    /// The step after which it was kept.
    pub(crate) step: i64,
    /// The endpoint that it answers at; empty when there is none.
    pub(crate) endpoint: String,
}

/// What became of the examples, in the numbers of Vertex AI.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Examples {
    /// How many there were.
    pub(crate) given: u64,
    /// How many of them were dropped.
    pub(crate) dropped: u64,
    /// Why, of some of those.
    #[serde(default)]
    pub(crate) reasons: Vec<Reason>,
    /// Tokens that are paid for.
    pub(crate) billable_tokens: u64,
    /// Characters of them.
    pub(crate) characters: u64,
    /// Steps of the tuning.
    pub(crate) steps: u64,
}

/// Why an example was dropped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Reason {
    /// Its line, from 1.
    pub(crate) line: u64,
    /// Why, in words of Vertex AI.
    pub(crate) why: String,
}

/// What the place tells besides: nothing of it is in the file, since it says nothing of the model.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Besides {
    second_jobs: Vec<String>,
    cost: Option<f64>,
}

/// The file and the facts of a model. `max_dropped`: the largest share of examples that may be missing.
///
/// # Errors
/// When the answer cannot be read, or more were dropped.
pub(super) fn made(answer: &Json, max_dropped: Option<f64>) -> Result<Made, Failure> {
    let unread = |e: serde_json::Error| Failure::failed("bug", "the answer of the tuning cannot be read").source(e);
    let mut file = answer.clone();
    file["version"] = VERSION.into();
    let model = TunedModel::deserialize(&file).map_err(unread)?;
    let besides = Besides::deserialize(answer).map_err(unread)?;
    let mut warnings = Vec::new();
    if let Some(examples) = model.examples.as_ref().filter(|examples| examples.dropped > 0) {
        warnings.push(dropped(examples, &model, max_dropped)?);
    }
    if !besides.second_jobs.is_empty() {
        warnings.push(format!(
            "{} second tuning jobs were made and cancelled, since lists of jobs were late; each may cost as much as the first: {}",
            besides.second_jobs.len(),
            besides.second_jobs.join(", ")
        ));
    }
    let bug = |e| Failure::failed("bug", "a tuned model has no JSON").source(e);
    let mut text = serde_json::to_vec_pretty(&model).map_err(bug)?;
    text.push(b'\n');
    Ok(Made { files: vec![(MODEL.to_owned(), text)], result: facts(&model, &besides), warnings })
}

/// What is told of examples that were dropped.
fn dropped(examples: &Examples, model: &TunedModel, max: Option<f64>) -> Result<String, Failure> {
    let Examples { given, dropped, reasons, .. } = examples;
    let reasons: Vec<String> = reasons.iter().map(|Reason { line, why }| format!("line {line}: {why}")).collect();
    let told = format!("{dropped} of {given} examples were dropped by the tuning");
    match max {
        Some(most) if *dropped as f64 > most * *given as f64 => {
            Err(Failure::failed("too_many_dropped", format!("{told}, and `max_dropped` is {most}"))
                .on(&model.model)
                .source(reasons.join("; "))
                .help(
                    "the model is there and paid for: name it in `from_model` to go on with it, or mend the examples",
                ))
        }
        _ if reasons.is_empty() => Ok(told),
        _ => Ok(format!("{told}: {}", reasons.join("; "))),
    }
}

fn facts(model: &TunedModel, besides: &Besides) -> Json {
    let mut facts = Map::new();
    facts.insert("model".to_owned(), model.model.clone().into());
    if let Some(examples) = &model.examples {
        facts.insert("examples".to_owned(), examples.given.into());
        facts.insert("dropped".to_owned(), examples.dropped.into());
        facts.insert("billable_tokens".to_owned(), examples.billable_tokens.into());
    }
    if let Some(cost) = besides.cost {
        let jobs = 1 + besides.second_jobs.len();
        facts.insert(USD_AT_MOST.to_owned(), (cost * jobs as f64).into());
    }
    if !besides.second_jobs.is_empty() {
        facts.insert("second_jobs".to_owned(), besides.second_jobs.len().into());
    }
    Json::Object(facts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer() -> Json {
        json!({
            "job": "projects/1/locations/us-central1/tuningJobs/5", "model": "projects/1/locations/us-central1/models/7@1",
            "endpoint": "projects/1/locations/us-central1/endpoints/9", "base_model": "gemini-2.5-flash",
            "checkpoints": [{ "id": "1", "epoch": 1, "step": 4, "endpoint": "" }],
            "examples": { "given": 10, "dropped": 2, "reasons": [{ "line": 3, "why": "it is too long" }],
                          "billable_tokens": 500, "characters": 2000, "steps": 20 },
            "cost": 1.5, "second_jobs": ["projects/1/locations/us-central1/tuningJobs/6"],
        })
    }

    #[test]
    fn what_was_dropped_and_what_was_made_twice_is_told_and_priced() {
        let made = made(&answer(), Some(0.2)).unwrap();
        assert!(made.warnings[0].contains("2 of 10") && made.warnings[0].contains("line 3: it is too long"));
        assert!(made.warnings[1].contains("tuningJobs/6"), "{:?}", made.warnings);
        let facts = json!({ "model": "projects/1/locations/us-central1/models/7@1", "examples": 10, "dropped": 2,
                            "billable_tokens": 500, "usd_at_most": 3.0, "second_jobs": 1 });
        assert_eq!(made.result, facts);
        let file: TunedModel = serde_json::from_slice(&made.files[0].1).unwrap();
        assert_eq!((file.version, file.checkpoints.len()), (1, 1));
    }

    #[test]
    fn more_that_was_dropped_than_may_be_is_a_failure_that_names_the_model() {
        let failure = made(&answer(), Some(0.19)).unwrap_err();
        assert_eq!((failure.code.as_str(), failure.on.as_deref()), ("too_many_dropped", answer()["model"].as_str()));
        assert!(made(&answer(), None).is_ok(), "a warning, where no share is said");
    }

    #[test]
    fn who_tells_nothing_of_examples_is_believed_in_the_rest() {
        let mut answer = answer();
        answer.as_object_mut().unwrap().remove("examples");
        let made = made(&answer, Some(0.0)).unwrap();
        assert_eq!(made.warnings.len(), 1);
    }
}
