//! The cases that most tests take.

use crate::cuda::conformance::{Case, Random};
use crate::cuda::tables::Tables;
use crate::frames::{
    Chroma, ColourMatrix, ColourRange, Element, Fit, FrameSpec, Layout, Picture, PixelFormat, Shape, Turn,
};
use crate::time::Ratio;

/// A usual one: a wide picture of a format made small, with bars.
pub(super) fn usual(format: PixelFormat, pictures: usize) -> Case {
    let spec = FrameSpec { fit: Fit::Letterbox, pad: [0, 60, 120], ..FrameSpec::plain(36, 22) };
    of(format, (75, 39), &spec, pictures)
}

/// How samples lie: bytes and words, planar and in turn, with chroma of half the size and of the whole.
const FORMATS: [PixelFormat; 5] = [
    PixelFormat::I420,
    PixelFormat::NV12,
    PixelFormat::planar(8, 0, 0),
    PixelFormat::P010,
    PixelFormat::planar(10, 1, 1),
];

/// The usual one for each kernel, in each way that its samples may lie; and the kernel's name.
pub(super) fn of_each_kernel(pictures: usize) -> Vec<(&'static str, Case)> {
    let numbers = [(Element::U8, Layout::Nhwc), (Element::F16, Layout::Nchw), (Element::F32, Layout::Nchw)];
    let kinds = FORMATS.iter().flat_map(|format| numbers.map(|(element, layout)| (*format, element, layout)));
    let made = kinds.map(|(format, element, layout)| {
        let plan = usual(format, pictures).plan;
        let spec = FrameSpec { element, layout, ..plan.spec };
        let case = Case::new(&spec, &plan.shape, pictures, &mut Random::new(7)).unwrap();
        (Tables::of(&case.plan).unwrap().kernel, case)
    });
    made.collect()
}

/// One that is done at once, for tests of all that is around it.
pub(super) fn tiny(pictures: usize) -> Case {
    of(PixelFormat::NV12, (10, 6), &FrameSpec::plain(4, 3), pictures)
}

fn of(format: PixelFormat, (width, height): (u32, u32), spec: &FrameSpec, pictures: usize) -> Case {
    let shape = Shape {
        width,
        height,
        format,
        matrix: ColourMatrix::Bt709,
        range: ColourRange::Limited,
        pixel_aspect: Ratio { num: 1, den: 1 },
        turn: Turn::default(),
    };
    Case::new(spec, &shape, pictures, &mut Random::new(7)).unwrap()
}

/// The pictures that hold U and V by themselves, which a test exchanges.
pub(super) fn exchanged<'a>(case: &'a Case) -> Vec<Picture<'a>> {
    assert_eq!(case.plan.shape.format.chroma, Chroma::Planar);
    let swap = |picture: Picture<'a>| Picture { planes: [picture.planes[0], picture.planes[2], picture.planes[1]] };
    case.pictures().into_iter().map(swap).collect()
}
