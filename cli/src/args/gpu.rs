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
  pipe gpu check --job 1280x720:224x224     how fast, at sizes of your own
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
    /// The size of pictures and of frames whose speed is measured, instead of three usual ones
    #[arg(long, value_name = "WxH:WxH", value_parser = sizes)]
    pub(crate) job: Option<Sizes>,
}

/// Columns and rows of pictures, and of what is made of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) from: (u32, u32),
    pub(crate) to: (u32, u32),
}

fn sizes(text: &str) -> Result<Sizes, String> {
    let size = |text: &str| {
        let (width, height) = text.split_once('x')?;
        Some((width.parse().ok()?, height.parse().ok()?))
    };
    let both = text.split_once(':').and_then(|(from, to)| Some(Sizes { from: size(from)?, to: size(to)? }));
    both.ok_or_else(|| "give two sizes, as in 1920x1080:224x224".to_owned())
}
