//! The GPUs of this machine -> which of them each attempt has to itself.

use crate::scheduler::TaskIndex;
use std::collections::HashMap;

/// GPUs by the names that the driver gives them, those that are free and those that are not.
pub(super) struct Devices {
    free: Vec<String>,
    taken: HashMap<TaskIndex, Vec<String>>,
}

impl Devices {
    pub(super) fn of(mut names: Vec<String>) -> Self {
        // The first is given first.
        names.reverse();
        Self { free: names, taken: HashMap::new() }
    }

    /// Gives a task so many, as its variable lists them; `None` when it wants none. The core has seen to it that there
    /// are as many.
    pub(super) fn give(&mut self, task: TaskIndex, count: usize) -> Option<String> {
        let rest = self.free.len().saturating_sub(count);
        let mut given = self.free.split_off(rest);
        given.reverse();
        let list = given.join(",");
        self.taken.insert(task, given);
        (count > 0).then_some(list)
    }

    /// Takes back what a task was given.
    pub(super) fn take_back(&mut self, task: TaskIndex) {
        let given = self.taken.remove(&task).unwrap_or_default();
        self.free.extend(given.into_iter().rev());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_attempts_have_a_gpu_in_common() {
        let mut devices = Devices::of(["0", "1", "2"].map(str::to_owned).to_vec());
        assert_eq!(devices.give(7, 2), Some("0,1".to_owned()));
        assert_eq!(devices.give(8, 1), Some("2".to_owned()));
        assert_eq!(devices.give(9, 0), None);
        devices.take_back(7);
        devices.take_back(9);
        assert_eq!(devices.give(10, 1), Some("0".to_owned()));
        devices.take_back(8);
        assert_eq!(devices.give(11, 2), Some("2,1".to_owned()));
    }
}
