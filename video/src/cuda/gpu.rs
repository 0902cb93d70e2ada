//! Pictures -> tensors on one GPU, batch after batch, in two lanes.

use std::ffi::CString;
use std::sync::Arc;

use super::fault::{Fault, GpuError};
use super::lane::{Lane, PartTimes, Prepared};
use super::raw::{self, Context, DeviceBytes, Kernel, Module, PinnedBytes, Stream};
use super::tables::{DevicePicture, Tables};
use super::{info, library};
use crate::frames::{FrameError, Picture, Plan, Preprocess, Surface, check_buffers};
use crate::libav::hardware::Hardware;

/// The kernels, made by `tools/ptx.sh`.
pub(super) const PTX: &str = include_str!("../../kernels/frames.ptx");

/// Pictures of a batch, at most: enough that a launch's own cost of some microseconds is nothing beside it.
const MOST_PICTURES: usize = 16;

/// Pictures of a call that keep both lanes busy.
pub(super) const AT_ONCE: usize = 2 * MOST_PICTURES;

/// Bytes of a batch's pictures, at most. Beyond it, larger batches are no faster.
const MOST_BYTES: usize = 64 << 20;

/// A GPU that is ready.
pub struct Gpu {
    // Dropped in this order: lanes use the tables and the kernels.
    ready: Option<Ready>,
    module: Arc<Module>,
    context: Arc<Context>,
    is_measured: bool,
    times: PartTimes,
    failed: Option<GpuError>,
    hardware: Option<Arc<Hardware>>,
}

/// What a plan needs.
struct Ready {
    lanes: [Lane; 2],
    tables_there: DeviceBytes,
    tables: Tables,
    plan: Plan,
    kernel: Kernel,
    /// Pictures of a batch.
    batch: usize,
    /// Pictures that it was made for: for more, a larger batch may be taken.
    wanted: usize,
}

impl Gpu {
    /// Opens the GPU of a number, as CUDA counts those that it may use.
    ///
    /// # Errors
    /// `Unavailable` when there is no driver, no such GPU, or it is too old; `Failed` when the driver does not do its work.
    pub fn open(ordinal: usize) -> Result<Gpu, GpuError> {
        Gpu::with_kernels(ordinal, PTX)
    }

    pub(super) fn with_kernels(ordinal: usize, ptx: &str) -> Result<Gpu, GpuError> {
        library::find()?;
        info::check(ordinal)?;
        let context = Context::open(ordinal)?;
        let text = CString::new(ptx).map_err(|_| GpuError::Unavailable("the kernels hold a 0".to_owned()))?;
        let module = Module::load(&context, &text).map_err(not_loaded)?;
        Ok(Gpu::of(context, Arc::new(module)))
    }

    /// The same GPU once more, with streams and buffers of its own, for another thread.
    #[must_use]
    pub fn another(&self) -> Gpu {
        Gpu { hardware: self.hardware.clone(), ..Gpu::of(Arc::clone(&self.context), Arc::clone(&self.module)) }
    }

    fn of(context: Arc<Context>, module: Arc<Module>) -> Gpu {
        let times = PartTimes::default();
        Gpu { ready: None, module, context, is_measured: false, times, failed: None, hardware: None }
    }

    /// Has it decode clips, too. Their pictures stay on it.
    ///
    /// # Errors
    /// `Unavailable` when FFmpeg does not take its driver.
    pub fn decode(&mut self) -> Result<(), GpuError> {
        let held = Box::new(Arc::clone(&self.context));
        #[expect(unsafe_code, reason = "a context is handed over")]
        // SAFETY: the context is there as long as what is given beside it.
        let hardware = unsafe { Hardware::beside(self.context.raw(), held) }.map_err(GpuError::Unavailable)?;
        self.hardware = Some(Arc::new(hardware));
        Ok(())
    }

    /// As `Preprocess::run`, with errors that say whether another device is worth trying.
    ///
    /// # Errors
    /// `Asked` when no device could do it, `NoRoom` when its memory is full, `Failed` when the driver fails. After `Failed`
    /// the GPU is of no use any more.
    pub fn tensors(&mut self, plan: &Plan, pictures: &[Picture<'_>], out: &mut [u8]) -> Result<(), GpuError> {
        check_buffers(plan, pictures, out)?;
        self.batches(plan, pictures, out, Lane::begin)
    }

    /// As `tensors`, of pictures that are on this GPU already, as a decoder there leaves them: nothing is copied up.
    ///
    /// # Errors
    /// As `tensors`.
    ///
    /// # Safety
    /// The planes are those of pictures of the plan's size and format, complete, on this GPU, and stay until this returns.
    #[expect(unsafe_code, reason = "addresses on a device cannot be checked")]
    pub unsafe fn tensors_of(
        &mut self,
        plan: &Plan,
        pictures: &[DevicePicture],
        out: &mut [u8],
    ) -> Result<(), GpuError> {
        let wanted = plan.frame_bytes() * pictures.len();
        if out.len() != wanted {
            let message = format!("the tensor has {} bytes, the pictures need {wanted}", out.len());
            return Err(FrameError::new(message, "give as many bytes as the frames need").into());
        }
        self.batches(plan, pictures, out, Lane::begin_there)
    }

    /// As `tensors`, of pictures that this GPU has decoded.
    ///
    /// # Errors
    /// As `tensors`, and `Asked` for pictures of another GPU or another shape.
    pub fn tensors_of_surfaces(
        &mut self,
        plan: &Plan,
        surfaces: &[Surface<'_>],
        out: &mut [u8],
    ) -> Result<(), GpuError> {
        let shape = (plan.shape.format, plan.shape.width, plan.shape.height);
        let fits = |surface: &Surface<'_>| (surface.format, surface.width, surface.height) == shape;
        if !surfaces.iter().all(|surface| fits(surface) && surface.context() == self.context.raw()) {
            let message = "pictures of another GPU, or of another shape than was planned, are given";
            return Err(FrameError::new(message, "plan each shape, and stay on one GPU").into());
        }
        let pictures: Vec<DevicePicture> = surfaces.iter().map(DevicePicture::of).collect();
        self.context.bind()?;
        self.context.wait_for_decoders()?;
        #[expect(unsafe_code, reason = "addresses on a device are handed over")]
        // SAFETY: the surfaces are whole, of the plan's shape, on this GPU, decoded, and stay as long as they are borrowed.
        unsafe {
            self.tensors_of(plan, &pictures, out)
        }
    }

    fn batches<P>(
        &mut self,
        plan: &Plan,
        pictures: &[P],
        out: &mut [u8],
        begin: impl Fn(&mut Lane, &Prepared<'_>, &[P]) -> Result<(), Fault>,
    ) -> Result<(), GpuError> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        if pictures.is_empty() {
            return Ok(());
        }
        let done = self.context.bind().map_err(GpuError::from).and_then(|()| {
            self.make_ready(plan, pictures.len())?;
            self.run_batches(pictures, out, begin).map_err(GpuError::from)
        });
        if let Err(failed @ GpuError::Failed { .. }) = &done {
            self.ready = None;
            self.failed = Some(failed.clone());
        }
        done
    }

    /// Pictures of a batch, once there was one.
    pub fn batch(&self) -> Option<usize> {
        self.ready.as_ref().map(|ready| ready.batch)
    }

    /// Begins to measure the parts of batches, or gives what was measured since.
    pub(super) fn measure(&mut self) -> PartTimes {
        self.is_measured = true;
        std::mem::take(&mut self.times)
    }

    fn make_ready(&mut self, plan: &Plan, pictures: usize) -> Result<(), GpuError> {
        let wanted = pictures.div_ceil(2).min(MOST_PICTURES);
        if self.ready.as_ref().is_some_and(|ready| ready.plan == *plan && ready.wanted >= wanted) {
            return Ok(());
        }
        // What the last plan took is given back first: there may not be room for both.
        self.ready = None;
        let tables = Tables::of(plan)?;
        let needed = tables.pictures.bytes + tables.tensor_bytes;
        let full = |fault: Fault| {
            if fault.is_out_of_memory() { GpuError::NoRoom { needed } } else { fault.into() }
        };
        let tables_there = self.upload(&tables.bytes).map_err(full)?;
        let name = CString::new(tables.kernel).map_err(|_| GpuError::Unavailable("a kernel's name".to_owned()))?;
        let kernel = self.module.kernel(name)?;
        let (lanes, batch) = self.lanes(&tables, wanted).map_err(full)?;
        self.ready = Some(Ready { lanes, tables_there, tables, plan: plan.clone(), kernel, batch, wanted });
        Ok(())
    }

    /// Two lanes for as many pictures as there is room for: each time there is not, half as many.
    fn lanes(&self, tables: &Tables, wanted: usize) -> Result<([Lane; 2], usize), Fault> {
        let mut batch = wanted.min(MOST_BYTES / tables.pictures.bytes).max(1);
        loop {
            let lane = || Lane::new(&self.context, tables, batch);
            match lane().and_then(|first| Ok([first, lane()?])) {
                Ok(lanes) => return Ok((lanes, batch)),
                Err(fault) if fault.is_out_of_memory() && batch > 1 => batch /= 2,
                Err(fault) => return Err(fault),
            }
        }
    }

    fn upload(&self, bytes: &[u8]) -> Result<DeviceBytes, Fault> {
        let there = DeviceBytes::new(&self.context, bytes.len())?;
        let mut pinned = PinnedBytes::new(&self.context, bytes.len())?;
        pinned.bytes_mut().copy_from_slice(bytes);
        // Dropped first, whatever fails, and then it waits.
        let stream = Stream::new(&self.context)?;
        stream.upload(&pinned, &there, bytes.len())?;
        stream.wait()?;
        drop(stream);
        Ok(there)
    }

    fn run_batches<P>(
        &mut self,
        pictures: &[P],
        out: &mut [u8],
        begin: impl Fn(&mut Lane, &Prepared<'_>, &[P]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let Some(Ready { lanes, tables_there, tables, kernel, batch, .. }) = &mut self.ready else { return Ok(()) };
        let prepared = Prepared { tables, tables_there, kernel: *kernel, is_measured: self.is_measured };
        let mut under_way: [Option<&mut [u8]>; 2] = [None, None];
        let tensors = out.chunks_mut(*batch * tables.tensor_bytes);
        for (number, (pictures, tensors)) in pictures.chunks(*batch).zip(tensors).enumerate() {
            let lane = &mut lanes[number % 2];
            if let Some(before) = under_way[number % 2].take() {
                finish(lane, before, &mut self.times)?;
            }
            begin(lane, &prepared, pictures)?;
            under_way[number % 2] = Some(tensors);
        }
        for (lane, tensors) in lanes.iter_mut().zip(under_way) {
            if let Some(tensors) = tensors {
                finish(lane, tensors, &mut self.times)?;
            }
        }
        Ok(())
    }
}

fn finish(lane: &mut Lane, tensors: &mut [u8], times: &mut PartTimes) -> Result<(), Fault> {
    tensors.copy_from_slice(lane.end()?);
    let parts = lane.times()?;
    times.upload += parts.upload;
    times.kernel += parts.kernel;
    times.download += parts.download;
    Ok(())
}

fn not_loaded(fault: Fault) -> GpuError {
    if fault.is_old_driver() {
        let version = raw::version().unwrap_or(0);
        let (major, minor) = (version / 1000, version % 1000 / 10);
        return GpuError::Unavailable(format!(
            "the NVIDIA driver is of CUDA {major}.{minor}; 10.0 is the oldest that does"
        ));
    }
    fault.into()
}

impl std::fmt::Debug for Gpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gpu").field("batch", &self.batch()).field("failed", &self.failed).finish_non_exhaustive()
    }
}

impl Preprocess for Gpu {
    fn run(&mut self, plan: &Plan, pictures: &[Picture<'_>], out: &mut [u8]) -> Result<(), FrameError> {
        self.tensors(plan, pictures, out).map_err(in_words)
    }

    fn run_there(&mut self, plan: &Plan, surfaces: &[Surface<'_>], out: &mut [u8]) -> Result<(), FrameError> {
        self.tensors_of_surfaces(plan, surfaces, out).map_err(in_words)
    }

    fn hardware(&self) -> Option<Arc<Hardware>> {
        self.hardware.clone()
    }

    fn at_once(&self) -> usize {
        AT_ONCE
    }
}

fn in_words(error: GpuError) -> FrameError {
    match error {
        GpuError::Asked(error) => error,
        other => FrameError::new(other.to_string(), "use the CPU, which gives the same bytes"),
    }
}
