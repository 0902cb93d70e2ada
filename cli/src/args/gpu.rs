//! The command line of `pipe gpu`.

use clap::{Args as Group, Subcommand};

#[derive(Debug, Group)]
pub(crate) struct GpuArgs {
    #[command(subcommand)]
    pub(crate) what: GpuVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GpuVerb {
    /// List the NVIDIA GPUs that `preprocess` may use
    Info,
    /// Compare a GPU and its decoder with the CPU, bit for bit, and measure how fast it makes frames
    Check(GpuCheckArgs),
}

#[derive(Debug, Group)]
#[command(after_help = "\
Examples:
  pipe gpu check                            the first GPU, in about half a minute
  pipe gpu check --device 1 --cases 20000   another one, for longer
  pipe gpu check --json                     the same for programs")]
pub(crate) struct GpuCheckArgs {
    /// Which GPU, as CUDA counts those that this process may use
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) device: usize,
    /// How many random cases are compared
    #[arg(long, value_name = "N", default_value_t = 2000)]
    pub(crate) cases: u64,
    /// How many seconds each speed is measured for; 0 measures none
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    pub(crate) seconds: u32,
}
