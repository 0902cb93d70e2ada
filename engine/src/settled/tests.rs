//! Records by hand, and the disk.

use super::*;
use crate::ids::Cell;
use crate::state::StateFolder;
use crate::world::Timestamp;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// Long after every file of today was changed.
const LATER: Timestamp = Timestamp(u64::MAX / 2);

/// A store with the results of three tasks, each of which copied a file of the folder; the third took the results of the others
/// as well.
struct Room(TempDir);

impl Room {
    fn new() -> Self {
        let room = Self(tempfile::tempdir().unwrap());
        for (n, byte) in [0x11_u8, 0x22, 0x22].into_iter().enumerate() {
            for folder in [format!("store/data/{n}"), format!("store/results/{byte:02x}")] {
                fs::create_dir_all(room.path(&folder)).unwrap();
            }
            fs::write(room.path(&format!("in{n}")), "12345").unwrap();
            fs::write(room.path(&format!("store/data/{n}/out")), "12345").unwrap();
            fs::write(room.manifest(n), "{}").unwrap();
        }
        room
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn manifest(&self, n: usize) -> std::path::PathBuf {
        let fingerprint = blake3::Hash::from_bytes(fingerprint(n)).to_hex();
        self.path(&format!("store/results/{}/{fingerprint}.json", &fingerprint[..2]))
    }

    fn watched(&self, name: &str) -> Watched {
        Watched { path: self.text(name), stamp: stamp(&self.path(name)) }
    }

    fn record(&self) -> Settled {
        let task = |n: usize, needs: &[u32]| Task {
            stage: u32::from(n == 2),
            cell: format!(r#"{{"n":{n}}}"#),
            needs: needs.to_vec(),
            files: Some(vec![self.watched(&format!("in{n}"))]),
            fingerprint: fingerprint(n),
            manifest: stamp(&self.manifest(n)).unwrap(),
            outputs: vec![(format!("data/{n}/out"), 5)],
        };
        Settled {
            started: r#"{"type":"cancel_requested"}"#.to_owned(),
            store: self.text("store"),
            texts: vec![self.watched("spec.toml"), self.watched("in0")],
            stages: vec!["copy".to_owned(), "all".to_owned()],
            tasks: vec![task(0, &[]), task(1, &[]), task(2, &[0, 1])],
            shelves: vec![None; SHELVES],
        }
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    fs::metadata(path).ok().map(|meta| Stamp::of(&meta))
}

/// The second and the third begin with the same byte.
fn fingerprint(n: usize) -> [u8; 32] {
    let mut bytes = [n as u8; 32];
    bytes[0] = [0x11, 0x22, 0x22][n];
    bytes
}

#[test]
fn where_nothing_has_changed_nothing_has_fallen_and_the_folders_of_manifests_are_trusted() {
    let room = Room::new();
    let mut record = room.record();
    assert!(record.has_same_texts());
    assert_eq!(record.fallen(LATER), Some(vec![]));
    assert_eq!(record.trusts(), 2);
    assert_eq!(record.fallen(LATER), Some(vec![]));
}

#[test]
fn folders_that_changed_a_moment_ago_are_not_trusted() {
    let room = Room::new();
    let mut record = room.record();
    let changed = fs::metadata(room.path("store/results/11")).unwrap().modified().unwrap();
    let now = changed.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    assert_eq!(record.fallen(Timestamp(now + 1000)), Some(vec![]));
    assert_eq!(record.trusts(), 0);
}

type Change = fn(&Room);

#[test]
fn a_task_falls_with_its_file_its_result_or_its_manifest() {
    let changes: [(&str, Change); 8] = [
        ("a file is written again", |room| fs::write(room.path("in1"), "54321").unwrap()),
        ("a file is gone", |room| fs::remove_file(room.path("in1")).unwrap()),
        ("a file is another of the same size", |room| {
            fs::write(room.path("other"), "54321").unwrap();
            fs::rename(room.path("other"), room.path("in1")).unwrap();
        }),
        ("a result is gone", |room| fs::remove_file(room.path("store/data/1/out")).unwrap()),
        ("a result is shorter", |room| fs::write(room.path("store/data/1/out"), "1234").unwrap()),
        ("a result is a folder", |room| {
            fs::remove_file(room.path("store/data/1/out")).unwrap();
            fs::create_dir(room.path("store/data/1/out")).unwrap();
        }),
        ("a manifest is gone", |room| fs::remove_file(room.manifest(1)).unwrap()),
        ("a manifest is another", |room| {
            fs::write(room.path("store/new"), "{}").unwrap();
            fs::rename(room.path("store/new"), room.manifest(1)).unwrap();
        }),
    ];
    for trusts in [false, true] {
        for (what, change) in &changes {
            let room = Room::new();
            let mut record = room.record();
            if trusts {
                assert_eq!(record.fallen(LATER), Some(vec![]));
            }
            change(&room);
            assert_eq!(record.fallen(LATER), Some(vec![1]), "{what}");
        }
    }
}

#[test]
fn a_manifest_more_beside_the_others_makes_nothing_fall() {
    let room = Room::new();
    let mut record = room.record();
    assert_eq!(record.fallen(LATER), Some(vec![]));
    fs::write(room.path("store/results/22/more.json"), "{}").unwrap();
    assert_eq!(record.fallen(LATER), Some(vec![]));
}

#[test]
fn a_text_that_comes_to_be_or_is_changed_is_seen() {
    let room = Room::new();
    let record = room.record();
    fs::write(room.path("spec.toml"), "").unwrap();
    assert!(!record.has_same_texts());
    let record = room.record();
    assert!(record.has_same_texts());
    fs::write(room.path("spec.toml"), "version = 1").unwrap();
    assert!(!record.has_same_texts());
}

#[test]
fn without_its_store_nothing_can_be_told() {
    let room = Room::new();
    let mut record = room.record();
    fs::rename(room.path("store"), room.path("elsewhere")).unwrap();
    assert_eq!(record.fallen(LATER), None);
}

#[test]
fn what_follows_from_a_fallen_task_is_planned_with_all_that_it_needs() {
    let room = Room::new();
    let mut record = room.record();
    record.tasks = (0..203).map(bare).collect();
    record.tasks[0].fingerprint = fingerprint(0);
    (record.tasks[202].stage, record.tasks[202].needs) = (1, vec![200, 201]);
    let left = record.unsettled(&[201]).unwrap();
    let cell = |n: u64| Cell::from_iter([("n", serde_json::Value::from(n))]);
    let planned: Vec<u64> = (0..203).filter(|n| left.has(if *n == 202 { "all" } else { "copy" }, &cell(*n))).collect();
    // 201 has fallen, 202 takes its result, and that of 200 as well.
    assert_eq!(planned, [200, 201, 202]);
    assert_eq!(left.standing.into_iter().collect::<Vec<_>>(), [("copy".to_owned(), 200)]);
    let Body::TasksCached { stage, cells, keys } = &left.told[0] else { panic!("{:?}", left.told) };
    assert_eq!(
        (stage.as_str(), cells.len(), &cells[7], keys[0].as_str()),
        ("copy", 200, &cell(7), "11000000000000000000")
    );
    assert_eq!(left.told.len(), 1);
    assert!(record.unsettled(&(0..150).collect::<Vec<_>>()).is_none(), "most of it is planned as a whole");
}

/// A task of which nothing matters but its place.
fn bare(n: u32) -> Task {
    Task {
        stage: 0,
        cell: format!(r#"{{"n":{n}}}"#),
        needs: Vec::new(),
        files: None,
        fingerprint: [0; 32],
        manifest: Stamp::from_bytes(&[0; 56]).unwrap(),
        outputs: Vec::new(),
    }
}

proptest! {
    /// Against the plainest way to say it: as long as anything changes, take in whoever needs or is needed.
    #[test]
    fn the_part_is_closed_and_no_larger_than_it_must_be(
        edges in proptest::collection::vec((0_u32..60, 0_u32..60), 0..80),
        fallen in proptest::collection::btree_set(0_u32..60, 0..4),
    ) {
        let mut record = Settled {
            started: String::new(),
            store: String::new(),
            texts: Vec::new(),
            stages: vec!["copy".to_owned()],
            tasks: (0..60).map(bare).collect(),
            shelves: Vec::new(),
        };
        for (a, b) in edges.iter().filter(|(a, b)| a != b) {
            record.tasks[*a.max(b) as usize].needs.push(*a.min(b));
        }
        let needs = |n: u32| record.tasks[n as usize].needs.clone();
        let mut follow = fallen.clone();
        while let Some(n) = (0..60).find(|n| !follow.contains(n) && needs(*n).iter().any(|need| follow.contains(need))) {
            follow.insert(n);
        }
        let mut all = follow;
        while let Some(need) = all.iter().flat_map(|n| needs(*n)).find(|need| !all.contains(need)) {
            all.insert(need);
        }
        let left = record.unsettled(&fallen.into_iter().collect::<Vec<_>>()).unwrap();
        let cell = |n: u32| Cell::from_iter([("n", serde_json::Value::from(n))]);
        let planned: BTreeSet<u32> = (0..60).filter(|n| left.has("copy", &cell(*n))).collect();
        prop_assert_eq!(&planned, &all);
        prop_assert_eq!(left.standing.values().sum::<u64>(), 60 - all.len() as u64);
    }
}

#[test]
fn a_record_comes_back_out_of_its_file_and_damage_reads_as_none() {
    let room = Room::new();
    let (state, record) = (StateFolder::at(room.path("state")), room.record());
    record.write(&state, "name");
    assert_eq!(Settled::read(&state, "name").as_ref(), Some(&record));
    assert_eq!(Settled::read(&state, "other"), None);
    let file = room.path("state/settled/name");
    let whole = fs::read(&file).unwrap();
    for damaged in [&whole[..0], &whole[..31], &whole[..whole.len() - 1], &[&whole[..], b"x"].concat()] {
        fs::write(&file, damaged).unwrap();
        assert_eq!(Settled::read(&state, "name"), None);
    }
    for place in (0..whole.len()).step_by(7) {
        let mut damaged = whole.clone();
        damaged[place] ^= 4;
        fs::write(&file, damaged).unwrap();
        assert_eq!(Settled::read(&state, "name"), None, "byte {place}");
    }
}

#[test]
fn only_the_newest_records_are_kept() {
    let room = Room::new();
    let (state, record) = (StateFolder::at(room.path("state")), room.record());
    for n in 0..40 {
        record.write(&state, &format!("{n:02}"));
    }
    assert_eq!(fs::read_dir(room.path("state/settled")).unwrap().count(), 32);
    assert!(Settled::read(&state, "39").is_some());
}
