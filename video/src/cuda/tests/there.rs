//! Pictures that are on the device already, as a decoder there leaves them.
#![expect(unsafe_code, reason = "addresses on a device are handed over")]

use std::sync::Arc;

use super::cases::usual;
use crate::cuda::raw::{Context, DeviceBytes, PinnedBytes, Stream};
use crate::cuda::{DevicePicture, Gpu};
use crate::frames::{Chroma, Picture, PixelFormat, Plan};
use pipe_fakecuda::FakeDriver;

/// Rows of decoded surfaces begin at multiples of this many bytes.
const PITCH: usize = 256;

/// Puts one plane on the device by itself.
fn decoded(context: &Arc<Context>, plan: &Plan, picture: &Picture<'_>, plane: usize) -> DeviceBytes {
    let shape = &plan.shape;
    let (row, rows) = shape.format.plane_size(plane, shape.width, shape.height);
    let mut pinned = PinnedBytes::new(context, PITCH * rows).unwrap();
    let from = picture.planes[plane].bytes.chunks(picture.planes[plane].stride);
    for (from, to) in from.zip(pinned.bytes_mut().chunks_mut(PITCH)) {
        to[..row].copy_from_slice(&from[..row]);
    }
    let there = DeviceBytes::new(context, PITCH * rows).unwrap();
    let stream = Stream::new(context).unwrap();
    stream.upload(&pinned, &there, PITCH * rows).unwrap();
    stream.wait().unwrap();
    there
}

#[test]
fn pictures_on_the_device_give_the_referees_bytes_and_are_not_copied_up() {
    let driver = FakeDriver::take();
    let mut gpu = Gpu::open(0).unwrap();
    let context = Context::open(0).unwrap();
    for format in [PixelFormat::NV12, PixelFormat::P010, PixelFormat::I420] {
        let case = usual(format, 5);
        // Chroma first, so that it lies before luma.
        let surfaces: Vec<Vec<DeviceBytes>> = case
            .pictures()
            .iter()
            .map(|picture| (0..format.planes()).rev().map(|p| decoded(&context, &case.plan, picture, p)).collect())
            .collect();
        let pictures: Vec<DevicePicture> = surfaces.iter().map(|planes| picture(format, planes)).collect();
        let mut out = vec![0; case.expected().unwrap().len()];
        // SAFETY: the surfaces are those above, and are dropped below.
        unsafe { gpu.tensors_of(&case.plan, &pictures, &mut out) }.unwrap_or_else(|e| panic!("{e}: {}", driver.told()));
        assert!(out == case.expected().unwrap(), "{format:?}");
    }
    let uploads = driver.calls().into_iter().find(|(name, _)| name == "cuMemcpyHtoDAsync_v2").unwrap().1;
    // Five pictures of two, two and three planes, and the tables of three plans.
    assert_eq!(uploads, 5 * 7 + 3);
    drop((gpu, context));
    assert_eq!(driver.leaks(), "");
}

fn picture(format: PixelFormat, planes: &[DeviceBytes]) -> DevicePicture {
    let last = planes.len() - 1;
    let u = planes[last - 1].at;
    let v = match format.chroma {
        Chroma::Interleaved => u + format.sample_bytes() as u64,
        _ => planes[0].at,
    };
    DevicePicture { luma: planes[last].at, u, v, luma_pitch: PITCH as u32, chroma_pitch: PITCH as u32 }
}

#[test]
fn a_surface_smaller_than_its_plan_is_found() {
    let driver = FakeDriver::take();
    let mut gpu = Gpu::open(0).unwrap();
    let context = Context::open(0).unwrap();
    let case = usual(PixelFormat::NV12, 1);
    let surface: Vec<_> = [1, 0].map(|plane| decoded(&context, &case.plan, &case.pictures()[0], plane)).into();
    let right = picture(PixelFormat::NV12, &surface);
    let mut out = vec![0; case.plan.frame_bytes()];
    let wrong = DevicePicture { luma_pitch: 300, ..right };
    // SAFETY: not kept, and that is what the driver for tests is there to tell.
    unsafe { gpu.tensors_of(&case.plan, &[wrong], &mut out) }.unwrap_err();
    assert!(driver.told().contains("out of bounds"), "{}", driver.told());
}
