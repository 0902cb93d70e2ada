//! A video, read from its first packet to its last without decoding -> when its pictures are shown, where some are
//! missing, and what must be decoded for a span. The index of files that have none, or one that is not to be trusted.

use std::ops::Range;

use ffmpeg_next::{Packet, codec};

use crate::error::{VideoError, VideoErrorKind};
use crate::h264;
use crate::libav::{self, raw};
use crate::source::Source;
use crate::steady::Steady;
use crate::time::Moment;

/// Packets between damage and the hole that it left, at most.
const NEAR: usize = 32;
/// Pictures before the end of a file that was cut off among which some may be missing.
const AT_THE_END: usize = 16;
/// Pictures by which one may be decoded later than it is shown.
const MOST_LATE: usize = 16;
/// Errors of the container, one behind another, after which nothing more is hoped for.
const MOST_ERRORS: usize = 1000;
/// Seconds by which sound may stand before its pictures in the file.
const SOUND_AHEAD_MS: u64 = 1000;

/// A packet of pictures.
#[derive(Debug, Clone, Copy)]
struct Seen {
    pts: Option<i64>,
    dts: Option<i64>,
    /// Where it stands in the file, as the container tells.
    at: i64,
    size: usize,
    is_key: bool,
    /// Nothing behind it needs anything before it.
    is_closed: bool,
    is_hidden: bool,
    /// Behind which beginning of the clock it lies.
    beginning: usize,
}

/// How pictures get their times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Times {
    /// Every packet has one.
    All,
    /// Some have none; their pictures are shown evenly between the others.
    Some,
    /// None has one, but the packets say when they are decoded: FFmpeg's guess is made from that.
    Guessed,
    /// None has one: pictures are counted, so many ticks each.
    Counted(i64),
}

/// What was found.
pub(crate) struct Survey {
    seen: Vec<Seen>,
    /// The first key picture: nothing before it can be decoded, and nothing that is shown before it.
    front: usize,
    times: Times,
    /// Times between which pictures are missing.
    holes: Vec<Range<i64>>,
    /// The moment after the last picture.
    end: i64,
    steady: Steady,
    /// Whether reading can begin at a packet's place.
    can_jump: bool,
}

/// What must be read and decoded for a span. Packets of pictures are counted from the file's first.
#[derive(Debug, Clone)]
pub(crate) struct Course {
    /// Where reading begins.
    pub(crate) read_from: usize,
    pub(crate) decode_from: usize,
    /// The last packet of the span, and the last that the decoder gets: some hold a picture until others come.
    pub(crate) wanted: usize,
    pub(crate) last: usize,
    pub(crate) times: Times,
    pub(crate) span: Range<i64>,
    /// The times of the span's pictures in order, where they are known.
    pub(crate) expected: Option<Vec<i64>>,
    /// Whether as many pictures come out as packets go in.
    pub(crate) is_closed: bool,
}

impl Survey {
    /// Reads a video that was opened.
    pub(crate) fn of(source: &mut Source, frame_ticks: i64) -> Result<Self, VideoError> {
        source.restart()?;
        let (mut seen, mut odd, mut errors) = (Vec::new(), Vec::new(), 0);
        loop {
            let complaints = libav::complaints();
            let read = source.read_packet();
            let packet = match read {
                Ok(packet) => packet,
                Err(error) if error.kind == VideoErrorKind::Corrupt && errors < MOST_ERRORS => {
                    (errors, _) = (errors + 1, odd.push(seen.len()));
                    continue;
                }
                Err(error) => return Err(error),
            };
            if libav::complaints() > complaints || packet.as_ref().is_some_and(Packet::is_corrupt) {
                odd.push(seen.len());
            }
            let Some(packet) = packet else { break };
            errors = 0;
            if packet.stream() == source.video().index {
                seen.push(look(&packet, source));
            }
        }
        let times = times_of(&seen, frame_ticks);
        let end = end_of(&seen, times, frame_ticks);
        let latest = seen.iter().filter_map(|seen| seen.pts).max().unwrap_or(0);
        let holes = holes(&seen, &odd, source.ends_with(latest, frame_ticks));
        let can_jump = source.is_of(&["mpegts"]);
        let front = seen.iter().position(|seen| seen.is_key).unwrap_or(0);
        Ok(Survey { seen, front, times, holes, end, steady: source.steady(), can_jump })
    }

    /// The moment after the last picture, on the file's clock.
    pub(crate) fn end(&self) -> i64 {
        self.end
    }

    /// The first hole in a span.
    pub(crate) fn hole_in(&self, span: &Range<i64>) -> Option<Range<i64>> {
        self.holes.iter().find(|hole| hole.start < span.end && hole.end > span.start).cloned()
    }

    /// Where a packet stands that reading may begin with, if it may.
    pub(crate) fn place(&self, packet: usize) -> Option<i64> {
        self.seen.get(packet).map(|seen| seen.at).filter(|at| self.can_jump && packet > 0 && *at >= 0)
    }

    /// The number of a packet that was read again, from a packet on or a little behind it.
    pub(crate) fn number(&self, packet: &Packet, from: usize) -> Option<usize> {
        let at = i64::try_from(packet.position()).ok().filter(|at| *at >= 0)?;
        let near = self.seen.iter().enumerate().skip(from).take(NEAR);
        near.filter(|(_, seen)| seen.at == at && seen.size == packet.size()).map(|(number, _)| number).next()
    }

    /// When the picture of a packet is shown, if it is known.
    pub(crate) fn time(&self, packet: usize) -> Option<i64> {
        self.seen.get(packet)?.pts
    }

    /// The clocks of a reading that begins with a packet.
    pub(crate) fn steady_from(&self, packet: usize) -> Steady {
        self.steady.again(self.seen.get(packet).map_or(0, |seen| seen.beginning))
    }

    /// What must be decoded for a span. `from_the_front`: everything before it. `None`: nothing of the video lies in it.
    pub(crate) fn course(
        &self,
        span: &Range<i64>,
        base: ffmpeg_next::Rational,
        from_the_front: bool,
    ) -> Option<Course> {
        let wanted: Vec<usize> = (0..self.seen.len()).filter(|&n| self.lies_in(n, span)).collect();
        let (first, last) = match self.times {
            Times::Some | Times::Guessed => self.around(span)?,
            _ => (*wanted.first()?, *wanted.last()?),
        };
        let key = self.key_before(first, span.start);
        let is_closed = |key: usize| key <= self.front || self.seen[key].is_closed;
        let decode_from = match key {
            // A picture that was lost before the span would move all times that are counted or guessed.
            _ if from_the_front || matches!(self.times, Times::Guessed | Times::Counted(_)) => self.front,
            key if is_closed(key) => key,
            // Its pictures may name others before it.
            key => self.keys_before(key).next().unwrap_or(self.front),
        };
        // What stands before the first key picture goes in as well: so it is in a decode of the whole file.
        let decode_from = if decode_from == self.front { 0 } else { decode_from };
        let early = span.start.saturating_sub(Moment::from_ms(SOUND_AHEAD_MS).first_tick(base));
        let read_from = self.key_before(decode_from, early).min(decode_from);
        let mut expected: Vec<i64> = wanted.iter().filter_map(|&n| self.seen[n].pts).collect();
        expected.sort_unstable();
        Some(Course {
            read_from,
            decode_from,
            wanted: last,
            last: self.last_needed(last, span.end),
            times: self.times,
            span: span.clone(),
            expected: (self.times == Times::All).then_some(expected),
            is_closed: is_closed(decode_from),
        })
    }

    fn lies_in(&self, packet: usize, span: &Range<i64>) -> bool {
        let seen = &self.seen[packet];
        match self.times {
            // As many pictures are shown before it as were decoded before it, more or less.
            Times::Counted(ticks) => span.contains(&ticks.saturating_mul(i64::try_from(packet).unwrap_or(i64::MAX))),
            _ => {
                let comes =
                    |pts: &i64| packet >= self.front && self.seen[self.front].pts.is_none_or(|front| *pts >= front);
                !seen.is_hidden && seen.pts.filter(comes).is_some_and(|pts| span.contains(&pts))
            }
        }
    }

    /// The packets that are known to surround a span, when not all are known.
    fn around(&self, span: &Range<i64>) -> Option<(usize, usize)> {
        let first = self.seen.iter().rposition(|seen| seen.pts.is_some_and(|pts| pts <= span.start)).unwrap_or(0);
        (span.start < self.end).then(|| (first, self.last_needed(first, span.end)))
    }

    fn keys_before(&self, packet: usize) -> impl Iterator<Item = usize> + '_ {
        (0..packet.min(self.seen.len())).rev().filter(|&n| self.seen[n].is_key)
    }

    /// The last key picture up to a packet that is shown by a time, or the first one.
    fn key_before(&self, packet: usize, time: i64) -> usize {
        self.keys_before(packet + 1)
            .find(|&key| self.seen[key].pts.is_some_and(|pts| pts <= time))
            .unwrap_or(self.front)
    }

    /// The last packet that must go in so that everything up to `last` and before `end` comes out with its time.
    fn last_needed(&self, last: usize, end: i64) -> usize {
        let is_behind = |n: &usize| self.seen[*n].dts.is_some_and(|dts| dts >= end);
        let behind = match self.times {
            Times::All => (last + 1..self.seen.len()).take(NEAR).find(is_behind).or(Some(last + NEAR)),
            Times::Some | Times::Guessed => (last + 1..self.seen.len()).find(is_behind),
            Times::Counted(_) => Some(last + MOST_LATE),
        };
        behind.unwrap_or(usize::MAX).min(self.seen.len().saturating_sub(1))
    }
}

fn look(packet: &Packet, source: &Source) -> Seen {
    let is_h264 = source.stream().parameters().id() == codec::Id::H264;
    let idr = || packet.data().is_some_and(h264::is_idr);
    Seen {
        pts: packet.pts(),
        dts: packet.dts(),
        at: i64::try_from(packet.position()).unwrap_or(-1),
        size: packet.size(),
        is_key: packet.is_key(),
        is_closed: packet.is_key() && is_h264 && idr(),
        is_hidden: raw::is_hidden(packet),
        beginning: source.beginning(),
    }
}

fn times_of(seen: &[Seen], frame_ticks: i64) -> Times {
    let known = seen.iter().filter(|seen| seen.pts.is_some()).count();
    match known {
        0 if seen.iter().any(|seen| seen.dts.is_some()) => Times::Guessed,
        0 => Times::Counted(frame_ticks),
        _ if known == seen.len() => Times::All,
        _ => Times::Some,
    }
}

/// The moment after the last picture, or a later one where pictures have no time before they are decoded.
fn end_of(seen: &[Seen], times: Times, frame_ticks: i64) -> i64 {
    let (last, pictures) = match times {
        Times::All => (seen.iter().filter_map(|seen| seen.pts).max(), 1),
        Times::Guessed => (seen.iter().filter_map(|seen| seen.dts).max(), NEAR),
        Times::Counted(_) => (Some(0), seen.len()),
        Times::Some => {
            let known = seen.iter().rposition(|seen| seen.pts.is_some()).unwrap_or(0);
            let rest = &seen[known.saturating_sub(AT_THE_END)..];
            let without = rest.iter().filter(|seen| seen.pts.is_none()).count();
            (seen.iter().filter_map(|seen| seen.pts).max(), without + 1)
        }
    };
    let ticks = frame_ticks.saturating_mul(i64::try_from(pictures).unwrap_or(i64::MAX));
    last.map_or(0, |last| last.saturating_add(ticks))
}

/// Times between which pictures are missing: where something was odd, and the step from one picture to the next is not
/// the usual one. A file without an end of its own may also have been cut off.
fn holes(seen: &[Seen], odd: &[usize], has_end: bool) -> Vec<Range<i64>> {
    let visible = seen.iter().enumerate().filter(|(_, seen)| !seen.is_hidden);
    let mut shown: Vec<(i64, usize)> = visible.filter_map(|(n, seen)| seen.pts.map(|pts| (pts, n))).collect();
    shown.sort_unstable();
    let mut steps: Vec<i64> = shown.windows(2).map(|two| two[1].0.saturating_sub(two[0].0)).collect();
    steps.sort_unstable();
    let usual = steps.get(steps.len() / 2).copied().unwrap_or(0);
    let as_usual = steps.iter().filter(|step| is_usual(**step, usual)).count();
    if as_usual * 5 < steps.len() * 4 {
        // Steps of every length tell nothing, so nothing around what was odd is trusted.
        return odd.iter().filter_map(|&n| around(seen, n)).collect();
    }
    let is_odd = |n: usize| {
        let after = odd.partition_point(|odd| *odd + NEAR < n);
        odd.get(after).is_some_and(|odd| *odd <= n + NEAR) || !has_end && n + AT_THE_END >= seen.len()
    };
    let wide = shown.windows(2).filter(|two| !is_usual(two[1].0.saturating_sub(two[0].0), usual));
    let near = wide.filter(|two| is_odd(two[0].1) || is_odd(two[1].1));
    let range = |two: &[(i64, usize)]| two[0].0.saturating_add(usual / 2)..two[1].0.saturating_sub(usual / 2);
    near.map(range).filter(|hole| !hole.is_empty()).collect()
}

/// Whether a step is the usual one, give or take a half: some containers round times.
fn is_usual(step: i64, usual: i64) -> bool {
    let (twice, usual) = (i128::from(step) * 2, i128::from(usual));
    (usual..=usual * 3).contains(&twice)
}

/// The times of the pictures around a packet.
fn around(seen: &[Seen], packet: usize) -> Option<Range<i64>> {
    let near = &seen[packet.saturating_sub(3)..(packet + 3).min(seen.len())];
    let times = || near.iter().filter_map(|seen| seen.pts);
    Some(times().min()?..times().max()?.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(times: &[i64]) -> Vec<Seen> {
        let one = |pts: &i64| Seen {
            pts: Some(*pts),
            dts: None,
            at: 0,
            size: 0,
            is_key: false,
            is_closed: false,
            is_hidden: false,
            beginning: 0,
        };
        times.iter().map(one).collect()
    }

    fn found(times: &[i64], odd: &[usize], has_end: bool) -> Vec<(i64, i64)> {
        holes(&seen(times), odd, has_end).iter().map(|hole| (hole.start, hole.end)).collect()
    }

    #[test]
    fn a_wide_step_is_a_hole_only_beside_something_odd() {
        let times: Vec<i64> = (0..100).map(|n| n * 10 + if n < 50 { 0 } else { 70 }).collect();
        assert_eq!(found(&times, &[48], true), [(495, 565)]);
        assert_eq!(found(&times, &[5], true), []);
        assert_eq!(found(&times, &[], true), []);
    }

    #[test]
    fn a_file_that_was_cut_off_lacks_pictures_before_its_last() {
        // A picture that is shown 40 later is decoded before the three that are shown before it.
        let mut times: Vec<i64> = (0..50).map(|n| n * 10).collect();
        times.push(530);
        assert_eq!(found(&times, &[], false), [(495, 525)]);
        assert_eq!(found(&times, &[], true), []);
    }

    #[test]
    fn where_steps_are_uneven_nothing_around_damage_is_trusted() {
        let times: Vec<i64> = (0..60).map(|n| n * n).collect();
        assert_eq!(found(&times, &[30], true), [(27 * 27, 32 * 32 + 1)]);
        assert_eq!(found(&times, &[], true), []);
    }
}
