//! Decoded frames, of which some have no time -> the same frames, each with the time at which it is shown.

use std::collections::VecDeque;

use ffmpeg_next::frame;

use crate::libav::raw;
use crate::survey::Times;

/// Frames that are held until one with a time comes, at most.
const MOST_HELD: usize = 32;

/// Frames on their way, in the order in which they are shown.
pub(crate) struct Showing {
    times: Times,
    ready: VecDeque<frame::Video>,
    /// Frames behind the last that had a time.
    waiting: Vec<frame::Video>,
    /// The last time that a frame had, and the ticks from one frame to the next there.
    last: Option<i64>,
    step: i64,
    /// How many frames have come.
    pub(crate) came: u64,
}

impl Showing {
    /// `counted`: frames that are shown before the first one; `step`: ticks of a frame, until more is known.
    pub(crate) fn new(times: Times, counted: usize, step: i64) -> Self {
        let last = match times {
            Times::Counted(ticks) => i64::try_from(counted).ok().and_then(|n| (n - 1).checked_mul(ticks)),
            _ => None,
        };
        Showing { times, ready: VecDeque::new(), waiting: Vec::new(), last, step, came: 0 }
    }

    pub(crate) fn push(&mut self, frame: frame::Video) {
        self.came += 1;
        let time = match self.times {
            Times::All => frame.pts().or(frame.timestamp()),
            Times::Guessed => frame.timestamp(),
            Times::Some => frame.pts(),
            Times::Counted(ticks) => self.last.map(|last| last.saturating_add(ticks)),
        };
        match time {
            Some(time) => self.settle(frame, time),
            None => self.waiting.push(frame),
        }
        if self.waiting.len() > MOST_HELD {
            self.finish();
        }
    }

    pub(crate) fn pop(&mut self) -> Option<frame::Video> {
        self.ready.pop_front()
    }

    pub(crate) fn has_more(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Shows the frames behind the last that had a time as far from one another as those before.
    pub(crate) fn finish(&mut self) {
        for mut frame in std::mem::take(&mut self.waiting) {
            let time = self.last.map_or(0, |last| last.saturating_add(self.step));
            raw::set_time(&mut frame, time);
            self.last = Some(time);
            self.ready.push_back(frame);
        }
    }

    /// A frame has a time, so those before it that have none are shown evenly between it and the last that had one.
    fn settle(&mut self, mut frame: frame::Video, time: i64) {
        let parts = i64::try_from(self.waiting.len()).unwrap_or(i64::MAX - 1) + 1;
        let from = self.last.unwrap_or_else(|| time.saturating_sub(self.step.saturating_mul(parts)));
        let between = time.saturating_sub(from);
        if between > 0 && self.times == Times::Some {
            self.step = between.saturating_add(parts / 2) / parts;
        }
        for (mut held, part) in std::mem::take(&mut self.waiting).into_iter().zip(1..) {
            raw::set_time(&mut held, from.saturating_add(between.saturating_mul(part) / parts));
            self.ready.push_back(held);
        }
        raw::set_time(&mut frame, time);
        self.last = Some(time);
        self.ready.push_back(frame);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(times: Times, counted: usize, given: &[Option<i64>]) -> Vec<Option<i64>> {
        let mut showing = Showing::new(times, counted, 10);
        for time in given {
            let mut frame = frame::Video::empty();
            frame.set_pts(*time);
            showing.push(frame);
        }
        showing.finish();
        std::iter::from_fn(|| showing.pop()).map(|frame| frame.timestamp()).collect()
    }

    #[test]
    fn frames_without_a_time_are_shown_evenly_between_those_that_have_one() {
        let given = [None, Some(100), None, None, Some(190), None];
        assert_eq!(shown(Times::Some, 0, &given), [90, 100, 130, 160, 190, 220].map(Some));
    }

    #[test]
    fn frames_of_a_stream_without_times_are_counted() {
        assert_eq!(shown(Times::Counted(40), 3, &[None, None, None]), [120, 160, 200].map(Some));
        assert_eq!(shown(Times::Counted(40), 0, &[None, None]), [0, 40].map(Some));
    }
}
