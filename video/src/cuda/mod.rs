//! Pictures -> tensors on an NVIDIA GPU, the same bytes as on a CPU. `docs/gpu.md`.
//!
//! The driver's library is looked for when a GPU is asked for; a machine without one is told in a sentence. A launch
//! gets all its numbers from the plan. `raw.rs` has the calls of the driver; it and `launch.rs` are where the unsafe code is.

mod fault;
mod library;

mod raw;

mod params;
mod tables;

mod launch;

mod lane;

mod gpu;

mod info;

mod conformance;
mod decoding;
mod measure;
mod roofline;
mod shared;

#[cfg(test)]
mod tests;

pub use conformance::disagreements;
pub use decoding::{Decoded, decodes};
pub use fault::GpuError;
pub use gpu::Gpu;
pub use info::{GpuInfo, gpus};
pub use measure::{JOBS, Job, Speed, measure};
pub use roofline::{Roofline, roofline};
pub use shared::{Gpus, OnGpu};
pub use tables::DevicePicture;
