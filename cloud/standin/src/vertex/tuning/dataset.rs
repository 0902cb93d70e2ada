//! The lines of a file -> how many examples they hold, what is of no use among them, and what they would cost.

use super::super::progress::Failure;
use super::spec::Object;
use crate::storage::Storage;
use serde_json::{Value as Json, json};
use std::fs;

/// The longest example, in tokens; the largest file; the most examples to validate with. Source: Google's page about supervised
/// tuning of Gemini models, of Gemini 2.5 Flash, read 2026-11.
const TOKENS: u64 = 131_072;
const LARGEST: u64 = 1 << 30;
const VALIDATED: u64 = 5000;
/// The largest video. Source: Google's page on tuning with videos, read 2026-11.
const VIDEO: u64 = 100_000_000;
/// How many of those that were dropped are told. The definition says "a partial sample".
const SAMPLE: usize = 10;
/// Letters to a token, about. Source: Google's page on tokens.
const LETTERS: u64 = 4;
/// Numbers of google.rpc.Code.
const INVALID: i32 = 3;
const MISSING: i32 = 5;

/// What the examples of a file are.
#[derive(Debug, Default)]
pub(super) struct Dataset {
    pub(super) examples: u64,
    letters: u64,
    /// Those of no use: their number, from 1, and why.
    dropped: Vec<(u64, String)>,
}

impl Dataset {
    /// # Errors
    /// When there is nothing to tune with.
    pub(super) fn of(storage: &Storage, file: &Object) -> Result<Self, Failure> {
        let text = content(storage, file)?;
        let mut dataset = Self::default();
        for (number, line) in (1..).zip(text.lines().filter(|line| !line.trim().is_empty())) {
            let example: Json = serde_json::from_str(line)
                .map_err(|error| Failure::new(INVALID, format!("Line {number} of the dataset is no JSON: {error}")))?;
            dataset.examples += 1;
            match of_no_use(storage, &example) {
                Err(why) => return Err(Failure::new(INVALID, format!("Line {number} of the dataset: {why}"))),
                Ok(Some(why)) => dataset.dropped.push((number, why)),
                Ok(None) => dataset.letters += letters(&example),
            }
        }
        Ok(dataset)
    }

    /// # Errors
    /// When a model cannot be tuned with it.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.examples == self.dropped.len() as u64 {
            return Err(Failure::new(INVALID, "The dataset has no valid examples."));
        }
        Ok(())
    }

    /// # Errors
    /// When a model cannot be validated with it.
    pub(super) fn check_validation(&self) -> Result<(), Failure> {
        if self.examples > VALIDATED {
            let says = format!("The validation dataset has {} examples, and {VALIDATED} at most.", self.examples);
            return Err(Failure::new(INVALID, says));
        }
        Ok(())
    }

    /// What a client is told. Numbers of 64 bits are texts.
    pub(super) fn stats(&self, epochs: u64) -> Json {
        let used = self.examples - self.dropped.len() as u64;
        let tokens = self.letters.div_ceil(LETTERS);
        let mut stats = json!({
            "tuningDatasetExampleCount": self.examples.to_string(),
            "totalTuningCharacterCount": self.letters.to_string(),
            "totalBillableTokenCount": (tokens * epochs).to_string(),
            "tuningStepCount": (used * epochs).to_string(),
        });
        if !self.dropped.is_empty() {
            let sample = || self.dropped.iter().take(SAMPLE);
            stats["totalTruncatedExampleCount"] = self.dropped.len().to_string().into();
            stats["truncatedExampleIndices"] = sample().map(|(number, _)| number.to_string()).collect();
            stats["droppedExampleReasons"] = sample().map(|(_, why)| why.clone()).collect();
        }
        json!({ "supervisedTuningDataStats": stats })
    }
}

fn content(storage: &Storage, file: &Object) -> Result<String, Failure> {
    let uri = format!("gs://{}/{}", file.bucket, file.name);
    let objects = storage.objects(&file.bucket);
    let found = objects.into_iter().find(|(name, _)| *name == file.name);
    let (_, content) = found.ok_or_else(|| Failure::new(MISSING, format!("The dataset {uri} was not found.")))?;
    if content.size > LARGEST {
        return Err(Failure::new(INVALID, format!("The dataset {uri} is larger than 1 GB.")));
    }
    fs::read_to_string(&content.path).map_err(|_| Failure::new(INVALID, format!("The dataset {uri} is no text.")))
}

/// Why an example is dropped.
///
/// # Errors
/// When it is no example at all, which ends the job.
fn of_no_use(storage: &Storage, example: &Json) -> Result<Option<String>, String> {
    let contents = example["contents"].as_array().filter(|contents| !contents.is_empty());
    let contents = contents.ok_or("`contents` is missing or empty.")?;
    let role = |content: &Json| content["role"].as_str().unwrap_or_default().to_owned();
    if let Some(other) = contents.iter().map(role).find(|role| !["user", "model"].contains(&role.as_str())) {
        return Err(format!("the role {other:?} is none of `user` and `model`."));
    }
    if contents.last().map(role).as_deref() != Some("model") {
        return Err("the last content must be the model's.".to_owned());
    }
    for part in contents.iter().flat_map(|content| content["parts"].as_array().into_iter().flatten()) {
        let Some(uri) = part["fileData"]["fileUri"].as_str() else { continue };
        let Some(object) = Object::read(uri) else { return Err(format!("{uri:?} is no file in Cloud Storage.")) };
        let found = storage.objects(&object.bucket).into_iter().find(|(name, _)| *name == object.name);
        let Some((_, content)) = found else { return Ok(Some(format!("The file {uri} was not found."))) };
        let is_video = part["fileData"]["mimeType"].as_str().is_some_and(|kind| kind.starts_with("video/"));
        if is_video && content.size > VIDEO {
            return Ok(Some(format!("The video {uri} is larger than 100 MB.")));
        }
    }
    let tokens = letters(example).div_ceil(LETTERS);
    Ok((tokens > TOKENS).then(|| format!("The example has {tokens} tokens, and {TOKENS} at most.")))
}

/// The letters of all texts of an example.
fn letters(example: &Json) -> u64 {
    let parts = |content: &Json| content["parts"].as_array().cloned().unwrap_or_default();
    let contents = example["contents"].as_array().into_iter().flatten().chain(example.get("systemInstruction"));
    let texts = contents.flat_map(parts).filter_map(|part| Some(part["text"].as_str()?.chars().count() as u64));
    texts.sum()
}
