//! What one task of a Cloud Run Job can hold.

use pipe_engine::backend::Capability;
use pipe_engine::units::{Bytes, Cpu, Millis};

const HOUR: u64 = 3_600_000;

/// The limits as documented. GPUs of jobs: one for each task, of the types that the documentation of jobs names.
pub(super) fn capability() -> Capability {
    Capability {
        cpu: Some(Cpu(8000)),
        memory: Some(Bytes(32 << 30)),
        disk: None,
        gpus: Some(vec![("nvidia-l4".to_owned(), 1)]),
        timeout: Some(Millis(168 * HOUR)),
        parallel: None,
        is_remote: true,
        is_priced: true,
        has_spot: false,
        runs_images: true,
        source: "https://cloud.google.com/run/docs/configuring/jobs/cpu, read 2026-11",
    }
}
