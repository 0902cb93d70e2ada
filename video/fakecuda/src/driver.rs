//! The state of the driver, and how work that was put off is done.
#![expect(unsafe_code, reason = "copies go to and from addresses of the host that the program gave")]

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::decoding::Decoding;
use crate::faults::Faults;
use crate::memory::DeviceMemory;
use crate::ptx::{self, Module, Order, Work};
use crate::streams::{HostBytes, Operation, PendingLaunch, Streams};

/// Codes of `CUresult`, by NVIDIA's numbers.
pub(crate) mod code {
    pub(crate) const INVALID_VALUE: u32 = 1;
    pub(crate) const OUT_OF_MEMORY: u32 = 2;
    pub(crate) const NOT_INITIALIZED: u32 = 3;
    pub(crate) const NO_DEVICE: u32 = 100;
    pub(crate) const INVALID_DEVICE: u32 = 101;
    pub(crate) const INVALID_CONTEXT: u32 = 201;
    pub(crate) const INVALID_PTX: u32 = 218;
    pub(crate) const UNSUPPORTED_PTX_VERSION: u32 = 222;
    pub(crate) const INVALID_HANDLE: u32 = 400;
    pub(crate) const NOT_FOUND: u32 = 500;
    pub(crate) const NOT_SUPPORTED: u32 = 801;
    pub(crate) const ILLEGAL_ADDRESS: u32 = 700;
}

/// What goes wrong in a call.
pub(crate) type Code = u32;

#[derive(Default, Clone, Copy)]
pub(crate) struct Event {
    /// The stream and the number of its work that it was last recorded after.
    pub(crate) recorded: Option<(usize, u64)>,
    /// The driver's own clock when that was done, in microseconds.
    pub(crate) time: Option<u64>,
}

/// What tests may choose.
pub(crate) struct Settings {
    pub(crate) devices: i32,
    /// The version the driver states, as 12020 for 12.2: it decides which PTX is taken.
    pub(crate) version: i32,
    pub(crate) compute: (i32, i32),
    pub(crate) order: Order,
    /// Work is done as soon as it is given.
    pub(crate) is_eager: bool,
    /// Streams are said to have done their work when nobody did it: as if the program did not wait.
    pub(crate) skips_waits: bool,
    /// The same of the stream that decoders hand out their pictures on.
    pub(crate) skips_decoders: bool,
    /// By how many bytes allocations are shorter than asked.
    pub(crate) shorter_by: usize,
    /// Which one is, by its number; all when it is none.
    pub(crate) shortened: Option<u64>,
    /// What is written over the parameters of each launch: where, and a word.
    pub(crate) patches: Vec<(usize, u32)>,
    /// Whether decoders take anything.
    pub(crate) decodes: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            devices: 1,
            version: 12020,
            compute: (7, 5),
            order: Order::Forward,
            is_eager: false,
            skips_waits: false,
            skips_decoders: false,
            shorter_by: 0,
            shortened: None,
            patches: Vec::new(),
            decodes: true,
        }
    }
}

pub(crate) struct Driver {
    pub(crate) settings: Settings,
    pub(crate) is_initialised: bool,
    pub(crate) faults: Faults,
    pub(crate) memory: DeviceMemory,
    /// Pinned memory of the host: where, and how many bytes.
    pub(crate) pinned: BTreeMap<usize, usize>,
    pub(crate) streams: Streams,
    pub(crate) events: HashMap<usize, Event>,
    pub(crate) modules: HashMap<usize, Module>,
    /// A function's handle: its module and its name.
    pub(crate) functions: HashMap<usize, (usize, String)>,
    pub(crate) decoding: Decoding,
    /// How often each device's context is held.
    pub(crate) contexts: HashMap<i32, u32>,
    pub(crate) work: Work,
    /// The error after which a context is of no use any more.
    broken: Option<Code>,
    /// What the last mistake was, in words that the driver's codes have not.
    pub(crate) told: String,
    next_handle: usize,
    clock: u64,
}

impl Driver {
    pub(crate) fn new() -> Self {
        Driver {
            settings: Settings::default(),
            is_initialised: false,
            faults: Faults::default(),
            memory: DeviceMemory::new(1 << 30),
            pinned: BTreeMap::new(),
            streams: Streams::default(),
            events: HashMap::new(),
            modules: HashMap::new(),
            functions: HashMap::new(),
            decoding: Decoding::default(),
            contexts: HashMap::new(),
            work: Work::default(),
            broken: None,
            told: String::new(),
            next_handle: 0x1000,
            clock: 0,
        }
    }

    /// What every call passes first.
    pub(crate) fn enter(&mut self, function: &str) -> Result<(), Code> {
        self.faults.call(function)?;
        if function == "cuDevicePrimaryCtxRelease_v2" {
            return Ok(());
        }
        if !self.is_initialised && !matches!(function, "cuInit" | "cuDriverGetVersion") {
            return Err(code::NOT_INITIALIZED);
        }
        self.broken.map_or(Ok(()), Err)
    }

    pub(crate) fn handle(&mut self) -> usize {
        self.next_handle += 16;
        self.next_handle
    }

    /// A refusal, with the words for whoever looks for its cause.
    pub(crate) fn refuse(&mut self, code: Code, told: impl Into<String>) -> Code {
        self.told = told.into();
        code
    }

    pub(crate) fn give(&mut self, stream: usize, operation: Operation) -> Result<u64, Code> {
        if !self.streams.is_open(stream) {
            return Err(self.refuse(code::INVALID_HANDLE, format!("there is no stream {stream:#x}")));
        }
        let number = self.streams.give(stream, operation);
        if self.settings.is_eager {
            self.finish(stream, number)?;
        }
        Ok(number)
    }

    /// Does what a stream owes, up to a number.
    pub(crate) fn finish(&mut self, stream: usize, until: u64) -> Result<(), Code> {
        while let Some(operation) = self.streams.take(stream, until) {
            if let Operation::Wait { stream, until } = operation {
                self.finish(stream, until)?;
                continue;
            }
            if let Err(problem) = self.perform(operation) {
                self.told = problem;
                self.broken = Some(code::ILLEGAL_ADDRESS);
                self.streams.clear();
                return Err(code::ILLEGAL_ADDRESS);
            }
        }
        Ok(())
    }

    pub(crate) fn finish_all(&mut self) -> Result<(), Code> {
        self.streams.handles().into_iter().try_for_each(|stream| self.finish(stream, u64::MAX))
    }

    fn perform(&mut self, operation: Operation) -> Result<(), String> {
        match operation {
            Operation::Upload { to, from } => {
                let bytes = match &from {
                    HostBytes::Copied(bytes) => bytes.as_slice(),
                    // SAFETY: pinned memory that a copy waits for is never freed: `cuMemFreeHost` refuses.
                    HostBytes::Pinned { at, bytes } => unsafe { std::slice::from_raw_parts(*at as *const u8, *bytes) },
                };
                self.clock += 5 + bytes.len() as u64 / 12_000;
                self.memory.copy_in(to, bytes).map_err(|problem| format!("upload: {problem}"))
            }
            Operation::Download { from, to, bytes } => {
                let copied = self.memory.copy_out(from, bytes).map_err(|problem| format!("download: {problem}"))?;
                self.clock += 5 + bytes as u64 / 12_000;
                // SAFETY: pinned, as above.
                unsafe { std::ptr::copy_nonoverlapping(copied.as_ptr(), to as *mut u8, bytes) };
                Ok(())
            }
            Operation::Launch(launch) => self.launch(&launch),
            Operation::Record { event } => {
                if let Some(event) = self.events.get_mut(&event) {
                    event.time = Some(self.clock);
                }
                Ok(())
            }
            Operation::Wait { .. } => Ok(()),
        }
    }

    fn launch(&mut self, launch: &PendingLaunch) -> Result<(), String> {
        let module = self.modules.get(&launch.module).ok_or("the module was unloaded before its kernel ran")?;
        let launch = ptx::Launch {
            kernel: &module.kernels[&launch.kernel],
            grid: launch.grid,
            block: launch.block,
            shared_bytes: launch.shared_bytes,
            parameters: &launch.parameters,
            order: self.settings.order,
        };
        self.memory.begin_launch();
        let before = self.work.instructions;
        let ran = ptx::run(&launch, &mut self.memory, &mut self.work);
        self.clock += 5 + (self.work.instructions - before) / 1_000_000;
        ran
    }

    /// A context takes all with it that is still in it, when it is broken: nothing else can be given back then. What a
    /// sound one leaves behind is left in sight.
    pub(crate) fn release(&mut self, device: i32) -> Result<(), Code> {
        match self.contexts.get_mut(&device) {
            Some(held) if *held > 0 => *held -= 1,
            _ => return Err(self.refuse(code::INVALID_CONTEXT, "a context is released more often than it was taken")),
        }
        if self.broken.take().is_none() {
            return self.finish_all();
        }
        self.memory.clear();
        self.pinned.clear();
        self.streams = Streams::default();
        self.events.clear();
        self.modules.clear();
        self.decoding.decoders.clear();
        Ok(())
    }

    /// Refuses bytes of the host that are not all pinned. A real driver takes them, and copies while the program waits.
    pub(crate) fn check_pinned(&mut self, at: usize, bytes: usize) -> Result<(), Code> {
        let before = self.pinned.range(..=at).next_back();
        if before.is_some_and(|(begin, size)| at + bytes <= begin + size) {
            return Ok(());
        }
        let told = format!("{bytes} bytes of the host are copied beside the program and are not pinned");
        Err(self.refuse(code::INVALID_VALUE, told))
    }

    /// What the program has taken and not given back, in words. Empty when it is clean.
    pub(crate) fn leaks(&self) -> String {
        let kinds = [
            ("device memory", self.memory.live().len()),
            ("pinned memory", self.pinned.len()),
            ("streams", self.streams.open_count()),
            ("events", self.events.len()),
            ("modules", self.modules.len()),
            ("decoders", self.decoding.decoders.len()),
            ("contexts", self.contexts.values().map(|held| *held as usize).sum()),
        ];
        let left = kinds.iter().filter(|(_, count)| *count > 0).map(|(kind, count)| format!("{count} {kind}"));
        left.collect::<Vec<_>>().join(", ")
    }
}

/// The one driver of the process.
pub(crate) fn driver() -> MutexGuard<'static, Driver> {
    static DRIVER: OnceLock<Mutex<Driver>> = OnceLock::new();
    let made = || {
        let mut driver = Driver::new();
        for command in std::env::var("PIPE_FAKECUDA").unwrap_or_default().split(';') {
            crate::control::obey(&mut driver, command.trim()).unwrap_or_else(|e| panic!("PIPE_FAKECUDA: {e}"));
        }
        Mutex::new(driver)
    };
    DRIVER.get_or_init(made).lock().unwrap_or_else(PoisonError::into_inner)
}

/// The newest PTX a driver takes, from the table of versions in NVIDIA's PTX ISA manual.
pub(crate) fn newest_ptx(driver: i32) -> u32 {
    const TABLE: [(i32, u32); 16] = [
        (12090, 88),
        (12080, 87),
        (12050, 85),
        (12040, 84),
        (12030, 83),
        (12020, 82),
        (12010, 81),
        (12000, 80),
        (11080, 78),
        (11040, 74),
        (11000, 70),
        (10020, 65),
        (10010, 64),
        (10000, 63),
        (9020, 62),
        (9000, 60),
    ];
    TABLE.iter().find(|(version, _)| driver >= *version).map_or(50, |(_, ptx)| *ptx)
}
