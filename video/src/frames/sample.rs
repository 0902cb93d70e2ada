//! Turns a clip into a tensor: reads its frame times, chooses, decodes once, converts only what was chosen.

use std::path::Path;

use ffmpeg_next::{Packet, frame};

use super::FrameSpec;
use super::choose::{FrameTimes, Sampling, choose};
use super::color::Converter;
use super::resize::Resize;
use super::tensor::Normalise;
use crate::error::VideoError;
use crate::source::{Source, TickSpan, open_input};

/// Frames of a clip as a tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampled {
    /// How many frames: the first dimension.
    pub frames: usize,
    /// Width of each.
    pub width: u32,
    /// Height of each.
    pub height: u32,
    /// `[frames, 3, height, width]`, row-major, normalised as the spec says.
    pub data: Vec<f32>,
    /// `[frames, height, width, 3]`, the same pixels before normalising, when the spec asked for them.
    pub rgb: Option<Vec<u8>>,
    /// The number of each frame in the clip, from 0.
    pub indexes: Vec<usize>,
    /// How many frames the clip has.
    pub clip_frames: usize,
}

/// Decodes a clip and turns the chosen frames into a tensor. Pictures are taken as they are coded, not turned.
///
/// # Errors
/// As `probe`, and `Corrupt` when a frame cannot be decoded or there is none; `BadOption` for sizes, counts or
/// divisors of 0.
pub fn sample(path: &Path, sampling: Sampling, spec: &FrameSpec) -> Result<Sampled, VideoError> {
    check(path, sampling, spec)?;
    let stated = stated_times(path)?;
    let (sampled, decoded) = decode(path, &stated, sampling, spec)?;
    if decoded == stated {
        return Ok(sampled);
    }
    // The container promised other frames than the decoder gave: an edit list hides some, or times were made up. The
    // decoder is right, so the choice is made again from what it gave.
    decode(path, &decoded, sampling, spec).map(|(sampled, _)| sampled)
}

fn check(path: &Path, sampling: Sampling, spec: &FrameSpec) -> Result<(), VideoError> {
    let empty = match sampling {
        Sampling::Uniform { n } | Sampling::Every { n } => n == 0,
        Sampling::Fps { fps } => fps.num == 0 || fps.den == 0,
    };
    if empty {
        return Err(VideoError::bad_option(path, "the sampling chooses no frame", "give a number above 0"));
    }
    if spec.width == 0 || spec.height == 0 {
        let message = format!("frames of {}x{} have no pixels", spec.width, spec.height);
        return Err(VideoError::bad_option(path, message, "give a width and a height above 0"));
    }
    if spec.std.contains(&0.0) {
        return Err(VideoError::bad_option(path, "a channel's std is 0", "give 1 to leave values as they are"));
    }
    Ok(())
}

/// The times of a clip's frames as its index states them, without decoding.
fn stated_times(path: &Path) -> Result<FrameTimes, VideoError> {
    let source = Source::open(path)?;
    let video = source.video().index;
    let mut input = open_input(path)?;
    let mut shown: Vec<(i64, i64)> = Vec::new();
    let mut packet = Packet::empty();
    while packet.read(&mut input).is_ok() {
        if packet.stream() == video {
            shown.push((packet.pts().unwrap_or(i64::MAX), packet.duration()));
        }
    }
    shown.sort_unstable();
    let last_ticks = shown.last().map_or(1, |&(_, ticks)| ticks);
    Ok(FrameTimes { ticks: shown.into_iter().map(|(pts, _)| pts).collect(), last_ticks })
}

fn decode(
    path: &Path,
    times: &FrameTimes,
    sampling: Sampling,
    spec: &FrameSpec,
) -> Result<(Sampled, FrameTimes), VideoError> {
    let mut source = Source::open(path)?;
    source.begin(TickSpan::WHOLE)?;
    let wanted = choose(times, source.video().base, sampling);
    let mut packer = Packer::new(spec, wanted);
    let mut seen = FrameTimes { ticks: Vec::with_capacity(times.ticks.len()), last_ticks: times.last_ticks };
    let mut frame = frame::Video::empty();
    while source.next_frame(&mut frame)? {
        let pts = frame.timestamp().unwrap_or(i64::MAX);
        if frame.is_corrupt() || frame.has_decode_errors() {
            return Err(VideoError::corrupt(path, format!("the picture at {} ms is damaged", source.ms(pts))));
        }
        packer.take(seen.ticks.len(), &frame, path)?;
        seen.ticks.push(pts);
    }
    source.check_promise(seen.ticks.len() as u64, &frame)?;
    if seen.ticks.is_empty() {
        return Err(VideoError::corrupt(path, "no frame of the video can be decoded"));
    }
    Ok((packer.finish(seen.ticks.len()), seen))
}

/// Collects the wanted frames as they pass.
struct Packer<'a> {
    spec: &'a FrameSpec,
    wanted: std::iter::Peekable<std::vec::IntoIter<usize>>,
    converter: Converter,
    resize: Resize,
    normalise: Normalise,
    data: Vec<f32>,
    rgb: Vec<u8>,
    indexes: Vec<usize>,
}

impl<'a> Packer<'a> {
    fn new(spec: &'a FrameSpec, wanted: Vec<usize>) -> Self {
        let values = wanted.len() * spec.width as usize * spec.height as usize * 3;
        Packer {
            spec,
            converter: Converter::default(),
            resize: Resize::new(),
            normalise: Normalise::new(spec),
            data: Vec::with_capacity(values),
            rgb: Vec::with_capacity(if spec.keep_rgb { values } else { 0 }),
            indexes: Vec::with_capacity(wanted.len()),
            wanted: wanted.into_iter().peekable(),
        }
    }

    fn take(&mut self, index: usize, frame: &frame::Video, path: &Path) -> Result<(), VideoError> {
        if self.wanted.peek() != Some(&index) {
            return Ok(());
        }
        let rgb = self.converter.convert(frame, path)?;
        let small = self
            .resize
            .apply(rgb, self.spec)
            .map_err(|e| VideoError::unsupported(path, format!("the frame cannot be resized: {e}")))?;
        while self.wanted.next_if_eq(&index).is_some() {
            self.normalise.append(&small, &mut self.data);
            self.indexes.push(index);
            if self.spec.keep_rgb {
                self.rgb.extend_from_slice(&small);
            }
        }
        Ok(())
    }

    fn finish(self, clip_frames: usize) -> Sampled {
        Sampled {
            frames: self.indexes.len(),
            width: self.spec.width,
            height: self.spec.height,
            data: self.data,
            rgb: self.spec.keep_rgb.then_some(self.rgb),
            indexes: self.indexes,
            clip_frames,
        }
    }
}
