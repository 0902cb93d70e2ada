//! The command line of `pipe cache`.

use super::SpecArgs;
use clap::{Args as Group, Subcommand};
use pipe_engine::units::Millis;

#[derive(Debug, Group)]
pub(crate) struct CacheArgs {
    #[command(subcommand)]
    pub(crate) what: CacheVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CacheVerb {
    /// List the results that are kept
    Ls(LsArgs),
    /// Show how much room results take, and how much of it `gc` would free
    Du(DuArgs),
    /// Remove old results and whatever no result needs; nothing while anything runs
    Gc(GcArgs),
}

#[derive(Debug, Group)]
#[command(after_help = "\
Examples:
  pipe cache ls specs/demo.toml
  pipe cache ls specs/demo.toml 'clips[game=g1]' --removed
  pipe cache ls specs/demo.toml --all --json | jq -r '.[] | select(.current) | .folder'")]
pub(crate) struct LsArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// A stage, or a task such as `clips[game=g1]`; keys left out match all [default: all]
    #[arg(value_name = "TASK")]
    pub(crate) task: Option<String>,
    /// List the results of every pipeline that shares the store
    #[arg(long)]
    pub(crate) all: bool,
    /// List also what `gc` has removed
    #[arg(long)]
    pub(crate) removed: bool,
}

/// How much `gc` keeps.
#[derive(Clone, Copy, Debug, Group)]
pub(crate) struct Keeping {
    /// Keep so many results of each task, the newest
    #[arg(long, value_name = "N", default_value = "3")]
    pub(crate) keep: usize,
    /// Keep all results that are younger than this
    #[arg(long, value_name = "AGE", default_value = "1d")]
    pub(crate) older_than: Millis,
    /// Keep all bytes that were written less than this ago: somebody may be about to file them
    #[arg(long, value_name = "AGE", default_value = "1d", hide = true)]
    pub(crate) min_age: Millis,
    /// Keep the events and logs of so many runs of each pipeline, the newest
    #[arg(long, value_name = "N", default_value = "100")]
    pub(crate) keep_runs: usize,
}

#[derive(Debug, Group)]
pub(crate) struct DuArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    #[command(flatten)]
    pub(crate) keeping: Keeping,
}

#[derive(Debug, Group)]
#[command(after_help = "\
Examples:
  pipe cache gc specs/demo.toml --dry-run
  pipe cache gc specs/demo.toml
  pipe cache gc specs/demo.toml --keep 1 --older-than 30d

Looks after the whole store, whichever pipelines share it, and the runs of the state folder. What is removed is made
again when it is asked for; `pipe cache ls --removed` and `pipe explain` still tell of it.")]
pub(crate) struct GcArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    #[command(flatten)]
    pub(crate) keeping: Keeping,
    /// Say what would go, and remove nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}
