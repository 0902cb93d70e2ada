//! `pipe gpu check`: a GPU -> whether it makes and decodes what the CPU does, and how many frames a second.

use super::{info, refused};
use crate::args::GpuCheckArgs;
use crate::exit::{Exit, Refusal};
use crate::printer::{Printer, Style};
use crate::table::{self, left, right};
use pipe_engine::world::World;
use pipe_stages::gpu::{self, Decoded, Gpu, GpuInfo, JOBS, Job, Roofline, Speed};
use serde_json::{Value as Json, json};
use std::{env, fs, process};

/// How many differing cases are told in full.
const TOLD: usize = 5;

pub(crate) fn run(args: &GpuCheckArgs, printer: &Printer) -> Result<Exit, Refusal> {
    let gpus = gpu::gpus().map_err(|error| refused(&error))?;
    let mut gpu = Gpu::open(args.device).map_err(|error| refused(&error))?;
    let info = &gpus[args.device];
    let wrong = gpu::disagreements(&mut gpu, 0..args.cases, &mut |_| {}).map_err(|error| refused(&error))?;
    let decoded = decoded(&mut gpu);
    let speeds = speeds(&mut gpu, info, args)?;
    let checked = Checked { info, cases: args.cases, wrong: &wrong, decoded: &decoded, speeds: &speeds };
    if printer.json {
        printer.document(&checked.document())?;
    } else {
        printer.data(&checked.text(printer))?;
    }
    // A GPU that computes something else is as bad as a bug of ours, and may be one.
    let is_right = wrong.is_empty() && decoded != Decoded::Other;
    Ok(if is_right { Exit::Done } else { Exit::TaskFailed })
}

/// What its decoder makes of a film, which lies for so long among the machine's temporary files.
fn decoded(gpu: &mut Gpu) -> Decoded {
    let folder = env::temp_dir().join(format!("pipe-gpu-check-{}", process::id()));
    let made = fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()));
    let decoded = made.and_then(|()| gpu::decodes(gpu, &folder).map_err(|error| error.to_string()));
    // A film that stays behind does no harm, and the machine's own housekeeping takes it away.
    let _ = fs::remove_dir_all(&folder);
    decoded.unwrap_or_else(Decoded::Not)
}

/// What was found.
struct Checked<'a> {
    info: &'a GpuInfo,
    cases: u64,
    wrong: &'a [String],
    decoded: &'a Decoded,
    speeds: &'a [Measured],
}

/// How fast a job is done, and how fast it could be.
struct Measured {
    job: Job,
    speed: Speed,
    most: Roofline,
}

fn speeds(gpu: &mut Gpu, info: &GpuInfo, args: &GpuCheckArgs) -> Result<Vec<Measured>, Refusal> {
    if args.seconds == 0 {
        return Ok(Vec::new());
    }
    let world = World::real().steady();
    let begun = world.now();
    let mut now = || world.now().since(begun).as_secs_f64();
    let jobs = args.job.map_or_else(|| JOBS.to_vec(), |sizes| vec![Job::nv12(sizes.from, sizes.to)]);
    let one = |job: Job| {
        let most = gpu::roofline(info, &job)?;
        gpu::measure(gpu, &job, f64::from(args.seconds), &mut now).map(|speed| Measured { job, speed, most })
    };
    jobs.into_iter().map(one).collect::<Result<_, _>>().map_err(|error| refused(&error))
}

impl Checked<'_> {
    fn text(&self, printer: &Printer) -> String {
        let Checked { info, cases, wrong, decoded, speeds } = self;
        let mut text = format!("GPU {}, {}: ", info.ordinal, info.name);
        if wrong.is_empty() {
            text.push_str(&printer.paint_out(Style::Good, &format!("{cases} of {cases} cases give the CPU's bytes")));
        } else {
            let told = format!("{} of {cases} cases differ from the CPU", wrong.len());
            text.push_str(&printer.paint_out(Style::Error, &told));
        }
        text.push('\n');
        for case in wrong.iter().take(TOLD) {
            text.push_str(&format!("  {case}\n"));
        }
        text.push_str(&match decoded {
            Decoded::Same => printer.paint_out(Style::Good, "its decoder gives the CPU's pictures"),
            Decoded::Other => printer.paint_out(Style::Error, "its decoder gives other pictures than the CPU's"),
            Decoded::Not(why) => format!("its decoder is not used: {why}"),
        });
        text.push('\n');
        if !speeds.is_empty() {
            text.push_str("\nFrames a second, and GB a second over the bus. AT MOST is what this GPU's kernel could do by its clock\n");
            text.push_str("and its memory (docs/gpu.md); the whole is no faster than the slowest of its parts.\n");
            text.push_str(&table::lines(printer, &rows(speeds)));
        }
        text
    }

    fn document(&self) -> Json {
        let (decodes, why) = match self.decoded {
            Decoded::Same => ("same", None),
            Decoded::Other => ("other", None),
            Decoded::Not(why) => ("not", Some(why)),
        };
        json!({
            "gpu": info::document(self.info),
            "cases": self.cases,
            "wrong": self.wrong,
            "decodes": decodes,
            "decodes_not_because": why,
            "frames_a_second": self.speeds.iter().map(document_of).collect::<Vec<_>>(),
        })
    }
}

fn rows(speeds: &[Measured]) -> Vec<Vec<table::Entry>> {
    let header = ["JOB", "WHOLE", "UPLOAD", "KERNEL", "AT MOST", "DOWNLOAD", "GB/S UP", "GB/S DOWN", "BATCH"];
    let header = header.map(|word| right(Style::Faint, word)).to_vec();
    let row = |Measured { job, speed, most }: &Measured| {
        let bus = |frames: f64, bytes: usize| format!("{:.1}", frames * bytes as f64 / 1e9);
        let parts = [speed.whole, speed.upload, speed.kernel, most.kernel(), speed.download];
        let frames = parts.map(|n| format!("{n:.0}"));
        let bus = [bus(speed.upload, speed.bytes.0), bus(speed.download, speed.bytes.1)];
        let cells = frames.into_iter().chain(bus).chain([speed.batch.to_string()]);
        std::iter::once(left(Style::Strong, &*job.name)).chain(cells.map(|cell| right(Style::Plain, cell))).collect()
    };
    std::iter::once(header).chain(speeds.iter().map(row)).collect()
}

fn document_of(Measured { job, speed, most }: &Measured) -> Json {
    json!({
        "job": job.name,
        "whole": speed.whole,
        "upload": speed.upload,
        "kernel": speed.kernel,
        "download": speed.download,
        "picture_bytes": speed.bytes.0,
        "tensor_bytes": speed.bytes.1,
        "batch": speed.batch,
        "instructions": most.instructions,
        "kernel_at_most": { "arithmetic": most.arithmetic, "memory": most.memory },
    })
}
