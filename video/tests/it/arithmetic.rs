//! The referee of frames is held against what others say: the standards' equations, and the crate that it follows.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use pipe_video::frames::{
    ColourMatrix, ColourRange, Filter, Fit, FrameSpec, Picture, PixelFormat, Plan, Plane, Reference, Shape,
};
use proptest::prelude::*;

use crate::pictures::{Noise, bytes, run, shape};

/// Kr and Kb as the standards print them.
const MATRICES: [(ColourMatrix, f64, f64); 5] = [
    (ColourMatrix::Bt601, 0.299, 0.114),
    (ColourMatrix::Bt709, 0.2126, 0.0722),
    (ColourMatrix::Bt2020, 0.2627, 0.0593),
    (ColourMatrix::Smpte240, 0.212, 0.087),
    (ColourMatrix::Fcc, 0.30, 0.11),
];

/// H.273: E'R = E'Y + 2(1-Kr) E'PR, E'B = E'Y + 2(1-Kb) E'PB, E'Y = Kr E'R + Kg E'G + Kb E'B, all in floats.
fn standard(kr: f64, kb: f64, range: ColourRange, depth: u32, yuv: [f64; 3]) -> [f64; 3] {
    let step = f64::from(1 << (depth - 8));
    let (zero, luma, chroma) = match range {
        ColourRange::Limited => (16.0 * step, 219.0 * step, 224.0 * step),
        ColourRange::Full => (0.0, f64::from((1 << depth) - 1), f64::from((1 << depth) - 1)),
    };
    let half = f64::from(1 << (depth - 1));
    let (y, pb, pr) = ((yuv[0] - zero) / luma, (yuv[1] - half) / chroma, (yuv[2] - half) / chroma);
    let (red, blue) = (y + 2.0 * (1.0 - kr) * pr, y + 2.0 * (1.0 - kb) * pb);
    let green = (y - kr * red - kb * blue) / (1.0 - kr - kb);
    [red, green, blue].map(|v| (v * 255.0).clamp(0.0, 255.0))
}

/// The largest difference over a picture that holds each given luma for one U and V in each row.
fn worst(matrix: (ColourMatrix, f64, f64), range: ColourRange, depth: u32, step: usize) -> f64 {
    let all: Vec<u16> = (0..1_u32 << depth).step_by(step).map(|v| v as u16).collect();
    let format = PixelFormat::planar(depth, 0, 0);
    let width = all.len() as u32;
    let packed = |values: &[u16]| -> Vec<u8> {
        values.iter().flat_map(|v| v.to_le_bytes().into_iter().take(format.sample_bytes())).collect()
    };
    let luma = packed(&all);
    let what = Shape { matrix: matrix.0, range, ..shape(format, width, 1) };
    let plan = Plan::new(&bytes(width, 1), &what).unwrap();
    let mut worst = 0.0_f64;
    for &u in &all {
        for &v in &all {
            let (us, vs) = (packed(&vec![u; all.len()]), packed(&vec![v; all.len()]));
            let plane = |bytes| Plane { bytes, stride: luma.len() };
            let rgb = run(&mut Reference, &plan, Picture { planes: [plane(&luma), plane(&us), plane(&vs)] }).unwrap();
            for (&y, seen) in all.iter().zip(rgb.chunks_exact(3)) {
                let wanted = standard(matrix.1, matrix.2, range, depth, [y, u, v].map(f64::from));
                let off = seen.iter().zip(wanted).map(|(&a, b)| (f64::from(a) - b).abs());
                worst = off.fold(worst, f64::max);
            }
        }
    }
    worst
}

#[test]
fn every_colour_of_8_bits_is_the_standards_rounded() {
    // Half a level is rounding. Coefficients are half a step of 2^-13 off at most, for up to 255 + 128 + 128 levels.
    let allowed = 0.5 + 511.0 * 0.5 / 8192.0;
    for range in [ColourRange::Limited, ColourRange::Full] {
        let off = worst(MATRICES[1], range, 8, 1);
        assert!(off <= allowed, "{off} in {range:?}");
    }
}

#[test]
fn colours_of_other_matrices_and_depths_are_the_standards_rounded() {
    let allowed = 0.5 + 511.0 * 0.5 / 8192.0;
    for matrix in MATRICES {
        for range in [ColourRange::Limited, ColourRange::Full] {
            for (depth, step) in [(8, 5), (10, 17), (12, 91), (16, 1285)] {
                let off = worst(matrix, range, depth, step);
                assert!(off <= allowed, "{off} with {matrix:?}, {range:?}, {depth} bits");
            }
        }
    }
}

/// What `fast_image_resize` makes of the RGB of the same picture.
fn resized_by_the_crate(rgb: &[u8], plan: &Plan, filter: FilterType) -> Vec<u8> {
    let (width, height) = (plan.shape.width, plan.shape.height);
    let source = TypedImageRef::<U8x3>::from_buffer(width, height, rgb).unwrap();
    let mut options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter)).use_alpha(false);
    if plan.spec.fit == Fit::Crop {
        // The page's crop, anew: the largest centred part with the shape of the result.
        let (w, h) = (f64::from(width), f64::from(height));
        let (wide, high) = (f64::from(plan.spec.width), f64::from(plan.spec.height));
        let (cw, ch) = if w * high > h * wide {
            (((h * wide / high) + 0.5).floor().clamp(1.0, w), h)
        } else {
            (w, ((w * high / wide) + 0.5).floor().clamp(1.0, h))
        };
        options = options.crop(((w - cw) / 2.0).floor(), ((h - ch) / 2.0).floor(), cw, ch);
    }
    let mut out = vec![0; plan.frame_bytes()];
    let mut target = TypedImage::<U8x3>::from_buffer(plan.spec.width, plan.spec.height, &mut out).unwrap();
    Resizer::new().resize_typed(&source, &mut target, &options).unwrap();
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_filters_are_those_of_the_crate_bit_for_bit(
        from in (1_u32..90, 1_u32..90), to in (1_u32..60, 1_u32..60), cubic: bool, crop: bool, seed: u64,
    ) {
        let (filter, name) =
            if cubic { (Filter::Bicubic, FilterType::CatmullRom) } else { (Filter::Triangle, FilterType::Bilinear) };
        let format = PixelFormat::planar(8, 0, 0);
        let what = shape(format, from.0, from.1);
        let noise = Noise::new(format, from.0, from.1, 0, seed);
        let same_size = Plan::new(&bytes(from.0, from.1), &what).unwrap();
        let rgb = run(&mut Reference, &same_size, noise.picture()).unwrap();
        let fit = if crop { Fit::Crop } else { Fit::Stretch };
        let plan = Plan::new(&FrameSpec { filter, fit, ..bytes(to.0, to.1) }, &what).unwrap();
        let seen = run(&mut Reference, &plan, noise.picture()).unwrap();
        prop_assert_eq!(seen, resized_by_the_crate(&rgb, &plan, name));
    }
}

#[test]
fn a_game_sized_frame_is_filtered_as_by_the_crate() {
    let format = PixelFormat::planar(8, 0, 0);
    let noise = Noise::new(format, 1280, 720, 0, 7);
    let what = shape(format, 1280, 720);
    let rgb = run(&mut Reference, &Plan::new(&bytes(1280, 720), &what).unwrap(), noise.picture()).unwrap();
    for (width, height) in [(224, 224), (640, 360), (1920, 1080)] {
        let plan = Plan::new(&bytes(width, height), &what).unwrap();
        let seen = run(&mut Reference, &plan, noise.picture()).unwrap();
        assert!(seen == resized_by_the_crate(&rgb, &plan, FilterType::Bilinear), "{width}x{height} differs");
    }
}
