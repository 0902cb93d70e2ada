//! Whether a GPU decodes what the CPU decodes: a film of ours, whose frames are made of both.

use std::path::Path;
use std::sync::Arc;

use super::fault::GpuError;
use super::gpu::Gpu;
use crate::encode::{EncodeOptions, Preset};
use crate::error::VideoError;
use crate::frames::{Element, FrameSpec, Preprocess, Sampling, sample, sample_on};
use crate::time::Ratio;
use crate::writer::{Matrix, Writer, WriterOptions};

/// A film whose sides are no multiples of a block's, so that what lies beside its pictures must be left out.
const SIZE: (u32, u32) = (322, 182);
const FRAMES: usize = 40;

/// What a GPU makes of a film.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded {
    /// What the CPU makes of it.
    Same,
    /// Something else.
    Other,
    /// Nothing: it does not decode here, and why.
    Not(String),
}

/// Writes a film into a folder, and has a GPU decode it.
///
/// # Errors
/// When the film cannot be written, or the CPU cannot make its frames.
pub fn decodes(gpu: &mut Gpu, folder: &Path) -> Result<Decoded, VideoError> {
    if let Err(GpuError::Unavailable(why)) = gpu.decode() {
        return Ok(Decoded::Not(why));
    }
    let path = folder.join("film.mp4");
    write(&path)?;
    let all = Sampling::Every { n: 1 };
    let spec = FrameSpec { element: Element::U8, ..FrameSpec::plain(64, 36) };
    let there = sample_on(gpu, &path, all, &spec)?;
    let told = gpu.hardware().map(|hardware: Arc<_>| hardware.told()).unwrap_or_default();
    Ok(match told.into_iter().next() {
        Some(why) => Decoded::Not(why),
        None if there == sample(&path, all, &spec)? => Decoded::Same,
        None => Decoded::Other,
    })
}

/// Slopes that drift, with B frames between.
fn write(path: &Path) -> Result<(), VideoError> {
    let (width, height) = SIZE;
    let mut writer = Writer::create(
        path,
        WriterOptions {
            width,
            height,
            frame_rate: Ratio { num: 30, den: 1 },
            gop: 15,
            b_frames: 2,
            encode: EncodeOptions { crf: 16, preset: Preset::Veryfast },
            audio_rate: None,
            matrix: Some(Matrix::Bt709),
            timecode: None,
        },
    )?;
    let plane = |width: u32, height: u32, number: usize| -> Vec<u8> {
        let pixels = (0..height as usize).flat_map(|y| (0..width as usize).map(move |x| (x, y)));
        pixels.map(|(x, y)| (30 + (x * 2 + y * 3 + x * y / 64 + number * 5) % 200) as u8).collect()
    };
    for number in 0..FRAMES {
        let [u, v] = [number + 20, number * 2 + 60].map(|number| plane(width / 2, height / 2, number));
        writer.push_yuv420(&plane(width, height, number), &u, &v)?;
    }
    writer.finish()
}
