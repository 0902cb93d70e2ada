//! The index of a source that can be joined -> of which clips something can be copied, and which of the others lie in groups of
//! pictures that are read for these.

use std::ops::Range;

use ffmpeg_next::ffi;

use crate::cut::CutMode;
use crate::cut::batch::Place;
use crate::cut::feed::Want;
use crate::cut::gate::Joinable;
use crate::cut::route::{key_before, most_reordered};
use crate::cut::ticks::Clock;
use crate::libav::raw;
use crate::source::Source;

/// What is done with a clip's groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// They are copied, as far as that can be.
    Copied,
    /// Nothing can be copied, and some are read for others as well: the clip is encoded out of them.
    Shared,
    /// Nothing can be copied, and nobody else needs them.
    Left,
    /// The first of them is open, so that nothing is copied.
    Open,
}

impl Use {
    /// Whether they are read for the clip to be joined.
    pub(super) fn is_read(self) -> bool {
        matches!(self, Use::Copied | Use::Shared)
    }
}

/// What is done with the groups of each clip. `places`: where each clip of the plan lies; empty where nothing can be shared.
pub(super) fn uses(
    source: &Source,
    (clock, joinable): (&Clock, &Joinable),
    mode: CutMode,
    (wants, places): (&[Want], &[Place]),
) -> Vec<Use> {
    let open = begin_open(source, wants);
    if mode != CutMode::Smart {
        return open.into_iter().map(|is_open| if is_open { Use::Open } else { Use::Copied }).collect();
    }
    let late = delay_of_keys(source, clock.frame_ticks, &joinable.dts)
        .unwrap_or_else(|| 0..longest(&joinable.dts, most_reordered(source), clock.frame_ticks));
    let may_copy: Vec<bool> = wants.iter().map(|want| holds_key(&joinable.keys, &late, &want.ticks)).collect();
    let place = |want: &Want| places.get(want.clip).map(|place| place.pictures.clone());
    let all = || wants.iter().zip(may_copy.iter().zip(&open));
    let copied = all().filter(|(_, (may_copy, is_open))| **may_copy && !**is_open);
    let read = Read::of(copied.filter_map(|(want, _)| place(want)).collect());
    let of_want = |(want, (may_copy, is_open)): (&Want, (&bool, &bool))| match place(want) {
        _ if *may_copy && *is_open => Use::Open,
        _ if *may_copy => Use::Copied,
        Some(pictures) if !is_open && read.has_some_of(&pictures) => Use::Shared,
        _ => Use::Left,
    };
    all().map(of_want).collect()
}

/// Whether the key frame before each clip begins an open group. Where all groups are closed, one look tells.
fn begin_open(source: &Source, wants: &[Want]) -> Vec<bool> {
    if !source.has_open_groups() {
        return vec![false; wants.len()];
    }
    let (pictures, late) = (raw::samples(&source.stream()), most_reordered(source));
    let key = |want: &Want| pictures.get(key_before(&pictures, want.ticks.start, late));
    wants.iter().map(|want| key(want).is_some_and(|key| source.begins_open(key))).collect()
}

/// The longest that it takes until so many more pictures are decoded. At an uneven rate that is more than their number says.
fn longest(dts: &[i64], pictures: usize, frame_ticks: i64) -> i64 {
    let evenly = frame_ticks.saturating_mul(i64::try_from(pictures).unwrap_or(i64::MAX));
    dts.windows(pictures + 1).map(|some| some[pictures] - some[0]).fold(evenly, i64::max)
}

/// Whether a key frame may lie inside a clip, as far as the index tells: it says when pictures are decoded.
fn holds_key(keys: &[i64], late: &Range<i64>, ticks: &Range<i64>) -> bool {
    let from = keys.partition_point(|&key| key.saturating_add(late.end) < ticks.start);
    keys.get(from).is_some_and(|&key| key.saturating_add(late.start) < ticks.end)
}

/// The pictures that are read for some clips: by where they begin, and how far those that begin by then reach.
struct Read(Vec<(usize, usize)>);

impl Read {
    fn of(mut ranges: Vec<Range<usize>>) -> Self {
        ranges.sort_by_key(|range| range.start);
        let mut reach = 0;
        let reached = |range: Range<usize>| {
            reach = reach.max(range.end);
            (range.start, reach)
        };
        Read(ranges.into_iter().map(reached).collect())
    }

    fn has_some_of(&self, pictures: &Range<usize>) -> bool {
        let before = self.0.partition_point(|(start, _)| *start < pictures.end);
        before.checked_sub(1).is_some_and(|last| self.0[last].1 > pictures.start)
    }
}

/// By how much key frames are shown later than they are decoded, at least and at most, where pictures come at one rate: then it is
/// the same for all of them as for the first, but for what rounding does. Its time is known, and of the others the index tells when
/// they are decoded. Where the first is late by another number of pictures than the stream says, one may be hidden before it.
fn delay_of_keys(source: &Source, frame_ticks: i64, dts: &[i64]) -> Option<Range<i64>> {
    let steps = || dts.windows(2).map(|two| two[1] - two[0]);
    let rounding = steps().max()? - steps().min()?;
    let shown = Some(source.stream().start_time()).filter(|start| *start != ffi::AV_NOPTS_VALUE)?;
    let stated = frame_ticks.saturating_mul(i64::try_from(most_reordered(source)).ok()?);
    let delay = shown.checked_sub(*dts.first()?)?;
    (rounding <= 1 && (delay - stated).abs() <= rounding).then_some(())?;
    Some(delay - rounding..delay + rounding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_shared_with_any_range_that_has_some_of_them() {
        let read = Read::of(vec![40..50, 0..30, 5..10]);
        let shared = [12..14, 0..1, 29..31, 30..40, 39..41, 49..60, 50..60].map(|pictures| read.has_some_of(&pictures));
        assert_eq!(shared, [true, true, true, false, true, true, false]);
        assert!(!Read::of(Vec::new()).has_some_of(&(0..9)));
    }

    #[test]
    fn so_many_pictures_take_as_long_as_where_they_come_slowest() {
        assert_eq!(longest(&[0, 10, 20, 50, 90, 100], 2, 10), 70);
        assert_eq!(longest(&[0, 10], 2, 10), 20);
    }

    #[test]
    fn a_key_frame_may_lie_in_a_clip_by_as_much_as_it_may_be_late() {
        let holds = |ticks: Range<i64>| holds_key(&[0, 60, 120], &(1..2), &ticks);
        assert_eq!([61..90, 62..90, 63..90, 10..61, 10..62].map(holds), [true, true, false, false, true]);
    }
}
