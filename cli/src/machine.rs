//! This machine -> what it has for tasks: CPUs, memory, GPUs, free disk.

use pipe_engine::backend::Capability;
use pipe_engine::disk::Room;
use pipe_engine::scheduler::Limits;
use pipe_engine::site::Site;
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
    Capability { memory: Some(Bytes(memory())), gpus: Some(gpus), slots: Some(cpus()), ..Capability::default() }
}

/// Where a run is started, and by whom.
pub(crate) fn site() -> Site {
    let name = |variable| std::env::var(variable).ok().filter(|name| !name.is_empty());
    Site {
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        user: name("USER").or_else(|| name("LOGNAME")),
        cpus: cpus(),
        pipe: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

fn cpus() -> u32 {
    std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX))
}

/// What this machine has for tasks: its CPUs, or as many as were asked for, most of its memory, its GPUs, and
/// the disk that is free where results go.
pub(crate) fn limits(cpu: Option<NonZeroU32>, store: &Path) -> Limits {
    Limits {
        cpu: cpu.map_or_else(cpus, NonZeroU32::get),
        memory: memory() / 100 * MEMORY_SHARE,
        disk: free_disk(store),
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

/// Bytes that are free where a folder lies, or would lie.
fn free_disk(folder: &Path) -> u64 {
    Room::at(folder).map_or(u64::MAX, |room| room.free)
}

fn memory() -> u64 {
    let told = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = told.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    let machine = kib.map_or(MEMORY_UNTOLD, |kib| kib * 1024);
    let membership = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    machine.min(cgroup_memory(Path::new("/sys/fs/cgroup"), &membership).unwrap_or(u64::MAX))
}

/// The least memory that the cgroup of this process and those above it may have together, by `/proc/self/cgroup` and the
/// folder where cgroups are mounted. Within a container the name may be that of the machine outside; the folder's own
/// limit is then the container's.
fn cgroup_memory(root: &Path, membership: &str) -> Option<u64> {
    let limits = membership.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        // Of version 2, where a line names no controllers, and of version 1. Either file may hold no number: `max`.
        let (folder, name) = match controllers {
            "" => (root.to_owned(), "memory.max"),
            named if named.split(',').any(|name| name == "memory") => (root.join(named), "memory.limit_in_bytes"),
            _ => return None,
        };
        let own = folder.join(path.trim_start_matches('/'));
        let above = own.ancestors().take_while(|above| above.starts_with(&folder));
        above.filter_map(|above| fs::read_to_string(above.join(name)).ok()?.trim().parse().ok()).min()
    });
    limits.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_the_least_that_any_cgroup_above_allows() {
        // What the kernel writes: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst.
        let unlimited = "9223372036854771712\n";
        type Files<'a> = &'a [(&'a str, &'a str)];
        let cases: [(&str, Files<'_>, Option<u64>); 7] = [
            ("0::/\n", &[("memory.max", "2147483648\n")], Some(2 << 30)),
            ("0::/\n", &[("memory.max", "max\n")], None),
            ("0::/a/b\n", &[("a/b/memory.max", "max\n"), ("a/memory.max", "1048576\n")], Some(1 << 20)),
            ("0::/a/b\n", &[("a/b/memory.max", "4096\n"), ("a/memory.max", "1048576\n")], Some(4096)),
            // In a container the path is that of the machine outside.
            ("0::/docker/ab\n", &[("memory.max", "1048576\n")], Some(1 << 20)),
            (
                "9:pids:/x\n4:memory:/x/y\n0::/\n",
                &[("memory/x/y/memory.limit_in_bytes", unlimited), ("memory/x/memory.limit_in_bytes", "65536\n")],
                Some(65536),
            ),
            ("", &[("memory.max", "4096\n")], None),
        ];
        for (membership, files, expected) in cases {
            let root = tempfile::tempdir().unwrap();
            for (path, text) in files {
                let path = root.path().join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            assert_eq!(cgroup_memory(root.path(), membership), expected, "{membership:?} {files:?}");
        }
    }
}
