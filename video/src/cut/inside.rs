//! A clip that lies inside one group of pictures, of which nothing can be copied: encoded whole, out of the group that is decoded for
//! the edges of its neighbours. Its bytes are those it has when it is read for itself.

use std::ops::Range;
use std::path::Path;

use ffmpeg_next::{Packet, Rational, frame};

use crate::cut::clip::ClipWriter;
use crate::cut::edges::{EdgeMaker, Encoded};
use crate::cut::ticks::Clock;
use crate::error::VideoError;
use crate::libav::raw;
use crate::time::Moment;

/// What is known of such a clip before its group is decoded.
pub(super) struct Inside<'a> {
    /// The times of its frames, in ticks.
    pub(super) times: Range<i64>,
    /// The end of its span.
    pub(super) end: Moment,
    pub(super) out: &'a Path,
    /// Sound that was read with the group, with the numbers of its tracks.
    pub(super) sound: &'a [(usize, Packet)],
    /// Whether that is all of it.
    pub(super) ends: bool,
}

/// Such a clip on its way. What goes wrong with it is nothing to the others of its group.
pub(super) struct Writing<'a> {
    inside: &'a Inside<'a>,
    writer: Option<Result<Box<ClipWriter>, VideoError>>,
    /// How much of the sound it was given.
    heard: usize,
}

impl<'a> Writing<'a> {
    pub(super) fn of(inside: &'a Inside<'a>) -> Self {
        Writing { inside, writer: None, heard: 0 }
    }

    /// Takes the next frame.
    pub(super) fn push(&mut self, frame: &frame::Video, time: i64, maker: &EdgeMaker<'_>) {
        let create = || {
            let from = (&maker.source, &maker.decoder);
            let first = (frame, time, self.inside.end);
            ClipWriter::create(from, maker.clock, first, maker.options, self.inside.out).map(Box::new)
        };
        let Ok(writer) = self.writer.get_or_insert_with(create) else { return };
        // Sound comes with the pictures it belongs to: who writes the file keeps only so much of one to wait for the other.
        let base = |track: usize| maker.clock.audio.get(track).map_or(maker.clock.video.base, |track| track.base);
        let is_due =
            |(track, packet): &(usize, Packet)| is_before(packet, base(*track), (time, maker.clock.video.base));
        let due = self.inside.sound[self.heard..].iter().take_while(|sound| is_due(sound));
        let due: Vec<Packet> = due.map(|(_, packet)| packet.clone()).collect();
        self.heard += due.len();
        let heard = due.into_iter().try_for_each(|packet| writer.hear(packet));
        let taken = heard.and_then(|()| writer.push(&mut raw::share(frame), maker.clock.frame_ticks));
        if let Err(error) = taken {
            self.writer = Some(Err(error));
        }
    }

    /// No more frames come: the encoder is not kept until the others of the group have theirs.
    pub(super) fn end_pictures(&mut self) {
        if let Some(Ok(writer)) = &mut self.writer
            && let Err(error) = writer.end_pictures()
        {
            self.writer = Some(Err(error));
        }
    }

    /// Completes the clip, unless sound of it is still to be read.
    pub(super) fn end(self, clock: &Clock) -> Result<Encoded, String> {
        let mut writer = self.writer.ok_or("no picture came")?.map_err(|error| error.message)?;
        let rest = self.inside.sound[self.heard..].iter();
        rest.cloned().try_for_each(|(_, packet)| writer.hear(packet)).map_err(|error| error.message)?;
        if !self.inside.ends {
            return Ok(Encoded::Clip(writer));
        }
        let report = writer.finish(clock).map_err(|error| error.message)?;
        Ok(Encoded::Whole(Box::new(report)))
    }
}

/// Whether sound begins by the time at which a picture is shown.
fn is_before(packet: &Packet, base: Rational, (time, pictures): (i64, Rational)) -> bool {
    packet.pts().is_none_or(|pts| Moment::from_ticks(pts, base) <= Moment::from_ticks(time, pictures))
}
