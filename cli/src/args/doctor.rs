//! What is typed after `pipe check` and `pipe doctor`.

use super::SpecArgs;
use clap::Args as Group;

#[derive(Debug, Group)]
#[command(after_help = "\
Examples:
  pipe check specs/week.toml
  pipe check specs/week.toml --run-worker          also which worker the image holds, by a job that asks it
  pipe check specs/week.toml --json | jq -r '.findings[] | select(.level == \"error\") | .help'

Credentials, project, region, rights, the images, and whether the store keeps to conditional writes: each finding with the
role or the command that mends it. An object is written under `probes/` of the store and deleted again. Ends with 0 when
nothing of it would stop a run, else with 2.")]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// Run each image once as a job, which says which worker it holds: takes a moment and costs a little
    #[arg(long)]
    pub(crate) run_worker: bool,
}
