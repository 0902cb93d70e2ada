//! Turns a clip into a tensor: reads its frame times, chooses, decodes what is needed, converts only what was chosen.

use std::mem;
use std::path::Path;
use std::sync::Arc;

use ffmpeg_next::frame;

use super::choose::{FrameTimes, Sampling, choose};
use super::decoded::turn_of;
use super::index::Index;
use super::packer::Packer;
use super::plan::{Preprocess, Turn};
use super::{Cpu, FrameError, FrameSpec};
use crate::error::VideoError;
use crate::libav::hardware::Hardware;
use crate::libav::raw;
use crate::source::{Source, TickSpan};

/// Frames of a clip as a tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampled {
    /// How many frames: the first dimension.
    pub frames: usize,
    /// Width of each.
    pub width: u32,
    /// Height of each.
    pub height: u32,
    /// The frames one after the other, in the layout and of the type that the spec names, little-endian.
    pub data: Vec<u8>,
    /// `[frames, height, width, 3]`, the same pixels before normalising, when the spec asked for them.
    pub rgb: Option<Vec<u8>>,
    /// The number of each frame in the clip, from 0.
    pub indexes: Vec<usize>,
    /// How many frames the clip has.
    pub clip_frames: usize,
}

impl Sampled {
    /// The numbers of a tensor of `Element::F32`.
    pub fn floats(&self) -> Vec<f32> {
        self.data.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    }
}

/// Decodes a clip and turns the chosen frames into a tensor, on one thread. Pictures are turned as the clip says.
///
/// # Errors
/// As `probe`, and `Corrupt` when a frame cannot be decoded or there is none; `BadOption` for sizes, counts or
/// divisors that cannot be.
pub fn sample(path: &Path, sampling: Sampling, spec: &FrameSpec) -> Result<Sampled, VideoError> {
    sample_on(&mut Cpu::new(1), path, sampling, spec)
}

/// As `sample`, on a device of the caller's choice, which may keep its buffers from clip to clip.
///
/// # Errors
/// As `sample`, and those of the device.
pub fn sample_on(
    device: &mut dyn Preprocess,
    path: &Path,
    sampling: Sampling,
    spec: &FrameSpec,
) -> Result<Sampled, VideoError> {
    sample_into(device, path, sampling, spec, Vec::new())
}

/// As `sample_on`, with the tensor in the memory of `room`, whose bytes are lost: the tensor of a clip that is done with.
/// Memory that is new has to be cleared by the system page by page, which at 640 costs a tenth of the time that a clip takes.
///
/// # Errors
/// As `sample_on`.
pub fn sample_into(
    device: &mut dyn Preprocess,
    path: &Path,
    sampling: Sampling,
    spec: &FrameSpec,
    mut room: Vec<u8>,
) -> Result<Sampled, VideoError> {
    spec.check().map_err(|e| bad_option(path, e))?;
    check(path, sampling)?;
    spec.check_frames(sampling.at_least()).map_err(|e| bad_option(path, e))?;
    if let Some(hardware) = device.hardware() {
        match sample_beside(device, Some(Arc::clone(&hardware)), path, sampling, spec, &mut room) {
            Ok(sampled) => return Ok(sampled),
            // Whatever is wrong with the clip is for the CPU to say: it knows more, and its word is the same everywhere.
            Err(error) => hardware.tell(format!("a clip is decoded on the CPU, as the GPU failed with it: {error}")),
        }
    }
    sample_beside(device, None, path, sampling, spec, &mut room)
}

fn sample_beside(
    device: &mut dyn Preprocess,
    hardware: Option<Arc<Hardware>>,
    path: &Path,
    sampling: Sampling,
    spec: &FrameSpec,
    room: &mut Vec<u8>,
) -> Result<Sampled, VideoError> {
    let source = Source::open_beside(path, hardware.clone())?;
    let index = Index::read(path, &source)?;
    let clip = Clip { path, turn: turn(path, &source)?, spec, hardware };
    let wanted = choose(&index.times, source.video().base, sampling);
    let source = match index.spans(&wanted) {
        None => source,
        Some(spans) => {
            // What the index states is not proved by decoding all of it. When a frame is not where it should be, or cannot
            // be decoded, the whole clip is looked at, which also says what is wrong with it.
            if let Ok(Some(sampled)) =
                clip.in_spans((&mut *device, &mut *room), source, &index.times, wanted.clone(), &spans)
            {
                return Ok(sampled);
            }
            clip.open()?
        }
    };
    let (sampled, decoded) = clip.whole((&mut *device, &mut *room), source, wanted)?;
    if decoded.ticks == index.times.ticks {
        return Ok(sampled);
    }
    // The container promised other frames than the decoder gave: times were made up, or pictures share one. The decoder
    // is right, so the choice is made again from what it gave.
    let again = clip.open()?;
    let times = FrameTimes { last_ticks: index.times.last_ticks, ..decoded };
    let wanted = choose(&times, again.video().base, sampling);
    clip.whole((device, room), again, wanted).map(|(sampled, _)| sampled)
}

fn check(path: &Path, sampling: Sampling) -> Result<(), VideoError> {
    let empty = match sampling {
        Sampling::Uniform { n } | Sampling::Every { n } => n == 0,
        Sampling::Fps { fps } => fps.num == 0 || fps.den == 0,
        Sampling::Around { n, step, .. } => n == 0 || step == 0,
    };
    if empty {
        return Err(VideoError::bad_option(path, "the sampling chooses no frame", "give a number above 0"));
    }
    Ok(())
}

pub(super) fn bad_option(path: &Path, error: FrameError) -> VideoError {
    VideoError::bad_option(path, error.message, error.help)
}

pub(super) fn turn(path: &Path, source: &Source) -> Result<Turn, VideoError> {
    let stream = source.input().stream(source.video().index);
    let Some(matrix) = stream.and_then(|stream| raw::display_matrix(&stream)) else { return Ok(Turn::default()) };
    turn_of(&matrix).ok_or_else(|| {
        let message = "the pictures are to be shown slanted or stretched by their display matrix";
        VideoError::unsupported(path, message)
    })
}

/// What is asked of one clip.
pub(super) struct Clip<'a> {
    pub(super) path: &'a Path,
    pub(super) turn: Turn,
    pub(super) spec: &'a FrameSpec,
    /// What decodes it, if it is not the CPU.
    pub(super) hardware: Option<Arc<Hardware>>,
}

impl Clip<'_> {
    fn open(&self) -> Result<Source, VideoError> {
        Source::open_beside(self.path, self.hardware.clone())
    }

    /// Decodes everything. Also gives the times of all frames.
    fn whole(
        &self,
        (device, room): (&mut dyn Preprocess, &mut Vec<u8>),
        mut source: Source,
        wanted: Vec<usize>,
    ) -> Result<(Sampled, FrameTimes), VideoError> {
        source.begin(TickSpan::WHOLE)?;
        let mut packer = Packer::new(self, device, wanted, mem::take(room))?;
        let mut seen = FrameTimes { ticks: Vec::new(), last_ticks: 1 };
        let mut frame = frame::Video::empty();
        while source.next_frame(&mut frame)? {
            let pts = frame.timestamp().unwrap_or(i64::MAX);
            refuse_damage(self.path, &source, &frame, pts)?;
            packer.take(seen.ticks.len(), &frame)?;
            seen.ticks.push(pts);
        }
        source.check_promise(seen.ticks.len() as u64, &frame)?;
        if seen.ticks.is_empty() {
            return Err(VideoError::corrupt(self.path, "no frame of the video can be decoded"));
        }
        Ok((packer.finish(seen.ticks.len())?, seen))
    }

    /// Decodes the spans in which all wanted frames lie. `None`: not all of them are there.
    fn in_spans(
        &self,
        (device, room): (&mut dyn Preprocess, &mut Vec<u8>),
        mut source: Source,
        times: &FrameTimes,
        wanted: Vec<usize>,
        spans: &[std::ops::Range<i64>],
    ) -> Result<Option<Sampled>, VideoError> {
        source.want_only(wanted.iter().map(|&index| times.ticks[index]).collect());
        let mut packer = Packer::new(self, device, wanted, mem::take(room))?;
        let mut frame = frame::Video::empty();
        for span in spans {
            source.begin(TickSpan { video: span.clone() })?;
            while packer.next_in(times, span) && source.next_frame(&mut frame)? {
                let Some(pts) = frame.timestamp().filter(|pts| span.contains(pts)) else { continue };
                refuse_damage(self.path, &source, &frame, pts)?;
                let Ok(index) = times.ticks.binary_search(&pts) else { return Ok(None) };
                packer.take(index, &frame)?;
            }
        }
        if packer.is_full() { packer.finish(times.ticks.len()).map(Some) } else { Ok(None) }
    }
}

pub(super) fn refuse_damage(path: &Path, source: &Source, frame: &frame::Video, pts: i64) -> Result<(), VideoError> {
    if frame.is_corrupt() || frame.has_decode_errors() {
        return Err(VideoError::corrupt(path, format!("the picture at {} ms is damaged", source.ms(pts))));
    }
    Ok(())
}
