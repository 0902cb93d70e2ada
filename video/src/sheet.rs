//! Puts one frame of each of many clips into one picture, so that a person can look at them.

use std::path::{Path, PathBuf};

use crate::error::VideoError;
use crate::frames::{Fit, FrameError, FrameSpec, Sampling, bytes_of_frame, sample};
use crate::probe::probe;

/// Pixels between two thumbnails, and around them all.
const GAP: usize = 4;
const BACKGROUND: u8 = 24;

/// The middle frames of clips as a grid, as the bytes of a PNG file.
///
/// `thumb_width`: pixels; all thumbnails have the shape of the first clip. Clips of another shape get bars.
///
/// # Errors
/// As `sample`, and `BadOption` when there are no clips, no columns or no width.
pub fn contact_sheet(paths: &[PathBuf], columns: usize, thumb_width: u32) -> Result<Vec<u8>, VideoError> {
    let Some(first) = paths.first().filter(|_| columns > 0 && thumb_width > 0) else {
        let help = "name at least one clip, one column and a width";
        return Err(VideoError::bad_option(Path::new("contact sheet"), "there is nothing to show", help));
    };
    let shape = probe(first)?;
    let thumb_height = (thumb_width * shape.height).div_ceil(shape.width.max(1)).max(1);
    let spec = FrameSpec { fit: Fit::Letterbox, keep_rgb: true, ..FrameSpec::plain(thumb_width, thumb_height) };
    let (wide, high) = (thumb_width as usize, thumb_height as usize);
    let columns = columns.min(paths.len());
    let mut sheet = Sheet::new(columns * (wide + GAP) + GAP, paths.len().div_ceil(columns) * (high + GAP) + GAP);
    for (i, path) in paths.iter().enumerate() {
        let middle = sample(path, Sampling::Uniform { n: 1 }, &spec)?;
        let rgb = middle.rgb.expect("keep_rgb was asked for");
        sheet.paste(&rgb, wide, GAP + (i % columns) * (wide + GAP), GAP + (i / columns) * (high + GAP));
    }
    sheet.into_png().map_err(|e| VideoError::io(first, "making the contact sheet", e))
}

/// Tensors turned back into pictures, as the bytes of a PNG file: a row for each clip, with at most so many of its frames.
/// What is wider than `most_width` is shown with every other pixel, every third, ...
///
/// # Errors
/// When there is nothing to show.
pub fn tensor_sheet(
    clips: &[Vec<u8>],
    spec: &FrameSpec,
    columns: usize,
    most_width: u32,
) -> Result<Vec<u8>, FrameError> {
    let step = spec.width.div_ceil(most_width.max(1)) as usize;
    let (wide, high) = ((spec.width as usize).div_ceil(step), (spec.height as usize).div_ceil(step));
    let frames = clips.iter().map(|clip| clip.len() / spec.frame_bytes().max(1)).max().unwrap_or(0).min(columns);
    if frames == 0 {
        return Err(FrameError::new("there is no frame to show", "give at least one clip and one column"));
    }
    let mut sheet = Sheet::new(frames * (wide + GAP) + GAP, clips.len() * (high + GAP) + GAP);
    for (row, clip) in clips.iter().enumerate() {
        for (column, frame) in clip.chunks_exact(spec.frame_bytes()).take(columns).enumerate() {
            let small = thinned(&bytes_of_frame(spec, frame), spec.width as usize, step);
            sheet.paste(&small, wide, GAP + column * (wide + GAP), GAP + row * (high + GAP));
        }
    }
    sheet.into_png().map_err(|e| FrameError::new(format!("the preview cannot be made: {e}"), "show smaller frames"))
}

/// One pixel of each square of `step`.
fn thinned(rgb: &[[u8; 3]], width: usize, step: usize) -> Vec<u8> {
    let rows = rgb.chunks_exact(width).step_by(step);
    rows.flat_map(|row| row.iter().step_by(step).flatten().copied()).collect()
}

/// An RGB picture, row-major.
struct Sheet {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Sheet {
    fn new(width: usize, height: usize) -> Self {
        Sheet { width, height, pixels: vec![BACKGROUND; width * height * 3] }
    }

    fn paste(&mut self, rgb: &[u8], width: usize, left: usize, top: usize) {
        for (row, from) in rgb.chunks_exact(width * 3).enumerate() {
            let at = ((top + row) * self.width + left) * 3;
            self.pixels[at..at + from.len()].copy_from_slice(from);
        }
    }

    fn into_png(self) -> Result<Vec<u8>, png::EncodingError> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.write_header()?.write_image_data(&self.pixels)?;
        Ok(bytes)
    }
}
