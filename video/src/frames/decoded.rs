//! A decoder's frame -> its planes, and what they are: format, matrix, range, pixel aspect, turn.
//! `docs/frames.md`, sections 1, 2 and 5, where the defaults are.

use std::path::Path;

use ffmpeg_next::format::Pixel;
use ffmpeg_next::software::scaling;
use ffmpeg_next::{Rational, color, frame};

use super::matrix::{ColourMatrix, ColourRange};
use super::picture::{Chroma, Picture, PixelFormat, Plane};
use super::plan::{Shape, Turn};
use crate::error::VideoError;
use crate::time::Ratio;

/// What the frame is. `aspect`: that of its pixels, as the decoder told it.
pub(super) fn shape_of(frame: &frame::Video, aspect: Rational, turn: Turn, path: &Path) -> Result<Shape, VideoError> {
    let format = format_of(frame.format()).ok_or_else(|| unknown(frame, path))?;
    Ok(shape_in(format, frame, aspect, turn))
}

/// As `shape_of`, of a frame whose samples lie as the caller knows.
pub(super) fn shape_in(format: PixelFormat, frame: &frame::Video, aspect: Rational, turn: Turn) -> Shape {
    Shape {
        width: frame.width(),
        height: frame.height(),
        format,
        matrix: matrix_of(frame),
        range: range_of(frame),
        pixel_aspect: Ratio::from_libav(aspect).unwrap_or(Ratio { num: 1, den: 1 }),
        turn,
    }
}

/// The frame's planes where they lie.
pub(super) fn picture_of(frame: &frame::Video) -> Picture<'_> {
    let mut picture = Picture::default();
    for (number, plane) in picture.planes.iter_mut().enumerate().take(frame.planes()) {
        *plane = Plane { bytes: frame.data(number), stride: frame.stride(number) };
    }
    picture
}

/// The formats of the page by FFmpeg's names. Words of other machines' byte order are not among them.
fn format_of(pixel: Pixel) -> Option<PixelFormat> {
    let planar = |depth, sub_x, sub_y| Some(PixelFormat::planar(depth, sub_x, sub_y));
    let high = |depth| Some(PixelFormat { depth, shift: 16 - depth, ..PixelFormat::NV12 });
    match pixel {
        Pixel::YUV420P | Pixel::YUVJ420P => planar(8, 1, 1),
        Pixel::YUV422P | Pixel::YUVJ422P => planar(8, 1, 0),
        Pixel::YUV440P | Pixel::YUVJ440P => planar(8, 0, 1),
        Pixel::YUV444P | Pixel::YUVJ444P => planar(8, 0, 0),
        Pixel::YUV420P9LE => planar(9, 1, 1),
        Pixel::YUV422P9LE => planar(9, 1, 0),
        Pixel::YUV444P9LE => planar(9, 0, 0),
        Pixel::YUV420P10LE => planar(10, 1, 1),
        Pixel::YUV422P10LE => planar(10, 1, 0),
        Pixel::YUV444P10LE => planar(10, 0, 0),
        Pixel::YUV420P12LE => planar(12, 1, 1),
        Pixel::YUV422P12LE => planar(12, 1, 0),
        Pixel::YUV444P12LE => planar(12, 0, 0),
        Pixel::YUV420P14LE => planar(14, 1, 1),
        Pixel::YUV422P14LE => planar(14, 1, 0),
        Pixel::YUV444P14LE => planar(14, 0, 0),
        Pixel::YUV420P16LE => planar(16, 1, 1),
        Pixel::YUV422P16LE => planar(16, 1, 0),
        Pixel::YUV444P16LE => planar(16, 0, 0),
        Pixel::NV12 => Some(PixelFormat::NV12),
        Pixel::NV16 => Some(PixelFormat { chroma: Chroma::Interleaved, ..PixelFormat::planar(8, 1, 0) }),
        Pixel::P010LE => high(10),
        Pixel::P016LE => high(16),
        Pixel::GRAY8 => Some(PixelFormat::grey(8)),
        Pixel::GRAY10LE => Some(PixelFormat::grey(10)),
        Pixel::GRAY12LE => Some(PixelFormat::grey(12)),
        _ => None,
    }
}

/// Videos without a tag: BT.709 from 720 rows on, BT.601 below. That is what broadcast made of the two.
fn matrix_of(frame: &frame::Video) -> ColourMatrix {
    match frame.color_space() {
        color::Space::BT709 => ColourMatrix::Bt709,
        color::Space::BT470BG | color::Space::SMPTE170M => ColourMatrix::Bt601,
        color::Space::FCC => ColourMatrix::Fcc,
        color::Space::SMPTE240M => ColourMatrix::Smpte240,
        color::Space::BT2020NCL | color::Space::BT2020CL => ColourMatrix::Bt2020,
        _ if frame.height() >= 720 => ColourMatrix::Bt709,
        _ => ColourMatrix::Bt601,
    }
}

fn range_of(frame: &frame::Video) -> ColourRange {
    let full = [Pixel::YUVJ420P, Pixel::YUVJ422P, Pixel::YUVJ440P, Pixel::YUVJ444P];
    let is_full = full.contains(&frame.format()) || frame.color_range() == color::Range::JPEG;
    if is_full { ColourRange::Full } else { ColourRange::Limited }
}

/// FFmpeg's display matrix (nine 32-bit numbers, 1 is 65536) as a turn. `None`: it is none of the eight.
pub(super) fn turn_of(matrix: &[u8]) -> Option<Turn> {
    let at = |i: usize| matrix.get(4 * i..4 * i + 4)?.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes));
    // The pixel (x, y) is shown at (a x + c y, b x + d y), moved to where it can be seen.
    let (a, b, c, d) = (at(0)?, at(1)?, at(3)?, at(4)?);
    let one = |value: i32| value.unsigned_abs().abs_diff(1 << 16) < 1 << 10;
    let zero = |value: i32| value.unsigned_abs() < 1 << 10;
    if one(a) && one(d) && zero(b) && zero(c) {
        return Some(Turn { transpose: false, flip_x: a < 0, flip_y: d < 0 });
    }
    (one(b) && one(c) && zero(a) && zero(d)).then_some(Turn { transpose: true, flip_x: b < 0, flip_y: c < 0 })
}

/// Brings formats that the page does not have to planar 4:4:4 of 8 bits.
#[derive(Default)]
pub(super) struct Unpacker {
    scaler: Option<scaling::Context>,
}

impl Unpacker {
    /// The frame itself if the page has its format, else what swscale makes of it.
    pub(super) fn planar(&mut self, frame: frame::Video, path: &Path) -> Result<frame::Video, VideoError> {
        if format_of(frame.format()).is_some() {
            return Ok(frame);
        }
        let (from, width, height) = (frame.format(), frame.width(), frame.height());
        let known = self.scaler.take().filter(|scaler| {
            let input = scaler.input();
            (input.format, input.width, input.height) == (from, width, height)
        });
        let flags = scaling::Flags::BICUBIC | scaling::Flags::ACCURATE_RND | scaling::Flags::BITEXACT;
        let make = || scaling::Context::get(from, width, height, Pixel::YUV444P, width, height, flags);
        let scaler = known.map_or_else(make, Ok).map_err(|_| unknown(&frame, path))?;
        let mut planar = frame::Video::empty();
        self.scaler.insert(scaler).run(&frame, &mut planar).map_err(|_| unknown(&frame, path))?;
        // swscale makes limited-range BT.601 of RGB, and keeps the numbers of what is YUV already.
        let from_rgb = is_rgb(from);
        planar.set_color_space(if from_rgb { color::Space::SMPTE170M } else { frame.color_space() });
        planar.set_color_range(if from_rgb { color::Range::MPEG } else { frame.color_range() });
        Ok(planar)
    }
}

fn is_rgb(pixel: Pixel) -> bool {
    let named = |name: &str| ["rgb", "bgr", "gbr"].iter().any(|part| name.contains(part));
    pixel.descriptor().is_some_and(|descriptor| named(descriptor.name()))
}

fn unknown(frame: &frame::Video, path: &Path) -> VideoError {
    let message = format!("pixels of the format {:?} cannot be converted to RGB", frame.format());
    VideoError::unsupported(path, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(a: i32, b: i32, c: i32, d: i32) -> Vec<u8> {
        let one = 1 << 16;
        [a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30].iter().flat_map(|v: &i32| v.to_ne_bytes()).collect()
    }

    #[test]
    fn a_phone_held_upright_is_turned_a_quarter_to_the_right() {
        // ISO 14496-12: (p, q) is shown at (a p + c q, b p + d q). A quarter to the right takes what points right, (1, 0),
        // down, to (0, 1), and what points down to the left: a = 0, b = 1, c = -1, d = 0.
        let turn = turn_of(&matrix(0, 1, -1, 0)).unwrap();
        // Of a canvas of 2x3, the result of 3x2 shows its lower left pixel at its upper left.
        assert_eq!(turn.source(0, 0, 2, 3), (0, 2));
        assert_eq!(turn.source(2, 0, 2, 3), (0, 0));
        assert_eq!(turn.source(0, 1, 2, 3), (1, 2));
    }

    #[test]
    fn half_turns_and_mirrors_are_known_and_slants_are_not() {
        let turn = |a, b, c, d| turn_of(&matrix(a, b, c, d)).unwrap();
        assert_eq!(turn(1, 0, 0, 1), Turn::default());
        assert_eq!(turn(-1, 0, 0, -1), Turn { transpose: false, flip_x: true, flip_y: true });
        assert_eq!(turn(-1, 0, 0, 1), Turn { transpose: false, flip_x: true, flip_y: false });
        assert_eq!(turn(0, 1, 1, 0), Turn { transpose: true, flip_x: false, flip_y: false });
        assert_eq!(turn_of(&matrix(1, 1, -1, 1)), None);
        assert_eq!(turn_of(&[0; 8]), None);
    }
}
