//! Sound of a source: what is wanted of it is laid aside while pictures are read.

use std::ops::Range;

use ffmpeg_next::{Packet, Rational};

use super::Source;
use crate::error::VideoError;
use crate::libav::raw;
use crate::time::Moment;

/// A track of sound that is laid aside while pictures are read.
pub(super) struct Heard {
    pub(super) index: usize,
    pub(super) base: Rational,
    pub(super) ticks: Range<i64>,
    /// Whether it was read to the end of that.
    pub(super) is_done: bool,
}

impl Source {
    /// Says which sound is wanted from now on: ticks of tracks, by their numbers.
    pub(crate) fn hear(&mut self, tracks: Vec<(usize, Range<i64>)>) {
        let base = |index: usize| self.input.stream(index).map_or(self.video.base, |stream| stream.time_base());
        let heard = tracks.into_iter().map(|(index, ticks)| Heard {
            index,
            base: base(index),
            is_done: ticks.is_empty(),
            ticks,
        });
        self.heard = heard.collect();
        if self.is_of(&["mp4"]) {
            // Tracks that nobody asked for are stepped over.
            let kept: Vec<usize> = self.heard.iter().map(|heard| heard.index).chain([self.video.index]).collect();
            let count = self.input.streams().count();
            (0..count).for_each(|index| raw::set_wanted(&mut self.input, index, kept.contains(&index)));
        }
    }

    /// The next packet of wanted sound that has been read so far.
    pub(crate) fn take_audio(&mut self) -> Option<Packet> {
        self.laid_aside.pop_front()
    }

    /// Reads the rest of the wanted sound. Files whose sound lies far behind their pictures are not read to their end.
    pub(crate) fn finish_audio(&mut self) -> Result<(), VideoError> {
        // The pictures between it are stepped over where an index tells where it lies.
        let steps_over = self.last_listed.is_some();
        if steps_over {
            raw::set_wanted(&mut self.input, self.video.index, false);
        }
        let read = self.read_sound();
        if steps_over {
            raw::set_wanted(&mut self.input, self.video.index, true);
        }
        read
    }

    fn read_sound(&mut self) -> Result<(), VideoError> {
        let patience = |heard: &Heard| {
            let end = Moment::from_ticks(heard.ticks.end, heard.base);
            end.plus(Moment::from_ms(2000)).first_tick(self.video.base)
        };
        let Some(give_up) = self.heard.iter().map(patience).max() else { return Ok(()) };
        while self.heard.iter().any(|heard| !heard.is_done) {
            let Some(packet) = self.read_on()? else { return Ok(()) };
            if packet.stream() != self.video.index {
                self.lay_aside(packet);
            } else if packet.dts().is_some_and(|dts| dts > give_up) {
                return Ok(());
            }
        }
        Ok(())
    }

    pub(super) fn lay_aside(&mut self, packet: Packet) {
        let Some(pts) = packet.pts() else { return };
        let Some(heard) = self.heard.iter_mut().find(|heard| heard.index == packet.stream()) else { return };
        heard.is_done |= pts >= heard.ticks.end;
        if heard.ticks.contains(&pts) {
            self.laid_aside.push_back(packet);
        }
    }
}
