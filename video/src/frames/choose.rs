//! Turns the times of a clip's frames into the numbers of the frames that are wanted. Pure arithmetic.

use ffmpeg_next::Rational;

use super::plan::MOST_FRAMES;
use crate::time::{Moment, Ratio};

/// Which frames of a clip are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sampling {
    /// `n` frames spread over the clip: the middle frame of each of `n` equal parts. With fewer frames, some repeat.
    Uniform {
        /// How many.
        n: usize,
    },
    /// The first frame and every `n`th after it.
    Every {
        /// The distance, in frames.
        n: usize,
    },
    /// What is on screen at 0, 1/fps, 2/fps, ... seconds after the first frame. Frames repeat or are left out.
    Fps {
        /// Frames a second.
        fps: Ratio,
    },
    /// `n` frames, each `step` after the other; number `n / 2` is on screen at the time. Outside the clip, its first or
    /// last frame repeats.
    Around {
        /// Milliseconds after the first frame begins.
        at_ms: u64,
        /// How many.
        n: usize,
        /// The distance, in frames.
        step: usize,
    },
}

impl Sampling {
    /// How many frames it chooses of every clip that has one.
    pub(super) fn at_least(self) -> usize {
        match self {
            Sampling::Uniform { n } | Sampling::Around { n, .. } => n,
            Sampling::Every { .. } | Sampling::Fps { .. } => 1,
        }
    }
}

/// When the frames of a clip are shown, in ticks, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FrameTimes {
    pub(super) ticks: Vec<i64>,
    /// How long the last frame is shown.
    pub(super) last_ticks: i64,
}

/// The numbers of the wanted frames, from 0, never falling. Where times promise more than any tensor may have, those that are too
/// many are cut short.
pub(super) fn choose(times: &FrameTimes, base: Rational, sampling: Sampling) -> Vec<usize> {
    let count = times.ticks.len();
    match sampling {
        _ if count == 0 => Vec::new(),
        Sampling::Uniform { n } => (0..n).map(|i| (2 * i + 1) * count / (2 * n)).collect(),
        Sampling::Every { n } => (0..count).step_by(n.max(1)).collect(),
        Sampling::Fps { fps } => on_screen(times, base, fps),
        Sampling::Around { at_ms, n, step } => {
            let middle = shown_at(times, base, Moment::from_ms(at_ms));
            let of = |i: usize| (middle + i * step).saturating_sub(n / 2 * step).min(count - 1);
            (0..n).map(of).collect()
        }
    }
}

/// The last frame that does not begin after a moment.
fn shown_at(times: &FrameTimes, base: Rational, moment: Moment) -> usize {
    let first = times.ticks[0];
    times
        .ticks
        .partition_point(|&tick| Moment::from_ticks(tick.saturating_sub(first), base) <= moment)
        .saturating_sub(1)
}

fn on_screen(times: &FrameTimes, base: Rational, fps: Ratio) -> Vec<usize> {
    let first = times.ticks[0];
    let since = |tick: i64| Moment::from_ticks(tick.saturating_sub(first), base);
    let end = since(times.ticks[times.ticks.len() - 1].saturating_add(times.last_ticks.max(1)));
    let mut wanted = Vec::new();
    let mut shown = 0;
    for k in 0.. {
        let now = Moment::ratio(k * i128::from(fps.den), i128::from(fps.num.max(1)));
        if now >= end || wanted.len() > MOST_FRAMES {
            break;
        }
        // The frame on screen is the last one that does not begin after this moment.
        while times.ticks.get(shown + 1).is_some_and(|&next| since(next) <= now) {
            shown += 1;
        }
        wanted.push(shown);
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn even(count: i64) -> FrameTimes {
        FrameTimes { ticks: (0..count).map(|i| i * 2).collect(), last_ticks: 2 }
    }

    const TICK: Rational = Rational(1, 30);

    #[test]
    fn uniform_takes_the_middle_of_equal_parts() {
        assert_eq!(choose(&even(8), TICK, Sampling::Uniform { n: 4 }), [1, 3, 5, 7]);
        assert_eq!(choose(&even(30), TICK, Sampling::Uniform { n: 3 }), [5, 15, 25]);
        assert_eq!(choose(&even(9), TICK, Sampling::Uniform { n: 1 }), [4]);
    }

    #[test]
    fn uniform_repeats_frames_when_there_are_too_few() {
        assert_eq!(choose(&even(2), TICK, Sampling::Uniform { n: 4 }), [0, 0, 1, 1]);
        assert_eq!(choose(&even(1), TICK, Sampling::Uniform { n: 3 }), [0, 0, 0]);
    }

    #[test]
    fn every_third_frame_begins_with_the_first() {
        assert_eq!(choose(&even(8), TICK, Sampling::Every { n: 3 }), [0, 3, 6]);
    }

    #[test]
    fn fps_takes_what_is_on_screen() {
        // 8 frames at 15 fps last 533 ms: at 5 fps the moments are 0, 200 and 400 ms, where frames 0, 3 and 6 show.
        assert_eq!(choose(&even(8), TICK, Sampling::Fps { fps: Ratio { num: 5, den: 1 } }), [0, 3, 6]);
        // At 30 fps every frame shows twice.
        assert_eq!(choose(&even(2), TICK, Sampling::Fps { fps: Ratio { num: 30, den: 1 } }), [0, 0, 1, 1]);
    }

    #[test]
    fn fps_follows_the_times_of_uneven_frames() {
        let times = FrameTimes { ticks: vec![100, 130, 131, 160], last_ticks: 1 };
        // Moments 0, 0.5, 1, 1.5, 2 s after the first are ticks 100, 115, 130, 145 and 160.
        assert_eq!(choose(&times, TICK, Sampling::Fps { fps: Ratio { num: 2, den: 1 } }), [0, 0, 1, 2, 3]);
    }

    #[test]
    fn times_that_promise_years_do_not_fill_the_memory() {
        let times = FrameTimes { ticks: vec![0, 1 << 60], last_ticks: 1 };
        assert_eq!(choose(&times, TICK, Sampling::Fps { fps: Ratio { num: 1000, den: 1 } }).len(), MOST_FRAMES + 1);
    }

    #[test]
    fn times_as_far_apart_as_numbers_go_are_times() {
        // A frame without a time stands behind all others, here behind one that begins before 0.
        let times = FrameTimes { ticks: vec![-512, 0, i64::MAX], last_ticks: i64::MAX };
        let year = Ratio { num: 1, den: 31_536_000 };
        let chosen = choose(&times, TICK, Sampling::Fps { fps: year });
        assert_eq!((chosen[0], chosen[1], chosen.len()), (0, 1, MOST_FRAMES + 1));
        assert_eq!(choose(&times, TICK, Sampling::Around { at_ms: u64::MAX, n: 1, step: 1 }), [1]);
    }

    #[test]
    fn around_a_time_the_middle_frame_is_on_screen() {
        // Frames begin every 67 ms: at 300 ms frame 4 shows, from 267 ms on.
        let around = |at_ms, n, step| choose(&even(8), TICK, Sampling::Around { at_ms, n, step });
        assert_eq!(around(300, 1, 1), [4]);
        assert_eq!(around(300, 3, 1), [3, 4, 5]);
        assert_eq!(around(300, 4, 2), [0, 2, 4, 6]);
        assert_eq!(around(0, 3, 2), [0, 0, 2]);
        assert_eq!(around(9000, 3, 1), [6, 7, 7]);
    }

    #[test]
    fn a_clip_without_frames_gives_none() {
        assert!(choose(&even(0), TICK, Sampling::Uniform { n: 4 }).is_empty());
    }
}
