//! A clip's packets, without decoding -> when its frames are shown, and from which key frame each can be decoded.

use std::ops::Range;
use std::path::Path;

use ffmpeg_next::Packet;

use super::choose::FrameTimes;
use crate::error::VideoError;
use crate::libav::raw;
use crate::opening::open_listed;
use crate::source::Source;

/// So many frames are decoded for nothing before a seek costs less.
const NEAR: usize = 4;

/// The frames of a clip as its container states them.
pub(super) struct Index {
    pub(super) times: FrameTimes,
    /// For each frame, in the order they are shown: how many key frames come before its packet in the file, its own counted.
    groups: Vec<usize>,
}

impl Index {
    /// Reads the packets of the pictures that are shown.
    pub(super) fn read(path: &Path, source: &Source) -> Result<Self, VideoError> {
        let video = source.video().index;
        let mut input = open_listed(path)?;
        let mut shown: Vec<(i64, usize, i64)> = Vec::new();
        let mut group = 0;
        let mut packet = Packet::empty();
        while packet.read(&mut input).is_ok() {
            if packet.stream() != video {
                continue;
            }
            group += usize::from(packet.is_key());
            if !raw::is_hidden(&packet) {
                shown.push((packet.pts().unwrap_or(i64::MAX), group, packet.duration()));
            }
        }
        shown.sort_unstable();
        let last_ticks = shown.last().map_or(1, |&(_, _, ticks)| ticks);
        let groups = shown.iter().map(|&(_, group, _)| group).collect();
        Ok(Index { times: FrameTimes { ticks: shown.into_iter().map(|(pts, ..)| pts).collect(), last_ticks }, groups })
    }

    /// The time of the key frame from which the middle of the clip is decoded. `None`: the times tell nothing.
    pub(super) fn key_before_middle(&self) -> Option<i64> {
        let ticks = &self.times.ticks;
        let group = self.groups.get(ticks.len() / 2)?;
        let first = self.groups.iter().position(|other| other == group)?;
        // Pictures that lead a key frame stand before it and may need the group before: the key frame is in any case not
        // behind the first picture of a closed group.
        ticks.get(first).copied().filter(|tick| *tick != i64::MAX)
    }

    /// The spans of ticks in which the wanted frames lie, one for each run of groups that are decoded together. `None`: all
    /// frames are wanted, or their times do not tell them apart, so that the whole clip is to be decoded.
    pub(super) fn spans(&self, wanted: &[usize]) -> Option<Vec<Range<i64>>> {
        let told_apart = self.times.ticks.windows(2).all(|pair| pair[0] < pair[1]);
        if !told_apart || self.times.ticks.last() == Some(&i64::MAX) {
            return None;
        }
        let mut spans: Vec<(usize, Range<i64>)> = Vec::new();
        let mut before = 0;
        for &index in wanted {
            let (group, tick) = (self.groups[index], self.times.ticks[index]);
            let between = self.begin_of_group(index).saturating_sub(before);
            match spans.last_mut() {
                // Going on decoding is cheaper than a seek into a group that begins soon.
                Some((last, span)) if group <= *last || (group == *last + 1 && between <= NEAR) => {
                    *last = group.max(*last);
                    span.end = tick + 1;
                }
                _ => spans.push((group, tick..tick + 1)),
            }
            before = index;
        }
        let mut distinct = wanted.to_vec();
        distinct.dedup();
        let is_all = distinct.len() == self.times.ticks.len();
        (!is_all).then(|| spans.into_iter().map(|(_, span)| span).collect())
    }

    /// The first frame of a frame's group.
    fn begin_of_group(&self, index: usize) -> usize {
        let group = self.groups[index];
        index - self.groups[..index].iter().rev().take_while(|other| **other == group).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_between_distant_frames_is_not_decoded() {
        // Six groups of ten frames, each frame two ticks long.
        let times = FrameTimes { ticks: (0..60).map(|frame| 2 * frame).collect(), last_ticks: 2 };
        let index = Index { times, groups: (0..60).map(|frame| frame / 10 + 1).collect() };
        let spans = |wanted: &[usize]| index.spans(wanted).unwrap();
        // Of one group, and of the next that begins soon.
        assert_eq!(spans(&[3, 7, 12, 27]), [6..25, 54..55]);
        // The next begins eight frames later.
        assert_eq!(spans(&[2, 10, 20]), [4..5, 20..21, 40..41]);
        assert_eq!(spans(&[3, 25]), [6..7, 50..51]);
        assert_eq!(index.spans(&(0..60).collect::<Vec<_>>()), None);
    }
}
