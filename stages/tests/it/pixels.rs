//! Clips whose pictures are not of the usual kind, through `preprocess` itself.

use crate::bench::Bench;
use crate::clips::{cut, frames, play, video};
use crate::lost::replaced;
use crate::tensors::{BARS, safetensors};
use pipe_engine::attempt::Outcome;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

/// The program that makes hard videos.
static FFMPEG: LazyLock<PathBuf> = LazyLock::new(|| {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/corpus.py");
    let told = Command::new("python3").arg(script).arg("ffmpeg").stderr(Stdio::inherit()).output().unwrap();
    PathBuf::from(String::from_utf8(told.stdout).unwrap().trim())
});

/// A film of one picture, shown a few times, kept to the bit: the samples of the picture, what they are, how they are coded.
fn film(bench: &Bench, samples: &[u8], (pixels, size): (&str, (usize, usize)), coded: &[&str]) -> Vec<u8> {
    let (raw, film) = (bench.path("raw"), bench.path("film"));
    fs::write(&raw, samples.repeat(20)).unwrap();
    let size = format!("{}x{}", size.0, size.1);
    let made = Command::new(&*FFMPEG)
        .args([
            "-hide_banner",
            "-loglevel",
            "error",
            "-nostdin",
            "-y",
            "-f",
            "rawvideo",
            "-pix_fmt",
            pixels,
            "-s",
            &size,
        ])
        .arg("-i")
        .arg(&raw)
        .args(coded)
        .arg(&film)
        .status()
        .unwrap();
    assert!(made.success());
    fs::read(film).unwrap()
}

const TAGS_709: [&str; 4] = ["-colorspace", "bt709", "-color_range", "tv"];

/// A picture of four quarters in planes of 4:2:0, of the colours with these numbers.
fn quarters((width, height): (usize, usize), colours: [usize; 4]) -> Vec<u8> {
    let of = |plane: usize, width: usize, height: usize| {
        let quarter = move |at: usize| 2 * usize::from(at / width >= height / 2) + usize::from(at % width >= width / 2);
        (0..width * height).map(move |at| BARS[colours[quarter(at)]].0[plane])
    };
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    of(0, width, height).chain(of(1, half_width, half_height)).chain(of(2, half_width, half_height)).collect()
}

/// The colours in the middle of the quarters of each frame, as the numbers of those that they are nearest to.
fn seen(bench: &Bench, clips: &Outcome) -> Vec<[usize; 4]> {
    let made = frames(bench, clips, &json!({ "dtype": "u8", "layout": "nhwc", "frames": 4 }));
    assert_eq!(made.failure, None);
    let array = safetensors(&fs::read(bench.file(&made, "frames-00000.safetensors")).unwrap());
    assert_eq!(array.sides, [1, 4, 18, 32, 3]);
    let number = |pixel: &[u8]| {
        let apart = |colour: &[u8; 3]| colour.iter().zip(pixel).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        BARS.iter().position(|(_, colour)| apart(colour) <= 3).unwrap_or_else(|| panic!("{pixel:?}"))
    };
    let middles = [(8, 4), (24, 4), (8, 13), (24, 13)];
    array.bytes.chunks(18 * 32 * 3).map(|frame| middles.map(|(x, y)| number(&frame[(y * 32 + x) * 3..][..3]))).collect()
}

/// What is seen of a clip that consists of these bytes.
fn seen_of(bench: &Bench, bytes: &[u8]) -> Vec<[usize; 4]> {
    let clips = cut(bench, &video(bench), &[play("a", 1000, 2000)], 1);
    replaced(bench, &clips, "a.mp4", bytes);
    seen(bench, &clips)
}

#[test]
fn clips_of_odd_sides_keep_their_colours() {
    for size in [(95, 79), (97, 80), (96, 81)] {
        let bench = Bench::new();
        let coded = [["-c:v", "ffv1", "-f", "matroska"].as_slice(), &TAGS_709].concat();
        let film = film(&bench, &quarters(size, [0, 1, 2, 3]), ("yuv420p", size), &coded);
        assert_eq!(seen_of(&bench, &film), [[0, 1, 2, 3]; 4], "{size:?}");
    }
}

#[test]
fn clips_of_rgb_keep_their_colours() {
    let quarter = |at: usize| 2 * usize::from(at / 96 >= 40) + usize::from(at % 96 >= 48);
    let pixels: Vec<u8> = (0..96 * 80).flat_map(|at| [BARS[quarter(at)].1.as_slice(), &[255]].concat()).collect();
    // Packed, and in planes with the matrix of H.264 that is none.
    let packed = ["-c:v", "ffv1", "-f", "matroska"].as_slice();
    let planes = ["-c:v", "libx264rgb", "-qp", "0", "-f", "mp4"].as_slice();
    for coded in [packed, planes] {
        let bench = Bench::new();
        let film = film(&bench, &pixels, ("rgb0", (96, 80)), coded);
        assert_eq!(seen_of(&bench, &film), [[0, 1, 2, 3]; 4], "{coded:?}");
    }
}

#[test]
fn a_clip_that_changes_its_size_on_the_way_is_made_as_it_is() {
    let bench = Bench::new();
    let coded = [["-c:v", "libx264", "-qp", "0", "-f", "h264"].as_slice(), &TAGS_709].concat();
    let part = |size, colours| film(&bench, &quarters(size, colours), ("yuv420p", size), &coded);
    // Two films of twenty pictures, one behind the other: of four of them, two are of either.
    let both = [part((96, 80), [0, 1, 2, 3]), part((130, 50), [3, 2, 1, 0])].concat();
    assert_eq!(seen_of(&bench, &both), [[0, 1, 2, 3], [0, 1, 2, 3], [3, 2, 1, 0], [3, 2, 1, 0]]);
}
