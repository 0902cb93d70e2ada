//! What one machine of a Vertex AI custom job can hold.

use pipe_engine::backend::Capability;
use pipe_engine::units::Millis;

const DAY: u64 = 86_400_000;

/// The limits as documented. What CPUs, memory and GPUs there are depends on the machine type.
pub(super) fn capability() -> Capability {
    Capability {
        cpu: None,
        memory: None,
        disk: None,
        gpus: None,
        timeout: Some(Millis(7 * DAY)),
        parallel: None,
        is_remote: true,
        is_priced: true,
        has_spot: true,
        runs_images: true,
        source: "https://cloud.google.com/vertex-ai/docs/training/configure-compute, read 2026-11",
    }
}
