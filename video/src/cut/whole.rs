//! Cuts a clip of which every frame is encoded anew: out of anything that can be decoded.

use std::path::Path;
use std::sync::Arc;

use ffmpeg_next::frame;

use crate::cut::CutOptions;
use crate::cut::clip::ClipWriter;
use crate::cut::report::CutReport;
use crate::cut::ticks::{Clock, out_of_range};
use crate::error::VideoError;
use crate::source::{Source, TickSpan};
use crate::survey::Survey;
use crate::time::Stretch;

/// Writes the frames whose time lies in `[start_ms, end_ms)` to `out`, which is replaced, and removed on error.
///
/// The first frame's time becomes 0 and the distances between frames stay as they are. Sound is copied in whole
/// packets, so it begins and ends within one packet of the pictures. The same input gives the same bytes.
///
/// # Errors
/// `OutOfRange` when the span begins after the video's end, ends more than one frame after it, or holds no frame;
/// `Corrupt` when a picture of the span cannot be decoded; `Io` and `Encoder` when the clip cannot be written.
pub(super) fn cut_whole(
    source: &mut Source,
    clock: &Clock,
    options: &CutOptions,
    (span, way): (Stretch, &Way),
    out: &Path,
) -> Result<CutReport, VideoError> {
    Whole { source, clock, options, span, way }.cut(out)
}

/// How the frames of a clip are come by, each surer and dearer than the one before.
pub(super) enum Way {
    /// A seek to the key frame before the clip.
    Seek,
    /// A seek to one that lies further back, for groups of pictures that need those before them.
    EarlierSeek,
    /// The packets that a survey of the whole file lists.
    Survey(Arc<Survey>),
    /// The same, and everything is decoded from the file's first picture on.
    FromTheFront(Arc<Survey>),
}

struct Whole<'a> {
    source: &'a mut Source,
    clock: &'a Clock,
    options: &'a CutOptions,
    span: Stretch,
    way: &'a Way,
}

impl Whole<'_> {
    fn cut(&mut self, out: &Path) -> Result<CutReport, VideoError> {
        let ticks = self.ticks();
        self.source
            .hear(self.clock.audio.iter().map(|track| (track.index, self.clock.heard(self.span, track))).collect());
        self.begin(ticks.clone())?;
        let mut frame = frame::Video::empty();
        let first = self.first_frame(&ticks, &mut frame)?.ok_or_else(|| self.no_frame())?;
        let from = (&*self.source, self.source.decoder());
        let mut clip = ClipWriter::create(from, self.clock, (&frame, first, self.span.end), self.options, out)?;
        self.copy_pictures(&mut clip, frame, &ticks)?;
        clip.end_pictures()?;
        self.source.finish_audio()?;
        copy_audio(&mut clip, self.source)?;
        clip.finish(self.clock)
    }

    fn begin(&mut self, ticks: TickSpan) -> Result<(), VideoError> {
        self.source.be_wary();
        let (survey, from_the_front) = match self.way {
            Way::Seek => return self.source.begin(ticks),
            Way::EarlierSeek => return self.source.begin_early(ticks),
            Way::Survey(survey) => (survey, false),
            Way::FromTheFront(survey) => (survey, true),
        };
        self.check_reaches(survey.end(), ticks.video.end)?;
        let is_there = self.source.begin_surely(survey, ticks, (from_the_front, self.clock.frame_ticks))?;
        if is_there { Ok(()) } else { Err(self.no_frame()) }
    }

    /// Decodes up to the first frame of the span and returns its time. `None`: there is none.
    fn first_frame(&mut self, ticks: &TickSpan, frame: &mut frame::Video) -> Result<Option<i64>, VideoError> {
        while self.source.next_frame(frame)? {
            match frame.timestamp() {
                Some(pts) if pts >= ticks.video.end => return Ok(None),
                Some(pts) if pts >= ticks.video.start => return Ok(Some(pts)),
                _ => {}
            }
        }
        // A span without a frame is an answer; a span whose frames were all lost is not.
        self.source.check_promise(0, frame)?;
        self.source.knows_all(frame.is_interlaced())?;
        Ok(None)
    }

    /// Encodes the first frame and all others of the span.
    fn copy_pictures(
        &mut self,
        clip: &mut ClipWriter,
        mut frame: frame::Video,
        ticks: &TickSpan,
    ) -> Result<(), VideoError> {
        let mut more = true;
        while more && frame.timestamp().is_some_and(|pts| pts < ticks.video.end) {
            self.check_whole(&frame)?;
            clip.push(&mut frame, self.clock.frame_ticks)?;
            copy_audio(clip, self.source)?;
            more = self.source.next_frame(&mut frame)?;
        }
        self.source.check_promise(clip.taken(), &frame)?;
        if !self.source.knows_all(frame.is_interlaced())? {
            if !more && !self.source.has_all() {
                self.check_reaches(clip.shown_until(), ticks.video.end)?;
            }
            self.check_end()?;
        }
        Ok(())
    }

    fn ticks(&self) -> TickSpan {
        TickSpan { video: self.clock.ticks(self.span, self.clock.video.base) }
    }

    fn check_whole(&self, frame: &frame::Video) -> Result<(), VideoError> {
        if frame.is_corrupt() || frame.has_decode_errors() {
            let at = self.source.ms(frame.timestamp().unwrap_or(0));
            return Err(VideoError::corrupt(self.source.path(), format!("the picture at {at} ms is damaged")));
        }
        Ok(())
    }

    /// The pictures may end before the index says so: a download that stopped leaves such files.
    fn check_reaches(&self, stop: i64, end: i64) -> Result<(), VideoError> {
        if stop + self.clock.frame_ticks >= end {
            return Ok(());
        }
        let (stop, until) = (self.source.ms(stop), self.span.end.to_ms());
        let message = format!("the pictures stop at {stop} ms, before the {until} ms the play needs");
        Err(VideoError::corrupt(self.source.path(), message))
    }

    /// A seek cannot tell what is missing at the end of a file that was cut off.
    fn check_end(&self) -> Result<(), VideoError> {
        if matches!(self.way, Way::Seek) && self.source.is_cut_off(self.clock.frame_ticks) {
            return Err(VideoError::corrupt(self.source.path(), "the file ends within the play"));
        }
        Ok(())
    }

    fn no_frame(&self) -> VideoError {
        let end = self.source.stated_end();
        out_of_range(self.source, self.span, end, "no frame of the video lies inside the play")
    }
}

/// Gives a clip the sound that was read so far.
fn copy_audio(clip: &mut ClipWriter, source: &mut Source) -> Result<(), VideoError> {
    while let Some(packet) = source.take_audio() {
        clip.hear(packet)?;
    }
    Ok(())
}
