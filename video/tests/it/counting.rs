//! The nth frame of a video is at a moment that its index tells.

use std::path::PathBuf;

use pipe_video::{Exact, Media, Ratio, counting};

use crate::corpus::input;

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
