//! Decodes a group of pictures once and encodes the frames that clips want of it: those at an edge in the form of the source's packets,
//! those of a clip that lies in the group as a whole one's.

use std::ops::Range;
use std::sync::Arc;

use ffmpeg_next::codec::{decoder, encoder};
use ffmpeg_next::{Discard, Error as AvError, Packet, frame, picture};

use crate::cut::CutOptions;
use crate::cut::batch::most_at_once;
use crate::cut::clip::ClipWriter;
use crate::cut::feed::Group;
use crate::cut::gate::Joinable;
use crate::cut::inside::{Inside, Writing};
use crate::cut::report::CutReport;
use crate::cut::ticks::Clock;
use crate::encode::open_edge;
use crate::error::VideoError;
use crate::h264::{AvcC, annex_b, is_picture, is_unreferenced};
use crate::libav::{self, raw};
use crate::media::Media;
use crate::pulse;
use crate::source::Source;

/// Encoders that a thread has open at once; for more clips the group is decoded again. One is open from its clip's first frame of
/// the group to the last.
const AT_ONCE: usize = 3;

/// What a clip wants of a group.
pub(super) enum Wanted<'a> {
    /// The frames with these times, to stand beside packets that are copied.
    Edge(Range<i64>),
    /// All of its frames.
    Clip(Inside<'a>),
}

/// What has become of that.
pub(super) enum Encoded {
    Edge(Vec<Packet>),
    /// A clip that has all of its pictures and waits for sound.
    Clip(Box<ClipWriter>),
    Whole(Box<CutReport>),
}

/// One thread's decoder, and what its encoders are opened with.
pub(super) struct EdgeMaker<'a> {
    pub(super) source: Source,
    pub(super) decoder: decoder::Video,
    pub(super) clock: &'a Clock,
    pub(super) options: &'a CutOptions,
    joinable: Arc<Joinable>,
    media: &'a Media,
    /// Whether pictures that nothing needs are left undecoded.
    is_sparing: bool,
}

/// One clip's frames on their way.
struct Taker<'a> {
    times: Range<i64>,
    /// The times that must come, in the order they are shown.
    expected: Vec<i64>,
    seen: usize,
    work: Work<'a>,
}

enum Work<'a> {
    Edge(Edge),
    Clip(Writing<'a>),
}

/// An encoder, which is there from the first of an edge's frames to the last, and what came out of it.
#[derive(Default)]
struct Edge {
    encoder: Option<encoder::Video>,
    packets: Vec<Packet>,
}

impl Wanted<'_> {
    fn times(&self) -> &Range<i64> {
        match self {
            Wanted::Edge(times) => times,
            Wanted::Clip(inside) => &inside.times,
        }
    }
}

impl<'a> EdgeMaker<'a> {
    pub(super) fn open(
        media: &'a Media,
        clock: &'a Clock,
        options: &'a CutOptions,
        joinable: Arc<Joinable>,
    ) -> Result<Self, VideoError> {
        let source = media.open()?;
        let decoder = source.another_decoder()?;
        Ok(EdgeMaker { source, decoder, clock, options, joinable, media, is_sparing: true })
    }

    /// What is wanted by each. `Err`: why that cannot be trusted.
    pub(super) fn make(&mut self, group: &Group, wanted: &[Wanted<'_>]) -> Vec<Result<Encoded, String>> {
        let mut made: Vec<Result<Encoded, String>> = Vec::new();
        made.resize_with(wanted.len(), || Err("nothing was made".into()));
        let mut left: Vec<usize> = (0..wanted.len()).collect();
        left.sort_by_key(|&number| wanted[number].times().start);
        while !left.is_empty() {
            let mut round: Vec<usize> = Vec::new();
            left.retain(|&number| {
                let together = round.iter().chain([&number]).map(|&number| wanted[number].times());
                let fits = most_at_once(together) <= AT_ONCE;
                round.extend(fits.then_some(number));
                !fits
            });
            let of_round: Vec<&Wanted<'_>> = round.iter().map(|&number| &wanted[number]).collect();
            for (number, encoded) in round.into_iter().zip(self.round(group, &of_round)) {
                made[number] = encoded;
            }
        }
        made
    }

    fn round(&mut self, group: &Group, wanted: &[&Wanted<'_>]) -> Vec<Result<Encoded, String>> {
        let mut made = self.decoded(group, wanted);
        if made.is_err() && self.is_sparing {
            // A stream that does not say by how much its pictures are shown late tells it with those that were left out.
            self.is_sparing = false;
            made = self.decoded(group, wanted);
        }
        match made {
            Ok(takers) => takers.into_iter().map(|taker| taker.finish(self.clock)).collect(),
            Err(why) => wanted.iter().map(|_| Err(why.clone())).collect(),
        }
    }

    fn decoded<'b>(&mut self, group: &Group, wanted: &[&'b Wanted<'b>]) -> Result<Vec<Taker<'b>>, String> {
        let mut takers: Vec<Taker<'b>> = wanted.iter().map(|wanted| Taker::of(group, wanted)).collect();
        self.decode(group, &mut takers)?;
        Ok(takers)
    }

    fn encoder(&self) -> Result<encoder::Video, String> {
        let crf = self.options.encode.crf;
        let open = open_edge(&self.joinable.pictures, crf, self.joinable.edge, self.media.path());
        let encoder = open.map_err(|error| error.message)?;
        let sets = AvcC::of_annex_b(&raw::encoder_extradata(&encoder));
        if !sets.sps.iter().all(|set| contains(&self.joinable.form.record, set)) {
            return Err("the encoder's parameter sets changed".into());
        }
        Ok(encoder)
    }

    fn decode(&mut self, group: &Group, takers: &mut [Taker<'_>]) -> Result<(), String> {
        let ranges: Vec<Range<i64>> = takers.iter().map(|taker| taker.times.clone()).collect();
        let wanted = |packet: &Packet| packet.pts().is_some_and(|pts| ranges.iter().any(|times| times.contains(&pts)));
        let count = group.packets.iter().rposition(wanted).map_or(0, |last| last + 1);
        let fail = |error: AvError| format!("decoding failed: {error}");
        self.decoder.flush();
        for packet in &group.packets[..count] {
            let is_needless = self.is_sparing && !wanted(packet) && packet.data().is_some_and(is_unreferenced);
            self.decoder.skip_frame(if is_needless { Discard::NonReference } else { Discard::Default });
            self.decoder.send_packet(packet).map_err(fail)?;
            self.give_out(takers)?;
        }
        self.decoder.send_eof().map_err(fail)?;
        self.give_out(takers)
    }

    fn give_out(&mut self, takers: &mut [Taker<'_>]) -> Result<(), String> {
        loop {
            let mut frame = frame::Video::empty();
            match self.decoder.receive_frame(&mut frame) {
                Ok(()) => {
                    self.media.was_decoded();
                    takers.iter_mut().try_for_each(|taker| taker.push(&mut frame, self))?;
                }
                Err(AvError::Eof) => return Ok(()),
                Err(error) if libav::is_again(&error) => return Ok(()),
                Err(error) => return Err(format!("decoding failed: {error}")),
            }
        }
    }
}

impl<'a> Taker<'a> {
    fn of(group: &Group, wanted: &'a Wanted<'a>) -> Self {
        let times = wanted.times().clone();
        let mut expected: Vec<i64> = group.times().filter(|time| times.contains(time)).collect();
        expected.sort_unstable();
        let work = match wanted {
            Wanted::Edge(_) => Work::Edge(Edge::default()),
            Wanted::Clip(inside) => Work::Clip(Writing::of(inside)),
        };
        Taker { times, expected, seen: 0, work }
    }

    fn push(&mut self, frame: &mut frame::Video, maker: &EdgeMaker<'_>) -> Result<(), String> {
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
        match &mut self.work {
            Work::Clip(clip) => clip.push(frame, time, maker),
            Work::Edge(edge) => edge.push(frame, time, maker)?,
        }
        let has_all = self.seen == self.expected.len();
        match &mut self.work {
            Work::Edge(edge) if has_all => edge.end(),
            Work::Clip(clip) if has_all => {
                clip.end_pictures();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn finish(self, clock: &Clock) -> Result<Encoded, String> {
        match self.work {
            Work::Clip(clip) if self.seen == self.expected.len() => clip.end(clock),
            Work::Clip(_) => Err(format!("{} of {} frames came out", self.seen, self.expected.len())),
            Work::Edge(edge) => edge.finish(self.expected.len()).map(Encoded::Edge),
        }
    }
}

impl Edge {
    fn push(&mut self, frame: &mut frame::Video, time: i64, maker: &EdgeMaker<'_>) -> Result<(), String> {
        frame.set_pts(Some(time));
        // The decoder's word for how the picture was coded would be an order to the encoder.
        frame.set_kind(picture::Type::None);
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            none => none.insert(maker.encoder()?),
        };
        encoder.send_frame(frame).map_err(|e| format!("encoding failed: {e}"))?;
        self.receive()
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

    fn finish(mut self, frames: usize) -> Result<Vec<Packet>, String> {
        self.end()?;
        if self.packets.len() != frames {
            return Err(format!("{} of {frames} frames came out", self.packets.len()));
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
