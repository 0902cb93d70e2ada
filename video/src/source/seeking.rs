//! Where reading of a source begins: at a key frame from which a span can be decoded, or at the front.

use std::sync::Arc;

use ffmpeg_next::frame;

use super::opened::Opened;
use super::shared::Shared;
use super::{BEGINS_ANEW, CLOCKS_BEGIN_ANEW, Source, TickSpan};
use crate::error::{VideoError, VideoErrorKind};
use crate::libav::raw;
use crate::opening::{open_decoder, open_input, open_ranges};
use crate::steady::Steady;
use crate::sure::Sure;
use crate::survey::Survey;
use crate::time::Moment;

/// Key frames by which decoding begins earlier when it failed from the last one on.
const EARLY_KEYS: usize = 2;

/// How far back the second, third, ... search for a key frame begins when the first one landed too late.
const SEEK_BACK_SECONDS: [u64; 4] = [0, 2, 10, 60];

impl Source {
    /// Goes to a key frame from which every frame of the span can be decoded.
    pub(crate) fn begin(&mut self, span: TickSpan) -> Result<(), VideoError> {
        self.aim_at(span);
        self.is_early = false;
        if self.span.video.start == i64::MIN {
            return Ok(()); // the file was opened at its beginning
        }
        let start = Moment::from_ticks(self.span.video.start, self.video.base);
        for back in SEEK_BACK_SECONDS {
            if self.goes_to(start.minus(Moment::from_ms(back * 1000)))? {
                return Ok(());
            }
        }
        self.begin_at_the_front()
    }

    /// As `begin`, a few key frames earlier: the pictures behind a key frame may name others before it.
    pub(crate) fn begin_early(&mut self, span: TickSpan) -> Result<(), VideoError> {
        self.aim_at(span);
        self.is_early = true;
        let samples = raw::samples(&self.stream());
        let keys = samples.iter().filter(|sample| sample.is_key && sample.dts <= self.span.video.start);
        let early = keys.rev().nth(EARLY_KEYS).map(|key| Moment::from_ticks(key.dts, self.video.base));
        match early {
            Some(early) if self.goes_to(early)? => Ok(()),
            _ => self.begin_at_the_front(),
        }
    }

    pub(super) fn aim_at(&mut self, span: TickSpan) {
        (self.sure, self.steady) = (None, None);
        // Whoever reads by ranges has said of an indexed file what will be needed.
        let listed = if self.ranges.is_some() { self.listed() } else { None };
        self.last_listed = listed.and_then(|samples| {
            let behind = samples.partition_point(|sample| sample.dts < span.video.end);
            samples.get(behind).and_then(|_| Some(samples.get(behind.checked_sub(1)?)?.dts))
        });
        self.span = span;
    }

    /// Goes to what a survey says must be decoded. `from_the_front`: to everything before it too. `false`: no frame of the
    /// video lies in the span.
    pub(crate) fn begin_surely(
        &mut self,
        survey: &Arc<Survey>,
        span: TickSpan,
        (from_the_front, frame_ticks): (bool, i64),
    ) -> Result<bool, VideoError> {
        (self.span, self.last_listed) = (span, None);
        if let Some(hole) = survey.hole_in(&self.span.video) {
            let (from, to) = (self.ms(hole.start), self.ms(hole.end));
            return Err(VideoError::corrupt(&self.path, format!("pictures are missing between {from} and {to} ms")));
        }
        let Some(course) = survey.course(&self.span.video, self.video.base, from_the_front) else { return Ok(false) };
        self.restart()?;
        let jumps = survey.place(course.read_from).is_some_and(|at| raw::seek_byte(&mut self.input, at));
        self.steady = Some(survey.steady_from(if jumps { course.read_from } else { 0 }));
        self.sure = Some(Sure::new(Arc::clone(survey), course, jumps, frame_ticks));
        Ok(true)
    }

    /// The last resort is the beginning of the file, also for videos that begin inside the span. A seek would not do: it
    /// goes to the first key frame that the container can name, and some can name none.
    pub(super) fn begin_at_the_front(&mut self) -> Result<(), VideoError> {
        self.reopen()?;
        self.lands_at_or_before_start().map(|_| ())
    }

    /// Goes to the first packet of the file, for a reading with one clock.
    pub(crate) fn restart(&mut self) -> Result<(), VideoError> {
        self.reopen()?;
        self.forget();
        let back = self.is_of(CLOCKS_BEGIN_ANEW).then_some(BEGINS_ANEW);
        self.steady = Some(Steady::new(self.input.streams().count(), back));
        (self.sure, self.beginning) = (None, 0);
        Ok(())
    }

    /// Goes to the first packet of the file.
    fn reopen(&mut self) -> Result<(), VideoError> {
        self.input = match &self.ranges {
            None => open_input(&self.path)?,
            Some((media, _)) => {
                let (input, guide) = open_ranges(&media.clone())?;
                self.ranges = Some((media.clone(), guide));
                input
            }
        };
        self.decoder = open_decoder(&self.input, self.video, &self.path, self.hardware.as_deref())?;
        Ok(())
    }

    /// Seeks, and says whether that led to a frame from which the span can be decoded.
    pub(super) fn goes_to(&mut self, moment: Moment) -> Result<bool, VideoError> {
        let target = moment.to_us_ceil();
        if self.input.seek(target, ..target).is_err() {
            return Ok(false);
        }
        match self.lands_at_or_before_start() {
            Err(error) if error.kind == VideoErrorKind::Corrupt => Ok(false),
            landed => landed,
        }
    }

    pub(super) fn forget(&mut self) {
        self.decoder.flush();
        self.laid_aside.clear();
        self.ahead.clear();
        self.shared.iter_mut().for_each(Shared::forget);
        (self.key_pts, self.draining, self.promised) = (None, false, 0);
        (self.first, self.trouble) = (None, None);
        (self.is_closed, self.has_all) = (false, false);
        self.opened = Opened::default();
        self.heard.iter_mut().for_each(|heard| heard.is_done = heard.ticks.is_empty());
        (self.is_at_end, self.latest) = (false, i64::MIN);
    }

    pub(super) fn lands_at_or_before_start(&mut self) -> Result<bool, VideoError> {
        self.forget();
        let mut frame = frame::Video::empty();
        if !self.next_frame(&mut frame)? {
            return Ok(false);
        }
        let lands = frame.timestamp().is_some_and(|pts| pts <= self.span.video.start);
        self.first = Some(frame);
        Ok(lands)
    }
}
