//! Whether there is a driver that has every function used here. Never panics, whatever lies in its place.
#![expect(unsafe_code, reason = "a library is loaded, and its functions are looked up by name")]

use std::sync::OnceLock;

use cudarc::driver::sys;

use super::fault::GpuError;

/// Every function that is called. The binding panics at the first call of one that is missing, so all are looked for once.
pub(super) const FUNCTIONS: [&str; 27] = [
    "cuInit",
    "cuDriverGetVersion",
    "cuDeviceGetCount",
    "cuDeviceGet",
    "cuDeviceGetName",
    "cuDeviceTotalMem_v2",
    "cuDeviceGetAttribute",
    "cuDevicePrimaryCtxRetain",
    "cuDevicePrimaryCtxRelease_v2",
    "cuCtxSetCurrent",
    "cuModuleLoadData",
    "cuModuleUnload",
    "cuModuleGetFunction",
    "cuStreamCreate",
    "cuStreamSynchronize",
    "cuStreamDestroy_v2",
    "cuEventCreate",
    "cuEventRecord",
    "cuEventElapsedTime",
    "cuEventDestroy_v2",
    "cuMemAlloc_v2",
    "cuMemFree_v2",
    "cuMemHostAlloc",
    "cuMemFreeHost",
    "cuMemcpyHtoDAsync_v2",
    "cuMemcpyDtoHAsync_v2",
    "cuLaunchKernel",
];

/// Looks for the driver, once in a process.
///
/// # Errors
/// When there is none, or an incomplete one.
pub(super) fn find() -> Result<(), GpuError> {
    static FOUND: OnceLock<Result<(), String>> = OnceLock::new();
    FOUND.get_or_init(look).clone().map_err(GpuError::Unavailable)
}

fn look() -> Result<(), String> {
    // SAFETY: the library is NVIDIA's, or stands in its place; loading it runs its initialisers, as in every program that
    // uses a GPU.
    if !unsafe { sys::is_culib_present() } {
        return Err("there is no NVIDIA driver here (no libcuda.so.1)".to_owned());
    }
    // SAFETY: as above. It was found one line before, so this does not panic.
    let library = unsafe { sys::culib() };
    // SAFETY: the functions are only looked for, under a type that is never called.
    let is_there = |name: &&str| unsafe { library.get::<unsafe extern "C" fn()>(name.as_bytes()) }.is_ok();
    match FUNCTIONS.iter().find(|name| !is_there(name)) {
        None => Ok(()),
        Some(name) => Err(format!("the NVIDIA driver here has no {name}: it is broken or older than CUDA 10")),
    }
}
