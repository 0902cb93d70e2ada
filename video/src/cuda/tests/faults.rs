//! Every call of the driver may fail: nothing panics, nothing is left behind, and no wrong tensor comes out.

use super::cases::tiny;
use crate::cuda::conformance::Case;
use crate::cuda::{Gpu, GpuError};
use pipe_fakecuda::FakeDriver;

/// A whole life of a GPU: three batches in two lanes.
fn lived(case: &Case) -> Result<Vec<u8>, GpuError> {
    case.made(&mut Gpu::open(0)?)
}

#[test]
fn every_call_of_the_driver_may_fail_once() {
    let case = tiny(40);
    let expected = case.expected().unwrap();
    let calls = {
        let driver = FakeDriver::take();
        assert!(lived(&case).unwrap() == expected);
        driver.calls()
    };
    assert!(calls.len() > 15, "{calls:?}");
    let mut errors = 0;
    for (function, count) in &calls {
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
