//! What is typed after verbs that look at runs.

use super::SpecArgs;
use clap::Args as Group;
use pipe_engine::units::Millis;
use std::num::NonZeroUsize;
use std::path::PathBuf;

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
