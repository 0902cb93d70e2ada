//! The bounds of `docs/gpu.md`: the instructions they are made of are those that the interpreter counts.

use crate::cuda::conformance::{Case, Random};
use crate::cuda::{Gpu, GpuInfo, JOBS, Job, gpus, roofline};
use crate::frames::PixelFormat;
use pipe_fakecuda::FakeDriver;

fn apart(a: f64, b: f64) -> f64 {
    (a - b).abs() / b
}

#[test]
fn a_frame_takes_as_many_instructions_as_are_stated_or_a_tenth_more() {
    let driver = FakeDriver::take();
    let info = gpus().unwrap().remove(0);
    // Less, as much and more of what is around the loops; in the last one pictures become larger.
    for (from, to) in [((320, 180), (32, 18)), ((200, 120), (64, 64)), ((30, 20), (80, 60))] {
        for format in [PixelFormat::NV12, PixelFormat::P010, PixelFormat::I420] {
            let job = Job { format, ..Job::nv12(from, to) };
            let stated = roofline(&info, &job).unwrap().instructions;
            let case = Case::new(&job.spec(), &job.shape(), 1, &mut Random::new(1)).unwrap();
            let before = driver.stats().instructions;
            case.made(&mut Gpu::open(0).unwrap()).unwrap();
            let counted = (driver.stats().instructions - before) as f64;
            assert!((stated * 0.99..stated * 1.1).contains(&counted), "{from:?} to {to:?}: {stated} for {counted}");
        }
    }
}

fn gpu(processors: i32, clock_hz: u64, memory_rate: u64) -> GpuInfo {
    let _driver = FakeDriver::take();
    GpuInfo { processors, clock_hz, memory_rate, ..gpus().unwrap().remove(0) }
}

#[test]
fn the_bounds_of_the_page_are_those_of_these_gpus() {
    // T4, L4 and A100 by NVIDIA's data sheets: multiprocessors, clock, bytes a second of their memory. Then, from the page,
    // thousands of frames a second of its three jobs, by arithmetic and by memory.
    let known = [
        (gpu(40, 1_590_000_000, 320_000_000_000), [21.0, 17.0, 4.7], [94.0, 57.0, 12.3]),
        (gpu(58, 2_040_000_000, 300_000_000_000), [39.0, 32.0, 8.7], [88.0, 54.0, 11.5]),
        (gpu(108, 1_410_000_000, 1_555_000_000_000), [51.0, 41.0, 11.2], [456.0, 279.0, 59.6]),
    ];
    for (gpu, arithmetic, memory) in known {
        for ((job, arithmetic), memory) in JOBS.iter().zip(arithmetic).zip(memory) {
            let bounds = roofline(&gpu, job).unwrap();
            assert!(apart(bounds.arithmetic / 1e3, arithmetic) < 0.04, "{}: {bounds:?}", job.name);
            assert!(apart(bounds.memory / 1e3, memory) < 0.02, "{}: {bounds:?}", job.name);
            assert!(apart(bounds.kernel(), bounds.arithmetic) < 1e-9, "{}: {bounds:?}", job.name);
        }
    }
}

#[test]
fn the_instructions_of_the_page_are_those_of_its_jobs() {
    let gpu = gpu(1, 1, 1);
    for (job, millions) in JOBS.iter().zip([192.0, 236.0, 874.0]) {
        let instructions = roofline(&gpu, job).unwrap().instructions;
        assert!(apart(instructions / 1e6, millions) < 0.005, "{}: {instructions}", job.name);
    }
}
