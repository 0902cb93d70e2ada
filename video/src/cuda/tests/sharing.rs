//! The GPU of a task and the CPU beside it.

use super::cases::{tiny, usual};
use crate::cuda::{GpuError, Gpus};
use crate::device::Device;
use crate::frames::{FrameError, Picture, PixelFormat, Plan, Preprocess, Reference};
use pipe_fakecuda::FakeDriver;

/// A CPU that counts.
#[derive(Default)]
struct Counting(usize);

impl Preprocess for Counting {
    fn run(&mut self, plan: &Plan, pictures: &[Picture<'_>], out: &mut [u8]) -> Result<(), FrameError> {
        self.0 += 1;
        Reference.run(plan, pictures, out)
    }
}

/// How often the CPU was asked for a case, whose bytes are right either way.
fn asked_of_the_cpu(gpus: &Gpus) -> usize {
    let case = usual(PixelFormat::NV12, 2);
    let mut cpu = Counting::default();
    let mut out = vec![0; case.expected().unwrap().len()];
    gpus.beside(&mut cpu).run(&case.plan, &case.pictures(), &mut out).unwrap();
    assert!(out == case.expected().unwrap());
    cpu.0
}

#[test]
fn a_gpu_that_is_there_does_all_and_says_nothing() {
    let _driver = FakeDriver::take();
    for device in [Device::Auto, Device::Cuda(0)] {
        let gpus = Gpus::open(device).unwrap();
        assert_eq!((asked_of_the_cpu(&gpus), gpus.has_gpu(), gpus.told()), (0, true, Vec::new()));
    }
}

#[test]
fn the_cpu_does_all_when_it_is_asked_for_and_the_driver_hears_of_nothing() {
    let driver = FakeDriver::take();
    let gpus = Gpus::open(Device::Cpu).unwrap();
    assert_eq!((asked_of_the_cpu(&gpus), gpus.told()), (1, Vec::new()));
    assert_eq!(driver.calls(), []);
}

#[test]
fn where_there_is_no_gpu_auto_says_why_and_a_number_is_refused() {
    let driver = FakeDriver::take();
    driver.tell("devices 0");
    let gpus = Gpus::open(Device::Auto).unwrap();
    assert_eq!(asked_of_the_cpu(&gpus), 1);
    let why = "frames are made on the CPU: the NVIDIA driver does not start here: CUDA_ERROR_NO_DEVICE";
    assert_eq!(gpus.told(), [why]);
    assert!(matches!(Gpus::open(Device::Cuda(0)).unwrap_err(), GpuError::Unavailable(_)));
}

#[test]
fn a_gpu_that_fails_is_given_up_and_no_frame_is_lost() {
    let driver = FakeDriver::take();
    let gpus = Gpus::open(Device::Auto).unwrap();
    assert_eq!(asked_of_the_cpu(&gpus), 0);
    driver.tell("fault-for-good cuLaunchKernel 2 719");
    assert_eq!((asked_of_the_cpu(&gpus), asked_of_the_cpu(&gpus), gpus.has_gpu()), (1, 1, false));
    let why = "the GPU failed while starting a kernel: CUDA_ERROR_LAUNCH_FAILED";
    assert_eq!(gpus.told(), [format!("frames are made on the CPU from here on: {why}")]);
    assert_eq!(driver.leaks(), "");
}

#[test]
fn what_has_no_room_is_done_by_the_cpu_and_the_gpu_goes_on_with_the_rest() {
    let driver = FakeDriver::take();
    let gpus = Gpus::open(Device::Auto).unwrap();
    driver.tell("capacity 4000");
    assert_eq!((asked_of_the_cpu(&gpus), asked_of_the_cpu(&gpus), gpus.has_gpu()), (1, 1, true));
    let told = gpus.told();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("some frames are made on the CPU: the GPU has no room for"), "{told:?}");
    driver.tell("capacity 1000000");
    assert_eq!(asked_of_the_cpu(&gpus), 0);
}

#[test]
fn threads_share_one_gpu() {
    let driver = FakeDriver::take();
    let gpus = Gpus::open(Device::Auto).unwrap();
    let case = tiny(3);
    let expected = case.expected().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut out = vec![0; expected.len()];
                for _ in 0..5 {
                    gpus.beside(&mut Reference).run(&case.plan, &case.pictures(), &mut out).unwrap();
                    assert!(out == expected);
                }
            });
        }
    });
    drop(gpus);
    assert_eq!(driver.leaks(), "");
}
