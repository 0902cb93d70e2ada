//! What one task of a Cloud Run Job can hold, and the sizes that there are.

use pipe_engine::backend::Capability;
use pipe_engine::units::{Bytes, Cpu, Millis};

const HOUR: u64 = 3_600_000;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// The CPUs an instance may have, with the least and the most memory of each.
/// Source: https://cloud.google.com/run/docs/configuring/jobs/memory-limits, read 2026-11.
const SIZES: [(u32, u64, u64); 5] = [
    (1, 512 * MIB, 4 * GIB),
    (2, 512 * MIB, 8 * GIB),
    (4, 2 * GIB, 16 * GIB),
    (6, 4 * GIB, 24 * GIB),
    (8, 4 * GIB, 32 * GIB),
];

/// The least that an instance with a GPU has. Source: https://cloud.google.com/run/docs/configuring/jobs/gpu, read 2026-11.
const WITH_GPU: (u32, u64) = (4, 16 * GIB);

/// How large an instance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) cpu: u32,
    pub(super) memory: Bytes,
}

/// The limits as documented. GPUs of jobs: one for each task, of the types that the documentation of jobs names.
pub(super) fn capability(at_once: u32) -> Capability {
    Capability {
        cpu: Some(Cpu(8000)),
        memory: Some(Bytes(32 << 30)),
        disk: None,
        gpus: Some(vec![("nvidia-l4".to_owned(), 1)]),
        timeout: Some(Millis(168 * HOUR)),
        parallel: Some(at_once),
        is_remote: true,
        is_priced: true,
        has_spot: false,
        runs_images: true,
        source: "https://cloud.google.com/run/docs/configuring/jobs/cpu, read 2026-11",
    }
}

/// The smallest instance that has as much; the largest where none has.
pub(super) fn size(cpu: u32, memory: Bytes, has_gpu: bool) -> Size {
    let (cpu, memory) = if has_gpu { (cpu.max(WITH_GPU.0), memory.0.max(WITH_GPU.1)) } else { (cpu, memory.0) };
    let fits = |(cpus, _, most): &&(u32, u64, u64)| *cpus >= cpu && *most >= memory;
    let (cpu, least, _) = SIZES.iter().find(fits).unwrap_or(&SIZES[SIZES.len() - 1]);
    Size { cpu: *cpu, memory: Bytes(memory.max(*least)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_rounded_up_to_a_size_that_there_is() {
        // Asked for, and the row of the documentation that has it.
        for (cpu, memory, has_gpu, expected) in [
            (1, 128 * MIB, false, (1, 512 * MIB)),
            (1, 6 * GIB, false, (2, 6 * GIB)),
            (3, GIB, false, (4, 2 * GIB)),
            (1, 20 * GIB, false, (6, 20 * GIB)),
            (7, GIB, false, (8, 4 * GIB)),
            (1, GIB, true, (4, 16 * GIB)),
            (8, 32 * GIB, true, (8, 32 * GIB)),
        ] {
            let size = size(cpu, Bytes(memory), has_gpu);
            assert_eq!((size.cpu, size.memory.0), expected, "{cpu} CPUs and {memory} bytes");
        }
    }
}
