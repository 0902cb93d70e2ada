//! A process that may outlive us -> whether it is still the same one, and a signal to it.

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use std::fs;

/// A process, told from a later one with the same number by when it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub id: u32,
    /// When it began, in the kernel's ticks since the machine did.
    pub began: u64,
}

impl Process {
    /// The process with this number, if one lives.
    pub fn of(id: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name is in parentheses and may hold anything, parentheses too; the state is the first field behind it.
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let state = fields.next()?;
        let began = fields.nth(18)?.parse().ok()?;
        (!matches!(state, "Z" | "X")).then_some(Self { id, began })
    }

    /// Whether it still runs.
    pub fn lives(self) -> bool {
        Self::of(self.id) == Some(self)
    }

    /// Sends it a signal, if it lives.
    pub fn signal(self, signal: Signal) {
        if let (true, Some(id)) = (self.lives(), Pid::from_raw(self.id.cast_signed())) {
            let _ = kill_process(id, signal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_process_lives_until_it_has_ended_and_its_number_is_not_enough() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process::of(child.id()).unwrap();
        assert!(process.lives());
        assert!(!Process { began: process.began + 1, ..process }.lives());
        process.signal(Signal::TERM);
        child.wait().unwrap();
        assert!(!process.lives());
    }
}
