//! cut SOURCE CLIPS FOLDER MODE THREADS   cuts clips out of one video, for benchmarks: one process, all its cost.
//!
//! CLIPS has a line for each clip, `START END` in milliseconds; clip 7 becomes `FOLDER/c007.mp4`. MODE is smart, copy or
//! encode. Prints a line for each clip: how it was cut, its frames, and how many of them were copied.

#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use pipe_video::{CutMode, CutOptions, CutPlan, CutReport, Media, Span, VideoError};

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [source, clips, folder, mode, threads] = &arguments[..] else {
        return Err("cut SOURCE CLIPS FOLDER MODE THREADS".into());
    };
    let options = CutOptions { mode: mode.parse::<CutMode>()?, ..CutOptions::default() };
    let mut plan = CutPlan::new(Media::file(Path::new(source)), options);
    for (number, line) in std::fs::read_to_string(clips)?.lines().enumerate() {
        let (start, end) = line.split_once(' ').ok_or("a line of CLIPS is START END")?;
        let span = Span { start_ms: start.parse()?, end_ms: end.parse()? };
        plan.add(span, &Path::new(folder).join(format!("c{number:03}.mp4")));
    }
    let failed = AtomicBool::new(false);
    plan.run(threads.parse()?, &|clip, outcome| {
        failed.fetch_or(outcome.is_err(), Ordering::Relaxed);
        tell(clip, &outcome);
    });
    Ok(if failed.into_inner() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn tell(clip: usize, outcome: &Result<CutReport, VideoError>) {
    match outcome {
        Ok(report) => println!("{clip} {} {} {} {}", report.mode, report.frames, report.frames_copied, report.why),
        Err(error) => println!("{clip} error {error}"),
    }
}
