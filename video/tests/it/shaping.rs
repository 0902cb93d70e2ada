//! Clips that are encoded whole can have another size, another rate, other pixels, or no sound.

use std::path::Path;
use std::process::Command;

use ffmpeg_next::{format, media};
use pipe_video::{CutMode, CutOptions, Cutter, Pixels, Ratio, Sound, Span, VideoErrorKind, encoders, probe};

use crate::film::Film;
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
fn an_encoder_of_a_gpu_cuts_exactly_where_there_is_one_and_says_so_where_there_is_none() {
    let folder = folder();
    let source = made_in(&folder, "source.mp4", &Made::default());
    let clip = folder.path().join("clip.mp4");
    assert!(encoders().iter().any(|name| name == "h264_nvenc"), "{:?}", encoders());
    let options = CutOptions { encoder: "h264_nvenc".into(), size: Some((256, 256)), ..encode() };
    let outcome = Cutter::open(&source, options).unwrap().cut(SPAN, &clip);
    if Path::new("/dev/nvidia0").exists() {
        let report = outcome.unwrap();
        assert_eq!((report.encoder.as_str(), report.frames, report.frames_encoded), ("h264_nvenc", 60, 60));
        return;
    }
    let error = outcome.unwrap_err();
    assert_eq!(error.kind, VideoErrorKind::BadOption, "{error}");
    assert!(error.message.contains("`h264_nvenc` does not start here"), "{error}");
    assert!(error.help.contains("`libx264`"), "{error}");
    assert!(!clip.exists());
}

/// glibc fills memory with this byte when it is taken, and with its complement when it is given back.
const MEMORY: &str = "MALLOC_PERTURB_";
const CLIP: &str = "PIPE_TEST_CLIP_OF_CHILD";

#[test]
fn what_the_memory_held_before_changes_no_byte_of_a_clip() {
    if let Some(clip) = std::env::var_os(CLIP) {
        let clip = Path::new(&clip);
        Cutter::open(&clip.with_file_name("source.mp4"), encode()).unwrap().cut(SPAN, clip).unwrap();
        return;
    }
    let folder = folder();
    // Rows of 12 macroblocks: what goes through them eight at a time has four over.
    Film { scale: 2, ..Film::default() }.write(&folder.path().join("source.mp4"));
    let clips = [0, 1, 85, 170, 254].map(|byte| {
        let clip = folder.path().join(format!("{byte}.mp4"));
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "shaping::what_the_memory_held_before_changes_no_byte_of_a_clip"])
            .env(CLIP, &clip)
            .env(MEMORY, byte.to_string())
            .output()
            .unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
        std::fs::read(clip).unwrap()
    });
    assert!(clips.iter().all(|clip| *clip == clips[0]));
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
