//! What is said where there is no GPU that will do.

use super::cases::usual;
use crate::cuda::{Gpu, GpuError, gpus};
use crate::frames::PixelFormat;
use pipe_fakecuda::FakeDriver;

fn refused() -> String {
    match Gpu::open(0).map(|_| ()) {
        Err(GpuError::Unavailable(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_machine_without_a_gpu_is_told_in_a_sentence() {
    let driver = FakeDriver::take();
    driver.tell("devices 0");
    assert_eq!(refused(), "the NVIDIA driver does not start here: CUDA_ERROR_NO_DEVICE");
}

#[test]
fn a_stub_of_the_toolkit_is_told_in_a_sentence() {
    let driver = FakeDriver::take();
    driver.fail("cuInit", 1, 34);
    assert_eq!(refused(), "the NVIDIA driver does not start here: CUDA_ERROR_STUB_LIBRARY");
    Gpu::open(0).unwrap();
}

#[test]
fn a_driver_too_old_for_the_kernels_is_told_with_its_version() {
    let driver = FakeDriver::take();
    driver.tell("version 9020");
    assert_eq!(refused(), "the NVIDIA driver is of CUDA 9.2; 10.0 is the oldest that does");
    assert_eq!(driver.leaks(), "");
    driver.tell("version 10000");
    Gpu::open(0).unwrap();
}

#[test]
fn a_gpu_too_old_for_the_kernels_is_told_with_its_name() {
    let driver = FakeDriver::take();
    driver.tell("compute 7 0");
    let why = "GPU 0, no GPU: a driver for tests, has compute capability 7.0; 7.5 is the oldest that does";
    assert_eq!(refused(), why);
}

#[test]
fn a_gpu_that_is_not_there_is_told_with_how_many_are() {
    let driver = FakeDriver::take();
    driver.tell("devices 2");
    assert_eq!(Gpu::open(2).map(|_| ()), Err(GpuError::Unavailable("there is no GPU 2 here, of 2".to_owned())));
    Gpu::open(1).unwrap();
    assert_eq!(gpus().unwrap().len(), 2);
}

#[test]
fn gpus_are_told_as_their_driver_tells_them() {
    let driver = FakeDriver::take();
    driver.tell("compute 8 9");
    driver.tell("capacity 5000");
    let gpu = gpus().unwrap().remove(0);
    assert_eq!((gpu.ordinal, gpu.compute, gpu.processors, gpu.memory, gpu.driver), (0, (8, 9), 40, 5000, (12, 2)));
    assert_eq!(gpu.name, "no GPU: a driver for tests");
}

#[test]
fn no_pictures_need_no_memory() {
    let driver = FakeDriver::take();
    let case = usual(PixelFormat::NV12, 0);
    assert_eq!(case.made(&mut Gpu::open(0).unwrap()), Ok(Vec::new()));
    assert_eq!(driver.leaks(), "");
}
