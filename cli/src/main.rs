//! A command line -> the verb it names. Knows nothing of what a verb does.

mod args;
mod bills;
mod buckets;
mod cost;
mod diff;
mod earlier;
mod elsewhere;
mod exit;
mod failed;
mod forecast;
mod git;
mod given;
mod hooks;
mod lanes;
mod life;
mod log;
mod machine;
mod nearby;
mod origins;
mod outlook;
mod paths;
mod patience;
mod printer;
mod progress;
mod report;
mod rooms;
mod runs;
mod runtime;
mod secrets;
mod settled;
mod shown;
mod standing;
mod summary;
mod table;
mod tail;
mod trace;
mod verbs;
mod whole;
mod wiring;
mod words;

use args::{Args, Verb};
use clap::Parser;
use printer::Printer;
use std::process::ExitCode;

// What is released works as well as we know how.
const _: () = assert!(cfg!(debug_assertions) || !pipe_engine::planted::CAN_BE, "build without `planted-faults`");

fn main() -> ExitCode {
    exit::report_panics_as_bugs();
    let args = Args::parse();
    let printer = Printer::new(args.talk.color, args.talk.json);
    log::start(&printer);
    let ended = match &args.verb {
        Verb::Init(args) => verbs::init::run(args, &printer),
        Verb::Run(args) => verbs::run::run(args, &printer),
        Verb::Plan(args) => verbs::plan::run(args, &printer),
        Verb::Validate(args) => verbs::validate::run(args, &printer),
        Verb::Check(args) => verbs::check::run(args, &printer),
        Verb::Runs(args) => verbs::runs::run(args, &printer),
        Verb::Report(args) => verbs::report::run(args, &printer),
        Verb::Costs(args) => verbs::costs::run(args, &printer),
        Verb::Status(args) => verbs::status::run(args, &printer),
        Verb::Logs(args) => verbs::logs::run(args, &printer),
        Verb::Cancel(args) => verbs::cancel::run(args, &printer),
        Verb::Resume(args) => verbs::resume::run(args, &printer),
        Verb::Rerun(args) => verbs::rerun::run(args, &printer),
        Verb::Graph(args) => verbs::graph::run(args, &printer),
        Verb::Explain(args) => verbs::explain::run(args, &printer),
        Verb::ExplainError(args) => verbs::explain_error::run(args, &printer),
        Verb::Diff(args) => verbs::diff::run(args, &printer),
        Verb::Cache(args) => verbs::cache::run(args, &printer),
        #[cfg(feature = "cuda")]
        Verb::Gpu(args) => verbs::gpu::run(args, &printer),
        Verb::Image(args) => verbs::image::run(args, &printer),
        Verb::Schema(args) => verbs::schema::run(args, &printer),
        Verb::Schedule(args) => verbs::schedule::run(args, &printer),
        Verb::Doctor(args) => verbs::doctor::run(args, &printer),
        Verb::Worker(args) => verbs::worker::run(args, &printer),
    };
    exit::code_of(ended, &printer)
}
