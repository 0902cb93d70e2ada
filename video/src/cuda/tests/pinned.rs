//! What a stream copies is pinned memory. A driver takes other memory, too, and copies it while the program waits: the bytes are
//! right, and nothing is beside anything. The driver for tests refuses it.
#![expect(unsafe_code, reason = "copies are begun by hand, as nothing else here could begin wrong ones")]

use std::ptr::null_mut;

use super::cases::usual;
use crate::cuda::Gpu;
use crate::cuda::raw::{Context, DeviceBytes};
use crate::frames::PixelFormat;
use cudarc::driver::result::{memcpy_dtoh_async, memcpy_htod_async};
use pipe_fakecuda::FakeDriver;

#[test]
fn a_copy_of_memory_that_is_not_pinned_is_found() {
    let driver = FakeDriver::take();
    let gpu = Gpu::open(0).unwrap();
    let context = Context::open(0).unwrap();
    let there = DeviceBytes::new(&context, 64).unwrap();
    let mut here = vec![7_u8; 64];
    // SAFETY: both have as many bytes, and are there until the driver is gone.
    unsafe { memcpy_htod_async(there.at, &here, null_mut()) }.unwrap_err();
    let told = "64 bytes of the host are copied beside the program and are not pinned";
    assert_eq!(driver.told(), told);
    driver.tell("forget");
    // SAFETY: as above.
    unsafe { memcpy_dtoh_async(&mut here, there.at, null_mut()) }.unwrap_err();
    assert_eq!(driver.told(), told);
    drop((there, context, gpu));
    assert_eq!(driver.leaks(), "");
}

#[test]
fn all_that_is_copied_for_frames_is_pinned() {
    let driver = FakeDriver::take();
    let mut gpu = Gpu::open(0).unwrap();
    let case = usual(PixelFormat::NV12, 4);
    assert!(case.made(&mut gpu).unwrap() == case.expected().unwrap(), "{}", driver.told());
    let count = |name| driver.calls().into_iter().find(|(called, _)| called == name).map_or(0, |(_, count)| count);
    // The tables and two lanes' pictures; two lanes' tensors. No copy is made while the program waits.
    assert_eq!((count("cuMemcpyHtoDAsync_v2"), count("cuMemcpyDtoHAsync_v2")), (3, 2));
    assert_eq!((count("cuMemHostAlloc"), count("cuMemcpyHtoD_v2")), (5, 0));
    assert_eq!(driver.told(), "");
}
