//! One GPU for all threads of a task, with the CPU for whatever it does not do.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::fault::GpuError;
use super::gpu::Gpu;
use crate::device::Device;
use crate::frames::{FrameError, Picture, Plan, Preprocess};

/// The GPU of a task, if it has one, and what there is to be told of it.
#[derive(Debug)]
pub struct Gpus {
    gpu: Mutex<Option<Gpu>>,
    told: Mutex<Vec<String>>,
}

impl Gpus {
    /// Opens what was asked for. With `Auto`, why there is no GPU is told, and the CPU does it.
    ///
    /// # Errors
    /// When a GPU was asked for by its number and cannot be had.
    pub fn open(device: Device) -> Result<Gpus, GpuError> {
        let (gpu, told) = match device {
            Device::Cpu => (None, None),
            Device::Cuda(number) => (Some(Gpu::open(number)?), None),
            Device::Auto => match Gpu::open(0) {
                Ok(gpu) => (Some(gpu), None),
                Err(why) => (None, Some(format!("frames are made on the CPU: {why}"))),
            },
        };
        Ok(Gpus { gpu: Mutex::new(gpu), told: Mutex::new(told.into_iter().collect()) })
    }

    /// A device for one thread. `cpu` does what the GPU does not.
    pub fn beside<C: Preprocess>(&self, cpu: C) -> OnGpu<'_, C> {
        OnGpu { gpus: self, cpu }
    }

    /// What there is to tell that was not told yet: each thing once.
    pub fn told(&self) -> Vec<String> {
        std::mem::take(&mut *self.lock_told())
    }

    /// Whether a GPU is at work.
    pub fn has_gpu(&self) -> bool {
        self.lock().is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Gpu>> {
        self.gpu.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_told(&self) -> MutexGuard<'_, Vec<String>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the GPU did it. A GPU that failed is given up.
    fn tensors(&self, plan: &Plan, pictures: &[Picture<'_>], out: &mut [u8]) -> bool {
        let mut gpu = self.lock();
        let Some(at_work) = gpu.as_mut() else { return false };
        let Err(error) = at_work.tensors(plan, pictures, out) else { return true };
        let told = match error {
            GpuError::Failed { .. } | GpuError::Unavailable(_) => {
                *gpu = None;
                format!("frames are made on the CPU from here on: {error}")
            }
            GpuError::NoRoom { .. } => format!("some frames are made on the CPU: {error}"),
            GpuError::Asked(error) => format!("some frames are made on the CPU: {}", error.message),
        };
        let mut all = self.lock_told();
        if !all.contains(&told) {
            all.push(told);
        }
        false
    }
}

/// A GPU and a CPU as one device.
#[derive(Debug)]
pub struct OnGpu<'a, C> {
    gpus: &'a Gpus,
    cpu: C,
}

impl<C: Preprocess> Preprocess for OnGpu<'_, C> {
    fn run(&mut self, plan: &Plan, pictures: &[Picture<'_>], out: &mut [u8]) -> Result<(), FrameError> {
        if self.gpus.tensors(plan, pictures, out) { Ok(()) } else { self.cpu.run(plan, pictures, out) }
    }
}
