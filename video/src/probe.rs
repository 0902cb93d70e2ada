//! Turns a file's index into the facts a person or a plan asks for; the pictures themselves are not read.

use std::path::Path;

use ffmpeg_next::codec::decoder;
use ffmpeg_next::format::stream::Stream;

use crate::error::VideoError;
use crate::libav::raw;
use crate::source::Source;
use crate::time::{Moment, Ratio};

/// What a video's index says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoInfo {
    /// FFmpeg's name of the codec, such as `h264`.
    pub codec: String,
    /// Width of a coded picture in pixels.
    pub width: u32,
    /// Height of a coded picture in pixels.
    pub height: u32,
    /// Degrees by which players turn the pictures clockwise: 0, 90, 180 or 270.
    pub rotation: u16,
    /// Frames a second, on average. `None`: the file does not say.
    pub frame_rate: Option<Ratio>,
    /// Seconds of one tick of the video stream.
    pub time_base: Ratio,
    /// Milliseconds on the file's own clock that players show as 0:00.
    pub start_ms: u64,
    /// Milliseconds from 0:00 to the end of the last frame. `None`: the file does not say.
    pub duration_ms: Option<u64>,
    /// Whether there is sound.
    pub has_audio: bool,
}

/// Reads what a video's index says.
///
/// # Errors
/// `NotAVideo` for files that are none, are empty or have lost their index; `NoVideoStream`; `Unsupported` when
/// the codec has no decoder; `Io`.
pub fn probe(path: &Path) -> Result<VideoInfo, VideoError> {
    let source = Source::open(path)?;
    let stream = source.input().stream(source.video().index).expect("the source was opened with this stream");
    let (width, height) = raw::coded_size(&stream);
    let one_tick = Ratio::from_libav(source.video().base);
    Ok(VideoInfo {
        codec: decoder::find(stream.parameters().id()).map_or("unknown".into(), |codec| codec.name().to_owned()),
        width,
        height,
        rotation: rotation_of(&stream),
        frame_rate: Ratio::from_libav(stream.avg_frame_rate()).or_else(|| Ratio::from_libav(stream.rate())),
        time_base: one_tick.ok_or_else(|| VideoError::unsupported(path, "the video stream has no time base"))?,
        start_ms: source.origin().to_ms(),
        duration_ms: source.stated_end().map(Moment::to_ms),
        has_audio: source.audio().is_some(),
    })
}

fn rotation_of(stream: &Stream<'_>) -> u16 {
    let Some(matrix) = raw::display_matrix(stream) else { return 0 };
    let cell = |i: usize| matrix.get(i * 4..i * 4 + 4).map_or(0, |b| i32::from_ne_bytes([b[0], b[1], b[2], b[3]]));
    // The matrix is [a b u; c d v; x y w]; a quarter turn has its whole weight in b (and c) or in a (and d).
    match (cell(0).signum(), cell(1).signum()) {
        (0, 1) => 90,
        (-1, 0) => 180,
        (0, -1) => 270,
        _ => 0,
    }
}
