//! `pipe gpu`, on a driver for tests in the place of NVIDIA's.

use crate::bench::{Bench, Said};
use pipe_fakecuda::FakeDriver;
use std::os::unix::fs::symlink;

/// What the binary says when the loader finds the driver for tests first. `told`: what the driver is told at its start.
fn on_the_driver_for_tests(told: &str, arguments: &[&str]) -> Said {
    let bench = Bench::new();
    symlink(FakeDriver::path(), bench.path("libcuda.so")).unwrap();
    let mut command = bench.command(arguments);
    command.env("LD_LIBRARY_PATH", bench.path("")).env("PIPE_FAKECUDA", told);
    bench.said(&mut command)
}

#[test]
fn gpus_are_listed_with_whether_they_will_do() {
    let said = on_the_driver_for_tests("devices 2; compute 8 9; capacity 8589934592", &["gpu", "info"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let rows: Vec<Vec<&str>> = said.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["GPU", "NAME", "COMPUTE", "SMS", "MEMORY", "CUDA", "PREPROCESS"]);
    assert_eq!((rows.len(), rows[2][0], *rows[2].last().unwrap()), (3, "1", "yes"));
    assert!(said.stdout.contains("8.9") && said.stdout.contains("12.2"), "{}", said.stdout);
    let old = on_the_driver_for_tests("compute 7 0", &["gpu", "info", "--json"]).json();
    assert_eq!((&old[0]["preprocess"], &old[0]["compute"][0]), (&false.into(), &7.into()));
}

#[test]
fn a_gpu_that_makes_what_the_cpu_makes_passes() {
    let said = on_the_driver_for_tests("", &["gpu", "check", "--cases", "20", "--seconds", "0"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert_eq!(lines[0], "GPU 0, no GPU: a driver for tests: 20 of 20 cases give the CPU's bytes");
    // FFmpeg looks for the driver by a name that this one does not have here.
    assert_eq!(lines[1..], ["its decoder is not used: FFmpeg does not take the NVIDIA driver (libcuda.so.1)"]);
}

#[test]
fn how_fast_each_part_is_stands_beside_what_this_gpu_could_do() {
    let arguments = ["gpu", "check", "--cases", "1", "--seconds", "1", "--job", "64x36:16x9"];
    let said = on_the_driver_for_tests("", &[&arguments[..], &["--json"]].concat());
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let found = said.json();
    let speeds = found["frames_a_second"].as_array().unwrap();
    let (speed, gpu) = (&speeds[0], &found["gpu"]);
    assert_eq!((speeds.len(), &speed["job"]), (1, &"64x36 nv12 to 16x9".into()));
    let number = |value: &serde_json::Value| value.as_f64().unwrap_or_else(|| panic!("{found:#}"));
    for part in ["whole", "upload", "kernel", "download"] {
        assert!(number(&speed[part]) > 0.0, "{part}: {speed:#}");
    }
    // Luma and half as much chroma; three numbers of two bytes for each pixel.
    assert_eq!((&speed["picture_bytes"], &speed["tensor_bytes"]), (&3456.into(), &864.into()));
    // docs/gpu.md: 64 lanes of 40 multiprocessors at 1.59 GHz; 256 bits twice a cycle at 5.001 GHz.
    assert_eq!((&gpu["processors"], &gpu["clock_hz"]), (&40.into(), &1_590_000_000_i64.into()));
    assert_eq!(gpu["memory_bytes_a_second"], 320_064_000_000_i64);
    let most = &speed["kernel_at_most"];
    let is = |value: f64, wanted: f64| (value - wanted).abs() < wanted * 1e-9;
    let instructions = number(&speed["instructions"]);
    assert!(is(number(&most["arithmetic"]), 40.0 * 64.0 * 1.59e9 / instructions), "{speed:#}");
    assert!(is(number(&most["memory"]), 320.064e9 / (3456.0 + 864.0)), "{speed:#}");

    let said = on_the_driver_for_tests("", &arguments);
    let rows: Vec<Vec<&str>> = said.stdout.lines().map(|line| line.split("  ").map(str::trim).collect()).collect();
    let row = |first: &str| {
        let row = rows.iter().find(|row| row[0] == first || row.contains(&first));
        row.unwrap_or_else(|| panic!("{}", said.stdout))
            .iter()
            .filter(|cell| !cell.is_empty())
            .copied()
            .collect::<Vec<_>>()
    };
    let names = ["JOB", "WHOLE", "UPLOAD", "KERNEL", "AT MOST", "DOWNLOAD", "GB/S UP", "GB/S DOWN", "BATCH"];
    assert_eq!(row("WHOLE"), names, "{}", said.stdout);
    let cells = row("64x36 nv12 to 16x9");
    assert_eq!((cells.len(), cells[8]), (names.len(), "16"), "{}", said.stdout);
    assert!(cells[1..6].iter().all(|cell| cell.parse::<u64>().unwrap() > 0), "{}", said.stdout);
    let most = cells[4].parse::<f64>().unwrap();
    assert!((most - 40.0 * 64.0 * 1.59e9 / instructions).abs() <= 1.0, "{}", said.stdout);
}

#[test]
fn sizes_that_are_none_are_refused() {
    for wrong in ["64x36", "64x36:16", "a:b", "64:36x16x9"] {
        let said = on_the_driver_for_tests("", &["gpu", "check", "--job", wrong]);
        assert_eq!(said.code, Some(2), "{wrong}: {}", said.stderr);
        assert!(said.stderr.contains("give two sizes, as in 1920x1080:224x224"), "{wrong}: {}", said.stderr);
    }
    let said = on_the_driver_for_tests("", &["gpu", "check", "--cases", "0", "--job", "64x36:0x9"]);
    assert_eq!(said.code, Some(3), "{}", said.stderr);
    assert!(said.stderr.contains("frames of 0x9 are asked for"), "{}", said.stderr);
}

#[test]
fn a_gpu_that_makes_something_else_fails_and_the_cases_are_told() {
    // At byte 172 of a launch's parameters stands what luma is multiplied with.
    let arguments = ["gpu", "check", "--cases", "12", "--seconds", "0", "--json"];
    let said = on_the_driver_for_tests("patch 172 1", &arguments);
    assert_eq!(said.code, Some(1), "{}", said.stderr);
    let wrong = said.json()["wrong"].as_array().unwrap().len();
    assert!(wrong > 6, "{wrong} of 12");
}

#[test]
fn where_no_gpu_will_do_it_is_said_why_and_what_happens_instead() {
    let cases = [
        ("devices 0", "the NVIDIA driver does not start here: CUDA_ERROR_NO_DEVICE"),
        ("version 9020", "the NVIDIA driver is of CUDA 9.2; 10.0 is the oldest that does"),
        ("compute 6 1", "GPU 0, no GPU: a driver for tests, has compute capability 6.1; 7.5 is the oldest that does"),
    ];
    for (told, why) in cases {
        let said = on_the_driver_for_tests(told, &["gpu", "check"]);
        assert_eq!(said.code, Some(3), "{told}");
        let help = "help: frames are made on the CPU here, with the same numbers";
        assert_eq!(said.stderr, format!("error: {why}\n{help}\n"));
    }
    let said = on_the_driver_for_tests("", &["gpu", "check", "--device", "3"]);
    assert!(said.stderr.starts_with("error: there is no GPU 3 here, of 1\n"), "{}", said.stderr);
}

#[test]
fn a_gpu_that_fails_half_way_ends_the_check_in_words() {
    let said = on_the_driver_for_tests("fault cuLaunchKernel 3 719", &["gpu", "check", "--cases", "9"]);
    assert_eq!(said.code, Some(3), "{}", said.stderr);
    let why = "error: the GPU failed while starting a kernel: CUDA_ERROR_LAUNCH_FAILED\n";
    assert!(said.stderr.starts_with(why), "{}", said.stderr);
}

#[test]
fn a_library_that_is_no_driver_is_told_and_nothing_panics() {
    // Something that loads and has none of the driver's functions, and something that does not even load.
    let bench = Bench::new();
    let no_driver = FakeDriver::path().parent().unwrap().read_dir().unwrap();
    let no_driver = no_driver.map(|file| file.unwrap().path()).find(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.ends_with(".so") && !name.contains("fakecuda")
    });
    symlink(no_driver.expect("cargo builds macros as libraries"), bench.path("libcuda.so")).unwrap();
    let said = bench.said(bench.command(&["gpu", "info"]).env("LD_LIBRARY_PATH", bench.path("")));
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(said.stderr.contains("the NVIDIA driver here has no cuInit: it is broken or older"), "{}", said.stderr);

    let bench = Bench::new();
    bench.write("libcuda.so", "no library at all");
    let mut command = bench.command(&["gpu", "info"]);
    // Where there is a driver behind it, this hides its GPUs.
    let said = bench.said(command.env("LD_LIBRARY_PATH", bench.path("")).env("CUDA_VISIBLE_DEVICES", ""));
    assert_eq!(said.code, Some(3), "{said:?}");
    let here = ["error: there is no NVIDIA driver here", "error: the NVIDIA driver does not start here"];
    assert!(here.iter().any(|why| said.stderr.starts_with(why)), "{}", said.stderr);
}
