//! The GPUs that `preprocess` may use, for the verbs that tell of them and try them.

pub use pipe_video::cuda::{Gpu, GpuError, GpuInfo, JOBS, Speed, disagreements, gpus, measure};
