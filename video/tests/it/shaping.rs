//! Clips that are encoded whole can have another size, another rate, other pixels, or no sound.

use ffmpeg_next::{format, media};
use pipe_video::{CutMode, CutOptions, Cutter, Pixels, Ratio, Sound, Span, VideoErrorKind, encoders, probe};

use crate::made::{Made, folder, made_in, numbers};

const SPAN: Span = Span { start_ms: 1000, end_ms: 3000 };

fn encode() -> CutOptions {
    CutOptions { mode: CutMode::Encode, ..CutOptions::default() }
}

#[test]
fn a_clip_of_another_rate_shows_the_frame_that_is_on_screen() {
    let folder = folder();
    let source = made_in(&folder, "source.mp4", &Made::default());
    let clip = folder.path().join("clip.mp4");
    let cut = |num, den| {
        let options = CutOptions { frame_rate: Some(Ratio { num, den }), ..encode() };
        let report = Cutter::open(&source, options).unwrap().cut(SPAN, &clip).unwrap();
        let found = numbers(&clip);
        assert_eq!(report.frames, found.len() as u64);
        assert_eq!(probe(&clip).unwrap().frame_rate, Some(Ratio { num, den }));
        found
    };
    // Thirty frames a second come in, from frame 30 at one second on.
    assert_eq!(cut(10, 1), (0..20).map(|n| 30 + n * 3).collect::<Vec<_>>());
    assert_eq!(cut(60, 1), (0..120).map(|n| 30 + n / 2).collect::<Vec<_>>());
    assert_eq!(cut(25, 1), (0..50).map(|n| 30 + n * 30 / 25).collect::<Vec<_>>());
}

#[test]
fn a_clip_of_another_size_keeps_its_shape_and_may_lose_its_sound() {
    let folder = folder();
    let source = made_in(&folder, "source.mp4", &Made::default());
    let clip = folder.path().join("clip.mp4");
    let options = CutOptions { size: Some((128, 32)), pixels: Some(Pixels::Yuv444), audio: Sound::None, ..encode() };
    let report = Cutter::open(&source, options).unwrap().cut(SPAN, &clip).unwrap();
    let info = probe(&clip).unwrap();
    assert_eq!((info.width, info.height, info.has_audio), (128, 32, false));
    assert_eq!((report.width, report.height, report.frames, report.audio_packets), (128, 32, 60, 0));
    let input = format::input(&clip).unwrap();
    let stream = input.streams().best(media::Type::Video).unwrap();
    let decoder = ffmpeg_next::codec::Context::from_parameters(stream.parameters()).unwrap().decoder().video().unwrap();
    assert_eq!(decoder.format(), format::Pixel::YUV444P);
    // A square of 64 by 64 is now four times as wide as high in pixels that are a quarter as wide as high.
    assert_eq!(decoder.aspect_ratio(), ffmpeg_next::Rational(1, 4));
}

#[test]
fn forms_that_cannot_be_are_refused() {
    let folder = folder();
    let source = made_in(&folder, "source.mp4", &Made { frames: 90, ..Made::default() });
    let clip = folder.path().join("clip.mp4");
    for options in [
        CutOptions { size: Some((64, 64)), ..CutOptions::default() },
        CutOptions { size: Some((63, 64)), ..encode() },
        CutOptions { frame_rate: Some(Ratio { num: 0, den: 1 }), ..encode() },
        CutOptions { encoder: "h264_nowhere".into(), ..encode() },
    ] {
        let error = Cutter::open(&source, options.clone()).unwrap().cut(SPAN, &clip).unwrap_err();
        assert_eq!(error.kind, VideoErrorKind::BadOption, "{options:?}: {error}");
        assert!(!clip.exists());
    }
}

#[test]
fn an_encoder_that_is_not_there_is_refused_with_those_that_are() {
    let folder = folder();
    let source = made_in(&folder, "source.mp4", &Made { frames: 90, ..Made::default() });
    let clip = folder.path().join("clip.mp4");
    let options = CutOptions { encoder: "h264_nowhere".into(), ..encode() };
    let error = Cutter::open(&source, options).unwrap().cut(SPAN, &clip).unwrap_err();
    assert!(error.message.contains("`h264_nowhere`"), "{error}");
    assert!(encoders().iter().any(|name| name == "libx264"), "{:?}", encoders());
    assert!(encoders().iter().all(|name| error.help.contains(name)), "{error}");
    // These are encoders of this build and none of clips: one of sound, one that takes no YUV; and a decoder.
    assert!(!encoders().iter().any(|name| ["aac", "png", "h264"].contains(&name.as_str())), "{:?}", encoders());
}

#[test]
fn a_report_names_the_encoder_where_one_was_used() {
    let folder = folder();
    let source = made_in(&folder, "source.mp4", &Made::default());
    let clip = folder.path().join("clip.mp4");
    // Key frames lie at 0, 2 and 4 s.
    let cut = |mode, start_ms, end_ms| {
        let options = CutOptions { mode, ..CutOptions::default() };
        let report = Cutter::open(&source, options).unwrap().cut(Span { start_ms, end_ms }, &clip).unwrap();
        (report.frames_encoded > 0, report.encoder)
    };
    assert_eq!(cut(CutMode::Encode, 1000, 3000), (true, "libx264".to_owned()));
    assert_eq!(cut(CutMode::Smart, 1000, 4500), (true, "libx264".to_owned()));
    assert_eq!(cut(CutMode::Copy, 1000, 3000), (false, String::new()));
}
