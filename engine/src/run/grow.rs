//! The results of a stage that makes rows -> a plan that has the tasks of the stages spread over them.

use super::Replan;
use crate::failure::Failure;
use crate::lookup::Finder;
use crate::manifest::Artifact;
use crate::plan::{Plan, Rows};
use std::sync::Arc;

/// What is needed to plan again.
pub(super) struct Replanning {
    pub(super) plan: Arc<Plan>,
    pub(super) finder: Arc<Finder>,
    pub(super) replan: Replan,
    /// The rows that are known already.
    pub(super) rows: Rows,
}

impl Replanning {
    /// Plans with the rows of `source` as well. `made`: the results of its tasks, by their places in the plan; `None`
    /// when there are no rows to be had.
    ///
    /// # Errors
    /// When the results hold no rows, or no tasks can be made of them.
    pub(super) fn with(
        mut self,
        source: usize,
        made: Option<Vec<(usize, Arc<Artifact>)>>,
    ) -> (Rows, Result<Plan, Failure>) {
        let read = |(task, artifact): (usize, Arc<Artifact>)| {
            Ok((self.plan.task(task).id.cell.clone(), self.finder.rows(task, &artifact)?))
        };
        let grown = made.unwrap_or_default().into_iter().map(read).collect::<Result<Vec<_>, Failure>>();
        let grown = grown.and_then(|rows| {
            self.rows.insert(self.plan.stages[source].name.clone(), rows);
            Ok((self.replan)(&self.rows)?.continuing(&self.plan))
        });
        (self.rows, grown)
    }
}
