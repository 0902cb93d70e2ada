//! Turns pictures and sound made by a program into an H.264 and AAC file in MP4.
//! Knows pixels and samples; used by the generator of sample data and by tests.

use std::path::{Path, PathBuf};

use ffmpeg_next::codec::{self, encoder, threading};
use ffmpeg_next::format::{Pixel, Sample, sample};
use ffmpeg_next::{ChannelLayout, Error as AvError, Packet, Rational, color, frame};

use crate::encode::{ColorTags, EncodeOptions, FixedGop, Pictures, open_h264};
use crate::error::VideoError;
use crate::libav;
use crate::mux::Mp4;
use crate::time::Ratio;
use crate::timecode::Timecode;

/// What a written video is to be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriterOptions {
    /// Width in pixels; even.
    pub width: u32,
    /// Height in pixels; even.
    pub height: u32,
    /// Frames a second.
    pub frame_rate: Ratio,
    /// Frames from one key frame to the next; groups are closed.
    pub gop: u32,
    /// B frames between two other frames.
    pub b_frames: u8,
    /// Quality and effort.
    pub encode: EncodeOptions,
    /// Samples of mono sound a second. `None`: no sound.
    pub audio_rate: Option<u32>,
    /// The matrix that the YUV values are tagged with. Limited range.
    pub matrix: Option<Matrix>,
    /// The timecode of the first frame. `None`: the video carries none.
    pub timecode: Option<Timecode>,
}

/// A tag for the matrix between RGB and YUV.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Matrix {
    /// ITU-R BT.601, of standard-definition video.
    Bt601,
    /// ITU-R BT.709, of high-definition video.
    Bt709,
}

/// A video that is being written. Dropped unfinished, it removes its file.
pub struct Writer {
    path: PathBuf,
    mp4: Mp4,
    video: encoder::Video,
    picture: frame::Video,
    frames: i64,
    audio: Option<AudioTrack>,
}

struct AudioTrack {
    encoder: encoder::Audio,
    stream: usize,
    /// Samples that do not fill a packet yet.
    waiting: Vec<f32>,
    sent: i64,
    rate: u32,
    samples_a_packet: usize,
}

impl Writer {
    /// Creates a file, which is replaced.
    ///
    /// # Errors
    /// `BadOption` for a size that is odd or zero; `Io` when the file cannot be made; `Encoder` otherwise.
    pub fn create(path: &Path, options: WriterOptions) -> Result<Self, VideoError> {
        libav::prepare();
        if !options.width.is_multiple_of(2) || !options.height.is_multiple_of(2) {
            let message = format!("{}x{} cannot hold pictures in 4:2:0", options.width, options.height);
            return Err(VideoError::bad_option(path, message, "give an even width and an even height"));
        }
        let rate = rational(options.frame_rate);
        let pictures = Pictures {
            width: options.width,
            height: options.height,
            format: Pixel::YUV420P,
            time_base: rate.invert(),
            frame_rate: Some(rate),
            pixel_aspect: Rational(1, 1),
            colors: color_tags(options.matrix),
        };
        let gop = FixedGop { frames: options.gop, b_frames: options.b_frames };
        let video = open_h264(&pictures, options.encode, Some(gop), path)?;
        let mut mp4 = Mp4::create(path)?;
        mp4.add_encoded(&video, Some(rate), None)?;
        let audio = options.audio_rate.map(|rate| AudioTrack::open(rate, &mut mp4, path)).transpose()?;
        options.timecode.iter().for_each(|timecode| mp4.set_timecode(*timecode));
        mp4.start()?;
        let picture = frame::Video::new(Pixel::YUV420P, options.width, options.height);
        Ok(Writer { path: path.to_owned(), mp4, video, picture, frames: 0, audio })
    }

    /// Adds a frame. `y`: `[height, width]`; `u`, `v`: `[height / 2, width / 2]`; row-major, limited range.
    ///
    /// # Errors
    /// `BadOption` when a plane has another length; `Encoder` when the frame cannot be encoded or written.
    pub fn push_yuv420(&mut self, y: &[u8], u: &[u8], v: &[u8]) -> Result<(), VideoError> {
        // The encoder may still read the picture it was given last; a fresh one is never shared with it.
        self.picture = frame::Video::new(Pixel::YUV420P, self.picture.width(), self.picture.height());
        for (index, plane) in [y, u, v].into_iter().enumerate() {
            self.fill_plane(index, plane)?;
        }
        self.picture.set_pts(Some(self.frames));
        self.frames += 1;
        self.video.send_frame(&self.picture).map_err(|e| VideoError::encoder(&self.path, "encoding", e))?;
        self.write_video()
    }

    /// Adds samples of sound, mono, -1..=1.
    ///
    /// # Errors
    /// `BadOption` when the video was made without sound; `Encoder` when they cannot be encoded or written.
    pub fn push_audio(&mut self, samples: &[f32]) -> Result<(), VideoError> {
        let Some(track) = &mut self.audio else {
            return Err(VideoError::bad_option(&self.path, "the video has no sound", "give an audio rate"));
        };
        track.waiting.extend_from_slice(samples);
        while track.waiting.len() >= track.samples_a_packet {
            let chunk: Vec<f32> = track.waiting.drain(..track.samples_a_packet).collect();
            track.encode(&chunk, &mut self.mp4, &self.path)?;
        }
        Ok(())
    }

    /// Writes what is still on its way, and the index.
    ///
    /// # Errors
    /// `Encoder` when the file cannot be completed; it is removed then.
    pub fn finish(mut self) -> Result<(), VideoError> {
        self.video.send_eof().map_err(|e| VideoError::encoder(&self.path, "encoding", e))?;
        self.write_video()?;
        if let Some(track) = &mut self.audio {
            track.finish(&mut self.mp4, &self.path)?;
        }
        self.mp4.finish()
    }

    fn fill_plane(&mut self, index: usize, plane: &[u8]) -> Result<(), VideoError> {
        let width = self.picture.plane_width(index) as usize;
        let height = self.picture.plane_height(index) as usize;
        if plane.len() != width * height {
            let message = format!("plane {index} has {} bytes and needs {width}x{height}", plane.len());
            return Err(VideoError::bad_option(&self.path, message, "give planes of the video's size in 4:2:0"));
        }
        let stride = self.picture.stride(index);
        let rows = self.picture.data_mut(index).chunks_mut(stride);
        for (to, from) in rows.zip(plane.chunks_exact(width)) {
            to[..width].copy_from_slice(from);
        }
        Ok(())
    }

    fn write_video(&mut self) -> Result<(), VideoError> {
        drain(&mut self.video, 0, &mut self.mp4, &self.path)
    }
}

impl AudioTrack {
    fn open(rate: u32, mp4: &mut Mp4, path: &Path) -> Result<Self, VideoError> {
        let fail = |e: AvError| VideoError::encoder(path, "opening the AAC encoder", e);
        let codec = encoder::find_by_name("aac").ok_or_else(|| fail(AvError::EncoderNotFound))?;
        let mut encoder = codec::Context::new_with_codec(codec).encoder().audio().map_err(fail)?;
        encoder.set_rate(i32::try_from(rate).map_err(|_| fail(AvError::InvalidData))?);
        encoder.set_format(Sample::F32(sample::Type::Planar));
        encoder.set_channel_layout(ChannelLayout::MONO);
        encoder.set_channels(1);
        encoder.set_bit_rate(48_000);
        encoder.set_time_base(Rational(1, i32::try_from(rate).map_err(|_| fail(AvError::InvalidData))?));
        encoder.set_threading(threading::Config { count: 1, ..threading::Config::default() });
        encoder.set_flags(codec::Flags::GLOBAL_HEADER | codec::Flags::BITEXACT);
        let encoder = encoder.open_as(codec).map_err(fail)?;
        let samples_a_packet = encoder.frame_size() as usize;
        let stream = mp4.add_encoded(&encoder, None, None)?;
        Ok(AudioTrack { encoder, stream, waiting: Vec::new(), sent: 0, rate, samples_a_packet })
    }

    fn encode(&mut self, samples: &[f32], mp4: &mut Mp4, path: &Path) -> Result<(), VideoError> {
        let mut sound = frame::Audio::new(Sample::F32(sample::Type::Planar), samples.len(), ChannelLayout::MONO);
        sound.set_rate(self.rate);
        sound.plane_mut::<f32>(0).copy_from_slice(samples);
        sound.set_pts(Some(self.sent));
        self.sent += samples.len() as i64;
        self.encoder.send_frame(&sound).map_err(|e| VideoError::encoder(path, "encoding sound", e))?;
        drain(&mut self.encoder, self.stream, mp4, path)
    }

    fn finish(&mut self, mp4: &mut Mp4, path: &Path) -> Result<(), VideoError> {
        let rest = std::mem::take(&mut self.waiting);
        if !rest.is_empty() {
            self.encode(&rest, mp4, path)?;
        }
        self.encoder.send_eof().map_err(|e| VideoError::encoder(path, "encoding sound", e))?;
        drain(&mut self.encoder, self.stream, mp4, path)
    }
}

/// Writes every packet an encoder has ready.
fn drain(encoder: &mut encoder::Encoder, stream: usize, mp4: &mut Mp4, path: &Path) -> Result<(), VideoError> {
    loop {
        let mut packet = Packet::empty();
        match encoder.receive_packet(&mut packet) {
            Ok(()) => mp4.write(stream, packet)?,
            Err(AvError::Eof) => return Ok(()),
            Err(error) if libav::is_again(&error) => return Ok(()),
            Err(error) => return Err(VideoError::encoder(path, "encoding", error)),
        }
    }
}

fn rational(ratio: Ratio) -> Rational {
    let part = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    Rational(part(ratio.num), part(ratio.den))
}

fn color_tags(matrix: Option<Matrix>) -> ColorTags {
    let (space, primaries, transfer) = match matrix {
        Some(Matrix::Bt601) => {
            (color::Space::SMPTE170M, color::Primaries::SMPTE170M, color::TransferCharacteristic::SMPTE170M)
        }
        Some(Matrix::Bt709) => (color::Space::BT709, color::Primaries::BT709, color::TransferCharacteristic::BT709),
        None => (color::Space::Unspecified, color::Primaries::Unspecified, color::TransferCharacteristic::Unspecified),
    };
    ColorTags { space, range: color::Range::MPEG, primaries, transfer }
}
