//! A decoded frame -> its planes where the decoder left them: in memory, or on a GPU.
#![cfg_attr(not(feature = "cuda"), expect(dead_code, reason = "without CUDA nobody looks at what lies on a GPU"))]

use std::ffi::c_void;
use std::marker::PhantomData;
use std::path::Path;

use ffmpeg_next::format::Pixel;
use ffmpeg_next::frame;

use super::picture::PixelFormat;
use crate::error::VideoError;
use crate::libav::hardware::{self, There};

/// A picture that a GPU has decoded, on that GPU, as long as its frame is kept.
#[derive(Debug, Clone, Copy)]
pub struct Surface<'a> {
    pub(crate) there: There,
    pub(crate) format: PixelFormat,
    pub(crate) width: u32,
    pub(crate) height: u32,
    frame: PhantomData<&'a frame::Video>,
}

impl<'a> Surface<'a> {
    /// The frame's surface. `None`: it lies in memory.
    ///
    /// # Errors
    /// When it lies on a GPU as the kernels do not know it.
    pub(super) fn of(frame: &'a frame::Video, path: &Path) -> Result<Option<Self>, VideoError> {
        let Some(there) = hardware::there(frame) else { return Ok(None) };
        let format = format_of(there.pixels).filter(|_| there.is_whole).ok_or_else(|| {
            let message = format!("a GPU has left its pictures as nobody there knows them ({:?})", there.pixels);
            VideoError::unsupported(path, message)
        })?;
        let (width, height) = (frame.width(), frame.height());
        Ok(Some(Surface { there, format, width, height, frame: PhantomData }))
    }

    /// The context in which its addresses count.
    pub(crate) fn context(&self) -> *mut c_void {
        self.there.context
    }
}

/// What decoders of GPUs make of 8 and 10 bits. Of 12 bits they make words of 16, which other numbers would come from.
pub(super) fn format_of(pixels: Pixel) -> Option<PixelFormat> {
    match pixels {
        Pixel::NV12 => Some(PixelFormat::NV12),
        Pixel::P010LE => Some(PixelFormat::P010),
        _ => None,
    }
}
