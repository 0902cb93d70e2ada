//! Clips of a video that lies elsewhere and is never here: over a web server that counts what it gives.

use crate::bench::{Bench, Given};
use crate::clips::{CELL, play, plays, video};
use pipe_engine::attempt::{ItemCount, Outcome};
use pipe_engine::failure::Class;
use pipe_fakeweb::{Content, Fault, Manner, Stretched, Web, groups};
use pipe_testdata::{Angle, NOISE_FPS, NOISE_GROUP, Recipe, generate};
use serde_json::{Value as Json, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const FPS: u64 = NOISE_FPS as u64;
const GROUP: u64 = NOISE_GROUP as u64;

fn cut(bench: &Bench, given: Given, rows: &[Json]) -> Outcome {
    let inputs = vec![("plays", vec![plays(bench, rows)])];
    let config = json!({ "plays": "plays", "video": "v.mp4" });
    bench.run("extract-clips", Given { config, cell: CELL.to_vec(), inputs, cpu: 2, ..given })
}

fn cut_far(bench: &Bench, web: &Web, rows: &[Json]) -> Outcome {
    cut(bench, Given { elsewhere: vec![("video", web.url("game.mp4?sig=hush"))], ..Given::default() }, rows)
}

fn digests(outcome: &Outcome) -> Vec<(String, String)> {
    assert_eq!(outcome.failure, None);
    let clips = outcome.files.iter().filter(|file| file.path.ends_with(".mp4"));
    clips.map(|file| (file.path.clone(), file.blake3.clone())).collect()
}

fn rows() -> [Json; 3] {
    [play("a", 1010, 4001), play("b", 2100, 2900), play("c", 7000, 9500)]
}

/// The manifests of the clips that a bench's store has.
fn items(bench: &Bench) -> Vec<Json> {
    let shelves = fs::read_dir(bench.stored("results")).unwrap().flatten();
    let files = shelves.flat_map(|shelf| fs::read_dir(shelf.path()).unwrap().flatten());
    let all = files.map(|file| serde_json::from_slice(&fs::read(file.path()).unwrap()).unwrap());
    // A thumbnail is an item, too.
    all.filter(|item: &Json| item["files"][0]["path"].as_str().is_some_and(|path| path.ends_with(".mp4"))).collect()
}

#[test]
fn clips_of_a_video_elsewhere_are_those_of_the_file_whatever_breaks_on_the_way() {
    let (here, far) = (Bench::new(), Bench::new());
    let file = video(&here);
    let web = Web::serve(fs::read(&file).unwrap());
    // The first answer tells what lies there.
    web.fail([
        Fault::Cut(1),
        Fault::Cut(1000),
        Fault::Status(503),
        Fault::Cut(0),
        Fault::Silence(5000),
        Fault::Status(500),
    ]);
    let near = cut(&here, Given { files: vec![("video", file)], ..Given::default() }, &rows());
    let outcome = cut_far(&far, &web, &rows());
    assert_eq!(digests(&outcome), digests(&near));
    assert_eq!(web.faults_left(), 0);
}

#[test]
fn every_angle_may_lie_elsewhere_or_here() {
    let bench = Bench::new();
    let recipe = Recipe { games: 1, angles: Angle::ALL[..2].to_vec(), plays: 3, seconds: 10, ..Recipe::default() };
    generate(&bench.path("sample"), &recipe).unwrap();
    let file = |angle: &str| bench.path(&format!("sample/videos/g1/{angle}.mp4"));
    let web = Web::serve(fs::read(file("FAR_LEFT")).unwrap());
    let cut = |files: &[&'static str], elsewhere| {
        let files = files.iter().map(|angle| (*angle, file(angle.trim_start_matches("videos.")))).collect();
        let config = json!({ "plays": "plays", "videos": { "FAR_LEFT": "a.mp4", "NEAR_LEFT": "b.mp4" } });
        let inputs = vec![("plays", vec![plays(&bench, &rows())])];
        let given = Given { config, cell: vec![("game", "g1")], inputs, files, elsewhere, cpu: 2 };
        bench.run("extract-clips", given)
    };
    let far = cut(&["videos.NEAR_LEFT"], vec![("videos.FAR_LEFT", web.url("far.mp4"))]);
    assert_eq!(far.items, ItemCount { made: 6, reused: 0, failed: 0 }, "{:?}", far.failure);
    // What was cut of the file of this machine is there already; what lies elsewhere has another key, and the same clips.
    let here = cut(&["videos.FAR_LEFT", "videos.NEAR_LEFT"], vec![]);
    assert_eq!(here.items, ItemCount { made: 3, reused: 3, failed: 0 }, "{:?}", here.failure);
    assert_eq!(digests(&far), digests(&here));
}

#[test]
fn the_manifest_of_a_clip_tells_where_it_is_from_and_not_what_lets_one_in() {
    let bench = Bench::new();
    let bytes = fs::read(video(&bench)).unwrap();
    let size = bytes.len();
    let web = Web::serve(bytes);
    let outcome = cut_far(&bench, &web, &rows());
    // What lies there was asked for with one byte.
    assert_eq!(outcome.result["bytes_read"].as_u64().unwrap() + 1, web.bytes());
    let items = items(&bench);
    assert_eq!(items.len(), 3);
    for item in &items {
        let source = &item["result"]["source"];
        assert_eq!(source["uri"], web.url("game.mp4"));
        assert_eq!((&source["identity"], &source["size"]), (&json!("etag \"one\""), &json!(size)));
        let ranges: Vec<[u64; 2]> = serde_json::from_value(source["ranges"].clone()).unwrap();
        assert!(!ranges.is_empty() && ranges.iter().all(|[from, to]| from < to && *to <= size as u64), "{ranges:?}");
        assert_eq!(item["provenance"]["sources"], json!([web.url("game.mp4")]));
        assert!(!item.to_string().contains("hush"), "{item}");
    }
}

#[test]
fn an_unchanged_video_is_not_read_again_and_a_changed_one_is_cut_anew() {
    let bench = Bench::new();
    let web = Web::serve(fs::read(video(&bench)).unwrap());
    assert_eq!(cut_far(&bench, &web, &rows()).items, ItemCount { made: 3, reused: 0, failed: 0 });
    let before = web.bytes();
    assert_eq!(cut_far(&bench, &web, &rows()).items, ItemCount { made: 0, reused: 3, failed: 0 });
    assert_eq!(web.bytes(), before + 1);
    web.behave(Manner { tag: Some("\"two\"".into()), ..Manner::default() });
    assert_eq!(cut_far(&bench, &web, &rows()).items, ItemCount { made: 3, reused: 0, failed: 0 });
}

#[test]
fn a_video_that_changes_while_it_is_cut_is_an_error_that_says_so() {
    for keeps_conditions in [true, false] {
        let bench = Bench::new();
        let web = Web::serve(fs::read(video(&bench)).unwrap());
        web.behave_later(3, Manner { tag: Some("\"two\"".into()), keeps_conditions, ..Manner::default() });
        let failure = cut_far(&bench, &web, &rows()).failure.unwrap();
        assert_eq!((failure.class, failure.code.as_str()), (Class::Failed, "video_changed"), "{failure:?}");
        assert!(failure.message.contains("the video changed while it was read"), "{failure:?}");
        assert_eq!(failure.on, Some(web.url("game.mp4")));
    }
}

/// A film of noise: key frames a second apart.
fn noise(path: &Path, seconds: u32) -> Vec<u8> {
    pipe_testdata::noise(path, seconds).unwrap();
    fs::read(path).unwrap()
}

/// Bytes of the groups that have frames of any of these plays.
fn needed(groups: &[(usize, u64)], plays: &[(u64, u64)]) -> u64 {
    let lies_in =
        |n: u64| plays.iter().any(|(from, to)| n * 1000 < to * FPS / GROUP && (n + 1) * 1000 > from * FPS / GROUP);
    (0..).zip(groups).filter(|(n, _)| lies_in(*n)).map(|(_, (_, bytes))| bytes).sum()
}

#[test]
fn of_ten_gigabytes_the_groups_of_the_clips_and_the_index_are_read() {
    let bench = Bench::new();
    let film = noise(&bench.path("noise.mp4"), 20);
    let groups = groups(&film);
    let video = Stretched::of(film, 10_000_000_000, 20);
    let (size, index) = (video.size(), video.index_size());
    assert!(size > 9_000_000_000, "{size}");
    let web = Web::serve(video);
    // In the last no group begins, so it is encoded whole.
    let plays = [(2400, 4700), (3100, 4900), (11_050, 13_990), (16_020, 17_940), (8_150, 8_800)];
    let named = plays.iter().zip(["a", "b", "c", "d", "e"]);
    let rows: Vec<Json> = named.map(|((from, to), id)| play(id, *from, *to)).collect();
    assert_eq!(digests(&cut_far(&bench, &web, &rows)).len(), 5);
    let (groups, read) = (needed(&groups, &plays), web.bytes());
    assert!(read * 10 <= groups * 11 + index * 10, "{read} bytes for groups of {groups} and an index of {index}");
}

#[test]
fn clips_of_every_mode_read_little_more_than_their_groups_here_and_far_away() {
    let outside = Bench::new();
    let film = noise(&outside.path("noise.mp4"), 20);
    let groups = groups(&film);
    let index = film.len() as u64 - groups.iter().map(|(_, bytes)| bytes).sum::<u64>();
    // No two have a group in common, and the second is inside one.
    let plays = [(2400, 4700), (8150, 8800), (11_050, 13_000), (16_020, 17_940)];
    let named = plays.iter().zip(["a", "b", "c", "d"]);
    let rows: Vec<Json> = named.map(|((from, to), id)| play(id, *from, *to)).collect();
    let own = needed(&groups, &plays);
    for (mode, is_far) in ["smart", "copy", "encode"].into_iter().flat_map(|mode| [(mode, false), (mode, true)]) {
        let (bench, web) = (Bench::new(), Web::serve(film.clone()));
        let here = if is_far { vec![] } else { vec![("video", outside.path("noise.mp4"))] };
        let elsewhere = if is_far { vec![("video", web.url("game.mp4"))] } else { vec![] };
        let inputs = vec![("plays", vec![self::plays(&bench, &rows)])];
        let config = json!({ "plays": "plays", "video": "v.mp4", "mode": mode });
        let given = Given { config, cell: CELL.to_vec(), inputs, files: here, elsewhere, cpu: 2 };
        let outcome = bench.run("extract-clips", given);
        assert_eq!(digests(&outcome).len(), 4);
        let told = outcome.result["bytes_read"].as_u64().unwrap();
        let read = if is_far { web.bytes() } else { told };
        let what = format!("{mode}, far: {is_far}: {read} bytes for groups of {own} and an index of {index}");
        assert!(read * 10 <= own * 11 + index * 10 && read * 2 > own, "{what}");
        // What lies far away was asked for with one byte.
        assert!(!is_far || read == told + 1, "{what}, told: {told}");
    }
}

/// What a server gave before it went away need not be cut again.
#[test]
fn clips_that_are_whole_stay_when_the_video_goes_away() {
    let bench = Bench::new();
    let film = noise(&bench.path("noise.mp4"), 20);
    let web = Web::serve(Stretched::of(film, 10_000_000_000, 20));
    let rows: Vec<Json> = (0..6).map(|n| play(&n.to_string(), n * 3000 + 500, n * 3000 + 2500)).collect();
    web.fail_later(12, vec![Fault::Status(503); 200]);
    let first = cut_far(&bench, &web, &rows);
    let failure = first.failure.unwrap();
    assert_eq!((failure.class, failure.code.as_str()), (Class::Transient, "source_unreachable"), "{failure:?}");
    assert!(first.items.made > 0 && first.items.made < 6, "{:?}", first.items);
    web.recover();
    let second = cut_far(&bench, &web, &rows);
    assert_eq!(
        second.items,
        ItemCount { made: 6 - first.items.made, reused: first.items.made, failed: 0 },
        "{second:?}"
    );
}

/// A disk that has room for so much and is gone when the test is over. `None`, with a word why, where there can be none.
struct SmallDisk(PathBuf);

impl SmallDisk {
    #[expect(clippy::print_stderr, reason = "whoever reads the tests' output is to see what they did not try")]
    fn mount(folder: PathBuf, bytes: u64) -> Option<Self> {
        fs::create_dir_all(&folder).unwrap();
        let size = format!("size={bytes}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(&folder).output();
        if mounted.as_ref().is_ok_and(|output| output.status.success()) {
            return Some(Self(folder));
        }
        eprintln!("skipped: a small disk can be mounted by root only: {mounted:?}");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// `PIPE_TEST_CLIP_MB` is how much is cut, four times what the disk of the attempt has room for.
#[test]
fn more_is_cut_than_the_disk_of_the_attempt_has_room_for() {
    let megabytes = std::env::var("PIPE_TEST_CLIP_MB").map_or(32, |n| n.parse::<u64>().unwrap());
    let outside = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(outside.path().join("small"), megabytes << 18) else { return };
    let film = noise(&outside.path().join("noise.mp4"), 20);
    let a_second = film.len() as u64 / 20;
    let web = Web::serve(Stretched::of(film, 10_000_000_000, 20));
    // Clips of twelve seconds, each a frame or two from the last.
    let count = (megabytes << 20).div_ceil(a_second * 11);
    let rows: Vec<Json> =
        (0..count).map(|n| play(&n.to_string(), 40 * n % 7900, 40 * n % 7900 + 12_000 + n / 197)).collect();
    let bench = Bench::within(&disk.0, outside.path().join("store"));
    let outcome = cut_far(&bench, &web, &rows);
    assert_eq!(outcome.failure, None);
    assert_eq!(outcome.items, ItemCount { made: count, reused: 0, failed: 0 });
    let made: u64 = outcome.files.iter().filter(|file| file.path.ends_with(".mp4")).map(|file| file.size).sum();
    assert!(made > megabytes << 20, "{made}");
}
