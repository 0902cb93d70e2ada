//! What a tuning job is said to be -> what it tunes with what, or everything that is wrong with it. What only the pages say and the
//! definitions do not is asked here.

use super::super::spec::only;
use crate::answer::Refusal;
use crate::definitions::Problem;
use serde_json::{Map, Value as Json};

/// What is done, or changes nothing that is seen here.
const OF_JOB: [&str; 7] = [
    "baseModel",
    "description",
    "labels",
    "preTunedModel",
    "serviceAccount",
    "supervisedTuningSpec",
    "tunedModelDisplayName",
];
const OF_SPEC: [&str; 4] =
    ["exportLastCheckpointOnly", "hyperParameters", "trainingDatasetUri", "validationDatasetUri"];
/// Epochs where none are said. What Google takes then depends on the examples.
const EPOCHS: u64 = 3;

/// What a tuning job is.
pub(super) struct Spec {
    pub(super) source: Source,
    pub(super) training: Object,
    pub(super) validation: Option<Object>,
    pub(super) epochs: u64,
    pub(super) has_checkpoints: bool,
    pub(super) shown: Option<String>,
}

/// What is tuned.
pub(super) enum Source {
    /// A model of Google's, by its name.
    Base(String),
    /// One that was tuned before, by its whole name, perhaps with a version.
    Tuned(String),
}

/// A file in a bucket.
pub(super) struct Object {
    pub(super) bucket: String,
    pub(super) name: String,
}

impl Object {
    /// `gs://BUCKET/NAME`.
    pub(super) fn read(uri: &str) -> Option<Self> {
        let (bucket, name) = uri.strip_prefix("gs://")?.split_once('/')?;
        let is_whole = !bucket.is_empty() && !name.is_empty();
        is_whole.then(|| Self { bucket: bucket.to_owned(), name: name.to_owned() })
    }
}

impl Spec {
    pub(super) fn read(job: &Map<String, Json>) -> Result<Self, Refusal> {
        only(&Json::Object(job.clone()), &OF_JOB, "a tuning job")?;
        let said = job.get("supervisedTuningSpec").cloned().unwrap_or_default();
        only(&said, &OF_SPEC, "a supervised tuning")?;
        let text = |field: &str| job.get(field).and_then(Json::as_str).filter(|text| !text.is_empty());
        let mut problems = Vec::new();
        let tuned = job.get("preTunedModel").and_then(|model| model["tunedModelName"].as_str());
        let source = match (text("baseModel"), tuned) {
            (Some(base), None) => {
                if !base.starts_with("gemini-") {
                    problems.push(Problem::new("baseModel", format!("Base model {base} is not supported.")));
                }
                Source::Base(base.to_owned())
            }
            (None, Some(tuned)) => Source::Tuned(tuned.to_owned()),
            _ => {
                problems.push(Problem::new("baseModel", "One of baseModel and preTunedModel must be set.".to_owned()));
                Source::Base(String::new())
            }
        };
        if said.is_null() {
            problems.push(Problem::new("supervisedTuningSpec", "The tuning spec is missing.".to_owned()));
        }
        let mut file = |field: &str| {
            let uri = said[field].as_str().filter(|uri| !uri.is_empty())?;
            let object = Object::read(uri).filter(|object| object.name.ends_with(".jsonl"));
            if object.is_none() {
                let says = format!("Invalid dataset URI {uri:?}: a JSONL file in Cloud Storage is expected.");
                problems.push(Problem::new(format!("supervisedTuningSpec.{field}"), says));
            }
            object
        };
        let (training, validation) = (file("trainingDatasetUri"), file("validationDatasetUri"));
        let Some(training) = training.filter(|_| problems.is_empty()) else { return Err(Refusal::of(problems)) };
        // Numbers of 64 bits are texts in JSON; both forms are read.
        let epochs = &said["hyperParameters"]["epochCount"];
        let epochs = epochs.as_u64().or_else(|| epochs.as_str()?.parse().ok());
        Ok(Self {
            source,
            training,
            validation,
            epochs: epochs.unwrap_or(EPOCHS),
            has_checkpoints: said["exportLastCheckpointOnly"] != true,
            shown: text("tunedModelDisplayName").map(str::to_owned),
        })
    }
}
