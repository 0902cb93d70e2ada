//! CPU and GPU agree bit for bit.

use super::cases::usual;
use crate::cuda::Gpu;
use crate::cuda::conformance::{Case, Random};
use crate::frames::{ColourMatrix, ColourRange, Element, Fit, FrameSpec, Layout, PixelFormat, Shape, Turn};
use crate::time::Ratio;
use pipe_fakecuda::FakeDriver;

/// So many cases, of formats, sizes, pitches, fits, filters, turns, layouts and numbers by chance. `PIPE_TEST_SEEDS` asks
/// for more.
fn seeds() -> u64 {
    std::env::var("PIPE_TEST_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(150)
}

#[test]
fn random_pictures_give_the_referees_bytes() {
    let driver = FakeDriver::take();
    let mut gpu = Gpu::open(0).unwrap();
    for seed in 0..seeds() {
        let case = Case::any(seed).unwrap();
        let made = case.made(&mut gpu).unwrap_or_else(|e| panic!("seed {seed}: {e}: {}", driver.told()));
        assert!(made == case.expected().unwrap(), "seed {seed}: {:?} {:?}", case.plan.spec, case.plan.shape);
    }
}

#[test]
fn the_order_in_which_threads_run_changes_nothing() {
    let driver = FakeDriver::take();
    driver.tell("reverse");
    let mut gpu = Gpu::open(0).unwrap();
    for seed in 0..seeds() / 5 {
        let case = Case::any(seed).unwrap();
        let made = case.made(&mut gpu).unwrap_or_else(|e| panic!("seed {seed}: {e}: {}", driver.told()));
        assert!(made == case.expected().unwrap(), "seed {seed}");
    }
}

fn shape(width: u32, height: u32) -> Shape {
    Shape {
        width,
        height,
        format: PixelFormat::NV12,
        matrix: ColourMatrix::Bt709,
        range: ColourRange::Limited,
        pixel_aspect: Ratio { num: 1, den: 1 },
        turn: Turn::default(),
    }
}

#[test]
fn extreme_shapes_give_the_referees_bytes() {
    let driver = FakeDriver::take();
    let mut gpu = Gpu::open(0).unwrap();
    // One pixel to many and many to one; more columns than a block of 32 can hold, and than one of 1 could at 48 KiB.
    let shapes = [((1, 1), (40, 19)), ((64, 33), (1, 1)), ((3000, 2), (20, 2)), ((740, 3), (1, 1)), ((2, 300), (2, 2))];
    for ((width, height), (to_width, to_height)) in shapes {
        let spec = FrameSpec { fit: Fit::Stretch, ..FrameSpec::plain(to_width, to_height) };
        let case = Case::new(&spec, &shape(width, height), 1, &mut Random::new(3)).unwrap();
        let made = case.made(&mut gpu).unwrap_or_else(|e| panic!("{width}x{height}: {e}: {}", driver.told()));
        assert!(made == case.expected().unwrap(), "{width}x{height} to {to_width}x{to_height}");
    }
}

#[test]
fn what_is_shrunk_too_much_for_a_gpu_is_refused_in_words() {
    let _driver = FakeDriver::take();
    let case = Case::new(&FrameSpec::plain(2, 2), &shape(4000, 2), 1, &mut Random::new(3)).unwrap();
    let error = case.made(&mut Gpu::open(0).unwrap()).unwrap_err().to_string();
    assert_eq!(error, "4000 columns become 2 on a GPU (help: shrink less, or use the CPU)");
}

#[test]
fn every_format_and_number_gives_the_referees_bytes() {
    let driver = FakeDriver::take();
    let mut gpu = Gpu::open(0).unwrap();
    for format in [PixelFormat::NV12, PixelFormat::I420, PixelFormat::P010] {
        for element in [Element::U8, Element::F16, Element::F32] {
            for layout in [Layout::Nchw, Layout::Nhwc] {
                let usual = usual(format, 1).plan;
                let spec = FrameSpec { element, layout, ..usual.spec };
                let case = Case::new(&spec, &usual.shape, 2, &mut Random::new(5)).unwrap();
                let made = case.made(&mut gpu).unwrap_or_else(|e| panic!("{e}: {}", driver.told()));
                assert!(made == case.expected().unwrap(), "{format:?} {element:?} {layout:?}");
            }
        }
    }
}

#[test]
fn a_gpu_takes_one_plan_after_another_and_gives_all_back() {
    let driver = FakeDriver::take();
    let mut gpu = Gpu::open(0).unwrap();
    for format in [PixelFormat::NV12, PixelFormat::P010, PixelFormat::NV12] {
        let case = usual(format, 3);
        assert!(case.made(&mut gpu).unwrap() == case.expected().unwrap());
    }
    assert_ne!(driver.leaks(), "");
    drop(gpu);
    assert_eq!(driver.leaks(), "");
}
