//! What a run may cost -> which attempts may be begun. The most that an attempt can cost is put aside before it is handed
//! over, and what it did not cost is free again when it has ended. So a run never costs more than it may, whatever becomes
//! of its attempts.
//!
//! An attempt of which it is not known whether it has a job keeps what was put aside for it: the job may go on, and the
//! task's next try is the same attempt.

use super::{Command, Phase, Record, RunLimit, State, TaskIndex};
use crate::failure::Class;
use crate::planted::{Fault, planted};
use crate::scheduler::Charge;
use crate::units::Usd;
use crate::world::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// Millionths of a dollar.
type Micros = u64;

/// The money of a run.
#[derive(Default)]
pub(super) struct Purse {
    /// The most it may cost.
    most: Option<Micros>,
    /// What attempts that have ended cost at most.
    spent: Micros,
    /// What is put aside, and all of it together.
    aside: BTreeMap<TaskIndex, Aside>,
    sum: Micros,
}

struct Aside {
    charge: Charge,
    /// When the attempt was handed over. Whoever begins to count earlier never counts too little.
    since: Option<Timestamp>,
}

/// Whether there is money for an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    Now,
    /// When others give back what they did not need.
    Later,
    Never,
}

/// Whether an attempt that is spoken of as ended may still have a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::scheduler) enum Job {
    Over,
    Open,
}

impl Purse {
    pub(super) fn of(most: Option<Usd>) -> Self {
        Self { most: most.map(|most| most.0), ..Self::default() }
    }

    fn fits(&self, task: TaskIndex, charge: Option<Charge>) -> Fit {
        let Some(most) = self.most else { return Fit::Now };
        let Some(charge) = charge else { return Fit::Never };
        let own = self.aside.get(&task).map_or(0, |aside| aside.charge.most.0);
        let (others, wanted) = (self.sum - own, charge.most.0.max(own));
        let needs = |already: Micros| already.saturating_add(wanted);
        if needs(self.spent.saturating_add(others)) <= most {
            Fit::Now
        } else if needs(self.spent) <= most {
            Fit::Later
        } else {
            Fit::Never
        }
    }

    fn put_aside(&mut self, task: TaskIndex, charge: Charge) {
        let before = self.take(task);
        let since = before.as_ref().and_then(|aside| aside.since);
        let charge = before.map_or(charge, |aside| if aside.charge.most > charge.most { aside.charge } else { charge });
        self.sum = self.sum.saturating_add(charge.most.0);
        self.aside.insert(task, Aside { charge, since });
    }

    fn take(&mut self, task: TaskIndex) -> Option<Aside> {
        let aside = self.aside.remove(&task)?;
        self.sum -= aside.charge.most.0;
        Some(aside)
    }
}

impl Aside {
    /// What an attempt has cost at most that ends now: its part of what all of its time costs, and one step more, since
    /// time is charged in steps.
    fn cost(&self, now: Timestamp, timeout: Option<Duration>) -> Micros {
        let (Charge { most, least }, Some(since)) = (self.charge, self.since) else { return 0 };
        let whole = timeout.map_or(0, |timeout| timeout.as_millis()).max(1);
        let part = (u128::from(most.0) * now.since(since).as_millis()).div_ceil(whole);
        u64::try_from(part).unwrap_or(u64::MAX).saturating_add(least.0).saturating_add(1).min(most.0)
    }
}

impl State {
    /// What an attempt of a task costs, as far as that is known; `None` where nobody pays.
    fn charge(&self, task: TaskIndex) -> Option<Option<Charge>> {
        let node = &self.nodes[task];
        let charges = if self.machine(task).spot { &node.spot_charges } else { &node.charges };
        let doublings = self.tasks[task].retries.get(&Class::OutOfMemory).copied().unwrap_or(0) as usize;
        (!charges.is_empty()).then(|| charges.get(doublings).copied().flatten())
    }

    /// Whether there is money for an attempt.
    pub(super) fn affords(&self, task: TaskIndex) -> Fit {
        match self.charge(task) {
            Some(_) if planted(Fault::MoneyNotCounted) => Fit::Now,
            Some(charge) => self.purse.fits(task, charge),
            None => Fit::Now,
        }
    }

    /// Whether money is put aside for a task: its job may be there, and whoever waits for money waits for its end.
    pub(super) fn has_aside(&self, task: TaskIndex) -> bool {
        self.purse.aside.contains_key(&task)
    }

    pub(super) fn put_aside(&mut self, task: TaskIndex) {
        if let Some(charge) = self.charge(task).flatten().filter(|_| self.purse.most.is_some()) {
            self.purse.put_aside(task, charge);
        }
    }

    /// From here on an attempt may cost something.
    pub(super) fn handed_over(&mut self, task: TaskIndex, now: Timestamp) {
        if let Some(aside) = self.purse.aside.get_mut(&task) {
            aside.since.get_or_insert(now);
        }
    }

    /// An attempt has ended: what it did not cost is free again. One that was never handed over cost nothing; where an
    /// earlier try was, its job may be there.
    pub(super) fn settle_up(&mut self, task: TaskIndex, job: Job, now: Timestamp) {
        let is_handed_over = !matches!(self.tasks[task].phase, Phase::Starting);
        let is_begun = self.purse.aside.get(&task).is_some_and(|aside| aside.since.is_some());
        let is_open = job == Job::Open && !planted(Fault::OpenJobForgotten);
        if is_open || (is_begun && !is_handed_over) {
            return;
        }
        if let Some(aside) = self.purse.take(task) {
            self.purse.spent = self.purse.spent.saturating_add(aside.cost(now, self.nodes[task].timeout));
        }
    }

    /// A task has ended: a job of it that may go on can cost all that was put aside.
    pub(super) fn give_up_on(&mut self, task: TaskIndex) {
        if let Some(aside) = self.purse.take(task) {
            let cost = aside.since.map_or(0, |_| aside.charge.most.0);
            self.purse.spent = self.purse.spent.saturating_add(cost);
        }
    }

    /// A task whose turn it is, and for which there will never be money: it is left, and the run has reached its limit. What
    /// is begun goes on, and so does all that fits.
    pub(super) fn leave(&mut self, line: usize, task: TaskIndex, todo: &mut Vec<Command>) {
        self.ready.leave(line);
        if self.limit.is_none() {
            self.limit = Some(RunLimit::Cost);
            todo.push(Command::Journal(Record::LimitReached(RunLimit::Cost)));
        }
        self.cancel_task(task, todo);
    }
}
