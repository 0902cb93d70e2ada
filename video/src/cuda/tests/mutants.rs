//! The tests' own test: mistakes that people make, each made on purpose in each kernel and each way that samples lie, each found.

use super::cases::{exchanged, of_each_kernel, usual};
use crate::cuda::conformance::Case;
use crate::cuda::gpu::PTX;
use crate::cuda::params::Params;
use crate::cuda::tables::Tables;
use crate::cuda::{Gpu, GpuError};
use crate::frames::{Chroma, Coefficients, ColourMatrix, ColourRange, PixelFormat, Plan, Taps};
use pipe_fakecuda::FakeDriver;

/// What kernels of one's own make of a case, and what was told of it.
fn with_kernels(ptx: &str, case: &Case) -> Result<bool, String> {
    let driver = FakeDriver::take();
    let mut gpu = Gpu::with_kernels(0, ptx).map_err(|e| format!("{e}: {}", driver.told()))?;
    let made = case.made(&mut gpu).map_err(|_| driver.told())?;
    Ok(made == case.expected().unwrap())
}

/// The kernels with something done to the text of one.
fn changed(kernel: &str, change: impl Fn(&str) -> String) -> String {
    let begin = PTX.find(&format!(".visible .entry {kernel}(")).unwrap();
    let end = begin + PTX[begin..].find("\n}\n").unwrap();
    let text = change(&PTX[begin..end]);
    assert_ne!(text, PTX[begin..end], "{kernel} has nothing of that");
    [&PTX[..begin], &text, &PTX[end..]].concat()
}

#[test]
fn kernels_as_they_are_are_right() {
    let cases = of_each_kernel(2);
    for (kernel, case) in &cases {
        assert_eq!(with_kernels(PTX, case), Ok(true), "{kernel}: {:?}", case.plan.shape.format);
    }
    let kernels: std::collections::BTreeSet<&str> = cases.iter().map(|(kernel, _)| *kernel).collect();
    assert_eq!(kernels.len(), PTX.matches(".visible .entry").count(), "{kernels:?}");
}

#[test]
fn a_barrier_left_out_is_found_in_each_kernel() {
    for (kernel, case) in of_each_kernel(2) {
        let told = with_kernels(&changed(kernel, |text| text.replace("bar.sync \t0;", "")), &case).unwrap_err();
        assert!(told.contains("shared memory"), "{kernel}: {told}");
    }
}

#[test]
fn an_index_off_by_one_is_found_on_each_axis_of_each_kernel() {
    // Every read of a thread's or a block's place is followed by an addition.
    for (kernel, case) in of_each_kernel(2) {
        for place in ["%tid.x", "%tid.y", "%ctaid.x", "%ctaid.y", "%ctaid.z"] {
            for by in [1, -1] {
                let moved = |text: &str| text.lines().map(|line| moved(line, place, by)).collect::<Vec<_>>().join("\n");
                let outcome = with_kernels(&changed(kernel, moved), &case);
                assert!(outcome != Ok(true), "{kernel}: {place} moved by {by} was not found");
            }
        }
    }
}

fn moved(line: &str, place: &str, by: i32) -> String {
    match line.trim().strip_prefix("mov.u32").and_then(|rest| rest.split_once(',')) {
        Some((register, source)) if source.trim() == format!("{place};") => {
            format!("{line}\nadd.s32 {register}, {register}, {by};")
        }
        _ => line.to_owned(),
    }
}

#[test]
fn a_source_place_off_by_one_is_found_on_each_axis() {
    type TapsOf = fn(&mut Plan) -> &mut Taps;
    let axes: [(&str, TapsOf); 2] = [("row", |plan| &mut plan.rows), ("column", |plan| &mut plan.columns)];
    for (kernel, mut case) in of_each_kernel(1) {
        let (right, expected) = (case.plan.clone(), case.expected().unwrap());
        for (axis, taps) in axes {
            case.plan = right.clone();
            let taps = taps(&mut case.plan);
            let middle = taps.starts.len() / 2;
            taps.starts[middle] += 1;
            assert!(made(&case) != Ok(expected.clone()), "{kernel}: {axis}");
        }
    }
}

#[test]
fn a_place_off_by_one_is_found_on_each_axis() {
    for (kernel, mut case) in of_each_kernel(1) {
        let (right, expected) = (case.plan.clone(), case.expected().unwrap());
        let moves: [fn(&mut Plan); 3] =
            [|plan| plan.place.top += 1, |plan| plan.place.left += 1, |plan| plan.place.top -= 1];
        for (number, moves) in moves.iter().enumerate() {
            case.plan = right.clone();
            moves(&mut case.plan);
            assert!(made(&case) != Ok(expected.clone()), "{kernel}: {number}");
        }
    }
}

fn made(case: &Case) -> Result<Vec<u8>, GpuError> {
    let _driver = FakeDriver::take();
    case.made(&mut Gpu::open(0)?)
}

#[test]
fn an_instruction_that_is_not_known_is_refused() {
    for (kernel, case) in of_each_kernel(1) {
        let text = changed(kernel, |text| text.replace("bar.sync \t0;", "membar.gl;"));
        let told = with_kernels(&text, &case).unwrap_err();
        assert!(told.contains("CUDA_ERROR_INVALID_PTX") && told.contains("`membar` is not understood"), "{told}");
    }
}

/// What a GPU makes of a case when words of each launch's parameters are others.
fn patched(case: &Case, words: &[(usize, u32)]) -> Result<bool, String> {
    let driver = FakeDriver::take();
    words.iter().for_each(|(at, value)| drop(driver.tell(&format!("patch {at} {value}"))));
    let made = case.made(&mut Gpu::open(0).unwrap()).map_err(|_| driver.told())?;
    Ok(made == case.expected().unwrap())
}

macro_rules! at {
    ($field:ident) => {
        std::mem::offset_of!(crate::cuda::params::Params, $field)
    };
}

/// What a launch is told of a case, but for the addresses.
fn params(case: &Case) -> Params {
    Tables::of(&case.plan).unwrap().params(0, 0, 0)
}

#[test]
fn a_width_taken_for_a_pitch_is_found_in_every_format() {
    // The usual picture has 75 columns, and 38 of chroma that has half of them; rows begin at multiples of 16 bytes.
    let known = [
        (PixelFormat::I420, [80, 48], [75, 38]),
        (PixelFormat::NV12, [80, 80], [75, 76]),
        (PixelFormat::planar(8, 0, 0), [80, 80], [75, 75]),
        (PixelFormat::P010, [160, 160], [150, 152]),
        (PixelFormat::planar(10, 1, 1), [160, 80], [150, 76]),
    ];
    // Two in each lane.
    for (kernel, case) in of_each_kernel(4) {
        let (_, pitches, widths) = known.iter().find(|(format, ..)| *format == case.plan.shape.format).unwrap();
        let words = |values: &[u32; 2]| [(at!(luma_pitch), values[0]), (at!(chroma_pitch), values[1])];
        assert_eq!(patched(&case, &words(pitches)), Ok(true), "{kernel}: {pitches:?}");
        for word in words(widths) {
            assert_eq!(patched(&case, &[word]), Ok(false), "{kernel}: {word:?}");
        }
    }
}

#[test]
fn u_and_v_exchanged_are_found_in_every_format() {
    for (kernel, case) in of_each_kernel(4) {
        let p = params(&case);
        let words = |u: u64, v: u64| [(at!(u_offset), u as u32), (at!(v_offset), v as u32)];
        assert_eq!(patched(&case, &words(p.u_offset, p.v_offset)), Ok(true), "{kernel}");
        assert_eq!(patched(&case, &words(p.v_offset, p.u_offset)), Ok(false), "{kernel}");
    }
    // 39 rows of 80 bytes lie before U, and V is beside it.
    let p = params(&usual(PixelFormat::NV12, 1));
    assert_eq!((p.u_offset, p.v_offset), (39 * 80, 39 * 80 + 1));
}

#[test]
fn planes_of_u_and_v_exchanged_are_found() {
    for (kernel, case) in of_each_kernel(2) {
        if case.plan.shape.format.chroma != Chroma::Planar {
            continue;
        }
        let _driver = FakeDriver::take();
        let expected = case.expected().unwrap();
        let mut made = expected.clone();
        Gpu::open(0).unwrap().tensors(&case.plan, &exchanged(&case), &mut made).unwrap();
        assert!(made != expected, "{kernel}");
    }
}

#[test]
fn a_matrix_taken_for_another_is_found_in_every_format_and_range() {
    for (kernel, mut case) in of_each_kernel(1) {
        let depth = case.plan.shape.format.depth;
        for range in [ColourRange::Limited, ColourRange::Full] {
            let of = |matrix| Coefficients::new(matrix, range, depth);
            let (bt601, bt709) = (of(ColourMatrix::Bt601), of(ColourMatrix::Bt709));
            for (right, wrong) in [(bt709, bt601), (bt601, bt709)] {
                case.plan.colour = right;
                let expected = case.expected().unwrap();
                assert!(made(&case).unwrap() == expected, "{kernel}, {range:?}");
                case.plan.colour = wrong;
                assert!(made(&case).unwrap() != expected, "{kernel}, {range:?}");
            }
        }
    }
}

#[test]
fn samples_of_ten_bits_taken_from_the_wrong_end_are_found() {
    for (format, right, wrong) in [(PixelFormat::P010, 6, 0), (PixelFormat::planar(10, 1, 1), 0, 6)] {
        for (kernel, case) in of_each_kernel(2).iter().filter(|(_, case)| case.plan.shape.format == format) {
            assert_eq!(patched(case, &[(at!(sample_shift), right)]), Ok(true), "{kernel}");
            assert_eq!(patched(case, &[(at!(sample_shift), wrong)]), Ok(false), "{kernel}");
        }
    }
}

#[test]
fn a_buffer_that_is_one_byte_too_short_is_found_whichever_it_is() {
    for (kernel, case) in of_each_kernel(4) {
        // The tables, and the pictures and tensors of either lane: each is as long as what is copied to or from it.
        for nth in 1..=5 {
            let driver = FakeDriver::take();
            driver.tell(&format!("shorten 1 {nth}"));
            let error = case.made(&mut Gpu::open(0).unwrap()).unwrap_err();
            assert!(matches!(error, GpuError::Failed { .. }), "{kernel}: {nth}: {error}");
            assert!(driver.told().contains("out of bounds: 1 past the end"), "{kernel}: {nth}: {}", driver.told());
        }
        let driver = FakeDriver::take();
        driver.tell("shorten 1 6");
        assert!(case.made(&mut Gpu::open(0).unwrap()).unwrap() == case.expected().unwrap(), "{kernel}");
    }
}

#[test]
fn pictures_and_tensors_taken_to_be_further_apart_than_they_are_are_found() {
    for (kernel, case) in of_each_kernel(4) {
        let p = params(&case);
        let pictures = (at!(picture_bytes), p.picture_bytes as u32);
        assert_eq!(patched(&case, &[pictures]), Ok(true), "{kernel}");
        let told = patched(&case, &[(pictures.0, pictures.1 + p.luma_pitch)]).unwrap_err();
        assert!(told.contains("out of bounds"), "{kernel}: {told}");
        assert_eq!(p.tensor_numbers, 36 * 22 * 3);
        let told = patched(&case, &[(at!(tensor_numbers), 36 * 22 * 3 + 1)]).unwrap_err();
        assert!(told.contains("out of bounds"), "{kernel}: {told}");
    }
}

#[test]
fn numbers_of_a_tensor_taken_to_lie_elsewhere_are_found() {
    for (kernel, case) in of_each_kernel(2) {
        let p = params(&case);
        for (at, step) in [(at!(step_x), p.step_x), (at!(step_y), p.step_y), (at!(step_channel), p.step_channel)] {
            assert_eq!(patched(&case, &[(at, step.cast_unsigned())]), Ok(true), "{kernel}: {at}");
            for wrong in [step - 1, step + 1] {
                assert!(patched(&case, &[(at, wrong.cast_unsigned())]) != Ok(true), "{kernel}: {at}: {wrong}");
            }
        }
        assert!(patched(&case, &[(at!(origin), 1)]) != Ok(true), "{kernel}");
    }
}

#[test]
fn too_little_shared_memory_is_found() {
    for (kernel, case) in of_each_kernel(2) {
        let told = patched(&case, &[(at!(span), 10_000)]).unwrap_err();
        assert!(told.contains("shared memory"), "{kernel}: {told}");
    }
}

#[test]
fn a_sync_left_out_is_found_in_each_kernel() {
    for (kernel, case) in of_each_kernel(4) {
        let expected = case.expected().unwrap();
        let without = |waits: &[u64]| {
            let driver = FakeDriver::take();
            // A call that is to fail with 0, which is CUDA_SUCCESS, does nothing and says that all is done.
            waits.iter().for_each(|nth| driver.fail("cuStreamSynchronize", *nth, 0));
            let made = case.made(&mut Gpu::open(0).unwrap()).map_err(|_| driver.told())?;
            Ok(made == expected)
        };
        assert_eq!(without(&[]), Ok(true), "{kernel}");
        // Each lane's own wait, which is the one after that for the tables and that at the end of their stream.
        assert_eq!((without(&[3]), without(&[4])), (Ok(false), Ok(false)), "{kernel}");
        // Nobody waits for the tables at all.
        let told: String = without(&[1, 2]).unwrap_err();
        assert!(told.contains("nobody wrote"), "{kernel}: {told}");
        let driver = FakeDriver::take();
        driver.tell("skip-waits");
        assert!(case.made(&mut Gpu::open(0).unwrap()).ok().as_ref() != Some(&expected), "{kernel}");
    }
}
