//! Looking results up in a bucket: how often it is asked, and what it is asked for.

use super::project::Project;
use futures::future::BoxFuture;
use pipe_engine::ids::{AttemptId, Fingerprint, RunId};
use pipe_engine::key::KeyWriter;
use pipe_engine::lookup::Finder;
use pipe_engine::manifest::{Artifact, FileEntry, Manifest, Of, Provenance, VERSION, place};
use pipe_engine::plan::Plan;
use pipe_engine::state::Hints;
use pipe_engine::store::{Stat, Store, StoreError};
use pipe_engine::world::{Timestamp, World};
use serde_json::Value as Json;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Of 2,000 tasks ten are followed, by one.
const TREE: &str = r#"
[stages.leaf]
kind = "script"
matrix.n = "{{ range(1990) }}"
script = "true {{ n }}"
[stages.part]
kind = "script"
matrix.m = "{{ range(10) }}"
script = "true part {{ m }}"
[stages.sum]
kind = "script"
script = "true sum"
from = ["part"]
"#;

/// A bucket that counts what it is asked.
#[derive(Default)]
struct Counting {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    lists: AtomicUsize,
    gets: Mutex<Vec<String>>,
    under_way: AtomicUsize,
    most_at_once: AtomicUsize,
}

impl Counting {
    fn put(&self, fingerprint: &Fingerprint, digest: &str) {
        let bytes = serde_json::to_vec(&manifest(fingerprint, digest)).unwrap();
        self.objects.lock().unwrap().insert(place(fingerprint), bytes);
    }

    /// Lists and gets since the last time somebody asked.
    fn asked(&self) -> (usize, Vec<String>) {
        (self.lists.swap(0, Ordering::Relaxed), std::mem::take(&mut *self.gets.lock().unwrap()))
    }
}

impl Store for Counting {
    fn get<'a>(&'a self, at: &'a str) -> BoxFuture<'a, Result<Vec<u8>, StoreError>> {
        Box::pin(async move {
            self.gets.lock().unwrap().push(at.to_owned());
            let now = self.under_way.fetch_add(1, Ordering::Relaxed) + 1;
            self.most_at_once.fetch_max(now, Ordering::Relaxed);
            // A service answers later: those that may go on at the same time do.
            let mut waited = false;
            futures::future::poll_fn(|context| {
                context.waker().wake_by_ref();
                if std::mem::replace(&mut waited, true) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
            })
            .await;
            self.under_way.fetch_sub(1, Ordering::Relaxed);
            let found = self.objects.lock().unwrap().get(at).cloned();
            found.ok_or_else(|| StoreError::Missing { at: at.to_owned() })
        })
    }
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<Stat>, StoreError>> {
        self.lists.fetch_add(1, Ordering::Relaxed);
        let objects = self.objects.lock().unwrap();
        let below = objects.iter().filter(|(at, _)| at.starts_with(prefix));
        let stat = |(at, bytes): (&String, &Vec<u8>)| {
            let tag = Some(blake3::hash(bytes).to_string());
            Stat { at: at.clone(), size: bytes.len() as u64, tag, changed: None }
        };
        let found = below.map(stat).collect();
        Box::pin(async move { Ok(found) })
    }
    fn get_range<'a>(&'a self, _: &'a str, _: u64, _: u64) -> BoxFuture<'a, Result<Vec<u8>, StoreError>> {
        panic!("nobody reads a part of a manifest")
    }
    fn put_new<'a>(&'a self, _: &'a str, _: &'a [u8]) -> BoxFuture<'a, Result<(), StoreError>> {
        panic!("looking writes nothing")
    }
    fn replace_if<'a>(&'a self, _: &'a str, _: &'a [u8], _: &'a [u8]) -> BoxFuture<'a, Result<(), StoreError>> {
        panic!("looking writes nothing")
    }
    fn stat<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Stat>, StoreError>> {
        panic!("a bucket is listed, never asked for one object")
    }
    fn delete<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        panic!("looking removes nothing")
    }
}

fn manifest(fingerprint: &Fingerprint, digest: &str) -> Manifest {
    let file = FileEntry { path: "made".into(), size: 1, blake3: digest.into(), at: "data/made".into() };
    Manifest {
        version: VERSION,
        of: Of::Task,
        fingerprint: fingerprint.clone(),
        key: KeyWriter::default().field("kind", "script").finish().fields,
        digest: digest.to_owned(),
        files: vec![file],
        result: Json::Null,
        provenance: Provenance {
            run: RunId("20261122-000000-0000".into()),
            attempt: AttemptId::new(fingerprint, 1),
            task: pipe_engine::ids::TaskId { stage: "any".into(), cell: pipe_engine::ids::Cell::default() },
            published: Timestamp(0),
            sources: Vec::new(),
            pipeline: None,
            adopted: None,
        },
    }
}

fn finder(plan: &Arc<Plan>, store: &Arc<Counting>, hints: &Path) -> Finder {
    Finder::in_bucket(plan.clone(), ("test://bucket", store.clone()), Hints::load(hints), World::real())
}

/// Looks each task up, as a plan does. Returns how many have a result.
fn look(plan: &Plan, finder: &Finder, mut missed: impl FnMut(&Fingerprint)) -> usize {
    let (mut made, mut hits): (HashMap<usize, Arc<Artifact>>, usize) = (HashMap::new(), 0);
    let mut fingerprints = Vec::new();
    for index in 0..plan.len() {
        let needed: Vec<usize> =
            plan.task(index).inputs.iter().flat_map(|i| i.tasks.iter()).map(|t| t.index()).collect();
        let wanted: Vec<&Fingerprint> = needed.iter().map(|need| &fingerprints[*need]).collect();
        if !wanted.is_empty() {
            let found = finder.artifacts(&wanted).unwrap();
            made.extend(needed.iter().copied().zip(found).filter_map(|(need, found)| Some((need, found?))));
        }
        let glance = finder.glance(index, |need| made.get(&need).map(AsRef::as_ref)).unwrap();
        hits += usize::from(glance.is_there);
        if !glance.is_there {
            missed(&glance.fingerprint);
        }
        fingerprints.push(glance.fingerprint);
    }
    finder.save();
    hits
}

/// A bucket with the result of every task of a plan.
fn filled(plan: &Arc<Plan>, hints: &Path) -> Arc<Counting> {
    let store = Arc::new(Counting::default());
    // The sum's key is known once its parts are there.
    for _ in 0..2 {
        look(plan, &finder(plan, &store, &hints.with_extension("none")), |missed| store.put(missed, &missed.0));
    }
    store.asked();
    store
}

#[test]
fn two_thousand_results_are_listed_and_only_those_that_are_followed_are_opened_and_that_once() {
    let (project, folder) = (Project::new(), tempfile::tempdir().unwrap());
    let (plan, hints) = (Arc::new(project.plan(TREE)), folder.path().join("hints.db"));
    assert_eq!(plan.len(), 2001);
    let store = filled(&plan, &hints);

    assert_eq!(look(&plan, &finder(&plan, &store, &hints), |_| {}), 2001);
    let (lists, gets) = store.asked();
    assert!(lists <= 2, "{lists} lists");
    assert_eq!(gets.len(), 10, "one for each part, and none for the leaves and the sum");
    assert_eq!(store.most_at_once.load(Ordering::Relaxed), 10, "they are asked for at once");

    assert_eq!(look(&plan, &finder(&plan, &store, &hints), |_| {}), 2001);
    let (lists, gets) = store.asked();
    assert!(lists <= 2, "{lists} lists");
    assert_eq!(gets, Vec::<String>::new(), "what was read once is remembered");
}

#[test]
fn what_is_not_listed_is_not_asked_for() {
    let (project, folder) = (Project::new(), tempfile::tempdir().unwrap());
    let (plan, store) = (Arc::new(project.plan(TREE)), Arc::new(Counting::default()));
    assert_eq!(look(&plan, &finder(&plan, &store, &folder.path().join("hints.db")), |_| {}), 0);
    assert_eq!(store.asked(), (2, Vec::new()));
}

#[test]
fn a_large_bucket_is_listed_by_its_folders() {
    let (project, folder) = (Project::new(), tempfile::tempdir().unwrap());
    let (plan, hints) = (Arc::new(project.plan(TREE)), folder.path().join("hints.db"));
    let store = filled(&plan, &hints);
    for n in 0..20_000_u32 {
        store.put(&Fingerprint(blake3::hash(&n.to_le_bytes()).to_string()), "another");
    }
    assert_eq!(look(&plan, &finder(&plan, &store, &hints), |_| {}), 2001);
    assert_eq!(store.asked().0, 256);
}

#[test]
fn a_manifest_that_is_another_by_now_is_read_again_and_one_that_is_damaged_counts_as_absent() {
    let (project, folder) = (Project::new(), tempfile::tempdir().unwrap());
    let (plan, hints) = (Arc::new(project.plan(TREE)), folder.path().join("hints.db"));
    let store = filled(&plan, &hints);
    assert_eq!(look(&plan, &finder(&plan, &store, &hints), |_| {}), 2001);
    let first = finder(&plan, &store, &hints).glance(1990, |_| None).unwrap().fingerprint;
    store.asked();

    store.put(&first, "other bytes");
    let mut missed = Vec::new();
    assert_eq!(look(&plan, &finder(&plan, &store, &hints), |missing| missed.push(missing.clone())), 2000);
    assert_eq!((store.asked().1, missed.len()), (vec![place(&first)], 1), "the sum follows other bytes now");

    store.objects.lock().unwrap().insert(place(&first), b"{".to_vec());
    let looking = finder(&plan, &store, &hints);
    assert_eq!(looking.artifacts(&[&first]).unwrap(), [None]);
    assert!(!looking.glance(1990, |_| None).unwrap().is_there);
}
