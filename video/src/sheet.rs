//! Puts one frame of each of many clips into one picture, so that a person can look at them.

use std::path::{Path, PathBuf};

use crate::error::VideoError;
use crate::frames::{Fit, FrameSpec, Sampling, sample};
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
