//! Looks at the processes on this machine's GPUs -> what a tree of processes uses of them.
//!
//! The driver is asked for processes and not for whole GPUs, so nobody else's work is counted, and in which order whoever
//! numbers GPUs does so is nothing to us.

use crate::attempt::GpuUse;
use nvml_wrapper::enums::device::UsedGpuMemory;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device, Nvml};
use std::collections::HashMap;
use std::sync::OnceLock;

/// The variable that tells a program which GPUs are its own.
pub(crate) const VARIABLE: &str = "CUDA_VISIBLE_DEVICES";

/// What a driver tells of one GPU at a look.
#[derive(Debug, Default)]
pub(super) struct Gpu {
    /// Bytes of its memory that each process holds.
    pub(super) memory: Vec<(u32, u64)>,
    /// How much of the time since the last look each process kept it busy, from 0 to 1; `None` when the driver cannot
    /// tell processes apart.
    pub(super) busy: Option<Vec<(u32, f64)>>,
}

/// Whoever knows the GPUs of this machine.
pub(super) trait Driver: Send {
    /// All of them, always in the same order. None where there is no driver.
    fn look(&mut self) -> Vec<Gpu>;
}

/// Adds up what is seen of one tree.
pub(super) struct Gpus {
    driver: Box<dyn Driver>,
    /// GPUs busy times seconds, and the seconds.
    busy: f64,
    seconds: f64,
    busy_peak: f64,
    is_busy_known: bool,
    memory_sum: u64,
    memory_peak: u64,
    looks: u64,
}

impl Gpus {
    pub(super) fn of(driver: impl Driver + 'static) -> Self {
        Self {
            driver: Box::new(driver),
            busy: 0.0,
            seconds: 0.0,
            busy_peak: 0.0,
            is_busy_known: true,
            memory_sum: 0,
            memory_peak: 0,
            looks: 0,
        }
    }

    /// Takes one look, so many seconds after the last.
    pub(super) fn look(&mut self, is_ours: impl Fn(u32) -> bool, seconds: f64) {
        let (mut busy, mut memory) = (0.0, 0);
        for gpu in self.driver.look() {
            let mut held = gpu.memory.iter().filter(|(pid, _)| is_ours(*pid)).peekable();
            if held.peek().is_none() {
                continue;
            }
            memory += held.map(|(_, bytes)| bytes).sum::<u64>();
            self.is_busy_known &= gpu.busy.is_some();
            let ours = gpu.busy.iter().flatten().filter(|(pid, _)| is_ours(*pid));
            // Each is told in whole hundredths, so that together they may come to a little more than there is.
            busy += ours.map(|(_, busy)| busy).sum::<f64>().min(1.0);
        }
        self.busy += busy * seconds;
        self.seconds += seconds;
        self.busy_peak = self.busy_peak.max(busy);
        self.memory_sum += memory;
        self.memory_peak = self.memory_peak.max(memory);
        self.looks += 1;
    }

    /// What was seen; `None` when none of the tree was ever seen on a GPU. Then it used none, or the driver knows its
    /// processes by other numbers, as within a container: who could tell?
    pub(super) fn usage(&self) -> Option<GpuUse> {
        let rounded = |gpus: f64| (gpus * 100.0).round() / 100.0;
        let known = |gpus: f64| self.is_busy_known.then_some(rounded(gpus));
        (self.memory_peak > 0).then(|| GpuUse {
            busy_mean: known(self.busy / self.seconds.max(0.01)),
            busy_peak: known(self.busy_peak),
            memory_mean: self.memory_sum / self.looks.max(1),
            memory_peak: self.memory_peak,
        })
    }
}

/// NVIDIA's driver.
#[derive(Default)]
pub(super) struct Nvidia {
    /// Of each GPU, until when its times are known, in the driver's microseconds.
    known_until: HashMap<u32, u64>,
}

impl Driver for Nvidia {
    fn look(&mut self) -> Vec<Gpu> {
        // It is loaded when the first attempt that has GPUs is looked at, and then stays.
        static LIBRARY: OnceLock<Option<Nvml>> = OnceLock::new();
        let Some(library) = LIBRARY.get_or_init(|| Nvml::init().ok()) else { return Vec::new() };
        let gpus =
            (0..library.device_count().unwrap_or(0)).filter_map(|nth| Some((nth, library.device_by_index(nth).ok()?)));
        gpus.map(|(nth, device)| Gpu { memory: memory(&device), busy: self.busy(nth, &device) }).collect()
    }
}

impl Nvidia {
    fn busy(&mut self, nth: u32, device: &Device<'_>) -> Option<Vec<(u32, f64)>> {
        let known_until = self.known_until.entry(nth).or_default();
        let samples = match device.process_utilization_stats(*known_until) {
            Ok(samples) => samples,
            // Nobody used it since.
            Err(NvmlError::NotFound) => Vec::new(),
            Err(_) => return None,
        };
        let mut times: HashMap<u32, (f64, f64)> = HashMap::new();
        for sample in samples {
            *known_until = sample.timestamp.max(*known_until);
            let (sum, count) = times.entry(sample.pid).or_default();
            (*sum, *count) = (*sum + f64::from(sample.sm_util) / 100.0, *count + 1.0);
        }
        Some(times.into_iter().map(|(pid, (sum, count))| (pid, sum / count)).collect())
    }
}

fn memory(device: &Device<'_>) -> Vec<(u32, u64)> {
    let processes = device.running_compute_processes().unwrap_or_default();
    let held = processes.into_iter().filter_map(|process| match process.used_gpu_memory {
        UsedGpuMemory::Used(bytes) => Some((process.pid, bytes)),
        UsedGpuMemory::Unavailable => None,
    });
    held.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// A driver that tells this, look by look.
    struct Told(VecDeque<Vec<Gpu>>);

    impl Driver for Told {
        fn look(&mut self) -> Vec<Gpu> {
            self.0.pop_front().unwrap_or_default()
        }
    }

    /// What is seen of processes 7 and 8 by looks a second apart.
    fn seen<const N: usize>(looks: [Vec<Gpu>; N]) -> Option<GpuUse> {
        let mut gpus = Gpus::of(Told(looks.into()));
        (0..N).for_each(|_| gpus.look(|pid| [7, 8].contains(&pid), 1.0));
        gpus.usage()
    }

    fn gpu(memory: &[(u32, u64)], busy: &[(u32, f64)]) -> Gpu {
        Gpu { memory: memory.to_vec(), busy: Some(busy.to_vec()) }
    }

    #[test]
    fn what_a_tree_uses_of_all_gpus_is_added_up_and_nobody_elses() {
        let first = vec![gpu(&[(7, 100), (1, 5000)], &[(7, 0.5), (1, 0.25)]), gpu(&[(8, 200)], &[(8, 1.0)])];
        let second = vec![gpu(&[(7, 100), (1, 5000)], &[(1, 1.0)]), gpu(&[(1, 1)], &[(1, 1.0)])];
        let whole = GpuUse { busy_mean: Some(0.75), busy_peak: Some(1.5), memory_mean: 200, memory_peak: 300 };
        assert_eq!(seen([first, second]), Some(whole));
    }

    #[test]
    fn a_tree_that_was_never_seen_on_a_gpu_tells_nothing() {
        assert_eq!(seen([vec![gpu(&[(1, 5000)], &[(1, 1.0)])]]), None);
        assert_eq!(seen([vec![], vec![]]), None);
    }

    #[test]
    fn where_the_driver_cannot_tell_processes_apart_only_their_memory_is_known() {
        let seen = seen([vec![Gpu { memory: vec![(7, 100)], busy: None }, gpu(&[(1, 1)], &[])]]);
        assert_eq!(seen, Some(GpuUse { busy_mean: None, busy_peak: None, memory_mean: 100, memory_peak: 100 }));
    }

    #[test]
    fn a_process_that_is_on_no_gpu_tells_nothing_whether_there_is_a_driver_or_not() {
        let mut gpus = Gpus::of(Nvidia::default());
        gpus.look(|pid| pid == std::process::id(), 1.0);
        assert_eq!(gpus.usage(), None);
    }
}
