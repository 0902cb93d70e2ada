//! Tuning jobs of Vertex AI: what comes of one, and what is told of examples that are of no use.

use crate::{Bench, Said};
use serde_json::{Value as Json, json};
use std::time::Duration;

const JOBS: &str = "/v1/projects/p/locations/us-central1/tuningJobs";

fn example(words: &str) -> String {
    let content = |role: &str, text: &str| json!({ "role": role, "parts": [{ "text": text }] });
    json!({ "contents": [content("user", words), content("model", "a goal")] }).to_string()
}

fn with_video(uri: &str) -> String {
    let video = json!({ "fileData": { "fileUri": uri, "mimeType": "video/mp4" } });
    json!({ "contents": [
        { "role": "user", "parts": [video, { "text": "what happens?" }] },
        { "role": "model", "parts": [{ "text": "a goal" }] },
    ] })
    .to_string()
}

fn job(more: &Json) -> Json {
    let mut job = json!({
        "baseModel": "gemini-2.5-flash",
        "supervisedTuningSpec": {
            "trainingDatasetUri": "gs://films/train.jsonl",
            "hyperParameters": { "epochCount": "2", "adapterSize": "ADAPTER_SIZE_FOUR" },
        },
    });
    for (field, value) in more.as_object().unwrap() {
        job[field] = value.clone();
    }
    job
}

fn create(bench: &Bench, job: &Json) -> Said {
    bench.json("POST", JOBS, &job.to_string())
}

/// A job that was made, once it has ended.
fn ended(bench: &Bench, job: &Json) -> Json {
    let said = create(bench, job);
    assert_eq!(said.code, 200, "{said:?}");
    let name = said.read_json()["name"].as_str().unwrap().to_owned();
    loop {
        let told = bench.get(&format!("/v1/{name}")).read_json();
        if ["SUCCEEDED", "FAILED", "CANCELLED"].iter().any(|end| told["state"] == format!("JOB_STATE_{end}").as_str()) {
            return told;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn bench(lines: &[String]) -> Bench {
    let bench = Bench::new();
    bench.put("train.jsonl", lines.join("\n").as_bytes(), "");
    bench
}

/// Source of the fields: the definitions of `TuningJob`, `TunedModel` and `TuningDataStats`.
#[test]
fn a_tuning_job_leaves_a_model_an_endpoint_and_what_became_of_its_examples() {
    let bench = bench(&[example("one"), example("two")]);
    let told = ended(&bench, &job(&json!({ "labels": { "pipe-attempt": "a-1" }, "tunedModelDisplayName": "clips" })));
    assert_eq!((&told["state"], &told["error"]), (&"JOB_STATE_SUCCEEDED".into(), &Json::Null));
    let model = told["tunedModel"]["model"].as_str().unwrap();
    assert!(model.starts_with("projects/") && model.contains("/models/") && model.ends_with("@1"), "{model}");
    assert!(told["tunedModel"]["endpoint"].as_str().unwrap().contains("/endpoints/"), "{told}");
    assert_eq!(told["tunedModel"]["checkpoints"].as_array().unwrap().len(), 2, "one for each epoch");
    let stats = &told["tuningDataStats"]["supervisedTuningDataStats"];
    assert_eq!(stats["tuningDatasetExampleCount"], "2");
    // "one", "two" and twice "a goal" are 18 letters: 5 tokens, which are paid for in each of two epochs.
    assert_eq!((&stats["totalTuningCharacterCount"], &stats["totalBillableTokenCount"]), (&"18".into(), &"10".into()));
    assert_eq!(stats["totalTruncatedExampleCount"], Json::Null);
    let listed = bench.get(&format!("{JOBS}?filter=labels.pipe-attempt=a-1")).read_json();
    assert_eq!(listed["tuningJobs"][0]["name"], told["name"]);
}

/// Source of the limits: Google's pages about supervised tuning and on tuning with videos, read 2026-11.
#[test]
fn a_job_succeeds_without_the_examples_that_are_of_no_use_and_tells_which_and_why() {
    let long = "x".repeat(4 * 131_072);
    let lines =
        [example("one"), example(&long), with_video("gs://films/nothing.mp4"), with_video("gs://films/clip.mp4")];
    let bench = bench(&lines);
    bench.put("clip.mp4", b"a video", "");
    let told = ended(&bench, &job(&json!({})));
    assert_eq!(told["state"], "JOB_STATE_SUCCEEDED");
    let stats = &told["tuningDataStats"]["supervisedTuningDataStats"];
    assert_eq!((&stats["tuningDatasetExampleCount"], &stats["totalTruncatedExampleCount"]), (&"4".into(), &"2".into()));
    assert_eq!(stats["truncatedExampleIndices"], json!(["2", "3"]));
    let reasons = stats["droppedExampleReasons"].as_array().unwrap();
    assert!(reasons[0].as_str().unwrap().contains("131072") && reasons[1].as_str().unwrap().contains("nothing.mp4"));
}

#[test]
fn what_no_model_can_be_tuned_with_ends_the_job() {
    for (lines, says) in [
        (vec![], "no valid examples"),
        (vec![with_video("gs://films/nothing.mp4")], "no valid examples"),
        (vec!["{".to_owned()], "Line 1 of the dataset is no JSON"),
        (vec![example("one"), "{}".to_owned()], "Line 2 of the dataset: `contents`"),
        (vec![r#"{"contents": [{"role": "user", "parts": []}]}"#.to_owned()], "must be the model's"),
    ] {
        let told = ended(&bench(&lines), &job(&json!({})));
        assert_eq!((&told["state"], &told["tunedModel"]), (&"JOB_STATE_FAILED".into(), &Json::Null), "{lines:?}");
        assert!(told["error"]["message"].as_str().unwrap().contains(says), "{told}");
    }
    let told = ended(&Bench::new(), &job(&json!({})));
    assert!(told["error"]["message"].as_str().unwrap().contains("gs://films/train.jsonl was not found"), "{told}");
}

/// Source: the definition of `TunedModel.model`.
#[test]
fn a_tuned_model_is_tuned_on_to_its_next_version_or_to_one_of_another_name() {
    let bench = bench(&[example("one")]);
    let first = ended(&bench, &job(&json!({ "tunedModelDisplayName": "clips" })));
    let model = first["tunedModel"]["model"].as_str().unwrap();
    let on = |more: &Json| {
        let mut on = job(more);
        on.as_object_mut().unwrap().remove("baseModel");
        on["preTunedModel"] = json!({ "tunedModelName": model });
        ended(&bench, &on)["tunedModel"]["model"].as_str().unwrap().to_owned()
    };
    assert_eq!(on(&json!({})), model.replace("@1", "@2"));
    assert_eq!(on(&json!({ "tunedModelDisplayName": "clips" })), model.replace("@1", "@3"));
    let other = on(&json!({ "tunedModelDisplayName": "others" }));
    assert!(other.ends_with("@1") && other != model, "{other}");
}

#[test]
fn a_job_that_waits_can_be_cancelled_and_one_that_has_ended_cannot() {
    let bench = bench(&[example("one")]);
    bench.standin.quota(false);
    let name = create(&bench, &job(&json!({}))).read_json()["name"].as_str().unwrap().to_owned();
    assert_eq!(bench.get(&format!("/v1/{name}")).read_json()["state"], "JOB_STATE_QUEUED");
    assert_eq!(bench.json("POST", &format!("/v1/{name}:cancel"), "{}").code, 200);
    while bench.get(&format!("/v1/{name}")).read_json()["state"] != "JOB_STATE_CANCELLED" {
        std::thread::sleep(Duration::from_millis(10));
    }
    let told = bench.get(&format!("/v1/{name}")).read_json();
    assert_eq!((&told["error"]["code"], &told["tunedModel"]), (&1.into(), &Json::Null));
    assert_eq!(bench.json("POST", &format!("/v1/{name}:cancel"), "{}").code, 400);
}

#[test]
fn what_a_tuning_job_cannot_be_is_refused() {
    let bench = bench(&[example("one")]);
    let spec = |more: Json| {
        let mut spec = job(&json!({}))["supervisedTuningSpec"].clone();
        more.as_object().unwrap().iter().for_each(|(field, value)| spec[field] = value.clone());
        json!({ "supervisedTuningSpec": spec })
    };
    for (more, code, says) in [
        (json!({ "baseModel": "bison" }), 400, "bison"),
        (json!({ "preTunedModel": { "tunedModelName": "projects/1/locations/us-central1/models/7" } }), 400, "One of"),
        (json!({ "baseModel": null }), 400, "One of"),
        (json!({ "state": "JOB_STATE_RUNNING" }), 400, "state"),
        (json!({ "temperature": 1 }), 400, "temperature"),
        (json!({ "labels": { "A": "b" } }), 400, "label"),
        (spec(json!({ "trainingDatasetUri": "train.jsonl" })), 400, "train.jsonl"),
        (spec(json!({ "trainingDatasetUri": "" })), 400, "trainingDatasetUri"),
        (spec(json!({ "hyperParameters": { "adapterSize": "ADAPTER_SIZE_THREE" } })), 400, "ADAPTER_SIZE_THREE"),
        (spec(json!({ "hyperParameters": { "epochCount": "many" } })), 400, "epochCount"),
        (json!({ "encryptionSpec": { "kmsKeyName": "key" } }), 501, "encryptionSpec"),
    ] {
        let said = create(&bench, &job(&more));
        let message = said.read_json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(said.code == code && message.contains(says), "{more}: {} {message}", said.code);
    }
    let unknown = json!({ "tunedModelName": "projects/1/locations/us-central1/models/7" });
    let mut on = job(&json!({ "preTunedModel": unknown }));
    on.as_object_mut().unwrap().remove("baseModel");
    assert_eq!(create(&bench, &on).code, 404);
}
