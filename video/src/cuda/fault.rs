//! What can go wrong with a GPU.

use cudarc::driver::DriverError;
use cudarc::driver::sys::CUresult;

use crate::frames::FrameError;

/// Why frames are not made on a GPU. Whoever gets it may use the CPU, which gives the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GpuError {
    /// There is no GPU here that can be used, and why.
    #[error("{0}")]
    Unavailable(String),
    /// The driver refused or failed.
    #[error("the GPU failed while {doing}: {code}")]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// CUDA's name of the error.
        code: String,
    },
    /// Not even one picture has room in the GPU's memory.
    #[error("the GPU has no room for {needed} bytes, which one picture needs")]
    NoRoom {
        /// Bytes that were asked for.
        needed: usize,
    },
    /// What was asked for is wrong on any device.
    #[error(transparent)]
    Asked(#[from] FrameError),
}

/// An error of the driver, before anybody has decided what it means.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault {
    pub(super) doing: &'static str,
    code: CUresult,
}

impl Fault {
    pub(super) fn is_out_of_memory(self) -> bool {
        self.code == CUresult::CUDA_ERROR_OUT_OF_MEMORY
    }

    pub(super) fn is_old_driver(self) -> bool {
        self.code == CUresult::CUDA_ERROR_UNSUPPORTED_PTX_VERSION
    }

    /// CUDA's name of the error. The driver is not asked for it: an incomplete one has no such function.
    pub(super) fn name(self) -> String {
        format!("{:?}", self.code)
    }
}

impl From<Fault> for GpuError {
    fn from(fault: Fault) -> Self {
        GpuError::Failed { doing: fault.doing, code: fault.name() }
    }
}

/// Says what was being done when the driver failed.
pub(super) trait While<T> {
    fn during(self, doing: &'static str) -> Result<T, Fault>;
}

impl<T> While<T> for Result<T, DriverError> {
    fn during(self, doing: &'static str) -> Result<T, Fault> {
        self.map_err(|DriverError(code)| Fault { doing, code })
    }
}
