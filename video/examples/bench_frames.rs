//! Does the work that `tools/bench-frames.py` measures, which looks at the CPU time of whole runs:
//! `bench_frames ours|crates|convert SIZE REPEAT` on frames of noise, 1080p, I420;
//! `bench_frames threads SIZE REPEAT N`: as `ours`, N frames at once on N threads;
//! `bench_frames vectors SIZE REPEAT N`: as `ours`, with the Nth kind of vectors that the machine has, the widest being 0;
//! `bench_frames decode|clip|sparse SIZE REPEAT FILE`: all frames without and with tensors, or eight;
//! `bench_frames every SIZE REPEAT FILE N`: every Nth frame; `bench_frames clips SIZE REPEAT FILE N`: all frames, on N threads at once.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs, reason = "a program for measurements")]

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use pipe_video::frames::{
    ColourMatrix, ColourRange, Cpu, Element, Filter, Picture, PixelFormat, Plan, Plane, Preprocess, Shape, Turn,
};
use pipe_video::{FrameSpec, Ratio, Sampling, sample};
use yuv::{YuvPlanarImage, YuvRange, YuvStandardMatrix};

const WIDTH: u32 = 1920;
const HEIGHT: u32 = 1080;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, what, size, repeat, file @ ..] = arguments.as_slice() else { panic!("bench_frames WHAT SIZE REPEAT") };
    let (size, repeat) = (size.parse().unwrap(), repeat.parse().unwrap());
    let planes = noise();
    let spec = FrameSpec { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], ..FrameSpec::plain(size, size) };
    let sum = match what.as_str() {
        "ours" => ours(&planes, &spec, repeat, (1, Cpu::new(1))),
        "threads" => ours(&planes, &spec, repeat, (number(&file[0]), Cpu::new(number(&file[0])))),
        "vectors" => ours(&planes, &spec, repeat, (1, Cpu::each(1).swap_remove(number(&file[0])))),
        "crates" => crates(&planes, &spec, repeat),
        "convert" => (0..repeat).map(|_| u64::from(rgb_of(&planes, &mut vec![0; 3 * PIXELS])[5])).sum(),
        "decode" => clip(file, Sampling::Every { n: 1 }, &FrameSpec { filter: Filter::Nearest, ..bytes(1) }, repeat),
        "clip" => clip(file, Sampling::Every { n: 1 }, &spec, repeat),
        "sparse" => clip(file, Sampling::Uniform { n: 8 }, &spec, repeat),
        "every" => clip(file, Sampling::Every { n: number(&file[1]) }, &spec, repeat),
        "clips" => std::thread::scope(|scope| {
            let all = || clip(file, Sampling::Every { n: 1 }, &spec, repeat);
            let threads: Vec<_> = (0..number(&file[1])).map(|_| scope.spawn(all)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<u64>()
        }),
        _ => panic!("{what} is not known"),
    };
    println!("{sum}");
}

fn number(text: &str) -> usize {
    text.parse().unwrap()
}

/// One pixel of each frame costs next to nothing, so what is left is decoding.
fn bytes(size: u32) -> FrameSpec {
    FrameSpec { element: Element::U8, ..FrameSpec::plain(size, size) }
}

fn clip(file: &[String], sampling: Sampling, spec: &FrameSpec, repeat: usize) -> u64 {
    (0..repeat).map(|_| sample(file[0].as_ref(), sampling, spec).unwrap().frames as u64).sum()
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

fn ours(planes: &[Vec<u8>; 3], spec: &FrameSpec, repeat: usize, (threads, mut cpu): (usize, Cpu)) -> u64 {
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
    (0..repeat)
        .map(|_| {
            cpu.run(&plan, &pictures, &mut out).unwrap();
            u64::from(out[5])
        })
        .sum()
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
fn crates(planes: &[Vec<u8>; 3], spec: &FrameSpec, repeat: usize) -> u64 {
    let mut rgb = vec![0; 3 * PIXELS];
    let side = spec.width as usize;
    let (mut small, mut out) = (vec![0; side * side * 3], vec![0.0; side * side * 3]);
    let table: [[f32; 256]; 3] = std::array::from_fn(|channel| {
        std::array::from_fn(|byte| (byte as f32 / 255.0 - spec.mean[channel]) / spec.std[channel])
    });
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear)).use_alpha(false);
    let mut resizer = Resizer::new();
    let mut sum = 0;
    for _ in 0..repeat {
        rgb_of(planes, &mut rgb);
        let source = TypedImageRef::<U8x3>::from_buffer(WIDTH, HEIGHT, &rgb).unwrap();
        let mut target = TypedImage::<U8x3>::from_buffer(spec.width, spec.height, &mut small).unwrap();
        resizer.resize_typed(&source, &mut target, &options).unwrap();
        for (channel, to) in out.chunks_exact_mut(side * side).enumerate() {
            let bytes = small.as_chunks::<3>().0.iter().map(|pixel| pixel[channel]);
            to.iter_mut().zip(bytes).for_each(|(to, byte)| *to = table[channel][usize::from(byte)]);
        }
        sum += u64::from(out[5].to_bits());
    }
    sum
}
