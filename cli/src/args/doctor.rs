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

#[derive(Debug, Group)]
#[command(after_help = "\
Examples:
  pipe doctor specs/week.toml --orphans            jobs of this store, and who wants each
  pipe doctor specs/week.toml --orphans --reap     and ends and removes those that nobody wants

A job is wanted when its attempt is not over, in the journal here or in the store. Jobs of other stores are not looked at.")]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// Ask each backend of the spec for its jobs of this store
    #[arg(long)]
    pub(crate) orphans: bool,
    /// Cancel and remove those that nobody wants
    #[arg(long, requires = "orphans")]
    pub(crate) reap: bool,
}
