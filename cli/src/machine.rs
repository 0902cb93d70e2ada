//! This machine -> what it has for tasks: CPUs, memory, GPUs, free disk.

use pipe_engine::backend::Capability;
use pipe_engine::plan::Plan;
use pipe_engine::scheduler::Limits;
use pipe_engine::units::Bytes;
use std::fs;
use std::num::NonZeroU32;
use std::path::Path;

/// Of the machine's memory this much, in hundredths, is given to tasks.
const MEMORY_SHARE: u64 = 80;
/// What is assumed of a machine that does not tell its memory.
const MEMORY_UNTOLD: u64 = 4 << 30;

/// What an attempt can get here. CPUs have no limit: more than there are is taken as all there are.
pub(crate) fn capability() -> Capability {
    // The type of a GPU is only known where the driver is asked.
    let gpus = u32::try_from(gpus().len()).unwrap_or(u32::MAX);
    let gpus = if gpus == 0 { Vec::new() } else { vec![(String::new(), gpus)] };
    Capability { memory: Some(Bytes(memory())), gpus: Some(gpus), ..Capability::default() }
}

/// What this machine has for the tasks of a plan: its CPUs, or as many as were asked for, most of its memory, its GPUs, and
/// the disk that is free where results go.
pub(crate) fn limits(cpu: Option<NonZeroU32>, plan: &Plan) -> Limits {
    let here = std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX));
    Limits {
        cpu: cpu.map_or(here, NonZeroU32::get),
        memory: memory() / 100 * MEMORY_SHARE,
        disk: free_disk(&plan.store),
        gpus: u32::try_from(gpus().len()).unwrap_or(u32::MAX),
    }
}

/// The GPUs that this process may use: those it was given, or else those the driver shows.
pub(crate) fn gpus() -> Vec<String> {
    if let Ok(given) = std::env::var("CUDA_VISIBLE_DEVICES") {
        // As the driver reads it: what comes behind a name that is none is not there.
        let names = given.split(',').map(str::trim).take_while(|name| !name.is_empty() && *name != "-1");
        return names.map(str::to_owned).collect();
    }
    (0..).map_while(|n: u32| Path::new(&format!("/dev/nvidia{n}")).exists().then(|| n.to_string())).collect()
}

/// Bytes that are free in the file system of a folder, or of the nearest one above it that is there.
fn free_disk(folder: &Path) -> u64 {
    let stats = folder.ancestors().find_map(|folder| rustix::fs::statvfs(folder).ok());
    stats.map_or(u64::MAX, |stats| stats.f_bavail.saturating_mul(stats.f_frsize))
}

fn memory() -> u64 {
    let told = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = told.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    let machine = kib.map_or(MEMORY_UNTOLD, |kib| kib * 1024);
    // A container may have less than its machine. The file holds `max` when it has not.
    let container = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    machine.min(container.unwrap_or(u64::MAX))
}
