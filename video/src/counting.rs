//! A video's index -> at which moment its nth frame is shown, where frames come at one rate, and when the video ends.

use crate::error::VideoError;
use crate::libav::raw;
use crate::media::Media;
use crate::source::Source;
use crate::time::{Exact, Moment, Ratio};
use crate::timecode::Timecode;

use ffmpeg_next::{Rational, ffi};

/// How the frames of a video can be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counting {
    /// When the first frame is shown, on the clock that players show.
    pub first: Exact,
    /// Frames a second. `None`: they do not come at one rate, so that a number is no moment.
    pub rate: Option<Ratio>,
    /// When the last frame is over, as the index states it. `None`: it states nothing.
    pub end: Option<Exact>,
    /// The timecode of the first frame. `None`: the video carries none.
    pub timecode: Option<Timecode>,
}

/// Reads from a video's index how its frames can be counted. The pictures themselves are not read.
///
/// # Errors
/// As `probe`.
pub fn counting(media: &Media) -> Result<Counting, VideoError> {
    let source = media.open()?;
    let start = source.stream().start_time();
    let start = if start == ffi::AV_NOPTS_VALUE { 0 } else { start };
    let first = Moment::from_ticks(start, source.video().base).minus(source.origin());
    Ok(Counting {
        first: Exact::of(first),
        rate: rate_of(&source),
        end: source.stated_end().map(Exact::of),
        timecode: timecode_of(&source),
    })
}

/// The timecode that the video starts with: that of its pictures, which FFmpeg takes from the timecode track of an MP4 or MOV, or
/// that of the whole file, as in MXF.
fn timecode_of(source: &Source) -> Option<Timecode> {
    let of_pictures = source.stream().metadata().get("timecode").map(str::to_owned);
    let told = of_pictures.or_else(|| source.input().metadata().get("timecode").map(str::to_owned));
    told?.parse().ok()
}

/// The rate that every frame of the index keeps to within a tick; without an index, the one that the container states
/// twice, for the frames as they are and on average.
fn rate_of(source: &Source) -> Option<Ratio> {
    let stream = source.stream();
    let stated = [stream.rate(), stream.avg_frame_rate()];
    let samples: Vec<i64> = raw::samples(&stream).iter().map(|sample| sample.dts).collect();
    let is_listed = samples.len() > 1 && i64::try_from(samples.len()) == Ok(stream.frames());
    let rate = if is_listed {
        stated.into_iter().find(|rate| keeps_to(*rate, &samples, source.video().base))
    } else {
        stated.into_iter().next().filter(|rate| agree(*rate, stated[1]))
    };
    rate.and_then(Ratio::from_libav)
}

fn keeps_to(rate: Rational, samples: &[i64], base: Rational) -> bool {
    if rate.numerator() <= 0 || rate.denominator() <= 0 {
        return false;
    }
    (0_i64..).zip(samples).all(|(number, &tick)| {
        let due = Moment::from_ticks(number, rate.invert()).first_tick(base);
        (tick - samples[0]).abs_diff(due) <= 1
    })
}

/// Whether two rates are the same but for what rounding does to an average.
fn agree(a: Rational, b: Rational) -> bool {
    let value = |rate: Rational| f64::from(rate.numerator()) / f64::from(rate.denominator());
    a.numerator() > 0 && b.numerator() > 0 && (value(a) / value(b) - 1.0).abs() < 0.001
}
