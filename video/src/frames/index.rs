//! A clip's packets, without decoding -> when its frames are shown, and from which key frame each can be decoded.

use std::ops::Range;
use std::path::Path;

use ffmpeg_next::Packet;

use super::choose::FrameTimes;
use crate::error::VideoError;
use crate::libav::raw;
use crate::opening::open_listed;
use crate::source::Source;

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
        for &index in wanted {
            let (group, tick) = (self.groups[index], self.times.ticks[index]);
            match spans.last_mut() {
                // Going on decoding is cheaper than a seek into the group that comes next.
                Some((last, span)) if group <= *last + 1 => {
                    *last = group.max(*last);
                    span.end = tick + 1;
                }
                _ => spans.push((group, tick..tick + 1)),
            }
        }
        let mut distinct = wanted.to_vec();
        distinct.dedup();
        let is_all = distinct.len() == self.times.ticks.len();
        (!is_all).then(|| spans.into_iter().map(|(_, span)| span).collect())
    }
}
