//! `pipe gpu`: which GPUs there are, whether one makes the frames that the CPU makes, and how fast.

mod check;
mod info;

use crate::args::{GpuArgs, GpuVerb};
use crate::exit::{Exit, Refusal};
use crate::printer::Printer;
use pipe_stages::gpu::GpuError;

pub(crate) fn run(args: &GpuArgs, printer: &Printer) -> Result<Exit, Refusal> {
    match &args.what {
        GpuVerb::Info => info::run(printer),
        GpuVerb::Check(args) => check::run(args, printer),
    }
}

fn refused(error: &GpuError) -> Refusal {
    let refusal = Refusal::new(Exit::Unavailable, error.to_string());
    match error {
        GpuError::Unavailable(_) => refusal.help("frames are made on the CPU here, with the same numbers"),
        _ => refusal.help("`nvidia-smi` shows whether the GPU still answers; frames can be made on the CPU"),
    }
}
