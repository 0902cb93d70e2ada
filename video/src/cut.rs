//! Cuts clips out of one video: exactly the frames between two moments, encoded anew, with their sound.
//! Knows milliseconds and files; knows nothing of plays or of where clips are published.

use std::path::{Path, PathBuf};

use ffmpeg_next::codec::{self, encoder};
use ffmpeg_next::software::scaling;
use ffmpeg_next::{Error as AvError, Packet, Rational, format, frame, picture};

use crate::encode::{ColorTags, EncodeOptions, Pictures, open_h264};
use crate::error::{VideoError, VideoErrorKind};
use crate::libav::{self, raw};
use crate::mux::Mp4;
use crate::source::{Source, TickSpan};
use crate::time::{Moment, Span};

/// A clip that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutClip {
    /// How many frames are in it.
    pub frames: u64,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Milliseconds on the video's clock of the clip's first frame, rounded to the nearest.
    pub first_frame_ms: u64,
    /// Milliseconds on the video's clock of the clip's last frame, rounded to the nearest.
    pub last_frame_ms: u64,
    /// Milliseconds from the first frame to the end of the last one, rounded to the nearest.
    pub duration_ms: u64,
    /// How many packets of sound were copied; 0 without sound, or when MP4 cannot hold its codec.
    pub audio_packets: u64,
}

/// A video that is open for cutting. Not shared between threads: each opens its own.
pub struct Cutter {
    source: Source,
    options: EncodeOptions,
    /// Ticks of one frame, from the average frame rate: how far a span may reach past the end.
    frame_ticks: i64,
}

impl Cutter {
    /// Opens a video for cutting.
    ///
    /// # Errors
    /// As `probe`.
    pub fn open(path: &Path, options: EncodeOptions) -> Result<Self, VideoError> {
        let source = Source::open(path)?;
        let stream = source.input().stream(source.video().index).expect("the source was opened with this stream");
        let rate = stream.avg_frame_rate();
        // A file that states no frame rate is taken to have at least 10 frames a second.
        let frame = if rate.numerator() > 0 { rate.invert() } else { Rational(1, 10) };
        let frame_ticks = Moment::from_ticks(1, frame).first_tick(source.video().base);
        Ok(Cutter { source, options, frame_ticks })
    }

    /// Writes the frames whose time lies in `[start_ms, end_ms)` to `out`, which is replaced, and removed on error.
    ///
    /// The first frame's time becomes 0 and the distances between frames stay as they are. Sound is copied in whole
    /// packets, so it begins and ends within one packet of the pictures. The same input gives the same bytes.
    ///
    /// # Errors
    /// `OutOfRange` when the span begins after the video's end, ends more than one frame after it, or holds no frame;
    /// `Corrupt` when a picture of the span cannot be decoded; `Unsupported` when the picture size changes inside it;
    /// `Io` and `Encoder` when the clip cannot be written.
    pub fn cut(&mut self, span: Span, out: &Path) -> Result<CutClip, VideoError> {
        self.check_inside(span)?;
        let ticks = self.ticks_of(span);
        self.source.begin(ticks.clone())?;
        let mut frame = frame::Video::empty();
        let first = self.first_frame(&ticks, &mut frame)?.ok_or_else(|| self.no_frame_in(span))?;
        let mut clip = ClipWriter::create(&self.source, &frame, first, self.options, out)?;
        let last = self.copy_pictures(&mut clip, frame, &ticks, span)?;
        self.source.finish_audio()?;
        clip.copy_audio(&mut self.source)?;
        let (frames, audio_packets) = (clip.frames, clip.audio_packets);
        let (width, height, _) = clip.size;
        clip.finish()?;
        let length = Moment::from_ticks(last.pts + last.ticks - first, self.source.video().base);
        Ok(CutClip {
            frames,
            width,
            height,
            first_frame_ms: self.source.ms(first),
            last_frame_ms: self.source.ms(last.pts),
            duration_ms: length.to_ms(),
            audio_packets,
        })
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
        Ok(None)
    }

    /// Encodes the first frame and all others of the span, and tells when the last one is shown.
    fn copy_pictures(
        &mut self,
        clip: &mut ClipWriter,
        mut frame: frame::Video,
        ticks: &TickSpan,
        span: Span,
    ) -> Result<Shown, VideoError> {
        let mut last = Shown { pts: ticks.video.start, ticks: self.frame_ticks };
        let mut more = true;
        while more && frame.timestamp().is_some_and(|pts| pts < ticks.video.end) {
            self.check_whole(&frame)?;
            last = Shown { pts: frame.timestamp().unwrap_or(last.pts), ticks: self.duration_of(&frame) };
            clip.push(&mut frame)?;
            clip.copy_audio(&mut self.source)?;
            more = self.source.next_frame(&mut frame)?;
        }
        self.source.check_promise(clip.frames, &frame)?;
        if !more {
            self.check_reaches(last, span, ticks.video.end)?;
        }
        Ok(last)
    }

    fn ticks_of(&self, span: Span) -> TickSpan {
        let origin = self.source.origin();
        let (start, end) = (Moment::from_ms(span.start_ms).plus(origin), Moment::from_ms(span.end_ms).plus(origin));
        let base = self.source.video().base;
        let audio = self.source.audio().filter(|track| fits_mp4(self.source.input(), track.index));
        TickSpan {
            video: start.first_tick(base)..end.first_tick(base),
            audio: audio.map_or(0..0, |track| start.first_tick(track.base)..end.first_tick(track.base)),
        }
    }

    fn check_inside(&self, span: Span) -> Result<(), VideoError> {
        if span.end_ms <= span.start_ms {
            return Err(self.out_of_range(span, "the play ends before it begins".into()));
        }
        let Some(end) = self.source.stated_end() else { return Ok(()) };
        let slack = Moment::from_ticks(self.frame_ticks, self.source.video().base);
        if Moment::from_ms(span.start_ms) >= end {
            return Err(self.out_of_range(span, "the play begins after the end of the video".into()));
        }
        if Moment::from_ms(span.end_ms) > end.plus(slack) {
            return Err(self.out_of_range(span, "the play ends after the end of the video".into()));
        }
        Ok(())
    }

    fn check_whole(&self, frame: &frame::Video) -> Result<(), VideoError> {
        if frame.is_corrupt() || frame.has_decode_errors() {
            let at = self.source.ms(frame.timestamp().unwrap_or(0));
            return Err(VideoError::corrupt(self.source.path(), format!("the picture at {at} ms is damaged")));
        }
        Ok(())
    }

    /// The pictures may end before the index says so: a download that stopped leaves such files.
    fn check_reaches(&self, last: Shown, span: Span, end: i64) -> Result<(), VideoError> {
        if last.pts + last.ticks + self.frame_ticks >= end {
            return Ok(());
        }
        let (stop, until) = (self.source.ms(last.pts + last.ticks), span.end_ms);
        let message = format!("the pictures stop at {stop} ms, before the {until} ms the play needs");
        Err(VideoError::corrupt(self.source.path(), message))
    }

    fn duration_of(&self, frame: &frame::Video) -> i64 {
        let stated = frame.packet().duration;
        if stated > 0 { stated } else { self.frame_ticks }
    }

    fn no_frame_in(&self, span: Span) -> VideoError {
        self.out_of_range(span, "no frame of the video lies inside the play".into())
    }

    fn out_of_range(&self, span: Span, what: String) -> VideoError {
        let length = self.source.stated_end().map_or("of unknown length".into(), |e| format!("{} ms long", e.to_ms()));
        let message = format!("{what}: the play is {}..{} ms, the video is {length}", span.start_ms, span.end_ms);
        let help = "check the play's times, and that they belong to this video";
        VideoError::new(VideoErrorKind::OutOfRange, self.source.path(), message, help)
    }
}

/// When a frame is on screen, in ticks.
#[derive(Clone, Copy)]
struct Shown {
    pts: i64,
    ticks: i64,
}

/// Whether MP4 can hold a stream's codec as it is.
fn fits_mp4(input: &format::context::Input, index: usize) -> bool {
    use codec::Id::{AAC, AC3, ALAC, EAC3, MP3, OPUS};
    input.stream(index).is_some_and(|s| matches!(s.parameters().id(), AAC | AC3 | EAC3 | MP3 | OPUS | ALAC))
}

/// One clip on its way: frames go in, packets go to the file.
struct ClipWriter {
    mp4: Mp4,
    encoder: encoder::Video,
    scaler: Option<scaling::Context>,
    converted: frame::Video,
    /// The source's tick that is the clip's zero, for pictures and for sound.
    zero: i64,
    audio: Option<(usize, i64)>,
    frames: u64,
    audio_packets: u64,
    size: (u32, u32, format::Pixel),
    source_path: PathBuf,
    out: PathBuf,
}

impl ClipWriter {
    fn create(
        source: &Source,
        frame: &frame::Video,
        zero: i64,
        options: EncodeOptions,
        out: &Path,
    ) -> Result<Self, VideoError> {
        let pictures = pictures_of(source, frame);
        let encoder = open_h264(&pictures, options, None, out)?;
        let stream = source.input().stream(source.video().index).expect("the source was opened with this stream");
        let mut mp4 = Mp4::create(out)?;
        mp4.add_encoded(&encoder, pictures.frame_rate, raw::display_matrix(&stream).as_deref())?;
        let mut audio = None;
        if let Some(track) = source.audio().filter(|track| fits_mp4(source.input(), track.index)) {
            let from = source.input().stream(track.index).expect("the source was opened with this stream");
            let number = mp4.add_copied(from.parameters(), track.base)?;
            audio = Some((number, Moment::from_ticks(zero, source.video().base).first_tick(track.base)));
        }
        mp4.start()?;
        Ok(ClipWriter {
            mp4,
            scaler: scaler_to(pictures.format, frame, source.path())?,
            encoder,
            converted: frame::Video::empty(),
            zero,
            audio,
            frames: 0,
            audio_packets: 0,
            size: (frame.width(), frame.height(), frame.format()),
            source_path: source.path().to_owned(),
            out: out.to_owned(),
        })
    }

    fn push(&mut self, frame: &mut frame::Video) -> Result<(), VideoError> {
        if (frame.width(), frame.height(), frame.format()) != self.size {
            let (from, to) = ((self.size.0, self.size.1), (frame.width(), frame.height()));
            let message =
                format!("the pictures change from {}x{} to {}x{} inside the play", from.0, from.1, to.0, to.1);
            return Err(VideoError::unsupported(&self.source_path, message));
        }
        let pts = frame.timestamp().map(|pts| pts - self.zero);
        let ready = match &mut self.scaler {
            None => frame,
            Some(scaler) => {
                scaler.run(frame, &mut self.converted).map_err(|e| VideoError::encoder(&self.out, "converting", e))?;
                &mut self.converted
            }
        };
        ready.set_pts(pts);
        // The decoder's word for how the picture was coded would be an order to the encoder.
        ready.set_kind(picture::Type::None);
        self.encoder.send_frame(ready).map_err(|e| VideoError::encoder(&self.out, "encoding", e))?;
        self.frames += 1;
        self.write_encoded()
    }

    fn copy_audio(&mut self, source: &mut Source) -> Result<(), VideoError> {
        let Some((stream, zero)) = self.audio else { return Ok(()) };
        while let Some(mut packet) = source.take_audio() {
            // A packet between the span's start and the first frame would need a time before the clip's zero.
            let Some(pts) = packet.pts().map(|pts| pts - zero).filter(|pts| *pts >= 0) else { continue };
            packet.set_pts(Some(pts));
            packet.set_dts(Some(pts));
            self.mp4.write(stream, packet)?;
            self.audio_packets += 1;
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
                Err(error) => return Err(VideoError::encoder(&self.out, "encoding", error)),
            }
        }
    }

    fn finish(mut self) -> Result<(), VideoError> {
        self.encoder.send_eof().map_err(|e| VideoError::encoder(&self.out, "encoding", e))?;
        self.write_encoded()?;
        self.mp4.finish()
    }
}

/// What the clip's encoder is told about the pictures: as the source's, in eight bits.
fn pictures_of(source: &Source, frame: &frame::Video) -> Pictures {
    use format::Pixel::{YUV420P, YUV422P, YUV444P, YUVJ420P, YUVJ422P, YUVJ444P};
    let stream = source.input().stream(source.video().index).expect("the source was opened with this stream");
    let rate = stream.avg_frame_rate();
    let keeps = matches!(frame.format(), YUV420P | YUVJ420P | YUV422P | YUVJ422P | YUV444P | YUVJ444P);
    Pictures {
        width: frame.width(),
        height: frame.height(),
        format: if keeps { frame.format() } else { YUV420P },
        time_base: source.video().base,
        frame_rate: (rate.numerator() > 0).then_some(rate),
        pixel_aspect: frame.aspect_ratio(),
        colors: ColorTags {
            space: source.decoder().color_space(),
            range: source.decoder().color_range(),
            primaries: source.decoder().color_primaries(),
            transfer: source.decoder().color_transfer_characteristic(),
        },
    }
}

fn scaler_to(wanted: format::Pixel, frame: &frame::Video, path: &Path) -> Result<Option<scaling::Context>, VideoError> {
    if frame.format() == wanted {
        return Ok(None);
    }
    let (width, height) = (frame.width(), frame.height());
    let flags = scaling::Flags::BICUBIC | scaling::Flags::ACCURATE_RND | scaling::Flags::BITEXACT;
    scaling::Context::get(frame.format(), width, height, wanted, width, height, flags).map(Some).map_err(|_| {
        VideoError::unsupported(path, format!("pixels of the format {:?} cannot be converted", frame.format()))
    })
}
