//! The command line as types. Knows nothing of what a verb does with them.

mod cache;
mod doctor;
#[cfg(feature = "cuda")]
mod gpu;
mod image;

pub(crate) use cache::*;
pub(crate) use doctor::*;
#[cfg(feature = "cuda")]
pub(crate) use gpu::*;
pub(crate) use image::*;

use crate::printer::ColorChoice;
use clap::{Args as Group, Parser, Subcommand, ValueEnum};
use pipe_engine::units::Millis;
use pipe_engine::world::Timestamp;
use std::num::{NonZeroU32, NonZeroUsize};
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
    /// Run for a slot of the schedule, such as 2026-11-22T02:00:00Z: does nothing when a run for it, or a later one, has begun
    #[arg(long, value_name = "TIME", value_parser = pipe_clock::parse)]
    pub(crate) slot: Option<Timestamp>,
}

#[derive(Debug, Group)]
pub(crate) struct ScheduleArgs {
    #[command(subcommand)]
    pub(crate) what: ScheduleVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ScheduleVerb {
    /// Show when a spec falls due next
    Next(NextArgs),
    /// Look after a folder: run each spec in it that has a `schedule` when it falls due, until stopped
    Run(LookAfterArgs),
}

#[derive(Debug, Group)]
#[command(after_help = "\
Examples:
  pipe schedule next specs/night.toml
  pipe schedule next specs/night.toml -n 400 --json | jq -r '.slots[].utc'")]
pub(crate) struct NextArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// How many times to show
    #[arg(short = 'n', long = "number", value_name = "N", default_value = "5")]
    pub(crate) number: NonZeroU32,
    /// Count from this time, such as 2027-03-27T00:00:00Z [default: now]
    #[arg(long, value_name = "TIME", value_parser = pipe_clock::parse)]
    pub(crate) from: Option<Timestamp>,
}

#[derive(Debug, Group)]
#[command(after_help = "\
Examples:
  pipe schedule run specs
  pipe schedule run /srv/pipelines --profile nightly --json

Looks after the specs in the folder and in the folders directly in it, and reads them again when they change. Each slot
is run once, whatever happens to this process or the machine. Ctrl-C or SIGTERM once: start nothing more, ask the runs
that go on to end, and wait for them. Twice: end them now.")]
pub(crate) struct LookAfterArgs {
    /// The folder
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Lay a profile over every spec that is run [env: PIPE_PROFILE]
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// One state folder for all specs [default: .pipe beside each]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
}

#[derive(Debug, Group)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// One line for each task
    #[arg(long)]
    pub(crate) tasks: bool,
    /// Show instead what it would cost: by stage, or with `--tasks` by task
    #[arg(long)]
    pub(crate) cost: bool,
    /// Show instead where every value of the spec comes from: file, line and what set it
    #[arg(long)]
    pub(crate) origins: bool,
    /// CPU slots the time is estimated for [default: those of this machine]
    #[arg(long, value_name = "N")]
    pub(crate) cpu: Option<NonZeroU32>,
    /// How it is written
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: PlanFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    /// For terminals
    Text,
    /// For a comment on a pull request
    Markdown,
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
  pipe status specs/demo.toml
  pipe status specs/demo.toml latest~1
  pipe status specs/demo.toml --watch && echo made
  pipe status specs/demo.toml --watch --json       the run's events, one a line, until it ends")]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// The run: how its name begins, `latest`, or `latest~1` for the one before [default: the newest]
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// List every task: how it stands, whether its result was there already, and why not
    #[arg(long, conflicts_with = "watch")]
    pub(crate) tasks: bool,
    /// Keep showing it until it ends, and end with the exit code of the run; Ctrl-C leaves and the run goes on
    #[arg(short, long)]
    pub(crate) watch: bool,
}

#[derive(Debug, Group)]
#[command(after_help = "\
Examples:
  pipe report specs/demo.toml                      the newest run, as report-RUN.html here
  pipe report specs/demo.toml latest~1 -o night.html
  pipe report specs/demo.toml --json | jq .chain

The page is one file: it needs no other, no network and no JavaScript. Looks only: a run that goes on is not disturbed, \
and is told of as far as it has come.")]
pub(crate) struct ReportArgs {
    /// The spec: a TOML or YAML file; it need not be sound any more
    #[arg(value_name = "SPEC")]
    pub(crate) spec: PathBuf,
    /// The run: how its name begins, `latest`, or `latest~1` for the one before [default: the newest]
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// The page [default: report-RUN.html here; none with --json]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// The state folder [default: .pipe beside the spec]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
}

#[derive(Debug, Group)]
#[command(after_help = "\
Examples:
  pipe costs specs/demo.toml                       by stage
  pipe costs specs/demo.toml --by month
  pipe costs specs/demo.toml --by game --json | jq '.groups'

Of all runs of the state folder: how long each attempt ran, by the price that was known when it was handed over. What Google \
puts on the invoice besides, such as traffic and storage, is not in it.")]
pub(crate) struct CostsArgs {
    /// The spec: a TOML or YAML file; it need not be sound any more
    #[arg(value_name = "SPEC")]
    pub(crate) spec: PathBuf,
    /// What to add up by: `stage`, `month`, or a key of the matrix, such as `game`
    #[arg(long, value_name = "WHAT", default_value = "stage")]
    pub(crate) by: String,
    /// The state folder [default: .pipe beside the spec]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
}

#[derive(Debug, Group)]
#[command(after_help = "\
Examples:
  pipe runs specs/demo.toml
  pipe runs specs/demo.toml -n 100 --json | jq -r '.[] | select(.state == \"failed\") | .run'")]
pub(crate) struct RunsArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// How many to show
    #[arg(short = 'n', long = "number", value_name = "N", default_value = "20")]
    pub(crate) number: NonZeroUsize,
}

#[derive(Debug, Group)]
#[command(after_help = "\
Examples:
  pipe cancel specs/demo.toml
  pipe cancel specs/demo.toml --now                kill what runs
  pipe cancel specs/demo.toml 20261122-0107        only if it is this run that goes on

Results that are finished are kept: `pipe resume` does the rest.")]
pub(crate) struct CancelArgs {
    /// The spec: a TOML or YAML file
    #[arg(value_name = "SPEC")]
    pub(crate) spec: PathBuf,
    /// The run, or how its name begins [default: the one that goes on]
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// End it at once, as a second Ctrl-C does: what runs is killed
    #[arg(long)]
    pub(crate) now: bool,
    /// Ask, and do not wait until it has ended
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// The state folder [default: .pipe beside the spec]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
}

#[derive(Debug, Group)]
#[command(after_help = "\
Examples:
  pipe resume specs/demo.toml                      the newest run
  pipe resume specs/demo.toml 20261122-0107        the run whose name begins so
  pipe resume 20261122-0107                        with the state folder .pipe here, or --state

What is finished is kept, so a run that was cut short is gone on with. Parameters are those of that run, whatever the \
spec says by now. The spec is read as it is now; that of a run of a revision (`--at`) as of the same commit.")]
pub(crate) struct ResumeArgs {
    /// The spec and the run, or one of the two [default: the newest run]
    #[arg(value_name = "SPEC RUN", num_args = 1..=2, required = true)]
    pub(crate) what: Vec<String>,
    /// The state folder [default: .pipe beside the spec]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) how: HowAgain,
}

#[derive(Debug, Group)]
#[command(after_help = "\
Examples:
  pipe rerun specs/demo.toml --failed              of the newest run
  pipe rerun specs/demo.toml --failed latest~1     of the one before
  pipe rerun specs/demo.toml --failed -P epochs=5

The spec is read as it is now, so that what was wrong with it can be put right; what the run was given from outside it \
(-P, --params, PIPE_PARAM_X, profile, revision, --only, --until, --force, --fail-fast) is given again.")]
pub(crate) struct RerunArgs {
    /// The spec: a TOML or YAML file
    #[arg(value_name = "SPEC")]
    pub(crate) spec: PathBuf,
    /// The run: how its name begins, `latest`, or `latest~1` for the one before [default: the newest]
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// The tasks that failed in that run, and what follows from them
    #[arg(long)]
    pub(crate) failed: bool,
    /// Set a parameter of the spec, whatever it was in that run; may be given several times
    #[arg(short = 'P', long = "param", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) params: Vec<(String, String)>,
    /// The state folder [default: .pipe beside the spec]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) how: HowAgain,
}

/// What of a run that is done again is not that of the run before.
#[derive(Debug, Group)]
pub(crate) struct HowAgain {
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
  pipe logs specs/demo.toml model
  pipe logs specs/demo.toml 'clips[game=g1]'       the clips of every angle of that game
  pipe logs specs/demo.toml model --attempt 1
  pipe logs specs/demo.toml model -f --tail 20     follow it while it runs
  pipe logs specs/demo.toml clips --since 10m      of the attempts that wrote something in the last ten minutes

With several tasks each line begins with its task.")]
pub(crate) struct LogsArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// A stage, or a task such as `clips[game=g1]`; keys left out match all
    #[arg(value_name = "TASK")]
    pub(crate) task: String,
    /// Which attempt of the task, as numbered in its name [default: the newest]
    #[arg(long, value_name = "N")]
    pub(crate) attempt: Option<u32>,
    /// Follow what it writes until the task ends, one attempt after the other
    #[arg(short, long, conflicts_with = "attempt")]
    pub(crate) follow: bool,
    /// Only the last lines of each attempt
    #[arg(long, value_name = "N")]
    pub(crate) tail: Option<usize>,
    /// Only attempts that wrote something in the time before now, such as 10m or 2h; lines themselves have no times
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Millis>,
}

#[derive(Debug, Group)]
#[command(after_help = "\
Examples:
  pipe graph specs/demo.toml -o graph.svg          what is up to date, what would run
  pipe graph specs/demo.toml -o graph.svg --tasks  each task by itself
  pipe graph specs/demo.toml --format mermaid      for a page in Markdown
  pipe graph specs/demo.toml | dot -Tpdf > graph.pdf")]
pub(crate) struct GraphArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// How it is drawn [default: as the file's name says, else dot]
    #[arg(long, value_enum)]
    pub(crate) format: Option<GraphFormat>,
    /// Write a file: .svg, .dot or .mmd
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Draw each task; SVG only
    #[arg(long)]
    pub(crate) tasks: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// For Graphviz
    Dot,
    /// For Markdown pages
    Mermaid,
    /// For browsers and pages
    Svg,
}

#[derive(Debug, Group)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// A stage, or a task such as `clips[game=g1]`; keys left out match all
    #[arg(value_name = "TASK")]
    pub(crate) task: String,
}

#[derive(Debug, Group)]
#[command(after_help = "\
Examples:
  pipe explain-error P0203
  pipe explain-error              all codes")]
pub(crate) struct ExplainErrorArgs {
    /// The code, such as P0203 [default: list all]
    #[arg(value_name = "CODE")]
    pub(crate) code: Option<String>,
}

#[derive(Debug, Group)]
#[command(after_help = "\
Examples:
  pipe diff specs/demo.toml                    the newest run and the one before
  pipe diff latest~3 latest specs/demo.toml
  pipe diff 20261121-2354 20261122-0107 specs/demo.toml
  pipe diff v1..v2 specs/demo.toml             what another revision makes of the spec
  pipe diff main.. specs/demo.toml             a revision and the files as they are

Ends with 0 whether or not anything differs.")]
pub(crate) struct DiffArgs {
    /// Two runs or two revisions, A B or A..B, and the spec [default: the two newest runs]
    #[arg(value_name = "A B SPEC", num_args = 1..)]
    pub(crate) what: Vec<String>,
    #[command(flatten)]
    pub(crate) given: Given,
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
