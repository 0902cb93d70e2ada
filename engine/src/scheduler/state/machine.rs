//! What befell a task's machines elsewhere -> which one its next attempt is to get.

use super::{State, TaskIndex};
use crate::failure::Class;
use crate::planted::{Fault, planted};
use crate::scheduler::Machine;

impl State {
    /// Machines that can be taken away are cheap as long as they are not: after so many as the stage says that were, the
    /// next is one that stays. And where there was none to be had, there may be one elsewhere.
    pub(super) fn machine(&self, task: TaskIndex) -> Machine {
        if !self.nodes[task].elsewhere {
            return Machine::default();
        }
        let retries = |class: Class| self.tasks[task].retries.get(&class).copied().unwrap_or(0);
        let taken = if planted(Fault::SpotForEver) { 0 } else { retries(Class::Preempted) };
        let moves = if planted(Fault::RegionKept) { 0 } else { retries(Class::Capacity) };
        Machine { spot: self.nodes[task].spot.is_some_and(|most| taken < most), moves }
    }
}
