//! Does the work that `tools/bench-frames.py` measures, which looks at the CPU time of whole runs:
//! `bench_frames ours|crates|convert SIZE REPEAT` on frames of noise, 1080p, I420;
//! `bench_frames threads SIZE REPEAT N`: as `ours`, N frames at once on N threads;
//! `bench_frames vectors SIZE REPEAT N`: as `ours`, with the Nth kind of vectors that the machine has, the widest being 0;
//! `bench_frames decode|clip|sparse SIZE REPEAT FILE`: all frames without and with tensors, or eight;
//! `bench_frames every SIZE REPEAT FILE N`: every Nth frame; `bench_frames clips SIZE REPEAT FILE N`: all frames, on N threads at once;
//! with `asked` for REPEAT, the work is done once for every line that is read, and answered by a line when it is done.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs, reason = "a program for measurements")]

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use pipe_video::frames::{
    ColourMatrix, ColourRange, Cpu, Element, Filter, Picture, PixelFormat, Plan, Plane, Preprocess, Shape, Turn,
};
use pipe_video::{FrameSpec, Ratio, Sampling, sample_into};
use yuv::{YuvPlanarImage, YuvRange, YuvStandardMatrix};

const WIDTH: u32 = 1920;
const HEIGHT: u32 = 1080;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, what, size, repeat, file @ ..] = arguments.as_slice() else { panic!("bench_frames WHAT SIZE REPEAT") };
    let (size, often) = (size.parse().unwrap(), Often::of(repeat));
    let planes = noise();
    let spec = FrameSpec { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], ..FrameSpec::plain(size, size) };
    let every = |n| Sampling::Every { n };
    match what.as_str() {
        "ours" => ours(&planes, &spec, often, (1, Cpu::new(1))),
        "threads" => ours(&planes, &spec, often, (number(&file[0]), Cpu::new(number(&file[0])))),
        "vectors" => ours(&planes, &spec, often, (1, Cpu::each(1).swap_remove(number(&file[0])))),
        "crates" => crates(&planes, &spec, often),
        "convert" => often.work(|| u64::from(rgb_of(&planes, &mut vec![0; 3 * PIXELS])[5])),
        "decode" => clips(file, 1, every(1), &FrameSpec { filter: Filter::Nearest, ..bytes(1) }, often),
        "clip" => clips(file, 1, every(1), &spec, often),
        "sparse" => clips(file, 1, Sampling::Uniform { n: 8 }, &spec, often),
        "every" => clips(file, 1, every(number(&file[1])), &spec, often),
        "clips" => clips(file, number(&file[1]), every(1), &spec, often),
        _ => panic!("{what} is not known"),
    }
}

/// How often the work is done.
#[derive(Clone, Copy)]
enum Often {
    Times(usize),
    /// Once for every line that is read.
    Asked,
}

impl Often {
    fn of(text: &str) -> Self {
        if text == "asked" { Often::Asked } else { Often::Times(number(text)) }
    }

    /// Does it, and tells what came of it, so that no compiler can leave it out.
    fn work(self, mut once: impl FnMut() -> u64) {
        match self {
            Often::Times(times) => println!("{}", (0..times).map(|_| once()).sum::<u64>()),
            Often::Asked => std::io::stdin().lines().for_each(|_| println!("{}", once())),
        }
    }
}

fn number(text: &str) -> usize {
    text.parse().unwrap()
}

/// One pixel of each frame costs next to nothing, so what is left is decoding.
fn bytes(size: u32) -> FrameSpec {
    FrameSpec { element: Element::U8, ..FrameSpec::plain(size, size) }
}

/// A clip on each of so many threads. A tensor takes the memory of the one before it, as in a program that is done with that.
fn clips(file: &[String], threads: usize, sampling: Sampling, spec: &FrameSpec, often: Often) {
    let mut devices: Vec<_> = (0..threads).map(|_| (Cpu::new(1), Vec::new())).collect();
    let clip = |(cpu, room): &mut (Cpu, Vec<u8>)| {
        let sampled = sample_into(cpu, file[0].as_ref(), sampling, spec, std::mem::take(room)).unwrap();
        *room = sampled.data;
        sampled.frames as u64
    };
    often.work(|| {
        if let [only] = devices.as_mut_slice() {
            return clip(only);
        }
        std::thread::scope(|scope| {
            let threads: Vec<_> = devices.iter_mut().map(|device| scope.spawn(|| clip(device))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        })
    });
}

const PIXELS: usize = (WIDTH * HEIGHT) as usize;

fn noise() -> [Vec<u8>; 3] {
    let mut state = 88_172_645_463_325_252_u64;
    let mut plane = |len: usize| {
        let byte = |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        };
        (0..len).map(byte).collect()
    };
    [plane(PIXELS), plane(PIXELS / 4), plane(PIXELS / 4)]
}

fn ours(planes: &[Vec<u8>; 3], spec: &FrameSpec, often: Often, (threads, mut cpu): (usize, Cpu)) {
    let shape = Shape {
        width: WIDTH,
        height: HEIGHT,
        format: PixelFormat::I420,
        matrix: ColourMatrix::Bt709,
        range: ColourRange::Limited,
        pixel_aspect: Ratio { num: 1, den: 1 },
        turn: Turn::default(),
    };
    let strides = [WIDTH, WIDTH / 2, WIDTH / 2];
    let plane = |i: usize| Plane { bytes: &planes[i], stride: strides[i] as usize };
    let picture = Picture { planes: [plane(0), plane(1), plane(2)] };
    let plan = Plan::new(spec, &shape).unwrap();
    let mut out = vec![0; plan.frame_bytes() * threads];
    let pictures = vec![picture; threads];
    often.work(|| {
        cpu.run(&plan, &pictures, &mut out).unwrap();
        u64::from(out[5])
    });
}

fn rgb_of<'a>(planes: &[Vec<u8>; 3], rgb: &'a mut [u8]) -> &'a [u8] {
    let image = YuvPlanarImage {
        y_plane: &planes[0],
        y_stride: WIDTH,
        u_plane: &planes[1],
        u_stride: WIDTH / 2,
        v_plane: &planes[2],
        v_stride: WIDTH / 2,
        width: WIDTH,
        height: HEIGHT,
    };
    yuv::yuv420_to_rgb(&image, rgb, WIDTH * 3, YuvRange::Limited, YuvStandardMatrix::Bt709).unwrap();
    rgb
}

/// The crates `yuv` and `fast_image_resize`, and a table for the floats; buffers are used again.
fn crates(planes: &[Vec<u8>; 3], spec: &FrameSpec, often: Often) {
    let mut rgb = vec![0; 3 * PIXELS];
    let side = spec.width as usize;
    let (mut small, mut out) = (vec![0; side * side * 3], vec![0.0; side * side * 3]);
    let table: [[f32; 256]; 3] = std::array::from_fn(|channel| {
        std::array::from_fn(|byte| (byte as f32 / 255.0 - spec.mean[channel]) / spec.std[channel])
    });
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear)).use_alpha(false);
    let mut resizer = Resizer::new();
    often.work(|| {
        rgb_of(planes, &mut rgb);
        let source = TypedImageRef::<U8x3>::from_buffer(WIDTH, HEIGHT, &rgb).unwrap();
        let mut target = TypedImage::<U8x3>::from_buffer(spec.width, spec.height, &mut small).unwrap();
        resizer.resize_typed(&source, &mut target, &options).unwrap();
        for (channel, to) in out.chunks_exact_mut(side * side).enumerate() {
            let bytes = small.as_chunks::<3>().0.iter().map(|pixel| pixel[channel]);
            to.iter_mut().zip(bytes).for_each(|(to, byte)| *to = table[channel][usize::from(byte)]);
        }
        u64::from(out[5].to_bits())
    });
}
