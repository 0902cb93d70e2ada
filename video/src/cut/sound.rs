//! A clip's sound: packets that are copied, or, where MP4 cannot hold their codec, samples that are encoded as AAC. Either way in
//! step with the pictures.

use std::path::{Path, PathBuf};

use ffmpeg_next::codec::{self, decoder, encoder, threading};
use ffmpeg_next::format::{Sample, sample};
use ffmpeg_next::{ChannelLayout, Dictionary, Error as AvError, Packet, Rational, frame};

use crate::cut::ticks::{AudioTrack, Clock};
use crate::error::VideoError;
use crate::libav;
use crate::mux::Mp4;
use crate::pulse;
use crate::time::Moment;

/// Bits a second of each channel: AAC at which most people hear no difference.
const BITS_A_CHANNEL: usize = 96_000;
/// How FFmpeg's AAC looks for its quantisers. The other one, `twoloop`, is made for less than 64 kb/s a channel; a plain tone, of which
/// it makes 13 to 28 dB at this rate, is like its source by 30 to 42 dB here.
const CODER: &str = "fast";
/// By how much, in milliseconds, sound may lie off its own times before silence is put in or sound is left out. Containers round the
/// times of packets, and to mend that would be heard.
const SLACK_MS: i64 = 10;
/// Rates that AAC has, ISO/IEC 14496-3, 1.6.3.4.
pub(super) const RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

/// One track of sound of one clip.
pub(super) enum Voice {
    /// Packets as they are: the stream they go to, the tick that is the clip's zero, and whether any came.
    Copied {
        stream: usize,
        zero: i64,
        any: bool,
    },
    Encoded(Box<Encoding>),
}

impl Voice {
    /// Adds a track to a clip whose first picture is shown at `zero` and whose span ends at `end`, both on the file's own clock.
    pub(super) fn open(
        mp4: &mut Mp4,
        (track, parameters): (&AudioTrack, codec::Parameters),
        [zero, end]: [Moment; 2],
        out: &Path,
    ) -> Result<Self, VideoError> {
        if track.is_copied {
            let stream = mp4.add_copied(parameters, track.base)?;
            return Ok(Voice::Copied { stream, zero: zero.first_tick(track.base), any: false });
        }
        Encoding::open(mp4, (track, parameters), [zero, end], out).map(|encoding| Voice::Encoded(Box::new(encoding)))
    }

    /// Takes a packet of the source. Returns how many were written.
    pub(super) fn take(&mut self, mp4: &mut Mp4, mut packet: Packet) -> Result<u64, VideoError> {
        match self {
            Voice::Copied { stream, zero, any } => {
                // A packet between the span's start and the first frame would need a time before the clip's zero.
                let Some(pts) = packet.pts().map(|pts| pts - *zero).filter(|pts| *pts >= 0) else { return Ok(0) };
                let pts = if *any { pts } else { first_heard(pts, packet.duration()) };
                *any = true;
                packet.set_pts(Some(pts));
                packet.set_dts(Some(pts));
                mp4.write(*stream, packet).map(|()| 1)
            }
            Voice::Encoded(encoding) => encoding.take(mp4, &packet),
        }
    }

    /// Writes what is still on its way. Returns how many packets that were.
    pub(super) fn finish(&mut self, mp4: &mut Mp4) -> Result<u64, VideoError> {
        match self {
            Voice::Copied { .. } => Ok(0),
            Voice::Encoded(encoding) => encoding.finish(mp4),
        }
    }
}

/// When the first packet of sound is heard, that belongs `pts` ticks behind the clip's first frame. One that begins within
/// a packet of it is heard from it on, and lasts until the second one's own time: so the track begins with the pictures.
/// Sound that begins later keeps its time, which the file states as an edit that is empty.
fn first_heard(pts: i64, duration: i64) -> i64 {
    if pts < duration { 0 } else { pts }
}

/// Sound that is decoded, laid on the clip's own clock sample by sample, and encoded as AAC.
pub(super) struct Encoding {
    decoder: decoder::Audio,
    base: Rational,
    encoder: encoder::Audio,
    stream: usize,
    layout: ChannelLayout,
    rate: u32,
    zero: Moment,
    /// How many samples the clip has.
    length: i64,
    /// How many there are so far, and those of them, for each channel, that do not fill a packet yet.
    laid: i64,
    waiting: Vec<Vec<f32>>,
    sent: i64,
    out: PathBuf,
}

impl Encoding {
    fn open(
        mp4: &mut Mp4,
        (track, parameters): (&AudioTrack, codec::Parameters),
        [zero, end]: [Moment; 2],
        out: &Path,
    ) -> Result<Self, VideoError> {
        let decoder = open_decoder(parameters, track.base)
            .map_err(|e| VideoError::decoding(out, "opening the decoder of sound failed", e))?;
        let (rate, channels) = (decoder.rate(), kept(decoder.channels()));
        let layout = layout_of(channels);
        let encoder =
            open_aac(rate, channels, layout).map_err(|e| VideoError::encoder(out, "opening the AAC encoder", e))?;
        let stream = mp4.add_encoded(&encoder, None, None)?;
        let length = end.minus(zero).first_tick(ticks_of(rate)).max(0);
        Ok(Encoding {
            decoder,
            base: track.base,
            encoder,
            stream,
            layout,
            rate,
            zero,
            length,
            laid: 0,
            waiting: vec![Vec::new(); usize::from(channels)],
            sent: 0,
            out: out.to_owned(),
        })
    }

    fn take(&mut self, mp4: &mut Mp4, packet: &Packet) -> Result<u64, VideoError> {
        // Sound that cannot be decoded is sound that is missing, and silence stands for it; the pictures are whole.
        if self.decoder.send_packet(packet).is_err() {
            return Ok(0);
        }
        self.lay_decoded(mp4)
    }

    fn lay_decoded(&mut self, mp4: &mut Mp4) -> Result<u64, VideoError> {
        let mut written = 0;
        let mut frame = frame::Audio::empty();
        while self.decoder.receive_frame(&mut frame).is_ok() {
            pulse::beat();
            written += self.lay(mp4, &frame)?;
        }
        Ok(written)
    }

    /// Lays the samples of a frame where its time says.
    fn lay(&mut self, mp4: &mut Mp4, frame: &frame::Audio) -> Result<u64, VideoError> {
        if frame.rate() != self.rate || usize::from(frame.channels()) < self.waiting.len() {
            return Ok(0);
        }
        let samples = channels_of(frame, self.waiting.len());
        let count = samples.first().map_or(0, Vec::len) as i64;
        let stated = frame
            .timestamp()
            .map(|pts| Moment::from_ticks(pts, self.base).minus(self.zero).first_tick(ticks_of(self.rate)));
        let slack = i64::from(self.rate) * SLACK_MS / 1000;
        let begins = stated.filter(|at| self.laid == 0 || (at - self.laid).abs() > slack).unwrap_or(self.laid);
        let mut written = 0;
        while self.laid < begins.min(self.length) {
            let silence = (begins.min(self.length) - self.laid).min(4096);
            self.waiting.iter_mut().for_each(|channel| channel.extend((0..silence).map(|_| 0.0)));
            self.laid += silence;
            written += self.encode_full(mp4)?;
        }
        // What lies before the clip, or where there is sound already, and what lies behind its end is left out.
        let from = (self.laid - begins).clamp(0, count);
        let to = (self.length - begins).clamp(from, count);
        for (channel, samples) in self.waiting.iter_mut().zip(&samples) {
            channel.extend_from_slice(&samples[from as usize..to as usize]);
        }
        self.laid += to - from;
        Ok(written + self.encode_full(mp4)?)
    }

    /// Encodes as many whole packets as there are samples for.
    fn encode_full(&mut self, mp4: &mut Mp4) -> Result<u64, VideoError> {
        let whole = self.encoder.frame_size() as usize;
        let mut written = 0;
        while self.waiting.first().is_some_and(|channel| channel.len() >= whole) {
            written += self.encode(mp4, whole)?;
        }
        Ok(written)
    }

    fn encode(&mut self, mp4: &mut Mp4, count: usize) -> Result<u64, VideoError> {
        let mut sound = frame::Audio::new(Sample::F32(sample::Type::Planar), count, self.layout);
        sound.set_rate(self.rate);
        for (number, channel) in self.waiting.iter_mut().enumerate() {
            for (room, value) in sound.plane_mut::<f32>(number).iter_mut().zip(channel.drain(..count)) {
                *room = value;
            }
        }
        sound.set_pts(Some(self.sent));
        self.sent += count as i64;
        self.encoder.send_frame(&sound).map_err(|e| VideoError::encoder(&self.out, "encoding sound", e))?;
        self.write(mp4)
    }

    fn write(&mut self, mp4: &mut Mp4) -> Result<u64, VideoError> {
        let mut written = 0;
        loop {
            let mut packet = Packet::empty();
            match self.encoder.receive_packet(&mut packet) {
                Ok(()) => mp4.write(self.stream, packet)?,
                Err(AvError::Eof) => return Ok(written),
                Err(error) if libav::is_again(&error) => return Ok(written),
                Err(error) => return Err(VideoError::encoder(&self.out, "encoding sound", error)),
            }
            written += 1;
        }
    }

    fn finish(&mut self, mp4: &mut Mp4) -> Result<u64, VideoError> {
        // A decoder that refuses to end has given what it has.
        let _ = self.decoder.send_eof();
        let mut written = self.lay_decoded(mp4)?;
        let rest = self.waiting.first().map_or(0, Vec::len);
        if rest > 0 {
            written += self.encode(mp4, rest)?;
        }
        self.encoder.send_eof().map_err(|e| VideoError::encoder(&self.out, "encoding sound", e))?;
        Ok(written + self.write(mp4)?)
    }
}

/// What becomes of a track of sound: `None` where it cannot be taken along, and why not.
pub(super) fn becomes(parameters: &codec::Parameters) -> (Option<bool>, String) {
    use codec::Id::{AAC, AC3, ALAC, EAC3, MP3, OPUS};
    let id = parameters.id();
    if matches!(id, AAC | AC3 | EAC3 | MP3 | OPUS | ALAC) {
        return (Some(true), String::new());
    }
    let left_out = |why: &str| (None, format!("the sound is {id:?}, {why}: it was left out"));
    let Ok(decoder) = open_decoder(parameters.clone(), Rational(1, 1000)) else {
        return left_out("which MP4 cannot hold and nobody here can decode");
    };
    if !RATES.contains(&decoder.rate()) {
        return left_out(&format!("and {} samples a second are not to be had in AAC", decoder.rate()));
    }
    let (all, kept) = (decoder.channels(), kept(decoder.channels()));
    let of_them = if kept < all { format!(", the first {kept} of its {all} channels") } else { String::new() };
    (Some(false), format!("the sound is {id:?}, which MP4 cannot hold: it was encoded as AAC{of_them}"))
}

fn open_decoder(parameters: codec::Parameters, base: Rational) -> Result<decoder::Audio, AvError> {
    let mut decoder = codec::Context::from_parameters(parameters)?.decoder();
    decoder.set_packet_time_base(base);
    decoder.set_threading(threading::Config { count: 1, ..threading::Config::default() });
    decoder.audio()
}

/// Opens AAC on one thread: more threads give other bytes.
fn open_aac(rate: u32, channels: u16, layout: ChannelLayout) -> Result<encoder::Audio, AvError> {
    let codec = encoder::find_by_name("aac").ok_or(AvError::EncoderNotFound)?;
    let mut encoder = codec::Context::new_with_codec(codec).encoder().audio()?;
    let rate = i32::try_from(rate).map_err(|_| AvError::InvalidData)?;
    encoder.set_rate(rate);
    encoder.set_format(Sample::F32(sample::Type::Planar));
    encoder.set_channel_layout(layout);
    encoder.set_channels(i32::from(channels));
    encoder.set_bit_rate(BITS_A_CHANNEL * usize::from(channels));
    encoder.set_time_base(Rational(1, rate));
    encoder.set_threading(threading::Config { count: 1, ..threading::Config::default() });
    encoder.set_flags(codec::Flags::GLOBAL_HEADER | codec::Flags::BITEXACT);
    let mut options = Dictionary::new();
    options.set("aac_coder", CODER);
    encoder.open_as_with(codec, options)
}

fn ticks_of(rate: u32) -> Rational {
    Rational(1, i32::try_from(rate).unwrap_or(i32::MAX))
}

/// How many channels are taken along. What has more than AAC's layouts has is a bundle of tracks, of which the first two are the
/// programme's.
fn kept(channels: u16) -> u16 {
    match channels {
        0..=6 | 8 => channels.max(1),
        _ => 2,
    }
}

/// The loudspeakers that so many channels are for.
fn layout_of(channels: u16) -> ChannelLayout {
    match channels {
        1 => ChannelLayout::MONO,
        3 => ChannelLayout::SURROUND,
        4 => ChannelLayout::_4POINT0,
        5 => ChannelLayout::_5POINT0_BACK,
        6 => ChannelLayout::_5POINT1_BACK,
        8 => ChannelLayout::_7POINT1,
        _ => ChannelLayout::STEREO,
    }
}

/// The first channels of a frame, as numbers from -1 to 1.
fn channels_of(frame: &frame::Audio, count: usize) -> Vec<Vec<f32>> {
    let format = frame.format();
    let all = usize::from(frame.channels());
    let width = format.bytes();
    let of_channel = |channel: usize| {
        let (plane, first, step) =
            if format.is_planar() { (channel, 0, width) } else { (0, channel * width, all * width) };
        let bytes = frame.data(plane);
        let at = (0..frame.samples()).map(|number| first + number * step);
        at.map_while(|at| bytes.get(at..at + width)).map(|bytes| value(format, bytes)).collect()
    };
    (0..count).map(of_channel).collect()
}

fn value(format: Sample, bytes: &[u8]) -> f32 {
    match (format, bytes) {
        (Sample::U8(_), [a, ..]) => (f32::from(*a) - 128.0) / 128.0,
        (Sample::I16(_), [a, b, ..]) => f32::from(i16::from_ne_bytes([*a, *b])) / 32_768.0,
        (Sample::I32(_), [a, b, c, d, ..]) => {
            (f64::from(i32::from_ne_bytes([*a, *b, *c, *d])) / 2_147_483_648.0) as f32
        }
        (Sample::F32(_), [a, b, c, d, ..]) => f32::from_ne_bytes([*a, *b, *c, *d]),
        (Sample::I64(_), [a, b, c, d, e, f, g, h]) => {
            (i64::from_ne_bytes([*a, *b, *c, *d, *e, *f, *g, *h]) as f64 / 9_223_372_036_854_775_808.0) as f32
        }
        (Sample::F64(_), [a, b, c, d, e, f, g, h]) => f64::from_ne_bytes([*a, *b, *c, *d, *e, *f, *g, *h]) as f32,
        _ => 0.0,
    }
}

/// Where on the file's own clock a clip's sound begins and ends.
pub(super) fn ends(clock: &Clock, zero: i64, end: Moment) -> [Moment; 2] {
    [Moment::from_ticks(zero, clock.video.base), end.plus(clock.origin)]
}
