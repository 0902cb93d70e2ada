//! What is wanted, and what a clip's pictures are -> a plan: all parameters of the arithmetic, as plain data.
//! Made once for a clip; every device reads it and computes no parameter of its own. `docs/frames.md`.

use std::sync::Arc;

use super::error::FrameError;
use super::matrix::{Coefficients, ColourMatrix, ColourRange};
use super::picture::{Picture, PixelFormat};
use super::surface::Surface;
use super::taps::Taps;
use super::values::Values;
use super::{Fit, FrameSpec, Layout};
use crate::libav::hardware::Hardware;
use crate::time::Ratio;

/// What the pictures of a clip are, from its decoder and its tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Coded width in pixels.
    pub width: u32,
    /// Coded height in pixels.
    pub height: u32,
    /// How samples lie in memory.
    pub format: PixelFormat,
    /// The matrix, with its default already in place.
    pub matrix: ColourMatrix,
    /// The range, with its default already in place.
    pub range: ColourRange,
    /// How much wider than high a pixel is.
    pub pixel_aspect: Ratio,
    /// How a picture is turned to be shown.
    pub turn: Turn,
}

impl Shape {
    /// Bytes of a picture's planes, without padding.
    pub fn bytes(&self) -> usize {
        let planes = (0..self.format.planes()).map(|plane| self.format.plane_size(plane, self.width, self.height));
        planes.map(|(row, rows)| row * rows).sum()
    }
}

/// One of the eight ways to lay a rectangle on another:
/// `result(x, y) = canvas(flip_x ? W-1-u : u, flip_y ? H-1-v : v)` with `(u, v) = (y, x)` if `transpose`, else `(x, y)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Turn {
    /// Rows become columns.
    pub transpose: bool,
    /// The canvas is read from its last column.
    pub flip_x: bool,
    /// The canvas is read from its last row.
    pub flip_y: bool,
}

impl Turn {
    /// The place on a canvas of this size that a place of the result shows.
    pub(super) fn source(self, x: usize, y: usize, width: usize, height: usize) -> (usize, usize) {
        let (u, v) = if self.transpose { (y, x) } else { (x, y) };
        (if self.flip_x { width - 1 - u } else { u }, if self.flip_y { height - 1 - v } else { v })
    }
}

/// A rectangle in whole pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Area {
    /// Columns to the left of it.
    pub left: u32,
    /// Rows above it.
    pub top: u32,
    /// Its columns.
    pub width: u32,
    /// Its rows.
    pub height: u32,
}

/// All parameters of the arithmetic, for pictures of one shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What was asked for.
    pub spec: FrameSpec,
    /// What it was made for.
    pub shape: Shape,
    /// What turns luma and chroma into RGB.
    pub colour: Coefficients,
    /// The first pass: what each row of the resized picture is made of.
    pub rows: Taps,
    /// The second pass: what each column of the resized picture is made of.
    pub columns: Taps,
    /// Width and height of the canvas: the result before it is turned.
    pub canvas: (u32, u32),
    /// Where on the canvas the resized picture lies; the rest has the colour `spec.pad`.
    pub place: Area,
    /// The numbers that bytes become.
    pub values: Values,
}

/// The largest side of a picture and of a result. With 16 bits a side, products of two fit 32.
const MAX_SIDE: u32 = 32_768;

/// The most bytes that one clip's tensor may have: 8 GiB, more than any model looks at together.
const MOST_BYTES: u128 = 8 << 30;

/// The most frames that one clip's tensor may have: a day and a half at 30 a second. Times that lie may promise any number.
pub(super) const MOST_FRAMES: usize = 1 << 22;

impl Plan {
    /// Computes tables and places.
    ///
    /// # Errors
    /// Sizes of 0 or beyond 32,768, numbers that are none, and formats that the page does not have.
    pub fn new(spec: &FrameSpec, shape: &Shape) -> Result<Self, FrameError> {
        spec.check()?;
        check_shape(shape)?;
        let canvas = if shape.turn.transpose { (spec.height, spec.width) } else { (spec.width, spec.height) };
        let (from, place) = placed(shape, canvas, spec.fit);
        Ok(Plan {
            spec: *spec,
            shape: *shape,
            colour: Coefficients::new(shape.matrix, shape.range, shape.format.depth),
            rows: Taps::new(shape.height, from.top, from.height, place.height, spec.filter),
            columns: Taps::new(shape.width, from.left, from.width, place.width, spec.filter),
            canvas,
            place,
            values: Values::new(spec.mean, spec.std, spec.element)?,
        })
    }

    /// Bytes of one frame's tensor.
    pub fn frame_bytes(&self) -> usize {
        self.spec.frame_bytes()
    }

    /// Where in a frame's tensor, counted in numbers, a channel of a pixel of the result lies.
    pub(super) fn index(&self, x: usize, y: usize, channel: usize) -> usize {
        let (width, height) = (self.spec.width as usize, self.spec.height as usize);
        match self.spec.layout {
            Layout::Nchw => (channel * height + y) * width + x,
            Layout::Nhwc => (y * width + x) * 3 + channel,
        }
    }
}

/// Turns pictures into tensors as a plan says; every implementation gives the same bytes.
pub trait Preprocess {
    /// Fills `out` with the tensors of the pictures, one after the other, in little-endian bytes.
    ///
    /// # Errors
    /// When planes are shorter than the plan's shape needs, `out` has another length than the pictures' tensors, or the
    /// device fails.
    fn run(&mut self, plan: &Plan, pictures: &[Picture<'_>], out: &mut [u8]) -> Result<(), FrameError>;

    /// As `run`, of pictures that this device has decoded itself.
    ///
    /// # Errors
    /// As `run`; and when the pictures are not on this device.
    fn run_there(&mut self, _: &Plan, _: &[Surface<'_>], _: &mut [u8]) -> Result<(), FrameError> {
        Err(FrameError::new("the pictures are on a GPU that does not make these frames", "decode them on the CPU"))
    }

    /// What decodes beside it, for `run_there`. `None`: pictures are decoded by the CPU.
    fn hardware(&self) -> Option<Arc<Hardware>> {
        None
    }

    /// How many pictures it is best given at once. One while it is hot in the caches, unless a device says otherwise.
    fn at_once(&self) -> usize {
        1
    }
}

/// What every implementation refuses.
///
/// # Errors
/// When planes are shorter than the shape needs, or `out` has another length than the pictures' tensors.
pub fn check_buffers(plan: &Plan, pictures: &[Picture<'_>], out: &[u8]) -> Result<(), FrameError> {
    let Shape { width, height, format, .. } = plan.shape;
    if let Some(short) = pictures.iter().position(|picture| !picture.fits(format, width, height)) {
        let message = format!("picture {short} has fewer bytes than {width}x{height} pixels need");
        return Err(FrameError::new(message, "give all rows of every plane, and the stride they have"));
    }
    let wanted = plan.frame_bytes() * pictures.len();
    if out.len() != wanted {
        let message = format!("the tensor has {} bytes, the pictures need {wanted}", out.len());
        return Err(FrameError::new(message, "give as many bytes as the frames need"));
    }
    Ok(())
}

fn check_shape(shape: &Shape) -> Result<(), FrameError> {
    let sides = [shape.width, shape.height];
    if sides.iter().any(|side| !(1..=MAX_SIDE).contains(side)) {
        let message = format!("the pictures are {}x{} pixels", shape.width, shape.height);
        return Err(FrameError::new(message, format!("give a video with sides of 1 to {MAX_SIDE} pixels")));
    }
    let PixelFormat { depth, shift, sub_x, sub_y, .. } = shape.format;
    let known =
        (8..=16).contains(&depth) && shift + depth <= 16 && sub_x <= 1 && sub_y <= 1 && (depth > 8 || shift == 0);
    if !known {
        let message = format!("pixels of {depth} bits, shifted by {shift}, chroma by {sub_x}, {sub_y} are not known");
        return Err(FrameError::new(message, "convert the video to 8 or 10 bits, 4:2:0"));
    }
    Ok(())
}

impl FrameSpec {
    /// # Errors
    /// As `Plan::new`, for what does not depend on a picture.
    pub fn check(&self) -> Result<(), FrameError> {
        if [self.width, self.height].iter().any(|side| !(1..=MAX_SIDE).contains(side)) {
            let message = format!("frames of {}x{} are asked for", self.width, self.height);
            return Err(FrameError::new(message, format!("give a width and a height of 1 to {MAX_SIDE}")));
        }
        Values::new(self.mean, self.std, self.element).map(|_| ())
    }

    /// # Errors
    /// When so many frames are more than the tensor of one clip may have.
    pub fn check_frames(&self, frames: usize) -> Result<(), FrameError> {
        let help = "ask for fewer or smaller frames";
        if frames > MOST_FRAMES {
            return Err(FrameError::new(format!("a clip's tensor would have more than {MOST_FRAMES} frames"), help));
        }
        let bytes = frames as u128 * self.frame_bytes() as u128;
        if bytes > MOST_BYTES {
            let message =
                format!("a clip's tensor of {frames} frames would have {} GiB, and 8 are the most", bytes >> 30);
            return Err(FrameError::new(message, help));
        }
        Ok(())
    }

    /// Bytes of one frame's tensor.
    pub fn frame_bytes(&self) -> usize {
        self.width as usize * self.height as usize * 3 * self.element.size()
    }
}

/// What is taken from the source, and where on the canvas it goes.
fn placed(shape: &Shape, canvas: (u32, u32), fit: Fit) -> (Area, Area) {
    let (source, target) = (whole(shape.width, shape.height), whole(canvas.0, canvas.1));
    let (wide, high) = aspect(shape.pixel_aspect);
    match fit {
        Fit::Stretch => (source, target),
        Fit::Letterbox => (source, largest_inside(target, [shape.width.into(), wide], [shape.height.into(), high])),
        Fit::Crop => (largest_inside(source, [canvas.0.into(), high], [canvas.1.into(), wide]), target),
    }
}

/// A pixel is as wide as its aspect says unless that is no sensible number.
fn aspect(ratio: Ratio) -> (u64, u64) {
    let (num, den) = (u64::from(ratio.num), u64::from(ratio.den));
    let sensible = num > 0 && den > 0 && num <= 16 * den && den <= 16 * num;
    if sensible { (num, den) } else { (1, 1) }
}

fn whole(width: u32, height: u32) -> Area {
    Area { left: 0, top: 0, width, height }
}

/// The largest centred part of `room` of a shape, in whole pixels, sides rounded to the nearest. Width and height of the
/// shape are products of two numbers each.
fn largest_inside(room: Area, shape_width: [u64; 2], shape_height: [u64; 2]) -> Area {
    let product = |[a, b]: [u64; 2]| u128::from(a) * u128::from(b);
    let (p, q) = (product(shape_width), product(shape_height));
    let (m, n) = (u128::from(room.width), u128::from(room.height));
    let scaled = |above: u128, below: u128, most: u32| {
        u32::try_from((2 * above + below) / (2 * below)).unwrap_or(most).clamp(1, most)
    };
    let (width, height) = if m * q > n * p {
        (scaled(p * n, q, room.width), room.height)
    } else {
        (room.width, scaled(q * m, p, room.height))
    };
    Area { left: (room.width - width) / 2, top: (room.height - height) / 2, width, height }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQUARE: Ratio = Ratio { num: 1, den: 1 };

    fn shape(width: u32, height: u32, pixel_aspect: Ratio) -> Shape {
        Shape {
            width,
            height,
            format: PixelFormat::I420,
            matrix: ColourMatrix::Bt709,
            range: ColourRange::Limited,
            pixel_aspect,
            turn: Turn::default(),
        }
    }

    fn places(from: (u32, u32), aspect: Ratio, to: (u32, u32), fit: Fit) -> (Area, Area) {
        placed(&shape(from.0, from.1, aspect), to, fit)
    }

    #[test]
    fn letterbox_keeps_the_shape_of_the_frame() {
        // 1920x1080 into 640x640: 640x360, with 140 rows of bars above and below.
        let (from, to) = places((1920, 1080), SQUARE, (640, 640), Fit::Letterbox);
        assert_eq!(to, Area { left: 0, top: 140, width: 640, height: 360 });
        assert_eq!(from, whole(1920, 1080));
    }

    #[test]
    fn crop_takes_the_largest_centred_part_of_the_wanted_shape() {
        // A square out of 1920x1080 is 1080x1080, with 420 columns left out on each side.
        let (from, to) = places((1920, 1080), SQUARE, (224, 224), Fit::Crop);
        assert_eq!(from, Area { left: 420, top: 0, width: 1080, height: 1080 });
        assert_eq!(to, whole(224, 224));
    }

    #[test]
    fn stretch_takes_all_and_fills_all() {
        let placed = places((1920, 1080), Ratio { num: 4, den: 3 }, (64, 64), Fit::Stretch);
        assert_eq!(placed, (whole(1920, 1080), whole(64, 64)));
    }

    #[test]
    fn pixels_that_are_not_square_count_with_their_shape() {
        // 1440x1080 with pixels of 4:3 is shown as 1920x1080.
        let wide = Ratio { num: 4, den: 3 };
        let (_, to) = places((1440, 1080), wide, (640, 640), Fit::Letterbox);
        assert_eq!(to, Area { left: 0, top: 140, width: 640, height: 360 });
        // A square of 1080 rows is 1080 * 3/4 = 810 columns.
        let (from, _) = places((1440, 1080), wide, (224, 224), Fit::Crop);
        assert_eq!(from, Area { left: 315, top: 0, width: 810, height: 1080 });
    }

    #[test]
    fn a_senseless_pixel_aspect_is_square() {
        for aspect in [Ratio { num: 0, den: 1 }, Ratio { num: 1, den: 0 }, Ratio { num: 1, den: 65535 }] {
            let (_, to) = places((1920, 1080), aspect, (640, 640), Fit::Letterbox);
            assert_eq!(to.height, 360);
        }
    }

    #[test]
    fn a_side_never_becomes_zero() {
        assert_eq!(places((4000, 2), SQUARE, (10, 10), Fit::Letterbox).1.height, 1);
    }

    #[test]
    fn absurd_sizes_are_refused_in_words() {
        let error = Plan::new(&FrameSpec::plain(0, 5), &shape(4, 4, SQUARE)).unwrap_err();
        assert!(error.message.contains("0x5"), "{error}");
        let error = Plan::new(&FrameSpec::plain(5, 40_000), &shape(4, 4, SQUARE)).unwrap_err();
        assert!(error.help.contains("32768"), "{error}");
        let error = Plan::new(&FrameSpec::plain(5, 5), &shape(100_000, 4, SQUARE)).unwrap_err();
        assert!(error.message.contains("100000x4"), "{error}");
    }
}
