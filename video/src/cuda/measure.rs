//! How fast a GPU makes frames, part by part. The clock comes from the caller; the parts are timed by the GPU itself.

use std::borrow::Cow;

use super::conformance::{Case, Random};
use super::fault::GpuError;
use super::gpu::Gpu;
use crate::frames::{ColourMatrix, ColourRange, Element, Fit, FrameError, FrameSpec, PixelFormat, Plan, Shape, Turn};
use crate::time::Ratio;

/// What is measured.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its name in tables.
    pub name: Cow<'static, str>,
    /// Columns and rows of the pictures.
    pub from: (u32, u32),
    /// What they lie like.
    pub format: PixelFormat,
    /// Columns and rows of the tensors.
    pub to: (u32, u32),
}

/// The jobs that `docs/gpu.md` has bounds for.
pub const JOBS: [Job; 3] = [
    Job::of("1080p nv12 to 224", (1920, 1080), PixelFormat::NV12, (224, 224)),
    Job::of("1080p nv12 to 640", (1920, 1080), PixelFormat::NV12, (640, 640)),
    Job::of("2160p p010 to 448", (3840, 2160), PixelFormat::P010, (448, 448)),
];

impl Job {
    const fn of(name: &'static str, from: (u32, u32), format: PixelFormat, to: (u32, u32)) -> Self {
        Job { name: Cow::Borrowed(name), from, format, to }
    }

    /// NV12 pictures of a size to tensors of another.
    pub fn nv12(from: (u32, u32), to: (u32, u32)) -> Self {
        let name = format!("{}x{} nv12 to {}x{}", from.0, from.1, to.0, to.1);
        Job { name: Cow::Owned(name), from, format: PixelFormat::NV12, to }
    }

    pub(super) fn shape(&self) -> Shape {
        Shape {
            width: self.from.0,
            height: self.from.1,
            format: self.format,
            matrix: ColourMatrix::Bt709,
            range: ColourRange::Limited,
            pixel_aspect: Ratio { num: 1, den: 1 },
            turn: Turn::default(),
        }
    }

    pub(super) fn spec(&self) -> FrameSpec {
        FrameSpec { fit: Fit::Letterbox, element: Element::F16, ..FrameSpec::plain(self.to.0, self.to.1) }
    }

    pub(super) fn plan(&self) -> Result<Plan, FrameError> {
        Plan::new(&self.spec(), &self.shape())
    }
}

/// Frames a second of each part on its own, and of the whole from pictures in memory to tensors in memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed {
    /// From the host to the device.
    pub upload: f64,
    /// The kernel.
    pub kernel: f64,
    /// From the device to the host.
    pub download: f64,
    /// All, with parts beside each other.
    pub whole: f64,
    /// Bytes of a picture and of a tensor.
    pub bytes: (usize, usize),
    /// Pictures of a batch.
    pub batch: usize,
}

/// Pictures of a call.
const PICTURES: usize = 32;

/// Does a job for so many seconds. `now`: seconds since any moment.
///
/// # Errors
/// When the GPU fails.
pub fn measure(gpu: &mut Gpu, job: &Job, seconds: f64, now: &mut dyn FnMut() -> f64) -> Result<Speed, GpuError> {
    let case = Case::new(&job.spec(), &job.shape(), 1, &mut Random::new(1))?;
    let pictures = vec![case.pictures()[0]; PICTURES];
    let mut out = vec![0; case.plan.frame_bytes() * PICTURES];
    // The first call takes memory and compiles the kernels.
    gpu.tensors(&case.plan, &pictures, &mut out)?;
    gpu.measure();
    let begun = now();
    let mut frames = 0.0;
    while now() - begun < seconds {
        gpu.tensors(&case.plan, &pictures, &mut out)?;
        frames += PICTURES as f64;
    }
    let whole = now() - begun;
    let parts = gpu.measure();
    Ok(Speed {
        upload: frames / parts.upload,
        kernel: frames / parts.kernel,
        download: frames / parts.download,
        whole: frames / whole,
        bytes: (case.plan.shape.bytes(), case.plan.frame_bytes()),
        batch: gpu.batch().unwrap_or(0),
    })
}
