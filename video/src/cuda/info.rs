//! Which GPUs there are, and whether one of them will do.

use super::fault::GpuError;
use super::{library, raw};

/// The oldest architecture that the kernels are for.
const OLDEST: (i32, i32) = (7, 5);

/// One GPU, as its driver tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuInfo {
    /// Its number among those that this process may use.
    pub ordinal: usize,
    /// What NVIDIA calls it.
    pub name: String,
    /// Compute capability, as (7, 5).
    pub compute: (i32, i32),
    /// Its multiprocessors.
    pub processors: i32,
    /// The highest clock of its multiprocessors. 0 where the driver does not tell.
    pub clock_hz: u64,
    /// Bytes of its memory.
    pub memory: usize,
    /// Bytes a second that its memory gives at the most. 0 where the driver does not tell.
    pub memory_rate: u64,
    /// The CUDA that its driver states, as (12, 2).
    pub driver: (i32, i32),
}

impl GpuInfo {
    /// Whether the kernels run on it.
    ///
    /// # Errors
    /// `Unavailable` when it is older than they are.
    pub fn check(&self) -> Result<(), GpuError> {
        if self.compute >= OLDEST {
            return Ok(());
        }
        let (major, minor) = self.compute;
        Err(GpuError::Unavailable(format!(
            "GPU {}, {}, has compute capability {major}.{minor}; 7.5 is the oldest that does",
            self.ordinal, self.name
        )))
    }
}

/// All GPUs that this process may use.
///
/// # Errors
/// `Unavailable` when there is no driver or no GPU; `Failed` when the driver does not answer.
pub fn gpus() -> Result<Vec<GpuInfo>, GpuError> {
    library::find()?;
    raw::initialise()
        .map_err(|fault| GpuError::Unavailable(format!("the NVIDIA driver does not start here: {}", fault.name())))?;
    (0..raw::device_count()?).map(one).collect()
}

fn one(ordinal: usize) -> Result<GpuInfo, GpuError> {
    let (traits, version) = (raw::traits(ordinal)?, raw::version()?);
    Ok(GpuInfo {
        ordinal,
        name: raw::name(ordinal)?,
        compute: traits.compute,
        processors: traits.processors,
        clock_hz: positive(traits.clock_khz) * 1000,
        memory: traits.memory,
        // Memory of GPUs gives two words a cycle of the clock that drivers state.
        memory_rate: 2 * positive(traits.memory_khz) * 1000 * positive(traits.bus_bits) / 8,
        driver: (version / 1000, version % 1000 / 10),
    })
}

fn positive(number: i32) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Whether the GPU of a number is there and will do.
pub(super) fn check(ordinal: usize) -> Result<(), GpuError> {
    let all = gpus()?;
    match all.get(ordinal) {
        Some(gpu) => gpu.check(),
        None => Err(GpuError::Unavailable(match all.len() {
            0 => "the NVIDIA driver has no GPU for this process".to_owned(),
            count => format!("there is no GPU {ordinal} here, of {count}"),
        })),
    }
}
