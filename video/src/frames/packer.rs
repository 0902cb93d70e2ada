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
    data: Filling,
    rgb: Filling,
}

/// The bytes of a clip: all of them from the beginning, since pages that nobody wrote cost nothing, and how many are made.
/// To let them grow frame by frame would be to write all twice.
#[derive(Default)]
struct Filling {
    bytes: Vec<u8>,
    made: usize,
}

impl Filling {
    fn of(bytes: usize) -> Self {
        Filling { bytes: vec![0; bytes], made: 0 }
    }

    /// As `of`, in the memory of `room` if that is enough. What it held is never seen: every byte is made before it counts.
    fn within(mut room: Vec<u8>, bytes: usize) -> Self {
        if room.capacity() < bytes {
            drop(room);
            return Filling::of(bytes);
        }
        room.resize(bytes, 0);
        Filling { bytes: room, made: 0 }
    }

    /// The bytes of the next pieces.
    fn next(&mut self, bytes: usize) -> &mut [u8] {
        &mut self.bytes[self.made..][..bytes]
    }

    /// Takes in the pieces of `next`, each as often as it is wanted. Begins with the last, so that none is overwritten
    /// before it was copied.
    fn take_in(&mut self, piece: usize, times: &[usize]) {
        let begin = self.made;
        self.made += piece * times.iter().sum::<usize>();
        let mut end = self.made;
        for (number, &times) in times.iter().enumerate().rev() {
            let from = begin + number * piece;
            for _ in 0..times {
                end -= piece;
                if end != from {
                    self.bytes.copy_within(from..from + piece, end);
                }
            }
        }
    }

    fn finish(mut self) -> Vec<u8> {
        self.bytes.truncate(self.made);
        self.bytes
    }
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
        room: Vec<u8>,
    ) -> Result<Self, VideoError> {
        clip.spec.check_frames(wanted.len()).map_err(|e| bad_option(clip.path, e))?;
        let bytes_of = |spec: &FrameSpec| wanted.len() * spec.frame_bytes();
        let data = Filling::within(room, bytes_of(clip.spec));
        let rgb = clip.spec.keep_rgb.then(|| Filling::of(bytes_of(&rgb_of(clip.spec))));
        Ok(Packer {
            clip,
            device,
            wanted,
            taken: 0,
            unpacker: Unpacker::default(),
            plans: None,
            waiting: Vec::new(),
            data,
            rgb: rgb.unwrap_or_default(),
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
        let rgb = rgb_of(self.clip.spec);
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
        let times: Vec<usize> = waiting.iter().map(|(_, repeats)| *repeats).collect();
        for (plan, to) in [(Some(&plans.tensor), &mut self.data), (plans.rgb.as_ref(), &mut self.rgb)] {
            let Some(plan) = plan else { continue };
            let out = to.next(waiting.len() * plan.frame_bytes());
            if plans.is_there {
                let surfaces = waiting.iter().map(|(frame, _)| Surface::of(frame, self.clip.path));
                let surfaces: Vec<Surface<'_>> = surfaces.filter_map(Result::transpose).collect::<Result<_, _>>()?;
                self.device.run_there(plan, &surfaces, out)
            } else {
                let pictures: Vec<_> = waiting.iter().map(|(frame, _)| picture_of(frame)).collect();
                self.device.run(plan, &pictures, out)
            }
            .map_err(|e| bad_option(self.clip.path, e))?;
            to.take_in(plan.frame_bytes(), &times);
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
            data: self.data.finish(),
            rgb: self.clip.spec.keep_rgb.then(|| self.rgb.finish()),
            indexes: self.wanted[..self.taken].to_vec(),
            clip_frames,
        })
    }
}

/// The pixels of a tensor before they were normalised.
fn rgb_of(spec: &FrameSpec) -> FrameSpec {
    FrameSpec { element: Element::U8, layout: Layout::Nhwc, ..*spec }
}

#[cfg(test)]
mod tests {
    use super::Filling;

    #[test]
    fn each_piece_stands_as_often_as_it_is_wanted() {
        let mut filling = Filling::of(18);
        filling.next(2).copy_from_slice(b"xx");
        filling.take_in(2, &[1]);
        filling.next(6).copy_from_slice(b"aabbcc");
        filling.take_in(2, &[1, 3, 2]);
        filling.next(4).copy_from_slice(b"ddee");
        filling.take_in(2, &[1, 1]);
        assert_eq!(filling.finish(), b"xxaabbbbbbccccddee");
    }

    #[test]
    fn of_the_room_that_is_given_only_what_is_made_is_seen() {
        let room = b"an older tensor".to_vec();
        let lies_at = room.as_ptr();
        let mut filling = Filling::within(room, 6);
        filling.next(2).copy_from_slice(b"aa");
        filling.take_in(2, &[2]);
        let made = filling.finish();
        assert_eq!((made.as_slice(), made.as_ptr()), (b"aaaa".as_slice(), lies_at));
        assert_eq!(Filling::within(made, 1 << 10).bytes, [0; 1 << 10]);
    }

    #[test]
    fn what_is_not_made_is_not_there() {
        let mut filling = Filling::of(8);
        filling.next(2).copy_from_slice(b"aa");
        filling.take_in(2, &[2]);
        assert_eq!(filling.finish(), b"aaaa");
    }
}
