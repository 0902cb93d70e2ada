//! How tests load the driver and tell it what to do.
#![expect(unsafe_code, reason = "a library is loaded and a function of it is called by its name")]

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};

use crate::alias;

type Control = unsafe extern "C" fn(*const u8, usize, *mut u8, usize) -> usize;

/// What kernels did since the last reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Instructions of all threads.
    pub instructions: u64,
    /// Reads of device memory by kernels.
    pub loads: u64,
    /// Writes of device memory by kernels.
    pub stores: u64,
}

/// The driver for tests, in the place of NVIDIA's. One test at a time has it; it begins as new.
pub struct FakeDriver {
    control: Control,
    _turn: MutexGuard<'static, ()>,
}

impl FakeDriver {
    /// Loads it into this process, ahead of any driver that the machine has: the loader knows libraries by the name they
    /// give themselves, and this one's is `libcuda.so`.
    ///
    /// # Panics
    /// When the library is not beside the test's binary, where cargo puts it.
    pub fn take() -> FakeDriver {
        static TURN: Mutex<()> = Mutex::new(());
        static LIBRARY: OnceLock<Library> = OnceLock::new();
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the library has no initialisers; it is ours, and the function has the type it has in `control`.
        let load = || unsafe { Library::open(Some(Self::path()), RTLD_NOW | RTLD_GLOBAL) };
        let library = LIBRARY.get_or_init(|| load().expect("cargo builds the library beside the tests"));
        let control = unsafe { library.get::<Control>(b"pipe_fakecuda\0") }.expect("the library has its one door");
        let driver = FakeDriver { control: *control, _turn: turn };
        driver.tell("reset");
        driver
    }

    /// Has FFmpeg find it, by the names that FFmpeg asks for; and a decoder in it.
    ///
    /// # Panics
    /// When the folder for temporary files cannot be written to.
    pub fn with_decoder(self) -> FakeDriver {
        static NAMES: OnceLock<Vec<Library>> = OnceLock::new();
        NAMES.get_or_init(|| ["libcuda.so.1", "libnvcuvid.so.1"].map(named).into());
        self
    }

    /// Where cargo puts the library.
    ///
    /// # Panics
    /// When the test's own path is not known.
    pub fn path() -> PathBuf {
        let test = std::env::current_exe().expect("a test knows its own path");
        let folder = test.parent().expect("a file is in a folder").to_path_buf();
        let beside = folder.join("libpipe_fakecuda.so");
        if beside.exists() { beside } else { folder.join("deps/libpipe_fakecuda.so") }
    }

    /// Gives a command, and the answer.
    ///
    /// # Panics
    /// When the driver does not know the command.
    pub fn tell(&self, command: &str) -> String {
        let mut answer = vec![0; 64 * 1024];
        // SAFETY: both point at as many bytes as stated.
        let length = unsafe { (self.control)(command.as_ptr(), command.len(), answer.as_mut_ptr(), answer.len()) };
        let answer = String::from_utf8_lossy(&answer[..length.min(answer.len())]).into_owned();
        assert!(!answer.starts_with("? "), "{answer}");
        answer
    }

    /// The `nth` call of a function from now fails with a code of CUDA's.
    pub fn fail(&self, function: &str, nth: u64, code: u32) {
        self.tell(&format!("fault {function} {nth} {code}"));
    }

    /// How often each function was called since the driver was taken.
    pub fn calls(&self) -> Vec<(String, u64)> {
        let table = self.tell("calls");
        let line = |line: &str| line.split_once(' ').and_then(|(name, n)| Some((name.to_owned(), n.parse().ok()?)));
        table.lines().filter_map(line).collect()
    }

    /// What was taken and not given back, in words.
    pub fn leaks(&self) -> String {
        self.tell("leaks")
    }

    /// What the last mistake was, in words.
    pub fn told(&self) -> String {
        self.tell("told")
    }

    /// What kernels did.
    ///
    /// # Panics
    /// Never, as the answer is the driver's own.
    pub fn stats(&self) -> Stats {
        let answer = self.tell("work");
        let numbers: Vec<u64> = answer.split(' ').map(|n| n.parse().expect("the driver tells numbers")).collect();
        Stats { instructions: numbers[0], loads: numbers[1], stores: numbers[2] }
    }
}

/// The driver under one more name.
fn named(name: &str) -> Library {
    let path = std::env::temp_dir().join(format!("pipe-fakecuda-{}-{name}", std::process::id()));
    std::fs::write(&path, alias::library(name, "libcuda.so")).expect("the folder for temporary files takes a file");
    // SAFETY: the library has no code.
    let library = unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_GLOBAL) };
    std::fs::remove_file(&path).expect("a file that was just written can be removed");
    library.expect("the driver was loaded before under the name that this one needs")
}
