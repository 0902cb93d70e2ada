//! The frozen formats: files of version 1, written by hand, load with the values they hold; what a newer version
//! adds is passed over; what is written today is read back.

use pipe_engine::attempt::{Attempt, ItemCount, Outcome};
use pipe_engine::event::{Body, Counts, RunEvent, Skip};
use pipe_engine::failure::{Class, Failure};
use pipe_engine::ids::RunId;
use pipe_engine::manifest::{Manifest, Of};
use pipe_engine::report::{RunView, Standing};
use pipe_engine::state::{Journal, read_only};
use pipe_engine::units::{Bytes, Millis};
use pipe_engine::worker::{ATTEMPT, read_attempt};
use pipe_engine::world::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};
use std::fs;
use std::path::{Path, PathBuf};

const FINGERPRINT: &str = "6f1c0a52d9b84e37a1c2d3e4f5061728394a5b6c7d8e9f001122334455667788";
/// Events as they first were, and with what was added since.
const EVENTS: [&str; 5] = [
    "run-events.jsonl",
    "run-events-revision.jsonl",
    "run-events-growth.jsonl",
    "run-events-asked.jsonl",
    "run-events-site.jsonl",
];
const RUN: &str = "20261121-230405-9f3c";

#[test]
fn a_manifest_of_version_1_loads() {
    let manifest: Manifest = load("manifest.json");
    assert_eq!((manifest.version, manifest.of, manifest.fingerprint.0.as_str()), (1, Of::Task, FINGERPRINT));
    assert_eq!(manifest.key["cell.angle"], "\"FAR_LEFT\"");
    assert_eq!(manifest.digest, "ab12cd34");
    let file = &manifest.files[0];
    assert_eq!((file.path.as_str(), file.size, file.blake3.as_str()), ("clips/p1.mp4", 48213, "00aa11bb"));
    assert_eq!(file.at, "data/week12/clips/angle=FAR_LEFT@6f1c0a52-2/clips/p1.mp4");
    assert_eq!(manifest.result, json!({ "clips": 1, "seconds": 7.5 }));
    assert_eq!(manifest.provenance.run.0, RUN);
    assert_eq!(manifest.provenance.attempt.0, "6f1c0a52d9b84e37a1c2-2");
    assert_eq!(manifest.provenance.task.to_string(), "clips[angle=FAR_LEFT]");
    assert_eq!(manifest.provenance.published, Timestamp(1_795_302_245_123));
    assert_eq!(manifest.provenance.sources, ["videos/g1/FAR_LEFT.mp4"]);
}

#[test]
fn an_attempt_of_version_1_loads() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(fixture("attempt.json"), folder.path().join(ATTEMPT)).unwrap();
    let attempt = read_attempt(folder.path()).unwrap();
    assert_eq!((attempt.id.0.as_str(), attempt.run.0.as_str()), ("6f1c0a52d9b84e37a1c2-2", RUN));
    assert_eq!(attempt.task.to_string(), "clips[angle=FAR_LEFT,game=g1]");
    assert_eq!((attempt.kind.as_str(), attempt.code.as_str()), ("extract-clips", "3 x264-164"));
    assert_eq!(attempt.config["size"], json!([64, 36]));
    assert_eq!(attempt.inputs["plays"][0].cell.to_string(), "game=g1");
    assert_eq!(attempt.inputs["plays"][0].files[0].size, 312);
    assert_eq!(attempt.files["video"].path, Path::new("/srv/videos/g1/FAR_LEFT.mp4"));
    assert_eq!(attempt.files["video"].written, "videos/g1/FAR_LEFT.mp4");
    assert_eq!((attempt.cpu, attempt.memory), (2, Bytes(4 << 30)));
    assert_eq!(attempt.output, "data/week12/clips/angle=FAR_LEFT,game=g1@6f1c0a52-2");
}

#[test]
fn an_attempt_for_a_place_elsewhere_loads_with_what_that_is_to_provide() {
    let mut written: Json = serde_json::from_str(&text("attempt.json")).unwrap();
    written["provision"] = json!({
        "image": "europe-docker.pkg.dev/films/pipe/worker:7", "timeout": "90m", "spot": true,
        "gpu": { "type": "nvidia-l4", "count": 1 }, "labels": { "team": "video" },
        "secrets": { "TOKEN": "gcp:projects/films/secrets/token/versions/3" },
    });
    let attempt: Attempt = serde_json::from_value(written).unwrap();
    let provision = attempt.provision.unwrap();
    assert_eq!((provision.timeout, provision.spot), (Some(Millis(5_400_000)), true));
    assert_eq!(provision.gpu.unwrap().model.as_deref(), Some("nvidia-l4"));
    assert_eq!(provision.secrets["TOKEN"], "gcp:projects/films/secrets/token/versions/3");
}

#[test]
fn an_outcome_of_version_1_loads() {
    let outcome: Outcome = load("outcome.json");
    assert_eq!(outcome.id.0, "6f1c0a52d9b84e37a1c2-2");
    let failure = outcome.failure.unwrap();
    assert_eq!((failure.class, failure.code.as_str()), (Class::OutOfDisk, "io"));
    assert_eq!(failure.help.as_deref(), Some("make room"));
    assert_eq!(outcome.items, ItemCount { made: 3, reused: 57, failed: 0 });
    assert!(outcome.files.is_empty());
}

#[test]
fn an_outcome_needs_no_more_than_its_version_and_its_name() {
    let outcome: Outcome = serde_json::from_value(json!({ "version": 1, "id": "x-1" })).unwrap();
    assert_eq!((outcome.failure, outcome.files.len(), outcome.items), (None, 0, ItemCount::default()));
}

#[test]
fn a_usage_of_before_networks_and_gpus_were_looked_at_loads() {
    let usage =
        json!({ "cpu_mean": 1.5, "cpu_peak": 2.0, "memory_mean": 1, "memory_peak": 2, "read": 3, "written": 4 });
    let outcome = json!({ "version": 1, "id": "x-1", "usage": usage });
    let usage = serde_json::from_value::<Outcome>(outcome).unwrap().usage.unwrap();
    assert_eq!((usage.cpu_mean, usage.written, usage.network, usage.gpu), (1.5, 4, None, None));
}

#[test]
fn the_events_of_version_1_load_and_tell_the_run() {
    let events: Vec<RunEvent> = lines("run-events.jsonl");
    assert_eq!(events.len(), 14);
    assert!(events.iter().all(|e| e.v == 1 && e.run.0 == RUN && e.seq.is_some() == e.body.is_durable()));
    let seqs: Vec<u64> = events.iter().filter_map(|e| e.seq).collect();
    assert_eq!(seqs, (1..=11).collect::<Vec<_>>());
    assert!(matches!(&events[2].body, Body::AttemptStarted { number: 1, backend, .. } if backend == "local"));
    assert_eq!(events[5].body, Body::Metric { name: "loss".into(), step: 4, value: 0.25 });
    let failure = Failure::of(Class::Transient, "reset", "the connection was reset");
    let items = ItemCount { made: 3, reused: 0, failed: 0 };
    assert_eq!(events[6].body, Body::AttemptEnded { failure: Some(failure), items, usage: None, is_open: false });
    assert_eq!(events[7].body, Body::RetryPlanned { at: Timestamp(1_795_302_247_000) });

    let view = RunView::of(&events);
    assert_eq!(view.finished, Some(Counts { succeeded: 1, cached: 1, failed: 1, skipped: 1, cancelled: 1 }));
    let standing = |task: &str| view.tasks[task].standing;
    assert_eq!(standing("plays[game=g1]"), Standing::Cached);
    assert_eq!(standing("clips[game=g1]"), Standing::Succeeded);
    assert_eq!(standing("model"), Standing::Failed);
    assert_eq!(standing("report"), Standing::Skipped);
    assert_eq!(standing("extra"), Standing::Cancelled);
    assert!(view.interrupted && view.planned == 5);
}

#[test]
fn where_a_run_was_started_loads() {
    let site = RunView::of(&lines("run-events-site.jsonl")).site.unwrap();
    assert_eq!((site.host.as_str(), site.user.as_deref()), ("nightly-3", Some("ann")));
    assert_eq!((site.cpus, site.pipe.as_str()), (8, "0.3.0"));
}

#[test]
fn what_a_run_was_asked_for_loads() {
    let events: Vec<RunEvent> = lines("run-events-asked.jsonl");
    let asked = RunView::of(&events).asked.unwrap();
    assert_eq!(asked.path, "/home/ann/specs/week12.toml");
    assert_eq!((asked.profile.as_deref(), asked.at.as_deref()), (Some("cloud"), Some("v1.2")));
    assert_eq!(json!(asked.params), json!({ "games": ["g1"] }));
    assert_eq!((asked.only, asked.from), (vec!["clips[game=g1]".to_owned()], vec!["plays".to_owned()]));
    assert_eq!((asked.until, asked.force, asked.fail_fast), (vec!["model".to_owned()], true, true));
}

#[test]
fn what_was_added_to_the_events_of_version_1_loads() {
    let events: Vec<RunEvent> = lines("run-events-revision.jsonl");
    let view = RunView::of(&events);
    let revision = view.revision.clone().unwrap();
    assert_eq!((revision.folder.as_str(), revision.commit.as_str()), ("specs", "0f343b0931126a20f133d67c2b018a3b"));
    assert_eq!(revision.remote.as_deref(), Some("https://code.example/club/specs"));
    assert_eq!((revision.branch.as_deref(), revision.at.as_deref()), (Some("main"), Some("v1.2")));
    assert_eq!(revision.tags, ["v1.2"]);
    let changes = revision.changes.unwrap();
    assert_eq!(
        (changes.count, changes.files, changes.digest.as_deref()),
        (1, vec!["week12.toml".into()], Some("beef"))
    );
    assert_eq!(view.tasks["plays[game=g1]"].fingerprint.as_deref(), Some("6f1c0a52d9b84e37a1c2"));
}

#[test]
fn events_about_stages_that_grow_and_tasks_nobody_wants_load() {
    let view = RunView::of(&lines("run-events-growth.jsonl"));
    assert_eq!(view.planned, 3, "the tasks that came");
    let skip = |task: &str| (view.tasks[task].standing, view.tasks[task].skip, view.tasks[task].because.clone());
    assert_eq!(skip("clips[id=g1]"), (Standing::Skipped, Some(Skip::When), None));
    assert_eq!(skip("alarm"), (Standing::Skipped, Some(Skip::NothingFailed), None));
}

#[test]
fn a_journal_of_layout_1_is_read_and_written_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let sql = fs::read_to_string(fixture("journal.sql")).unwrap();
    rusqlite::Connection::open(&path).unwrap().execute_batch(&sql).unwrap();
    let run = RunId(RUN.into());
    let journal = Journal::open(&path).unwrap();
    let mut next = read_only::read(&path, &run, 2).unwrap().remove(0);
    assert_eq!(next.seq, Some(3));
    assert!(matches!(next.body, Body::RunFinished { counts } if counts.failed == 1));
    next.seq = Some(4);
    journal.append(vec![next.clone()]);
    futures::executor::block_on(journal.flush()).unwrap();
    assert_eq!(read_only::read(&path, &run, 3).unwrap(), [next]);
    assert_eq!(read_only::runs(&path).unwrap(), [run]);
}

#[test]
fn what_a_newer_version_adds_is_passed_over() {
    same_with_more::<Manifest>(text("manifest.json"));
    same_with_more::<Attempt>(text("attempt.json"));
    same_with_more::<Outcome>(text("outcome.json"));
    for line in EVENTS.map(text).concat().lines() {
        same_with_more::<RunEvent>(line.to_owned());
    }
}

#[test]
fn an_event_of_an_unknown_type_is_no_error() {
    let line = json!({ "v": 1, "seq": 3, "time": 5, "run": RUN, "task": "clips", "type": "cost_reserved", "euros": 2 });
    let event: RunEvent = serde_json::from_value(line).unwrap();
    assert_eq!((event.seq, event.task.as_deref(), event.body), (Some(3), Some("clips"), Body::Unknown));
}

#[test]
fn an_attempt_of_a_newer_version_is_refused_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let mut newer: Json = serde_json::from_str(&text("attempt.json")).unwrap();
    newer["version"] = json!(2);
    // Whatever else has changed by then must not hide what is wrong.
    newer["memory"] = json!({ "bytes": 1 });
    fs::write(folder.path().join(ATTEMPT), newer.to_string()).unwrap();
    let failure = read_attempt(folder.path()).unwrap_err();
    assert_eq!(failure.code, "other_protocol");
    assert_eq!(failure.message, "the attempt speaks protocol 2 and this worker speaks 1");
    assert!(failure.help.is_some());
}

#[test]
fn an_attempt_without_a_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for text in ["{}", "", "[1]", "{\"version\":\"1\"}"] {
        fs::write(folder.path().join(ATTEMPT), text).unwrap();
        assert_eq!(read_attempt(folder.path()).unwrap_err().code, "bad_attempt", "{text:?}");
    }
}

#[test]
fn what_is_written_today_is_read_back() {
    same_again::<Manifest>(&load("manifest.json"));
    same_again::<Attempt>(&load("attempt.json"));
    same_again::<Outcome>(&load("outcome.json"));
    EVENTS.into_iter().flat_map(lines::<RunEvent>).for_each(|event| same_again(&event));
}

/// The fixtures hold every field and nothing else, so a field that was renamed or dropped shows here.
#[test]
fn what_is_written_today_has_the_fields_of_version_1() {
    for name in ["manifest.json", "attempt.json"] {
        let before: Json = load(name);
        let now = if name == "manifest.json" { rewrite::<Manifest>(name) } else { rewrite::<Attempt>(name) };
        assert_eq!(now, before, "{name}");
    }
    for name in EVENTS {
        for (event, line) in lines::<RunEvent>(name).iter().zip(lines::<Json>(name)) {
            assert_eq!(serde_json::to_value(event).unwrap(), line);
        }
    }
}

fn rewrite<T: Serialize + DeserializeOwned>(name: &str) -> Json {
    serde_json::to_value(load::<T>(name)).unwrap()
}

fn same_again<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) {
    let written = serde_json::to_string_pretty(value).unwrap();
    assert_eq!(serde_json::from_str::<T>(&written).unwrap(), *value);
}

/// The same text with another field in every object that has fields of its own.
fn same_with_more<T: DeserializeOwned + PartialEq + std::fmt::Debug>(text: String) {
    let mut more: Json = serde_json::from_str(&text).unwrap();
    // These are tables of names and not objects with fields: what is added there is a value like the others.
    add_field(&mut more, &["key", "config", "cell", "cells", "inputs", "files", "params", "result"]);
    assert_eq!(serde_json::from_value::<T>(more).unwrap(), serde_json::from_str::<T>(&text).unwrap());
}

fn add_field(value: &mut Json, tables: &[&str]) {
    if let Json::Object(fields) = value {
        for (name, inner) in fields.iter_mut().filter(|(name, _)| !tables.contains(&name.as_str())) {
            assert_ne!(name, "added_later");
            add_field(inner, tables);
        }
        fields.insert("added_later".to_owned(), json!({ "by": "a newer version" }));
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/formats/v1").join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(fixture(name)).unwrap()
}

fn load<T: DeserializeOwned>(name: &str) -> T {
    serde_json::from_str(&text(name)).unwrap()
}

fn lines<T: DeserializeOwned>(name: &str) -> Vec<T> {
    text(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
