//! Makes tiny videos whose frames carry their number, and reads the numbers back.

use std::path::{Path, PathBuf};

use pipe_video::{
    EncodeOptions, FrameSpec, Matrix, Preset, Ratio, Sampling, VideoError, Writer, WriterOptions, sample,
};

/// Sixteen squares, four by four, each of 16 pixels: a set bit is a bright one.
pub(crate) const SIDE: usize = 64;
const SQUARE: usize = 16;

pub(crate) struct Made {
    pub(crate) frames: u32,
    pub(crate) rate: Ratio,
    pub(crate) gop: u32,
    pub(crate) b_frames: u8,
    pub(crate) audio_rate: Option<u32>,
}

impl Default for Made {
    fn default() -> Self {
        Made { frames: 150, rate: Ratio { num: 30, den: 1 }, gop: 60, b_frames: 3, audio_rate: Some(48_000) }
    }
}

impl Made {
    pub(crate) fn write(&self, path: &Path) -> Result<(), VideoError> {
        let mut writer = Writer::create(path, options(self))?;
        let chroma = vec![128; SIDE * SIDE / 4];
        let mut sent = 0;
        for number in 0..self.frames {
            writer.push_yuv420(&barcode(number), &chroma, &chroma)?;
            let Some(rate) = self.audio_rate else { continue };
            let until = u64::from(number + 1) * u64::from(rate) * u64::from(self.rate.den) / u64::from(self.rate.num);
            writer.push_audio(&tone(sent..until, rate))?;
            sent = until;
        }
        writer.finish()
    }
}

pub(crate) fn options(made: &Made) -> WriterOptions {
    WriterOptions {
        width: SIDE as u32,
        height: SIDE as u32,
        frame_rate: made.rate,
        gop: made.gop,
        b_frames: made.b_frames,
        encode: EncodeOptions { crf: 20, preset: Preset::Veryfast },
        audio_rate: made.audio_rate,
        matrix: Some(Matrix::Bt709),
        timecode: None,
    }
}

fn barcode(number: u32) -> Vec<u8> {
    let bright = |x: usize, y: usize| number >> (y / SQUARE * 4 + x / SQUARE) & 1 == 1;
    (0..SIDE * SIDE).map(|i| if bright(i % SIDE, i / SIDE) { 235 } else { 16 }).collect()
}

fn tone(samples: std::ops::Range<u64>, rate: u32) -> Vec<f32> {
    samples.map(|i| (i as f32 * 440.0 * std::f32::consts::TAU / rate as f32).sin() * 0.2).collect()
}

/// The numbers that the frames of a clip carry, in the order they are shown.
pub(crate) fn numbers(clip: &Path) -> Vec<u32> {
    let spec = FrameSpec { keep_rgb: true, ..FrameSpec::plain(SIDE as u32, SIDE as u32) };
    let sampled = sample(clip, Sampling::Every { n: 1 }, &spec).unwrap();
    sampled.rgb.unwrap().chunks_exact(SIDE * SIDE * 3).map(read_number).collect()
}

/// Reads a barcode from RGB of any size, at the middle of each square.
pub(crate) fn read_number(rgb: &[u8]) -> u32 {
    let side = (rgb.len() / 3).isqrt();
    let middle = |square: usize| (square * 2 + 1) * side / 8;
    (0..16).map(|bit| u32::from(rgb[(middle(bit / 4) * side + middle(bit % 4)) * 3] > 127) << bit).sum()
}

pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

pub(crate) fn made_in(folder: &tempfile::TempDir, name: &str, made: &Made) -> PathBuf {
    let path = folder.path().join(name);
    made.write(&path).unwrap();
    path
}
