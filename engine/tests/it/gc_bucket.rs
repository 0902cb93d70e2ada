//! What attempts elsewhere have left in a bucket: what nobody goes on with goes, and nothing that somebody may.

use pipe_engine::gc::Roots;
use pipe_engine::gc::bucket::{Keeping, Remains};
use pipe_engine::ids::AttemptId;
use pipe_engine::store::{Folder, Store, blocking};
use pipe_engine::world::Timestamp;
use std::collections::BTreeSet;
use std::fs::File;
use std::time::{Duration, UNIX_EPOCH};
use tempfile::TempDir;

const DAY: u64 = 86_400_000;
const NOW: u64 = 100 * DAY;
/// Keys as names of attempts begin with them, and a fingerprint of the first.
const DONE: &str = "0123456789abcdef0123";
const OTHER: &str = "aaaaaaaaaaaaaaaaaaaa";
const THIRD: &str = "bbbbbbbbbbbbbbbbbbbb";
/// Digests of files.
const A: &str = "00000000000000000000000000000000000000000000000000000000000000aa";
const B: &str = "00000000000000000000000000000000000000000000000000000000000000bb";

/// A store that stands for a bucket.
struct Bucket {
    _folder: TempDir,
    store: Folder,
}

impl Bucket {
    /// With these objects, each as many days old.
    fn with(objects: &[(&str, u64)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bucket = Self { store: Folder::open(folder.path()).unwrap(), _folder: folder };
        objects.iter().for_each(|(at, days)| bucket.put(at, "{}", *days));
        bucket
    }

    fn put(&self, at: &str, text: &str, days: u64) {
        blocking(self.store.put_new(at, text.as_bytes())).unwrap();
        let when = UNIX_EPOCH + Duration::from_millis(NOW - days * DAY);
        File::options().write(true).open(self.store.path(at)).unwrap().set_modified(when).unwrap();
    }

    /// An attempt that is open, and takes a file.
    fn open(&self, id: &str, blake3: &str, days: u64) {
        let text = format!(r#"{{"version": 9, "files": {{"files[0]": {{"path": "x", "blake3": "{blake3}"}}}}}}"#);
        self.put(&format!("attempts/{id}/attempt.json"), &text, days);
    }

    fn remains(&self, known: &[&str], open: &[&str]) -> Remains {
        let keeping = Keeping {
            min_age: Duration::from_millis(DAY),
            checkpoints: Duration::from_millis(7 * DAY),
            now: Timestamp(NOW),
        };
        let known: BTreeSet<AttemptId> = known.iter().map(|id| AttemptId((*id).to_owned())).collect();
        let roots = Roots { open: open.iter().map(|start| (*start).to_owned()).collect(), ..Roots::default() };
        Remains::of(&self.store, &keeping, &known, &roots).unwrap()
    }

    /// What would go, by its path.
    fn goes(&self, known: &[&str], open: &[&str]) -> Vec<String> {
        self.remains(known, open).objects().map(|stat| stat.at.clone()).collect()
    }

    /// All that there is.
    fn all(&self) -> Vec<String> {
        blocking(self.store.list("")).unwrap().into_iter().map(|stat| stat.at).collect()
    }
}

fn of(id: &str, name: &str) -> String {
    format!("attempts/{id}/{name}")
}

#[test]
fn an_attempt_that_is_over_leaves_its_outcome_alone_once_it_is_old() {
    let bucket = Bucket::with(&[]);
    for (id, days) in [("k-1", 3), ("k-2", 0)] {
        for name in ["attempt.json", "claim", "outcome.json", "segments/000001.jsonl", "train.jsonl"] {
            bucket.put(&of(id, name), r#"{"files": {}}"#, days);
        }
    }
    let gone = ["attempt.json", "claim", "segments/000001.jsonl", "train.jsonl"].map(|name| of("k-1", name));
    assert_eq!(bucket.goes(&[], &[]), gone, "the description first: with it and without an outcome an attempt is open");
    assert_eq!(bucket.goes(&["k-1"], &[]), [""; 0], "the journal has it as not over");
    let kept = bucket.all().len() - gone.len();
    bucket.remains(&[], &[]).remove(&bucket.store).unwrap();
    assert!(bucket.all().contains(&of("k-1", "outcome.json")) && bucket.all().len() == kept, "{:?}", bucket.all());
    assert_eq!(bucket.goes(&[], &[]), [""; 0], "what is gone is gone");
}

#[test]
fn an_open_attempt_keeps_all_that_is_its_own_and_the_files_that_it_takes() {
    let files = [format!("files/{A}"), format!("files/{B}")];
    let bucket = Bucket::with(&[(files[0].as_str(), 50), (files[1].as_str(), 50)]);
    bucket.open(&format!("{OTHER}-1"), A, 40);
    bucket.put(&of(&format!("{OTHER}-1"), "segments/000001.jsonl"), "{}", 40);
    bucket.put(&format!("checkpoints/{OTHER}/000001-000001.json"), "{}", 40);
    assert_eq!(bucket.goes(&[], &[]), [files[1].clone()]);
    assert_eq!(bucket.remains(&[], &[]).open.len(), 1);
    // Its end lets them go.
    bucket.put(&of(&format!("{OTHER}-1"), "outcome.json"), "{}", 39);
    let goes = bucket.goes(&[], &[]);
    assert!(goes.contains(&files[0]) && goes.contains(&format!("checkpoints/{OTHER}/000001-000001.json")), "{goes:?}");
}

#[test]
fn an_old_attempt_whose_key_has_a_result_is_over_unless_somebody_may_go_on_with_it() {
    let fingerprint = format!("{DONE}{}", "0".repeat(44));
    let described = |more: &str| format!(r#"{{"fingerprint": "{fingerprint}", {more} "files": {{}}}}"#);
    let (left, anew, young) = (format!("{DONE}-1"), format!("{DONE}-2"), format!("{DONE}-3"));
    let bucket = Bucket::with(&[]);
    bucket.put(&of(&left, "attempt.json"), &described(""), 3);
    bucket.put(&of(&left, "claim"), "{}", 3);
    bucket.put(&of(&anew, "attempt.json"), &described(r#""anew": true,"#), 3);
    bucket.put(&of(&young, "attempt.json"), &described(""), 3);
    bucket.put(&of(&young, "segments/000001.jsonl"), "{}", 0);
    assert_eq!(bucket.goes(&[], &[]), [""; 0], "there is no result yet");
    bucket.put(&format!("results/01/{fingerprint}.json"), r#"{"files": [], "result": {"plays": 7}}"#, 3);
    for (known, open) in [(vec![left.as_str()], vec![]), (vec![], vec![DONE])] {
        assert_eq!(bucket.goes(&known, &open), [""; 0], "a run goes on with it");
    }
    assert_eq!(bucket.goes(&[], &[]), [of(&left, "attempt.json"), of(&left, "claim")]);
    let remains = bucket.remains(&[], &[]);
    assert_eq!(remains.open, BTreeSet::from([AttemptId(anew), AttemptId(young)]));
    remains.remove(&bucket.store).unwrap();
    let outcome = blocking(bucket.store.get(&of(&left, "outcome.json"))).unwrap();
    let outcome: serde_json::Value = serde_json::from_slice(&outcome).unwrap();
    assert_eq!((&outcome["result"]["plays"], outcome.get("failure")), (&7.into(), None));
    assert!(!bucket.all().contains(&of(&left, "attempt.json")), "{:?}", bucket.all());
}

#[test]
fn what_was_reached_goes_when_there_is_a_result_or_nobody_has_gone_on_with_it_for_long() {
    let shelf = |key: &str| format!("checkpoints/{key}/000001-000001.json");
    let bucket = Bucket::with(&[]);
    let fingerprint = format!("{DONE}{}", "0".repeat(44));
    bucket.put(&format!("results/01/{fingerprint}.json"), "{}", 2);
    bucket.put(&shelf(DONE), "{}", 2);
    bucket.put(&shelf(OTHER), "{}", 6);
    bucket.put(&shelf(THIRD), "{}", 8);
    bucket.put(&format!("checkpoints/{THIRD}/bytes/{A}"), "{}", 60);
    let third = [shelf(THIRD), format!("checkpoints/{THIRD}/bytes/{A}")];
    assert_eq!(bucket.goes(&[], &[]), [vec![shelf(DONE)], third.to_vec()].concat());
    // The run that made it did not come to its end: its journal has the beginning of the key, however long.
    for start in [&THIRD[..12], &format!("{THIRD}cccc")] {
        assert_eq!(bucket.goes(&[], &[start]), [shelf(DONE)], "{start}");
    }
    bucket.put(&format!("checkpoints/{THIRD}/000002-000001.json"), "{}", 1);
    assert_eq!(bucket.goes(&[], &[]), [shelf(DONE)], "somebody has gone on with it");
}

#[test]
fn an_open_attempt_that_cannot_be_read_stops_it() {
    let at = format!("files/{A}");
    let bucket = Bucket::with(&[(at.as_str(), 50)]);
    bucket.put(&of("k-1", "attempt.json"), "{", 3);
    let keeping = Keeping { min_age: Duration::ZERO, checkpoints: Duration::ZERO, now: Timestamp(NOW) };
    let failure = Remains::of(&bucket.store, &keeping, &BTreeSet::new(), &Roots::default()).unwrap_err();
    assert_eq!((failure.code.as_str(), failure.on.as_deref()), ("bad_attempt", Some("attempts/k-1/attempt.json")));
}

#[test]
fn results_and_what_is_not_ours_stay_and_what_checks_left_goes() {
    let mine = ["data/p/s/all@1-1/x", "lineage/01/x.json", "quarantine/x", "vertex/k/checkpoints/x", "note.txt"];
    let objects: Vec<(&str, u64)> =
        mine.into_iter().chain(["attempts/note.txt"]).map(|at| (at, 99)).chain([("probes/x.json", 2)]).collect();
    assert_eq!(Bucket::with(&objects).goes(&[], &[]), ["probes/x.json"]);
}
