//! Cuts a clip of which every frame is encoded anew: out of anything that can be decoded.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ffmpeg_next::codec::encoder;
use ffmpeg_next::{Error as AvError, Packet, format, frame};

use crate::cut::report::CutReport;
use crate::cut::shape::{Shaper, asked};
use crate::cut::sound::Voice;
use crate::cut::ticks::{Clock, out_of_range};
use crate::cut::{CutMode, CutOptions, shape, sound};
use crate::encode::{ColorTags, Pictures, open_named};
use crate::error::VideoError;
use crate::libav::{self, raw};
use crate::mux::Mp4;
use crate::pulse;
use crate::source::{Source, TickSpan};
use crate::survey::Survey;
use crate::time::{Moment, Stretch};

/// Writes the frames whose time lies in `[start_ms, end_ms)` to `out`, which is replaced, and removed on error.
///
/// The first frame's time becomes 0 and the distances between frames stay as they are. Sound is copied in whole
/// packets, so it begins and ends within one packet of the pictures. The same input gives the same bytes.
///
/// # Errors
/// `OutOfRange` when the span begins after the video's end, ends more than one frame after it, or holds no frame;
/// `Corrupt` when a picture of the span cannot be decoded; `Io` and `Encoder` when the clip cannot be written.
pub(super) fn cut_whole(
    source: &mut Source,
    clock: &Clock,
    options: &CutOptions,
    (span, way): (Stretch, &Way),
    out: &Path,
) -> Result<CutReport, VideoError> {
    Whole { source, clock, options, span, way }.cut(out)
}

/// How the frames of a clip are come by, each surer and dearer than the one before.
pub(super) enum Way {
    /// A seek to the key frame before the clip.
    Seek,
    /// A seek to one that lies further back, for groups of pictures that need those before them.
    EarlierSeek,
    /// The packets that a survey of the whole file lists.
    Survey(Arc<Survey>),
    /// The same, and everything is decoded from the file's first picture on.
    FromTheFront(Arc<Survey>),
}

struct Whole<'a> {
    source: &'a mut Source,
    clock: &'a Clock,
    options: &'a CutOptions,
    span: Stretch,
    way: &'a Way,
}

impl Whole<'_> {
    fn cut(&mut self, out: &Path) -> Result<CutReport, VideoError> {
        let ticks = self.ticks();
        self.source
            .hear(self.clock.audio.iter().map(|track| (track.index, self.clock.heard(self.span, track))).collect());
        self.begin(ticks.clone())?;
        let mut frame = frame::Video::empty();
        let first = self.first_frame(&ticks, &mut frame)?.ok_or_else(|| self.no_frame())?;
        let mut clip = ClipWriter::create(self.source, self.clock, (&frame, first, self.span.end), self.options, out)?;
        let last = self.copy_pictures(&mut clip, frame, &ticks)?;
        let rest = clip.shaper.finish(last.pts + last.ticks - first);
        clip.encode(rest)?;
        self.source.finish_audio()?;
        clip.copy_audio(self.source)?;
        clip.finish_audio()?;
        let mut report = self.clock.report(CutMode::Encode, first..last.pts + last.ticks, last.pts);
        (report.frames, report.frames_encoded, report.audio_packets) = (clip.frames, clip.frames, clip.audio_packets);
        (report.width, report.height) = clip.asked;
        if let Some(codec) = clip.encoder.codec() {
            (report.codec, report.encoder) = (codec.id().name().to_owned(), codec.name().to_owned());
        }
        clip.finish()?;
        Ok(report)
    }

    fn begin(&mut self, ticks: TickSpan) -> Result<(), VideoError> {
        self.source.be_wary();
        let (survey, from_the_front) = match self.way {
            Way::Seek => return self.source.begin(ticks),
            Way::EarlierSeek => return self.source.begin_early(ticks),
            Way::Survey(survey) => (survey, false),
            Way::FromTheFront(survey) => (survey, true),
        };
        self.check_reaches(survey.end(), ticks.video.end)?;
        let is_there = self.source.begin_surely(survey, ticks, (from_the_front, self.clock.frame_ticks))?;
        if is_there { Ok(()) } else { Err(self.no_frame()) }
    }

    /// Decodes up to the first frame of the span and returns its time. `None`: there is none.
    fn first_frame(&mut self, ticks: &TickSpan, frame: &mut frame::Video) -> Result<Option<i64>, VideoError> {
        while self.source.next_frame(frame)? {
            match frame.timestamp() {
                Some(pts) if pts >= ticks.video.end => return Ok(None),
                Some(pts) if pts >= ticks.video.start => return Ok(Some(pts)),
                _ => {}
            }
        }
        // A span without a frame is an answer; a span whose frames were all lost is not.
        self.source.check_promise(0, frame)?;
        self.source.knows_all(frame.is_interlaced())?;
        Ok(None)
    }

    /// Encodes the first frame and all others of the span, and tells when the last one is shown.
    fn copy_pictures(
        &mut self,
        clip: &mut ClipWriter,
        mut frame: frame::Video,
        ticks: &TickSpan,
    ) -> Result<Shown, VideoError> {
        let mut last = Shown { pts: ticks.video.start, ticks: self.clock.frame_ticks };
        let mut more = true;
        while more && frame.timestamp().is_some_and(|pts| pts < ticks.video.end) {
            self.check_whole(&frame)?;
            last = Shown { pts: frame.timestamp().unwrap_or(last.pts), ticks: self.duration_of(&frame) };
            clip.push(&mut frame)?;
            clip.copy_audio(self.source)?;
            more = self.source.next_frame(&mut frame)?;
        }
        self.source.check_promise(clip.taken, &frame)?;
        if !self.source.knows_all(frame.is_interlaced())? {
            if !more && !self.source.has_all() {
                self.check_reaches(last.pts + last.ticks, ticks.video.end)?;
            }
            self.check_end()?;
        }
        Ok(last)
    }

    fn ticks(&self) -> TickSpan {
        TickSpan { video: self.clock.ticks(self.span, self.clock.video.base) }
    }

    fn check_whole(&self, frame: &frame::Video) -> Result<(), VideoError> {
        if frame.is_corrupt() || frame.has_decode_errors() {
            let at = self.source.ms(frame.timestamp().unwrap_or(0));
            return Err(VideoError::corrupt(self.source.path(), format!("the picture at {at} ms is damaged")));
        }
        Ok(())
    }

    /// The pictures may end before the index says so: a download that stopped leaves such files.
    fn check_reaches(&self, stop: i64, end: i64) -> Result<(), VideoError> {
        if stop + self.clock.frame_ticks >= end {
            return Ok(());
        }
        let (stop, until) = (self.source.ms(stop), self.span.end.to_ms());
        let message = format!("the pictures stop at {stop} ms, before the {until} ms the play needs");
        Err(VideoError::corrupt(self.source.path(), message))
    }

    /// A seek cannot tell what is missing at the end of a file that was cut off.
    fn check_end(&self) -> Result<(), VideoError> {
        if matches!(self.way, Way::Seek) && self.source.is_cut_off(self.clock.frame_ticks) {
            return Err(VideoError::corrupt(self.source.path(), "the file ends within the play"));
        }
        Ok(())
    }

    fn duration_of(&self, frame: &frame::Video) -> i64 {
        let stated = frame.packet().duration;
        if stated > 0 { stated } else { self.clock.frame_ticks }
    }

    fn no_frame(&self) -> VideoError {
        let end = self.source.stated_end();
        out_of_range(self.source, self.span, end, "no frame of the video lies inside the play")
    }
}

/// When a frame is on screen, in ticks.
#[derive(Clone, Copy)]
struct Shown {
    pts: i64,
    ticks: i64,
}

/// One clip on its way: frames go in, packets go to the file.
struct ClipWriter {
    mp4: Mp4,
    encoder: encoder::Video,
    shaper: Shaper,
    /// The source's tick that is the clip's zero, for pictures and for sound.
    zero: i64,
    /// The tracks of sound, by their numbers in the source.
    audio: Vec<(usize, Voice)>,
    /// Frames that were encoded, and frames that came from the source.
    frames: u64,
    taken: u64,
    audio_packets: u64,
    /// The size of the clip's pictures: the first one's, if no other was asked for. Others are brought to it.
    asked: (u32, u32),
    out: PathBuf,
}

impl ClipWriter {
    fn create(
        source: &Source,
        clock: &Clock,
        (frame, zero, end): (&frame::Video, i64, Moment),
        options: &CutOptions,
        out: &Path,
    ) -> Result<Self, VideoError> {
        let found = pictures_of(source, frame);
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
            encoder,
            zero,
            audio,
            frames: 0,
            taken: 0,
            audio_packets: 0,
            asked: (pictures.width, pictures.height),
            out: out.to_owned(),
        })
    }

    fn push(&mut self, frame: &mut frame::Video) -> Result<(), VideoError> {
        let ticks = frame.timestamp().map_or(0, |pts| pts - self.zero);
        self.taken += 1;
        let ready = self.shaper.push(frame, ticks)?;
        self.encode(ready)
    }

    fn encode(&mut self, ready: Option<shape::Shown>) -> Result<(), VideoError> {
        let Some(shape::Shown { mut frame, ticks }) = ready else { return Ok(()) };
        for tick in ticks {
            frame.set_pts(Some(tick));
            pulse::beat();
            self.encoder.send_frame(&frame).map_err(|e| self.failed(e))?;
            self.frames += 1;
            self.write_encoded()?;
        }
        Ok(())
    }

    fn failed(&self, error: AvError) -> VideoError {
        VideoError::encoding(&self.out, "encoding", error, [self.encoder.width(), self.encoder.height()])
    }

    fn copy_audio(&mut self, source: &mut Source) -> Result<(), VideoError> {
        while let Some(packet) = source.take_audio() {
            let voice = self.audio.iter_mut().find(|(index, _)| *index == packet.stream());
            if let Some((_, voice)) = voice {
                self.audio_packets += voice.take(&mut self.mp4, packet)?;
            }
        }
        Ok(())
    }

    fn finish_audio(&mut self) -> Result<(), VideoError> {
        for (_, voice) in &mut self.audio {
            self.audio_packets += voice.finish(&mut self.mp4)?;
        }
        Ok(())
    }

    fn write_encoded(&mut self) -> Result<(), VideoError> {
        let mut packet = Packet::empty();
        loop {
            match self.encoder.receive_packet(&mut packet) {
                Ok(()) => self.mp4.write(0, std::mem::replace(&mut packet, Packet::empty()))?,
                Err(AvError::Eof) => return Ok(()),
                Err(error) if libav::is_again(&error) => return Ok(()),
                Err(error) => return Err(self.failed(error)),
            }
        }
    }

    fn finish(mut self) -> Result<(), VideoError> {
        self.encoder.send_eof().map_err(|e| self.failed(e))?;
        self.write_encoded()?;
        self.mp4.finish()
    }
}

/// What the clip's encoder is told about the pictures: as the source's, in eight bits.
pub(super) fn pictures_of(source: &Source, frame: &frame::Video) -> Pictures {
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
            space: source.decoder().color_space(),
            range: source.decoder().color_range(),
            primaries: source.decoder().color_primaries(),
            transfer: source.decoder().color_transfer_characteristic(),
        },
    }
}
