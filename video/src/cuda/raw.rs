//! The calls of the driver: what is taken is given back when it is dropped, and every error says what was being done.
//!
//! Drops ignore errors: they come when the GPU has failed already, and then its context takes all with it.
#![expect(unsafe_code, reason = "these are C functions; each block says why it holds")]

use std::ffi::{CString, c_void};
use std::sync::Arc;

use cudarc::driver::result::{self, stream::StreamKind};
use cudarc::driver::sys::{self, CUdevice_attribute, CUevent_flags};

use super::fault::{Fault, While};

/// A device, its context held.
pub(super) struct Context {
    device: sys::CUdevice,
    raw: sys::CUcontext,
}

// SAFETY: CUDA's contexts, streams, events and memory may be used by any thread that has made the context its own, which
// `bind` does first.
unsafe impl Send for Context {}
// SAFETY: as above; the driver locks what it shares.
unsafe impl Sync for Context {}

/// What is asked of a device.
#[derive(Debug, Clone, Copy)]
pub(super) struct Traits {
    pub(super) compute: (i32, i32),
    pub(super) processors: i32,
    pub(super) memory: usize,
    /// The highest rates of its processors and of its memory, in thousands a second, and how many bits of memory it reads at once.
    pub(super) clock_khz: i32,
    pub(super) memory_khz: i32,
    pub(super) bus_bits: i32,
}

pub(super) fn initialise() -> Result<(), Fault> {
    result::init().during("starting the driver")
}

pub(super) fn device_count() -> Result<usize, Fault> {
    result::device::get_count().during("counting GPUs").map(|count| usize::try_from(count).unwrap_or(0))
}

/// The version of CUDA that the driver states, as 12020 for 12.2.
pub(super) fn version() -> Result<i32, Fault> {
    let mut version = 0;
    // SAFETY: the pointer is that of a number that lives here.
    unsafe { sys::cuDriverGetVersion(&raw mut version) }.result().during("asking the driver for its version")?;
    Ok(version)
}

fn device(ordinal: usize) -> Result<sys::CUdevice, Fault> {
    result::device::get(i32::try_from(ordinal).unwrap_or(i32::MAX)).during("choosing a GPU")
}

pub(super) fn name(ordinal: usize) -> Result<String, Fault> {
    result::device::get_name(device(ordinal)?).during("asking a GPU for its name")
}

pub(super) fn traits(ordinal: usize) -> Result<Traits, Fault> {
    let device = device(ordinal)?;
    // SAFETY: the driver has just given the device.
    let attribute =
        |wanted| unsafe { result::device::get_attribute(device, wanted) }.during("asking what a GPU can do");
    Ok(Traits {
        compute: (
            attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
            attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
        ),
        processors: attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?,
        clock_khz: attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_CLOCK_RATE)?,
        memory_khz: attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE)?,
        bus_bits: attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH)?,
        // SAFETY: as above.
        memory: unsafe { result::device::total_mem(device) }.during("asking a GPU for its memory")?,
    })
}

impl Context {
    pub(super) fn open(ordinal: usize) -> Result<Arc<Context>, Fault> {
        let device = device(ordinal)?;
        // SAFETY: the driver has just given the device; `Drop` releases what is held here.
        let raw = unsafe { result::primary_ctx::retain(device) }.during("opening a GPU")?;
        let context = Arc::new(Context { device, raw });
        context.bind()?;
        Ok(context)
    }

    /// Makes it this thread's own. What follows on this thread uses it.
    pub(super) fn bind(&self) -> Result<(), Fault> {
        // SAFETY: it is held as long as `self` lives.
        unsafe { result::ctx::set_current(self.raw) }.during("turning to a GPU")
    }

    /// For others that use it, as long as they hold it.
    pub(super) fn raw(&self) -> *mut c_void {
        self.raw.cast()
    }

    /// Waits for the stream that every context has, on which decoders hand out their pictures: other streams do not.
    pub(super) fn wait_for_decoders(&self) -> Result<(), Fault> {
        // SAFETY: that stream is always there.
        unsafe { result::stream::synchronize(std::ptr::null_mut()) }.during("waiting for decoded pictures")
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: it was held once, and nothing made in it is left: all such things hold the context.
        let _ = unsafe { result::primary_ctx::release(self.device) };
    }
}

/// Memory of the device.
pub(super) struct DeviceBytes {
    context: Arc<Context>,
    pub(super) at: sys::CUdeviceptr,
    length: usize,
}

impl DeviceBytes {
    /// `length` is not 0.
    pub(super) fn new(context: &Arc<Context>, length: usize) -> Result<Self, Fault> {
        // SAFETY: the bytes are only written by copies and launches, which are given their length.
        let at = unsafe { result::malloc_sync(length) }.during("taking memory")?;
        Ok(DeviceBytes { context: Arc::clone(context), at, length })
    }
}

impl Drop for DeviceBytes {
    fn drop(&mut self) {
        let _ = self.context.bind();
        // SAFETY: taken in `new` and given back only here. The driver waits for work that uses it.
        let _ = unsafe { result::free_sync(self.at) };
    }
}

/// Memory of the host that the device copies from and to without the processor.
pub(super) struct PinnedBytes {
    context: Arc<Context>,
    at: *mut u8,
    length: usize,
}

// SAFETY: it is memory that nobody else has.
unsafe impl Send for PinnedBytes {}

impl PinnedBytes {
    /// Bytes of 0. `length` is not 0.
    pub(super) fn new(context: &Arc<Context>, length: usize) -> Result<Self, Fault> {
        // No flag: what is combined on its way to memory is slow to read, and results are read from here.
        // SAFETY: the size is not 0; `Drop` gives it back.
        let at: *mut u8 = unsafe { result::malloc_host(length, 0) }.during("pinning memory")?.cast();
        // SAFETY: the driver has just given so many bytes.
        unsafe { at.write_bytes(0, length) };
        Ok(PinnedBytes { context: Arc::clone(context), at, length })
    }

    /// Whoever calls this has waited for the copies that use the bytes: `Lane` does.
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: so many bytes are there, and none is written meanwhile.
        unsafe { std::slice::from_raw_parts(self.at, self.length) }
    }

    /// As `bytes`.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and nobody else has them, as `self` is borrowed for writing.
        unsafe { std::slice::from_raw_parts_mut(self.at, self.length) }
    }
}

impl Drop for PinnedBytes {
    fn drop(&mut self) {
        let _ = self.context.bind();
        // SAFETY: taken in `new`, given back only here, and no copy is under way: its stream went before it, and waited.
        let _ = unsafe { result::free_host(self.at.cast::<c_void>()) };
    }
}

/// Work in order, beside that of other streams. Whoever owns one drops it before the memory that it uses.
pub(super) struct Stream {
    context: Arc<Context>,
    raw: sys::CUstream,
}

// SAFETY: as for `Context`.
unsafe impl Send for Stream {}

impl Stream {
    pub(super) fn new(context: &Arc<Context>) -> Result<Self, Fault> {
        let raw = result::stream::create(StreamKind::NonBlocking).during("making a stream")?;
        Ok(Stream { context: Arc::clone(context), raw })
    }

    /// Begins to copy the first bytes. They stay as they are until `wait` has returned.
    pub(super) fn upload(&self, from: &PinnedBytes, to: &DeviceBytes, length: usize) -> Result<(), Fault> {
        assert!(length <= from.length && length <= to.length, "a copy stays inside both");
        // SAFETY: both are as long; `Lane` keeps both, and leaves them alone until it has waited.
        unsafe { result::memcpy_htod_async(to.at, &from.bytes()[..length], self.raw) }.during("uploading pictures")
    }

    /// Begins to copy the first bytes. They are there when `wait` has returned.
    pub(super) fn download(&self, from: &DeviceBytes, to: &mut PinnedBytes, length: usize) -> Result<(), Fault> {
        assert!(length <= from.length && length <= to.length, "a copy stays inside both");
        // SAFETY: as in `upload`.
        unsafe { result::memcpy_dtoh_async(&mut to.bytes_mut()[..length], from.at, self.raw) }
            .during("downloading tensors")
    }

    /// Begins to run a kernel whose only parameter is `parameters`.
    ///
    /// # Safety
    /// The kernel takes one value of this type, and whatever it points at is large enough and stays until `wait`.
    pub(super) unsafe fn launch<P: Copy>(&self, kernel: Kernel, shape: Shape, parameters: P) -> Result<(), Fault> {
        let mut parameters = parameters;
        let mut pointers = [(&raw mut parameters).cast::<c_void>()];
        let (grid, block) = (shape.grid.into(), shape.block.into());
        // SAFETY: the driver copies the parameters before it returns; the rest is the caller's promise.
        unsafe { result::launch_kernel(kernel.0, grid, block, shape.shared_bytes, self.raw, &mut pointers) }
            .during("starting a kernel")
    }

    /// Waits for all work given.
    pub(super) fn wait(&self) -> Result<(), Fault> {
        // SAFETY: the stream is there as long as `self`.
        unsafe { result::stream::synchronize(self.raw) }.during("waiting for tensors")
    }
}

impl Drop for Stream {
    /// Waits first, so that nothing is under way when what it was given goes after it. An error says that nothing is under
    /// way any more, either.
    fn drop(&mut self) {
        let _ = self.context.bind();
        let _ = self.wait();
        // SAFETY: made in `new`, given back only here.
        let _ = unsafe { result::stream::destroy(self.raw) };
    }
}

/// The blocks and threads of a launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) grid: [u32; 3],
    pub(super) block: [u32; 3],
    pub(super) shared_bytes: u32,
}

/// A function of a module, which must live as long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kernel(sys::CUfunction);

// SAFETY: as for `Context`.
unsafe impl Send for Kernel {}

pub(super) struct Module {
    context: Arc<Context>,
    raw: sys::CUmodule,
}

// SAFETY: as for `Context`.
unsafe impl Send for Module {}
// SAFETY: as for `Context`; it is only looked into after it was loaded.
unsafe impl Sync for Module {}

impl Module {
    /// Hands the driver the text of kernels.
    pub(super) fn load(context: &Arc<Context>, ptx: &CString) -> Result<Self, Fault> {
        // SAFETY: the text ends with a 0.
        let raw = unsafe { result::module::load_data(ptx.as_ptr().cast()) }.during("loading the kernels")?;
        Ok(Module { context: Arc::clone(context), raw })
    }

    pub(super) fn kernel(&self, name: CString) -> Result<Kernel, Fault> {
        // SAFETY: the module is there as long as `self`.
        unsafe { result::module::get_function(self.raw, name) }.during("looking for a kernel").map(Kernel)
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        let _ = self.context.bind();
        // SAFETY: loaded in `load`, given back only here; who launches its kernels waits before that.
        let _ = unsafe { result::module::unload(self.raw) };
    }
}

/// A moment on a stream, for measuring.
pub(super) struct Event {
    context: Arc<Context>,
    raw: sys::CUevent,
}

// SAFETY: as for `Context`.
unsafe impl Send for Event {}

impl Event {
    /// The moment at which what the stream was given so far is done.
    pub(super) fn after(stream: &Stream) -> Result<Self, Fault> {
        let raw = result::event::create(CUevent_flags::CU_EVENT_DEFAULT).during("making an event")?;
        let event = Event { context: Arc::clone(&stream.context), raw };
        // SAFETY: both are there.
        unsafe { result::event::record(raw, stream.raw) }.during("recording an event")?;
        Ok(event)
    }

    /// Seconds from this to a later one. Both streams were waited for.
    pub(super) fn seconds_to(&self, later: &Event) -> Result<f64, Fault> {
        // SAFETY: both are there, and were recorded.
        let milliseconds = unsafe { result::event::elapsed(self.raw, later.raw) }.during("measuring")?;
        Ok(f64::from(milliseconds) / 1e3)
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        let _ = self.context.bind();
        // SAFETY: made in `after`, given back only here.
        let _ = unsafe { result::event::destroy(self.raw) };
    }
}
