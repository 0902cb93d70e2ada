//! Says which bytes of a source clips will need, from the samples its index lists.

use std::ops::Range;
use std::path::PathBuf;

use crate::cut::feed::Want;
use crate::cut::ticks::Clock;
use crate::libav::raw::{self, Sample};
use crate::ranges::merged;
use crate::source::Source;
use crate::time::Stretch;

/// Pictures by which one is taken to be shown later than it is decoded, at most, whatever the stream says of itself.
const MOST_REORDERED: usize = 20;

/// The bytes of every clip's pictures, from its key frame on, and of its sound.
pub(super) fn route<'a>(source: &Source, clock: &Clock, wants: impl Iterator<Item = &'a Want>) -> Vec<Range<u64>> {
    routes(source, clock, wants).into_iter().flatten().collect()
}

/// The bytes of each of these clips of all by itself, those that lie close together as one. None where the index does not list
/// every picture.
pub(super) fn ranges(
    source: &Source,
    clock: &Clock,
    clips: &[(Stretch, PathBuf)],
    inside: &[usize],
) -> Vec<Vec<Range<u64>>> {
    let mut ranges = vec![Vec::new(); clips.len()];
    let listed = raw::samples(&source.stream()).len();
    if usize::try_from(source.stream().frames()).is_ok_and(|frames| frames > 0 && frames == listed) {
        let wants: Vec<Want> = inside.iter().map(|&clip| Want::of(clip, clips[clip].0, clock)).collect();
        for (clip, found) in inside.iter().zip(routes(source, clock, wants.iter())) {
            ranges[*clip] = merged(found);
        }
    }
    ranges
}

/// As `route`, for each clip by itself.
fn routes<'a>(source: &Source, clock: &Clock, wants: impl Iterator<Item = &'a Want>) -> Vec<Vec<Range<u64>>> {
    let pictures = raw::samples(&source.stream());
    let sound: Vec<Vec<Sample>> = clock
        .audio
        .iter()
        .map(|track| source.input().stream(track.index).map_or_else(Vec::new, |stream| raw::samples(&stream)))
        .collect();
    let late = most_reordered(source);
    let of_clip = |want: &Want| {
        let mut ranges = Vec::new();
        // A key frame that is decoded just before the clip's start may be shown after it; then it is the one before. It is
        // shown when so many more pictures are decoded, at the latest.
        let decoded = pictures.partition_point(|sample| sample.dts <= want.ticks.start);
        let shown = decoded.saturating_sub(late);
        let key = pictures[..shown].iter().rposition(|sample| sample.is_key).unwrap_or(0);
        let begins = pictures.get(key).map_or(want.ticks.start, |sample| sample.dts);
        add(&mut ranges, &pictures, begins..want.ticks.end);
        for ((track, samples), asked) in clock.audio.iter().zip(&sound).zip(&want.audio) {
            add(&mut ranges, samples, clock.tick_in(begins, track.base)..asked.end);
        }
        ranges
    };
    wants.map(of_clip).collect()
}

/// Pictures by which one is shown later than it is decoded, at most.
pub(super) fn most_reordered(source: &Source) -> usize {
    raw::reordered(&source.stream()).min(MOST_REORDERED)
}

/// Adds the samples from the last one that begins by the range's start to the first one behind its end: that one is
/// read too, to see that it is behind.
fn add(ranges: &mut Vec<Range<u64>>, samples: &[Sample], ticks: Range<i64>) {
    let from = samples.partition_point(|sample| sample.dts <= ticks.start).saturating_sub(1);
    let to = samples.partition_point(|sample| sample.dts < ticks.end).saturating_add(1).min(samples.len());
    let wanted = samples.get(from..to).unwrap_or_default();
    for sample in wanted {
        let range = sample.at..sample.at.saturating_add(sample.size);
        match ranges.last_mut().filter(|last| last.end == range.start) {
            Some(last) => last.end = range.end,
            None => ranges.push(range),
        }
    }
}
