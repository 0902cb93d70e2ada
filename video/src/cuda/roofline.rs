//! What a job asks of a GPU, and what the GPU has by its driver's word -> the most frames a second that its kernel can make.
//! `docs/gpu.md`, "How fast it can be".

use super::fault::GpuError;
use super::info::GpuInfo;
use super::measure::Job;
use super::tables::{Tables, Work};

/// Lanes for integers of a multiprocessor, of every architecture from compute capability 7.5 on: NVIDIA's table of arithmetic
/// throughput, 32-bit integer additions and multiplications.
const LANES: f64 = 64.0;

/// Frames a second that no kernel exceeds. 0 where the driver does not tell what it takes to know.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Roofline {
    /// Instructions of a frame.
    pub instructions: f64,
    /// By arithmetic: every lane executes an instruction in every cycle.
    pub arithmetic: f64,
    /// By the device's memory: each picture is read and each tensor written once.
    pub memory: f64,
}

impl Roofline {
    /// The lower of the two.
    pub fn kernel(&self) -> f64 {
        self.arithmetic.min(self.memory)
    }
}

/// The bounds of a job on a GPU.
///
/// # Errors
/// When the job is none that a GPU does.
pub fn roofline(gpu: &GpuInfo, job: &Job) -> Result<Roofline, GpuError> {
    let plan = job.plan()?;
    let instructions = Tables::of(&plan)?.work.instructions(plan.shape.format.sample_bytes());
    let bytes = plan.shape.bytes() + plan.frame_bytes();
    let lanes = f64::from(gpu.processors) * LANES;
    Ok(Roofline {
        instructions,
        arithmetic: lanes * gpu.clock_hz as f64 / instructions,
        memory: gpu.memory_rate as f64 / bytes as f64,
    })
}

impl Work {
    /// The instructions that a frame takes at the least, counted in `frames.ptx`: those of its two inner loops, which are nearly
    /// all, and of what is around them. The tests hold this to what the interpreter counts.
    fn instructions(&self, sample_bytes: usize) -> f64 {
        let a_product = if sample_bytes == 1 { 40 } else { 46 };
        let sum = a_product * self.products_of_columns
            + 35 * self.sums_of_columns
            + 79 * self.threads
            + 19 * self.others
            + 15 * self.products_of_rows
            + 96 * self.pixels
            + 52 * self.bars;
        sum as f64
    }
}
