//! A clip that is joined out of copied and encoded packets holds the same frames as one that is encoded whole.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::Duration;

use ffmpeg_next::{Rational, color, format, media};
use pipe_video::{CutMode, CutOptions, CutPlan, CutReport, Cutter, Media, Ratio, Span, VideoError};

use crate::film::{Film, frames, psnr, remuxed, with_sound};
use crate::made::{Made, folder, made_in, numbers};

/// Nobody waits so long but in vain.
const LONG: Duration = Duration::from_secs(60);

fn smart() -> CutOptions {
    CutOptions::default()
}

/// The numbers of the frames whose time, number / rate, lies in the span: whole numbers only.
fn expected(made: &Made, span: Span) -> Vec<u32> {
    let thousandths = |n: u32| u64::from(n) * u64::from(made.rate.den) * 1000;
    let rate = u64::from(made.rate.num);
    let inside = |n: &u32| (span.start_ms * rate..span.end_ms * rate).contains(&thousandths(*n));
    (0..made.frames).filter(inside).collect()
}

/// Off key frames and on them, inside one group and over several, with ends between B frames.
fn spans(made: &Made) -> Vec<Span> {
    let length = u64::from(made.frames) * u64::from(made.rate.den) * 1000 / u64::from(made.rate.num);
    let walk = (0..24).map(|i| i * 397 % (length - 2700)).enumerate();
    let mut spans: Vec<Span> =
        walk.map(|(i, start_ms)| Span { start_ms, end_ms: start_ms + 200 + i as u64 * 211 % 2500 }).collect();
    spans.push(Span { start_ms: 0, end_ms: length });
    spans.push(Span { start_ms: 2000, end_ms: 4000 });
    spans
}

fn run(source: &Path, options: &CutOptions, spans: &[Span], folder: &Path) -> Vec<Result<CutReport, VideoError>> {
    let mut plan = CutPlan::new(Media::file(source), options.clone());
    for (i, span) in spans.iter().enumerate() {
        assert_eq!(plan.add(*span, &folder.join(format!("{i}.mp4"))), i);
    }
    let outcomes = Mutex::new(vec![None; spans.len()]);
    plan.run(2, &|clip, outcome| {
        let before = outcomes.lock().unwrap()[clip].replace(outcome);
        assert!(before.is_none(), "clip {clip} was told twice");
    });
    outcomes.into_inner().unwrap().into_iter().map(Option::unwrap).collect()
}

fn assert_smart(made: &Made) {
    let folder = folder();
    let source = made_in(&folder, "source.mp4", made);
    let spans = spans(made);
    for (i, (outcome, span)) in run(&source, &smart(), &spans, folder.path()).into_iter().zip(&spans).enumerate() {
        let report = outcome.unwrap_or_else(|e| panic!("{span:?}: {e}"));
        let wanted = expected(made, *span);
        assert_eq!(numbers(&folder.path().join(format!("{i}.mp4"))), wanted, "{span:?}");
        assert_eq!(report.frames, wanted.len() as u64, "{span:?}");
        assert_eq!(report.frames, report.frames_copied + report.frames_encoded);
        let holds_a_group = (span.start_ms.div_ceil(2000) * 2000) + 100 < span.end_ms && made.gop <= 60;
        if holds_a_group {
            assert_eq!((report.mode, report.why.as_str()), (CutMode::Smart, ""), "{span:?}");
            assert!(report.frames_copied > 0, "{span:?}: {report:?}");
        }
    }
}

#[test]
fn smart_clips_hold_exactly_the_frames_between_their_ends() {
    assert_smart(&Made { frames: 300, ..Made::default() });
}

#[test]
fn smart_clips_at_29_97_hold_exactly_the_frames_between_their_ends() {
    assert_smart(&Made { frames: 300, rate: Ratio { num: 30000, den: 1001 }, ..Made::default() });
}

#[test]
fn clips_are_made_side_by_side() {
    let folder = folder();
    let source = made_in(&folder, "source.mp4", &Made { frames: 600, ..Made::default() });
    for mode in [CutMode::Encode, CutMode::Smart] {
        let options = CutOptions { mode, ..CutOptions::default() };
        let mut plan = CutPlan::new(Media::file(&source), options);
        for clip in 0..4 {
            // A group lasts two seconds, and no two clips have one in common.
            let start_ms = clip * 4000 + 1500;
            plan.add(Span { start_ms, end_ms: start_ms + 2000 }, &folder.path().join(format!("{clip}.mp4")));
        }
        let (threads, bell) = (Mutex::new(HashSet::new()), Condvar::new());
        plan.run(2, &|_, outcome| {
            outcome.unwrap();
            let mut there = threads.lock().unwrap();
            there.insert(thread::current().id());
            bell.notify_all();
            // Who has made a clip waits here until the other thread has made one, too.
            let waited = bell.wait_timeout_while(there, LONG, |there| there.len() < 2).unwrap().1;
            assert!(!waited.timed_out(), "{mode}: one thread makes all");
        });
    }
}

#[test]
fn one_cutter_cuts_smart_clips_one_after_another() {
    let folder = folder();
    let made = Made::default();
    let source = made_in(&folder, "source.mp4", &made);
    let mut cutter = Cutter::open(&source, smart()).unwrap();
    let clip = folder.path().join("clip.mp4");
    for span in [Span { start_ms: 1500, end_ms: 4500 }, Span { start_ms: 700, end_ms: 2300 }] {
        let report = cutter.cut(span, &clip).unwrap();
        assert_eq!(numbers(&clip), expected(&made, span));
        assert_eq!(report.mode, CutMode::Smart);
    }
}

/// What became of the clip and how it was cut.
struct Checked {
    report: CutReport,
    exact: usize,
    worst: f64,
}

/// Cuts one clip and compares it with the source frame by frame.
fn check(source: &Path, folder: &Path, options: &CutOptions, span: Span) -> Checked {
    let clip = folder.join("checked.mp4");
    let report = Cutter::open(source, options.clone()).unwrap().cut(span, &clip).unwrap();
    let (start, end) = (span.start_ms as f64 / 1000.0, span.end_ms as f64 / 1000.0);
    // Times are floats here; no frame of these sources lies this close to a span's ends.
    let inside = |seconds: f64| seconds > start - 1e-6 && seconds < end - 1e-6;
    let wanted: Vec<_> = frames(source).into_iter().filter(|frame| inside(frame.seconds)).collect();
    let found = frames(&clip);
    assert_eq!(found.len(), wanted.len(), "{report:?}");
    assert_eq!(report.frames, wanted.len() as u64);
    let (mut exact, mut worst) = (0, f64::INFINITY);
    for (found, wanted_frame) in found.iter().zip(&wanted) {
        let after = wanted_frame.seconds - wanted[0].seconds;
        assert!((found.seconds - after).abs() < 2e-4, "a frame is at {} instead of {after}", found.seconds);
        exact += usize::from(found.planes == wanted_frame.planes);
        worst = psnr(&found.planes, &wanted_frame.planes).min(worst);
    }
    Checked { report, exact, worst }
}

const SPAN: Span = Span { start_ms: 1510, end_ms: 7030 };

/// The film goes through `smart`, copied frames are the source's own and the others close to it.
fn assert_joined(film: &Film, span: Span) -> tempfile::TempDir {
    let folder = folder();
    let source = folder.path().join("source.mp4");
    film.write(&source);
    assert_source_joined(&source, folder.path(), span);
    folder
}

fn assert_source_joined(source: &Path, folder: &Path, span: Span) {
    let checked = check(source, folder, &smart(), span);
    assert_eq!((checked.report.mode, checked.report.why.as_str()), (CutMode::Smart, ""));
    assert!(checked.exact as u64 >= checked.report.frames_copied, "{} of {:?}", checked.exact, checked.report);
    assert!(checked.report.frames_copied * 10 > checked.report.frames * 7, "{:?}", checked.report);
    assert!(checked.worst >= 40.0, "{} dB", checked.worst);
}

#[test]
fn copied_frames_are_the_sources_own_and_edges_are_close_to_it() {
    assert_joined(&Film::default(), SPAN);
}

#[test]
fn streams_of_each_profile_are_joined() {
    for (profile, x264) in [("baseline", "scenecut=0"), ("main", "open-gop=0:scenecut=0:bframes=2:b-pyramid=normal")] {
        assert_joined(&Film { profile: Some(profile), x264, ..Film::default() }, SPAN);
    }
}

#[test]
fn groups_of_ten_seconds_are_joined() {
    let film = Film { gop: 300, times: (0..900).collect(), ..Film::default() };
    assert_joined(&film, Span { start_ms: 7010, end_ms: 29_500 });
}

#[test]
fn frames_at_uneven_times_are_joined() {
    // Thirty frames a second for two seconds, then ten.
    let times = (0..60).chain((60..360).step_by(3)).collect();
    let film = Film { base: Rational(1, 30), times, gop: 20, ..Film::default() };
    assert_joined(&film, Span { start_ms: 500, end_ms: 9010 });
}

#[test]
fn full_range_and_the_shape_of_pixels_are_carried() {
    let film = Film {
        pixels: format::Pixel::YUVJ420P,
        range: color::Range::JPEG,
        pixel_aspect: Rational(4, 3),
        ..Film::default()
    };
    let folder = assert_joined(&film, SPAN);
    let input = format::input(&folder.path().join("checked.mp4")).unwrap();
    let stream = input.streams().best(media::Type::Video).unwrap();
    let decoder = ffmpeg_next::codec::Context::from_parameters(stream.parameters()).unwrap().decoder().video().unwrap();
    assert_eq!((decoder.color_range(), decoder.aspect_ratio()), (color::Range::JPEG, Rational(4, 3)));
    assert_eq!(decoder.color_space(), color::Space::BT709);
}

#[test]
fn an_index_at_the_end_changes_nothing() {
    assert_joined(&Film { movflags: "", ..Film::default() }, SPAN);
}

/// Turns the pictures of the first track by a quarter, in the matrix of its header.
fn turn(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let header = bytes.windows(4).position(|name| name == b"tkhd").unwrap();
    let one = 0x0001_0000_u32.to_be_bytes();
    let matrix = header + 4 + bytes[header..].windows(4).position(|value| value == one).unwrap() - 4;
    let turned = [0, 0x0001_0000, 0, 0xffff_0000, 0, 0, 0, 0, 0x4000_0000_u32];
    turned.iter().enumerate().for_each(|(i, v)| bytes[matrix + i * 4..][..4].copy_from_slice(&v.to_be_bytes()));
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn rotation_is_carried() {
    let folder = folder();
    let source = folder.path().join("source.mp4");
    Film::default().write(&source);
    turn(&source);
    assert_eq!(pipe_video::probe(&source).unwrap().rotation, 90);
    assert_source_joined(&source, folder.path(), SPAN);
    assert_eq!(pipe_video::probe(&folder.path().join("checked.mp4")).unwrap().rotation, 90);
}

#[test]
fn sound_of_several_tracks_is_no_obstacle_and_none_neither() {
    let folder = folder();
    let source = with_sound(folder.path());
    let two = remuxed(&source, &folder.path().join("two.mp4"), "+faststart", 2);
    let none = remuxed(&source, &folder.path().join("none.mp4"), "+faststart", 0);
    for source in [two, none] {
        let checked = check(&source, folder.path(), &smart(), SPAN);
        assert_eq!((checked.report.mode, checked.report.why.as_str()), (CutMode::Smart, ""));
    }
}

#[test]
fn packets_of_sound_keep_their_own_times() {
    let folder = folder();
    let source = with_sound(folder.path());
    let report = check(&source, folder.path(), &smart(), SPAN).report;
    let times = |path: &Path| -> Vec<(f64, Vec<u8>)> {
        let mut input = format::input(path).unwrap();
        let stream = input.streams().best(media::Type::Audio).unwrap();
        let (index, base) = (stream.index(), f64::from(stream.time_base()));
        let packets = input.packets().filter(|(stream, _)| stream.index() == index).map(|(_, packet)| packet);
        packets.map(|packet| (packet.pts().unwrap() as f64 * base, packet.data().unwrap().to_vec())).collect()
    };
    // Frame 46 is the first: it is shown at 1533 ms.
    let first = 46.0 / 30.0;
    let packet = 1024.0 / 48_000.0;
    let (found, all) = (times(&folder.path().join("checked.mp4")), times(&source));
    let wanted: Vec<_> = all.into_iter().filter(|(at, _)| *at >= first - 1e-5 && *at < 7.030 - 1e-5).collect();
    assert_eq!((found.len(), report.audio_packets), (wanted.len(), wanted.len() as u64));
    assert_eq!(found[0].0, 0.0);
    assert!(wanted[0].0 - first < packet, "sound begins {} s late", wanted[0].0 - first);
    for ((found_at, found), (wanted_at, wanted)) in found.iter().zip(&wanted).skip(1) {
        assert!((found_at - (wanted_at - first)).abs() < 1e-4, "{found_at} instead of {}", wanted_at - first);
        assert_eq!(found, wanted);
    }
}

#[test]
fn what_is_not_proven_safe_is_encoded_whole_and_says_why() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    let film = |name: &str, film: Film| {
        film.write(&path(name));
        path(name)
    };
    let open = Film { x264: "open-gop=1:scenecut=0:bframes=3:b-adapt=0", ..Film::default() };
    let fields = Film { x264: "tff=1:scenecut=0", ..Film::default() };
    let ten = Film { pixels: format::Pixel::YUV422P, ..Film::default() };
    let fragments = Film { movflags: "frag_keyframe+empty_moov+default_base_moof", ..Film::default() };
    for (source, why) in [
        (film("open.mp4", open), "no group of pictures begins"),
        (film("fields.mp4", fields), "interlaced"),
        (film("422.mp4", ten), "profile is 122"),
        (film("fragments.mp4", fragments), "fragmented"),
        (film("one-group.mp4", Film { gop: 1000, ..Film::default() }), "no group of pictures begins"),
    ] {
        let checked = check(&source, folder.path(), &smart(), SPAN);
        let report = checked.report;
        assert!(report.why.contains(why), "{}: {}", source.display(), report.why);
        assert_eq!((report.mode, report.frames_copied), (CutMode::Encode, 0), "{}", source.display());
    }
}

#[test]
fn a_clip_that_only_copies_holds_what_was_asked_for_and_hides_nothing() {
    let folder = folder();
    let made = Made { frames: 300, ..Made::default() };
    let source = made_in(&folder, "source.mp4", &made);
    let clip = folder.path().join("clip.mp4");
    let options = CutOptions { mode: CutMode::Copy, ..CutOptions::default() };
    let mut cutter = Cutter::open(&source, options).unwrap();
    for (start_ms, end_ms) in [(2500, 4700), (100, 300), (4000, 6000), (7990, 10_000)] {
        let report = cutter.cut(Span { start_ms, end_ms }, &clip).unwrap();
        let found = numbers(&clip);
        let wanted = expected(&made, Span { start_ms, end_ms });
        assert_eq!((report.mode, report.frames_encoded), (CutMode::Copy, 0));
        assert_eq!(found, (found[0]..found[0] + found.len() as u32).collect::<Vec<_>>(), "a frame is missing");
        // From the key frame before the first frame, to at most a group of B frames behind the end.
        assert_eq!(found[0], wanted[0] / 60 * 60);
        let over = found.last().unwrap() - wanted.last().unwrap();
        assert!(over <= 4, "{over} frames too many");
        assert_eq!(report.start_ticks * 30, i64::from(found[0]) * i64::from(report.time_base.den));
    }
}
