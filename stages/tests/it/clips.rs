//! Clips of plays and frames of clips, on a small sample game.

use crate::bench::{Bench, Given};
use pipe_engine::attempt::{Input, ItemCount, Outcome};
use pipe_engine::event::Body;
use pipe_engine::manifest::digest;
use pipe_testdata::{Angle, Recipe, generate};
use pipe_video::{EncodeOptions, Preset, Ratio, Writer, WriterOptions};
use serde_json::{Value as Json, json};
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) const CELL: [(&str, &str); 2] = [("angle", "FAR_LEFT"), ("game", "g1")];

/// One video of ten seconds at 15 frames a second.
pub(crate) fn video(bench: &Bench) -> PathBuf {
    let recipe = Recipe { games: 1, angles: vec![Angle::ALL[0]], plays: 3, seconds: 10, ..Recipe::default() };
    generate(&bench.path("sample"), &recipe).unwrap();
    let videos = fs::read_dir(bench.path("sample/videos/g1")).unwrap();
    videos.flatten().map(|e| e.path()).find(|p| p.extension().is_some_and(|e| e == "mp4")).unwrap()
}

/// Plays as an export would give them.
pub(crate) fn plays(bench: &Bench, rows: &[Json]) -> Input {
    let database = bench.path("plays.db");
    let selects: Vec<String> = rows
        .iter()
        .map(|r| {
            let columns: Vec<String> =
                r.as_object().unwrap().iter().map(|(name, value)| format!("{} as {name}", sql(value))).collect();
            format!("select {}", columns.join(", "))
        })
        .collect();
    drop(fs::remove_file(&database));
    rusqlite::Connection::open(&database).unwrap().execute_batch("create table t (a)").unwrap();
    let config = json!({ "source": { "type": "sqlite", "path": "x" }, "query": selects.join(" union all ") });
    let outcome = bench.run("export", Given { config, files: vec![("source.path", database)], ..Given::default() });
    bench.input(&outcome, &[("game", "g1")])
}

fn sql(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| format!("'{text}'"))
}

pub(crate) fn play(id: &str, start_ms: u64, end_ms: u64) -> Json {
    json!({ "id": id, "label": "RUN", "start_ms": start_ms, "end_ms": end_ms })
}

pub(crate) fn cut(bench: &Bench, video: &Path, rows: &[Json], cpu: u32) -> Outcome {
    cut_with(bench, video, rows, cpu, json!({}))
}

/// Cuts with settings of one's own.
fn cut_with(bench: &Bench, video: &Path, rows: &[Json], cpu: u32, mut config: Json) -> Outcome {
    let inputs = vec![("plays", vec![plays(bench, rows)])];
    config["plays"] = json!("plays");
    config["video"] = json!("v.mp4");
    bench.run(
        "extract-clips",
        Given {
            config,
            cell: CELL.to_vec(),
            inputs,
            files: vec![("video", video.to_owned())],
            cpu,
            ..Given::default()
        },
    )
}

fn records(bench: &Bench, outcome: &Outcome) -> Vec<Json> {
    bench.text(outcome, "clips.jsonl").lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

#[test]
fn a_clip_holds_the_frames_shown_between_its_ends() {
    let bench = Bench::new();
    let video = video(&bench);
    // Frame n is shown at n / 15 s: frames 15 to 44 lie in [1000, 2999), frames 45 to 60 in [3000, 4001).
    let outcome = cut(&bench, &video, &[play("b", 3000, 4001), play("a", 1000, 2999)], 2);
    let frames: Vec<u64> = records(&bench, &outcome).iter().map(|r| r["frames"].as_u64().unwrap()).collect();
    assert_eq!(frames, [30, 16]);
}

#[test]
fn the_manifest_says_how_each_clip_was_cut_and_where_it_truly_lies() {
    let bench = Bench::new();
    let video = video(&bench);
    // Frame n is shown at n / 15 s, and every thirtieth is a key frame: frames 30 to 59 are copied.
    let rows = [play("a", 1010, 4001), play("b", 2100, 2900)];
    let found = records(&bench, &cut(&bench, &video, &rows, 2));
    let (a, b) = (&found[0], &found[1]);
    assert_eq!((a["mode"].as_str(), a["why"].as_str()), (Some("smart"), Some("")));
    assert_eq!((a["frames"].as_u64(), a["frames_encoded"].as_u64().map(|n| n < 20)), (Some(45), Some(true)), "{a}");
    assert_eq!(a["asked"], json!({ "start": [101, 100], "end": [4001, 1000] }));
    assert_eq!(a["shown"], json!({ "start": [16, 15], "end": [61, 15] }));
    let [num, den] = [0, 1].map(|i| a["ticks"]["base"][i].as_i64().unwrap());
    assert_eq!(a["ticks"]["start"].as_i64().unwrap() * num * 15, 16 * den);
    assert_eq!((b["mode"].as_str(), b["frames_copied"].as_u64()), (Some("encode"), Some(0)));
    assert!(b["why"].as_str().unwrap().contains("no group of pictures"), "{b}");
}

#[test]
fn another_mode_is_another_clip() {
    let bench = Bench::new();
    let (video, rows) = (video(&bench), [play("a", 1010, 4001)]);
    let modes = ["smart", "copy", "encode"].map(|mode| {
        let outcome = cut_with(&bench, &video, &rows, 1, json!({ "mode": mode }));
        assert_eq!(outcome.items, ItemCount { made: 1, reused: 0, failed: 0 }, "{mode}");
        let record = records(&bench, &outcome).remove(0);
        assert_eq!(record["mode"], mode);
        record["frames_copied"].as_u64().unwrap()
    });
    assert!(modes[1] > modes[0] && modes[0] > modes[2] && modes[2] == 0, "{modes:?}");
    let silent = cut_with(&bench, &video, &rows, 1, json!({ "mode": "smart", "audio": false }));
    assert_eq!(silent.items, ItemCount { made: 1, reused: 0, failed: 0 });
}

#[test]
fn what_becomes_of_one_clip_is_nothing_to_the_others() {
    let bench = Bench::new();
    let video = video(&bench);
    let good = [play("a", 1000, 2000), play("c", 3000, 4000)];
    let rows = [good[0].clone(), play("b", 20_000, 21_000), good[1].clone(), play("d", 30_000, 31_000)];
    let failure = cut(&bench, &video, &rows, 2).failure.unwrap();
    assert!(failure.message.contains("play `b`") && failure.message.contains("and 1 more of 4"), "{failure:?}");
    assert_eq!(cut(&bench, &video, &good, 2).items, ItemCount { made: 0, reused: 2, failed: 0 });
}

/// Three seconds of 30 frames each, of which the first has a timecode.
pub(crate) fn film(path: &Path, timecode: Option<&str>) {
    let options = WriterOptions {
        width: 64,
        height: 64,
        frame_rate: Ratio { num: 30, den: 1 },
        gop: 30,
        b_frames: 2,
        encode: EncodeOptions { crf: 30, preset: Preset::Ultrafast },
        audio_rate: None,
        matrix: None,
        timecode: timecode.map(|timecode| timecode.parse().unwrap()),
    };
    let mut writer = Writer::create(path, options).unwrap();
    for number in 0..90 {
        writer.push_yuv420(&[number * 2 + 16; 64 * 64], &[128; 32 * 32], &[128; 32 * 32]).unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn timecodes_are_counted_from_the_one_that_the_video_starts_with() {
    let bench = Bench::new();
    let [carries, none] = [("tc.mp4", Some("10:00:00:00")), ("none.mp4", None)].map(|(name, timecode)| {
        film(&bench.path(name), timecode);
        bench.path(name)
    });
    let rows = |start: &str, end: &str| [json!({ "id": "a", "start": start, "end": end })];
    let at_one = rows("10:00:01:00", "10:00:02:15");
    let cases = [
        (&carries, &at_one, json!({}), Some("10:00:00:00"), 1000),
        (&carries, &at_one, json!({ "start_timecode": "video" }), Some("10:00:00:00"), 1000),
        (&carries, &at_one, json!({ "start_timecode": "10:00:00:15" }), Some("10:00:00:15"), 500),
        (&none, &at_one, json!({ "start_timecode": "10:00:00:00" }), Some("10:00:00:00"), 1000),
        (&none, &rows("00:00:01:00", "00:00:02:15"), json!({}), None, 1000),
        (
            &carries,
            &rows("00:00:01:00", "00:00:02:15"),
            json!({ "start_timecode": "00:00:00:00" }),
            Some("00:00:00:00"),
            1000,
        ),
    ];
    for (video, rows, mut config, start_timecode, start_ms) in cases {
        config["times"] = json!("timecode");
        let outcome = cut_with(&bench, video, rows, 1, config.clone());
        assert_eq!(outcome.failure, None, "{config}");
        let record = records(&bench, &outcome).remove(0);
        assert_eq!((record["start_ms"].as_u64(), record["frames"].as_u64()), (Some(start_ms), Some(45)), "{config}");
        assert_eq!(record["start_timecode"].as_str(), start_timecode, "{config}");
    }
    let config = json!({ "times": "timecode" });
    let failure = cut_with(&bench, &carries, &rows("00:00:01:00", "00:00:02:00"), 1, config).failure.unwrap();
    let told = "play `a`: column `start`: it lies before the first frame of the video, which is 10:00:00:00";
    assert_eq!((failure.message.as_str(), failure.help.is_some()), (told, true));
}

#[test]
fn only_the_play_that_moved_is_cut_again_whatever_it_is_called() {
    let bench = Bench::new();
    let video = video(&bench);
    let first = cut(&bench, &video, &[play("a", 1000, 2000), play("b", 3000, 4000)], 1);
    assert_eq!(first.items, ItemCount { made: 2, reused: 0, failed: 0 });
    let renamed = cut(&bench, &video, &[play("x", 1000, 2000), play("b", 3066, 4000)], 2);
    assert_eq!(renamed.items, ItemCount { made: 1, reused: 1, failed: 0 });
    let place = |outcome: &Outcome, path: &str| outcome.files.iter().find(|f| f.path == path).unwrap().clone();
    assert_eq!(place(&first, "a.mp4").at, place(&renamed, "x.mp4").at);
}

#[test]
fn a_clip_that_was_damaged_in_the_store_is_cut_again() {
    let bench = Bench::new();
    let video = video(&bench);
    let first = cut(&bench, &video, &[play("a", 1000, 2000)], 1);
    fs::remove_file(bench.file(&first, "a.mp4")).unwrap();
    let second = cut(&bench, &video, &[play("a", 1000, 2000)], 1);
    assert_eq!(second.items, ItemCount { made: 1, reused: 0, failed: 0 });
    assert_eq!(digest(&second.files), digest(&first.files));
}

#[test]
fn mistakes_in_plays_and_videos_are_told() {
    let bench = Bench::new();
    let video = video(&bench);
    let text = bench.path("text.mp4");
    fs::write(&text, "not a video").unwrap();
    let cases = [
        (video.as_path(), vec![play("a", 20_000, 21_000)], "play_outside_video", "play `a`"),
        (video.as_path(), vec![play("a", 9_000, 12_000)], "play_outside_video", "play `a`"),
        // Frame 75 is shown at 5000 ms and frame 76 at 5067 ms.
        (video.as_path(), vec![play("a", 5_010, 5_060)], "play_outside_video", "play `a`"),
        (video.as_path(), vec![play("a", 2_000, 2_000)], "bad_play", "not after its start"),
        (video.as_path(), vec![play("a", 1, 500), play("a", 600, 900)], "same_play", "`a`"),
        (text.as_path(), vec![play("a", 1, 500)], "not_a_video", "cannot be read as a video"),
    ];
    for (video, rows, code, message) in cases {
        let failure = cut(&bench, video, &rows, 1).failure.unwrap();
        assert_eq!(failure.code, code, "{failure:?}");
        assert!(failure.message.contains(message) && failure.help.is_some(), "{failure:?}");
    }
}

#[test]
fn a_share_of_the_clips_may_fail_and_each_says_why() {
    let bench = Bench::new();
    let video = video(&bench);
    let rows = [play("a", 1000, 2000), play("b", 20_000, 21_000), play("c", 3000, 4000), play("d", 5000, 5000)];
    let half = json!({ "min_success": 0.5 });
    let outcome = cut_with(&bench, &video, &rows, 2, half.clone());
    assert_eq!(outcome.items, ItemCount { made: 2, reused: 0, failed: 2 });
    assert_eq!((&outcome.result["clips"], &outcome.result["failed"]), (&json!(2), &json!(2)));
    let found: Vec<Json> = records(&bench, &outcome);
    let told: Vec<[&str; 3]> = found
        .iter()
        .map(|r| [&r["play"], &r["status"], &r["error"]["code"]].map(|value| value.as_str().unwrap_or("-")))
        .collect();
    let expected =
        [["a", "cut", "-"], ["c", "cut", "-"], ["b", "failed", "play_outside_video"], ["d", "failed", "bad_play"]];
    // Those that have a place in the video stand in its order, the others at the end.
    assert_eq!(told.iter().filter(|told| told[1] == "cut").count(), 2);
    expected.iter().for_each(|wanted| assert!(told.contains(wanted), "{wanted:?} in {told:?}"));
    let lost = found.iter().find(|r| r["play"] == "b").unwrap();
    assert_eq!((&lost["path"], &lost["frames"], &lost["start_ms"]), (&json!(""), &json!(0), &json!(20_000)));
    // What was cut is found by the next run, and what was not is tried again.
    let again = cut_with(&bench, &video, &rows, 2, half);
    assert_eq!(again.items, ItemCount { made: 0, reused: 2, failed: 2 });
    assert_eq!(digest(&again.files), digest(&outcome.files));
    // Whoever takes clips takes those that there are.
    let index = bench.text(&frames(&bench, &outcome, &json!({})), "frames.jsonl");
    assert_eq!(index.lines().count(), 2);
    let template = bench.path("t.jinja");
    fs::write(&template, r#"{"clip": {{ clip.id | json }}, "label": "x", "play": {{ clip.play | json }}, "angle": {{ clip.angle | json }}}"#).unwrap();
    let inputs = vec![("from[0]", vec![bench.input(&outcome, &CELL)])];
    let config = json!({ "from": ["clips"], "template": "t.jinja" });
    let made =
        bench.run("format-jsonl", Given { config, inputs, files: vec![("template", template)], ..Given::default() });
    assert_eq!(bench.text(&made, "train.jsonl").lines().count(), 2);
    let failure = cut_with(&bench, &video, &rows, 2, json!({ "min_success": 0.75 })).failure.unwrap();
    assert!(
        failure.message.starts_with("2 of 4 clips could not be cut, and `min_success = 0.75` lets 1 go: play `"),
        "{failure:?}"
    );
}

#[test]
fn a_moment_is_the_same_clip_however_it_is_written() {
    let bench = Bench::new();
    let video = video(&bench);
    // Fifteen frames a second: one second is frame 15.
    let written = [
        ("ms", json!({ "id": "a", "start_ms": 1000, "end_ms": 2400 })),
        ("frame", json!({ "id": "a", "start_frame": 15, "end_frame": 36 })),
        ("timecode", json!({ "id": "a", "start": "00:00:01:00", "end": "00:00:02:06" })),
        ("timecode", json!({ "id": "a", "start": "00:00:01", "end": "00:00:02.400" })),
    ];
    for (place, (times, row)) in written.into_iter().enumerate() {
        let outcome = cut_with(&bench, &video, &[row], 1, json!({ "times": times }));
        let expected = if place == 0 { (1, 0) } else { (0, 1) };
        assert_eq!((outcome.items.made, outcome.items.reused), expected, "{times}: {:?}", outcome.failure);
        let record = records(&bench, &outcome).remove(0);
        assert_eq!((&record["frames"], &record["asked"]), (&json!(21), &json!({ "start": [1, 1], "end": [12, 5] })));
    }
    let row = json!({ "id": "b", "start": "00:00:01;00", "end": "00:00:02" });
    let failure = cut_with(&bench, &video, &[row], 1, json!({ "times": "timecode" })).failure.unwrap();
    assert!(failure.message.starts_with("play `b`: column `start`: numbers are dropped at 29.97"), "{failure:?}");
    assert!(failure.on.unwrap().contains("00:00:01;00") && failure.help.unwrap().contains("`:`"));
    let row = json!({ "id": "b", "start_ms": 1000, "end_ms": 2000 });
    let failure = cut_with(&bench, &video, &[row], 1, json!({ "times": "frame" })).failure.unwrap();
    assert_eq!((failure.code.as_str(), failure.help.unwrap().contains("`times`")), ("no_column", true));
}

#[test]
fn padding_ends_where_the_video_does_and_the_manifest_says_so() {
    let bench = Bench::new();
    let video = video(&bench);
    let rows = [play("a", 500, 1000), play("b", 9500, 9900), play("c", 5000, 6000)];
    let outcome = cut_with(&bench, &video, &rows, 2, json!({ "pad_before": "1s", "pad_after": "500ms" }));
    let found = records(&bench, &outcome);
    let of = |play: &str| found.iter().find(|record| record["play"] == play).unwrap();
    // Frames 0 to 22 lie before 1.5 s; those from 8.5 s to the end at 10 s are 128 to 149.
    assert_eq!((&of("a")["frames"], &of("a")["start_ms"], &of("a")["end_ms"]), (&json!(23), &json!(0), &json!(1500)));
    assert_eq!(of("a")["asked"], json!({ "start": [-1, 2], "end": [3, 2] }));
    assert_eq!(of("a")["unpadded"], json!({ "start": [1, 2], "end": [1, 1] }));
    assert_eq!(of("a")["clamped"], json!({ "before_ms": 500, "after_ms": 0 }));
    assert_eq!((&of("b")["frames"], &of("b")["clamped"]), (&json!(22), &json!({ "before_ms": 0, "after_ms": 400 })));
    assert_eq!((&of("c")["frames"], of("c").get("clamped")), (&json!(38), None));
}

#[test]
fn the_times_of_a_camera_that_was_started_later_are_shifted() {
    let bench = Bench::new();
    let video = video(&bench);
    let made = cut(&bench, &video, &[play("a", 1000, 2000)], 1).items.made;
    let late = [json!({ "id": "a", "start_ms": 3500, "end_ms": 4500, "late": -2500 })];
    for sync in [json!("-2.5s"), json!({ "FAR_LEFT": "-2500ms", "NEAR_LEFT": "0s" }), json!({ "column": "late" })] {
        let outcome = cut_with(&bench, &video, &late, 1, json!({ "sync": sync }));
        assert_eq!((made, outcome.items.reused), (1, 1), "{sync}: {:?}", outcome.failure);
        assert_eq!(records(&bench, &outcome)[0]["start_ms"], 1000, "{sync}");
    }
    let failure = cut_with(&bench, &video, &late, 1, json!({ "sync": "-4s" })).failure.unwrap();
    assert_eq!(failure.message, "play `a`: it begins 500 ms before the video does, by `sync`");
    let failure = cut_with(&bench, &video, &late, 1, json!({ "sync": { "NEAR_LEFT": "1s" } })).failure.unwrap();
    assert_eq!(failure.message, "there is no offset for the angle `FAR_LEFT`; there are those of NEAR_LEFT");
}

#[test]
fn several_angles_are_cut_in_one_task_each_in_a_folder_of_its_own() {
    let bench = Bench::new();
    let recipe = Recipe { games: 1, angles: Angle::ALL[..2].to_vec(), plays: 3, seconds: 10, ..Recipe::default() };
    generate(&bench.path("sample"), &recipe).unwrap();
    let files = ["FAR_LEFT", "NEAR_LEFT"].map(|angle| (angle, bench.path(&format!("sample/videos/g1/{angle}.mp4"))));
    let config = json!({ "plays": "plays", "videos": { "FAR_LEFT": "a.mp4", "NEAR_LEFT": "b.mp4" }, "sync": {
        "FAR_LEFT": "0s", "NEAR_LEFT": "1s" } });
    let outcome = bench.run(
        "extract-clips",
        Given {
            config,
            cell: vec![("game", "g1")],
            inputs: vec![("plays", vec![plays(&bench, &[play("a", 1000, 2000), play("b", 4000, 5000)])])],
            files: vec![("videos.FAR_LEFT", files[0].1.clone()), ("videos.NEAR_LEFT", files[1].1.clone())],
            cpu: 2,
            ..Given::default()
        },
    );
    assert_eq!(outcome.items, ItemCount { made: 4, reused: 0, failed: 0 }, "{:?}", outcome.failure);
    let told: Vec<String> = records(&bench, &outcome)
        .iter()
        .map(|r| {
            format!(
                "{} {} {} {}",
                r["id"].as_str().unwrap(),
                r["angle"].as_str().unwrap(),
                r["path"].as_str().unwrap(),
                r["start_ms"]
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "game=g1/FAR_LEFT/a FAR_LEFT FAR_LEFT/a.mp4 1000",
            "game=g1/FAR_LEFT/b FAR_LEFT FAR_LEFT/b.mp4 4000",
            "game=g1/NEAR_LEFT/a NEAR_LEFT NEAR_LEFT/a.mp4 2000",
            "game=g1/NEAR_LEFT/b NEAR_LEFT NEAR_LEFT/b.mp4 5000",
        ]
    );
    assert!(outcome.files.iter().any(|file| file.path == "thumbnails/NEAR_LEFT/b.jpg"));
}

#[test]
fn each_clip_has_a_thumbnail_and_all_have_a_sheet_unless_nobody_wants_them() {
    let bench = Bench::new();
    let (video, rows) = (video(&bench), [play("a", 1000, 2000), play("b", 3000, 4000)]);
    let pictures = |outcome: &Outcome| -> Vec<String> {
        outcome.files.iter().map(|file| file.path.clone()).filter(|path| path.ends_with(".jpg")).collect()
    };
    let bare = cut_with(&bench, &video, &rows, 1, json!({ "thumbnails": false }));
    assert_eq!((pictures(&bare), &records(&bench, &bare)[0]["thumbnail"]), (vec![], &Json::Null));
    let shown = cut(&bench, &video, &rows, 1);
    assert_eq!(
        shown.items,
        ItemCount { made: 0, reused: 2, failed: 0 },
        "a thumbnail is no reason to cut a clip again"
    );
    assert_eq!(pictures(&shown), ["contact-sheet.jpg", "thumbnails/a.jpg", "thumbnails/b.jpg"]);
    assert_eq!(records(&bench, &shown)[0]["thumbnail"], "thumbnails/a.jpg");
    let bytes = fs::read(bench.file(&shown, "thumbnails/a.jpg")).unwrap();
    // JPEG: a frame header (FF C0) has, after its length and depth, the height and the width.
    let header = bytes.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    let side = |at: usize| u16::from_be_bytes([bytes[header + at], bytes[header + at + 1]]);
    assert_eq!((side(5), side(7)), (180, 320));
    let place = |outcome: &Outcome| outcome.files.iter().find(|f| f.path == "thumbnails/b.jpg").unwrap().at.clone();
    assert_eq!(place(&cut(&bench, &video, &[rows[1].clone()], 1)), place(&shown), "it is made once");
}

#[test]
fn the_record_of_a_clip_tells_its_file() {
    let bench = Bench::new();
    let outcome = cut(&bench, &video(&bench), &[play("a", 1000, 2000)], 1);
    let record = records(&bench, &outcome).remove(0);
    let file = outcome.files.iter().find(|file| file.path == "a.mp4").unwrap();
    assert_eq!((&record["size"], &record["blake3"]), (&json!(file.size), &json!(file.blake3)));
    assert_eq!((&record["codec"], &record["angle"]), (&json!("h264"), &json!("FAR_LEFT")));
}

#[test]
fn another_quality_cuts_all_clips_again_and_another_share_none() {
    let bench = Bench::new();
    let (video, rows) = (video(&bench), [play("a", 1000, 2000), play("b", 3000, 4000)]);
    cut(&bench, &video, &rows, 2);
    let finer = cut_with(&bench, &video, &rows, 2, json!({ "crf": 17 }));
    assert_eq!(finer.items, ItemCount { made: 2, reused: 0, failed: 0 });
    let lenient = cut_with(&bench, &video, &rows, 2, json!({ "crf": 17, "min_success": 0.5 }));
    assert_eq!(lenient.items, ItemCount { made: 0, reused: 2, failed: 0 });
}

#[test]
fn every_setting_that_shapes_a_clip_is_in_its_key_and_no_other_is() {
    let bench = Bench::new();
    let (video, rows) = (video(&bench), [play("a", 1010, 4001)]);
    let cut = |settings: &Json| {
        let mut config = json!({ "mode": "encode", "thumbnails": false });
        config.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        let outcome = cut_with(&bench, &video, &rows, 1, config);
        assert_eq!(outcome.failure, None, "{settings}");
        (outcome.items.made, records(&bench, &outcome)[0]["blake3"].as_str().unwrap().to_owned())
    };
    let (_, plain) = cut(&json!({}));
    let shaping = [
        json!({ "mode": "smart" }),
        json!({ "mode": "copy" }),
        json!({ "size": [64, 36] }),
        json!({ "fps": 10 }),
        json!({ "pixels": "yuv444p" }),
        json!({ "crf": 30 }),
        json!({ "preset": "faster" }),
        json!({ "audio": "none" }),
    ];
    let mut seen = vec![plain.clone()];
    for settings in &shaping {
        let (made, digest) = cut(settings);
        assert_eq!((made, seen.contains(&digest)), (1, false), "{settings} makes another clip");
        seen.push(digest);
    }
    for settings in [
        json!({ "min_success": 0.5 }),
        json!({ "thumbnails": true }),
        json!({ "times": "ms", "sync": "0s", "pad_before": "0s" }),
        json!({ "encoder": "libx264", "crf": 18, "preset": "veryfast", "audio": "best" }),
    ] {
        assert_eq!(cut(&settings), (0, plain.clone()), "{settings} is what it was");
    }
}

/// The keys under which clips are filed in a store.
fn keys_of_clips(bench: &Bench) -> Vec<Json> {
    let shelves = fs::read_dir(bench.stored("results")).unwrap().flatten();
    let files = shelves.flat_map(|shelf| fs::read_dir(shelf.path()).unwrap().flatten());
    let all = files.map(|file| serde_json::from_slice::<Json>(&fs::read(file.path()).unwrap()).unwrap());
    all.map(|mut item| item["key"].take()).filter(|key| key["kind"] == "extract-clips/clip").collect()
}

#[test]
fn the_encoder_is_in_the_key_of_a_clip_and_the_manifest_names_the_one_that_was_used() {
    let bench = Bench::new();
    let (video, rows) = (video(&bench), [play("a", 1010, 4001)]);
    let cut = |mode: &str, encoder: &str| {
        cut_with(&bench, &video, &rows, 1, json!({ "mode": mode, "encoder": encoder, "thumbnails": false }))
    };
    let named = |outcome: &Outcome| records(&bench, outcome)[0].get("encoder").cloned();
    let whole = cut("encode", "libx264");
    assert_eq!((whole.items.made, named(&whole)), (1, Some(json!("libx264"))), "{:?}", whole.failure);
    let keys = keys_of_clips(&bench);
    assert_eq!((keys.len(), &keys[0]["encoder"]), (1, &json!("libx264")), "{keys:?}");
    // One that this build has, and that takes no such pictures: were it not in the key, the clip would be there.
    let other = cut("encode", "png");
    assert_eq!((other.items, other.failure.is_some()), (ItemCount::default(), true), "{other:?}");
    assert_eq!(cut("encode", "libx264").items, ItemCount { made: 0, reused: 1, failed: 0 });
    assert_eq!(named(&cut("smart", "libx264")), Some(json!("libx264")), "its edges were encoded");
    assert_eq!(named(&cut("copy", "libx264")), None, "nothing was encoded");
    // Who finds the clip is told as well.
    assert_eq!(named(&cut("encode", "libx264")), Some(json!("libx264")));
}

#[test]
fn an_encoder_that_is_not_there_is_told_with_those_that_are_before_anything_runs_and_by_the_worker() {
    let config = json!({ "plays": "plays", "video": "v.mp4", "encoder": "h264_nowhere" });
    let problem = pipe_stages::all().get("extract-clips").unwrap().check(&config).unwrap_err();
    let there = "use one of those that there are: libx264";
    assert_eq!(
        (problem.field.as_str(), problem.message.as_str()),
        ("encoder", "there is no encoder `h264_nowhere` in this build")
    );
    assert!(problem.help.unwrap().starts_with(there));
    // A worker of another build may have fewer than whoever made the plan.
    let bench = Bench::new();
    let settings = json!({ "mode": "encode", "encoder": "h264_nowhere" });
    let failure = cut_with(&bench, &video(&bench), &[play("a", 1000, 2000)], 1, settings).failure.unwrap();
    assert!(failure.message.contains("no encoder `h264_nowhere`") && failure.help.unwrap().starts_with(there));
}

#[test]
fn a_clip_that_two_specs_ask_for_is_cut_once() {
    let bench = Bench::new();
    let video = video(&bench);
    let first = cut(&bench, &video, &[play("a", 1000, 2000)], 1);
    // Another cell, another name, times in frames, and a clip more.
    let rows = [
        json!({ "id": "x", "start_frame": 15, "end_frame": 30 }),
        json!({ "id": "y", "start_frame": 45, "end_frame": 60 }),
    ];
    let second = bench.run(
        "extract-clips",
        Given {
            config: json!({ "plays": "p", "video": "other.mp4", "times": "frame", "thumbnails": false }),
            inputs: vec![("plays", vec![plays(&bench, &rows)])],
            files: vec![("video", video)],
            ..Given::default()
        },
    );
    assert_eq!((first.items.made, second.items), (1, ItemCount { made: 1, reused: 1, failed: 0 }));
    let at = |outcome: &Outcome, path: &str| outcome.files.iter().find(|file| file.path == path).unwrap().at.clone();
    assert_eq!(at(&first, "a.mp4"), at(&second, "x.mp4"));
}

#[test]
fn progress_counts_clips_and_the_bytes_that_were_written() {
    let bench = Bench::new();
    let (video, rows) = (video(&bench), [play("a", 1000, 2000), play("b", 3000, 4000)]);
    let last = |bench: &Bench| match bench.said.lock().unwrap().last() {
        Some(Body::Progress { done, total, bytes, .. }) => (*done, *total, bytes.unwrap()),
        other => panic!("{other:?}"),
    };
    let outcome = cut(&bench, &video, &rows, 2);
    let written = outcome.files.iter().filter(|file| file.path.ends_with(".mp4")).map(|file| file.size).sum();
    assert_eq!(last(&bench), (2, 2, written));
    // Clips that are there cost no bytes.
    cut(&bench, &video, &rows, 2);
    assert_eq!(last(&bench), (2, 2, 0));
}

#[test]
fn the_same_clip_is_the_same_bytes_whatever_is_cut_beside_it() {
    let bench = Bench::new();
    let (video, folder) = (video(&bench), bench.path(""));
    let cut = |name: &str| {
        let out = folder.join(name);
        let mut cutter = pipe_video::Cutter::open(&video, pipe_video::EncodeOptions::default()).unwrap();
        cutter.cut(pipe_video::Span { start_ms: 1060, end_ms: 2444 }, &out).unwrap();
        blake3::hash(&fs::read(out).unwrap())
    };
    let first = cut("first.mp4");
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let cut = &cut;
            scope.spawn(move || (0..12).for_each(|_| assert_eq!(cut(&format!("{thread}.mp4")), first)));
        }
    });
}

/// When this fails because bytes changed on purpose, raise `CODE` in the stage's file and take over the new digest.
#[test]
fn the_same_video_gives_the_same_clips_and_frames_as_ever() {
    let bench = Bench::new();
    let video = video(&bench);
    let clips = cut(&bench, &video, &[play("a", 1000, 2000), play("b", 3000, 4001)], 1);
    let frames = |cpu| {
        let config = json!({ "clips": "clips", "size": [32, 18], "frames": 3 });
        let inputs = vec![("clips", vec![bench.input(&clips, &CELL)])];
        bench.run("preprocess", Given { config, cell: CELL.to_vec(), inputs, cpu, ..Given::default() })
    };
    let (one, two) = (frames(1), frames(2));
    assert_eq!(digest(&one.files), digest(&two.files));
    let file =
        |outcome: &Outcome, path: &str| outcome.files.iter().find(|f| f.path == path).unwrap().blake3[..16].to_owned();
    let kinds = pipe_stages::all();
    let code = |kind: &str| kinds.get(kind).unwrap().code().split_once(' ').unwrap().0.to_owned();
    let found = [
        (code("extract-clips"), file(&clips, "a.mp4")),
        (code("extract-clips"), file(&clips, "b.mp4")),
        (code("preprocess"), file(&one, "frames-00000.safetensors")),
    ];
    let golden = include_str!("golden.txt").lines().map(|l| l.split_once(' ').unwrap());
    let golden: Vec<_> = golden.map(|(code, digest)| (code.to_owned(), digest.to_owned())).collect();
    assert_eq!(found.to_vec(), golden);
}

pub(crate) fn frames(bench: &Bench, clips: &Outcome, settings: &Json) -> Outcome {
    let mut config = json!({ "clips": "clips", "size": [32, 18], "frames": 3 });
    config.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    let inputs = vec![("clips", vec![bench.input(clips, &CELL)])];
    bench.run("preprocess", Given { config, cell: CELL.to_vec(), inputs, cpu: 2, ..Given::default() })
}

/// The clips' tensors, taken out of a safetensors file by the format's own description: a length, JSON, data.
fn tensors_of(bench: &Bench, outcome: &Outcome, file: &str) -> Vec<u8> {
    let bytes = fs::read(bench.file(outcome, file)).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    bytes[8 + header..].to_vec()
}

#[test]
fn every_format_holds_the_same_numbers() {
    let bench = Bench::new();
    let clips = cut(&bench, &video(&bench), &[play("a", 1000, 2000), play("b.c", 3000, 4001)], 1);
    let first = frames(&bench, &clips, &json!({}));
    let numbers = tensors_of(&bench, &first, "frames-00000.safetensors");
    let length = 3 * 3 * 18 * 32 * 4;
    assert_eq!(numbers.len(), 2 * length);

    // NumPy's format, 1.0: \x93NUMPY, 1, 0, the header's length, the header up to a multiple of 64, the numbers.
    let npy = frames(&bench, &clips, &json!({ "format": "npy" }));
    let npy = fs::read(bench.file(&npy, "frames-00000.npy")).unwrap();
    let header = usize::from(u16::from_le_bytes([npy[8], npy[9]]));
    let text = std::str::from_utf8(&npy[10..10 + header]).unwrap();
    assert_eq!((&npy[..8], (10 + header) % 64), (b"\x93NUMPY\x01\x00".as_slice(), 0));
    let said = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3, 3, 18, 32), }";
    assert_eq!(text.trim_end(), said);
    assert!(npy[10 + header..] == numbers);

    // tar lists and unpacks it: an array and a JSON for each clip.
    let tar = frames(&bench, &clips, &json!({ "format": "webdataset" }));
    let folder = bench.path("unpacked");
    fs::create_dir_all(&folder).unwrap();
    let unpacked = std::process::Command::new("tar")
        .args(["-xf", bench.file(&tar, "frames-00000.tar").to_str().unwrap(), "-C", folder.to_str().unwrap()])
        .status()
        .unwrap();
    assert!(unpacked.success());
    let facts: Json = serde_json::from_slice(&fs::read(folder.join("00000001.json")).unwrap()).unwrap();
    assert_eq!(facts["id"], "angle=FAR_LEFT,game=g1/b.c");
    // 16 frames: the middles of three parts are frames 2, 8 and 13.
    assert_eq!(facts["frames"], json!([2, 8, 13]));
    let array = fs::read(folder.join("00000001.npy")).unwrap();
    assert!(array[array.len() - length..] == numbers[length..]);
}

#[test]
fn shards_are_cut_by_size_and_a_whole_one_is_not_made_again() {
    let bench = Bench::new();
    let plays = [play("a", 1000, 2000), play("b", 3000, 4001), play("c", 5000, 6000)];
    let video = video(&bench);
    let clips = cut(&bench, &video, &plays, 1);
    // A clip has 3 * 3 * 18 * 32 * 4 = 20,736 bytes, so two fit 48 KiB.
    let size = json!({ "shard_size": "48 KiB" });
    let first = frames(&bench, &clips, &size);
    assert_eq!(first.items, ItemCount { made: 2, reused: 0, failed: 0 });
    let index: Vec<Json> =
        bench.text(&first, "frames.jsonl").lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let place = |i: usize| (index[i]["shard"].as_str().unwrap(), index[i]["row"].as_u64().unwrap());
    assert_eq!(place(1), ("frames-00000.safetensors", 1));
    assert_eq!(place(2), ("frames-00001.safetensors", 0));
    // The last play moves: the first shard is the one that was made before.
    let moved = [plays[0].clone(), plays[1].clone(), play("c", 5000, 7000)];
    let clips = cut(&bench, &video, &moved, 1);
    assert_eq!(frames(&bench, &clips, &size).items, ItemCount { made: 1, reused: 1, failed: 0 });
}

#[test]
fn an_attempt_that_died_within_a_shard_has_lost_one_clip_and_no_more() {
    let bench = Bench::new();
    let plays = [play("a", 1000, 2000), play("b", 3000, 4001), play("c", 5000, 6000)];
    let clips = cut(&bench, &video(&bench), &plays, 1);
    let file = |name: &str| bench.file(&clips, name);
    let spoil = |name: &str| {
        let whole = fs::read(file(name)).unwrap();
        fs::set_permissions(file(name), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        fs::write(file(name), b"no video").unwrap();
        whole
    };
    let inputs = || vec![("clips", vec![bench.input(&clips, &CELL)])];
    let config = json!({ "clips": "clips", "size": [32, 18], "frames": 3 });
    let run =
        || bench.run("preprocess", Given { config: config.clone(), inputs: inputs(), cpu: 1, ..Given::default() });

    let c = spoil("c.mp4");
    let failure = run().failure.expect("the third clip is none");
    assert!(failure.message.contains("clip `angle=FAR_LEFT,game=g1/c`"), "{failure}");
    // Of the first two nothing is left but what the attempt before had made of them.
    fs::write(file("c.mp4"), c).unwrap();
    let (a, b) = (spoil("a.mp4"), spoil("b.mp4"));
    let second = run();
    assert_eq!(second.failure, None);
    assert_eq!(fs::read_dir(bench.path("checkpoints")).unwrap().count(), 0, "the shard is whole");
    let numbers = tensors_of(&bench, &second, "frames-00000.safetensors");

    fs::write(file("a.mp4"), a).unwrap();
    fs::write(file("b.mp4"), b).unwrap();
    let whole = Bench::new();
    let clips = cut(&whole, &video(&whole), &plays, 1);
    assert!(tensors_of(&whole, &frames(&whole, &clips, &json!({})), "frames-00000.safetensors") == numbers);
}

#[test]
fn what_was_kept_of_a_clip_and_is_damaged_is_made_again() {
    let bench = Bench::new();
    let clips = cut(&bench, &video(&bench), &[play("a", 1000, 2000), play("b", 3000, 4001)], 1);
    let b = bench.file(&clips, "b.mp4");
    let whole = fs::read(&b).unwrap();
    fs::set_permissions(&b, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    fs::write(&b, b"no video").unwrap();
    let inputs = || vec![("clips", vec![bench.input(&clips, &CELL)])];
    let config = json!({ "clips": "clips", "size": [32, 18], "frames": 3 });
    let run =
        || bench.run("preprocess", Given { config: config.clone(), inputs: inputs(), cpu: 1, ..Given::default() });
    assert!(run().failure.is_some());
    fs::write(&b, whole).unwrap();

    let shard = fs::read_dir(bench.path("checkpoints")).unwrap().next().unwrap().unwrap().path();
    let mut kept = fs::read(shard.join("0")).unwrap();
    *kept.last_mut().unwrap() ^= 1;
    fs::write(shard.join("0"), &kept).unwrap();
    fs::write(shard.join("1"), b"short").unwrap();
    let numbers = tensors_of(&bench, &run(), "frames-00000.safetensors");
    let other = Bench::new();
    let clips = cut(&other, &video(&other), &[play("a", 1000, 2000), play("b", 3000, 4001)], 1);
    assert!(tensors_of(&other, &frames(&other, &clips, &json!({})), "frames-00000.safetensors") == numbers);
}

#[test]
fn the_manifest_says_what_the_numbers_are_and_a_preview_shows_them() {
    let bench = Bench::new();
    let clips = cut(&bench, &video(&bench), &[play("a", 1000, 2000)], 1);
    let outcome = frames(&bench, &clips, &json!({ "dtype": "u8", "layout": "nhwc", "fit": "letterbox" }));
    let manifest: Json = serde_json::from_str(&bench.text(&outcome, "tensors.json")).unwrap();
    assert_eq!(manifest["shape_of_a_clip"], json!([3, 18, 32, 3]));
    assert_eq!((&manifest["dtype"], &manifest["normalised"]), (&json!("u8"), &Json::Null));
    assert_eq!(manifest["shards"], json!([{ "file": "frames-00000.safetensors", "clips": 1 }]));
    let preview = fs::read(bench.file(&outcome, "preview.png")).unwrap();
    assert_eq!(preview[..4], *b"\x89PNG");
}

#[test]
fn clips_with_too_few_frames_repeat_their_last_one() {
    let bench = Bench::new();
    // 16 frames of 15 a second: every sixth is 0, 6 and 12, and the last one is taken twice more.
    let clips = cut(&bench, &video(&bench), &[play("a", 3000, 4001)], 1);
    let settings = json!({ "frames": 5, "sample": { "by": "every", "n": 6 } });
    let numbers = tensors_of(&bench, &frames(&bench, &clips, &settings), "frames-00000.safetensors");
    let frame: Vec<&[u8]> = numbers.chunks_exact(3 * 18 * 32 * 4).collect();
    assert_eq!(frame.len(), 5);
    assert!(frame[2] == frame[3] && frame[3] == frame[4] && frame[1] != frame[2]);
}

#[test]
fn settings_of_frames_that_cannot_work_are_told_before_anything_runs() {
    let kinds = pipe_stages::all();
    let check = |settings: Json| {
        let mut config = json!({ "clips": "clips", "size": [32, 18] });
        config.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        kinds.get("preprocess").unwrap().check(&config).unwrap_err().message
    };
    assert!(check(json!({ "std": [1, 0, 1] })).contains("above 0"));
    assert!(check(json!({ "dtype": "u8", "mean": [0, 0, 0] })).contains("nothing to normalise"));
    assert!(check(json!({ "sample": { "by": "fps", "fps": 0 } })).contains("between 0.001 and 1000"));
    assert!(check(json!({ "size": [32, 100_000] })).contains("32x100000"));
    // What is no number of single precision; a spec cannot hold what is none at all (S0107).
    assert!(check(json!({ "mean": [0, 1e39, 0] })).contains("must be a number"));
    assert!(check(json!({ "std": [0.5, 0.5, 1e39] })).contains("above 0"));
    assert!(check(json!({ "std": [0.5, 1e-39, 0.5] })).contains("infinite"));
    assert!(check(json!({ "size": [0, 18] })).contains("0"));
    assert!(check(json!({ "size": [32_768, 32_768] })).contains("a clip's tensor of 8 frames would have 96 GiB"));
    assert!(check(json!({ "size": [32_768, 32_768], "frames": u32::MAX })).contains("more than 4194304 frames"));
    assert!(check(json!({ "decoder": "gpu", "device": "cpu" })).contains("no GPU is used"));
}

#[cfg(feature = "cuda")]
#[test]
fn frames_made_on_a_gpu_are_the_bytes_that_the_cpu_makes() {
    let driver = pipe_fakecuda::FakeDriver::take();
    let on = |device: &str| {
        // A store of its own: a shard that is there is not made again, whatever the device.
        let bench = Bench::new();
        let clips = cut(&bench, &video(&bench), &[play("p1", 0, 400), play("p2", 1000, 1400)], 2);
        let outcome = frames(&bench, &clips, &json!({ "device": device, "dtype": "f16", "fit": "letterbox" }));
        let failure = outcome.failure.as_ref().map(|failure| failure.message.clone());
        failure.map_or_else(|| Ok(tensors_of(&bench, &outcome, "frames-00000.safetensors")), Err)
    };
    let launched = || driver.calls().iter().find(|(name, _)| name == "cuLaunchKernel").map_or(0, |(_, count)| *count);
    let cpu = on("cpu").unwrap();
    assert_eq!(launched(), 0);
    assert!(on("cuda:0").unwrap() == cpu);
    // Three frames of each clip, in two lanes.
    assert_eq!((launched(), driver.leaks()), (4, String::new()));
    // A GPU that fails half way leaves the rest to the CPU.
    driver.fail("cuLaunchKernel", 3, 719);
    assert!(on("cuda:0").unwrap() == cpu);
    assert_eq!(on("cuda:1").unwrap_err(), "there is no GPU 1 here, of 1");
}

#[test]
fn a_device_that_is_none_is_told_before_anything_runs() {
    let config = json!({ "clips": "clips", "size": [32, 18], "device": "gpu" });
    let problem = pipe_stages::all().get("preprocess").unwrap().check(&config).unwrap_err();
    assert_eq!(problem.message, "`gpu` is none of `auto`, `cpu` and `cuda:0`");
}
