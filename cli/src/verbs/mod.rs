//! The verbs of the command line, one file each: arguments in, text out, and how the process ends.

pub(crate) mod cache;
pub(crate) mod cancel;
mod causes;
pub(crate) mod check;
pub(crate) mod costs;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod explain_error;
mod follow;
#[cfg(feature = "cuda")]
pub(crate) mod gpu;
pub(crate) mod graph;
pub(crate) mod image;
pub(crate) mod init;
mod lines;
pub(crate) mod logs;
mod outpost;
pub(crate) mod plan;
pub(crate) mod report;
pub(crate) mod rerun;
pub(crate) mod resume;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod schedule;
pub(crate) mod schema;
pub(crate) mod status;
pub(crate) mod validate;
mod watch;
pub(crate) mod worker;

use crate::args::SpecArgs;
use crate::exit::Refusal;
use crate::wiring::Project;
use crate::words;
use pipe_engine::plan::Plan;
use std::path::{Path, PathBuf};

/// The tasks a pattern names, by their places in the plan.
///
/// # Errors
/// When it names none; the help says which there are.
fn matching(project: &Project, pattern: &str) -> Result<Vec<usize>, Refusal> {
    let plan: &Plan = &project.plan;
    let found: Vec<usize> = (0..plan.len()).filter(|i| plan.task(*i).id.matches(pattern)).collect();
    if found.is_empty() { Err(project.no_task(pattern)) } else { Ok(found) }
}

/// The arguments that lead to the same state folder, for verbs that take a spec's name and no more of it.
fn beside(spec: &Path, state: Option<&PathBuf>) -> String {
    let typed = |path: &Path| words::typed(&path.display().to_string());
    let state = state.map_or_else(String::new, |state| format!(" --state {}", typed(state)));
    format!("{}{state}", typed(spec))
}

/// The arguments that lead to the same spec and state, for commands we tell people to type.
fn again(args: &SpecArgs) -> String {
    let mut typed = beside(&args.spec, args.given.state.as_ref());
    if let Some(at) = &args.given.at {
        typed.push_str(&format!(" --at {}", words::typed(at)));
    }
    typed
}
