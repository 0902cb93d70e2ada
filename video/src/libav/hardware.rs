//! A GPU as FFmpeg decodes on it, in a context that others use too; and where on it a decoded picture lies.
//!
//! FFmpeg looks for `libcuda.so.1` and `libnvcuvid.so.1` when the first decoder wants them. Where they are missing, or do not
//! take a stream, it decodes that stream on the CPU: whoever asked sees it by the frames.
#![expect(unsafe_code, reason = "FFmpeg's structures for hardware have no safe binding")]
#![cfg_attr(not(feature = "cuda"), expect(dead_code, reason = "without CUDA nobody has a GPU to lend"))]

use std::any::Any;
use std::ffi::c_void;
use std::sync::{Mutex, PoisonError};

use ffmpeg_next::codec::{self, decoder};
use ffmpeg_next::format::Pixel;
use ffmpeg_next::{ffi, frame};

/// Pictures that may be kept while decoding goes on. A decoder has few: it makes its pictures in memory of its own.
pub(crate) const KEPT: usize = 8;

/// A GPU that decodes, and what there is to be told of it.
pub struct Hardware {
    device: *mut ffi::AVBufferRef,
    /// All that was noted, and how much of it was told.
    notes: Mutex<(Vec<String>, usize)>,
}

// SAFETY: the buffer's count is atomic, and what it counts is not changed after it was made ready.
unsafe impl Send for Hardware {}
// SAFETY: as above.
unsafe impl Sync for Hardware {}

impl Hardware {
    /// Decoding on the GPU of a CUDA context. `held` is let go with the last decoder and picture.
    ///
    /// # Safety
    /// `context` is a CUDA context that is there as long as `held`.
    pub(crate) unsafe fn beside(context: *mut c_void, held: Box<dyn Any + Send + Sync>) -> Result<Hardware, String> {
        // SAFETY: FFmpeg gives a device with room for its kind's own structure, or null. Nobody else has it yet. What is put
        // into `user_opaque` is a thin pointer to the box, which `let_go` takes back.
        unsafe {
            let device = ffi::av_hwdevice_ctx_alloc(ffi::AVHWDeviceType::AV_HWDEVICE_TYPE_CUDA);
            if device.is_null() {
                return Err("FFmpeg was built without CUDA".to_owned());
            }
            let hardware = Hardware { device, notes: Mutex::default() };
            let inner = (*device).data.cast::<ffi::AVHWDeviceContext>();
            (*inner).user_opaque = Box::into_raw(Box::new(held)).cast();
            (*inner).free = Some(let_go);
            (*(*inner).hwctx.cast::<ffi::AVCUDADeviceContext>()).cuda_ctx = context.cast();
            match ffi::av_hwdevice_ctx_init(device) {
                0.. => Ok(hardware),
                _ => Err("FFmpeg does not take the NVIDIA driver (libcuda.so.1)".to_owned()),
            }
        }
    }

    /// Has a decoder that is not open yet decode here, if that gives the very bits that it would give itself: the codec's
    /// standard says every one of them, and the surfaces hold samples as `docs/frames.md` knows them.
    pub(crate) fn lend(&self, decoder: &mut decoder::Decoder) {
        let is_exact = matches!(decoder.id(), codec::Id::H264 | codec::Id::HEVC | codec::Id::VP8 | codec::Id::VP9);
        // SAFETY: the context is not open, and `&mut` makes this the only access. The reference is the decoder's own, and
        // goes with it.
        unsafe {
            let context = decoder.as_mut_ptr();
            let is_known =
                matches!(Pixel::from((*context).pix_fmt), Pixel::YUV420P | Pixel::YUVJ420P | Pixel::YUV420P10LE);
            if is_exact && is_known {
                (*context).hw_device_ctx = ffi::av_buffer_ref(self.device);
                (*context).extra_hw_frames = KEPT as i32 + 1;
            }
        }
    }

    /// Notes something for people, once.
    pub(crate) fn tell(&self, note: String) {
        let (notes, _) = &mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if !notes.contains(&note) {
            notes.push(note);
        }
    }

    /// What was noted and not told yet.
    pub(crate) fn told(&self) -> Vec<String> {
        let (notes, told) = &mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let new = notes[*told..].to_vec();
        *told = notes.len();
        new
    }
}

unsafe extern "C" fn let_go(device: *mut ffi::AVHWDeviceContext) {
    // SAFETY: FFmpeg calls this once for a device, whose `user_opaque` is as `beside` left it.
    drop(unsafe { Box::from_raw((*device).user_opaque.cast::<Box<dyn Any + Send + Sync>>()) });
}

impl Drop for Hardware {
    fn drop(&mut self) {
        // SAFETY: the reference is this one's own.
        unsafe { ffi::av_buffer_unref(&raw mut self.device) };
    }
}

impl std::fmt::Debug for Hardware {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hardware").field("notes", &self.notes).finish_non_exhaustive()
    }
}

/// Where a picture of a GPU's decoder lies: two planes, luma, and U and V in turn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct There {
    pub(crate) context: *mut c_void,
    /// What the planes hold, by FFmpeg's name.
    pub(crate) pixels: Pixel,
    pub(crate) planes: [u64; 2],
    pub(crate) pitches: [u32; 2],
    /// Whether the picture begins where its planes do.
    pub(crate) is_whole: bool,
}

/// Where the frame lies, if it is on a GPU.
pub(crate) fn there(frame: &frame::Video) -> Option<There> {
    if frame.format() != Pixel::CUDA {
        return None;
    }
    // SAFETY: a frame of this format has a context of frames, which has that of its device, whose `hwctx` is CUDA's, too. All live as long as the frame. Its `data` are addresses on the device, which are read as numbers.
    unsafe {
        let raw = frame.as_ptr();
        let frames = (*raw).hw_frames_ctx.as_ref()?.data.cast::<ffi::AVHWFramesContext>();
        let device = (*(*frames).device_ctx).hwctx.cast::<ffi::AVCUDADeviceContext>();
        let planes = [0, 1].map(|plane| (*raw).data[plane] as u64);
        let pitches = [0, 1].map(|plane| u32::try_from((*raw).linesize[plane]).unwrap_or(0));
        Some(There {
            context: (*device).cuda_ctx.cast(),
            pixels: Pixel::from((*frames).sw_format),
            planes,
            pitches,
            is_whole: (*raw).crop_left == 0 && (*raw).crop_top == 0 && !planes.contains(&0),
        })
    }
}
