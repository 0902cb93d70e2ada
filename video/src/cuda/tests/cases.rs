//! Pictures and plans of all kinds, made from numbers.

use crate::cuda::{Gpu, GpuError};
use crate::frames::{
    Chroma, ColourMatrix, ColourRange, Element, Filter, Fit, FrameSpec, Layout, Picture, PixelFormat, Plan, Plane,
    Preprocess, Reference, Shape, Turn,
};
use crate::time::Ratio;

/// Numbers that are the same in every run.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// By George Marsaglia's xorshift.
    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 11) % end
    }

    pub(super) fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }
}

/// A plan, and pictures for it.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) plan: Plan,
    pictures: Vec<[(Vec<u8>, usize); 3]>,
}

impl Case {
    pub(super) fn new(spec: &FrameSpec, shape: &Shape, pictures: usize, random: &mut Random) -> Case {
        let plan = Plan::new(spec, shape).unwrap();
        let pictures = (0..pictures).map(|_| planes(shape, random)).collect();
        Case { plan, pictures }
    }

    /// One of anything that there is, small.
    pub(super) fn any(seed: u64) -> Case {
        let mut random = Random::new(seed);
        let formats = [
            PixelFormat::NV12,
            PixelFormat::I420,
            PixelFormat::P010,
            PixelFormat::planar(8, 1, 0),
            PixelFormat::planar(8, 0, 0),
            PixelFormat::planar(10, 1, 1),
            PixelFormat::planar(12, 0, 0),
            PixelFormat::grey(8),
        ];
        let turn = |r: &mut Random| Turn { transpose: r.below(2) > 0, flip_x: r.below(2) > 0, flip_y: r.below(2) > 0 };
        let shape = Shape {
            width: 1 + random.below(70) as u32,
            height: 1 + random.below(40) as u32,
            // The first three are what decoders give nearly always.
            format: if random.below(4) > 0 { random.one_of(&formats[..3]) } else { random.one_of(&formats) },
            matrix: random.one_of(&[ColourMatrix::Bt601, ColourMatrix::Bt709, ColourMatrix::Bt2020]),
            range: random.one_of(&[ColourRange::Limited, ColourRange::Full]),
            pixel_aspect: random.one_of(&[Ratio { num: 1, den: 1 }, Ratio { num: 4, den: 3 }]),
            turn: if random.below(2) > 0 { Turn::default() } else { turn(&mut random) },
        };
        let spec = FrameSpec {
            fit: random.one_of(&[Fit::Stretch, Fit::Letterbox, Fit::Crop]),
            filter: random.one_of(&[
                Filter::Triangle,
                Filter::Triangle,
                Filter::Bicubic,
                Filter::Area,
                Filter::Nearest,
            ]),
            pad: [9, 80, 200],
            mean: [0.485, 0.456, 0.406],
            std: [0.229, 0.224, 0.225],
            layout: random.one_of(&[Layout::Nchw, Layout::Nhwc]),
            element: random.one_of(&[Element::U8, Element::F16, Element::F32]),
            ..FrameSpec::plain(1 + random.below(48) as u32, 1 + random.below(30) as u32)
        };
        let pictures = 1 + random.below(3) as usize;
        Case::new(&spec, &shape, pictures, &mut random)
    }

    /// A usual one: a wide picture of a format made small, with bars.
    pub(super) fn usual(format: PixelFormat, pictures: usize) -> Case {
        let spec = FrameSpec { fit: Fit::Letterbox, pad: [0, 60, 120], ..FrameSpec::plain(36, 22) };
        Case::of(format, (75, 39), &spec, pictures)
    }

    /// One that is done at once, for tests of all that is around it.
    pub(super) fn tiny(pictures: usize) -> Case {
        Case::of(PixelFormat::NV12, (10, 6), &FrameSpec::plain(4, 3), pictures)
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
        Case::new(spec, &shape, pictures, &mut Random::new(7))
    }

    pub(super) fn pictures(&self) -> Vec<Picture<'_>> {
        self.pictures.iter().map(|planes| Picture { planes: std::array::from_fn(|i| plane_of(planes, i)) }).collect()
    }

    fn tensors(&self) -> Vec<u8> {
        vec![0xa5; self.plan.frame_bytes() * self.pictures.len()]
    }

    /// What the referee makes of it.
    pub(super) fn expected(&self) -> Vec<u8> {
        let mut out = self.tensors();
        Reference.run(&self.plan, &self.pictures(), &mut out).unwrap();
        out
    }

    /// What a GPU makes of it.
    pub(super) fn made(&self, gpu: &mut Gpu) -> Result<Vec<u8>, GpuError> {
        let mut out = self.tensors();
        gpu.tensors(&self.plan, &self.pictures(), &mut out)?;
        Ok(out)
    }
}

fn plane_of(planes: &[(Vec<u8>, usize); 3], number: usize) -> Plane<'_> {
    Plane { bytes: &planes[number].0, stride: planes[number].1 }
}

/// Planes of any bytes, rows apart by more than they are long.
fn planes(shape: &Shape, random: &mut Random) -> [(Vec<u8>, usize); 3] {
    std::array::from_fn(|plane| {
        if plane >= shape.format.planes() {
            return (Vec::new(), 0);
        }
        let (row, rows) = shape.format.plane_size(plane, shape.width, shape.height);
        let stride = row + random.below(9) as usize * shape.format.sample_bytes();
        ((0..stride * rows).map(|_| random.next() as u8).collect(), stride)
    })
}

/// The pictures that hold U and V by themselves, which a test exchanges.
pub(super) fn exchanged<'a>(case: &'a Case) -> Vec<Picture<'a>> {
    assert_eq!(case.plan.shape.format.chroma, Chroma::Planar);
    let swap = |picture: Picture<'a>| Picture { planes: [picture.planes[0], picture.planes[2], picture.planes[1]] };
    case.pictures().into_iter().map(swap).collect()
}
