//! Attempts that are described in a bucket: whoever wants one key comes to one attempt.

use pipe_engine::attempt::{Attempt, ItemCount, Outcome, VERSION};
use pipe_engine::elsewhere::{Depot, close, describe};
use pipe_engine::failure::{Class, Failure};
use pipe_engine::manifest::Manifest;
use pipe_engine::shared::Shared;
use pipe_engine::store::{Folder, Results};
use serde_json::{Value as Json, json};
use std::path::Path;
use std::sync::{Arc, Barrier};
use tempfile::TempDir;

const FINGERPRINT: &str = "6f1c0a52d9b84e37a1c2d3e4f5061728394a5b6c7d8e9f001122334455667788";

/// A bucket that is a folder, and the machines that share it.
struct Bench {
    root: TempDir,
    bucket: Arc<Folder>,
}

impl Bench {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let bucket = Arc::new(Folder::open(root.path().join("bucket")).unwrap());
        Self { root, bucket }
    }

    fn machine(&self, name: &str) -> Depot {
        let copy = Arc::new(Folder::open(self.root.path().join(name)).unwrap());
        Depot::Bucket(Arc::new(Shared::of("s3://bucket/prefix/", self.bucket.clone(), copy)))
    }

    /// Ends an attempt.
    fn end(&self, attempt: &Attempt, failure: Option<Failure>) {
        let (files, items) = (Vec::new(), ItemCount::default());
        let id = attempt.id.clone();
        close(
            self.bucket.as_ref(),
            Outcome { version: VERSION, id, failure, files, result: Json::Null, items, usage: None },
        )
        .unwrap();
    }
}

fn attempt(depot: &Depot) -> Attempt {
    let text = json!({
        "version": VERSION, "id": "", "run": "r", "pipeline": "p", "task": { "stage": "s" }, "kind": "note", "code": "1",
        "fingerprint": FINGERPRINT, "key": {}, "config": {}, "inputs": {}, "files": {}, "store": depot.root(),
        "output": "data/p/s/all@6f1c0a52", "cpu": 1, "memory": 1 << 20,
    });
    serde_json::from_value(text).unwrap()
}

fn described(depot: &Depot) -> Attempt {
    describe(depot, attempt(depot), None).unwrap()
}

fn number(attempt: &Attempt) -> &str {
    attempt.id.0.strip_prefix("6f1c0a52d9b84e37a1c2-").unwrap()
}

#[test]
fn machines_that_describe_one_key_at_the_same_moment_come_to_one_attempt() {
    let bench = Bench::new();
    let together = Barrier::new(8);
    let numbers: Vec<String> = std::thread::scope(|scope| {
        let machines = (0..8).map(|n| bench.machine(&n.to_string())).collect::<Vec<_>>();
        let threads = machines.into_iter().map(|machine| {
            let together = &together;
            scope.spawn(move || {
                together.wait();
                number(&described(&machine)).to_owned()
            })
        });
        threads.collect::<Vec<_>>().into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(numbers, ["1"; 8]);
}

#[test]
fn an_attempt_names_its_store_by_its_uri() {
    let bench = Bench::new();
    let attempt = described(&bench.machine("here"));
    assert_eq!(attempt.store, Path::new("s3://bucket/prefix"));
    assert_eq!(attempt.output, "data/p/s/all@6f1c0a52-1");
}

#[test]
fn an_attempt_that_failed_or_whose_result_is_gone_is_followed_by_another() {
    let bench = Bench::new();
    let here = bench.machine("here");
    let first = described(&here);
    assert_eq!(number(&described(&bench.machine("there"))), "1", "it is open");
    bench.end(&first, Some(Failure::of(Class::Preempted, "preempted", "the machine was taken away")));
    let second = described(&here);
    assert_eq!(number(&second), "2");
    bench.end(&second, None);
    assert_eq!(number(&described(&here)), "3", "what it made was put in quarantine");
}

#[test]
fn what_an_attempt_has_made_while_nobody_listened_is_not_made_again() {
    let bench = Bench::new();
    let here = bench.machine("here");
    let first = described(&here);
    bench.end(&first, None);
    let manifest: Manifest = serde_json::from_value(json!({
        "version": 1, "of": "task", "fingerprint": FINGERPRINT, "key": {}, "digest": "00", "files": [],
        "provenance": { "run": "r", "attempt": first.id, "task": { "stage": "s" }, "published": 0 },
    }))
    .unwrap();
    Results::of(bench.bucket.as_ref()).file(&manifest).unwrap();
    assert_eq!(number(&described(&here)), "1");
    let anew = Attempt { anew: true, ..attempt(&here) };
    assert_eq!(number(&describe(&here, anew, None).unwrap()), "2");
}
