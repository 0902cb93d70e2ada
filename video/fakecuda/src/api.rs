//! The functions of CUDA's driver, by the names and arguments of `cuda.h`, as far as they are used.
//!
//! Handles are numbers. Each function counts its calls, may be told to fail, and refuses what a driver refuses.
#![expect(unsafe_code, reason = "these are C functions with pointers, and are found by their names")]

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};

use crate::driver::{Code, Driver, Event, code, driver, newest_ptx};
use crate::ptx;
use crate::streams::{HostBytes, Operation, PendingLaunch};

thread_local! {
    /// The context of this thread: a device's number and 1, or 0.
    static CURRENT: Cell<usize> = const { Cell::new(0) };
    /// Those that come back when it is taken away.
    static BEFORE: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Functions whose bodies give `Result<(), Code>`. `with context` refuses threads that have none.
macro_rules! functions {
    ($($(#[$with:ident])? fn $name:ident($($arg:ident: $ty:ty),*) |$driver:ident| $body:block)*) => { $(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($arg: $ty),*) -> Code {
            let mut guard = driver();
            let $driver: &mut Driver = &mut guard;
            if let Err(code) = $driver.enter(stringify!($name)) {
                return code;
            }
            $(if let Err(code) = $with($driver) {
                return code;
            })?
            code_of(|| $body)
        }
    )* };
}

pub(crate) use functions;

pub(crate) fn code_of(body: impl FnOnce() -> Result<(), Code>) -> Code {
    body().err().unwrap_or(0)
}

pub(crate) fn context(driver: &mut Driver) -> Result<(), Code> {
    let device = CURRENT.get() as i32 - 1;
    if driver.contexts.get(&device).is_some_and(|held| *held > 0) {
        return Ok(());
    }
    Err(driver.refuse(code::INVALID_CONTEXT, "this thread has no context"))
}

// SAFETY: for all below: pointers are those that `cuda.h` tells callers to give.
functions! {
    fn cuInit(_flags: c_uint) |d| {
        if d.settings.devices == 0 {
            return Err(code::NO_DEVICE);
        }
        d.is_initialised = true;
        Ok(())
    }

    fn cuDriverGetVersion(version: *mut c_int) |d| {
        unsafe { version.write(d.settings.version) };
        Ok(())
    }

    fn cuDeviceGetCount(count: *mut c_int) |d| {
        unsafe { count.write(d.settings.devices) };
        Ok(())
    }

    fn cuDeviceGet(device: *mut c_int, ordinal: c_int) |d| {
        if !(0..d.settings.devices).contains(&ordinal) {
            return Err(code::INVALID_DEVICE);
        }
        unsafe { device.write(ordinal) };
        Ok(())
    }

    fn cuDeviceGetName(name: *mut c_char, length: c_int, _device: c_int) |_d| {
        let text = c"no GPU: a driver for tests";
        let bytes = text.to_bytes_with_nul();
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr().cast(), name, bytes.len().min(length as usize)) };
        Ok(())
    }

    fn cuDeviceTotalMem_v2(bytes: *mut usize, _device: c_int) |d| {
        unsafe { bytes.write(d.memory.capacity) };
        Ok(())
    }

    fn cuDeviceGetAttribute(value: *mut c_int, attribute: c_uint, _device: c_int) |d| {
        // CUdevice_attribute: MAX_SHARED_MEMORY_PER_BLOCK, CLOCK_RATE, TEXTURE_ALIGNMENT, MULTIPROCESSOR_COUNT, MEMORY_CLOCK_RATE,
        // GLOBAL_MEMORY_BUS_WIDTH, COMPUTE_CAPABILITY_MAJOR and _MINOR. Numbers as those of a T4.
        let known = match attribute {
            8 => 49152,
            13 => 1_590_000,
            14 => 512,
            16 => 40,
            36 => 5_001_000,
            37 => 256,
            75 => d.settings.compute.0,
            76 => d.settings.compute.1,
            _ => return Err(d.refuse(code::INVALID_VALUE, format!("the attribute {attribute} is not known here"))),
        };
        unsafe { value.write(known) };
        Ok(())
    }

    fn cuDevicePrimaryCtxRetain(context: *mut usize, device: c_int) |d| {
        *d.contexts.entry(device).or_default() += 1;
        unsafe { context.write(device as usize + 1) };
        Ok(())
    }

    fn cuDevicePrimaryCtxRelease_v2(device: c_int) |d| {
        d.release(device)
    }

    fn cuCtxSetCurrent(context: usize) |_d| {
        CURRENT.set(context);
        Ok(())
    }

    fn cuCtxPushCurrent_v2(context: usize) |_d| {
        BEFORE.with_borrow_mut(|before| before.push(CURRENT.replace(context)));
        Ok(())
    }

    fn cuCtxPopCurrent_v2(context: *mut usize) |_d| {
        let before = BEFORE.with_borrow_mut(Vec::pop).unwrap_or(0);
        unsafe { context.write(CURRENT.replace(before)) };
        Ok(())
    }

    #[context]
    fn cuStreamCreate(stream: *mut usize, _flags: c_uint) |d| {
        let handle = d.handle();
        d.streams.open(handle);
        unsafe { stream.write(handle) };
        Ok(())
    }

    #[context]
    fn cuStreamSynchronize(stream: usize) |d| {
        if !d.streams.is_open(stream) {
            return Err(d.refuse(code::INVALID_HANDLE, "a stream that is not there is waited for"));
        }
        let is_skipped = d.settings.skips_waits || (d.settings.skips_decoders && stream == 0);
        if is_skipped { Ok(()) } else { d.finish(stream, u64::MAX) }
    }

    #[context]
    fn cuStreamDestroy_v2(stream: usize) |d| {
        if !d.streams.is_open(stream) {
            return Err(d.refuse(code::INVALID_HANDLE, "a stream that is not there is destroyed"));
        }
        d.streams.destroy(stream);
        Ok(())
    }

    #[context]
    fn cuStreamWaitEvent(stream: usize, event: usize, _flags: c_uint) |d| {
        let recorded = d.events.get(&event).ok_or(code::INVALID_HANDLE)?.recorded;
        if let Some((other, until)) = recorded {
            d.give(stream, Operation::Wait { stream: other, until })?;
        }
        Ok(())
    }

    #[context]
    fn cuEventCreate(event: *mut usize, _flags: c_uint) |d| {
        let handle = d.handle();
        d.events.insert(handle, Event::default());
        unsafe { event.write(handle) };
        Ok(())
    }

    #[context]
    fn cuEventRecord(event: usize, stream: usize) |d| {
        if !d.events.contains_key(&event) {
            return Err(code::INVALID_HANDLE);
        }
        let number = d.give(stream, Operation::Record { event })?;
        if let Some(event) = d.events.get_mut(&event) {
            event.recorded = Some((stream, number));
        }
        Ok(())
    }

    #[context]
    fn cuEventSynchronize(event: usize) |d| {
        match d.events.get(&event).ok_or(code::INVALID_HANDLE)?.recorded {
            Some((stream, until)) => d.finish(stream, until),
            None => Ok(()),
        }
    }

    #[context]
    fn cuEventElapsedTime(milliseconds: *mut f32, from: usize, to: usize) |d| {
        let time = |event| d.events.get(&event).and_then(|e| e.time).ok_or(code::INVALID_HANDLE);
        unsafe { milliseconds.write((time(to)? as f32 - time(from)? as f32) / 1e3) };
        Ok(())
    }

    #[context]
    fn cuEventDestroy_v2(event: usize) |d| {
        d.events.remove(&event).map(|_| ()).ok_or(code::INVALID_HANDLE)
    }

    #[context]
    fn cuMemAlloc_v2(pointer: *mut u64, bytes: usize) |d| {
        if bytes == 0 {
            return Err(d.refuse(code::INVALID_VALUE, "0 bytes are allocated"));
        }
        let is_short = d.settings.shortened.is_none_or(|nth| nth == d.faults.count("cuMemAlloc_v2"));
        let missing = if is_short { d.settings.shorter_by.min(bytes - 1) } else { 0 };
        let at = d.memory.allocate(bytes - missing).ok_or(code::OUT_OF_MEMORY)?;
        unsafe { pointer.write(at) };
        Ok(())
    }

    #[context]
    fn cuMemFree_v2(pointer: u64) |d| {
        d.finish_all()?;
        d.memory.free(pointer).map_err(|problem| d.refuse(code::INVALID_VALUE, problem))
    }

    #[context]
    fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize) |d| {
        unsafe { free.write(d.memory.capacity - d.memory.used) };
        unsafe { total.write(d.memory.capacity) };
        Ok(())
    }

    #[context]
    fn cuMemHostAlloc(pointer: *mut *mut c_void, bytes: usize, _flags: c_uint) |d| {
        let layout = std::alloc::Layout::from_size_align(bytes, 4096).map_err(|_| code::INVALID_VALUE)?;
        if bytes == 0 {
            return Err(d.refuse(code::INVALID_VALUE, "0 bytes are pinned"));
        }
        // SAFETY: the size is not 0.
        let at = unsafe { std::alloc::alloc(layout) };
        unsafe { at.write_bytes(0xff, bytes) };
        d.pinned.insert(at as usize, bytes);
        unsafe { pointer.write(at.cast()) };
        Ok(())
    }

    #[context]
    fn cuMemFreeHost(pointer: *mut c_void) |d| {
        let at = pointer as usize;
        let bytes = d.pinned.get(&at).copied().ok_or(code::INVALID_VALUE)?;
        if d.streams.is_awaited(at, bytes) {
            return Err(d.refuse(code::INVALID_VALUE, "pinned memory is freed while a copy waits for it"));
        }
        d.pinned.remove(&at);
        let layout = std::alloc::Layout::from_size_align(bytes, 4096).map_err(|_| code::INVALID_VALUE)?;
        // SAFETY: it was allocated above with this layout, and is forgotten now.
        unsafe { std::alloc::dealloc(pointer.cast(), layout) };
        Ok(())
    }

    #[context]
    fn cuMemcpyHtoD_v2(to: u64, from: *const c_void, bytes: usize) |d| {
        let copied = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), bytes) };
        d.memory.copy_in(to, copied).map_err(|problem| d.refuse(code::INVALID_VALUE, problem))
    }

    #[context]
    fn cuMemcpyHtoDAsync_v2(to: u64, from: *const c_void, bytes: usize, stream: usize) |d| {
        d.memory.check(to, bytes).map_err(|problem| d.refuse(code::INVALID_VALUE, problem))?;
        d.check_pinned(from as usize, bytes)?;
        let from = HostBytes::Pinned { at: from as usize, bytes };
        d.give(stream, Operation::Upload { to, from }).map(|_| ())
    }

    #[context]
    fn cuMemcpyDtoHAsync_v2(to: *mut c_void, from: u64, bytes: usize, stream: usize) |d| {
        d.memory.check(from, bytes).map_err(|problem| d.refuse(code::INVALID_VALUE, problem))?;
        d.check_pinned(to as usize, bytes)?;
        d.give(stream, Operation::Download { from, to: to as usize, bytes }).map(|_| ())
    }

    #[context]
    fn cuModuleLoadData(module: *mut usize, image: *const c_void) |d| {
        let text = unsafe { CStr::from_ptr(image.cast()) }.to_string_lossy();
        let parsed = ptx::parse(&text).map_err(|problem| d.refuse(code::INVALID_PTX, problem))?;
        if parsed.version > newest_ptx(d.settings.version) {
            let told = format!("PTX {} is too new for the driver {}", parsed.version, d.settings.version);
            return Err(d.refuse(code::UNSUPPORTED_PTX_VERSION, told));
        }
        let (major, minor) = d.settings.compute;
        if parsed.target > (major * 10 + minor).cast_unsigned() {
            return Err(d.refuse(code::INVALID_PTX, format!("the text is for sm_{} and newer", parsed.target)));
        }
        let handle = d.handle();
        d.modules.insert(handle, parsed);
        unsafe { module.write(handle) };
        Ok(())
    }

    #[context]
    fn cuModuleUnload(module: usize) |d| {
        d.modules.remove(&module).map(|_| ()).ok_or(code::INVALID_HANDLE)
    }

    #[context]
    fn cuModuleGetFunction(function: *mut usize, module: usize, name: *const c_char) |d| {
        let name = unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned();
        let known = d.modules.get(&module).ok_or(code::INVALID_HANDLE)?;
        if !known.kernels.contains_key(&name) {
            return Err(d.refuse(code::NOT_FOUND, format!("there is no kernel {name}")));
        }
        let handle = d.handle();
        d.functions.insert(handle, (module, name));
        unsafe { function.write(handle) };
        Ok(())
    }

    #[context]
    fn cuLaunchKernel(
        function: usize, gx: c_uint, gy: c_uint, gz: c_uint, bx: c_uint, by: c_uint, bz: c_uint,
        shared_bytes: c_uint, stream: usize, arguments: *mut *mut c_void, _extra: *mut *mut c_void
    ) |d| {
        let (module, kernel) = d.functions.get(&function).cloned().ok_or(code::INVALID_HANDLE)?;
        let (grid, block) = ([gx, gy, gz], [bx, by, bz]);
        let mut parameters = parameters(d, module, &kernel, arguments)?;
        for (at, word) in &d.settings.patches {
            parameters[*at..at + 4].copy_from_slice(&word.to_le_bytes());
        }
        check_shape(d, module, &kernel, (grid, block), shared_bytes)?;
        let launch = PendingLaunch { module, kernel, grid, block, shared_bytes, parameters };
        d.give(stream, Operation::Launch(Box::new(launch))).map(|_| ())
    }
}

/// The bytes of a launch's arguments, copied where the kernel reads them.
fn parameters(d: &Driver, module: usize, kernel: &str, arguments: *mut *mut c_void) -> Result<Vec<u8>, Code> {
    let kernel = &d.modules.get(&module).ok_or(code::INVALID_HANDLE)?.kernels[kernel];
    let mut bytes = vec![0; kernel.parameter_bytes];
    for (i, (begin, size)) in kernel.parameters.iter().enumerate() {
        // SAFETY: `cuLaunchKernel` is given one pointer for each parameter, at as many bytes as the kernel's text says.
        let from = unsafe { std::slice::from_raw_parts((*arguments.add(i)).cast::<u8>(), *size) };
        bytes[*begin..begin + size].copy_from_slice(from);
    }
    Ok(bytes)
}

/// The limits of every architecture from sm_75 on, and those that the kernel states.
fn check_shape(
    d: &mut Driver,
    module: usize,
    kernel: &str,
    (grid, block): ([u32; 3], [u32; 3]),
    shared_bytes: u32,
) -> Result<(), Code> {
    let most = d.modules.get(&module).map_or(0, |module| module.kernels[kernel].most_threads).min(1024);
    let threads: u64 = block.iter().map(|side| u64::from(*side)).product();
    let right = (1..=u64::from(most)).contains(&threads)
        && block[2] <= 64
        && grid.iter().all(|side| *side > 0)
        && grid[1..].iter().all(|side| *side <= 65535)
        && shared_bytes <= 48 * 1024;
    if right {
        return Ok(());
    }
    let told = format!(
        "{kernel} cannot be launched: grid {grid:?}, block {block:?} of at most {most} threads, {shared_bytes} bytes \
         of shared memory"
    );
    Err(d.refuse(code::INVALID_VALUE, told))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuGetErrorName(error: Code, text: *mut *const c_char) -> Code {
    let name = match error {
        code::OUT_OF_MEMORY => c"CUDA_ERROR_OUT_OF_MEMORY",
        code::NO_DEVICE => c"CUDA_ERROR_NO_DEVICE",
        code::UNSUPPORTED_PTX_VERSION => c"CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
        code::ILLEGAL_ADDRESS => c"CUDA_ERROR_ILLEGAL_ADDRESS",
        _ => c"CUDA_ERROR",
    };
    // SAFETY: as above.
    unsafe { text.write(name.as_ptr()) };
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuGetErrorString(error: Code, text: *mut *const c_char) -> Code {
    // SAFETY: as above.
    unsafe { cuGetErrorName(error, text) }
}
