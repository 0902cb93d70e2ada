//! What is typed after `pipe schedule`.

use super::SpecArgs;
use clap::{Args as Group, Subcommand};
use pipe_engine::world::Timestamp;
use std::num::NonZeroU32;
use std::path::PathBuf;

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
