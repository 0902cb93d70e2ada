//! What this machine has for tasks, and what of it is taken.

/// CPU slots and bytes of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// CPU slots.
    pub cpu: u32,
    /// Bytes.
    pub memory: u64,
}

impl Limits {
    /// What there is once a task that wants more than the machine has is clamped to the machine: it then runs alone.
    pub(super) fn clamp(&self, cpu: u32, memory: u64) -> Self {
        Self { cpu: cpu.clamp(1, self.cpu.max(1)), memory: memory.min(self.memory) }
    }

    pub(super) fn fits(&self, wanted: Self) -> bool {
        wanted.cpu <= self.cpu && wanted.memory <= self.memory
    }

    pub(super) fn take(&mut self, wanted: Self) {
        self.cpu -= wanted.cpu;
        self.memory -= wanted.memory;
    }

    pub(super) fn give_back(&mut self, wanted: Self) {
        self.cpu += wanted.cpu;
        self.memory += wanted.memory;
    }
}
