//! Turns clips into tensors: chosen frames, in RGB, resized, normalised and packed. `docs/frames.md` defines every bit.
//!
//! The arithmetic is in integers up to the last step: RGB u8 at source size, a fixed-point antialiased filter with u8
//! between its passes, then one look-up in a table. A `Plan` holds all its parameters as plain data, `Reference` is the
//! arithmetic written to be read, and whatever implements `Preprocess` gives the same bytes, on any device.

mod error;
mod matrix;
mod picture;
mod surface;
mod taps;
mod values;

mod plan;
mod reference;

mod cpu;

mod choose;
mod decoded;
mod index;
mod packer;
mod sample;
mod still;

pub use choose::Sampling;
pub use cpu::Cpu;
pub use error::FrameError;
pub use matrix::{Coefficients, ColourMatrix, ColourRange};
pub use picture::{Chroma, Picture, PixelFormat, Plane};
pub use plan::{Area, Plan, Preprocess, Shape, Turn, check_buffers};
pub use reference::Reference;
pub use sample::{Sampled, sample, sample_into, sample_on};
pub use still::{Still, still};
pub use surface::Surface;
pub use taps::{Filter, Taps};
pub use values::{Element, Values, bytes_of_frame};

/// How a frame is brought to the wanted size when its shape is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Fit {
    /// The whole frame, with its shape changed.
    #[default]
    Stretch,
    /// The whole frame in its own shape, centred, with bars.
    Letterbox,
    /// The largest centred part that has the wanted shape.
    Crop,
}

/// The order of a frame's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Layout {
    /// `[3, height, width]`: all of red, then all of green, then all of blue.
    #[default]
    Nchw,
    /// `[height, width, 3]`: pixel after pixel.
    Nhwc,
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
    /// How pixels become fewer or more.
    pub filter: Filter,
    /// The colour of the bars of `Fit::Letterbox`; red, green, blue.
    pub pad: [u8; 3],
    /// What is taken from each channel after it was brought to 0..=1; red, green, blue.
    pub mean: [f32; 3],
    /// What each channel is divided by afterwards.
    pub std: [f32; 3],
    /// The order of the numbers.
    pub layout: Layout,
    /// The type of the numbers.
    pub element: Element,
    /// Whether the resized RGB bytes are wanted, too.
    pub keep_rgb: bool,
}

impl FrameSpec {
    /// Frames of a size with values 0..=1: stretched, not normalised further, without RGB bytes.
    pub fn plain(width: u32, height: u32) -> Self {
        FrameSpec {
            width,
            height,
            fit: Fit::Stretch,
            filter: Filter::Triangle,
            pad: [0; 3],
            mean: [0.0; 3],
            std: [1.0; 3],
            layout: Layout::Nchw,
            element: Element::F32,
            keep_rgb: false,
        }
    }
}
