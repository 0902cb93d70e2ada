//! Turns clips into tensors: chosen frames, in RGB, resized, normalised and packed as NCHW.
//!
//! The arithmetic is defined in integers up to the last step: RGB u8 at source size, an antialiased bilinear filter with
//! u8 between its passes, then one table lookup to float. So another implementation, on another device, can be equal bit
//! for bit. It stands beside these files: `color` and `resize` are the steps it replaces, `choose` and `tensor` stay.

mod choose;
mod color;
mod resize;
mod sample;
mod tensor;

pub use choose::Sampling;
pub use sample::{Sampled, sample};

/// How a frame is brought to the wanted size when its shape is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Fit {
    /// The whole frame, with its shape changed.
    #[default]
    Stretch,
    /// The whole frame in its own shape, centred, with black bars.
    Letterbox,
    /// The largest centred part that has the wanted shape.
    Crop,
}

/// What frames are turned into.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FrameSpec {
    /// Width of the result in pixels.
    pub width: u32,
    /// Height of the result in pixels.
    pub height: u32,
    /// What happens to frames of another shape.
    pub fit: Fit,
    /// What is taken from each channel after it was brought to 0..=1; red, green, blue.
    pub mean: [f32; 3],
    /// What each channel is divided by afterwards.
    pub std: [f32; 3],
    /// Whether the resized RGB bytes are wanted, too.
    pub keep_rgb: bool,
}

impl FrameSpec {
    /// Frames of a size with values 0..=1: stretched, not normalised further, without RGB bytes.
    pub fn plain(width: u32, height: u32) -> Self {
        FrameSpec { width, height, fit: Fit::Stretch, mean: [0.0; 3], std: [1.0; 3], keep_rgb: false }
    }
}
