//! The nth frame of a video is at a moment that its index tells.

use std::path::PathBuf;

use pipe_video::{Exact, Media, Ratio, Writer, WriterOptions, counting};

use crate::corpus::input;
use crate::made::{Made, SIDE, folder, options};

fn of(name: &str) -> pipe_video::Counting {
    let path: PathBuf = input::all().into_iter().find(|hard| hard.name == name).unwrap().path;
    counting(&Media::file(&path)).unwrap()
}

#[test]
fn frames_that_come_at_one_rate_are_counted_at_it() {
    let ntsc = Some(Ratio { num: 30_000, den: 1001 });
    let thirty = Some(Ratio { num: 30, den: 1 });
    let cases =
        [("plain.mp4", thirty), ("ntsc.mp4", ntsc), ("ntsc.mkv", ntsc), ("plain.ts", thirty), ("rotated.mp4", thirty)];
    for (name, rate) in cases {
        assert_eq!(of(name).rate, rate, "{name}");
    }
}

#[test]
fn frames_that_do_not_come_at_one_rate_cannot_be_counted() {
    for name in ["vfr.mp4", "gap.mp4"] {
        assert_eq!(of(name).rate, None, "{name}");
    }
}

#[test]
fn counting_begins_at_the_first_frame_that_is_shown() {
    assert_eq!(of("plain.mp4").first, Exact { num: 0, den: 1 });
    // Its pictures are delayed by half a second, its sound is not.
    assert_eq!(of("edit-delays.mp4").first, Exact { num: 1, den: 2 });
}

#[test]
fn the_timecode_of_the_first_frame_is_the_one_that_ffmpeg_was_told_to_write() {
    assert_eq!(of("timecode.mov").timecode, Some("01:00:00:00".parse().unwrap()));
    for name in ["plain.mp4", "plain.ts", "ntsc.mkv"] {
        assert_eq!(of(name).timecode, None, "{name}");
    }
}

#[test]
fn a_timecode_that_drops_numbers_is_written_and_read_back_so() {
    let folder = folder();
    let path = folder.path().join("dropping.mp4");
    let made = Made { rate: Ratio { num: 30_000, den: 1001 }, audio_rate: None, ..Made::default() };
    let options = WriterOptions { timecode: Some("09:59:58;12".parse().unwrap()), ..options(&made) };
    let mut writer = Writer::create(&path, options).unwrap();
    for _ in 0..3 {
        writer.push_yuv420(&[60; SIDE * SIDE], &[128; SIDE * SIDE / 4], &[128; SIDE * SIDE / 4]).unwrap();
    }
    writer.finish().unwrap();
    let counting = counting(&Media::file(&path)).unwrap();
    assert_eq!(counting.timecode.map(|timecode| timecode.to_string()).as_deref(), Some("09:59:58;12"));
}
