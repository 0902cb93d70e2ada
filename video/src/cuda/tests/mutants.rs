//! The tests' own test: mistakes that people make, each made on purpose, each found.

use super::cases::{exchanged, usual};
use crate::cuda::gpu::PTX;
use crate::cuda::{Gpu, GpuError};
use crate::frames::{Coefficients, ColourMatrix, PixelFormat};
use pipe_fakecuda::FakeDriver;

/// What a changed kernel makes of a usual case, and what was told of it.
fn changed(from: &str, to: &str) -> Result<bool, String> {
    assert!(PTX.contains(from), "the kernels have no {from}");
    with_kernels(&PTX.replace(from, to))
}

fn with_kernels(ptx: &str) -> Result<bool, String> {
    let driver = FakeDriver::take();
    let mut gpu = Gpu::with_kernels(0, ptx).map_err(|e| format!("{e}: {}", driver.told()))?;
    let case = usual(PixelFormat::I420, 2);
    let made = case.made(&mut gpu).map_err(|_| driver.told())?;
    Ok(made == case.expected().unwrap())
}

#[test]
fn kernels_as_they_are_are_right() {
    assert_eq!(with_kernels(PTX), Ok(true));
}

#[test]
fn a_barrier_left_out_is_found() {
    let told = changed("bar.sync \t0;", "").unwrap_err();
    assert!(told.contains("shared memory"), "{told}");
}

#[test]
fn an_index_off_by_one_is_found_on_each_axis() {
    // Every read of a thread's or a block's place is followed by an addition of one.
    for place in ["%tid.x", "%tid.y", "%ctaid.x", "%ctaid.y", "%ctaid.z"] {
        let moved: Vec<String> = PTX.lines().map(|line| one_more(line, place)).collect();
        let moved = moved.join("\n");
        assert_ne!(moved.len(), PTX.len(), "{place} is read nowhere");
        let outcome = with_kernels(&moved);
        assert!(outcome != Ok(true), "{place} was not found");
    }
}

fn one_more(line: &str, place: &str) -> String {
    match line.trim().strip_prefix("mov.u32").and_then(|rest| rest.split_once(',')) {
        Some((register, source)) if source.trim() == format!("{place};") => {
            format!("{line}\nadd.s32 {register}, {register}, 1;")
        }
        _ => line.to_owned(),
    }
}

#[test]
fn an_instruction_that_is_not_known_is_refused() {
    let told = changed("bar.sync \t0;", "membar.gl;").unwrap_err();
    assert!(told.contains("CUDA_ERROR_INVALID_PTX") && told.contains("`membar` is not understood"), "{told}");
}

/// What a GPU makes of a usual case when each launch has some bytes of its parameters changed.
fn patched(format: PixelFormat, at: usize, value: u32) -> Result<bool, String> {
    let driver = FakeDriver::take();
    driver.tell(&format!("patch {at} {value}"));
    // Two in each lane.
    let case = usual(format, 4);
    let made = case.made(&mut Gpu::open(0).unwrap()).map_err(|_| driver.told())?;
    Ok(made == case.expected().unwrap())
}

macro_rules! at {
    ($field:ident) => {
        std::mem::offset_of!(crate::cuda::params::Params, $field)
    };
}

#[test]
fn a_width_taken_for_a_pitch_is_found() {
    // The usual picture has 75 columns, and rows 80 bytes apart.
    assert_eq!(patched(PixelFormat::I420, at!(luma_pitch), 80), Ok(true));
    assert_eq!(patched(PixelFormat::I420, at!(luma_pitch), 75), Ok(false));
    assert_eq!(patched(PixelFormat::I420, at!(chroma_pitch), 38), Ok(false));
    assert_eq!(patched(PixelFormat::NV12, at!(chroma_pitch), 76), Ok(false));
}

#[test]
fn u_and_v_exchanged_are_found() {
    let _driver = FakeDriver::take();
    let case = usual(PixelFormat::I420, 2);
    let mut made = case.expected().unwrap();
    Gpu::open(0).unwrap().tensors(&case.plan, &exchanged(&case), &mut made).unwrap();
    assert!(made != case.expected().unwrap());
}

#[test]
fn u_and_v_exchanged_in_one_plane_are_found() {
    // 39 rows of 80 bytes lie before U.
    assert_eq!(patched(PixelFormat::NV12, at!(u_offset), 39 * 80), Ok(true));
    assert_eq!(patched(PixelFormat::NV12, at!(u_offset), 39 * 80 + 1), Ok(false));
}

#[test]
fn a_matrix_taken_for_another_is_found() {
    let _driver = FakeDriver::take();
    for (right, wrong) in [(ColourMatrix::Bt709, ColourMatrix::Bt601), (ColourMatrix::Bt601, ColourMatrix::Bt709)] {
        let mut case = usual(PixelFormat::NV12, 1);
        let of = |matrix| Coefficients::new(matrix, case.plan.shape.range, 8);
        let (right, wrong) = (of(right), of(wrong));
        case.plan.colour = right;
        let expected = case.expected().unwrap();
        assert!(case.made(&mut Gpu::open(0).unwrap()).unwrap() == expected);
        case.plan.colour = wrong;
        assert!(case.made(&mut Gpu::open(0).unwrap()).unwrap() != expected);
    }
}

#[test]
fn samples_of_ten_bits_taken_from_the_wrong_end_are_found() {
    assert_eq!(patched(PixelFormat::P010, at!(sample_shift), 6), Ok(true));
    assert_eq!(patched(PixelFormat::P010, at!(sample_shift), 0), Ok(false));
}

#[test]
fn a_buffer_that_is_too_short_is_found() {
    // Seen by the copy, whose length is the buffer's.
    let driver = FakeDriver::take();
    driver.tell("shorten 1");
    let case = usual(PixelFormat::NV12, 2);
    let error = case.made(&mut Gpu::open(0).unwrap()).unwrap_err();
    assert!(matches!(error, GpuError::Failed { .. }), "{error}");
    drop(driver);
    // Seen by the kernel, which believes that a picture begins one byte later than it does.
    let picture = (39 + 20) * 80;
    let told = patched(PixelFormat::NV12, at!(picture_bytes), picture + 80).unwrap_err();
    assert!(told.contains("out of bounds"), "{told}");
    // And by the kernel, which believes that tensors lie further apart.
    let told = patched(PixelFormat::NV12, at!(tensor_numbers), 36 * 22 * 3 + 1).unwrap_err();
    assert!(told.contains("out of bounds"), "{told}");
}

#[test]
fn too_little_shared_memory_is_found() {
    let told = patched(PixelFormat::NV12, at!(span), 10_000).unwrap_err();
    assert!(told.contains("shared memory"), "{told}");
}

#[test]
fn a_sync_left_out_is_found() {
    // Whoever waits is told at once that all is done, and nothing is.
    let driver = FakeDriver::take();
    let case = usual(PixelFormat::NV12, 4);
    assert!(case.made(&mut Gpu::open(0).unwrap()).unwrap() == case.expected().unwrap());
    driver.tell("skip-waits");
    assert!(case.made(&mut Gpu::open(0).unwrap()).ok() != case.expected().ok());
}
