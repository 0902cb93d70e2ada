//! A plan and this machine -> what the plan needs and the machine has not. Looks at the environment and starts programs,
//! so it is no part of planning: who is elsewhere leaves it out.

use super::{Plan, room, secrets, tools};
use crate::spec::Spec;
use crate::text::{Diagnostic, sort_by_position};

/// The secrets and programs that are not here, or not in the version that is wanted, and disks that are too small.
pub fn not_here(spec: &Spec, plan: &Plan) -> Vec<Diagnostic> {
    let mut problems = secrets::missing(spec, plan);
    problems.extend(room::too_small(spec, plan));
    problems.extend(tools::wrong(spec, plan));
    sort_by_position(&mut problems);
    problems
}
