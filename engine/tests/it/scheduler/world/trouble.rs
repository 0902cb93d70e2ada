//! What befalls one life of the engine.

use super::super::dice::Dice;
use pipe_engine::scheduler::Stop;
use std::ops::Range;
use std::time::Duration;

#[derive(Clone, Debug, Default)]
pub(crate) struct Trouble {
    pub(crate) kill: Option<Kill>,
    /// Somebody asks it to stop once so many inputs have been delivered.
    pub(crate) cancel: Option<(usize, Stop)>,
    pub(crate) fail_fast: bool,
    /// Calls to backends are lost, and machines are taken away.
    pub(crate) loses: bool,
    /// When there is no room for the journal, and when for results, in milliseconds since it began.
    pub(crate) full_journal: Option<Range<u64>>,
    pub(crate) full_store: Option<Range<u64>>,
    /// So many milliseconds after it began the journal breaks.
    pub(crate) broken: Option<u64>,
    /// It is stopped when it takes longer.
    pub(crate) within: Option<Duration>,
    /// What would cost more is not begun, in millionths of a dollar.
    pub(crate) max_cost: Option<u64>,
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
    /// Two of three lives are killed; some are stopped, fail fast, run out of disk, of time or of money.
    pub(crate) fn of(dice: &mut Dice) -> Self {
        let soon = [12, 60, 300][dice.roll(3) as usize];
        let kill = match dice.roll(6) {
            0 | 1 => None,
            2 => Some(Kill::At(dice.roll(soon))),
            _ => Some(Kill::AfterCommands(dice.roll(soon))),
        };
        let how = if dice.one_in(3) { Stop::Now } else { Stop::Gently };
        let cancel = dice.one_in(5).then(|| (dice.roll(40) as usize, how));
        let fail_fast = dice.one_in(3);
        let begins = dice.roll(150);
        let full = begins..begins + 1 + dice.roll(100);
        let full_journal = dice.one_in(3).then(|| full.clone());
        let full_store = dice.one_in(4).then_some(full);
        let broken = dice.one_in(10).then(|| dice.roll(200));
        let within = dice.one_in(6).then(|| Duration::from_millis(1 + dice.roll(1500)));
        let loses = dice.one_in(2);
        let max_cost = dice.one_in(3).then(|| dice.roll(1500));
        Self { kill, cancel, fail_fast, loses, full_journal, full_store, broken, within, max_cost }
    }

    /// Whether a life ends as the fates of the tasks alone say.
    pub(crate) fn is_mild(&self) -> bool {
        let is_stopped = self.cancel.is_some() || self.within.is_some() || self.fail_fast;
        !is_stopped && !self.loses && self.full_store.is_none() && self.max_cost.is_none()
    }
}
