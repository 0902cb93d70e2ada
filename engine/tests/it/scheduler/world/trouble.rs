//! What befalls one life of the engine.

use super::super::dice::Dice;
use pipe_engine::scheduler::Stop;
use std::ops::Range;

#[derive(Clone, Debug, Default)]
pub(crate) struct Trouble {
    pub(crate) kill: Option<Kill>,
    /// Somebody asks it to stop once so many inputs have been delivered.
    pub(crate) cancel: Option<(usize, Stop)>,
    pub(crate) fail_fast: bool,
    /// Calls to backends are lost, and machines are taken away.
    pub(crate) loses: bool,
    /// When the disk is full, in milliseconds since it began.
    pub(crate) full: Option<Range<u64>>,
}

/// When the engine is killed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kill {
    /// When it has carried out so many commands, be that in the middle of an answer.
    AfterCommands(u64),
    /// So many milliseconds after it began, be that in the middle of a commit.
    At(u64),
}

impl Trouble {
    /// Two of three lives are killed; some are stopped, fail fast, or run out of disk.
    pub(crate) fn of(dice: &mut Dice) -> Self {
        let soon = [12, 60, 300][dice.roll(3) as usize];
        let kill = match dice.roll(6) {
            0 | 1 => None,
            2 => Some(Kill::At(dice.roll(soon))),
            _ => Some(Kill::AfterCommands(dice.roll(soon))),
        };
        let how = if dice.one_in(3) { Stop::Now } else { Stop::Gently };
        let cancel = dice.one_in(5).then(|| (dice.roll(40) as usize, how));
        let fail_fast = dice.one_in(5);
        let begins = dice.roll(150);
        let full = dice.one_in(4).then(|| begins..begins + 1 + dice.roll(100));
        let loses = dice.one_in(2);
        Self { kill, cancel, fail_fast, loses, full }
    }

    /// Whether a life ends as the fates of the tasks alone say.
    pub(crate) fn is_mild(&self) -> bool {
        self.cancel.is_none() && !self.fail_fast && !self.loses && self.full.is_none()
    }
}
