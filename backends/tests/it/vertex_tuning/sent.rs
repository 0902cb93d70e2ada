//! What Vertex AI is told of a tuning, and what is not asked for at all.

use super::bench::{Bench, attempt, example, request};
use pipe_engine::backend::Standing;
use serde_json::json;

/// Source of the fields: the definition of `TuningJob` in aiplatform.v1.
#[test]
fn a_request_is_a_tuning_job_with_its_parameters_and_labels() {
    let bench = Bench::with(&[example("one")], &json!({ "labels": { "Team": "Video" } }));
    bench.standin.put("films", "validation.jsonl", example("two").as_bytes());
    let attempt = attempt("sent");
    let more = json!({ "validation": "gs://films/validation.jsonl", "learning_rate_multiplier": 0.5, "adapter_size": 8,
                       "display_name": "Plays", "last_checkpoint_only": true });
    bench.ask(&attempt, &request(&more)).unwrap();
    let told = bench.jobs(&attempt).remove(0);
    assert_eq!((&told["baseModel"], &told["tunedModelDisplayName"]), (&json!("gemini-2.5-flash"), &json!("Plays")));
    let spec = &told["supervisedTuningSpec"];
    assert_eq!(spec["trainingDatasetUri"], "gs://films/train.jsonl");
    assert_eq!(spec["validationDatasetUri"], "gs://films/validation.jsonl");
    assert_eq!(spec["exportLastCheckpointOnly"], true);
    let parameters = &spec["hyperParameters"];
    assert_eq!((&parameters["epochCount"], &parameters["learningRateMultiplier"]), (&json!("2"), &json!(0.5)));
    // Enums are sent as their numbers: ADAPTER_SIZE_EIGHT is 3.
    assert!([json!(3), json!("ADAPTER_SIZE_EIGHT")].contains(&parameters["adapterSize"]), "{parameters}");
    assert_eq!((&told["labels"]["team"], &told["labels"]["pipe-stage"]), (&json!("video"), &json!("clips")));
}

#[test]
fn a_model_that_was_tuned_is_tuned_on() {
    let bench = Bench::new();
    let (first, second) = (attempt("first"), attempt("second"));
    let job = bench.ask(&first, &request(&json!({}))).unwrap();
    assert_eq!(bench.end(&job), None);
    let model = bench.answer(&job).unwrap()["model"].as_str().unwrap().to_owned();
    let from = json!({ "base": null, "from": { "model": model, "checkpoint": "1" } });
    let job = bench.ask(&second, &request(&from)).unwrap();
    assert_eq!(bench.end(&job), None);
    let told = bench.jobs(&second).remove(0);
    assert_eq!(told["preTunedModel"]["tunedModelName"], model.as_str());
    assert_eq!(told["preTunedModel"]["checkpointId"], "1");
    assert_eq!(bench.answer(&job).unwrap()["model"], model.replace("@1", "@2").as_str());
}

/// A million tokens cost 5 USD; a hundred million of them, seen twice, 1000.
#[test]
fn what_may_cost_more_than_it_may_is_not_asked_for_and_what_is_not_known_is_not_free() {
    for (more, tokens, code) in [
        (json!({ "prices": { "gemini-2.5-flash": 5 } }), json!({ "tokens": 100_000_000 }), Some("too_dear")),
        (json!({ "prices": { "gemini-2.5-flash": 5 } }), json!({ "tokens": 1_000_000 }), None),
        (json!({ "prices": { "gemini-2.5-flash": 5 } }), json!({ "tokens": null }), Some("no_tokens")),
        (json!({ "prices": { "gemini-2.5-flash": 5 } }), json!({ "epochs": null }), Some("no_epochs")),
        (json!({ "prices": { "gemini-2.5-pro": 5 } }), json!({}), Some("no_price")),
    ] {
        let mut config = more.clone();
        config["max_cost"] = "20 USD".into();
        let bench = Bench::with(&[example("one")], &config);
        let asked = bench.ask(&attempt("dear"), &request(&tokens));
        assert_eq!(asked.as_ref().err().map(|failure| failure.code.as_str()), code, "{asked:?}");
        assert_eq!(bench.asked("create"), usize::from(code.is_none()));
    }
}

#[test]
fn only_jobs_that_go_on_are_told_of_and_an_attempt_is_found_by_its_labels() {
    let bench = Bench::new();
    let (over, waits) = (attempt("over"), attempt("waits"));
    let job = bench.ask(&over, &request(&json!({}))).unwrap();
    assert_eq!(bench.end(&job), None);
    bench.standin.quota(false);
    let job = bench.ask(&waits, &request(&json!({}))).unwrap();
    let later = bench.later();
    let there = bench.wait(later.jobs()).unwrap();
    let told: Vec<_> = there.iter().map(|there| (&there.job, &there.attempt, &there.standing)).collect();
    assert_eq!(told, [(&job, &waits.id, &Standing::Waiting)]);
    assert_eq!(bench.wait(later.find(&waits.id)).unwrap(), Some(job));
    assert_eq!(bench.wait(later.find(&attempt("none").id)).unwrap(), None);
    let page = later.page(&waits).unwrap();
    assert!(page.log.contains(&waits.id.0) && page.link.contains("films"), "{page:?}");
    let findings = bench.wait(later.check(&[]));
    assert_eq!(findings[0].code, "jobs_listed");
}
