//! How this crate stands on FFmpeg: quiet, through paths that are files and nothing else.

pub(crate) mod raw;

use std::path::Path;
use std::sync::Once;

use ffmpeg_next::{self as ffmpeg, util::log};

use crate::error::VideoError;

static READY: Once = Once::new();

/// Gets FFmpeg ready, once in a process. Its log is silenced: what it has to say reaches callers in errors.
pub(crate) fn prepare() {
    READY.call_once(|| {
        log::set_level(log::Level::Quiet);
        raw::count_complaints();
        // Only old FFmpeg had anything to register; since 4.0 this cannot fail.
        let _ = ffmpeg::init();
    });
}

/// The path as FFmpeg takes it. The `file:` in front keeps names with a colon from being read as a protocol.
pub(crate) fn file_url(path: &Path) -> Result<String, VideoError> {
    match path.to_str() {
        Some(text) if !text.contains('\0') => Ok(format!("file:{text}")),
        _ => Err(VideoError::io(path, "opening", "the path is not UTF-8 text")),
    }
}

/// How many errors FFmpeg has logged on this thread so far. A demuxer that finds damage goes on behind it, and this is all
/// that it has to say.
pub(crate) fn complaints() -> u64 {
    raw::COMPLAINTS.get()
}

/// Whether FFmpeg says "not now": it wants more input, or has output waiting.
pub(crate) fn is_again(error: &ffmpeg::Error) -> bool {
    matches!(error, ffmpeg::Error::Other { errno } if *errno == ffmpeg::error::EAGAIN)
}
