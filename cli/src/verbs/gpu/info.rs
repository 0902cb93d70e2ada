//! `pipe gpu info`: the GPUs of this machine, as their driver tells them.

use super::refused;
use crate::exit::{Exit, Refusal};
use crate::printer::{Printer, Style};
use crate::table::{self, left, right};
use pipe_engine::units::Bytes;
use pipe_stages::gpu::{self, GpuInfo};
use serde_json::{Value as Json, json};

pub(crate) fn run(printer: &Printer) -> Result<Exit, Refusal> {
    let gpus = gpu::gpus().map_err(|error| refused(&error))?;
    if printer.json {
        printer.document(&gpus.iter().map(document).collect::<Vec<_>>())?;
    } else {
        let header = ["GPU", "NAME", "COMPUTE", "SMS", "MEMORY", "CUDA", "PREPROCESS"];
        let header = header.map(|word| left(Style::Faint, word)).to_vec();
        let rows: Vec<_> = std::iter::once(header).chain(gpus.iter().map(row)).collect();
        printer.data(&table::lines(printer, &rows))?;
    }
    Ok(Exit::Done)
}

fn row(gpu: &GpuInfo) -> Vec<table::Entry> {
    let version = |(major, minor): (i32, i32)| format!("{major}.{minor}");
    let does = match gpu.check() {
        Ok(()) => left(Style::Good, "yes"),
        Err(_) => left(Style::Warning, "no: 7.5 is the oldest"),
    };
    vec![
        right(Style::Strong, gpu.ordinal.to_string()),
        left(Style::Plain, &gpu.name),
        left(Style::Plain, version(gpu.compute)),
        right(Style::Plain, gpu.processors.to_string()),
        right(Style::Plain, Bytes(gpu.memory as u64).to_string()),
        left(Style::Plain, version(gpu.driver)),
        does,
    ]
}

pub(super) fn document(gpu: &GpuInfo) -> Json {
    json!({
        "ordinal": gpu.ordinal,
        "name": gpu.name,
        "compute": [gpu.compute.0, gpu.compute.1],
        "processors": gpu.processors,
        "clock_hz": gpu.clock_hz,
        "memory": gpu.memory,
        "memory_bytes_a_second": gpu.memory_rate,
        "cuda": [gpu.driver.0, gpu.driver.1],
        "preprocess": gpu.check().is_ok(),
    })
}
