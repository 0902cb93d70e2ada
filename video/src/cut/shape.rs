//! Brings decoded frames into the form a clip asks for: size, pixels, and how many of them a second.

use std::ops::Range;
use std::path::{Path, PathBuf};

use ffmpeg_next::software::scaling;
use ffmpeg_next::{Rational, format, frame, picture};

use crate::cut::CutOptions;
use crate::encode::Pictures;
use crate::error::VideoError;
use crate::libav::raw::Scaler;
use crate::time::Moment;

/// Pixels, width, height.
type Form = (format::Pixel, u32, u32);

/// Frames go in as they were decoded and come out as they are encoded, with times in ticks of the clip.
pub(super) struct Shaper {
    /// The form of the frames that go in, which may change on the way, and what brings them into the asked one.
    form: Form,
    scaler: Option<Scaler>,
    asked: Form,
    from: PathBuf,
    /// Ticks of the frames that go in.
    base: Rational,
    /// Ticks of the frames that come out, when there is one frame to each tick.
    grid: Option<Rational>,
    /// The frame that is on screen, and the next tick to show it at.
    on_screen: Option<frame::Video>,
    next: i64,
    out: PathBuf,
}

/// A frame, and the ticks of the clip at each of which it is encoded. It may be many: a picture that stands for a minute is one
/// frame of the source.
pub(super) struct Shown {
    pub(super) frame: frame::Video,
    pub(super) ticks: Range<i64>,
}

/// The pictures an encoder is told of, when the source's are `pictures`.
pub(super) fn asked(pictures: Pictures, options: &CutOptions) -> Pictures {
    let (width, height) = options.size.unwrap_or((pictures.width, pictures.height));
    let rate = options.frame_rate.map(|rate| {
        let part = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
        Rational(part(rate.num), part(rate.den))
    });
    Pictures {
        width,
        height,
        format: options.pixels.map_or(pictures.format, |pixels| pixels.format(is_full_range(pictures.format))),
        time_base: rate.map_or(pictures.time_base, |rate| rate.invert()),
        frame_rate: rate.or(pictures.frame_rate),
        pixel_aspect: aspect_after(pictures.pixel_aspect, (pictures.width, pictures.height), (width, height)),
        ..pictures
    }
}

fn is_full_range(pixels: format::Pixel) -> bool {
    use format::Pixel::{YUVJ420P, YUVJ422P, YUVJ444P};
    matches!(pixels, YUVJ420P | YUVJ422P | YUVJ444P)
}

/// The shape of pixels that keeps the shape of the whole.
fn aspect_after(aspect: Rational, from: (u32, u32), to: (u32, u32)) -> Rational {
    if from == to || aspect.numerator() <= 0 {
        return aspect;
    }
    let wide = i128::from(aspect.numerator()) * i128::from(from.0) * i128::from(to.1);
    let high = i128::from(aspect.denominator()) * i128::from(from.1) * i128::from(to.0);
    let (num, den) = Moment::ratio(wide, high).reduced();
    match (i32::try_from(num), i32::try_from(den)) {
        (Ok(num), Ok(den)) => Rational(num, den),
        _ => Rational(1, 1),
    }
}

impl Shaper {
    /// `frame`: the first one. `source`, `asked`: the pictures before and after.
    pub(super) fn new(
        frame: &frame::Video,
        source: &Pictures,
        asked: &Pictures,
        options: &CutOptions,
        (from, out): (&Path, &Path),
    ) -> Result<Self, VideoError> {
        let ticks = asked.time_base;
        let asked = (asked.format, asked.width, asked.height);
        Ok(Shaper {
            form: form_of(frame),
            scaler: scaler(frame, asked, from)?,
            asked,
            from: from.to_owned(),
            base: source.time_base,
            grid: options.frame_rate.map(|_| ticks),
            on_screen: None,
            next: 0,
            out: out.to_owned(),
        })
    }

    /// Takes a frame that is shown `ticks` after the clip's first, and gives what can be encoded now.
    pub(super) fn push(&mut self, frame: &mut frame::Video, ticks: i64) -> Result<Option<Shown>, VideoError> {
        if form_of(frame) != self.form {
            self.scaler = scaler(frame, self.asked, &self.from)?;
            self.form = form_of(frame);
        }
        let mut ready = frame::Video::empty();
        match &mut self.scaler {
            None => std::mem::swap(frame, &mut ready),
            Some(scaler) => {
                scaler.run(frame, &mut ready).map_err(|e| VideoError::encoder(&self.out, "converting", e))?;
            }
        }
        // The decoder's word for how the picture was coded would be an order to the encoder.
        ready.set_kind(picture::Type::None);
        if self.grid.is_none() {
            return Ok(Some(Shown { frame: ready, ticks: ticks..ticks + 1 }));
        }
        let shown = self.show_until(ticks);
        self.on_screen = Some(ready);
        Ok(shown)
    }

    /// What remains when the last frame is shown until `ticks`.
    pub(super) fn finish(&mut self, ticks: i64) -> Option<Shown> {
        self.show_until(ticks)
    }

    /// The frame on screen, which another one follows at a moment.
    fn show_until(&mut self, ticks: i64) -> Option<Shown> {
        let (grid, frame) = (self.grid?, self.on_screen.take()?);
        let until = Moment::from_ticks(ticks, self.base).first_tick(grid);
        let ticks = self.next..until;
        self.next = self.next.max(until);
        Some(Shown { frame, ticks })
    }
}

fn form_of(frame: &frame::Video) -> Form {
    (frame.format(), frame.width(), frame.height())
}

fn scaler(frame: &frame::Video, asked: Form, path: &Path) -> Result<Option<Scaler>, VideoError> {
    let (from, width, height) = form_of(frame);
    if form_of(frame) == asked {
        return Ok(None);
    }
    let flags = scaling::Flags::BICUBIC | scaling::Flags::ACCURATE_RND | scaling::Flags::BITEXACT;
    let (to, wide, high) = asked;
    scaling::Context::get(from, width, height, to, wide, high, flags)
        .map(|context| Some(Scaler::new(context)))
        .map_err(|_| VideoError::unsupported(path, format!("pixels of the format {from:?} cannot be converted")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_change_their_shape_so_that_pictures_keep_theirs() {
        // 1920 by 1080 squeezed into a square: each pixel is 16 wide and 9 high.
        assert_eq!(aspect_after(Rational(1, 1), (1920, 1080), (224, 224)), Rational(16, 9));
        assert_eq!(aspect_after(Rational(4, 3), (720, 576), (360, 288)), Rational(4, 3));
        assert_eq!(aspect_after(Rational(0, 1), (720, 576), (360, 200)), Rational(0, 1));
    }
}
