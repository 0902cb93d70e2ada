//! The GPUs that `preprocess` may use, for the verbs that tell of them and try them.

pub use pipe_video::cuda::{
    Decoded, Gpu, GpuError, GpuInfo, JOBS, Job, Roofline, Speed, decodes, disagreements, gpus, measure, roofline,
};
