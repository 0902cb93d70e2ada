//! `pipe gpu check`: a GPU -> whether it makes what the CPU makes, and how many frames a second.

use super::{info, refused};
use crate::args::GpuCheckArgs;
use crate::exit::{Exit, Refusal};
use crate::printer::{Printer, Style};
use crate::table::{self, left, right};
use pipe_engine::world::World;
use pipe_stages::gpu::{self, Gpu, GpuInfo, JOBS, Speed};
use serde_json::{Value as Json, json};

/// How many differing cases are told in full.
const TOLD: usize = 5;

pub(crate) fn run(args: &GpuCheckArgs, printer: &Printer) -> Result<Exit, Refusal> {
    let gpus = gpu::gpus().map_err(|error| refused(&error))?;
    let mut gpu = Gpu::open(args.device).map_err(|error| refused(&error))?;
    let info = &gpus[args.device];
    let wrong = gpu::disagreements(&mut gpu, 0..args.cases, &mut |_| {}).map_err(|error| refused(&error))?;
    let speeds = speeds(&mut gpu, args.seconds)?;
    if printer.json {
        printer.document(&document(info, args.cases, &wrong, &speeds))?;
    } else {
        printer.data(&text(printer, info, args.cases, &wrong, &speeds))?;
    }
    // A GPU that computes something else is as bad as a bug of ours, and may be one.
    Ok(if wrong.is_empty() { Exit::Done } else { Exit::TaskFailed })
}

fn speeds(gpu: &mut Gpu, seconds: u32) -> Result<Vec<(&'static str, Speed)>, Refusal> {
    if seconds == 0 {
        return Ok(Vec::new());
    }
    let world = World::real().steady();
    let begun = world.now();
    let mut now = || world.now().since(begun).as_secs_f64();
    let one = |job| gpu::measure(gpu, job, f64::from(seconds), &mut now).map_err(|error| refused(&error));
    let speeds: Result<Vec<Speed>, Refusal> = JOBS.iter().map(one).collect();
    Ok(JOBS.iter().map(|job| job.name).zip(speeds?).collect())
}

fn text(printer: &Printer, gpu: &GpuInfo, cases: u64, wrong: &[String], speeds: &[(&str, Speed)]) -> String {
    let mut text = format!("GPU {}, {}: ", gpu.ordinal, gpu.name);
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
    if !speeds.is_empty() {
        text.push_str("\nFrames a second, and GB a second over the bus. docs/gpu.md has what they may be.\n");
        text.push_str(&table::lines(printer, &rows(speeds)));
    }
    text
}

fn rows(speeds: &[(&str, Speed)]) -> Vec<Vec<table::Entry>> {
    let header = ["JOB", "WHOLE", "UPLOAD", "KERNEL", "DOWNLOAD", "GB/S UP", "GB/S DOWN", "BATCH"];
    let header = header.map(|word| right(Style::Faint, word)).to_vec();
    let row = |(name, speed): &(&str, Speed)| {
        let bus = |frames: f64, bytes: usize| format!("{:.1}", frames * bytes as f64 / 1e9);
        let frames = [speed.whole, speed.upload, speed.kernel, speed.download].map(|n| format!("{n:.0}"));
        let bus = [bus(speed.upload, speed.bytes.0), bus(speed.download, speed.bytes.1)];
        let cells = frames.into_iter().chain(bus).chain([speed.batch.to_string()]);
        std::iter::once(left(Style::Strong, *name)).chain(cells.map(|cell| right(Style::Plain, cell))).collect()
    };
    std::iter::once(header).chain(speeds.iter().map(row)).collect()
}

fn document(gpu: &GpuInfo, cases: u64, wrong: &[String], speeds: &[(&str, Speed)]) -> Json {
    let speed = |(name, speed): &(&str, Speed)| {
        json!({
            "job": name,
            "whole": speed.whole,
            "upload": speed.upload,
            "kernel": speed.kernel,
            "download": speed.download,
            "picture_bytes": speed.bytes.0,
            "tensor_bytes": speed.bytes.1,
            "batch": speed.batch,
        })
    };
    json!({
        "gpu": info::document(gpu),
        "cases": cases,
        "wrong": wrong,
        "frames_a_second": speeds.iter().map(speed).collect::<Vec<_>>(),
    })
}
