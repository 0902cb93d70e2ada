//! What is typed after verbs that stop a run, go on with one, or do one again.

use super::{How, key_value};
use clap::Args as Group;
use std::path::PathBuf;

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
    pub(crate) how: How,
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
    pub(crate) how: How,
}
