//! Says which bytes of a source clips will need, from the samples its index lists.

use std::ops::Range;
use std::path::PathBuf;

use crate::cut::CutMode;
use crate::cut::batch::Place;
use crate::cut::feed::Want;
use crate::cut::ticks::Clock;
use crate::libav::raw::{self, Sample};
use crate::ranges::merged;
use crate::source::Source;
use crate::time::Stretch;

/// Pictures by which one is taken to be shown later than it is decoded, at most, whatever the stream says of itself.
const MOST_REORDERED: usize = 20;
/// Pictures behind a clip's end that are read where it ends where copying can: as many as encoders put between two that others
/// are made of, and one more. Copying ends with a picture, of which the index does not tell when it is shown.
const BEHIND_COPIED: usize = 4;

/// What it is asked for, which bytes clips of a mode are made from.
#[derive(Clone, Copy)]
pub(super) enum For {
    /// To tell it: all of them, whatever the index leaves open.
    Telling(CutMode),
    /// To read them: those that will most likely be needed. What else is needed will be read too, in smaller pieces.
    Reading(CutMode),
}

/// The bytes of every clip's pictures, from its key frame on, and of its sound.
pub(super) fn route<'a>(
    source: &Source,
    clock: &Clock,
    mode: CutMode,
    wants: impl Iterator<Item = &'a Want>,
) -> Vec<Range<u64>> {
    routes(source, clock, For::Reading(mode), wants).into_iter().flatten().collect()
}

/// The bytes of each of these clips of all by itself, those that lie close together as one. None where the index does not list
/// every picture.
pub(super) fn ranges(
    source: &Source,
    clock: &Clock,
    purpose: For,
    clips: &[(Stretch, PathBuf)],
    inside: &[usize],
) -> Vec<Vec<Range<u64>>> {
    let mut ranges = vec![Vec::new(); clips.len()];
    let listed = raw::samples(&source.stream()).len();
    if usize::try_from(source.stream().frames()).is_ok_and(|frames| frames > 0 && frames == listed) {
        let wants: Vec<Want> = inside.iter().map(|&clip| Want::of(clip, clips[clip].0, clock)).collect();
        for (clip, found) in inside.iter().zip(routes(source, clock, purpose, wants.iter())) {
            ranges[*clip] = merged(found);
        }
    }
    ranges
}

/// As `route`, for each clip by itself.
fn routes<'a>(
    source: &Source,
    clock: &Clock,
    purpose: For,
    wants: impl Iterator<Item = &'a Want>,
) -> Vec<Vec<Range<u64>>> {
    let pictures = raw::samples(&source.stream());
    let sound: Vec<Vec<Sample>> = clock
        .audio
        .iter()
        .map(|track| source.input().stream(track.index).map_or_else(Vec::new, |stream| raw::samples(&stream)))
        .collect();
    let late = most_reordered(source);
    let of_clip = |want: &Want| {
        let mut ranges = Vec::new();
        let key = key_before(&pictures, want.ticks.start, late);
        let begins = pictures.get(key).map_or(want.ticks.start, |sample| sample.dts);
        add(&mut ranges, pictures.get(key..until(&pictures, want.ticks.end, late, purpose)));
        for ((track, samples), asked) in clock.audio.iter().zip(&sound).zip(&want.audio) {
            add(&mut ranges, around(samples, clock.tick_in(begins, track.base)..asked.end));
        }
        ranges
    };
    wants.map(of_clip).collect()
}

/// The place of each of these clips in an index that lists every picture.
pub(super) fn places(source: &Source, clock: &Clock, spans: impl Iterator<Item = Stretch>) -> Vec<Place> {
    let (pictures, late) = (raw::samples(&source.stream()), most_reordered(source));
    let place = |span: Stretch| {
        let ticks = clock.ticks(span, clock.video.base);
        let end = pictures.partition_point(|sample| sample.dts < ticks.end);
        Place { pictures: key_before(&pictures, ticks.start, late)..end, ticks }
    };
    spans.map(place).collect()
}

/// The key frame from which a clip is decoded. One that is decoded just before the clip's start may be shown after it; then it is the
/// one before. It is shown when so many more pictures are decoded, at the latest.
pub(super) fn key_before(pictures: &[Sample], start: i64, late: usize) -> usize {
    let decoded = pictures.partition_point(|sample| sample.dts <= start);
    let shown = decoded.saturating_sub(late);
    pictures[..shown].iter().rposition(|sample| sample.is_key).unwrap_or(0)
}

/// Pictures by which one is shown later than it is decoded, at most.
pub(super) fn most_reordered(source: &Source) -> usize {
    raw::reordered(&source.stream()).min(MOST_REORDERED)
}

/// The place behind the last picture that is read for a clip.
fn until(pictures: &[Sample], end: i64, late: usize, purpose: For) -> usize {
    let behind = pictures.partition_point(|sample| sample.dts < end);
    let key_in = |from: usize, to: usize| pictures[from..to].iter().position(|key| key.is_key).map(|n| from + n);
    let (For::Telling(mode) | For::Reading(mode)) = purpose;
    // A key frame that is decoded just before the end is most likely shown at the end or behind it, and then it ends the clip.
    if let (For::Reading(_), Some(key)) = (purpose, key_in(behind.saturating_sub(late), behind)) {
        return key + 1;
    }
    let more = if mode == CutMode::Copy && late > 0 { BEHIND_COPIED } else { 0 };
    let most = (behind + more).min(pictures.len());
    key_in(behind, most).unwrap_or(most)
}

/// The samples of sound from the last one that begins by the range's start to the first one behind its end: that one is
/// read too, to see that it is behind.
fn around(samples: &[Sample], ticks: Range<i64>) -> Option<&[Sample]> {
    let from = samples.partition_point(|sample| sample.dts <= ticks.start).saturating_sub(1);
    let to = samples.partition_point(|sample| sample.dts < ticks.end).saturating_add(1).min(samples.len());
    samples.get(from..to)
}

fn add(ranges: &mut Vec<Range<u64>>, samples: Option<&[Sample]>) {
    for sample in samples.unwrap_or_default() {
        let range = sample.at..sample.at.saturating_add(sample.size);
        match ranges.last_mut().filter(|last| last.end == range.start) {
            Some(last) => last.end = range.end,
            None => ranges.push(range),
        }
    }
}
