//! Sampled frames are the right ones, in the right colours, in the right place.

use std::path::{Path, PathBuf};

use pipe_video::frames::Cpu;
use pipe_video::{
    EncodeOptions, Fit, FrameSpec, Matrix, Preset, Ratio, Sampling, Writer, WriterOptions, sample, sample_into,
};

use crate::made::{Made, folder, made_in, read_number};

fn seen(path: &Path, sampling: Sampling) -> Vec<u32> {
    let spec = FrameSpec { keep_rgb: true, ..FrameSpec::plain(32, 32) };
    let sampled = sample(path, sampling, &spec).unwrap();
    let numbers: Vec<u32> = sampled.rgb.unwrap().chunks_exact(32 * 32 * 3).map(read_number).collect();
    assert_eq!(sampled.indexes, numbers.iter().map(|&n| n as usize).collect::<Vec<_>>());
    assert_eq!(sampled.data.len(), sampled.frames * 3 * 32 * 32 * 4);
    numbers
}

#[test]
fn the_chosen_frames_are_the_ones_that_were_asked_for() {
    let folder = folder();
    let path = made_in(&folder, "v.mp4", &Made { frames: 40, ..Made::default() });
    assert_eq!(seen(&path, Sampling::Uniform { n: 4 }), [5, 15, 25, 35]);
    assert_eq!(seen(&path, Sampling::Uniform { n: 1 }), [20]);
    assert_eq!(seen(&path, Sampling::Every { n: 15 }), [0, 15, 30]);
    // 40 frames at 30 fps last 1333 ms: at 3 fps the moments 0, 333, 667, 1000 ms show frames 0, 10, 20, 30.
    assert_eq!(seen(&path, Sampling::Fps { fps: Ratio { num: 3, den: 1 } }), [0, 10, 20, 30]);
}

#[test]
fn a_clip_with_too_few_frames_repeats_them() {
    let folder = folder();
    let path = made_in(&folder, "v.mp4", &Made { frames: 3, ..Made::default() });
    assert_eq!(seen(&path, Sampling::Uniform { n: 6 }), [0, 0, 1, 1, 2, 2]);
}

#[test]
fn the_same_clip_gives_the_same_tensor() {
    let folder = folder();
    let path = made_in(&folder, "v.mp4", &Made { frames: 20, ..Made::default() });
    let spec = FrameSpec::plain(24, 24);
    let once = sample(&path, Sampling::Uniform { n: 5 }, &spec).unwrap();
    assert_eq!(once, sample(&path, Sampling::Uniform { n: 5 }, &spec).unwrap());
}

#[test]
fn a_tensor_in_the_memory_of_another_is_what_it_is_in_memory_of_its_own() {
    let folder = folder();
    let path = made_in(&folder, "v.mp4", &Made { frames: 20, ..Made::default() });
    let spec = FrameSpec { fit: Fit::Letterbox, ..FrameSpec::plain(40, 24) };
    // More than is needed, as much, less; and of a sampling that decodes a part of the clip, and one that decodes all of it.
    for (room, sampling) in
        [(12, Sampling::Uniform { n: 3 }), (5, Sampling::Uniform { n: 5 }), (1, Sampling::Every { n: 1 })]
    {
        let room = vec![0xa5; room * 40 * 24 * 3 * 4];
        let made = sample_into(&mut Cpu::new(1), &path, sampling, &spec, room).unwrap();
        assert_eq!(made, sample(&path, sampling, &spec).unwrap());
    }
}

/// A video of one colour, given in YUV.
fn plain(folder: &tempfile::TempDir, yuv: [u8; 3], size: (u32, u32), matrix: Option<Matrix>) -> PathBuf {
    let path = folder.path().join("plain.mp4");
    let (width, height) = size;
    let options = WriterOptions {
        width,
        height,
        frame_rate: Ratio { num: 25, den: 1 },
        gop: 10,
        b_frames: 0,
        encode: EncodeOptions { crf: 4, preset: Preset::Ultrafast },
        audio_rate: None,
        matrix,
        timecode: None,
    };
    let mut writer = Writer::create(&path, options).unwrap();
    let pixels = (width * height) as usize;
    let planes = [vec![yuv[0]; pixels], vec![yuv[1]; pixels / 4], vec![yuv[2]; pixels / 4]];
    for _ in 0..3 {
        writer.push_yuv420(&planes[0], &planes[1], &planes[2]).unwrap();
    }
    writer.finish().unwrap();
    path
}

fn middle_pixel(path: &Path, spec: FrameSpec) -> [u8; 3] {
    let spec = FrameSpec { keep_rgb: true, ..spec };
    let rgb = sample(path, Sampling::Uniform { n: 1 }, &spec).unwrap().rgb.unwrap();
    let at = (spec.height as usize / 2 * spec.width as usize + spec.width as usize / 2) * 3;
    [rgb[at], rgb[at + 1], rgb[at + 2]]
}

#[track_caller]
fn assert_colour(seen: [u8; 3], wanted: [u8; 3]) {
    let near = seen.iter().zip(wanted).all(|(&a, b)| a.abs_diff(b) <= 3);
    assert!(near, "{seen:?} is not {wanted:?}");
}

#[test]
fn colours_come_back_with_the_matrix_that_is_tagged() {
    // By hand from the published equations, limited range, with y = (Y-16)*255/219, u = (U-128)*255/224, v likewise:
    // BT.601 R = y + 1.402 v, G = y - 0.344136 u - 0.714136 v, B = y + 1.772 u;
    // BT.709 R = y + 1.5748 v, G = y - 0.187324 u - 0.468124 v, B = y + 1.8556 u.
    // (100, 110, 170): y = 97.81, u = -20.49, v = 47.81.
    let folder = folder();
    let yuv = [100, 110, 170];
    let spec = FrameSpec::plain(16, 16);
    assert_colour(middle_pixel(&plain(&folder, yuv, (64, 64), Some(Matrix::Bt601)), spec), [165, 71, 61]);
    assert_colour(middle_pixel(&plain(&folder, yuv, (64, 64), Some(Matrix::Bt709)), spec), [173, 79, 60]);
}

#[test]
fn untagged_videos_are_bt601_below_720_rows_and_bt709_from_there() {
    let folder = folder();
    let yuv = [100, 110, 170];
    let spec = FrameSpec::plain(16, 16);
    assert_colour(middle_pixel(&plain(&folder, yuv, (64, 718), None), spec), [165, 71, 61]);
    assert_colour(middle_pixel(&plain(&folder, yuv, (64, 720), None), spec), [173, 79, 60]);
}

#[test]
fn black_and_white_of_limited_range_are_0_and_255() {
    let folder = folder();
    let spec = FrameSpec::plain(16, 16);
    assert_colour(middle_pixel(&plain(&folder, [16, 128, 128], (64, 64), Some(Matrix::Bt709)), spec), [0, 0, 0]);
    assert_colour(middle_pixel(&plain(&folder, [235, 128, 128], (64, 64), Some(Matrix::Bt709)), spec), [255; 3]);
}

#[test]
fn letterbox_leaves_black_bars_and_the_other_fits_none() {
    // A white frame of 64x32 in 32x32: 8 black rows, 16 white ones, 8 black ones.
    let folder = folder();
    let path = plain(&folder, [235, 128, 128], (64, 32), Some(Matrix::Bt709));
    let column = |fit| {
        let spec = FrameSpec { fit, ..FrameSpec::plain(32, 32) };
        let data = sample(&path, Sampling::Uniform { n: 1 }, &spec).unwrap().floats();
        (0..32).map(|row| data[row * 32 + 16] > 0.5).collect::<Vec<_>>()
    };
    let bars: Vec<bool> = (0..32).map(|row| (8..24).contains(&row)).collect();
    assert_eq!(column(Fit::Letterbox), bars);
    assert_eq!(column(Fit::Stretch), [true; 32]);
    assert_eq!(column(Fit::Crop), [true; 32]);
}

#[test]
fn values_are_normalised_with_the_mean_and_std_of_their_channel() {
    let folder = folder();
    let path = plain(&folder, [235, 128, 128], (64, 64), Some(Matrix::Bt709));
    let spec = FrameSpec { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], ..FrameSpec::plain(8, 8) };
    let data = sample(&path, Sampling::Uniform { n: 1 }, &spec).unwrap().floats();
    // White: (1 - mean) / std, for each channel, as tables of the ImageNet normalisation give it.
    for (channel, white) in [2.2489, 2.4286, 2.6400].into_iter().enumerate() {
        let value = data[channel * 64 + 20];
        assert!((value - white).abs() < 0.06, "channel {channel} is {value}, not {white}");
    }
}

#[test]
fn frames_that_are_decoded_alone_are_those_of_the_whole_clip() {
    let folder = folder();
    // Ten groups of twelve frames: of these, eight frames lie in eight groups, and two in one.
    let path = made_in(&folder, "v.mp4", &Made { frames: 120, gop: 12, ..Made::default() });
    let spec = FrameSpec::plain(32, 32);
    let all = sample(&path, Sampling::Every { n: 1 }, &spec).unwrap();
    assert_eq!((all.frames, all.clip_frames), (120, 120));
    let sparse = [
        Sampling::Uniform { n: 8 },
        Sampling::Uniform { n: 2 },
        Sampling::Every { n: 50 },
        Sampling::Fps { fps: Ratio { num: 1, den: 1 } },
        Sampling::Around { at_ms: 2000, n: 2, step: 3 },
        Sampling::Around { at_ms: 4000, n: 3, step: 40 },
    ];
    for sampling in sparse {
        let some = sample(&path, sampling, &spec).unwrap();
        assert_eq!(some.clip_frames, 120);
        for (frame, &index) in some.data.chunks_exact(spec.frame_bytes()).zip(&some.indexes) {
            let wanted = &all.data[index * spec.frame_bytes()..][..spec.frame_bytes()];
            assert!(frame == wanted, "frame {index} of {sampling:?} differs");
        }
    }
    assert_eq!(seen(&path, Sampling::Around { at_ms: 2000, n: 2, step: 3 }), [57, 60]);
}

#[test]
fn damage_outside_the_frames_that_are_wanted_does_no_harm() {
    let folder = folder();
    let path = made_in(&folder, "v.mp4", &Made { frames: 120, gop: 12, audio_rate: None, ..Made::default() });
    let spec = FrameSpec::plain(32, 32);
    let wanted = sample(&path, Sampling::Around { at_ms: 500, n: 1, step: 1 }, &spec).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let media = bytes.windows(4).position(|four| four == b"mdat").unwrap();
    let index = bytes.windows(4).position(|four| four == b"moov").unwrap();
    let end = if index > media { index } else { bytes.len() };
    let (from, to) = (media + (end - media) / 10 * 7, media + (end - media) / 10 * 9);
    bytes[from..to].fill(0x55);
    std::fs::write(&path, &bytes).unwrap();
    assert!(sample(&path, Sampling::Every { n: 1 }, &spec).is_err());
    assert_eq!(sample(&path, Sampling::Around { at_ms: 500, n: 1, step: 1 }, &spec).unwrap(), wanted);
}

/// A quarter to the right, as phones write it into the header of a track.
fn turn_a_quarter(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let header = bytes.windows(4).position(|four| four == b"tkhd").unwrap();
    // ISO 14496-12, 8.3.2: version and flags, times, id, duration, reserved, layer, group, volume: 40 bytes of version 0.
    let at = header + 4 + 40;
    let one = 0x0001_0000_i32;
    let matrix = [0, one, 0, -one, 0, 0, 0, 0, 0x4000_0000];
    let matrix: Vec<u8> = matrix.iter().flat_map(|v| v.to_be_bytes()).collect();
    assert_eq!(bytes[at..at + 4], one.to_be_bytes());
    bytes[at..at + 36].copy_from_slice(&matrix);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_clip_is_turned_as_its_track_says() {
    let folder = folder();
    let path = made_in(&folder, "v.mp4", &Made { frames: 4, audio_rate: None, ..Made::default() });
    let spec = FrameSpec { keep_rgb: true, ..FrameSpec::plain(40, 24) };
    let turned_back = FrameSpec { keep_rgb: true, ..FrameSpec::plain(24, 40) };
    let upright = sample(&path, Sampling::Uniform { n: 1 }, &turned_back).unwrap().rgb.unwrap();
    turn_a_quarter(&path);
    let turned = sample(&path, Sampling::Uniform { n: 1 }, &spec).unwrap().rgb.unwrap();
    // What was the lower left corner is now the upper left: row y of the result is column y, read from below.
    for y in 0..24 {
        for x in 0..40 {
            let (now, before) = ((y * 40 + x) * 3, ((39 - x) * 24 + y) * 3);
            assert_eq!(turned[now..now + 3], upright[before..before + 3], "at {x}, {y}");
        }
    }
}

#[test]
fn settings_that_cannot_work_are_refused_in_words() {
    let folder = folder();
    let path = made_in(&folder, "v.mp4", &Made { frames: 4, audio_rate: None, ..Made::default() });
    let refused = |sampling, spec: FrameSpec| {
        let error = sample(&path, sampling, &spec).unwrap_err();
        assert_eq!(error.kind, pipe_video::VideoErrorKind::BadOption, "{error}");
        error.message
    };
    let one = Sampling::Uniform { n: 1 };
    assert!(refused(one, FrameSpec { mean: [f32::NAN; 3], ..FrameSpec::plain(8, 8) }).contains("mean[0] is NaN"));
    assert!(refused(one, FrameSpec { std: [1.0, 0.0, 1.0], ..FrameSpec::plain(8, 8) }).contains("std[1] is 0"));
    assert!(refused(one, FrameSpec::plain(8, 1 << 20)).contains("8x1048576"));
    assert!(refused(Sampling::Uniform { n: 0 }, FrameSpec::plain(8, 8)).contains("no frame"));
    assert!(refused(Sampling::Around { at_ms: 0, n: 1, step: 0 }, FrameSpec::plain(8, 8)).contains("no frame"));
    let many = Sampling::Uniform { n: 1 << 20 };
    assert!(refused(many, FrameSpec::plain(1000, 1000)).contains("GiB"));
}
