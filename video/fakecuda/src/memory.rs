//! The memory of the device, known to the byte, and the pinned memory of the host.

use std::collections::BTreeMap;

use crate::ptx::{Global, Who};

/// Where device addresses begin: above all that a process can have, so that a host that follows one is stopped.
const FIRST: u64 = 0x00fa_0000_0000_0000;

/// Allocations lie this far apart at least, so that what runs over the end of one is not in the next.
const GAP: u64 = 4096;

struct Allocation {
    bytes: Vec<u8>,
    is_written: Vec<bool>,
    is_freed: bool,
    /// Who wrote each byte in this launch. Empty when nobody did.
    writers: Vec<Writer>,
}

/// Nobody, when the thread is 0.
#[derive(Clone, Copy, Default)]
struct Writer {
    thread: u32,
    block: u32,
    epoch: u32,
}

/// What a device has. Addresses are given once only, so what was freed stays known.
pub(crate) struct DeviceMemory {
    allocations: BTreeMap<u64, Allocation>,
    next: u64,
    pub(crate) capacity: usize,
    pub(crate) used: usize,
}

impl DeviceMemory {
    pub(crate) fn new(capacity: usize) -> Self {
        DeviceMemory { allocations: BTreeMap::new(), next: FIRST, capacity, used: 0 }
    }

    /// The address of new bytes, or nothing when there is no room. What is in them is nobody's.
    pub(crate) fn allocate(&mut self, bytes: usize) -> Option<u64> {
        if self.used + bytes > self.capacity {
            return None;
        }
        let at = self.next;
        self.next += (bytes as u64).next_multiple_of(256) + GAP;
        self.used += bytes;
        let new =
            Allocation { bytes: vec![0xff; bytes], is_written: vec![false; bytes], is_freed: false, writers: vec![] };
        self.allocations.insert(at, new);
        Some(at)
    }

    pub(crate) fn free(&mut self, at: u64) -> Result<(), String> {
        match self.allocations.get_mut(&at) {
            None => Err(format!("{at:#x} was never allocated")),
            Some(allocation) if allocation.is_freed => Err(format!("{at:#x} is freed a second time")),
            Some(allocation) => {
                allocation.is_freed = true;
                self.used -= allocation.bytes.len();
                Ok(())
            }
        }
    }

    /// All of it is gone with its context.
    pub(crate) fn clear(&mut self) {
        self.allocations.values_mut().for_each(|allocation| allocation.is_freed = true);
        self.used = 0;
    }

    /// The sizes of what is not freed.
    pub(crate) fn live(&self) -> Vec<usize> {
        self.allocations.values().filter(|a| !a.is_freed).map(|a| a.bytes.len()).collect()
    }

    pub(crate) fn copy_in(&mut self, at: u64, from: &[u8]) -> Result<(), String> {
        let (allocation, begin) = self.at(at, from.len())?;
        allocation.bytes[begin..begin + from.len()].copy_from_slice(from);
        allocation.is_written[begin..begin + from.len()].fill(true);
        Ok(())
    }

    pub(crate) fn copy_out(&mut self, at: u64, bytes: usize) -> Result<Vec<u8>, String> {
        let (allocation, begin) = self.at(at, bytes)?;
        if let Some(byte) = allocation.is_written[begin..begin + bytes].iter().position(|written| !written) {
            return Err(format!("byte {byte} of {bytes} was never written"));
        }
        Ok(allocation.bytes[begin..begin + bytes].to_vec())
    }

    /// Whether a copy of so many bytes is possible at all.
    pub(crate) fn check(&mut self, at: u64, bytes: usize) -> Result<(), String> {
        self.at(at, bytes).map(|_| ())
    }

    /// What threads wrote in the launch before is ordered before what comes.
    pub(crate) fn begin_launch(&mut self) {
        self.allocations.values_mut().for_each(|allocation| allocation.writers.clear());
    }

    fn at(&mut self, at: u64, bytes: usize) -> Result<(&mut Allocation, usize), String> {
        let Some((first, allocation)) = self.allocations.range_mut(..=at).next_back() else {
            return Err(format!("{at:#x} is no device memory"));
        };
        let (begin, size) = ((at - first) as usize, allocation.bytes.len());
        if begin + bytes > size {
            let over = begin + bytes - size;
            return Err(format!("{bytes} bytes at {at:#x} are out of bounds: {over} past the end of {size} bytes"));
        }
        if allocation.is_freed {
            return Err(format!("{at:#x} is used after it was freed"));
        }
        Ok((allocation, begin))
    }
}

impl Global for DeviceMemory {
    fn read(&mut self, at: u64, bytes: u32, who: Who) -> Result<u64, String> {
        let (allocation, begin) = self.at(at, bytes as usize).map_err(|problem| format!("reads: {problem}"))?;
        let range = begin..begin + bytes as usize;
        if allocation.is_written[range.clone()].contains(&false) {
            return Err(format!("reads byte {begin} of {} that nobody wrote", allocation.bytes.len()));
        }
        allocation.check_race(range.clone(), who, "reads")?;
        Ok(allocation.bytes[range].iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn write(&mut self, at: u64, bytes: u32, value: u64, who: Who) -> Result<(), String> {
        let (allocation, begin) = self.at(at, bytes as usize).map_err(|problem| format!("writes: {problem}"))?;
        let range = begin..begin + bytes as usize;
        allocation.check_race(range.clone(), who, "writes")?;
        allocation.writers.resize(allocation.bytes.len(), Writer::default());
        allocation.writers[range.clone()].fill(Writer { thread: who.thread, block: who.block, epoch: who.epoch });
        allocation.is_written[range.clone()].fill(true);
        allocation.bytes[range].copy_from_slice(&value.to_le_bytes()[..bytes as usize]);
        Ok(())
    }
}

impl Allocation {
    fn check_race(&self, range: std::ops::Range<usize>, who: Who, what: &str) -> Result<(), String> {
        let Some(writers) = self.writers.get(range.clone()) else { return Ok(()) };
        let in_order = |writer: &Writer| {
            writer.thread == 0 || writer.thread == who.thread || (writer.block == who.block && writer.epoch < who.epoch)
        };
        match writers.iter().find(|writer| !in_order(writer)) {
            None => Ok(()),
            Some(writer) => Err(format!(
                "race: {what} byte {} of {}, which thread {} of the grid wrote in this launch",
                range.start,
                self.bytes.len(),
                writer.thread - 1
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(thread: u32, block: u32, epoch: u32) -> Who {
        Who { thread, block, epoch }
    }

    #[test]
    fn memory_is_known_to_the_byte() {
        let mut memory = DeviceMemory::new(100);
        let at = memory.allocate(10).unwrap();
        memory.copy_in(at, &[1; 8]).unwrap();
        assert_eq!(memory.read(at + 4, 4, who(1, 0, 0)), Ok(0x0101_0101));
        assert!(memory.read(at + 7, 2, who(1, 0, 0)).unwrap_err().contains("nobody wrote"));
        assert!(memory.read(at + 8, 4, who(1, 0, 0)).unwrap_err().contains("2 past the end of 10"));
        assert!(memory.copy_out(at, 9).unwrap_err().contains("byte 8 of 9 was never written"));
        assert!(memory.copy_in(at + 5, &[0; 6]).unwrap_err().contains("out of bounds"));
        assert!(memory.check(5, 1).unwrap_err().contains("no device memory"));
    }

    #[test]
    fn what_was_freed_is_not_used_and_not_freed_again() {
        let mut memory = DeviceMemory::new(100);
        let at = memory.allocate(60).unwrap();
        assert_eq!((memory.allocate(41), memory.live()), (None, vec![60]));
        memory.free(at).unwrap();
        assert!(memory.copy_in(at, &[1]).unwrap_err().contains("after it was freed"));
        assert!(memory.free(at).unwrap_err().contains("second time"));
        assert!(memory.free(at + 1).unwrap_err().contains("never allocated"));
        assert_ne!(memory.allocate(100), Some(at));
    }

    #[test]
    fn two_threads_touch_a_byte_only_with_a_barrier_between() {
        let mut memory = DeviceMemory::new(100);
        let at = memory.allocate(4).unwrap();
        memory.write(at, 4, 9, who(1, 0, 0)).unwrap();
        assert!(memory.write(at, 1, 9, who(2, 0, 0)).unwrap_err().contains("race: writes byte 0"));
        assert!(memory.read(at + 3, 1, who(2, 0, 0)).unwrap_err().contains("which thread 0"));
        assert_eq!(memory.read(at, 4, who(2, 0, 1)), Ok(9));
        assert!(memory.read(at, 4, who(300, 1, 1)).unwrap_err().contains("race"));
        memory.begin_launch();
        assert_eq!(memory.read(at, 4, who(300, 1, 0)), Ok(9));
    }
}
