//! Every device gives the referee's bytes: any format, size, filter, turn and type, on any number of threads.

use pipe_video::Ratio;
use pipe_video::frames::{
    Chroma, ColourMatrix, ColourRange, Cpu, Element, Filter, Fit, FrameSpec, Layout, Picture, PixelFormat, Plan, Plane,
    Preprocess, Reference, Shape, Turn,
};
use proptest::prelude::*;
use proptest::sample::select;

use crate::pictures::{Noise, bytes, run, shape};

fn formats() -> impl Strategy<Value = PixelFormat> {
    let chroma = select(vec![Chroma::None, Chroma::Planar, Chroma::Interleaved]);
    (select(vec![8_u32, 9, 10, 12, 14, 16]), any::<bool>(), chroma, 0_u32..2, 0_u32..2).prop_map(
        |(depth, high, chroma, sub_x, sub_y)| {
            let shift = if high && depth > 8 { 16 - depth } else { 0 };
            let (sub_x, sub_y) = if chroma == Chroma::None { (0, 0) } else { (sub_x, sub_y) };
            PixelFormat { depth, shift, chroma, sub_x, sub_y }
        },
    )
}

prop_compose! {
    fn shapes()(
        size in (1_u32..200, 1_u32..60),
        format in formats(),
        matrix in select(vec![
            ColourMatrix::Bt601, ColourMatrix::Bt709, ColourMatrix::Bt2020, ColourMatrix::Smpte240, ColourMatrix::Fcc,
        ]),
        full: bool,
        aspect in (1_u32..5, 1_u32..5),
        turn in (any::<bool>(), any::<bool>(), any::<bool>()),
    ) -> Shape {
        Shape {
            width: size.0,
            height: size.1,
            format,
            matrix,
            range: if full { ColourRange::Full } else { ColourRange::Limited },
            pixel_aspect: Ratio { num: aspect.0, den: aspect.1 },
            turn: Turn { transpose: turn.0, flip_x: turn.1, flip_y: turn.2 },
        }
    }
}

prop_compose! {
    fn specs()(
        size in (1_u32..60, 1_u32..60),
        fit in select(vec![Fit::Stretch, Fit::Letterbox, Fit::Crop]),
        filter in select(vec![Filter::Triangle, Filter::Bicubic, Filter::Area, Filter::Nearest]),
        pad: [u8; 3],
        numbers in (-1.0_f32..1.0, 0.05_f32..2.0),
        layout in select(vec![Layout::Nchw, Layout::Nhwc]),
        element in select(vec![Element::U8, Element::F16, Element::F32]),
    ) -> FrameSpec {
        let (mean, std) = ([0.5, numbers.0, 0.1], [1.0, 0.3, numbers.1]);
        FrameSpec { fit, filter, pad, mean, std, layout, element, ..FrameSpec::plain(size.0, size.1) }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 768, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_cpu_gives_the_referees_bytes(
        what in shapes(), spec in specs(), padding in 0_usize..40, threads in 1_usize..4, seed: u64,
    ) {
        let plan = Plan::new(&spec, &what).unwrap();
        let noise: Vec<Noise> =
            (0..3).map(|i| Noise::new(what.format, what.width, what.height, padding, seed ^ i)).collect();
        let pictures: Vec<_> = noise.iter().map(Noise::picture).collect();
        let mut wanted = vec![0; plan.frame_bytes() * pictures.len()];
        Reference.run(&plan, &pictures, &mut wanted).unwrap();
        for mut cpu in Cpu::each(threads) {
            let mut seen = vec![0x5a; wanted.len()];
            cpu.run(&plan, &pictures, &mut seen).unwrap();
            prop_assert!(seen == wanted, "{cpu:?} differs");
        }
    }
}

#[test]
fn a_cpu_that_had_other_work_before_gives_the_same_bytes() {
    let mut cpu = Cpu::new(1);
    let (nv12, i444, grey) = (PixelFormat::NV12, PixelFormat::planar(8, 0, 0), PixelFormat::grey(8));
    let sizes = [
        (nv12, 97, 55, 31),
        (nv12, 12, 80, 90),
        (i444, 300, 20, 7),
        (grey, 97, 55, 31),
        (nv12, 97, 55, 31),
        (i444, 97, 55, 31),
    ];
    for (format, width, height, to) in sizes {
        let what = shape(format, width, height);
        let plan = Plan::new(&bytes(to, to), &what).unwrap();
        let noise = Noise::new(what.format, width, height, 3, u64::from(width));
        let wanted = run(&mut Reference, &plan, noise.picture()).unwrap();
        assert!(run(&mut cpu, &plan, noise.picture()).unwrap() == wanted, "{width}x{height} differs");
    }
}

#[test]
fn game_sized_frames_are_the_referees() {
    let (i444, i210, grey) = (PixelFormat::planar(8, 0, 0), PixelFormat::planar(10, 1, 0), PixelFormat::grey(8));
    for format in [PixelFormat::I420, PixelFormat::NV12, PixelFormat::P010, i444, i210, grey] {
        let what = shape(format, 1918, 1079);
        let noise = Noise::new(format, 1918, 1079, 34, 3);
        for spec in [FrameSpec::plain(224, 224), FrameSpec { fit: Fit::Letterbox, ..FrameSpec::plain(640, 640) }] {
            let plan = Plan::new(&spec, &what).unwrap();
            let wanted = run(&mut Reference, &plan, noise.picture()).unwrap();
            for mut cpu in Cpu::each(1) {
                assert!(run(&mut cpu, &plan, noise.picture()).unwrap() == wanted, "{format:?} differs on {cpu:?}");
            }
        }
    }
}

/// By the formulas of docs/frames.md: luma, red of V, blue of U, green of V, green of U, and the luma of black.
fn by_the_page([cy, rv, bu, gv, gu, zero]: [i32; 6], [y, u, v]: [u8; 3]) -> [u8; 3] {
    let (luma, u, v) = (cy * (i32::from(y) - zero) + (1 << 12), i32::from(u) - 128, i32::from(v) - 128);
    [luma + rv * v, luma - gv * v - gu * u, luma + bu * u].map(|sum| (sum >> 13).clamp(0, 255) as u8)
}

#[test]
fn every_colour_of_8_bits_is_the_pages_whatever_vectors_there_are() {
    let tables = [
        (ColourMatrix::Bt709, ColourRange::Limited, [9539, 14686, 17305, 4366, 1747, 16]),
        (ColourMatrix::Bt601, ColourRange::Full, [8192, 11485, 14516, 5850, 2819, 0]),
    ];
    // A picture for each U, a row for each V, all lumas in each row, in both columns that share a sample or have their own.
    let luma: Vec<u8> = (0..=255).flat_map(|y| [y; 2]).collect::<Vec<u8>>().repeat(256);
    let formats = [(PixelFormat::planar(8, 1, 0), 256), (PixelFormat::planar(8, 0, 0), 512)];
    for ((matrix, range, table), (format, samples)) in
        tables.into_iter().flat_map(|table| formats.map(|format| (table, format)))
    {
        let all_v: Vec<u8> = (0..=255).flat_map(|v| vec![v; samples]).collect();
        let what = Shape { matrix, range, ..shape(format, 512, 256) };
        let plan = Plan::new(&bytes(512, 256), &what).unwrap();
        for mut cpu in Cpu::each(1) {
            for u in 0..=255 {
                let all_u = vec![u; samples << 8];
                let planes = [(luma.as_slice(), 512), (all_u.as_slice(), samples), (all_v.as_slice(), samples)];
                let picture = Picture { planes: planes.map(|(bytes, stride)| Plane { bytes, stride }) };
                let rgb = run(&mut cpu, &plan, picture).unwrap();
                let wanted = |i: usize| by_the_page(table, [(i / 2 % 256) as u8, u, (i / 512) as u8]);
                let differs = rgb.as_chunks::<3>().0.iter().enumerate().find(|(i, seen)| **seen != wanted(*i));
                assert_eq!(differs, None, "{matrix:?}, {range:?}, U of {u} on {cpu:?}");
            }
        }
    }
}

#[test]
fn short_planes_and_wrong_buffers_are_refused() {
    let what = shape(PixelFormat::NV12, 33, 17);
    let plan = Plan::new(&bytes(8, 8), &what).unwrap();
    let noise = Noise::new(what.format, 33, 17, 5, 1);
    let whole = noise.picture();
    let mut short = whole;
    // Padding behind the last row may be missing, its last pixel may not.
    short.planes[1].bytes = &whole.planes[1].bytes[..whole.planes[1].bytes.len() - 5];
    assert!(run(&mut Cpu::new(1), &plan, short).is_ok());
    short.planes[1].bytes = &whole.planes[1].bytes[..whole.planes[1].bytes.len() - 6];
    let error = run(&mut Cpu::new(1), &plan, short).unwrap_err();
    assert!(error.message.contains("picture 0 has fewer bytes than 33x17"), "{error}");
    let mut narrow = whole;
    narrow.planes[0].stride = 32;
    assert!(run(&mut Cpu::new(1), &plan, narrow).is_err());
    let error = Cpu::new(1).run(&plan, &[whole], &mut [0; 10]).unwrap_err();
    assert!(error.message.contains("10 bytes") && error.message.contains("192"), "{error}");
}
