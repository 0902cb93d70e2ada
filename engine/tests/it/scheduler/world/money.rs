//! What a run may cost, reckoned by whoever watches: what is put aside for attempts by the orders and answers, and what their
//! jobs really cost by the provider's own clock.

use super::super::case::TIMEOUT;
use super::World;
use super::disk::Name;
use pipe_engine::failure::Class;
use pipe_engine::scheduler::Charge;
use std::collections::BTreeMap;

/// Money that is put aside, and since when there may be a job for it.
struct Aside {
    charge: Charge,
    since: Option<u64>,
}

#[derive(Default)]
pub(super) struct Money {
    spent: u64,
    aside: BTreeMap<usize, Aside>,
    /// The attempts that were handed over in this life, what each may cost, and when it was first.
    bills: BTreeMap<Name, (Charge, u64)>,
    /// Something was left for want of money.
    pub(super) is_short: bool,
}

/// Whether there is money for a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Can {
    Start,
    Wait,
    Never,
}

fn cost(charge: Charge, time: u64) -> u64 {
    let part = (charge.most.0 * time).div_ceil(TIMEOUT.as_millis() as u64);
    (part + charge.least.0 + 1).min(charge.most.0)
}

impl World<'_> {
    /// What the next attempt of a task costs; `None` where nobody pays.
    fn charge(&self, place: usize) -> Option<Option<Charge>> {
        let charges = self.case.charges(place, self.may_be_taken(place));
        let short = self.watch.failures_of(place, Class::OutOfMemory);
        (!charges.is_empty()).then(|| charges.get(short).copied().flatten())
    }

    /// Whether a task may start, for all the money there is.
    pub(super) fn can_pay(&self, place: usize) -> Can {
        let (Some(most), Some(charge)) = (self.trouble.max_cost, self.charge(place)) else { return Can::Start };
        let Some(charge) = charge else { return Can::Never };
        let money = &self.watch.money;
        let others: u64 = money.aside.iter().filter(|(other, _)| **other != place).map(|(_, a)| a.charge.most.0).sum();
        let own = money.aside.get(&place).map_or(0, |aside| aside.charge.most.0);
        let wanted = charge.most.0.max(own);
        match (money.spent + others + wanted <= most, money.spent + wanted <= most) {
            (true, _) => Can::Start,
            (false, true) => Can::Wait,
            (false, false) => Can::Never,
        }
    }

    pub(super) fn is_paid(&self, place: usize) -> bool {
        self.charge(place).is_some()
    }

    pub(super) fn has_aside(&self, place: usize) -> bool {
        self.watch.money.aside.contains_key(&place)
    }

    /// An attempt begins.
    pub(super) fn put_aside(&mut self, place: usize) {
        let Some(Some(charge)) = self.charge(place).filter(|_| self.trouble.max_cost.is_some()) else { return };
        let before = self.watch.money.aside.get(&place);
        let since = before.and_then(|aside| aside.since);
        let charge = before.map(|aside| aside.charge).filter(|b| b.most > charge.most).unwrap_or(charge);
        self.watch.money.aside.insert(place, Aside { charge, since });
    }

    /// It is handed over.
    pub(super) fn pay(&mut self, place: usize) {
        let (now, name) = (self.now, self.afar.name_of(place).cloned());
        let Some(aside) = self.watch.money.aside.get_mut(&place) else { return };
        aside.since.get_or_insert(now);
        let charge = aside.charge;
        if let Some(name) = name {
            self.watch.money.bills.entry(name).or_insert((charge, now));
        }
    }

    /// It has ended, or nobody knows.
    pub(super) fn give_back(&mut self, place: usize, is_handed_over: bool, is_open: bool) {
        let now = self.now;
        let money = &mut self.watch.money;
        let keeps = |aside: &Aside| is_open || (aside.since.is_some() && !is_handed_over);
        let Some(aside) = money.aside.remove(&place) else { return };
        if keeps(&aside) {
            money.aside.insert(place, aside);
        } else if let Some(since) = aside.since {
            money.spent += cost(aside.charge, now - since);
        }
    }

    /// Its task is over.
    pub(super) fn give_up(&mut self, place: usize) {
        let money = &mut self.watch.money;
        if let Some(aside) = money.aside.remove(&place).filter(|aside| aside.since.is_some()) {
            money.spent += aside.charge.most.0;
        }
    }

    /// What jobs have cost, and what those can still cost that go on, is never more than the run may cost.
    pub(super) fn check_money(&self) {
        let Some(most) = self.trouble.max_cost else { return };
        let bill = |(name, (charge, since)): (&Name, &(Charge, u64))| {
            let standing = self.disk.jobs.standing(name, self.now);
            match self.disk.jobs.took(name, *since, self.now) {
                Some(time) => cost(*charge, time),
                None if standing.is_some() || self.afar.is_open(name) => charge.most.0,
                None => 0,
            }
        };
        let bills: u64 = self.watch.money.bills.iter().map(bill).sum();
        assert!(bills <= most, "the run costs up to {bills} and may cost {most}");
    }
}
