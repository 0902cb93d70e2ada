//! What became of a clip: its true ends, and what of it was copied.

use std::ops::Range;

use crate::cut::CutMode;
use crate::time::{Exact, Ratio};

/// A clip that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutReport {
    /// How it was cut, which may be another way than was asked for.
    pub mode: CutMode,
    /// Why it was cut another way. Empty when it was cut as asked.
    pub why: String,
    /// FFmpeg's name of the codec of its pictures, such as `h264`.
    pub codec: String,
    /// FFmpeg's name of the encoder of those that were encoded, such as `libx264`. Empty when none was.
    pub encoder: String,
    /// How many frames are in it.
    pub frames: u64,
    /// How many of them are the source's own bytes.
    pub frames_copied: u64,
    /// How many of them were encoded.
    pub frames_encoded: u64,
    /// The first frame's time, on the clock that players show.
    pub start: Exact,
    /// The end of the last frame, on the same clock.
    pub end: Exact,
    /// Seconds of one tick of the source's pictures.
    pub time_base: Ratio,
    /// The first frame's time in these ticks, on the file's own clock.
    pub start_ticks: i64,
    /// The end of the last frame in these ticks, on the file's own clock.
    pub end_ticks: i64,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Milliseconds on the video's clock of the clip's first frame, rounded to the nearest.
    pub first_frame_ms: u64,
    /// Milliseconds on the video's clock of the clip's last frame, rounded to the nearest.
    pub last_frame_ms: u64,
    /// Milliseconds from the first frame to the end of the last one, rounded to the nearest.
    pub duration_ms: u64,
    /// How many packets of sound there are, copied or encoded, in all its tracks.
    pub audio_packets: u64,
    /// The bytes of the source that it was made from, besides the index; none where the source has no table of samples.
    pub ranges: Vec<Range<u64>>,
}
