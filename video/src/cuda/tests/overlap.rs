//! Batches and lanes: what is done beside what, and what it costs when memory is short.

use super::cases::usual;
use crate::cuda::{Gpu, GpuError};
use crate::frames::PixelFormat;
use pipe_fakecuda::FakeDriver;

#[test]
fn pictures_go_in_two_lanes_of_batches() {
    let driver = FakeDriver::take();
    let mut gpu = Gpu::open(0).unwrap();
    // 40 pictures in batches of 16: three launches, the third in the first lane again.
    let case = usual(PixelFormat::NV12, 40);
    assert!(case.made(&mut gpu).unwrap() == case.expected().unwrap());
    assert_eq!(gpu.batch(), Some(16));
    let count = |name| driver.calls().into_iter().find(|(called, _)| called == name).map_or(0, |(_, count)| count);
    assert_eq!((count("cuLaunchKernel"), count("cuMemcpyDtoHAsync_v2")), (3, 3));
    // Each lane has its stream; a third brought the tables.
    assert_eq!(count("cuStreamCreate"), 3);
    // A second call for the same plan takes no memory.
    let taken = (count("cuMemAlloc_v2"), count("cuMemHostAlloc"), count("cuModuleLoadData"));
    assert!(case.made(&mut gpu).unwrap() == case.expected().unwrap());
    assert_eq!((count("cuMemAlloc_v2"), count("cuMemHostAlloc"), count("cuModuleLoadData")), taken);
}

#[test]
fn the_second_batch_is_given_before_the_first_is_waited_for() {
    let driver = FakeDriver::take();
    let mut gpu = Gpu::open(0).unwrap();
    let case = usual(PixelFormat::NV12, 2);
    case.made(&mut gpu).unwrap();
    // The third wait fails: one was for the tables. By then both batches of one picture were given.
    driver.fail("cuStreamSynchronize", 1, 700);
    let launched = |driver: &FakeDriver| driver.calls().into_iter().find(|(n, _)| n == "cuLaunchKernel").unwrap().1;
    let before = launched(&driver);
    case.made(&mut gpu).unwrap_err();
    assert_eq!(launched(&driver) - before, 2);
}

#[test]
fn a_batch_is_halved_until_it_has_room() {
    let driver = FakeDriver::take();
    let case = usual(PixelFormat::NV12, 32);
    let mut gpu = Gpu::open(0).unwrap();
    let expected = case.expected().unwrap();
    // Pitches are 80 bytes, so a picture has 39 * 80 + 20 * 80 bytes, and a tensor 36 * 22 * 12. Tables need some 5 kB.
    let one = 80 * 59 + 36 * 22 * 12;
    for (room, batch) in [(32, 16), (16, 8), (8, 4), (2, 1)] {
        gpu = reopened(gpu);
        driver.tell(&format!("capacity {}", 6000 + room * one));
        assert!(case.made(&mut gpu).unwrap() == expected);
        assert_eq!(gpu.batch(), Some(batch), "room for {room}");
    }
    gpu = reopened(gpu);
    driver.tell(&format!("capacity {}", 6000 + one));
    assert_eq!(case.made(&mut gpu), Err(GpuError::NoRoom { needed: one }));
    driver.tell("capacity 100");
    assert_eq!(case.made(&mut gpu), Err(GpuError::NoRoom { needed: one }));
    // The GPU is still good for what fits.
    driver.tell("capacity 1000000");
    assert!(case.made(&mut gpu).unwrap() == expected);
    drop(gpu);
    assert_eq!(driver.leaks(), "");
}

fn reopened(gpu: Gpu) -> Gpu {
    drop(gpu);
    Gpu::open(0).unwrap()
}
