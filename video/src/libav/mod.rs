//! How this crate stands on FFmpeg: quiet, through paths that are files and nothing else.

pub(crate) mod hardware;
pub(crate) mod raw;

use std::hint::black_box;
use std::path::Path;
use std::sync::Once;

use ffmpeg_next::{self as ffmpeg, util::log};

use crate::error::VideoError;

/// More than anybody wants at once for a picture. The most is 5.1, by x264 for what it knows of its blocks.
const BYTES_A_PIXEL: u64 = 8;
/// Less than this there always is.
const LEAST_ROOM: usize = 1 << 20;

static READY: Once = Once::new();

/// The most memory that FFmpeg gets at once. A plane of the largest picture that is decoded takes 272 MiB at 16 bits, and the
/// index of twenty hours at 60 frames a second 100 MiB. A file that claims more is refused memory before any is used.
const MOST_AT_ONCE: usize = 512 << 20;

/// Blocks of memory of at least so much go back to the system when they are freed: those of an encoder, which has some thirty of 8
/// to 14 MB at 1080p and frees them with every clip. A decoder's pictures are smaller, and so is what is made anew for every picture.
const LARGE: i32 = 4 << 20;
/// What of smaller blocks is kept for others.
const KEPT: i32 = 64 << 20;

/// Gets FFmpeg ready, once in a process. Its log is silenced: what it has to say reaches callers in errors.
pub(crate) fn prepare() {
    READY.call_once(|| {
        log::set_level(log::Level::Quiet);
        raw::count_complaints();
        raw::limit_allocations(MOST_AT_ONCE);
        raw::give_back_blocks_of(LARGE, KEPT);
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

/// How many of them say only that a picture of H.264 had one let go that was not there.
pub(crate) fn let_go() -> u64 {
    raw::LET_GO.get()
}

/// Whether there is memory for another picture of this size. Some decoders call a picture damaged that they got no memory for,
/// and x264 says nothing at all; one that fails for another reason leaves room for others.
pub(crate) fn has_room(width: u32, height: u32) -> bool {
    let bytes = (u64::from(width) * u64::from(height)).saturating_mul(BYTES_A_PIXEL);
    let mut room: Vec<u8> = Vec::new();
    let is_there = room.try_reserve_exact(usize::try_from(bytes).unwrap_or(usize::MAX).max(LEAST_ROOM)).is_ok();
    // Memory that nobody looks at need not be taken at all.
    black_box(room);
    is_there
}

/// Whether FFmpeg says "not now": it wants more input, or has output waiting.
pub(crate) fn is_again(error: &ffmpeg::Error) -> bool {
    matches!(error, ffmpeg::Error::Other { errno } if *errno == ffmpeg::error::EAGAIN)
}
