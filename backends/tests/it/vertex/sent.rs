//! What the service is told of an attempt.

use super::bench::{Bench, STORE, attempt};
use super::ends::STAYS;
use pipe_engine::attempt::{Attempt, Provision};
use pipe_engine::ids::Cell;
use pipe_engine::resources::Gpu;
use pipe_engine::units::{Bytes, Millis};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// The job that an attempt becomes, as the service tells it.
fn job(bench: &Bench, attempt: &Attempt, more: &Json) -> Json {
    let job = bench.wait(bench.other(more).submit(attempt)).unwrap();
    bench.told(&job.0).unwrap()
}

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_job_asks_for_what_its_attempt_needs() {
    let bench = Bench::running(STAYS);
    bench.image("trainer", STAYS);
    let mut attempt = attempt("large");
    (attempt.cpu, attempt.memory, attempt.disk) = (3, Bytes(20 << 30), Some(Bytes(100 << 30)));
    attempt.provision = Some(Provision {
        image: Some("trainer".to_owned()),
        timeout: Some(Millis(5_400_000)),
        secrets: texts(&[("TOKEN", "gcp:projects/films/secrets/token/versions/3")]),
        ..Provision::default()
    });
    let told = job(&bench, &attempt, &json!({ "service_account": "worker@films.iam.gserviceaccount.com" }));
    let spec = &told["jobSpec"];
    assert_eq!(spec["serviceAccount"], "worker@films.iam.gserviceaccount.com");
    // An attempt at the same key finds there what this one leaves.
    let output = format!("{STORE}/vertex/{}/", &attempt.fingerprint.0[..20]);
    assert_eq!(spec["baseOutputDirectory"], json!({ "outputUriPrefix": output }));
    let scheduling = &spec["scheduling"];
    assert_eq!((&scheduling["timeout"], &scheduling["strategy"]), (&"5400s".into(), &"STANDARD".into()));
    assert_eq!(scheduling["disableRetries"], true, "when to try again is the run's to decide");
    assert!(scheduling["restartJobOnWorkerRestart"] != true);
    assert_eq!(spec["workerPoolSpecs"].as_array().unwrap().len(), 1);
    let pool = &spec["workerPoolSpecs"][0];
    assert_eq!(pool["replicaCount"].as_str(), Some("1"));
    assert_eq!(pool["diskSpec"], json!({ "bootDiskSizeGb": 150 }));
    assert_eq!(pool["machineSpec"], json!({ "machineType": "n1-highmem-4" }));
    let container = &pool["containerSpec"];
    assert_eq!(container["imageUri"], "trainer");
    assert_eq!(container["args"], json!(["worker", format!("{STORE}/attempts/{}", attempt.id)]));
    let sources = r#"{"TOKEN":"gcp:projects/films/secrets/token/versions/3"}"#;
    let expected =
        json!([{ "name": "PIPE_SCRATCH", "value": "/tmp" }, { "name": "PIPE_SECRET_SOURCES", "value": sources }]);
    assert_eq!(container["env"], expected, "where a secret is, and never what it is");
}

#[test]
fn a_gpu_comes_with_a_machine_that_holds_it_and_spot_is_asked_for_where_it_is_welcome() {
    let bench = Bench::running(STAYS);
    for (model, count, expected) in [
        (
            Some("nvidia-l4"),
            1,
            json!({ "machineType": "g2-standard-4", "acceleratorType": "NVIDIA_L4", "acceleratorCount": 1 }),
        ),
        (
            Some("nvidia-tesla-a100"),
            2,
            json!({ "machineType": "a2-highgpu-2g", "acceleratorType": "NVIDIA_TESLA_A100", "acceleratorCount": 2 }),
        ),
        (
            Some("nvidia-tesla-t4"),
            1,
            json!({ "machineType": "n1-highmem-2", "acceleratorType": "NVIDIA_TESLA_T4", "acceleratorCount": 1 }),
        ),
    ] {
        let mut attempt = attempt(&format!("{model:?}"));
        let gpu = Gpu { model: model.map(str::to_owned), count, memory: None };
        attempt.provision = Some(Provision { gpu: Some(gpu), spot: true, ..Provision::default() });
        let told = job(&bench, &attempt, &json!({}));
        assert_eq!(told["jobSpec"]["workerPoolSpecs"][0]["machineSpec"], expected);
        assert_eq!(told["jobSpec"]["scheduling"]["strategy"], "SPOT");
    }
}

#[test]
fn a_machine_that_the_settings_name_is_taken() {
    let bench = Bench::running(STAYS);
    let told = job(&bench, &attempt("named"), &json!({ "machine": "g2-standard-12" }));
    let expected = json!({ "machineType": "g2-standard-12", "acceleratorType": "NVIDIA_L4", "acceleratorCount": 1 });
    assert_eq!(told["jobSpec"]["workerPoolSpecs"][0]["machineSpec"], expected, "it always has its GPU");
}

#[test]
fn whoever_makes_everything_anew_begins_with_nothing() {
    let bench = Bench::running(STAYS);
    let attempt = Attempt { anew: true, ..attempt("anew") };
    let told = job(&bench, &attempt, &json!({}));
    let output = format!("{STORE}/vertex/{}/", attempt.id);
    assert_eq!(told["jobSpec"]["baseOutputDirectory"]["outputUriPrefix"], output.as_str());
}

#[test]
fn labels_tell_whose_a_job_is() {
    let bench = Bench::running(STAYS);
    let mut attempt = attempt("labels");
    attempt.task.cell = Cell::from_iter([("angle".to_owned(), json!("FAR_LEFT")), ("game".to_owned(), json!("g1"))]);
    attempt.provision = Some(Provision { labels: texts(&[("team", "Video/ML")]), ..Provision::default() });
    let told = job(&bench, &attempt, &json!({ "labels": { "cost-center": "R&D", "team": "nobody" } }));
    let expected = json!({
        "cost-center": "r_d", "team": "video_ml",
        "pipe-pipeline": "week12", "pipe-run": "20261121-230405-9f3c", "pipe-stage": "clips",
        "pipe-cell": "angle_far_left_game_g1", "pipe-attempt": attempt.id.0,
    });
    assert_eq!(told["labels"], expected);
}

#[test]
fn a_secret_of_this_machine_is_sent_nowhere() {
    let bench = Bench::running(STAYS);
    let mut attempt = attempt("near");
    attempt.provision = Some(Provision { secrets: texts(&[("TOKEN", "env:TOKEN")]), ..Provision::default() });
    let failure = bench.submit(&attempt).unwrap_err();
    assert_eq!(failure.code, "near_secret", "{failure:?}");
    assert_eq!(bench.standin.asked(), []);
}

#[test]
fn attempts_of_one_name_in_two_stores_are_two_jobs() {
    let bench = Bench::running(STAYS);
    let config = json!({
        "project": "films", "region": "us-central1", "image": "worker",
        "endpoint": format!("http://{}", bench.standin.address()),
    });
    let elsewhere = pipe_backends::all().get("vertex").unwrap().connect(&config, "gs://other").unwrap();
    let attempt = attempt("shared");
    let job = bench.submit(&attempt).unwrap();
    assert_eq!(bench.wait(elsewhere.find(&attempt.id)).unwrap(), None);
    assert_ne!(bench.wait(elsewhere.submit(&attempt)).unwrap(), job);
}
