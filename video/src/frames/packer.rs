//! Decoded frames as they pass -> the tensor of those that are wanted, as many at once as the device likes.

use std::ops::Range;

use ffmpeg_next::frame;

use super::choose::FrameTimes;
use super::decoded::{Unpacker, picture_of, shape_in, shape_of};
use super::plan::{Plan, Preprocess, Shape};
use super::sample::{Clip, Sampled, bad_option};
use super::surface::Surface;
use super::{Element, FrameSpec, Layout};
use crate::error::VideoError;
use crate::libav::hardware::KEPT;
use crate::libav::raw;

/// Bytes of pictures that wait for each other, at most: two batches of a GPU.
const MOST_WAITING: usize = 128 << 20;

/// Collects the wanted frames as they pass.
pub(super) struct Packer<'a> {
    clip: &'a Clip<'a>,
    device: &'a mut dyn Preprocess,
    /// The numbers of the wanted frames, never falling.
    wanted: Vec<usize>,
    /// How many of them were taken.
    taken: usize,
    unpacker: Unpacker,
    plans: Option<Plans>,
    /// Frames that the plans are for, and how often each is wanted. No copies: the decoder leaves them alone.
    waiting: Vec<(frame::Video, usize)>,
    data: Vec<u8>,
    rgb: Vec<u8>,
}

/// What is made of pictures of a shape.
struct Plans {
    shape: Shape,
    /// Whether the pictures lie where a GPU has decoded them.
    is_there: bool,
    tensor: Plan,
    rgb: Option<Plan>,
    /// How many pictures wait for each other.
    at_once: usize,
}

impl<'a> Packer<'a> {
    pub(super) fn new(
        clip: &'a Clip<'a>,
        device: &'a mut dyn Preprocess,
        wanted: Vec<usize>,
    ) -> Result<Self, VideoError> {
        clip.spec.check_frames(wanted.len()).map_err(|e| bad_option(clip.path, e))?;
        let bytes = wanted.len() * clip.spec.frame_bytes();
        Ok(Packer {
            clip,
            device,
            wanted,
            taken: 0,
            unpacker: Unpacker::default(),
            plans: None,
            waiting: Vec::new(),
            data: Vec::with_capacity(bytes),
            rgb: Vec::new(),
        })
    }

    /// Whether the next wanted frame lies in a span.
    pub(super) fn next_in(&self, times: &FrameTimes, span: &Range<i64>) -> bool {
        self.wanted.get(self.taken).is_some_and(|&index| span.contains(&times.ticks[index]))
    }

    /// Takes a frame if it is the next one wanted.
    pub(super) fn take(&mut self, index: usize, frame: &frame::Video) -> Result<(), VideoError> {
        if self.wanted.get(self.taken) != Some(&index) {
            return Ok(());
        }
        let (frame, shape, is_there) = self.seen(frame)?;
        // A stream may change its size or its tags on the way: every picture is planned by what it is.
        if self.plans.as_ref().is_none_or(|plans| (plans.shape, plans.is_there) != (shape, is_there)) {
            self.make()?;
            self.plans = Some(self.plans_for(shape, is_there)?);
        }
        let repeats = self.wanted[self.taken..].iter().take_while(|wanted| **wanted == index).count();
        self.waiting.push((frame, repeats));
        self.taken += repeats;
        let is_enough = self.plans.as_ref().is_none_or(|plans| self.waiting.len() >= plans.at_once);
        if is_enough { self.make() } else { Ok(()) }
    }

    /// The frame to keep, what it is, and whether it is on a GPU.
    fn seen(&mut self, frame: &frame::Video) -> Result<(frame::Video, Shape, bool), VideoError> {
        let (path, aspect, turn) = (self.clip.path, frame.aspect_ratio(), self.clip.turn);
        if let Some(surface) = Surface::of(frame, path)? {
            return Ok((raw::share(frame), shape_in(surface.format, frame, aspect, turn), true));
        }
        if let Some(hardware) = &self.clip.hardware {
            let pixels = frame.format().descriptor().map_or("unknown pixels", |pixels| pixels.name());
            hardware.tell(format!(
                "some clips are decoded on the CPU: the GPU's decoder (libnvcuvid.so.1) is missing or does not take \
                 theirs ({pixels})"
            ));
        }
        let planar = self.unpacker.planar(raw::share(frame), path)?;
        let shape = shape_of(&planar, aspect, turn, path)?;
        Ok((planar, shape, false))
    }

    fn plans_for(&self, shape: Shape, is_there: bool) -> Result<Plans, VideoError> {
        let rgb = FrameSpec { element: Element::U8, layout: Layout::Nhwc, ..*self.clip.spec };
        let plan = |spec| Plan::new(spec, &shape).map_err(|e| bad_option(self.clip.path, e));
        // A decoder on a GPU comes to a stop when it is left no surface to decode into.
        let most = if is_there { KEPT } else { MOST_WAITING / shape.bytes().max(1) };
        let at_once = self.device.at_once().min(most).max(1);
        Ok(Plans {
            tensor: plan(self.clip.spec)?,
            rgb: self.clip.spec.keep_rgb.then(|| plan(&rgb)).transpose()?,
            shape,
            is_there,
            at_once,
        })
    }

    /// Makes the tensors of the frames that wait.
    fn make(&mut self) -> Result<(), VideoError> {
        let waiting = std::mem::take(&mut self.waiting);
        let Some(plans) = self.plans.as_ref().filter(|_| !waiting.is_empty()) else { return Ok(()) };
        for (plan, to) in [(Some(&plans.tensor), &mut self.data), (plans.rgb.as_ref(), &mut self.rgb)] {
            let Some(plan) = plan else { continue };
            let begin = to.len();
            to.resize(begin + waiting.len() * plan.frame_bytes(), 0);
            if plans.is_there {
                let surfaces = waiting.iter().map(|(frame, _)| Surface::of(frame, self.clip.path));
                let surfaces: Vec<Surface<'_>> = surfaces.filter_map(Result::transpose).collect::<Result<_, _>>()?;
                self.device.run_there(plan, &surfaces, &mut to[begin..])
            } else {
                let pictures: Vec<_> = waiting.iter().map(|(frame, _)| picture_of(frame)).collect();
                self.device.run(plan, &pictures, &mut to[begin..])
            }
            .map_err(|e| bad_option(self.clip.path, e))?;
            repeat(to, begin, plan.frame_bytes(), waiting.iter().map(|(_, repeats)| *repeats));
        }
        Ok(())
    }

    pub(super) fn is_full(&self) -> bool {
        self.taken == self.wanted.len()
    }

    pub(super) fn finish(mut self, clip_frames: usize) -> Result<Sampled, VideoError> {
        self.make()?;
        Ok(Sampled {
            frames: self.taken,
            width: self.clip.spec.width,
            height: self.clip.spec.height,
            data: self.data,
            rgb: self.clip.spec.keep_rgb.then_some(self.rgb),
            indexes: self.wanted[..self.taken].to_vec(),
            clip_frames,
        })
    }
}

/// Each of the pieces from `begin` on, as often as it is wanted. Begins with the last, so that none is overwritten before it
/// was copied.
fn repeat(data: &mut Vec<u8>, begin: usize, piece: usize, times: impl DoubleEndedIterator<Item = usize> + Clone) {
    let mut end = begin + piece * times.clone().sum::<usize>();
    data.resize(end, 0);
    let pieces: Vec<usize> = times.collect();
    for (number, &times) in pieces.iter().enumerate().rev() {
        let from = begin + number * piece;
        for _ in 0..times {
            end -= piece;
            data.copy_within(from..from + piece, end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::repeat;

    #[test]
    fn each_piece_stands_as_often_as_it_is_wanted() {
        let mut data = b"xxaabbcc".to_vec();
        repeat(&mut data, 2, 2, [1, 3, 2].into_iter());
        assert_eq!(data, b"xxaabbbbbbcccc");
        let mut data = b"xxaabb".to_vec();
        repeat(&mut data, 2, 2, [1, 1].into_iter());
        assert_eq!(data, b"xxaabb");
    }
}
