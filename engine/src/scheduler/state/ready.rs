//! Tasks that may start -> which of them is next.
//!
//! Tasks that draw from the same pools stand in one line, in the order in which they are to start. A line whose pools are
//! empty waits and holds nobody else up. Among the others the first is next, and is never overtaken: a task that needs the
//! whole machine gets it. Tasks that run elsewhere stand in lines of their own, since they wait for no room here, and of
//! these the ones that somebody pays for, since they wait for money.

use super::TaskIndex;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::mem;

/// Where a task stands in its line: by whether money is put aside for it, by priority, then by what waits for it, then by its
/// place in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    pub(super) has_aside: bool,
    pub(super) priority: i32,
    pub(super) rank: u32,
    pub(super) task: Reverse<TaskIndex>,
}

/// Where the tasks of a line run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Where {
    Here,
    Elsewhere,
    /// Elsewhere, where somebody pays for it.
    Paid,
}

/// Tasks that draw from the same pools.
struct Line {
    pools: Vec<usize>,
    at: Where,
    turns: BinaryHeap<Turn>,
}

/// All lines, and what is left in each pool.
#[derive(Default)]
pub(super) struct Ready {
    lines: Vec<Line>,
    of_pools: BTreeMap<(Vec<usize>, Where), usize>,
    free: Vec<u32>,
}

impl Ready {
    /// Nobody waits; `pools` are full. A pool of none would hold a task up for ever, so each has one at least.
    pub(super) fn with(pools: &[u32]) -> Self {
        Self { free: pools.iter().map(|pool| (*pool).max(1)).collect(), ..Self::default() }
    }

    /// The line of tasks that draw from these pools and run there.
    pub(super) fn line(&mut self, pools: &[usize], at: Where) -> usize {
        let kind = (pools.to_vec(), at);
        if let Some(line) = self.of_pools.get(&kind) {
            return *line;
        }
        self.lines.push(Line { pools: pools.to_vec(), at, turns: BinaryHeap::new() });
        self.of_pools.insert(kind, self.lines.len() - 1);
        self.lines.len() - 1
    }

    pub(super) fn push(&mut self, line: usize, turn: Turn) {
        self.lines[line].turns.push(turn);
    }

    /// Of the tasks that run in one of these ways, the line whose first is next, and who that is.
    pub(super) fn first(&self, among: &[Where]) -> Option<(usize, TaskIndex)> {
        let lines = self.lines.iter().enumerate().filter(|(_, line)| among.contains(&line.at));
        let open = lines.filter(|(_, line)| line.pools.iter().all(|pool| self.free[*pool] > 0));
        let first = open.filter_map(|(at, line)| Some((*line.turns.peek()?, at))).max();
        first.map(|(Turn { task: Reverse(task), .. }, line)| (line, task))
    }

    /// The first of a line starts, and takes one of each of its pools.
    pub(super) fn start(&mut self, line: usize) {
        let Line { pools, turns, .. } = &mut self.lines[line];
        turns.pop();
        pools.iter().for_each(|pool| self.free[*pool] -= 1);
    }

    /// The first of a line will never start.
    pub(super) fn leave(&mut self, line: usize) {
        self.lines[line].turns.pop();
    }

    /// One that had started from a line has ended.
    pub(super) fn give_back(&mut self, line: usize) {
        self.lines[line].pools.iter().for_each(|pool| self.free[*pool] += 1);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.iter().all(|line| line.turns.is_empty())
    }

    pub(super) fn clear(&mut self) {
        self.lines.iter_mut().for_each(|line| line.turns.clear());
    }

    /// Keeps the tasks of which this holds.
    pub(super) fn retain(&mut self, holds: impl Fn(TaskIndex) -> bool) {
        self.lines.iter_mut().for_each(|line| line.turns.retain(|turn| holds(turn.task.0)));
    }

    /// Ranks everybody anew.
    pub(super) fn rank(&mut self, rank: impl Fn(TaskIndex) -> u32) {
        for line in &mut self.lines {
            let turns = mem::take(&mut line.turns).into_iter();
            line.turns = turns.map(|turn| Turn { rank: rank(turn.task.0), ..turn }).collect();
        }
    }
}
