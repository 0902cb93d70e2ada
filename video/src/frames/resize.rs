//! Turns RGB bytes of one size into RGB bytes of another with an antialiased bilinear filter.
//! Knows shapes; knows nothing of colour or of where the pixels came from.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeError, ResizeOptions, Resizer};

use super::color::Rgb;
use super::{Fit, FrameSpec};

/// A rectangle in whole pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Area {
    left: u32,
    top: u32,
    width: u32,
    height: u32,
}

/// What is taken from the source, and where it goes in the result.
#[derive(Debug, PartialEq, Eq)]
struct Placement {
    from: Area,
    to: Area,
}

/// Resizes frames, keeping the filter's buffers from one to the next.
pub(super) struct Resize {
    resizer: Resizer,
    options: ResizeOptions,
}

impl Resize {
    pub(super) fn new() -> Self {
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear)).use_alpha(false);
        Resize { resizer: Resizer::new(), options }
    }

    /// The frame at the wanted size, `[height, width, 3]`.
    pub(super) fn apply(&mut self, rgb: &Rgb, spec: &FrameSpec) -> Result<Vec<u8>, ResizeError> {
        let placed = place(rgb.width, rgb.height, spec);
        let source = TypedImageRef::<U8x3>::from_buffer(rgb.width, rgb.height, &rgb.bytes)
            .expect("the converter made the bytes to fit this size");
        let Area { left, top, width, height } = placed.from;
        let options = self.options.crop(f64::from(left), f64::from(top), f64::from(width), f64::from(height));
        let mut pixels = vec![0; placed.to.width as usize * placed.to.height as usize * 3];
        let mut resized = TypedImage::<U8x3>::from_buffer(placed.to.width, placed.to.height, &mut pixels)
            .expect("the bytes were made to fit one line above");
        // The call with types holds one kind of pixel; the other one would compile the filters of all thirteen kinds.
        self.resizer.resize_typed(&source, &mut resized, &options)?;
        if (placed.to.width, placed.to.height) == (spec.width, spec.height) {
            return Ok(pixels);
        }
        Ok(on_black(&pixels, placed.to, spec))
    }
}

fn on_black(pixels: &[u8], area: Area, spec: &FrameSpec) -> Vec<u8> {
    let stride = spec.width as usize * 3;
    let mut canvas = vec![0; stride * spec.height as usize];
    for (row, from) in pixels.chunks_exact(area.width as usize * 3).enumerate() {
        let at = (area.top as usize + row) * stride + area.left as usize * 3;
        canvas[at..at + from.len()].copy_from_slice(from);
    }
    canvas
}

fn place(width: u32, height: u32, spec: &FrameSpec) -> Placement {
    let (source, target) = (whole(width, height), whole(spec.width, spec.height));
    match spec.fit {
        Fit::Stretch => Placement { from: source, to: target },
        Fit::Crop => Placement { from: largest_inside(source, target), to: target },
        Fit::Letterbox => Placement { from: source, to: largest_inside(target, source) },
    }
}

fn whole(width: u32, height: u32) -> Area {
    Area { left: 0, top: 0, width, height }
}

/// The largest centred part of `room` that has the shape of `shape`, in whole pixels, sides rounded to the nearest.
fn largest_inside(room: Area, shape: Area) -> Area {
    let scaled = |side: u32, by: u32, of: u32, most: u32| {
        let exact = (u64::from(side) * u64::from(by) * 2 + u64::from(of)) / (2 * u64::from(of));
        u32::try_from(exact).unwrap_or(most).clamp(1, most)
    };
    let room_is_wider =
        u64::from(room.width) * u64::from(shape.height) > u64::from(room.height) * u64::from(shape.width);
    let (width, height) = if room_is_wider {
        (scaled(shape.width, room.height, shape.height, room.width), room.height)
    } else {
        (room.width, scaled(shape.height, room.width, shape.width, room.height))
    };
    Area { left: (room.width - width) / 2, top: (room.height - height) / 2, width, height }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(width: u32, height: u32, fit: Fit) -> FrameSpec {
        FrameSpec { fit, ..FrameSpec::plain(width, height) }
    }

    #[test]
    fn letterbox_keeps_the_shape_of_the_frame() {
        // 1920x1080 into 640x640: 640x360, with 140 rows of black above and below.
        let placed = place(1920, 1080, &spec(640, 640, Fit::Letterbox));
        assert_eq!(placed.to, Area { left: 0, top: 140, width: 640, height: 360 });
        assert_eq!(placed.from, whole(1920, 1080));
    }

    #[test]
    fn crop_takes_the_largest_centred_part_of_the_wanted_shape() {
        // A square out of 1920x1080 is 1080x1080, with 420 columns left out on each side.
        let placed = place(1920, 1080, &spec(224, 224, Fit::Crop));
        assert_eq!(placed.from, Area { left: 420, top: 0, width: 1080, height: 1080 });
        assert_eq!(placed.to, whole(224, 224));
    }

    #[test]
    fn stretch_takes_all_and_fills_all() {
        let placed = place(1920, 1080, &spec(64, 64, Fit::Stretch));
        assert_eq!((placed.from, placed.to), (whole(1920, 1080), whole(64, 64)));
    }

    #[test]
    fn a_side_never_becomes_zero() {
        assert_eq!(place(4000, 2, &spec(10, 10, Fit::Letterbox)).to.height, 1);
    }

    #[test]
    fn a_shrunk_checkerboard_becomes_its_mean() {
        // An antialiased filter averages what it shrinks; one that only picks pixels would give 0 or 255.
        let bytes: Vec<u8> = (0..64 * 64).flat_map(|i| [if (i + i / 64) % 2 == 0 { 0 } else { 255 }; 3]).collect();
        let small = Resize::new().apply(&Rgb { width: 64, height: 64, bytes }, &spec(4, 4, Fit::Stretch)).unwrap();
        assert!(small.iter().all(|&v| (126..=129).contains(&v)), "{small:?}");
    }
}
