//! A clip holds exactly the frames between its ends.

use std::fs;
use std::path::Path;

use ffmpeg_next::{format, media};
use pipe_video::{Cutter, EncodeOptions, Preset, Ratio, Span, VideoErrorKind, probe};

use crate::made::{Made, folder, made_in, numbers};

const FAST: EncodeOptions = EncodeOptions { crf: 23, preset: Preset::Ultrafast };

/// The numbers of the frames whose time, number / rate, lies in the span: whole numbers only.
fn expected(made: &Made, span: Span) -> Vec<u32> {
    let thousandths = |n: u32| u64::from(n) * u64::from(made.rate.den) * 1000;
    let inside = |n: &u32| {
        thousandths(*n) >= span.start_ms * u64::from(made.rate.num)
            && thousandths(*n) < span.end_ms * u64::from(made.rate.num)
    };
    (0..made.frames).filter(inside).collect()
}

/// Spans of many kinds: on and off frames, on and off key frames, a single frame, all of the video.
fn spans(made: &Made, count: u64) -> Vec<Span> {
    let length = u64::from(made.frames) * u64::from(made.rate.den) * 1000 / u64::from(made.rate.num);
    let mut spans = vec![
        Span { start_ms: 0, end_ms: length },
        Span { start_ms: 0, end_ms: 40 },
        Span { start_ms: 2000, end_ms: 2500 },
        Span { start_ms: 1999, end_ms: 2001 },
        Span { start_ms: 1967, end_ms: 2034 },
        Span { start_ms: length - 100, end_ms: length },
        Span { start_ms: length - 100, end_ms: length + 20 },
    ];
    // A fixed walk that meets every remainder of a frame's length.
    for i in 0..count {
        let start_ms = i * 397 % (length - 700);
        spans.push(Span { start_ms, end_ms: start_ms + 50 + i * 211 % 640 });
    }
    spans
}

fn assert_exact(made: &Made, count: u64) {
    let folder = folder();
    let source = made_in(&folder, "source.mp4", made);
    let mut cutter = Cutter::open(&source, FAST).unwrap();
    let clip = folder.path().join("clip.mp4");
    for span in spans(made, count) {
        let wanted = expected(made, span);
        if wanted.is_empty() {
            assert_eq!(cutter.cut(span, &clip).unwrap_err().kind, VideoErrorKind::OutOfRange, "{span:?}");
            continue;
        }
        let cut = cutter.cut(span, &clip).unwrap_or_else(|e| panic!("{span:?}: {e}"));
        assert_eq!(numbers(&clip), wanted, "{span:?}");
        assert_eq!(cut.frames, wanted.len() as u64, "{span:?}");
    }
}

#[test]
fn a_clip_holds_exactly_the_frames_between_its_ends() {
    assert_exact(&Made::default(), 40);
}

#[test]
fn a_clip_at_29_97_holds_exactly_the_frames_between_its_ends() {
    assert_exact(&Made { rate: Ratio { num: 30000, den: 1001 }, ..Made::default() }, 40);
}

#[test]
fn a_clip_of_a_video_with_one_key_frame_is_exact() {
    assert_exact(&Made { gop: 1000, frames: 120, rate: Ratio { num: 25, den: 1 }, ..Made::default() }, 10);
}

#[test]
fn a_clip_of_a_video_without_b_frames_or_sound_is_exact() {
    assert_exact(&Made { b_frames: 0, audio_rate: None, ..Made::default() }, 10);
}

#[test]
fn a_frame_exactly_on_the_end_is_left_out_and_one_exactly_on_the_start_is_in() {
    // At 25 fps frame 50 is shown at 2000 ms and frame 60 at 2400 ms.
    let folder = folder();
    let made = Made { rate: Ratio { num: 25, den: 1 }, ..Made::default() };
    let source = made_in(&folder, "source.mp4", &made);
    let clip = folder.path().join("clip.mp4");
    let cut = Cutter::open(&source, FAST).unwrap().cut(Span { start_ms: 2000, end_ms: 2400 }, &clip).unwrap();
    assert_eq!(numbers(&clip), (50..60).collect::<Vec<_>>());
    assert_eq!((cut.first_frame_ms, cut.last_frame_ms, cut.duration_ms), (2000, 2360, 400));
}

/// Times of a stream's packets in seconds, sorted, as a reader sees them that follows edit lists or ignores them.
fn packet_times(path: &Path, kind: media::Type, ignore_edits: bool) -> Vec<f64> {
    let mut options = ffmpeg_next::Dictionary::new();
    options.set("ignore_editlist", if ignore_edits { "1" } else { "0" });
    let mut input = format::input_with_dictionary(path, options).unwrap();
    let stream = input.streams().best(kind).unwrap();
    let (index, base) = (stream.index(), f64::from(stream.time_base()));
    let packets = input.packets().filter(|(stream, _)| stream.index() == index);
    let mut times: Vec<f64> = packets.filter_map(|(_, packet)| packet.pts()).map(|pts| pts as f64 * base).collect();
    times.sort_by(f64::total_cmp);
    times
}

#[test]
fn readers_that_ignore_edit_lists_see_the_same_frames_at_the_same_times() {
    let folder = folder();
    let source = made_in(&folder, "source.mp4", &Made::default());
    let clip = folder.path().join("clip.mp4");
    let cut = Cutter::open(&source, EncodeOptions::default())
        .unwrap()
        .cut(Span { start_ms: 1010, end_ms: 2610 }, &clip)
        .unwrap();
    let followed = packet_times(&clip, media::Type::Video, false);
    assert_eq!(followed, packet_times(&clip, media::Type::Video, true));
    assert_eq!(followed.len() as u64, cut.frames);
    for (number, time) in followed.iter().enumerate() {
        assert!((time - number as f64 / 30.0).abs() < 1e-4, "frame {number} is shown at {time}");
    }
}

#[test]
fn sound_begins_and_ends_within_one_packet_of_the_pictures() {
    let folder = folder();
    let source = made_in(&folder, "source.mp4", &Made::default());
    let clip = folder.path().join("clip.mp4");
    let span = Span { start_ms: 1500, end_ms: 3500 };
    let cut = Cutter::open(&source, FAST).unwrap().cut(span, &clip).unwrap();
    let packet = 1024.0 / 48_000.0;
    let times = packet_times(&clip, media::Type::Audio, false);
    assert_eq!(times.len() as u64, cut.audio_packets);
    assert!(times[0] >= 0.0 && times[0] < packet + 0.002, "sound begins at {}", times[0]);
    let end = times[times.len() - 1] + packet;
    assert!((end - 2.0).abs() < packet + 0.002, "sound ends at {end}");
}

#[test]
fn the_same_cut_gives_the_same_bytes_whatever_was_cut_before() {
    let folder = folder();
    let source = made_in(&folder, "source.mp4", &Made::default());
    let span = Span { start_ms: 700, end_ms: 2300 };
    let [first, second] = ["first.mp4", "second.mp4"].map(|name| folder.path().join(name));
    Cutter::open(&source, FAST).unwrap().cut(span, &first).unwrap();
    let mut cutter = Cutter::open(&source, FAST).unwrap();
    cutter.cut(Span { start_ms: 3000, end_ms: 3500 }, &second).unwrap();
    cutter.cut(span, &second).unwrap();
    assert!(fs::read(first).unwrap() == fs::read(second).unwrap(), "the bytes differ");
}

#[test]
fn a_clip_tells_its_shape_and_carries_the_colour_tags() {
    let folder = folder();
    let source = made_in(&folder, "source.mp4", &Made::default());
    let clip = folder.path().join("clip.mp4");
    Cutter::open(&source, FAST).unwrap().cut(Span { start_ms: 0, end_ms: 1000 }, &clip).unwrap();
    let info = probe(&clip).unwrap();
    assert_eq!((info.codec.as_str(), info.width, info.height, info.rotation), ("h264", 64, 64, 0));
    assert_eq!(info.frame_rate, Some(Ratio { num: 30, den: 1 }));
    assert_eq!((info.start_ms, info.duration_ms, info.has_audio), (0, Some(1000), true));
    let input = format::input(&clip).unwrap();
    let stream = input.streams().best(media::Type::Video).unwrap();
    let context = ffmpeg_next::codec::Context::from_parameters(stream.parameters()).unwrap();
    let decoder = context.decoder().video().unwrap();
    assert_eq!(decoder.color_space(), ffmpeg_next::color::Space::BT709);
    assert_eq!(decoder.color_range(), ffmpeg_next::color::Range::MPEG);
    assert_eq!(decoder.color_primaries(), ffmpeg_next::color::Primaries::BT709);
}

#[test]
fn several_threads_cut_one_video_at_once() {
    let folder = folder();
    let made = Made::default();
    let source = made_in(&folder, "source.mp4", &made);
    std::thread::scope(|scope| {
        for worker in 0..3 {
            let (source, clip) = (&source, folder.path().join(format!("{worker}.mp4")));
            let span = Span { start_ms: 500 + worker * 333, end_ms: 1700 + worker * 333 };
            let made = &made;
            scope.spawn(move || {
                Cutter::open(source, FAST).unwrap().cut(span, &clip).unwrap();
                assert_eq!(numbers(&clip), expected(made, span));
            });
        }
    });
}

#[test]
fn a_play_outside_the_video_is_refused_with_both_times() {
    let folder = folder();
    let source = made_in(&folder, "source.mp4", &Made::default());
    let clip = folder.path().join("clip.mp4");
    let mut cutter = Cutter::open(&source, FAST).unwrap();
    for (start_ms, end_ms) in [(5000, 6000), (60_000, 61_000), (4500, 5100), (900, 900), (900, 100)] {
        let error = cutter.cut(Span { start_ms, end_ms }, &clip).unwrap_err();
        assert_eq!(error.kind, VideoErrorKind::OutOfRange, "{error}");
        let text = error.to_string();
        assert!(text.contains(&format!("{start_ms}..{end_ms} ms")) && text.contains("5000 ms long"), "{text}");
        assert!(!clip.exists());
    }
}

#[test]
fn a_play_between_two_frames_is_refused() {
    // At 25 fps no frame is shown between 1001 and 1039 ms.
    let folder = folder();
    let source = made_in(&folder, "s.mp4", &Made { rate: Ratio { num: 25, den: 1 }, ..Made::default() });
    let clip = folder.path().join("clip.mp4");
    let error = Cutter::open(&source, FAST).unwrap().cut(Span { start_ms: 1001, end_ms: 1039 }, &clip).unwrap_err();
    assert_eq!(error.kind, VideoErrorKind::OutOfRange, "{error}");
    assert!(error.message.contains("no frame"), "{error}");
}
