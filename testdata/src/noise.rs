//! A film of noise, which is as long in bytes as it can be: what is read of it shows in the count of bytes.

use pipe_video::{EncodeOptions, Preset, Ratio, VideoError, Writer, WriterOptions};
use std::path::Path;

/// Frames a second, and frames from one key frame to the next.
pub const NOISE_FPS: u32 = 30;
/// As many as there are in a second.
pub const NOISE_GROUP: u32 = 30;

const WIDTH: u32 = 320;
const HEIGHT: u32 = 180;

/// Writes so many seconds of noise, without sound. The same every time.
///
/// # Errors
/// When the file cannot be written.
pub fn noise(path: &Path, seconds: u32) -> Result<(), VideoError> {
    let options = WriterOptions {
        width: WIDTH,
        height: HEIGHT,
        frame_rate: Ratio { num: NOISE_FPS, den: 1 },
        gop: NOISE_GROUP,
        b_frames: 0,
        encode: EncodeOptions { crf: 26, preset: Preset::Ultrafast },
        audio_rate: None,
        matrix: None,
        timecode: None,
    };
    let mut writer = Writer::create(path, options)?;
    let mut state = 1_u64;
    let mut plane = |length: u32| -> Vec<u8> {
        let next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as u8 / 2 + 64
        };
        std::iter::repeat_with(next).take(length as usize).collect()
    };
    for _ in 0..seconds * NOISE_FPS {
        let (y, u, v) = (plane(WIDTH * HEIGHT), plane(WIDTH * HEIGHT / 4), plane(WIDTH * HEIGHT / 4));
        writer.push_yuv420(&y, &u, &v)?;
    }
    writer.finish()
}
