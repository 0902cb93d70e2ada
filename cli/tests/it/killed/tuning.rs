//! Tuning jobs of Vertex AI, which have no names to choose and in which nothing of ours runs that could claim an attempt. So there
//! may be a second one; it must never last, and what it may cost must be told.

use super::{Facts, Trade, bytes_of, having, results};
use crate::afar::{Afar, TUNING};
use crate::bench::Said;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Two tunings of a model of Google's, and one that goes on from the first.
const SPEC: &str = r#"
version = 1
name = "tune"
[defaults]
retry = { failed = 20, transient = 50, stalled = 5, backoff = "20ms..200ms" }
[stages.examples]
kind = "command"
shell = '''
echo '{"contents":[{"role":"user","parts":[{"text":"Which?"}]},{"role":"model","parts":[{"text":"a goal"}]}]}' > $PIPE_OUTPUT/train.jsonl
'''
outputs = ["train.jsonl"]
[stages.one]
kind = "train"
dataset = "examples"
trainer = { type = "gemini-tuning", base = "gemini-2.5-flash", epochs = 2 }
PLACE
[stages.other]
kind = "train"
dataset = "examples"
trainer = { type = "gemini-tuning", base = "gemini-2.5-flash", epochs = 3 }
PLACE
[stages.next]
kind = "train"
dataset = "examples"
trainer = { type = "gemini-tuning", from = "one", epochs = 1 }
PLACE
"#;

/// How often a job is looked at before it is done. A second one is cancelled at the first look that sees both, and lists are late by
/// fewer looks than this; a tuning of Google's takes most of an hour, and its lists are late by seconds.
const LOOKS: u64 = 24;

pub(super) const TUNINGS: Trade =
    Trade { place: &TUNING, spec: SPEC, late: 4, begin, facts, words: ["tuning jobs", "tuned to their end"] };

fn begin(afar: &Afar) {
    afar.standin.tuning_lasts(LOOKS);
}

fn facts(afar: &Afar, last: &Said) -> Facts {
    let tasks = results(afar, last, 4);
    let jobs = jobs(afar);
    for (attempt, jobs) in &jobs {
        let states: Vec<&str> = jobs.iter().map(state).collect();
        let ended_well = states.iter().filter(|state| **state == "SUCCEEDED").count();
        assert!(ended_well <= 1, "{attempt} was tuned for more than once: {states:?}");
        assert!(states.iter().all(|state| ["SUCCEEDED", "CANCELLED"].contains(state)), "{attempt}: {states:?}");
    }
    let tuned: Vec<&Json> = tasks.iter().filter(|task| task["files"][0]["path"] == "tuned-model.json").collect();
    assert_eq!(tuned.len(), 3);
    tuned.iter().for_each(|task| is_told_whole(afar, task, &jobs));
    let all = || jobs.values().flatten();
    let worked = all().filter(|job| state(job) == "SUCCEEDED").count();
    assert_eq!(worked, tuned.len(), "a model was tuned that is in no result");
    let described = having(afar, "attempt.json");
    // Whoever died between the result and the outcome, with its disk, has left an attempt that nobody takes up: its result is found.
    let filed = |id: &String| tasks.iter().any(|task| task["provenance"]["attempt"] == id.as_str());
    assert!(described.difference(&having(afar, "outcome.json")).all(filed), "an attempt is open that has no result");
    Facts { tasks: tasks.len(), attempts: described.len(), jobs: all().count(), worked }
}

/// The result of a tuning names the job that ended well, says how many others there were, and what all of them cost at most.
fn is_told_whole(afar: &Afar, task: &Json, jobs: &BTreeMap<String, Vec<Json>>) {
    let of_attempt = &jobs[task["provenance"]["attempt"].as_str().unwrap()];
    let job = of_attempt.iter().find(|job| state(job) == "SUCCEEDED").unwrap();
    let model: Json = serde_json::from_slice(&bytes_of(afar, &task["files"][0])).unwrap();
    assert_eq!((&model["job"], &model["model"]), (&job["name"], &job["tunedModel"]["model"]));
    let seconds = of_attempt.len() as u64 - 1;
    assert_eq!(task["result"]["second_jobs"].as_u64().unwrap_or_default(), seconds, "{task}");
    if job["baseModel"].is_string() {
        let number = |value: &Json| value.as_str().unwrap().parse::<f64>().unwrap();
        let tokens = number(&job["tuningDataStats"]["supervisedTuningDataStats"]["totalBillableTokenCount"]);
        let epochs = number(&job["supervisedTuningSpec"]["hyperParameters"]["epochCount"]);
        // The spec says what a million tokens costs.
        let expected = 5e-6 * tokens * epochs * (1 + seconds) as f64;
        let told = task["result"]["usd_at_most"].as_f64().unwrap();
        assert!((told - expected).abs() <= 1e-6 * (1 + seconds) as f64, "{told} and not {expected}: {task}");
    }
}

/// The jobs of each attempt.
fn jobs(afar: &Afar) -> BTreeMap<String, Vec<Json>> {
    let mut jobs = BTreeMap::<String, Vec<Json>>::new();
    for job in afar.told_jobs() {
        jobs.entry(job["labels"]["pipe-attempt"].as_str().unwrap().to_owned()).or_default().push(job);
    }
    jobs
}

fn state(job: &Json) -> &str {
    job["state"].as_str().unwrap().strip_prefix("JOB_STATE_").unwrap()
}
