//! What an attempt asked for -> limits of the process that works on it. What runs wild in there, such as a decoder on a
//! hostile file, is then the end of this attempt and of nothing else on the machine.

use crate::attempt::Attempt;
use crate::units::Bytes;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many times the memory that was asked for a worker may have. What is asked for is a reservation and no promise: many
/// tasks go over it for a moment, and none that is well goes so far over it.
const TIMES: u64 = 4;
/// What each thread may have besides: a decoder and an encoder of large pictures, and what the allocator keeps for it.
const FOR_A_THREAD: u64 = 1 << 30;

/// What a process may have at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limits {
    /// Bytes of memory that is its own and may be written, counted when they are reserved and not when they are used.
    data: Option<u64>,
    /// Bytes of one file.
    file: Option<u64>,
}

/// Confines this process to what its attempt may use, for good. `has_gpu`: its memory is not limited, since a GPU's driver
/// reserves more addresses than any machine has memory.
///
/// What the kernel counts as data leaves out what is only reserved (a thread's arena, a mapped file), so it stays close to
/// what is used, other than the size of the address space. Where there are tighter limits already they stay.
pub fn confine(attempt: &Attempt, has_gpu: bool) {
    let limits = limits(attempt.memory, attempt.cpu, attempt.disk, has_gpu);
    limits.data.into_iter().for_each(|most| lower(Resource::Data, most));
    limits.file.into_iter().for_each(|most| lower(Resource::Fsize, most));
    // A decoder that crashes would leave all its memory on the disk.
    lower(Resource::Core, 0);
    raise_files();
}

/// Clips that overlap are written side by side, each into a file of its own, and a thousand of them are more than most shells allow.
fn raise_files() {
    let now = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: now.maximum, maximum: now.maximum });
}

/// The limit of an attempt's memory in words, for whoever has run into it.
pub fn memory_limit(memory: Bytes, cpu: u32) -> Bytes {
    Bytes(memory.0.saturating_mul(TIMES).saturating_add(u64::from(cpu.max(1)).saturating_mul(FOR_A_THREAD)))
}

fn limits(memory: Bytes, cpu: u32, disk: Option<Bytes>, has_gpu: bool) -> Limits {
    Limits { data: (!has_gpu).then(|| memory_limit(memory, cpu).0), file: disk.map(|disk| disk.0) }
}

/// A system that knows no such limit has none: the attempt runs without it, as it would have.
fn lower(resource: Resource, most: u64) {
    let now = getrlimit(resource);
    let least = |limit: Option<u64>| Some(limit.map_or(most, |limit| limit.min(most)));
    let _ = setrlimit(resource, Rlimit { current: least(now.current), maximum: least(now.maximum) });
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn memory_is_four_times_what_was_asked_for_and_a_gibibyte_for_each_thread() {
        let data = |memory: u64, cpu: u32| limits(Bytes(memory), cpu, None, false).data;
        assert_eq!(data(512 * MIB, 1), Some(3072 * MIB));
        assert_eq!(data(2048 * MIB, 8), Some(16_384 * MIB));
        assert_eq!(data(0, 0), Some(1024 * MIB));
        assert_eq!(data(u64::MAX, u32::MAX), Some(u64::MAX));
        assert_eq!(limits(Bytes(512 * MIB), 1, None, true).data, None);
    }

    #[test]
    fn no_file_is_larger_than_the_disk_that_was_asked_for() {
        assert_eq!(limits(Bytes(0), 1, Some(Bytes(7)), false).file, Some(7));
        assert_eq!(limits(Bytes(0), 1, None, true).file, None);
    }
}
