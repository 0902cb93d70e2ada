//! Keeping and removing, on stores that chance has filled: what is kept is whole, what is removed can still be found, and
//! it does not matter where somebody pulls the plug.

use pipe_engine::gc::{Catalogue, Roots, Rules, Why, pins, plan, sweep};
use pipe_engine::ids::{AttemptId, Cell, Fingerprint, RunId, TaskId};
use pipe_engine::key::Fields;
use pipe_engine::manifest::{FileEntry, Manifest, Of, Provenance, VERSION, digest};
use pipe_engine::store::{Folder, Hold, Results, Store, blocking, lineage};
use pipe_engine::world::{Timestamp, World};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::time::{Duration, UNIX_EPOCH};

const DAY: u64 = 86_400_000;
/// All that is made is made in so many days, and looked at on the last of them.
const DAYS: u64 = 40;

/// One result that chance has made: its task, its day, and the days of the items it took from earlier ones.
#[derive(Clone, Debug)]
struct Made {
    task: usize,
    day: u64,
    items: usize,
    /// Whether the attempt came to its end: if not, its items are there and no result of its own.
    is_done: bool,
}

#[derive(Clone, Debug)]
struct Filled {
    made: Vec<Made>,
    /// Files that nobody names, by the day they were written.
    loose: Vec<u64>,
    keep: usize,
    older_than: u64,
    pinned: Vec<usize>,
    stop: usize,
}

fn filled() -> impl Strategy<Value = Filled> {
    let made = (0_usize..4, 0..DAYS, 0_usize..3, prop::bool::weighted(0.8));
    let made = made.prop_map(|(task, day, items, is_done)| Made { task, day, items, is_done });
    let parts = (
        prop::collection::vec(made, 0..14),
        prop::collection::vec(0..DAYS, 0..4),
        0_usize..4,
        1_u64..20,
        prop::collection::vec(0_usize..14, 0..2),
        0_usize..60,
    );
    parts.prop_map(|(made, loose, keep, older_than, pinned, stop)| Filled {
        made,
        loose,
        keep,
        older_than,
        pinned,
        stop,
    })
}

/// A store with results in it, and the day it all began.
struct Bench {
    _folder: tempfile::TempDir,
    store: Folder,
    begin: u64,
    results: BTreeMap<Fingerprint, Manifest>,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Folder::open(folder.path()).unwrap();
        // The time at which something was last touched cannot be set back: what is to look old has to be looked at later.
        Self { _folder: folder, store, begin: World::real().now().0 + DAY, results: BTreeMap::new() }
    }

    fn of(filled: &Filled) -> Self {
        let mut bench = Self::new();
        let mut items: BTreeMap<usize, Vec<FileEntry>> = BTreeMap::new();
        let mut made = filled.made.clone();
        made.sort_by_key(|made| made.day);
        for (place, made) in made.iter().enumerate() {
            let folder = format!("data/p/s{}/{place}", made.task);
            let own: Vec<FileEntry> = (0..made.items)
                .map(|n| bench.file(&format!("{folder}/item{n}"), &format!("{place} {n}"), made.day))
                .collect();
            for (n, file) in own.iter().enumerate() {
                bench.result(&format!("item {place} {n}"), Of::Item, made.task, made.day, vec![file.clone()]);
            }
            // Every other result takes the items of the one before and has few of its own, as one does whose plays moved.
            let mut files = items.get(&made.task).filter(|_| place % 2 == 0).cloned().unwrap_or_default();
            files.extend(own);
            if made.is_done {
                let whole = bench.file(&format!("{folder}/whole"), &format!("{place}"), made.day);
                items.insert(made.task, files.clone());
                files.push(whole);
                bench.result(&format!("task {place}"), Of::Task, made.task, made.day, files);
            }
        }
        for (place, day) in filled.loose.iter().enumerate() {
            bench.file(&format!("data/p/loose/{place}"), "nobody's", *day);
        }
        bench
    }

    fn at(&self, day: u64) -> Timestamp {
        Timestamp(self.begin + day * DAY)
    }

    fn file(&self, at: &str, text: &str, day: u64) -> FileEntry {
        let path = self.store.path(at);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        let when = UNIX_EPOCH + Duration::from_millis(self.at(day).0);
        File::open(&path).unwrap().set_modified(when).unwrap();
        FileEntry {
            path: at.to_owned(),
            size: text.len() as u64,
            blake3: blake3::hash(text.as_bytes()).to_hex().to_string(),
            at: at.to_owned(),
        }
    }

    fn result(&mut self, name: &str, of: Of, task: usize, day: u64, files: Vec<FileEntry>) -> Fingerprint {
        let fingerprint = Fingerprint(blake3::hash(name.as_bytes()).to_hex().to_string());
        let manifest = Manifest {
            version: VERSION,
            of,
            fingerprint: fingerprint.clone(),
            key: Fields::default(),
            digest: digest(&files),
            files,
            result: serde_json::Value::Null,
            provenance: Provenance {
                run: RunId("20261122-000000-0000".into()),
                attempt: AttemptId::new(&fingerprint, 1),
                task: TaskId { stage: format!("s{task}"), cell: Cell::default() },
                published: self.at(day),
                sources: Vec::new(),
                pipeline: Some("p".into()),
                adopted: None,
            },
        };
        assert!(matches!(Results::of(&self.store).file(&manifest).unwrap(), pipe_engine::store::Filed::Ours));
        self.results.insert(fingerprint.clone(), manifest);
        fingerprint
    }

    fn rules(&self, keep: usize, older_than: u64) -> Rules {
        let days = |days: u64| Duration::from_millis(days * DAY);
        Rules { keep, older_than: days(older_than), min_age: days(1), removed_for: days(90), now: self.at(DAYS) }
    }

    /// Fails when a result that is found does not have its files with their bytes.
    fn check_whole(&self) -> BTreeSet<Fingerprint> {
        let there = Catalogue::read(&self.store).unwrap();
        assert_eq!(there.damaged, []);
        for entry in &there.results {
            for file in &self.results[&entry.fingerprint].files {
                let bytes = fs::read(self.store.path(&file.at)).unwrap_or_else(|e| panic!("{}: {e}", file.at));
                assert_eq!(blake3::hash(&bytes).to_hex().as_str(), file.blake3);
            }
        }
        there.results.into_iter().map(|entry| entry.fingerprint).collect()
    }

    fn bytes(&self) -> Vec<String> {
        blocking(self.store.list("data/")).unwrap().into_iter().map(|stat| stat.at).collect()
    }
}

fn roots(bench: &Bench, filled: &Filled) -> Roots {
    let names =
        filled.pinned.iter().map(|n| Fingerprint(blake3::hash(format!("task {n}").as_bytes()).to_hex().to_string()));
    Roots { pinned: names.filter(|name| bench.results.contains_key(name)).collect(), ..Roots::default() }
}

/// The newest results of each task, counted here by hand.
fn newest(bench: &Bench, keep: usize) -> BTreeSet<Fingerprint> {
    let mut by_task: BTreeMap<String, Vec<(Timestamp, Fingerprint)>> = BTreeMap::new();
    for manifest in bench.results.values().filter(|manifest| manifest.of == Of::Task) {
        let filed = (manifest.provenance.published, manifest.fingerprint.clone());
        by_task.entry(manifest.provenance.task.to_string()).or_default().push(filed);
    }
    let mut kept = BTreeSet::new();
    for mut of_task in by_task.into_values() {
        of_task.sort();
        // Of two that were filed in the same moment either may be the newer one.
        let Some(oldest) = of_task.len().checked_sub(keep).and_then(|n| of_task.get(n)) else {
            kept.extend(of_task.into_iter().filter(|_| keep > 0).map(|(_, name)| name));
            continue;
        };
        let oldest = oldest.0;
        kept.extend(of_task.into_iter().filter(|(filed, _)| *filed > oldest).map(|(_, name)| name));
    }
    kept
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn what_is_kept_is_whole_and_what_is_removed_is_in_the_lineage(filled in filled()) {
        let bench = Bench::of(&filled);
        let (rules, roots) = (bench.rules(filled.keep, filled.older_than), roots(&bench, &filled));
        let decided = plan(&bench.store, &rules, &roots).unwrap();
        sweep(&bench.store, &decided, &mut |_| true).unwrap();

        let kept = bench.check_whole();
        prop_assert!(newest(&bench, filled.keep).is_subset(&kept));
        prop_assert!(roots.pinned.iter().all(|pinned| kept.contains(pinned)));
        for (fingerprint, manifest) in &bench.results {
            let young = rules.now.since(manifest.provenance.published) < rules.older_than;
            prop_assert!(!young || kept.contains(fingerprint));
            let removed = lineage::find(&bench.store, fingerprint).unwrap();
            prop_assert_eq!(removed.is_some(), !kept.contains(fingerprint));
            if let Some(removed) = removed {
                prop_assert_eq!(&removed.manifest, manifest);
                prop_assert_eq!(removed.when, rules.now);
            }
        }
        // All bytes that are left are named by a result that is kept, or are of yesterday.
        let named: BTreeSet<&str> =
            kept.iter().flat_map(|name| &bench.results[name].files).map(|file| file.at.as_str()).collect();
        for at in bench.bytes() {
            let when = fs::metadata(bench.store.path(&at)).unwrap().modified().unwrap();
            let age = (UNIX_EPOCH + Duration::from_millis(rules.now.0)).duration_since(when).unwrap();
            prop_assert!(named.contains(at.as_str()) || age < Duration::from_millis(DAY), "{}", at);
        }
        prop_assert!(plan(&bench.store, &rules, &roots).unwrap().is_empty(), "a second time there is nothing to do");
    }

    #[test]
    fn wherever_it_is_stopped_the_results_that_are_found_are_whole_and_it_can_be_done_again(filled in filled()) {
        let (bench, other) = (Bench::of(&filled), Bench::of(&filled));
        let at_once = plan(&other.store, &other.rules(filled.keep, filled.older_than), &roots(&other, &filled)).unwrap();
        sweep(&other.store, &at_once, &mut |_| true).unwrap();

        let (rules, roots) = (bench.rules(filled.keep, filled.older_than), roots(&bench, &filled));
        let mut steps = filled.stop;
        let decided = plan(&bench.store, &rules, &roots).unwrap();
        sweep(&bench.store, &decided, &mut |_| { let goes_on = steps > 0; steps = steps.saturating_sub(1); goes_on }).unwrap();
        bench.check_whole();

        let rest = plan(&bench.store, &rules, &roots).unwrap();
        sweep(&bench.store, &rest, &mut |_| true).unwrap();
        prop_assert_eq!(bench.check_whole(), other.check_whole());
        prop_assert_eq!(bench.bytes(), other.bytes());
    }
}

#[test]
fn items_of_work_that_never_ended_wait_for_the_next_run() {
    let mut bench = Bench::new();
    let item = |bench: &mut Bench, name: &str, day| {
        let file = bench.file(&format!("data/p/s0/{name}"), name, day);
        bench.result(name, Of::Item, 0, day, vec![file])
    };
    let (before, after) = (item(&mut bench, "before", 1), item(&mut bench, "after", 9));
    let whole = bench.file("data/p/s0/whole", "whole", 5);
    bench.result("whole", Of::Task, 0, 5, vec![whole]);
    let decided = plan(&bench.store, &bench.rules(1, 1), &Roots::default()).unwrap();
    let why = |wanted: &Fingerprint| decided.results.iter().find(|(entry, _)| entry.fingerprint == *wanted).unwrap().1;
    assert_eq!((why(&before), why(&after)), (None, Some(Why::Unfinished)));
    let all = plan(&bench.store, &bench.rules(0, 1), &Roots::default()).unwrap();
    assert_eq!(all.removed().count(), 3);
}

#[test]
fn what_a_state_folder_or_an_open_run_takes_for_its_own_stays_under_whatever_name_it_was_made() {
    let mut bench = Bench::new();
    let names: Vec<Fingerprint> = (1..=4)
        .map(|day| {
            let file = bench.file(&format!("data/p/s0/{day}"), &day.to_string(), day);
            bench.result(&day.to_string(), Of::Task, 0, day, vec![file])
        })
        .collect();
    let roots =
        Roots { newest: [names[0].clone()].into(), open: [names[1].short(20).to_owned()].into(), ..Roots::default() };
    let whys = |keep| {
        let decided = plan(&bench.store, &bench.rules(keep, 1), &roots).unwrap();
        let why = |name: &Fingerprint| decided.results.iter().find(|(entry, _)| entry.fingerprint == *name).unwrap().1;
        names.iter().map(why).collect::<Vec<_>>()
    };
    assert_eq!(whys(1), [Some(Why::Newest), Some(Why::OpenRun), None, Some(Why::Newest)]);
    assert_eq!(whys(0), [None, Some(Why::OpenRun), None, None]);
}

#[test]
fn a_result_of_a_newer_version_stays_with_its_files() {
    let mut bench = Bench::new();
    let file = bench.file("data/p/s0/x", "x", 1);
    let name = bench.result("new", Of::Task, 0, 1, vec![file]);
    let path = bench.store.path(&pipe_engine::manifest::place(&name));
    let text = fs::read_to_string(&path).unwrap().replace("\"version\": 1", "\"version\": 2");
    fs::write(&path, &text).unwrap();
    let decided = plan(&bench.store, &bench.rules(0, 1), &Roots::default()).unwrap();
    assert!(decided.is_empty() && decided.results[0].1 == Some(Why::Newer));
    // One that cannot even be read tells of no files, so none can be called unneeded.
    fs::write(&path, "{\"version\": 2, \"parts\": []}").unwrap();
    assert_eq!(plan(&bench.store, &bench.rules(0, 1), &Roots::default()).unwrap_err().code, "newer_store");
}

#[test]
fn a_damaged_manifest_goes_to_the_quarantine() {
    let mut bench = Bench::new();
    let file = bench.file("data/p/s0/x", "x", 1);
    let name = bench.result("x", Of::Task, 0, 1, vec![file]);
    fs::write(bench.store.path(&pipe_engine::manifest::place(&name)), "{").unwrap();
    let decided = plan(&bench.store, &bench.rules(3, 1), &Roots::default()).unwrap();
    sweep(&bench.store, &decided, &mut |_| true).unwrap();
    assert_eq!((bench.bytes().len(), blocking(bench.store.list("quarantine/")).unwrap().len()), (0, 1));
}

#[test]
fn a_result_that_is_removed_twice_is_found_as_it_last_was() {
    let mut bench = Bench::new();
    for day in [1, 2] {
        let file = bench.file(&format!("data/p/s0/{day}"), &day.to_string(), day);
        let name = bench.result("x", Of::Task, 0, day, vec![file]);
        lineage::remove(&bench.store, &name, bench.at(day + 10)).unwrap();
        let found = lineage::find(&bench.store, &name).unwrap().unwrap();
        assert_eq!((found.when, found.manifest.provenance.published), (bench.at(day + 10), bench.at(day)));
    }
    assert_eq!(blocking(bench.store.list("lineage/")).unwrap().len(), 2, "the first one is kept beside it");
    assert_eq!(lineage::all(&bench.store).unwrap().len(), 1);
}

#[test]
fn what_is_known_of_a_result_that_went_is_forgotten_when_its_time_has_come() {
    let mut bench = Bench::new();
    let file = bench.file("data/p/s0/x", "x", 1);
    let name = bench.result("x", Of::Task, 0, 1, vec![file]);
    lineage::remove(&bench.store, &name, bench.at(2)).unwrap();
    bench.file("quarantine/y.json", "{", 2);
    let left = |bench: &Bench, now: u64, removed_for: u64| {
        let days = |days: u64| Duration::from_millis(days * DAY);
        let rules = Rules { removed_for: days(removed_for), now: bench.at(now), ..bench.rules(3, 1) };
        let decided = plan(&bench.store, &rules, &Roots::default()).unwrap();
        sweep(&bench.store, &decided, &mut |_| true).unwrap();
        ["lineage/", "quarantine/"].map(|folder| blocking(bench.store.list(folder)).unwrap().len())
    };
    assert_eq!(left(&bench, 91, 90), [1, 1]);
    assert_eq!(left(&bench, 93, 90), [0, 0]);
    assert!(lineage::find(&bench.store, &name).unwrap().is_none());
}

#[test]
fn whatever_a_link_leads_to_is_left_alone() {
    let mut bench = Bench::new();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("mine"), "mine").unwrap();
    fs::create_dir_all(bench.store.path("data/p")).unwrap();
    for name in ["s0", "lost"] {
        std::os::unix::fs::symlink(elsewhere.path(), bench.store.path(&format!("data/p/{name}"))).unwrap();
    }
    let file = bench.file("data/p/s0/result", "x", 1);
    bench.result("x", Of::Task, 0, 1, vec![file]);
    let decided = plan(&bench.store, &bench.rules(1, 1), &Roots::default()).unwrap();
    sweep(&bench.store, &decided, &mut |_| true).unwrap();
    assert!(elsewhere.path().join("mine").exists());
    bench.check_whole();
    assert!(bench.store.path("data/p/s0").is_symlink() && !bench.store.path("data/p/lost").is_symlink());
}

#[test]
fn locks_stay_and_half_written_objects_of_before_go() {
    let bench = Bench::new();
    for name in ["1-0", "replace.lock"] {
        fs::write(bench.store.path(&format!("tmp/{name}")), "half").unwrap();
    }
    let decided = plan(&bench.store, &bench.rules(1, 1), &Roots::default()).unwrap();
    sweep(&bench.store, &decided, &mut |_| true).unwrap();
    assert!(bench.store.path("tmp/replace.lock").exists() && !bench.store.path("tmp/1-0").exists());
}

#[test]
fn who_removes_has_the_store_alone() {
    let bench = Bench::new();
    let runs = [(); 2].map(|()| Hold::shared(&bench.store, false).unwrap().unwrap());
    assert!(Hold::alone(&bench.store).unwrap().is_none());
    drop(runs);
    let alone = Hold::alone(&bench.store).unwrap().unwrap();
    assert!(Hold::shared(&bench.store, false).unwrap().is_none());
    drop(alone);
    assert!(Hold::shared(&bench.store, true).unwrap().is_some());
}

#[test]
fn a_pin_that_cannot_be_read_stops_whoever_asks() {
    let bench = Bench::new();
    let pin = pins::Pin::new(
        Fingerprint("ab".into()),
        "p",
        TaskId { stage: "s".into(), cell: Cell::default() },
        Timestamp(1),
    );
    pins::put(&bench.store, "best", &pin).unwrap();
    assert_eq!(pins::all(&bench.store).unwrap()["best"], pin);
    pins::take(&bench.store, "best").unwrap();
    assert!(pins::all(&bench.store).unwrap().is_empty());
    fs::write(bench.store.path("pins/best.json"), "{").unwrap();
    assert!(pins::all(&bench.store).unwrap_err().to_string().contains("best.json"));
}
