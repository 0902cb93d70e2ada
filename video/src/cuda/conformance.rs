//! The suite that every driver passes: pictures and plans of all kinds, made from numbers, and whether a GPU makes of them
//! what the referee makes. The tests run it on the driver for tests, `pipe gpu check` on the machine's own.

use super::fault::GpuError;
use super::gpu::Gpu;
use crate::frames::{
    ColourMatrix, ColourRange, Element, Filter, Fit, FrameError, FrameSpec, Layout, Picture, PixelFormat, Plan, Plane,
    Preprocess, Reference, Shape, Turn,
};
use crate::time::Ratio;

/// Compares a GPU with the referee over cases by chance, of these numbers. What differs comes back in words; `told` hears
/// of each case that is done.
///
/// # Errors
/// When the GPU fails.
pub fn disagreements(
    gpu: &mut Gpu,
    seeds: std::ops::Range<u64>,
    told: &mut dyn FnMut(u64),
) -> Result<Vec<String>, GpuError> {
    let mut wrong = Vec::new();
    for seed in seeds {
        let case = Case::any(seed)?;
        if case.made(gpu)? != case.expected()? {
            wrong.push(format!("case {seed}: {:?}, {:?}", case.plan.shape, case.plan.spec));
        }
        told(seed);
    }
    Ok(wrong)
}

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
    pub(super) fn new(
        spec: &FrameSpec,
        shape: &Shape,
        pictures: usize,
        random: &mut Random,
    ) -> Result<Case, FrameError> {
        let plan = Plan::new(spec, shape)?;
        let pictures = (0..pictures).map(|_| planes(shape, random)).collect();
        Ok(Case { plan, pictures })
    }

    /// One of anything that there is, small.
    pub(super) fn any(seed: u64) -> Result<Case, FrameError> {
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

    pub(super) fn pictures(&self) -> Vec<Picture<'_>> {
        self.pictures.iter().map(|planes| Picture { planes: std::array::from_fn(|i| plane_of(planes, i)) }).collect()
    }

    fn tensors(&self) -> Vec<u8> {
        vec![0xa5; self.plan.frame_bytes() * self.pictures.len()]
    }

    /// What the referee makes of it.
    pub(super) fn expected(&self) -> Result<Vec<u8>, FrameError> {
        let mut out = self.tensors();
        Reference.run(&self.plan, &self.pictures(), &mut out)?;
        Ok(out)
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
