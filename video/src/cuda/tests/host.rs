//! The same source, compiled for the CPU by a compiler of C++: a second opinion on the interpreter, and the sanitizers'.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::cases::usual;
use crate::cuda::conformance::{Case, Random};
use crate::cuda::params::Params;
use crate::cuda::tables::Tables;
use crate::frames::{Element, FrameSpec, Layout, PixelFormat};
use tempfile::TempDir;

const KERNELS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/kernels");

/// The kernels as a program, with something in their source changed, built in a folder.
fn built(folder: &TempDir, flags: &[&str], (from, to): (&str, &str)) -> PathBuf {
    for file in ["params.h", "host.h", "host.cpp"] {
        fs::copy(Path::new(KERNELS).join(file), folder.path().join(file)).unwrap();
    }
    let source = fs::read_to_string(Path::new(KERNELS).join("frames.cu")).unwrap();
    assert!(source.contains(from), "the kernels have no {from}");
    fs::write(folder.path().join("frames.cu"), source.replace(from, to)).unwrap();
    let program = folder.path().join("host");
    let built = Command::new("g++")
        .args(["-std=c++17", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror", "-pthread", "-g"])
        .args(flags)
        .args(["host.cpp", "-o", "host"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    program
}

const AS_IT_IS: (&str, &str) = ("", "");

/// What the program makes of a case whose pictures are some bytes shorter than they should be, or what it says.
fn ran(folder: &TempDir, program: &Path, case: &Case, short_by: usize) -> Result<Vec<u8>, String> {
    let tables = Tables::of(&case.plan).unwrap();
    let pictures = case.pictures();
    let shape = tables.shape(pictures.len() as u32);
    let mut bytes = vec![0; pictures.len() * tables.pictures.bytes];
    for (picture, place) in pictures.iter().zip(bytes.chunks_exact_mut(tables.pictures.bytes)) {
        tables.pictures.copy(picture, place);
    }
    bytes.truncate(bytes.len() - short_by);
    let tensor_bytes = pictures.len() * tables.tensor_bytes;
    let said = [shape.grid[0], shape.grid[1], shape.grid[2], shape.shared_bytes].map(u64::from);
    let mut launch: Vec<u8> = said.iter().flat_map(|n| n.to_le_bytes()).collect();
    for length in [tables.bytes.len(), bytes.len(), tensor_bytes] {
        launch.extend((length as u64).to_le_bytes());
    }
    launch.extend(words_of(&tables.params(0, 0, 0)));
    launch.extend(&tables.bytes);
    launch.extend(&bytes);
    let (given, made) = (folder.path().join("launch"), folder.path().join("tensors"));
    fs::write(&given, launch).unwrap();
    // The sanitizer of threads wants memory where it expects it.
    let ran =
        Command::new("setarch").args(["-R"]).arg(program).arg(tables.kernel).args([&given, &made]).output().unwrap();
    if ran.status.success() { Ok(fs::read(made).unwrap()) } else { Err(String::from_utf8_lossy(&ran.stderr).into()) }
}

fn words_of(params: &Params) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size_of::<Params>());
    let axis = |axis: crate::cuda::params::Axis| {
        let words = [axis.starts, axis.counts, axis.weights].map(u64::to_le_bytes);
        [words.as_flattened(), &axis.width.to_le_bytes(), &axis.shift.to_le_bytes()].concat()
    };
    let p = params;
    for word in [p.pictures, p.tensors, p.values, p.tile_starts, p.tile_counts] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(axis(p.rows));
    bytes.extend(axis(p.columns));
    for word in [p.picture_bytes, p.tensor_numbers, p.u_offset, p.v_offset] {
        bytes.extend(word.to_le_bytes());
    }
    let small = [p.luma_pitch, p.chroma_pitch, p.chroma_step, p.sub_x, p.sub_y, p.sample_shift, p.sample_mask];
    bytes.extend(small.iter().flat_map(|word| word.to_le_bytes()));
    let colour = [p.luma_zero, p.chroma_zero, p.luma, p.red_v, p.green_v, p.green_u, p.blue_u];
    bytes.extend(colour.iter().flat_map(|word| word.to_le_bytes()));
    let places = [p.canvas_width, p.canvas_height, p.place_left, p.place_top, p.place_width, p.place_height];
    let places = [&[p.colour_shift][..], &places, &[p.tile_width, p.span, p.pad]].concat();
    bytes.extend(places.iter().flat_map(|word| word.to_le_bytes()));
    bytes.extend([p.step_x, p.step_y, p.step_channel].iter().flat_map(|word| word.to_le_bytes()));
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes.extend(p.origin.to_le_bytes());
    assert_eq!(bytes.len(), size_of::<Params>());
    bytes
}

/// A small case for each kernel: sanitizers are slow. Two pictures, so that a launch has blocks on every axis.
fn small() -> Vec<(&'static str, Case)> {
    let numbers = [(Element::U8, Layout::Nhwc), (Element::F16, Layout::Nchw), (Element::F32, Layout::Nchw)];
    let kinds = [PixelFormat::NV12, PixelFormat::P010].into_iter().flat_map(|format| numbers.map(|n| (format, n)));
    let cases = kinds.map(|(format, (element, layout))| {
        let spec = FrameSpec { element, layout, ..FrameSpec::plain(34, 9) };
        let case = Case::new(&spec, &usual(format, 1).plan.shape, 2, &mut Random::new(2)).unwrap();
        (Tables::of(&case.plan).unwrap().kernel, case)
    });
    let cases: Vec<_> = cases.collect();
    let kernels: BTreeSet<&str> = cases.iter().map(|(kernel, _)| *kernel).collect();
    assert_eq!(kernels.len(), 6, "{kernels:?}");
    cases
}

#[test]
fn every_kernel_compiled_for_the_cpu_gives_the_referees_bytes() {
    let folder = TempDir::new().unwrap();
    let program = built(&folder, &["-O1"], AS_IT_IS);
    for format in [PixelFormat::I420, PixelFormat::NV12, PixelFormat::P010] {
        for element in [Element::U8, Element::F16, Element::F32] {
            let plan = usual(format, 1).plan;
            let spec = FrameSpec { element, ..plan.spec };
            let case = Case::new(&spec, &plan.shape, 1, &mut Random::new(9)).unwrap();
            let made = ran(&folder, &program, &case, 0).unwrap();
            assert!(made == case.expected().unwrap(), "{format:?} {element:?}");
        }
    }
    for seed in 0..5 {
        let case = Case::any(seed).unwrap();
        assert!(ran(&folder, &program, &case, 0).unwrap() == case.expected().unwrap(), "seed {seed}");
    }
}

#[test]
fn the_sanitizer_of_threads_finds_a_barrier_left_out_of_any_kernel_and_nothing_else() {
    let (whole, changed) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let flags = ["-O1", "-fsanitize=thread"];
    let right = built(&whole, &flags, AS_IT_IS);
    let wrong = built(&changed, &flags, ("    __syncthreads();\n", ""));
    for (kernel, case) in small() {
        let made = ran(&whole, &right, &case, 0).unwrap_or_else(|told| panic!("{kernel}: {told}"));
        assert!(made == case.expected().unwrap(), "{kernel}");
        let told = ran(&changed, &wrong, &case, 0).unwrap_err();
        assert!(told.contains("data race"), "{kernel}: {told}");
    }
}

#[test]
fn the_sanitizer_of_addresses_finds_a_short_picture_in_any_kernel_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let flags = ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    let program = built(&folder, &flags, AS_IT_IS);
    for (kernel, case) in small() {
        let made = ran(&folder, &program, &case, 0).unwrap_or_else(|told| panic!("{kernel}: {told}"));
        assert!(made == case.expected().unwrap(), "{kernel}");
        // Rows are padded to multiples of 16 bytes, and the last row's padding is not read.
        let told = ran(&folder, &program, &case, 16).unwrap_err();
        assert!(told.contains("heap-buffer-overflow"), "{kernel}: {told}");
    }
}
