//! A bucket that is a folder, now and then in a mood of its own.

use super::*;
use crate::attempt::SourceFile;
use crate::ids::{AttemptId, Cell, RunId, TaskId};
use crate::key::KeyWriter;
use crate::manifest::{Artifact, Manifest, Provenance, VERSION, digest, place};
use crate::stamp::FileStamp;
use crate::store::Stat;
use crate::work::entry;
use crate::world::Timestamp;
use futures::future::BoxFuture;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A bucket and what befalls it.
struct Moody {
    folder: Folder,
    /// So many reads of ranges give other bytes.
    spoils: AtomicU32,
    /// So many calls are not answered.
    is_away: AtomicU32,
    /// Whether a create replaces what is there.
    forgets: bool,
}

impl Moody {
    fn at(root: &Path) -> Self {
        let folder = Folder::open(root).unwrap();
        Self { folder, spoils: AtomicU32::new(0), is_away: AtomicU32::new(0), forgets: false }
    }

    fn answer(&self) -> Result<(), StoreError> {
        let away = self.is_away.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok();
        let source = io::Error::other("nobody answers");
        if away {
            Err(StoreError::Away { doing: "reach", at: "it".into(), class: Class::Transient, source })
        } else {
            Ok(())
        }
    }
}

impl Store for Moody {
    fn get<'a>(&'a self, at: &'a str) -> BoxFuture<'a, Result<Vec<u8>, StoreError>> {
        Box::pin(async move { self.answer().map(|()| self.folder.get(at))?.await })
    }
    fn get_range<'a>(&'a self, at: &'a str, offset: u64, length: u64) -> BoxFuture<'a, Result<Vec<u8>, StoreError>> {
        Box::pin(async move {
            self.answer()?;
            let mut bytes = self.folder.get_range(at, offset, length).await?;
            if self.spoils.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok() {
                bytes.iter_mut().for_each(|byte| *byte = byte.wrapping_add(1));
            }
            Ok(bytes)
        })
    }
    fn put_new<'a>(&'a self, at: &'a str, bytes: &'a [u8]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.answer()?;
            if self.forgets {
                self.folder.delete(at).await?;
            }
            self.folder.put_new(at, bytes).await
        })
    }
    fn replace_if<'a>(&'a self, at: &'a str, old: &'a [u8], new: &'a [u8]) -> BoxFuture<'a, Result<(), StoreError>> {
        self.folder.replace_if(at, old, new)
    }
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<Stat>, StoreError>> {
        self.folder.list(prefix)
    }
    fn stat<'a>(&'a self, at: &'a str) -> BoxFuture<'a, Result<Option<Stat>, StoreError>> {
        self.folder.stat(at)
    }
    fn delete<'a>(&'a self, at: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        self.folder.delete(at)
    }
}

/// A bucket and the machines that share it.
struct Bench {
    root: tempfile::TempDir,
    bucket: Arc<Moody>,
}

impl Bench {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let bucket = Arc::new(Moody::at(&root.path().join("bucket")));
        Self { root, bucket }
    }

    fn machine(&self, name: &str) -> Machine {
        let copy = Arc::new(Folder::open(self.root.path().join(name)).unwrap());
        Machine { shared: Shared::of("s3://b/p", self.bucket.clone(), copy.clone()), copy }
    }

    fn in_bucket(&self, at: &str) -> PathBuf {
        self.bucket.folder.path(at)
    }
}

struct Machine {
    shared: Shared,
    copy: Arc<Folder>,
}

impl Machine {
    /// A result of one file that an attempt here has made, filed here as a run does.
    fn made(&self, text: &str) -> Manifest {
        let at = "data/p/s/all@1a2b3c4d-1/file.txt".to_owned();
        let path = self.copy.path(&at);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        let files = vec![entry(&path, "file.txt", &at).unwrap()];
        let key = KeyWriter::default().field("kind", "script").finish();
        let manifest = Manifest {
            version: VERSION,
            of: crate::manifest::Of::Task,
            fingerprint: key.fingerprint.clone(),
            key: key.fields,
            digest: digest(&files),
            files,
            result: Json::Null,
            provenance: Provenance {
                run: RunId(text.trim().to_owned()),
                attempt: AttemptId::new(&key.fingerprint, 1),
                task: TaskId { stage: "s".into(), cell: Cell::default() },
                published: Timestamp(0),
                sources: Vec::new(),
                pipeline: None,
                adopted: None,
            },
        };
        Results::of(self.copy.as_ref()).file(&manifest).unwrap();
        manifest
    }

    fn brought(&self, manifest: &Manifest) -> String {
        self.shared.restore(&Artifact::from(manifest.clone())).unwrap();
        fs::read_to_string(self.copy.path(&here(&manifest.files[0]).at)).unwrap()
    }
}

#[test]
fn what_one_machine_has_made_another_finds_and_brings() {
    let bench = Bench::new();
    let (here, there) = (bench.machine("here"), bench.machine("there"));
    let made = here.made("one");
    assert_eq!(here.shared.push(made.clone(), false).unwrap(), made);
    let found = there.shared.find(&made.fingerprint).unwrap().unwrap();
    assert_eq!(found, made);
    assert_eq!(there.brought(&found), "one");
    assert!(here.shared.unpushed(&made.fingerprint).unwrap().is_none(), "it need not be put there again");
}

#[test]
fn what_did_not_get_into_the_bucket_is_put_there_by_whoever_looks_for_it() {
    let bench = Bench::new();
    let made = bench.machine("here").made("one");
    let after_a_crash = bench.machine("here");
    assert_eq!(after_a_crash.shared.find(&made.fingerprint).unwrap(), Some(made.clone()));
    assert!(bench.in_bucket(&place(&made.fingerprint)).exists());
}

#[test]
fn of_two_results_of_one_key_the_first_counts_and_both_machines_have_its_bytes() {
    let bench = Bench::new();
    let (here, there) = (bench.machine("here"), bench.machine("there"));
    let first = here.shared.push(here.made("one"), false).unwrap();
    let second = there.shared.push(there.made("two"), false).unwrap();
    assert_eq!(second, first);
    // Under the path of the first one there lies the other machine's own file.
    assert_eq!(there.brought(&second), "one");
}

#[test]
fn a_path_that_is_taken_by_something_else_is_left_alone() {
    let bench = Bench::new();
    let here = bench.machine("here");
    let made = here.made("one");
    let taken = bench.in_bucket(&made.files[0].at);
    fs::create_dir_all(taken.parent().unwrap()).unwrap();
    fs::write(&taken, "two").unwrap();
    let there = here.shared.push(made.clone(), false).unwrap();
    assert_eq!(there.files[0].at, "data/p/s/all@1a2b3c4d-2/file.txt");
    assert_eq!(there.digest, made.digest);
    assert_eq!(fs::read_to_string(taken).unwrap(), "two");
    assert_eq!(bench.machine("there").brought(&there), "one");
}

#[test]
fn what_was_put_there_before_a_crash_is_not_put_there_twice() {
    let bench = Bench::new();
    let here = bench.machine("here");
    let made = here.made("one");
    blocking(bench.bucket.folder.put_new(&made.files[0].at, b"one")).unwrap();
    assert_eq!(here.shared.push(made.clone(), false).unwrap(), made);
    assert_eq!(blocking(bench.bucket.list("data/")).unwrap().len(), 1);
}

#[test]
fn what_is_spoilt_on_its_way_is_asked_for_again_and_nothing_is_put_in_quarantine() {
    let bench = Bench::new();
    let made = bench.machine("here");
    let made = made.shared.push(made.made("one"), false).unwrap();
    bench.bucket.spoils.store(1, Ordering::Relaxed);
    assert_eq!(bench.machine("there").brought(&made), "one");
    assert!(bench.in_bucket(&place(&made.fingerprint)).exists());
}

#[test]
fn what_is_not_as_it_was_filed_is_put_in_quarantine_and_never_gets_its_place() {
    for spoilt in [Some("two"), Some("tw"), None] {
        let bench = Bench::new();
        let here = bench.machine("here");
        let made = here.shared.push(here.made("one"), false).unwrap();
        let object = bench.in_bucket(&made.files[0].at);
        match spoilt {
            Some(text) => fs::write(object, text).unwrap(),
            None => fs::remove_file(object).unwrap(),
        }
        let there = bench.machine("there");
        let failure = there.shared.restore(&Artifact::from(made.clone())).unwrap_err();
        assert_eq!(failure.code, DAMAGED, "{failure}");
        assert!(!bench.in_bucket(&place(&made.fingerprint)).exists());
        assert!(!there.copy.path(&super::here(&made.files[0]).at).exists());
        assert_eq!(there.shared.find(&made.fingerprint).unwrap(), None);
        assert_eq!(blocking(there.copy.list("bytes/")).unwrap(), []);
    }
}

#[test]
fn a_file_that_changed_since_it_was_hashed_is_not_put_there() {
    let bench = Bench::new();
    let here = bench.machine("here");
    let made = here.made("one");
    fs::write(here.copy.path(&made.files[0].at), "two").unwrap();
    let failure = here.shared.push(made.clone(), false).unwrap_err();
    assert!(failure.to_string().contains("it is not what it was when it was made"), "{failure}");
    assert_eq!(blocking(bench.bucket.list("results/")).unwrap(), []);
}

#[test]
fn a_bucket_that_is_away_for_a_moment_is_asked_again() {
    let bench = Bench::new();
    let here = bench.machine("here");
    let made = here.made("one");
    bench.bucket.is_away.store(1, Ordering::Relaxed);
    assert_eq!(here.shared.push(made.clone(), false).unwrap(), made);
}

#[test]
fn a_bucket_that_replaces_what_it_was_to_create_is_refused() {
    let bench = Bench::new();
    bench.machine("here").shared.prove().unwrap();
    bench.machine("there").shared.prove().unwrap();
    let mut bucket = Moody::at(&bench.root.path().join("other"));
    bucket.forgets = true;
    let copy = Arc::new(Folder::open(bench.root.path().join("copy")).unwrap());
    let error = Shared::of("s3://b/p", Arc::new(bucket), copy).prove().unwrap_err();
    assert!(error.to_string().contains("has just replaced one"), "{error}");
}

impl Bench {
    /// A file of a machine as the engine hashes it.
    fn file(&self, name: &str, text: &str) -> SourceFile {
        let path = self.root.path().join(name);
        fs::write(&path, text).unwrap();
        let stamp = FileStamp::of_companion(&path).unwrap();
        SourceFile {
            written: format!("files/{name}"),
            size: text.len() as u64,
            blake3: blake3::hash(text.as_bytes()).to_hex().to_string(),
            remote: None,
            stamps: BTreeMap::from([(String::new(), stamp)]),
            path,
        }
    }
}

#[test]
fn a_file_that_goes_with_a_task_is_sent_once_and_no_path_of_this_machine_is_told() {
    let bench = Bench::new();
    let (here, there) = (bench.machine("here"), bench.machine("there"));
    for (name, text) in [("a.txt", "some text"), ("b.txt", "some text"), ("empty.txt", "")] {
        let file = bench.file(name, text);
        let lent = here.shared.lend(&file).unwrap();
        assert_eq!(lent.path, Path::new(name));
        assert_eq!((&lent.written, lent.stamps.len()), (&file.written, 0));
        let borrowed = there.shared.borrowed(&lent).unwrap();
        assert_eq!(borrowed.path.file_name(), file.path.file_name(), "programs go by endings");
        assert_eq!(fs::read_to_string(&borrowed.path).unwrap(), text);
        fs::remove_file(file.path).unwrap();
    }
    let objects = blocking(bench.bucket.list("files/")).unwrap();
    assert_eq!(objects.len(), 2, "{objects:?}");
}

#[test]
fn a_file_that_is_too_large_or_has_its_end_in_another_does_not_go_with_a_task() {
    let bench = Bench::new();
    let here = bench.machine("here");
    let large = SourceFile { size: (1 << 30) + 1, ..bench.file("film.mp4", "") };
    assert_eq!(here.shared.lend(&large).unwrap_err().code, "file_too_large");
    let mut plays = bench.file("plays.db", "rows");
    bench.file("plays.db-wal", "newer rows");
    let log = FileStamp::of(&fs::metadata(bench.root.path().join("plays.db-wal")).unwrap());
    plays.stamps.insert("-wal".to_owned(), log);
    assert_eq!(here.shared.lend(&plays).unwrap_err().code, "file_in_parts");
    assert_eq!(blocking(bench.bucket.list("files/")).unwrap(), []);
}

#[test]
fn a_file_that_was_spoilt_in_the_bucket_is_not_taken() {
    let bench = Bench::new();
    let lent = bench.machine("here").shared.lend(&bench.file("rules.txt", "no offside")).unwrap();
    fs::write(bench.in_bucket(&format!("files/{}", lent.blake3)), "no offsite").unwrap();
    let failure = bench.machine("there").shared.borrowed(&lent).unwrap_err();
    assert_eq!(failure.code, "file_damaged", "{failure}");
}
