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
    (attempt.cpu, attempt.memory, attempt.disk) = (3, Bytes(6 << 30), Some(Bytes(10 << 30)));
    attempt.provision = Some(Provision {
        image: Some("trainer".to_owned()),
        timeout: Some(Millis(5_400_000)),
        secrets: texts(&[
            ("OTHER", "gcp:projects/shared/secrets/other/versions/latest"),
            ("TOKEN", "gcp:projects/films/secrets/token/versions/3"),
        ]),
        ..Provision::default()
    });
    let told = job(&bench, &attempt, &json!({ "service_account": "worker@films.iam.gserviceaccount.com" }));
    assert_eq!((&told["template"]["taskCount"], &told["template"]["parallelism"]), (&1.into(), &1.into()));
    let task = &told["template"]["template"];
    assert_eq!((&task["timeout"], &task["maxRetries"]), (&"5400s".into(), &0.into()));
    assert_eq!(task["serviceAccount"], "worker@films.iam.gserviceaccount.com");
    assert_eq!(
        task["volumes"],
        json!([{ "name": "scratch", "emptyDir": { "medium": "DISK", "sizeLimit": "10240Mi" } }])
    );
    let container = &task["containers"][0];
    assert_eq!(container["image"], "trainer");
    assert_eq!(container["args"], json!(["worker", format!("{STORE}/attempts/{}", attempt.id)]));
    assert_eq!(container["resources"]["limits"], json!({ "cpu": "4", "memory": "6144Mi" }));
    assert_eq!(container["volumeMounts"], json!([{ "name": "scratch", "mountPath": "/scratch" }]));
    let secret = |secret: &str, version: &str| json!({ "secretKeyRef": { "secret": secret, "version": version } });
    let expected = json!([
        { "name": "PIPE_SCRATCH", "value": "/scratch" },
        { "name": "PIPE_SECRETS", "value": "OTHER,TOKEN" },
        { "name": "OTHER", "valueSource": secret("projects/shared/secrets/other", "latest") },
        { "name": "TOKEN", "valueSource": secret("token", "3") },
    ]);
    assert_eq!(container["env"], expected);
}

#[test]
fn a_gpu_comes_with_its_type_and_with_as_much_as_it_needs_beside_it() {
    let bench = Bench::running(STAYS);
    let mut attempt = attempt("gpu");
    let gpu = Gpu { model: None, count: 1, memory: None };
    attempt.provision = Some(Provision { gpu: Some(gpu), ..Provision::default() });
    let told = job(&bench, &attempt, &json!({}));
    let task = &told["template"]["template"];
    assert_eq!(task["nodeSelector"], json!({ "accelerator": "nvidia-l4" }));
    assert_eq!(task["gpuZonalRedundancyDisabled"], true);
    let limits = &task["containers"][0]["resources"]["limits"];
    assert_eq!(*limits, json!({ "cpu": "4", "memory": "16384Mi", "nvidia.com/gpu": "1" }));
}

#[test]
fn scratch_space_in_memory_is_added_to_the_memory() {
    let bench = Bench::running(STAYS);
    let mut attempt = attempt("scratch");
    attempt.disk = Some(Bytes(3 << 30));
    let told = job(&bench, &attempt, &json!({ "scratch": "memory" }));
    let task = &told["template"]["template"];
    assert_eq!(task["volumes"][0]["emptyDir"], json!({ "medium": "MEMORY", "sizeLimit": "3072Mi" }));
    assert_eq!(task["containers"][0]["resources"]["limits"]["memory"], "4096Mi");
}

/// Source of the rules: https://cloud.google.com/run/docs/configuring/jobs/labels, read 2026-11.
#[test]
fn labels_are_what_google_takes_and_tell_whose_a_job_is() {
    let bench = Bench::running(STAYS);
    let mut attempt = attempt("labels");
    attempt.pipeline = "Woche 12".to_owned();
    attempt.task.cell = Cell::from_iter([("angle".to_owned(), json!("FAR_LEFT")), ("game".to_owned(), json!("g1"))]);
    let long = "Ein sehr langer Name, der über alles hinausgeht, was ein Etikett von Google fassen kann";
    let labels = texts(&[("team", "Video/ML"), ("7", long), (long, ""), ("pipe-stage", "mine"), ("", "x")]);
    attempt.provision = Some(Provision { labels, ..Provision::default() });
    let told = job(&bench, &attempt, &json!({ "labels": { "cost-center": "R&D", "team": "nobody" } }));
    for labels in [&told["labels"], &told["template"]["labels"]] {
        let labels = labels.as_object().unwrap();
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
        for (name, value) in labels {
            let value = value.as_str().unwrap();
            assert!(name.starts_with(|c: char| c.is_ascii_lowercase()) && name.len() <= 63, "{name}");
            assert!(value.len() <= 63 && value.chars().chain(name.chars()).all(is_plain), "{name}: {value}");
        }
        let expected = [
            ("pipe-pipeline", "woche_12"),
            ("pipe-run", "20261121-230405-9f3c"),
            ("pipe-stage", "clips"),
            ("pipe-cell", "angle_far_left_game_g1"),
            ("pipe-attempt", attempt.id.0.as_str()),
            ("team", "video_ml"),
            ("cost-center", "r_d"),
        ];
        expected.iter().for_each(|(name, value)| assert_eq!(labels[*name], *value, "{name}"));
        assert_eq!(labels.len(), 9, "{labels:?}");
    }
}

#[test]
fn attempts_of_one_name_in_two_stores_are_two_jobs() {
    let bench = Bench::running(STAYS);
    let config = json!({
        "project": "films", "region": "us-central1", "image": "worker",
        "endpoint": format!("http://{}", bench.standin.address()),
    });
    let elsewhere = pipe_backends::all().get("cloud-run").unwrap().connect(&config, "gs://other").unwrap();
    let attempt = attempt("shared");
    let job = bench.submit(&attempt).unwrap();
    assert_eq!(bench.wait(elsewhere.find(&attempt.id)).unwrap(), None);
    assert_ne!(bench.wait(elsewhere.submit(&attempt)).unwrap(), job);
}
