//! Makes pictures of noise in any pixel format.

use pipe_video::Ratio;
use pipe_video::frames::{ColourMatrix, ColourRange, Element, Layout, Picture, PixelFormat, Plane, Shape, Turn};
use pipe_video::frames::{FrameError, FrameSpec, Plan, Preprocess};

/// The bytes of a picture, with padding behind each row.
pub(crate) struct Noise {
    pub(crate) planes: Vec<(Vec<u8>, usize)>,
}

impl Noise {
    /// Every byte is any byte, padding and unused bits included.
    pub(crate) fn new(format: PixelFormat, width: u32, height: u32, padding: usize, seed: u64) -> Self {
        let mut state = seed | 1;
        let mut byte = || {
            // Marsaglia's xorshift64.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        };
        let plane = |number| {
            let (bytes, rows) = format.plane_size(number, width, height);
            let stride = bytes + padding;
            ((0..rows * stride).map(|_| byte()).collect(), stride)
        };
        Noise { planes: (0..format.planes()).map(plane).collect() }
    }

    pub(crate) fn picture(&self) -> Picture<'_> {
        let mut picture = Picture::default();
        for (plane, (bytes, stride)) in picture.planes.iter_mut().zip(&self.planes) {
            *plane = Plane { bytes, stride: *stride };
        }
        picture
    }
}

pub(crate) fn shape(format: PixelFormat, width: u32, height: u32) -> Shape {
    Shape {
        width,
        height,
        format,
        matrix: ColourMatrix::Bt709,
        range: ColourRange::Limited,
        pixel_aspect: Ratio { num: 1, den: 1 },
        turn: Turn::default(),
    }
}

/// Bytes as pictures have them: `[height, width, 3]`.
pub(crate) fn bytes(width: u32, height: u32) -> FrameSpec {
    FrameSpec { element: Element::U8, layout: Layout::Nhwc, ..FrameSpec::plain(width, height) }
}

/// The tensor of one picture.
pub(crate) fn run(device: &mut impl Preprocess, plan: &Plan, picture: Picture<'_>) -> Result<Vec<u8>, FrameError> {
    let mut out = vec![0; plan.frame_bytes()];
    device.run(plan, &[picture], &mut out)?;
    Ok(out)
}
