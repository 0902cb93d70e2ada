//! The command line of `pipe cache`.

use super::SpecArgs;
use clap::{Args as Group, Subcommand};
use pipe_engine::units::Millis;
use std::path::PathBuf;

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
    /// Keep a result whatever `gc` is told
    Pin(PinArgs),
    /// Let `gc` judge a result again
    Unpin(UnpinArgs),
    /// Look whether the files of all results are there and are what was filed
    Verify(VerifyArgs),
    /// Take in a file or folder that is there already as the result of a task
    Adopt(AdoptArgs),
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

/// How much `gc` keeps. What is not told is as `[store] keep` in the spec says.
#[derive(Clone, Copy, Debug, Group)]
pub(crate) struct Keeping {
    /// Keep so many results of each task, the newest [default: the spec's, else 3]
    #[arg(long, value_name = "N")]
    pub(crate) keep: Option<u32>,
    /// Keep all results that are younger than this [default: the spec's, else 1d]
    #[arg(long, value_name = "AGE")]
    pub(crate) older_than: Option<Millis>,
    /// Keep all bytes that no result names and that were written less than this ago: somebody may be about to file them
    #[arg(long, value_name = "AGE", default_value = "1d", hide = true)]
    pub(crate) min_age: Millis,
    /// Keep the events and logs of so many runs of each pipeline, the newest [default: the spec's, else 100]
    #[arg(long, value_name = "N")]
    pub(crate) keep_runs: Option<u32>,
    /// Keep the checkpoints of work that is not done for so long after the last was written [default: the spec's, else 7d]
    #[arg(long, value_name = "AGE")]
    pub(crate) keep_checkpoints: Option<Millis>,
    /// Keep what is known of removed results for so long [default: the spec's, else 90d]
    #[arg(long, value_name = "AGE")]
    pub(crate) keep_removed: Option<Millis>,
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
again when it is asked for; `pipe cache ls --removed` and `pipe explain` still tell of it. Of a bucket results stay, and
what attempts have left there goes that are over: descriptions, what they said, files that went with them, checkpoints.")]
pub(crate) struct GcArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    #[command(flatten)]
    pub(crate) keeping: Keeping,
    /// Say what would go, and remove nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Group)]
#[command(after_help = "\
Examples:
  pipe cache pin specs/demo.toml model --name best
  pipe cache pin specs/demo.toml 3f9a0c7e21b4           a result by the beginning of its key, as `ls` shows it")]
pub(crate) struct PinArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// Tasks, for their current results, or how the key of a result begins
    #[arg(value_name = "TASK|RESULT")]
    pub(crate) what: String,
    /// The name of the pin [default: how the key begins]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
}

#[derive(Debug, Group)]
pub(crate) struct UnpinArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// The name of a pin, tasks, or how the key of a result begins
    #[arg(value_name = "NAME|TASK|RESULT")]
    pub(crate) what: String,
}

#[derive(Debug, Group)]
#[command(after_help = "\
Examples:
  pipe cache verify specs/demo.toml
  pipe cache verify specs/demo.toml --deep --dry-run

Results that are not what was filed are put in quarantine, and the next run makes them again. Ends with 1 when there
were any.")]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// Read every byte, and compare it with what was filed
    #[arg(long)]
    pub(crate) deep: bool,
    /// Say what is wrong, and leave it
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Group)]
#[command(after_help = "\
Examples:
  pipe cache adopt specs/demo.toml 'clips[angle=FAR_LEFT,game=g1]' old/clips/g1-far-left
  pipe cache adopt specs/demo.toml model models/best --force

What is taken in is copied, and counts as the result of the task as it is now: its settings, its inputs. Whether it is
what the task would have made, nobody but you knows.")]
pub(crate) struct AdoptArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// The task, such as `clips[angle=FAR_LEFT,game=g1]`
    #[arg(value_name = "TASK")]
    pub(crate) task: String,
    /// The file, or the folder with all files of the result
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,
    /// Put it in the place of the result that is there
    #[arg(long)]
    pub(crate) force: bool,
}
