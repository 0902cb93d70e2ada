//! What clips want of the sound of a source whose index lists its packets, and when they have it.

use std::ops::Range;

use crate::cut::ticks::Clock;
use crate::libav::raw;
use crate::source::Source;
use crate::time::Stretch;

/// What a clip wants of a track of sound.
pub(super) struct Heard {
    pub(super) index: usize,
    pub(super) ticks: Range<i64>,
    /// The last packet of it that the index lists.
    last: Option<i64>,
}

/// The packets that the index lists of each track of sound.
pub(super) struct Listed(Vec<Vec<raw::Sample>>);

impl Listed {
    pub(super) fn of(source: &Source, clock: &Clock) -> Self {
        let listed = |index| source.input().stream(index).map_or_else(Vec::new, |stream| raw::samples(&stream));
        Listed(clock.audio.iter().map(|track| listed(track.index)).collect())
    }

    /// What a clip wants of each track.
    pub(super) fn heard(&self, clock: &Clock, span: Stretch) -> Vec<Heard> {
        let tracks = clock.audio.iter().zip(&self.0).map(|(track, samples)| {
            let ticks = clock.heard(span, track);
            let before = &samples[..samples.partition_point(|sample| sample.dts < ticks.end)];
            let last = before.last().map(|sample| sample.dts).filter(|dts| *dts >= ticks.start);
            Heard { index: track.index, ticks, last }
        });
        tracks.collect()
    }
}

impl Heard {
    /// Whether the clip has all of it when the track was read up to the packet with this time.
    pub(super) fn has_all(&self, until: i64) -> bool {
        self.last.is_none_or(|last| last <= until)
    }
}
