//! Sound that was encoded -> by how much it is like the source's, sample by sample, at the very times it belongs to.

use std::path::Path;

use ffmpeg_next::format::{Sample, sample};
use ffmpeg_next::{codec, format, frame, media};
use pipe_video::Span;

use super::expected::Expected;
use super::pictures::{origin, seconds, to_f64};

/// The least that encoded sound may be like its source, in dB. A tone that is shifted by a hundredth of a second is another one,
/// and is below 10.
const LIKE: f64 = 20.0;
/// Seconds of a clip's sound that may be missing at its ends.
const MISSING: f64 = 0.03;

/// The first channel of a file's sound.
pub(crate) struct Track {
    pub(crate) samples: Vec<f64>,
    pub(crate) rate: f64,
    /// When the first sample is heard, in seconds from the moment that viewers see as 0:00.
    pub(crate) start: f64,
}

/// Holds a clip's sound against its source's. `None`: the source has none. Else the dB by which they are alike.
pub(crate) fn check(source: &Path, span: Span, frames: &[Expected<'_>], clip: &Path) -> Result<Option<f64>, String> {
    let Some(source) = track(source) else { return Ok(None) };
    let clip = track(clip).ok_or("the clip has no sound")?;
    let first = to_f64(frames[0].time);
    let wanted = (first.max(source.start), (span.end_ms as f64 / 1000.0).min(source.end()));
    let found = (first + clip.start, first + clip.end());
    if (found.0 - wanted.0).abs() > MISSING || (found.1 - wanted.1).abs() > MISSING {
        return Err(format!("sound from {found:?} s instead of {wanted:?}"));
    }
    let (mut signal, mut noise) = (0.0, 0.0);
    for (number, heard) in clip.samples.iter().enumerate() {
        let time = found.0 + number as f64 / clip.rate;
        let Some(there) = source.at(time).filter(|_| time < wanted.1) else { continue };
        signal += there * there;
        noise += (there - heard).powi(2);
    }
    let alike = 10.0 * (signal / noise).log10();
    if alike >= LIKE { Ok(Some(alike)) } else { Err(format!("sound is like its source by {alike:.1} dB only")) }
}

impl Track {
    fn end(&self) -> f64 {
        self.start + self.samples.len() as f64 / self.rate
    }

    fn at(&self, time: f64) -> Option<f64> {
        let number = ((time - self.start) * self.rate).round();
        if number < 0.0 { None } else { self.samples.get(number as usize).copied() }
    }
}

pub(crate) fn track(path: &Path) -> Option<Track> {
    let mut input = format::input(path).ok()?;
    let stream = input.streams().best(media::Type::Audio)?;
    let (index, base, begins) = (stream.index(), stream.time_base(), to_f64(origin(&input)));
    let mut decoder = codec::Context::from_parameters(stream.parameters()).ok()?.decoder();
    decoder.set_packet_time_base(base);
    let mut decoder = decoder.audio().ok()?;
    let mut track = Track { samples: Vec::new(), rate: f64::from(decoder.rate()), start: f64::NAN };
    let mut frame = frame::Audio::empty();
    let mut packets: Vec<_> =
        input.packets().filter(|(stream, _)| stream.index() == index).map(|(_, packet)| Some(packet)).collect();
    packets.push(None);
    for packet in packets {
        match packet {
            Some(packet) => decoder.send_packet(&packet).ok()?,
            None => decoder.send_eof().ok()?,
        }
        while decoder.receive_frame(&mut frame).is_ok() {
            if track.samples.is_empty() {
                track.start = to_f64(seconds(frame.timestamp()?, base)) - begins;
            }
            track.samples.extend(first_channel(&frame));
        }
    }
    Some(track)
}

fn first_channel(frame: &frame::Audio) -> Vec<f64> {
    let channels = usize::from(frame.channels());
    match frame.format() {
        Sample::F32(sample::Type::Planar) => frame.plane::<f32>(0).iter().map(|value| f64::from(*value)).collect(),
        Sample::I16(sample::Type::Packed) => {
            let pairs = frame.data(0).chunks_exact(2 * channels).take(frame.samples());
            pairs.map(|bytes| f64::from(i16::from_ne_bytes([bytes[0], bytes[1]])) / 32_768.0).collect()
        }
        other => panic!("no test has sound of the form {other:?}"),
    }
}
