//! One clip that is encoded whole, on its way: frames and sound go in, packets go to the file.

use std::ops::Range;
use std::path::{Path, PathBuf};

use ffmpeg_next::codec::{decoder, encoder};
use ffmpeg_next::{Error as AvError, Packet, format, frame};

use crate::cut::report::CutReport;
use crate::cut::shape::{Shaper, asked};
use crate::cut::sound::Voice;
use crate::cut::ticks::Clock;
use crate::cut::{CutMode, CutOptions, shape, sound};
use crate::encode::{ColorTags, Pictures, open_named};
use crate::error::VideoError;
use crate::libav::{self, raw};
use crate::mux::Mp4;
use crate::pulse;
use crate::source::Source;
use crate::time::Moment;

/// The encoder of a clip, and the file it writes.
pub(super) struct ClipWriter {
    mp4: Mp4,
    /// Until all pictures have come: it takes much memory, and sound may come much later.
    encoder: Option<encoder::Video>,
    /// The names of its codec and of itself.
    made_by: (String, String),
    shaper: Shaper,
    /// The source's tick that is the clip's zero, for pictures and for sound.
    zero: i64,
    /// The tracks of sound, by their numbers in the source.
    audio: Vec<(usize, Voice)>,
    /// Frames that were encoded, and frames that came from the source.
    frames: u64,
    taken: u64,
    audio_packets: u64,
    /// When the last frame is on screen, in ticks.
    last: Range<i64>,
    /// The size of the clip's pictures: the first one's, if no other was asked for. Others are brought to it.
    asked: (u32, u32),
    out: PathBuf,
}

impl ClipWriter {
    /// `decoder`: the one that the frames come from. `frame`: the clip's first one, `zero`: its time, `end`: that of the span.
    pub(super) fn create(
        (source, decoder): (&Source, &decoder::Video),
        clock: &Clock,
        (frame, zero, end): (&frame::Video, i64, Moment),
        options: &CutOptions,
        out: &Path,
    ) -> Result<Self, VideoError> {
        let found = pictures_of(source, decoder, frame);
        let pictures = asked(found, options);
        let encoder = open_named(&options.encoder, &pictures, options.encode, out)?;
        let stream = source.stream();
        let mut mp4 = Mp4::create(out)?;
        mp4.add_encoded(&encoder, pictures.frame_rate, raw::display_matrix(&stream).as_deref())?;
        let mut audio = Vec::new();
        for track in &clock.audio {
            let from = source.input().stream(track.index).expect("the track was found in this input");
            let ends = sound::ends(clock, zero, end);
            audio.push((track.index, Voice::open(&mut mp4, (track, from.parameters()), ends, out)?));
        }
        mp4.start()?;
        Ok(ClipWriter {
            mp4,
            shaper: Shaper::new(frame, &found, &pictures, options, (source.path(), out))?,
            made_by: encoder
                .codec()
                .map_or_else(Default::default, |codec| (codec.id().name().to_owned(), codec.name().to_owned())),
            encoder: Some(encoder),
            zero,
            audio,
            frames: 0,
            taken: 0,
            audio_packets: 0,
            last: zero..zero,
            asked: (pictures.width, pictures.height),
            out: out.to_owned(),
        })
    }

    /// Frames that came so far.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// The tick until which the last frame is on screen.
    pub(super) fn shown_until(&self) -> i64 {
        self.last.end
    }

    /// Takes the next frame of the span. `frame_ticks`: how long one is on screen that does not say so.
    pub(super) fn push(&mut self, frame: &mut frame::Video, frame_ticks: i64) -> Result<(), VideoError> {
        let stated = frame.packet().duration;
        let pts = frame.timestamp().unwrap_or(self.last.start);
        self.last = pts..pts + if stated > 0 { stated } else { frame_ticks };
        let ticks = frame.timestamp().map_or(0, |pts| pts - self.zero);
        self.taken += 1;
        let ready = self.shaper.push(frame, ticks)?;
        self.encode(ready)
    }

    /// No more frames come.
    pub(super) fn end_pictures(&mut self) -> Result<(), VideoError> {
        let rest = self.shaper.finish(self.last.end - self.zero);
        self.encode(rest)?;
        let ended = self.encoder.as_mut().map_or(Ok(()), |encoder| encoder.send_eof());
        ended.map_err(|e| self.failed(e))?;
        self.write_encoded()?;
        self.encoder = None;
        Ok(())
    }

    fn encode(&mut self, ready: Option<shape::Shown>) -> Result<(), VideoError> {
        let Some(shape::Shown { mut frame, ticks }) = ready else { return Ok(()) };
        for tick in ticks {
            frame.set_pts(Some(tick));
            pulse::beat();
            let sent = self.encoder.as_mut().map_or(Ok(()), |encoder| encoder.send_frame(&frame));
            sent.map_err(|e| self.failed(e))?;
            self.frames += 1;
            self.write_encoded()?;
        }
        Ok(())
    }

    fn failed(&self, error: AvError) -> VideoError {
        VideoError::encoding(&self.out, "encoding", error, [self.asked.0, self.asked.1])
    }

    /// Takes a packet of sound.
    pub(super) fn hear(&mut self, packet: Packet) -> Result<(), VideoError> {
        let voice = self.audio.iter_mut().find(|(index, _)| *index == packet.stream());
        if let Some((_, voice)) = voice {
            self.audio_packets += voice.take(&mut self.mp4, packet)?;
        }
        Ok(())
    }

    fn write_encoded(&mut self) -> Result<(), VideoError> {
        let mut packet = Packet::empty();
        while let Some(encoder) = &mut self.encoder {
            match encoder.receive_packet(&mut packet) {
                Ok(()) => self.mp4.write(0, std::mem::replace(&mut packet, Packet::empty()))?,
                Err(AvError::Eof) => return Ok(()),
                Err(error) if libav::is_again(&error) => return Ok(()),
                Err(error) => return Err(self.failed(error)),
            }
        }
        Ok(())
    }

    /// Everything has come: completes the file, and tells of the clip.
    pub(super) fn finish(mut self, clock: &Clock) -> Result<CutReport, VideoError> {
        for (_, voice) in &mut self.audio {
            self.audio_packets += voice.finish(&mut self.mp4)?;
        }
        let mut report = clock.report(CutMode::Encode, self.zero..self.last.end, self.last.start);
        (report.frames, report.frames_encoded, report.audio_packets) = (self.frames, self.frames, self.audio_packets);
        (report.width, report.height) = self.asked;
        (report.codec, report.encoder) = self.made_by;
        self.mp4.finish()?;
        Ok(report)
    }
}

/// What the clip's encoder is told about the pictures: as the source's, in eight bits.
fn pictures_of(source: &Source, decoder: &decoder::Video, frame: &frame::Video) -> Pictures {
    use format::Pixel::{YUV420P, YUV422P, YUV444P, YUVJ420P, YUVJ422P, YUVJ444P};
    let stream = source.input().stream(source.video().index).expect("the source was opened with this stream");
    let rate = stream.avg_frame_rate();
    let outer = raw::pixel_aspect(&stream);
    let keeps = matches!(frame.format(), YUV420P | YUVJ420P | YUV422P | YUVJ422P | YUV444P | YUVJ444P);
    Pictures {
        width: frame.width(),
        height: frame.height(),
        format: if keeps { frame.format() } else { YUV420P },
        time_base: source.video().base,
        frame_rate: (rate.numerator() > 0).then_some(rate),
        pixel_aspect: if outer.numerator() > 0 { outer } else { frame.aspect_ratio() },
        colors: ColorTags {
            space: decoder.color_space(),
            range: decoder.color_range(),
            primaries: decoder.color_primaries(),
            transfer: decoder.color_transfer_characteristic(),
        },
    }
}
