//! The command line as types. Knows nothing of what a verb does with them.

mod again;
mod cache;
mod doctor;
#[cfg(feature = "cuda")]
mod gpu;
mod image;
mod looking;
mod plans;
mod schedule;

pub(crate) use again::*;
pub(crate) use cache::*;
pub(crate) use doctor::*;
#[cfg(feature = "cuda")]
pub(crate) use gpu::*;
pub(crate) use image::*;
pub(crate) use looking::*;
pub(crate) use plans::*;
pub(crate) use schedule::*;

use crate::printer::ColorChoice;
use clap::{Args as Group, Parser, Subcommand, ValueEnum};
use pipe_engine::world::Timestamp;
use std::num::NonZeroU32;
use std::path::PathBuf;

const AFTER_HELP: &str = "\
Examples:
  pipe init demo                            write a spec with comments, to begin with
  pipe validate specs/demo.toml             say what is wrong with a spec, all of it at once
  pipe check specs/demo.toml                ask its store and its places before a run
  pipe plan specs/demo.toml                 show what would run, and why
  pipe run specs/demo.toml                  make what the spec says; again: only what changed
  pipe run specs/demo.toml -P epochs=20     the same with another parameter
  pipe status specs/demo.toml               how the newest run stands
  pipe report specs/demo.toml               a page about the newest run, to read and to send
  pipe logs specs/demo.toml model           what a task wrote
  pipe runs specs/demo.toml                 the runs there were, and how each ended
  pipe resume specs/demo.toml               go on with the newest run, as it was asked for
  pipe explain specs/demo.toml model        what decides its result, and what changed
  pipe diff v1..v2 specs/demo.toml          what another revision would make anew
  pipe schedule run specs                   run the specs of a folder at the times they name
  pipe cache gc specs/demo.toml --dry-run   what would make room

Exit codes:
  0    all done, or nothing to do
  1    a task failed
  2    the spec or the command line is wrong
  3    a service, the store or the state folder cannot be had
  4    stopped by a limit of the run: its deadline or its max_cost
  70   a bug in pipe
  130  interrupted

Environment:
  PIPE_PARAM_X  sets the parameter `x`; -P and --params win over it
  PIPE_PROFILE  the profile, as --profile
  PIPE_STATE    the state folder, as --state
  PIPE_LOG      what pipe itself does, to stderr, such as PIPE_LOG=debug
  NO_COLOR      no colours
  A file `.env` beside the spec sets what the environment does not.";

/// Makes what a spec says must exist, and makes it once.
///
/// A spec names stages: clips cut from videos, a data set, a trained model, programs of your own. `pipe run` makes
/// them on this machine and keeps every result, so that a second run does only what changed.
#[derive(Debug, Parser)]
#[command(name = "pipe", version, after_help = AFTER_HELP, arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) talk: Talk,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// How every verb talks.
#[derive(Debug, Group)]
pub(crate) struct Talk {
    /// Print JSON on stdout: one document, or for `run` one event a line
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// When to use colours and bars
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: ColorChoice,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Write a spec to begin with
    Init(InitArgs),
    /// Make what the spec says, doing only what is not there yet
    Run(RunArgs),
    /// Show what `run` would do, and why; starts nothing
    Plan(PlanArgs),
    /// Say everything that is wrong with a spec
    Validate(ValidateArgs),
    /// Ask the store and the places of a spec whether a run would get what it needs there; nothing is run
    Check(CheckArgs),
    /// List the runs there were, newest first
    Runs(RunsArgs),
    /// Add up what attempts that ran elsewhere cost, over all runs
    Costs(CostsArgs),
    /// Show how a run stands: the newest, or the one you name
    Status(StatusArgs),
    /// Write a run down as one page to read, keep and send: what it did, why, and what came of it
    Report(ReportArgs),
    /// Print what a task wrote while it ran
    Logs(LogsArgs),
    /// Ask a run that goes on to stop, as Ctrl-C does
    Cancel(CancelArgs),
    /// Run again as a run was asked for: its spec, parameters, profile, revision and parts
    Resume(ResumeArgs),
    /// Run again what failed in a run, and what follows from it
    Rerun(RerunArgs),
    /// Draw the stages and what they need of each other
    Graph(GraphArgs),
    /// Show what decides a task's result, and what of it changed
    Explain(ExplainArgs),
    /// Say what the code of a problem means, with an example put right
    ExplainError(ExplainErrorArgs),
    /// Show what differs between two runs, or between two git revisions of a spec
    Diff(DiffArgs),
    /// Look at the results that are kept, and decide which stay
    Cache(CacheArgs),
    /// Look at NVIDIA's GPUs: which there are, whether they make the frames that the CPU makes, and how fast
    #[cfg(feature = "cuda")]
    Gpu(GpuArgs),
    /// Make the container image that tasks elsewhere run in, and put it where they find it
    Image(ImageArgs),
    /// Print the JSON Schema of a format, for editors and programs
    Schema(SchemaArgs),
    /// Show when a spec runs by itself, and run the specs of a folder at those times
    Schedule(ScheduleArgs),
    /// Look for what crashes have left: jobs that nobody wants
    Doctor(DoctorArgs),
    /// Run one attempt; `pipe run` starts this itself
    #[command(hide = true)]
    Worker(WorkerArgs),
}

/// The spec, and where what is known about it lies.
#[derive(Debug, Group)]
pub(crate) struct SpecArgs {
    /// The spec: a TOML or YAML file
    #[arg(value_name = "SPEC")]
    pub(crate) spec: PathBuf,
    #[command(flatten)]
    pub(crate) given: Given,
}

/// Which of a spec's tasks are asked for.
#[derive(Clone, Debug, Default, Group)]
pub(crate) struct Asked {
    /// Make this stage or these tasks alone, of results that are there; may be given several times
    #[arg(long, value_name = "TASK")]
    pub(crate) only: Vec<String>,
    /// Make this and all that follows from it, of results that are there
    #[arg(long, value_name = "TASK")]
    pub(crate) from: Vec<String>,
    /// Make this and all that it needs
    #[arg(long, value_name = "TASK")]
    pub(crate) until: Vec<String>,
    /// Make what is asked for anew, even where its result is there
    #[arg(long)]
    pub(crate) force: bool,
    /// Take a file or folder in place of the result that what is asked for takes under this name: of a stage, a task or
    /// an input; goes with `--only` or `--from`
    #[arg(long = "input", value_name = "NAME=PATH", value_parser = named_path)]
    pub(crate) inputs: Vec<(String, PathBuf)>,
}

/// What is said of a spec besides its name.
#[derive(Clone, Debug, Default, Group)]
pub(crate) struct Given {
    /// Set a parameter of the spec; may be given several times
    #[arg(short = 'P', long = "param", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) params: Vec<(String, String)>,
    /// Take parameters from a TOML, YAML or JSON file; `-P` wins over it
    #[arg(long = "params", value_name = "FILE")]
    pub(crate) params_file: Option<PathBuf>,
    /// Judge the spec by its text: do not look for the files, secrets and programs it names, nor into a bucket
    #[arg(long)]
    pub(crate) offline: bool,
    /// Lay a profile of the spec over it [env: PIPE_PROFILE]
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// The state folder [default: .pipe beside the spec]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Read the spec, what it extends and the files of the project as of a git revision; data stays that of now
    #[arg(long, value_name = "REV")]
    pub(crate) at: Option<String>,
    /// Whether the profile is that of an earlier run, so that the environment has no say in it.
    #[arg(skip)]
    pub(crate) as_before: bool,
}

/// How a run is done, whatever it makes.
#[derive(Clone, Debug, Group)]
pub(crate) struct How {
    /// Wait while another run uses the state folder
    #[arg(long)]
    pub(crate) wait: bool,
    /// Also show why each task runs, and what it writes
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// CPU slots for tasks, so how many small ones run at once [default: those of this machine]
    #[arg(short = 'j', long, value_name = "N")]
    pub(crate) cpu: Option<NonZeroU32>,
    /// Write what ran when, and what waited for what, for ui.perfetto.dev or about:tracing
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
    /// Write a page about the run when it has ended, however it has: see `pipe report`
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
}

#[derive(Debug, Group)]
#[command(after_help = "\
Examples:
  pipe run specs/demo.toml
  pipe run specs/demo.toml -P games='[\"g1\"]' -P epochs=20
  pipe run specs/demo.toml --until dataset            dataset and what it needs
  pipe run specs/demo.toml --only 'clips[game=g1]' --force
  pipe run specs/demo.toml --only clips --input plays=plays.jsonl
  pipe run specs/demo.toml --json | jq -r 'select(.type == \"task_failed\") | .failure.message'

Ctrl-C once: start nothing more, ask what runs to end, keep what is finished. Twice: end it now.
A run that died, however it died, is simply run again.")]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// Start nothing more once a task has failed for good; what runs is finished
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// Go on with all that does not need what failed; this is the default
    #[arg(long, conflicts_with = "fail_fast")]
    pub(crate) keep_going: bool,
    #[command(flatten)]
    pub(crate) how: How,
    /// Run for a slot of the schedule, such as 2026-11-22T02:00:00Z: does nothing when a run for it, or a later one, has begun
    #[arg(long, value_name = "TIME", value_parser = pipe_clock::parse)]
    pub(crate) slot: Option<Timestamp>,
}

#[derive(Debug, Group)]
#[command(after_help = "\
Examples:
  pipe init                              pipeline.toml here
  pipe init week12 --template clips      week12/pipeline.toml and its prompt
  pipe init specs/week12.yaml")]
pub(crate) struct InitArgs {
    /// A folder, or a file that ends in .toml or .yaml [default: pipeline.toml here]
    #[arg(value_name = "PLACE")]
    pub(crate) place: Option<PathBuf>,
    /// Write YAML
    #[arg(long)]
    pub(crate) yaml: bool,
    /// What to begin with
    #[arg(long, value_enum, default_value = "command")]
    pub(crate) template: Template,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Template {
    /// Programs of your own; runs as it is
    Command,
    /// Clips from videos, and a data set of them
    Clips,
    /// Clips, frames, a data set and a trained model
    Quickstart,
}

#[derive(Debug, Group)]
pub(crate) struct ValidateArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
}

#[derive(Debug, Group)]
#[command(after_help = "\
Examples:
  pipe schema                                    the formats there are
  pipe schema spec > .pipe-spec.json             then, in a spec: #:schema .pipe-spec.json
  pipe schema --write schemas")]
pub(crate) struct SchemaArgs {
    /// Which format [default: list them]
    #[arg(value_name = "FORMAT", conflicts_with = "write")]
    pub(crate) format: Option<String>,
    /// Write all of them into a folder, as `<format>.v1.json`
    #[arg(long, value_name = "DIR")]
    pub(crate) write: Option<PathBuf>,
}

#[derive(Debug, Group)]
pub(crate) struct WorkerArgs {
    /// Go on when standard input is closed: no engine holds it
    #[arg(long)]
    pub(crate) alone: bool,
    /// Work on an attempt of a bucket here, and write nothing there: print what would come of it
    #[arg(long)]
    pub(crate) dry: bool,
    /// Print which attempts this worker takes, as JSON
    #[arg(long, conflicts_with = "place")]
    pub(crate) versions: bool,
    /// Write that into a bucket instead, where nothing is yet: STORE/probes/NAME
    #[arg(long, value_name = "URI", requires = "versions")]
    pub(crate) to: Option<String>,
    /// The attempt's folder, or its URI in a bucket: STORE/attempts/ID
    #[arg(value_name = "ATTEMPT", required_unless_present = "versions")]
    pub(crate) place: Option<PathBuf>,
}

/// The name may be that of a task with its cell, which holds `=` as well.
fn named_path(text: &str) -> Result<(String, PathBuf), String> {
    let parted = match text.find('[') {
        Some(open) if !text[..open].contains('=') => {
            text.split_once("]=").map(|(name, path)| (format!("{name}]"), path))
        }
        _ => text.split_once('=').map(|(name, path)| (name.to_owned(), path)),
    };
    match parted {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => Ok((name, path.into())),
        _ => Err("write it as NAME=PATH, such as plays=plays.jsonl or 'plays[game=g1]=g1.jsonl'".to_owned()),
    }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE, such as epochs=20".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent_in_itself() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }

    #[test]
    fn a_parameter_may_hold_equals_signs_and_may_be_empty() {
        assert_eq!(key_value("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert_eq!(key_value("a="), Ok(("a".into(), String::new())));
        assert!(key_value("a").is_err() && key_value("=b").is_err());
    }
}
