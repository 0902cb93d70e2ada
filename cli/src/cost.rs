//! Forecasts, what earlier runs tell and the prices of places -> what each task, each stage and a whole run would cost.
//!
//! How long a task takes is what its stage says under `expect`, else the median of its last five attempts, else half of its
//! `timeout`, which is a guess and is told as one. One attempt of each task is reckoned with, with the time that it waits
//! before it begins where that is charged; and nothing that is not charged by the time of a machine: the rest of a month's free tier. What leaves buckets
//! stands beside that, since it is known of some tasks and not of others.

use crate::forecast::{Forecast, Forecasts};
use pipe_engine::estimate::{Basis, Said, Times};
use pipe_engine::lookup::Finder;
use pipe_engine::plan::{Experience, Leaving, Plan, Sizes, Task};
use pipe_engine::units::Usd;
use serde_json::{Value as Json, json};
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

/// What a run would cost.
pub(crate) struct Costs {
    /// Of the tasks that would run, by their places in the plan.
    tasks: Vec<Option<Cost>>,
    /// Of each stage.
    stages: Vec<Sum>,
    pub(crate) all: Sum,
    /// What leaves buckets for those of each stage; in no sum.
    leaving: Vec<Leaving>,
}

/// What one task would cost. An amount is absent where no price is known, or nobody knows how long it takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) basis: Basis,
    pub(crate) time: Option<Duration>,
    /// How long it waits before that.
    startup: Duration,
    /// Whether somebody pays for it.
    is_paid: bool,
    usual: Option<Usd>,
    low: Option<Usd>,
    high: Option<Usd>,
    /// When its attempt runs into its timeout.
    most: Option<Usd>,
}

/// What several tasks would cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) tasks: u64,
    /// Those that somebody pays for, those of them whose cost is unknown, and those whose time is a guess.
    pub(crate) paid: u64,
    pub(crate) unknown: u64,
    pub(crate) guessed: u64,
    pub(crate) usual: Usd,
    pub(crate) low: Usd,
    pub(crate) high: Usd,
    pub(crate) most: Usd,
}

impl Costs {
    /// Of tasks that depend on others it is taken that they run.
    pub(crate) fn of(plan: &Plan, finder: &Finder, forecasts: &Forecasts<'_>) -> Self {
        let (mut stages, mut all) = (vec![Sum::default(); plan.stages.len()], Sum::default());
        let mut tasks = Vec::with_capacity(plan.len());
        for (index, task) in plan.tasks().enumerate() {
            let runs = matches!(forecasts.task(index), Forecast::Run(..) | Forecast::DependsOn(_));
            let cost = runs.then(|| cost(plan, finder, task));
            if let Some(cost) = &cost {
                stages[task.stage].add(cost);
                all.add(cost);
            }
            tasks.push(cost);
        }
        let leaving = leaving(plan, finder, forecasts, &tasks);
        Self { tasks, stages, all, leaving }
    }

    pub(crate) fn stage(&self, place: usize) -> &Sum {
        &self.stages[place]
    }

    /// What leaves buckets for all of them, if anything does.
    pub(crate) fn leaving(&self) -> Option<Leaving> {
        let all = self.leaving.iter().fold(Leaving::default(), |sum, next| sum.and(*next));
        (all != Leaving::default()).then_some(all)
    }

    /// The tasks that would run, by their places in the plan.
    pub(crate) fn running(&self) -> impl Iterator<Item = (usize, &Cost)> {
        self.tasks.iter().enumerate().filter_map(|(index, cost)| Some((index, cost.as_ref()?)))
    }

    pub(crate) fn document(&self, plan: &Plan) -> Json {
        let stages = plan.stages.iter().zip(&self.stages).zip(&self.leaving).map(|((stage, sum), leaving)| {
            let place = &plan.places[stage.backend];
            let mut told = sum.document();
            told["name"] = stage.name.as_str().into();
            told["place"] = place.name.as_str().into();
            told["traffic"] = traffic(*leaving);
            told["machine"] = place.machine(&stage.settings.need()).into();
            told
        });
        let tasks = self.running().map(|(index, cost)| {
            let mut told = cost.document();
            told["task"] = plan.task(index).id.to_string().into();
            told["place"] = plan.place_of(index).name.as_str().into();
            told
        });
        json!({
            "currency": "USD",
            "run": self.all.document(),
            "traffic": traffic(self.leaving().unwrap_or_default()),
            "stages": stages.collect::<Vec<_>>(),
            "tasks": tasks.collect::<Vec<_>>(),
        })
    }
}

/// What leaves buckets for the tasks of each stage that would run: results by their manifests where they are there, else by what
/// they were the last time.
fn leaving(plan: &Plan, finder: &Finder, forecasts: &Forecasts<'_>, tasks: &[Option<Cost>]) -> Vec<Leaving> {
    let sizes = Known { plan, finder, forecasts, seen: RefCell::default() };
    let running =
        plan.by_stage().into_iter().map(|of_stage| of_stage.into_iter().filter(|task| tasks[*task].is_some()));
    running.enumerate().map(|(stage, tasks)| plan.leaving(stage, &tasks.collect::<Vec<_>>(), &sizes)).collect()
}

/// What is known of sizes once results were looked up.
struct Known<'a> {
    plan: &'a Plan,
    finder: &'a Finder,
    forecasts: &'a Forecasts<'a>,
    /// The sizes of sources elsewhere.
    seen: RefCell<HashMap<String, Option<u64>>>,
}

impl Sizes for Known<'_> {
    fn result(&self, task: usize) -> Option<u64> {
        let made = self.forecasts.made(task).map(|made| made.files.iter().map(|file| file.size).sum());
        made.or_else(|| self.finder.history().bytes(&self.plan.task(task).id.to_string()))
    }

    fn source(&self, uri: &str) -> Option<u64> {
        let remotes = self.plan.remotes.as_ref()?;
        let mut seen = self.seen.borrow_mut();
        *seen.entry(uri.to_owned()).or_insert_with(|| remotes.look(uri).ok().map(|stat| stat.size))
    }

    fn file(&self, _: &Path) -> Option<u64> {
        None
    }
}

/// For programs.
pub(crate) fn traffic(leaving: Leaving) -> Json {
    let Leaving { bytes, cost, unknown } = leaving;
    json!({ "bytes": bytes, "amount": dollars(cost), "unknown": unknown })
}

fn cost(plan: &Plan, finder: &Finder, task: &Task) -> Cost {
    let (settings, place) = (plan.settings(task), &plan.places[plan.stages[task.stage].backend]);
    let said = Said { expect: settings.expect, timeout: settings.timeout };
    let times = Times::of(finder.history(), &task.id.to_string(), said);
    let is_paid = place.capability.is_priced;
    let startup = place.startup(finder.history());
    let price = |time: Option<Duration>| match is_paid {
        true => place.cost(&settings.need(), time?, startup),
        false => Some(Usd(0)),
    };
    Cost {
        basis: times.map_or(Basis::Unknown, |times| times.basis),
        time: times.map(|times| times.usual),
        startup,
        is_paid,
        usual: price(times.map(|times| times.usual)),
        low: price(times.map(|times| times.shortest)),
        high: price(times.map(|times| times.longest)),
        most: price(settings.timeout),
    }
}

impl Cost {
    /// What it costs, in dollars; `?` where that is not known, and nothing where nobody pays.
    pub(crate) fn told(&self) -> String {
        match self.usual {
            _ if !self.is_paid => String::new(),
            Some(usual) => usual.to_string(),
            None => "?".to_owned(),
        }
    }

    /// From the least it may cost to the most.
    pub(crate) fn range(&self) -> String {
        match (self.low, self.high) {
            (Some(low), Some(high)) if self.is_paid && low != high => range(low, high),
            _ => String::new(),
        }
    }

    fn document(&self) -> Json {
        json!({
            "seconds": self.time.map(|time| time.as_secs_f64()),
            "startup_seconds": self.startup.as_secs_f64(),
            "basis": word(self.basis),
            "paid": self.is_paid,
            "amount": self.usual.map(dollars), "low": self.low.map(dollars), "high": self.high.map(dollars),
            "at_timeout": self.most.map(dollars),
        })
    }
}

/// How the time of a task is known, for people.
pub(crate) fn told(basis: Basis) -> String {
    match basis {
        Basis::Expected => "as it says".to_owned(),
        Basis::Measured(1) => "as last time".to_owned(),
        Basis::Measured(attempts) => format!("median of {attempts}"),
        Basis::Guess => "a guess: half its timeout".to_owned(),
        Basis::Unknown => "unknown".to_owned(),
    }
}

/// The same for programs.
pub(crate) fn word(basis: Basis) -> &'static str {
    match basis {
        Basis::Expected => "expect",
        Basis::Measured(_) => "history",
        Basis::Guess => "guess",
        Basis::Unknown => "unknown",
    }
}

impl Sum {
    fn add(&mut self, cost: &Cost) {
        self.tasks += 1;
        self.paid += u64::from(cost.is_paid);
        self.unknown += u64::from(cost.is_paid && cost.usual.is_none());
        self.guessed += u64::from(cost.is_paid && cost.basis == Basis::Guess);
        let amounts = [&mut self.usual, &mut self.low, &mut self.high, &mut self.most];
        for (sum, amount) in amounts.into_iter().zip([cost.usual, cost.low, cost.high, cost.most]) {
            sum.0 += amount.unwrap_or_default().0;
        }
    }

    /// What they cost: `free`, `0.34 USD`, `> 0.34 USD` when that is not known of all of them, `?` when of none.
    pub(crate) fn told(&self) -> String {
        match (self.paid, self.unknown) {
            (0, _) => "free".to_owned(),
            (_, 0) => self.usual.to_string(),
            (paid, unknown) if paid == unknown => "?".to_owned(),
            _ => format!("> {}", self.usual),
        }
    }

    pub(crate) fn range(&self) -> String {
        if self.low == self.high || self.paid == self.unknown { String::new() } else { range(self.low, self.high) }
    }

    fn document(&self) -> Json {
        json!({
            "count": self.tasks, "paid": self.paid, "unknown": self.unknown, "guessed": self.guessed,
            "amount": dollars(self.usual), "low": dollars(self.low), "high": dollars(self.high),
            "at_timeout": dollars(self.most),
        })
    }
}

fn range(low: Usd, high: Usd) -> String {
    format!("{} to {high}", low.to_string().trim_end_matches(" USD"))
}

pub(crate) fn dollars(amount: Usd) -> f64 {
    amount.0 as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost_of(usual: Option<u64>, low: u64, high: u64) -> Cost {
        let (low, high) = (usual.map(|_| Usd(low)), usual.map(|_| Usd(high)));
        Cost {
            basis: Basis::Guess,
            time: None,
            startup: Duration::ZERO,
            is_paid: true,
            usual: usual.map(Usd),
            low,
            high,
            most: high,
        }
    }

    #[test]
    fn what_is_not_known_of_every_task_is_told_as_such_and_never_as_free() {
        let sum = |costs: &[Cost]| {
            let mut sum = Sum::default();
            costs.iter().for_each(|cost| sum.add(cost));
            (sum.told(), sum.range())
        };
        let known = cost_of(Some(200_000), 100_000, 400_000);
        assert_eq!(sum(&[known, known]), ("0.40 USD".to_owned(), "0.20 to 0.80 USD".to_owned()));
        assert_eq!(sum(&[known, cost_of(None, 0, 0)]).0, "> 0.20 USD");
        assert_eq!(sum(&[cost_of(None, 0, 0)]), ("?".to_owned(), String::new()));
        assert_eq!(sum(&[]).0, "free");
    }
}
