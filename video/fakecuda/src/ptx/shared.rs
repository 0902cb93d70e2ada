//! The memory that the threads of a block share: it knows which bytes were written, and who used a byte since the last
//! barrier.

/// Who used a byte, and between which barriers. 0 is nobody.
#[derive(Debug, Clone, Copy, Default)]
struct Use {
    thread: u32,
    epoch: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Byte {
    value: u8,
    is_written: bool,
    written: Use,
    read: Use,
    /// Whether several threads read it since the last barrier.
    read_by_many: bool,
}

/// The shared memory of one block.
pub(super) struct Shared {
    bytes: Vec<Byte>,
    epoch: u32,
}

impl Shared {
    pub(super) fn of(bytes: u32) -> Self {
        Shared { bytes: vec![Byte::default(); bytes as usize], epoch: 1 }
    }

    /// All threads have met: what was done before is ordered before what comes.
    pub(super) fn barrier(&mut self) {
        self.epoch += 1;
    }

    pub(super) fn read(&mut self, at: u64, bytes: u32, thread: u32) -> Result<u64, String> {
        let (epoch, range) = (self.epoch, self.range(at, bytes, "read")?);
        let mut value = 0;
        for (i, byte) in self.bytes[range].iter_mut().enumerate() {
            if !byte.is_written {
                return Err(format!("reads byte {} of shared memory, which nobody wrote", at + i as u64));
            }
            if byte.written.epoch == epoch && byte.written.thread != thread {
                let writer = byte.written.thread - 1;
                return Err(format!(
                    "race: reads byte {} of shared memory, written by thread {writer} with no barrier between",
                    at + i as u64
                ));
            }
            byte.read_by_many = byte.read.epoch == epoch && (byte.read_by_many || byte.read.thread != thread);
            byte.read = Use { thread, epoch };
            value |= u64::from(byte.value) << (8 * i);
        }
        Ok(value)
    }

    pub(super) fn write(&mut self, at: u64, bytes: u32, value: u64, thread: u32) -> Result<(), String> {
        let (epoch, range) = (self.epoch, self.range(at, bytes, "write")?);
        for (i, byte) in self.bytes[range].iter_mut().enumerate() {
            let written = byte.written.epoch == epoch && byte.written.thread != thread;
            let read = byte.read.epoch == epoch && (byte.read.thread != thread || byte.read_by_many);
            if written || read {
                return Err(format!(
                    "race: writes byte {} of shared memory, used by another thread with no barrier between",
                    at + i as u64
                ));
            }
            byte.value = (value >> (8 * i)) as u8;
            byte.is_written = true;
            byte.written = Use { thread, epoch };
        }
        Ok(())
    }

    fn range(&self, at: u64, bytes: u32, what: &str) -> Result<std::ops::Range<usize>, String> {
        let end = at.checked_add(u64::from(bytes)).filter(|end| *end <= self.bytes.len() as u64);
        match end {
            Some(end) => Ok(at as usize..end as usize),
            None => {
                Err(format!("{what} of {bytes} bytes at {at} is outside the {} of shared memory", self.bytes.len()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_read_after_a_barrier_or_by_its_writer() {
        let mut shared = Shared::of(8);
        shared.write(4, 4, 0x0403_0201, 1).unwrap();
        assert_eq!(shared.read(4, 4, 1), Ok(0x0403_0201));
        assert!(shared.read(4, 1, 2).unwrap_err().contains("race: reads byte 4"));
        shared.barrier();
        assert_eq!(shared.read(5, 1, 2), Ok(2));
    }

    #[test]
    fn a_byte_that_others_read_is_not_written_before_a_barrier() {
        let mut shared = Shared::of(4);
        shared.write(0, 1, 7, 1).unwrap();
        shared.barrier();
        shared.read(0, 1, 2).unwrap();
        shared.read(0, 1, 1).unwrap();
        assert!(shared.write(0, 1, 8, 1).unwrap_err().contains("race: writes byte 0"));
        shared.barrier();
        shared.write(0, 1, 8, 1).unwrap();
    }

    #[test]
    fn what_lies_outside_or_was_never_written_is_refused() {
        let mut shared = Shared::of(8);
        assert!(shared.write(6, 4, 0, 1).unwrap_err().contains("outside the 8"));
        assert!(shared.read(u64::MAX, 4, 1).unwrap_err().contains("outside"));
        assert!(shared.read(0, 1, 1).unwrap_err().contains("nobody wrote"));
    }
}
