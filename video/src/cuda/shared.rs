//! One GPU for all threads of a task, with the CPU for whatever it does not do.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::fault::GpuError;
use super::gpu::{AT_ONCE, Gpu};
use crate::device::Device;
use crate::frames::{FrameError, Picture, Plan, Preprocess, Surface};
use crate::libav::hardware::Hardware;

/// The GPU of a task, if it has one, and what there is to be told of it.
#[derive(Debug)]
pub struct Gpus {
    /// Nothing, when there is none, or when it was given up.
    gpu: Mutex<Option<Pool>>,
    /// What decodes clips, if it is the GPU.
    hardware: Option<Arc<Hardware>>,
    told: Mutex<Vec<String>>,
}

/// One GPU as often as threads use it at once: each has streams and buffers of its own, so that the device copies for one
/// while it computes for another.
#[derive(Debug)]
struct Pool {
    /// What others are made after.
    first: Gpu,
    /// Those that nobody uses now. The one that was given back last comes first: it is most likely ready for the same plan.
    free: Vec<Gpu>,
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
        let pool = gpu.map(|first| Pool { first, free: Vec::new() });
        Ok(Gpus { gpu: Mutex::new(pool), hardware: None, told: Mutex::new(told.into_iter().collect()) })
    }

    /// Has the GPU, if there is one, decode clips too. Where it cannot, why is told, and the CPU does it.
    #[must_use]
    pub fn decoding(mut self) -> Gpus {
        let decoding = self.lock().as_mut().map(|pool| pool.first.decode().map(|()| pool.first.hardware()));
        match decoding {
            Some(Ok(hardware)) => self.hardware = hardware,
            Some(Err(why)) => self.tell(format!("clips are decoded on the CPU: {why}")),
            None => self.tell("clips are decoded on the CPU, as no GPU makes their frames".to_owned()),
        }
        self
    }

    /// A device for one thread. `cpu` does what the GPU does not.
    pub fn beside<'a>(&'a self, cpu: &'a mut dyn Preprocess) -> OnGpu<'a> {
        OnGpu { gpus: self, cpu }
    }

    /// What there is to tell that was not told yet: each thing once.
    pub fn told(&self) -> Vec<String> {
        let of_decoding = self.hardware.iter().flat_map(|hardware| hardware.told());
        std::mem::take(&mut *self.lock_told()).into_iter().chain(of_decoding).collect()
    }

    /// Whether a GPU is at work.
    pub fn has_gpu(&self) -> bool {
        self.lock().is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Pool>> {
        self.gpu.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_told(&self) -> MutexGuard<'_, Vec<String>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the GPU did it. A GPU that failed is given up.
    fn does(&self, work: impl FnOnce(&mut Gpu) -> Result<(), GpuError>) -> bool {
        let free = self.lock().as_mut().map(|pool| pool.free.pop().unwrap_or_else(|| pool.first.another()));
        let Some(mut gpu) = free else { return false };
        let Err(error) = work(&mut gpu) else {
            self.give_back(gpu);
            return true;
        };
        self.tell(match error {
            GpuError::Failed { .. } | GpuError::Unavailable(_) => {
                *self.lock() = None;
                format!("frames are made on the CPU from here on: {error}")
            }
            GpuError::NoRoom { .. } => {
                self.give_back(gpu);
                format!("some frames are made on the CPU: {error}")
            }
            GpuError::Asked(error) => {
                self.give_back(gpu);
                format!("some frames are made on the CPU: {}", error.message)
            }
        });
        false
    }

    fn give_back(&self, gpu: Gpu) {
        if let Some(pool) = self.lock().as_mut() {
            pool.free.push(gpu);
        }
    }

    fn tell(&self, told: String) {
        let mut all = self.lock_told();
        if !all.contains(&told) {
            all.push(told);
        }
    }
}

/// A GPU and a CPU as one device.
pub struct OnGpu<'a> {
    gpus: &'a Gpus,
    cpu: &'a mut dyn Preprocess,
}

impl Preprocess for OnGpu<'_> {
    fn run(&mut self, plan: &Plan, pictures: &[Picture<'_>], out: &mut [u8]) -> Result<(), FrameError> {
        let done = self.gpus.does(|gpu| gpu.tensors(plan, pictures, out));
        if done { Ok(()) } else { self.cpu.run(plan, pictures, out) }
    }

    fn run_there(&mut self, plan: &Plan, surfaces: &[Surface<'_>], out: &mut [u8]) -> Result<(), FrameError> {
        let done = self.gpus.does(|gpu| gpu.tensors_of_surfaces(plan, surfaces, out));
        let undone = || FrameError::new("the GPU makes no frames of what it has decoded", "decode on the CPU");
        done.then_some(()).ok_or_else(undone)
    }

    fn hardware(&self) -> Option<Arc<Hardware>> {
        self.gpus.hardware.clone().filter(|_| self.gpus.has_gpu())
    }

    fn at_once(&self) -> usize {
        if self.gpus.has_gpu() { AT_ONCE } else { self.cpu.at_once() }
    }
}
