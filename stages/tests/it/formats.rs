//! The forms of artifacts. Whatever a test makes with [`crate::bench::Bench::run`] is held against them; here is what
//! they refuse.

use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

/// The records of a file: the lines of a `.jsonl` file, a `.json` file as a whole.
pub(crate) fn records(path: &str, text: &str) -> Vec<Json> {
    let parse = |text: &str| serde_json::from_str(text).unwrap();
    if path.ends_with(".jsonl") { text.lines().map(parse).collect() } else { vec![parse(text)] }
}

fn clip() -> Json {
    json!({ "id": "game=g1/p1", "play": "p1", "cell": { "game": "g1" }, "path": "p1.mp4", "start_ms": 0, "end_ms": 40,
            "frames": 1, "mode": "encode", "row": { "id": "p1", "label": "RUN" } })
}

fn epoch() -> Json {
    json!({ "epoch": 1, "learning_rate": 0.003, "train_loss": 1.8, "validation_loss": 1.7,
            "validation_accuracy": 0.25, "validation_group_accuracy": 1.0 })
}

fn tuned_model() -> Json {
    json!({ "version": 1, "model": "projects/7/locations/us-central1/models/8@1", "endpoint": "", "checkpoints": [],
            "job": "projects/7/locations/us-central1/tuningJobs/9" })
}

/// A format, a record of it, and what must not take the place of a field's value.
type Sample = (&'static str, Json, Vec<(&'static str, Json)>);

fn samples() -> Vec<Sample> {
    let record = json!({ "clip": "c1", "label": "RUN", "play": 7, "angle": "FAR_LEFT", "anything": ["else"] });
    let play = json!({ "id": "p1", "start_ms": 1000, "yards": -2.5, "note": null });
    vec![
        ("plays", play, vec![("id", json!(["p1"])), ("note", json!({})), ("yards", json!(true))]),
        ("clips", clip(), vec![("start_ms", json!(-1)), ("frames", json!("1")), ("cell", json!("g1"))]),
        ("frames", json!({ "id": "c1", "shard": "a.safetensors", "row": 0 }), vec![("row", json!(0.5))]),
        ("training-record", record, vec![("label", json!(["RUN"])), ("clip", Json::Null)]),
        ("metrics", epoch(), vec![("epoch", json!(0)), ("validation_accuracy", json!(1.5))]),
        ("tuned-model", tuned_model(), vec![("model", json!(1)), ("version", json!("1")), ("checkpoints", json!({}))]),
        ("confusion", json!({ "labels": ["a"], "counts": [[3]] }), vec![("counts", json!([3]))]),
    ]
}

#[test]
fn a_record_fits_its_schema_and_a_wrong_one_does_not() {
    let kinds = pipe_stages::all();
    let formats: Vec<_> = kinds.kinds().flat_map(|kind| kind.formats()).collect();
    let sampled: BTreeSet<&str> = samples().iter().map(|(name, ..)| *name).collect();
    let here: BTreeSet<&str> = formats.iter().map(|format| format.name).collect();
    let is_whole = cfg!(all(feature = "video", feature = "trainer"));
    assert!(if is_whole { here == sampled } else { here.is_subset(&sampled) }, "{here:?}");
    for (name, record, wrong) in samples().into_iter().filter(|(name, ..)| here.contains(name)) {
        let format = formats.iter().find(|format| format.name == name).unwrap();
        let fits = |record: &Json| jsonschema::is_valid(format.schema.as_value(), record);
        assert!(fits(&record), "{name}: {record}");
        assert!(!fits(&json!([record])), "{name}");
        for (field, value) in wrong {
            let mut record = record.clone();
            record[field] = value;
            assert!(!fits(&record), "{name}: {record}");
        }
    }
}

#[test]
fn a_field_that_is_missing_is_missed() {
    let kinds = pipe_stages::all();
    for format in kinds.kinds().flat_map(|kind| kind.formats()).filter(|format| format.name != "plays") {
        let (_, record, _) = samples().into_iter().find(|(name, ..)| *name == format.name).unwrap();
        let required = format.schema.get("required").unwrap().as_array().unwrap();
        assert!(!required.is_empty(), "{}", format.name);
        for field in required.iter().map(|field| field.as_str().unwrap()) {
            let mut record = record.clone();
            record.as_object_mut().unwrap().remove(field).unwrap();
            assert!(!jsonschema::is_valid(format.schema.as_value(), &record), "{}: {record}", format.name);
        }
    }
}
