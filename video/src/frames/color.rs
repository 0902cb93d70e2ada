//! Turns one decoded frame into RGB bytes at its own size, with the matrix and range its tags state.
//! Chroma is taken from the nearest sample; RGB is rounded and clipped to u8.

use std::path::Path;

use ffmpeg_next::format::Pixel;
use ffmpeg_next::software::scaling;
use ffmpeg_next::{color, frame};
use yuv::{YuvBiPlanarImage, YuvConversionMode, YuvError, YuvPlanarImage, YuvRange, YuvStandardMatrix};

use crate::error::VideoError;

/// RGB bytes, `[height, width, 3]`, row-major.
#[derive(Default)]
pub(super) struct Rgb {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) bytes: Vec<u8>,
}

/// How the planes of a frame lie in memory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    Planar420,
    Planar422,
    Planar444,
    Nv12,
}

/// Converts frames, keeping what can be used again from one to the next.
#[derive(Default)]
pub(super) struct Converter {
    rgb: Rgb,
    scaler: Option<scaling::Context>,
    scaled: Option<frame::Video>,
}

impl Converter {
    /// The frame in RGB, at its own size. The result is overwritten by the next call.
    pub(super) fn convert(&mut self, frame: &frame::Video, path: &Path) -> Result<&Rgb, VideoError> {
        self.rgb.width = frame.width();
        self.rgb.height = frame.height();
        self.rgb.bytes.resize(frame.width() as usize * frame.height() as usize * 3, 0);
        let (matrix, range) = (matrix_of(frame), range_of(frame));
        let done = match layout_of(frame.format()) {
            Some(layout) => to_rgb(frame, layout, range, matrix, &mut self.rgb.bytes),
            None => {
                let planar = self.planar_of(frame, path)?;
                let range = if comes_out_limited(frame.format()) { YuvRange::Limited } else { range };
                let taken = to_rgb(&planar, Layout::Planar444, range, matrix, &mut self.rgb.bytes);
                self.scaled = Some(planar);
                taken
            }
        };
        done.map_err(|e| VideoError::unsupported(path, format!("the pixels cannot be converted to RGB: {e}")))?;
        Ok(&self.rgb)
    }

    /// Brings rare pixel formats (ten bits, packed, grey, RGB) to 8-bit 4:4:4.
    fn planar_of(&mut self, frame: &frame::Video, path: &Path) -> Result<frame::Video, VideoError> {
        let (from, width, height) = (frame.format(), frame.width(), frame.height());
        let refuse =
            |_| VideoError::unsupported(path, format!("pixels of the format {from:?} cannot be converted to RGB"));
        let known = self.scaler.as_ref().is_some_and(|scaler| {
            let input = scaler.input();
            (input.format, input.width, input.height) == (from, width, height)
        });
        if !known {
            let flags = scaling::Flags::BICUBIC | scaling::Flags::ACCURATE_RND | scaling::Flags::BITEXACT;
            let scaler = scaling::Context::get(from, width, height, Pixel::YUV444P, width, height, flags);
            self.scaler = Some(scaler.map_err(refuse)?);
            self.scaled = None;
        }
        let scaler = self.scaler.as_mut().expect("it was made a few lines above");
        let mut planar = self.scaled.take().unwrap_or_else(frame::Video::empty);
        scaler.run(frame, &mut planar).map_err(refuse)?;
        Ok(planar)
    }
}

fn layout_of(format: Pixel) -> Option<Layout> {
    match format {
        Pixel::YUV420P | Pixel::YUVJ420P => Some(Layout::Planar420),
        Pixel::YUV422P | Pixel::YUVJ422P => Some(Layout::Planar422),
        Pixel::YUV444P | Pixel::YUVJ444P => Some(Layout::Planar444),
        Pixel::NV12 => Some(Layout::Nv12),
        _ => None,
    }
}

fn is_rgb(format: Pixel) -> bool {
    named(format, &["rgb", "bgr", "gbr"])
}

/// swscale takes these formats to be full-range whatever their tags say, and makes limited-range YUV of them. All others
/// keep their range.
fn comes_out_limited(format: Pixel) -> bool {
    is_rgb(format) || named(format, &["gray", "ya8", "yuvj"])
}

fn named(format: Pixel, parts: &[&str]) -> bool {
    format.descriptor().is_some_and(|descriptor| parts.iter().any(|part| descriptor.name().contains(part)))
}

/// Videos without a tag: BT.709 from 720 rows on, BT.601 below. That is what broadcast made of the two.
fn matrix_of(frame: &frame::Video) -> YuvStandardMatrix {
    if is_rgb(frame.format()) {
        return YuvStandardMatrix::Bt601; // swscale's own choice for what it converts from RGB
    }
    match frame.color_space() {
        color::Space::BT709 => YuvStandardMatrix::Bt709,
        color::Space::BT470BG | color::Space::SMPTE170M => YuvStandardMatrix::Bt601,
        color::Space::FCC => YuvStandardMatrix::Fcc,
        color::Space::SMPTE240M => YuvStandardMatrix::Smpte240,
        color::Space::BT2020NCL | color::Space::BT2020CL => YuvStandardMatrix::Bt2020,
        _ if frame.height() >= 720 => YuvStandardMatrix::Bt709,
        _ => YuvStandardMatrix::Bt601,
    }
}

fn range_of(frame: &frame::Video) -> YuvRange {
    let full_by_format = matches!(frame.format(), Pixel::YUVJ420P | Pixel::YUVJ422P | Pixel::YUVJ444P);
    if full_by_format || frame.color_range() == color::Range::JPEG { YuvRange::Full } else { YuvRange::Limited }
}

fn to_rgb(
    frame: &frame::Video,
    layout: Layout,
    range: YuvRange,
    matrix: YuvStandardMatrix,
    rgb: &mut [u8],
) -> Result<(), YuvError> {
    let (width, height, stride) = (frame.width(), frame.height(), frame.width() * 3);
    if layout == Layout::Nv12 {
        let image = YuvBiPlanarImage {
            y_plane: frame.data(0),
            y_stride: frame.stride(0) as u32,
            uv_plane: frame.data(1),
            uv_stride: frame.stride(1) as u32,
            width,
            height,
        };
        return yuv::yuv_nv12_to_rgb(&image, rgb, stride, range, matrix, YuvConversionMode::Balanced);
    }
    let image = YuvPlanarImage {
        y_plane: frame.data(0),
        y_stride: frame.stride(0) as u32,
        u_plane: frame.data(1),
        u_stride: frame.stride(1) as u32,
        v_plane: frame.data(2),
        v_stride: frame.stride(2) as u32,
        width,
        height,
    };
    match layout {
        Layout::Planar422 => yuv::yuv422_to_rgb(&image, rgb, stride, range, matrix),
        Layout::Planar444 => yuv::yuv444_to_rgb(&image, rgb, stride, range, matrix),
        Layout::Planar420 | Layout::Nv12 => yuv::yuv420_to_rgb(&image, rgb, stride, range, matrix),
    }
}
