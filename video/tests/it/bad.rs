//! What is wrong with a clip, or with what is asked of it, is told in words, and nothing comes of it but the words.

use std::fs;
use std::path::Path;

use ffmpeg_next::Rational;
use pipe_video::frames::Element;
use pipe_video::{FrameSpec, Ratio, Sampling, VideoError, VideoErrorKind, sample};

use crate::film::Film;
use crate::hostile::most_memory;
use crate::made::{Made, folder, made_in};
use crate::refusing::opus_in_ogg;

fn refused(path: &Path, sampling: Sampling, spec: &FrameSpec) -> VideoError {
    let error = sample(path, sampling, spec).unwrap_err();
    assert_eq!((error.path.as_path(), error.help.is_empty()), (path, false), "{error}");
    error
}

#[test]
fn clips_without_a_frame_are_told_for_what_they_are() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("nothing.mp4"), "").unwrap();
    fs::write(path("text.mp4"), "no video").unwrap();
    fs::write(path("sound.ogg"), opus_in_ogg()).unwrap();
    let none = Film { times: Vec::new(), ..Film::default() };
    none.write(&path("no-track.mp4"));
    Film { movflags: "+frag_keyframe+empty_moov+default_base_moof", ..none }.write(&path("no-frame.mp4"));
    // A bare stream of a key frame's parameters, and not of the frame.
    let whole = Film { times: vec![0], ..Film::default() }.bare();
    let picture = whole.windows(4).position(|bytes| bytes[..3] == [0, 0, 1] && bytes[3] & 31 == 5).unwrap();
    fs::write(path("parameters.h264"), &whole[..picture]).unwrap();
    let known = [
        ("nothing.mp4", VideoErrorKind::NotAVideo, "the file is empty"),
        ("text.mp4", VideoErrorKind::NotAVideo, "cannot be read as a video"),
        ("sound.ogg", VideoErrorKind::NoVideoStream, "there is no video stream in the file"),
        ("no-track.mp4", VideoErrorKind::NotAVideo, ""),
        ("no-frame.mp4", VideoErrorKind::Corrupt, "no frame of the video can be decoded"),
        ("parameters.h264", VideoErrorKind::NotAVideo, "cannot be read as a video"),
    ];
    for (name, kind, words) in known {
        for sampling in [Sampling::Uniform { n: 3 }, Sampling::Every { n: 2 }] {
            let error = refused(&path(name), sampling, &FrameSpec::plain(8, 8));
            assert!(error.kind == kind && error.message.contains(words), "{name}: {:?}: {error}", error.kind);
        }
    }
}

#[test]
fn numbers_that_are_none_are_told_with_their_channel() {
    let folder = folder();
    let path = made_in(&folder, "clip.mp4", &Made { frames: 3, audio_rate: None, ..Made::default() });
    let plain = FrameSpec::plain(8, 8);
    let cases = [
        (FrameSpec { mean: [0.5, f32::NAN, 0.5], ..plain }, "mean[1] is NaN"),
        (FrameSpec { mean: [0.5, 0.5, f32::NEG_INFINITY], ..plain }, "mean[2] is -inf"),
        (FrameSpec { std: [f32::NAN, 1.0, 1.0], ..plain }, "std[0] is NaN"),
        (FrameSpec { std: [1.0, 0.0, 1.0], ..plain }, "std[1] is 0"),
        (FrameSpec { std: [1.0, 1.0, f32::INFINITY], ..plain }, "std[2] is inf"),
        (FrameSpec { std: [1.0, 1e-6, 1.0], element: Element::F16, ..plain }, "std[1] is 0.000001"),
        (FrameSpec { std: [1.0, 1.0, 1e-39], ..plain }, "so that values become infinite"),
    ];
    for (spec, words) in cases {
        let error = refused(&path, Sampling::Uniform { n: 1 }, &spec);
        assert_eq!(error.kind, VideoErrorKind::BadOption, "{error}");
        assert!(error.message.contains(words), "{words}: {error}");
    }
    // The clip is as good as before.
    assert_eq!(sample(&path, Sampling::Uniform { n: 1 }, &plain).unwrap().frames, 1);
}

#[test]
fn sizes_that_nobody_has_are_told_and_take_no_memory() {
    let folder = folder();
    let path = made_in(&folder, "clip.mp4", &Made { frames: 3, audio_rate: None, ..Made::default() });
    let (one, small) = (Sampling::Uniform { n: 1 }, FrameSpec::plain(8, 8));
    let cases = [
        (one, FrameSpec::plain(0, 8), "frames of 0x8 are asked for"),
        (one, FrameSpec::plain(8, 32_769), "frames of 8x32769 are asked for"),
        (one, FrameSpec::plain(u32::MAX, u32::MAX), "frames of 4294967295x4294967295 are asked for"),
        // 32,768 squared pixels of three numbers of four bytes.
        (one, FrameSpec::plain(32_768, 32_768), "a clip's tensor of 1 frames would have 12 GiB"),
        (Sampling::Uniform { n: 100_000 }, FrameSpec::plain(224, 224), "would have 56 GiB"),
        (Sampling::Uniform { n: usize::MAX }, small, "more than 4194304 frames"),
        (Sampling::Around { at_ms: 0, n: 5_000_000, step: 1 }, small, "more than 4194304 frames"),
        (Sampling::Uniform { n: 0 }, small, "chooses no frame"),
        (Sampling::Every { n: 0 }, small, "chooses no frame"),
    ];
    for (sampling, spec, words) in cases {
        let error = refused(&path, sampling, &spec);
        assert_eq!(error.kind, VideoErrorKind::BadOption, "{error}");
        assert!(error.message.contains(words), "{words}: {error}");
    }
    assert!(most_memory() < 300, "{} MiB", most_memory());
}

#[test]
fn times_that_promise_more_frames_than_a_tensor_may_have_are_refused_and_take_no_memory() {
    let folder = folder();
    let path = folder.path().join("days.mp4");
    // Two pictures, of which the first is shown for 100,000 seconds: 100 million frames at 1000 a second.
    let times = vec![0, 100_000];
    Film { base: Rational(1, 1), times, x264: "open-gop=0:bframes=0", ..Film::default() }.write(&path);
    let small = FrameSpec::plain(8, 8);
    let error = refused(&path, Sampling::Fps { fps: Ratio { num: 1000, den: 1 } }, &small);
    assert_eq!(error.kind, VideoErrorKind::BadOption, "{error}");
    assert!(error.message.contains("more than 4194304 frames"), "{error}");
    assert!(most_memory() < 300, "{} MiB", most_memory());
    // With fewer a second they are what is on screen, and what does not go by times is chosen as ever.
    let minutes = sample(&path, Sampling::Fps { fps: Ratio { num: 1, den: 60 } }, &small).unwrap();
    assert_eq!(minutes.indexes[..1667], [0; 1667]);
    assert!(minutes.indexes[1667..].iter().all(|index| *index == 1));
    assert_eq!(sample(&path, Sampling::Uniform { n: 4 }, &small).unwrap().indexes, [0, 0, 1, 1]);
}
