//! Every call of the driver may fail: nothing panics, nothing is left behind, and no wrong tensor comes out.

use super::cases::tiny;
use crate::cuda::conformance::Case;
use crate::cuda::library::FUNCTIONS;
use crate::cuda::{Gpu, GpuError};
use pipe_fakecuda::FakeDriver;

/// A whole life of a GPU: three batches in two lanes, each part measured.
fn lived(case: &Case) -> Result<Vec<u8>, GpuError> {
    let mut gpu = Gpu::open(0)?;
    gpu.measure();
    case.made(&mut gpu)
}

/// How often such a life calls each function.
fn calls(case: &Case) -> Vec<(String, u64)> {
    let driver = FakeDriver::take();
    assert!(lived(case).unwrap() == case.expected().unwrap());
    driver.calls()
}

#[test]
fn a_life_calls_every_function_that_the_driver_is_looked_through_for_and_no_other() {
    let calls = calls(&tiny(40));
    let called: Vec<&str> = calls.iter().map(|(function, _)| function.as_str()).collect();
    let mut all = FUNCTIONS.to_vec();
    all.sort_unstable();
    assert_eq!(called, all);
}

#[test]
fn every_call_of_the_driver_may_fail_once() {
    let case = tiny(40);
    let expected = case.expected().unwrap();
    let mut errors = 0;
    for (function, count) in &calls(&case) {
        for nth in 1..=*count {
            let driver = FakeDriver::take();
            // 999 is CUDA_ERROR_UNKNOWN. What gives things back may fail in peace: the tensors are there by then.
            driver.fail(function, nth, 999);
            match lived(&case) {
                Ok(made) => assert!(made == expected, "{function} {nth}"),
                Err(error) => {
                    errors += 1;
                    let told = error.to_string();
                    assert!(told.contains("CUDA_ERROR_UNKNOWN"), "{function} {nth}: {told}");
                }
            }
            let gives_back = ["Free", "Destroy", "Unload", "Release"].iter().any(|word| function.contains(word));
            // To turn to the GPU may fail before something is given back, too.
            if !gives_back && function != "cuCtxSetCurrent" {
                assert_eq!(driver.leaks(), "", "{function} {nth}");
            }
        }
    }
    assert!(errors > 40, "only {errors} faults came out");
}

#[test]
fn every_call_of_the_driver_may_fail_from_some_moment_on() {
    let case = tiny(40);
    let expected = case.expected().unwrap();
    for (function, count) in &calls(&case) {
        for nth in [1, count.div_ceil(2), *count] {
            let driver = FakeDriver::take();
            driver.tell(&format!("fault-for-good {function} {nth} 719"));
            match lived(&case) {
                Ok(made) => assert!(made == expected, "{function} {nth}"),
                Err(error) => {
                    assert!(error.to_string().contains("CUDA_ERROR_LAUNCH_FAILED"), "{function} {nth}: {error}");
                }
            }
        }
    }
}

#[test]
fn any_call_may_find_no_memory_and_smaller_batches_or_a_word_come_of_it() {
    let case = tiny(40);
    let expected = case.expected().unwrap();
    for function in ["cuMemAlloc_v2", "cuMemHostAlloc"] {
        // The tables, and the pictures and tensors of two lanes.
        for nth in 1..=5 {
            let driver = FakeDriver::take();
            let mut gpu = Gpu::open(0).unwrap();
            driver.fail(function, nth, 2);
            let made = case.made(&mut gpu);
            if nth == 1 {
                assert!(matches!(made, Err(GpuError::NoRoom { .. })), "{function}: {made:?}");
            } else {
                assert!(made.unwrap() == expected, "{function} {nth}");
                assert_eq!(gpu.batch(), Some(8), "{function} {nth}");
            }
            assert!(case.made(&mut gpu).unwrap() == expected, "{function} {nth}: it is good for more");
            drop(gpu);
            assert_eq!(driver.leaks(), "", "{function} {nth}");
        }
    }
}

#[test]
fn a_gpu_that_falls_off_its_bus_is_an_error_and_no_hang() {
    let case = tiny(40);
    for function in ["cuLaunchKernel", "cuStreamSynchronize", "cuMemcpyHtoDAsync_v2", "cuMemAlloc_v2"] {
        let driver = FakeDriver::take();
        let mut gpu = Gpu::open(0).unwrap();
        driver.tell(&format!("fault-for-good {function} 2 719"));
        let first = case.made(&mut gpu).unwrap_err();
        assert!(first.to_string().contains("CUDA_ERROR_LAUNCH_FAILED"), "{first}");
        // It says the same from then on, without asking the driver.
        assert_eq!(case.made(&mut gpu), Err(first));
    }
}

#[test]
fn pictures_shorter_than_their_plan_are_refused_before_the_driver_hears_of_them() {
    let driver = FakeDriver::take();
    let mut gpu = Gpu::open(0).unwrap();
    let case = tiny(1);
    let before = driver.calls();
    let mut out = vec![0; case.plan.frame_bytes() - 1];
    let error = gpu.tensors(&case.plan, &case.pictures(), &mut out).unwrap_err();
    assert!(matches!(error, GpuError::Asked(_)), "{error}");
    assert_eq!(driver.calls(), before);
}
