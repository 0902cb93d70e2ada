//! What a machine has for tasks, and what of it is taken.

/// What there is, or what a task takes of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// CPU slots.
    pub cpu: u32,
    /// Bytes of memory.
    pub memory: u64,
    /// Bytes of disk.
    pub disk: u64,
    /// GPUs.
    pub gpus: u32,
}

impl Limits {
    /// What there is once a task that wants more than the machine has is clamped to the machine: it then runs alone.
    pub(crate) fn clamp(&self, wanted: Self) -> Self {
        Self {
            cpu: wanted.cpu.clamp(1, self.cpu.max(1)),
            memory: wanted.memory.min(self.memory),
            disk: wanted.disk.min(self.disk),
            gpus: wanted.gpus.min(self.gpus),
        }
    }

    pub(crate) fn fits(&self, wanted: Self) -> bool {
        wanted.cpu <= self.cpu && wanted.memory <= self.memory && wanted.disk <= self.disk && wanted.gpus <= self.gpus
    }

    pub(crate) fn take(&mut self, wanted: Self) {
        self.cpu -= wanted.cpu;
        self.memory -= wanted.memory;
        self.disk -= wanted.disk;
        self.gpus -= wanted.gpus;
    }

    pub(crate) fn give_back(&mut self, wanted: Self) {
        self.cpu += wanted.cpu;
        self.memory += wanted.memory;
        self.disk += wanted.disk;
        self.gpus += wanted.gpus;
    }
}
