//! Decodes a group of pictures once and encodes the frames that clips want of it, in the form of the source's packets.

use std::ops::Range;
use std::sync::Arc;

use ffmpeg_next::codec::{decoder, encoder};
use ffmpeg_next::{Discard, Error as AvError, Packet, frame, picture};

use crate::cut::batch::most_at_once;
use crate::cut::feed::Group;
use crate::cut::gate::Joinable;
use crate::encode::open_edge;
use crate::error::VideoError;
use crate::h264::{AvcC, annex_b, is_picture, is_unreferenced};
use crate::libav::{self, raw};
use crate::media::Media;
use crate::pulse;

/// Encoders that a thread has open at once; for more clips the group is decoded again. One is open from its clip's first frame of
/// the group to the last.
const AT_ONCE: usize = 3;

/// One thread's decoder, and what its encoders are opened with.
pub(super) struct EdgeMaker {
    decoder: decoder::Video,
    joinable: Arc<Joinable>,
    crf: u8,
    media: Media,
    /// Whether pictures that nothing needs are left undecoded.
    is_sparing: bool,
}

/// One clip's frames on their way through an encoder, which is there from the first of them to the last.
struct Edge {
    encoder: Option<encoder::Video>,
    times: Range<i64>,
    /// The times that must come, in the order they are shown.
    expected: Vec<i64>,
    seen: usize,
    packets: Vec<Packet>,
}

impl EdgeMaker {
    pub(super) fn open(media: &Media, joinable: Arc<Joinable>, crf: u8) -> Result<Self, VideoError> {
        let decoder = media.open()?.another_decoder()?;
        Ok(EdgeMaker { decoder, joinable, crf, media: media.clone(), is_sparing: true })
    }

    /// The packets of each range of times. `Err`: why that cannot be trusted.
    pub(super) fn make(&mut self, group: &Group, ranges: &[Range<i64>]) -> Vec<Result<Vec<Packet>, String>> {
        let mut made: Vec<Result<Vec<Packet>, String>> = ranges.iter().map(|_| Ok(Vec::new())).collect();
        let mut left: Vec<usize> = (0..ranges.len()).collect();
        left.sort_by_key(|&number| ranges[number].start);
        while !left.is_empty() {
            let mut round: Vec<usize> = Vec::new();
            left.retain(|&number| {
                let together = round.iter().chain([&number]).map(|&number| &ranges[number]);
                let fits = most_at_once(together) <= AT_ONCE;
                round.extend(fits.then_some(number));
                !fits
            });
            let wanted: Vec<Range<i64>> = round.iter().map(|&number| ranges[number].clone()).collect();
            for (number, packets) in round.into_iter().zip(self.round(group, &wanted)) {
                made[number] = packets;
            }
        }
        made
    }

    fn round(&mut self, group: &Group, ranges: &[Range<i64>]) -> Vec<Result<Vec<Packet>, String>> {
        let mut made = self.decoded(group, ranges);
        if made.is_err() && self.is_sparing {
            // A stream that does not say by how much its pictures are shown late tells it with those that were left out.
            self.is_sparing = false;
            made = self.decoded(group, ranges);
        }
        match made {
            Ok(edges) => edges.into_iter().map(Edge::finish).collect(),
            Err(why) => ranges.iter().map(|_| Err(why.clone())).collect(),
        }
    }

    fn decoded(&mut self, group: &Group, ranges: &[Range<i64>]) -> Result<Vec<Edge>, String> {
        let mut edges: Vec<Edge> = ranges.iter().map(|times| Edge::of(group, times)).collect();
        self.decode(group, &mut edges)?;
        Ok(edges)
    }

    fn encoder(&self) -> Result<encoder::Video, String> {
        let open = open_edge(&self.joinable.pictures, self.crf, self.joinable.edge, self.media.path());
        let encoder = open.map_err(|error| error.message)?;
        let sets = AvcC::of_annex_b(&raw::encoder_extradata(&encoder));
        if !sets.sps.iter().all(|set| contains(&self.joinable.form.record, set)) {
            return Err("the encoder's parameter sets changed".into());
        }
        Ok(encoder)
    }

    fn decode(&mut self, group: &Group, edges: &mut [Edge]) -> Result<(), String> {
        let ranges: Vec<Range<i64>> = edges.iter().map(|edge| edge.times.clone()).collect();
        let wanted = |packet: &Packet| packet.pts().is_some_and(|pts| ranges.iter().any(|times| times.contains(&pts)));
        let count = group.packets.iter().rposition(wanted).map_or(0, |last| last + 1);
        let fail = |error: AvError| format!("decoding failed: {error}");
        self.decoder.flush();
        for packet in &group.packets[..count] {
            let is_needless = self.is_sparing && !wanted(packet) && packet.data().is_some_and(is_unreferenced);
            self.decoder.skip_frame(if is_needless { Discard::NonReference } else { Discard::Default });
            self.decoder.send_packet(packet).map_err(fail)?;
            self.encode_ready(edges)?;
        }
        self.decoder.send_eof().map_err(fail)?;
        self.encode_ready(edges)
    }

    fn encode_ready(&mut self, edges: &mut [Edge]) -> Result<(), String> {
        loop {
            let mut frame = frame::Video::empty();
            match self.decoder.receive_frame(&mut frame) {
                Ok(()) => {
                    self.media.was_decoded();
                    edges.iter_mut().try_for_each(|edge| edge.push(&mut frame, self))?;
                }
                Err(AvError::Eof) => return Ok(()),
                Err(error) if libav::is_again(&error) => return Ok(()),
                Err(error) => return Err(format!("decoding failed: {error}")),
            }
        }
    }
}

impl Edge {
    fn of(group: &Group, times: &Range<i64>) -> Self {
        let mut expected: Vec<i64> = group.times().filter(|time| times.contains(time)).collect();
        expected.sort_unstable();
        Edge { encoder: None, times: times.clone(), expected, seen: 0, packets: Vec::new() }
    }

    fn push(&mut self, frame: &mut frame::Video, maker: &EdgeMaker) -> Result<(), String> {
        pulse::beat();
        let time = frame.timestamp().filter(|time| self.times.contains(time));
        let Some(time) = time else { return Ok(()) };
        if self.expected.get(self.seen) != Some(&time) {
            return Err("the decoder gives other frames than the index lists".into());
        }
        self.seen += 1;
        let form = &maker.joinable.pictures;
        if (frame.width(), frame.height(), frame.format()) != (form.width, form.height, form.format) {
            return Err("the pictures change their form".into());
        }
        if frame.is_corrupt() || frame.has_decode_errors() || frame.is_interlaced() {
            return Err("a picture is damaged or interlaced".into());
        }
        frame.set_pts(Some(time));
        // The decoder's word for how the picture was coded would be an order to the encoder.
        frame.set_kind(picture::Type::None);
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            none => none.insert(maker.encoder()?),
        };
        encoder.send_frame(frame).map_err(|e| format!("encoding failed: {e}"))?;
        self.receive()?;
        if self.seen == self.expected.len() { self.end() } else { Ok(()) }
    }

    /// Nothing more comes.
    fn end(&mut self) -> Result<(), String> {
        if let Some(encoder) = &mut self.encoder {
            encoder.send_eof().map_err(|e| format!("encoding failed: {e}"))?;
        }
        self.receive()?;
        self.encoder = None;
        Ok(())
    }

    fn receive(&mut self) -> Result<(), String> {
        let Some(encoder) = &mut self.encoder else { return Ok(()) };
        loop {
            let mut packet = Packet::empty();
            match encoder.receive_packet(&mut packet) {
                Ok(()) => self.packets.push(with_lengths(&packet)),
                Err(AvError::Eof) => return Ok(()),
                Err(error) if libav::is_again(&error) => return Ok(()),
                Err(error) => return Err(format!("encoding failed: {error}")),
            }
        }
    }

    fn finish(mut self) -> Result<Vec<Packet>, String> {
        self.end()?;
        if self.packets.len() != self.expected.len() {
            return Err(format!("{} of {} frames came out", self.packets.len(), self.expected.len()));
        }
        Ok(self.packets)
    }
}

/// The pictures of an encoder's packet, each unit behind its length as in MP4.
fn with_lengths(packet: &Packet) -> Packet {
    let mut bytes = Vec::with_capacity(packet.size() + 16);
    for unit in annex_b(packet.data().unwrap_or_default()).into_iter().filter(|unit| is_picture(unit)) {
        bytes.extend(u32::try_from(unit.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend(unit);
    }
    let mut made = Packet::copy(&bytes);
    made.set_pts(packet.pts());
    made.set_flags(packet.flags());
    made
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len().max(1)).any(|window| window == needle)
}
