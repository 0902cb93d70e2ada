//! A survey and a span -> which packets go into the decoder, and whether the frames that come out are those it told of.
//! Packets are counted and not looked for by their times, which may be missing or wrong.

use std::sync::Arc;

use ffmpeg_next::{Packet, frame};

use crate::libav::raw;
use crate::showing::Showing;
use crate::survey::{Course, Survey, Times};

/// Packets that reading may begin with before one comes that the survey knows.
const MOST_STRANGERS: usize = 3;

/// Reading by a survey.
pub(crate) struct Sure {
    survey: Arc<Survey>,
    course: Course,
    /// The number of the next packet of pictures. `None`: it is told by the next one.
    next: Option<usize>,
    /// Packets that were not known when reading began.
    strangers: usize,
    showing: Showing,
    /// Packets that went into the decoder and are to be seen.
    sent: u64,
    /// How many of the expected times have come, and whether another came.
    seen: usize,
    is_strange: bool,
}

/// Where a packet of pictures lies, seen from what is to be decoded.
pub(crate) enum Place {
    Before,
    Inside,
    Behind,
}

impl Sure {
    /// `jumps`: reading begins at the course's first packet, and not at the file's.
    pub(crate) fn new(survey: Arc<Survey>, course: Course, jumps: bool, frame_ticks: i64) -> Self {
        let showing = Showing::new(course.times, course.decode_from, frame_ticks);
        let next = (!jumps).then_some(0);
        Sure { survey, course, next, strangers: 0, showing, sent: 0, seen: 0, is_strange: false }
    }

    /// Where a packet lies, which gets the time that the survey knows. `None`: it is not known where reading is. `held`: pictures that
    /// the decoder keeps back before it shows one.
    pub(crate) fn place(&mut self, packet: &mut Packet, held: usize) -> Option<Place> {
        let number = match self.next {
            Some(number) => number,
            None => match self.survey.number(packet, self.course.read_from) {
                Some(number) if number <= self.course.decode_from => number,
                // The container gives half a packet first at times, but not more.
                None if self.strangers < MOST_STRANGERS => {
                    self.strangers += 1;
                    return Some(Place::Before);
                }
                _ => return None,
            },
        };
        self.next = Some(number + 1);
        if number < self.course.decode_from {
            return Some(Place::Before);
        }
        if number > self.last(held) {
            return Some(Place::Behind);
        }
        packet.set_pts(self.survey.time(number));
        self.sent += u64::from(!raw::is_hidden(packet));
        Some(Place::Inside)
    }

    /// Whether the packet that was placed last is one that the span needs.
    pub(crate) fn is_wanted(&self) -> bool {
        self.next.is_some_and(|next| next <= self.course.wanted.saturating_add(1) || self.course.expected.is_none())
    }

    /// The last packet that goes in. Where pictures are counted, one is shown before at most as many that were decoded earlier
    /// as the decoder holds back; what lies behind those may be damaged as it likes.
    fn last(&self, held: usize) -> usize {
        if self.counts() { self.course.last.min(self.course.wanted.saturating_add(held)) } else { self.course.last }
    }

    /// Whether times are counted, so that every picture up to the span matters.
    pub(crate) fn counts(&self) -> bool {
        matches!(self.course.times, Times::Counted(_))
    }

    /// The next frame that has its time.
    pub(crate) fn shown(&mut self) -> Option<frame::Video> {
        let frame = self.showing.pop()?;
        let time = frame.timestamp();
        if let (Some(expected), Some(time)) = (&self.course.expected, time)
            && self.course.span.contains(&time)
        {
            self.is_strange |= expected.get(self.seen) != Some(&time);
            self.seen += 1;
        }
        Some(frame)
    }

    /// A frame has come out of the decoder.
    pub(crate) fn take(&mut self, frame: frame::Video) {
        self.showing.push(frame);
    }

    /// Whether the survey knew the time of every picture of the span.
    pub(crate) fn knows_all(&self) -> bool {
        self.course.expected.is_some()
    }

    /// No more frames come out of the decoder. `false`: none is left either.
    pub(crate) fn ends(&mut self) -> bool {
        self.showing.finish();
        self.showing.has_more()
    }

    /// Whether what came is what the survey told of.
    pub(crate) fn is_right(&self) -> bool {
        match &self.course.expected {
            Some(expected) => !self.is_strange && self.seen == expected.len(),
            None => !self.course.is_closed || self.showing.came >= self.sent,
        }
    }
}
