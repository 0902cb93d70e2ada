//! One reading of a source for several clips: which pictures they want, and whether each that went into the decoder comes out, as it
//! would if every clip were read for itself. Only where that is certain is a source shared.

use std::collections::BTreeSet;
use std::ops::Range;

use ffmpeg_next::codec::Id;
use ffmpeg_next::{Packet, frame};

use super::{Source, TickSpan};
use crate::error::VideoError;
use crate::libav::raw;

/// Codecs that make no picture of another.
const INTRA: [Id; 6] = [Id::MJPEG, Id::PRORES, Id::DNXHD, Id::CFHD, Id::JPEG2000, Id::RAWVIDEO];

/// What several clips want of the pictures that are read.
pub(super) struct Shared {
    /// The times of each clip's pictures.
    spans: Vec<Range<i64>>,
    /// The times of wanted pictures that went into the decoder and have not come out.
    due: BTreeSet<i64>,
    /// Whether something was not as it is in a source that can be shared.
    is_odd: bool,
}

impl Shared {
    pub(super) fn wants(&self, pts: i64) -> bool {
        self.spans.iter().any(|span| span.contains(&pts))
    }

    pub(super) fn forget(&mut self) {
        self.due.clear();
        self.is_odd = false;
    }
}

impl Source {
    /// Whether clips get the same pictures from one reading as from a reading each: an index lists every picture, and whatever is
    /// decoded from a key frame on is the same, wherever decoding began. So it is from an IDR picture of H.264 on and from a random
    /// access point of H.265, as their packets tell, and where no picture is made of others.
    pub(crate) fn may_be_shared(&self) -> bool {
        let is_known = match self.decoder.id() {
            Id::H264 => self.tells_unreferenced && !self.has_open_groups(),
            // The record tells how many bytes a unit's length has.
            Id::HEVC => raw::extradata(&self.stream()).get(21).is_some_and(|byte| byte & 3 == 3),
            id => INTRA.contains(&id),
        };
        is_known && self.ranges.is_some() && self.is_indexed()
    }

    /// Goes to a key frame from which the frames of all these spans can be decoded in one go.
    pub(crate) fn begin_shared(&mut self, spans: Vec<Range<i64>>) -> Result<(), VideoError> {
        let start = spans.iter().map(|span| span.start).min().unwrap_or(0);
        let end = spans.iter().map(|span| span.end).max().unwrap_or(start);
        self.shared = Some(Shared { spans, due: BTreeSet::new(), is_odd: false });
        self.begin(TickSpan { video: start..end })
    }

    /// Forgets what several clips wanted, of which nothing more is read.
    pub(crate) fn end_shared(&mut self) {
        self.shared = None;
        self.ahead.clear();
        self.want(Vec::new());
    }

    /// Notes what goes into the decoder.
    pub(super) fn expect(&mut self, packet: &Packet) {
        let is_fresh = !packet.is_key() || self.shared.is_none() || self.begins_fresh(packet);
        let Some(shared) = &mut self.shared else { return };
        shared.is_odd |= !is_fresh;
        match packet.pts() {
            Some(pts) if shared.wants(pts) && !raw::is_hidden(packet) => shared.is_odd |= !shared.due.insert(pts),
            Some(_) => {}
            None => shared.is_odd = true,
        }
    }

    /// Whether what is decoded behind a key frame and shown behind it is made of nothing before it.
    fn begins_fresh(&self, packet: &Packet) -> bool {
        match self.decoder.id() {
            Id::H264 => self.begins_closed(packet),
            Id::HEVC => packet.data().is_some_and(is_random_access_point),
            _ => true,
        }
    }

    /// Whether a frame that came out of the decoder is the next of those that had to come, or one that nobody wants, and nothing was
    /// odd on the way.
    pub(crate) fn is_due(&mut self, frame: &frame::Video) -> bool {
        let Some(shared) = &mut self.shared else { return false };
        let Some(pts) = frame.timestamp() else { return false };
        let is_next = !shared.wants(pts) || shared.due.pop_first() == Some(pts);
        let is_right = !frame.is_interlaced() && !frame.is_corrupt() && !frame.has_decode_errors();
        is_next && is_right && !shared.is_odd
    }

    /// Whether all frames before a time have come, of those that went into the decoder.
    pub(crate) fn has_come(&self, end: i64) -> bool {
        self.shared.as_ref().is_some_and(|shared| shared.due.first().is_none_or(|pts| *pts >= end))
    }

    /// Reads a packet before its turn, for the sake of sound: pictures are kept. `None`: there are no more. Otherwise the bytes of
    /// the pictures that are kept.
    pub(crate) fn read_ahead(&mut self) -> Result<Option<usize>, VideoError> {
        let Some(packet) = self.read_on()? else { return Ok(None) };
        if packet.stream() == self.video.index {
            self.ahead.push_back(packet);
        } else {
            self.lay_aside(packet);
        }
        Ok(Some(self.ahead.iter().map(Packet::size).sum()))
    }
}

/// Whether a packet of H.265 out of MP4 is a random access point: all of its slices are of the kinds 16 to 21 (table 7-1).
fn is_random_access_point(packet: &[u8]) -> bool {
    let (mut rest, mut slices) = (packet, 0);
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let Some(unit) = after.get(..length) else { return false };
        let kind = unit.first().map_or(u8::MAX, |byte| byte >> 1 & 0x3f);
        match kind {
            16..=21 => slices += 1,
            0..=31 => return false,
            _ => {}
        }
        rest = &after[length..];
    }
    rest.is_empty() && slices > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(units: &[&[u8]]) -> Vec<u8> {
        units.iter().flat_map(|unit| [&(unit.len() as u32).to_be_bytes()[..], unit].concat()).collect()
    }

    #[test]
    fn a_random_access_point_has_no_slice_of_another_kind() {
        // The kind is in bits 1 to 6 of a unit: 39 is a message, 21 CRA, 19 IDR, 1 a trailing picture.
        assert!(is_random_access_point(&packet(&[&[39 << 1, 1], &[21 << 1, 1, 7]])));
        assert!(is_random_access_point(&packet(&[&[19 << 1, 1], &[19 << 1, 1]])));
        assert!(!is_random_access_point(&packet(&[&[19 << 1, 1], &[1 << 1, 1]])));
        assert!(!is_random_access_point(&packet(&[&[39 << 1, 1]])));
        assert!(!is_random_access_point(&packet(&[&[19 << 1, 1]])[..5]));
        assert!(!is_random_access_point(&[]));
    }
}
