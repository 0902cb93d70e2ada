//! Forecasts and what earlier runs tell -> how long a run would take and what it would cost, in numbers and in words.

use crate::forecast::{Forecast, Forecasts};
use crate::words::{about, bytes, count, roughly};
use pipe_engine::estimate::{Estimate, Expected, Price, estimate};
use pipe_engine::lookup::Finder;
use pipe_engine::plan::Plan;
use pipe_engine::scheduler::Limits;
use pipe_engine::state::Used;
use serde_json::{Value as Json, json};
use std::time::Duration;

/// What a run is expected to take, on a machine with these limits.
pub(crate) struct Outlook {
    estimate: Estimate,
    limits: Limits,
    /// What is counted of each stage.
    stages: Vec<Tasks>,
    /// What attempts of each stage used so far, by its place in the plan.
    used: Vec<Option<Used>>,
    /// Whether all that is counted is sure to run.
    sure: bool,
    /// Stages whose tasks are not known yet, as `` `clips` ``.
    unseen: Vec<String>,
}

/// How many tasks would run, or may, and of how many of them the time is unknown.
#[derive(Clone, Copy, Default)]
struct Tasks {
    running: u64,
    unknown: u64,
}

impl Outlook {
    /// Of tasks that depend on others it is taken that they run. None when there is nothing to do; then the journal is
    /// not even opened.
    pub(crate) fn of(plan: &Plan, finder: &Finder, forecasts: &Forecasts<'_>, limits: Limits) -> Option<Self> {
        let expected = |task: usize| match forecasts.task(task) {
            Forecast::Hit(..) | Forecast::Skip(_) | Forecast::Failed(_) | Forecast::Out => Expected::Nothing,
            Forecast::Run(..) | Forecast::DependsOn(_) => {
                let task = plan.task(task);
                let usual = finder.history().usual(&task.id).or(plan.settings(task).expect);
                usual.map_or(Expected::Unknown, Expected::Time)
            }
        };
        let expected: Vec<Expected> = (0..plan.len()).map(expected).collect();
        let mut stages = vec![Tasks::default(); plan.stages.len()];
        for (task, expected) in plan.tasks().zip(&expected) {
            let tasks = &mut stages[task.stage];
            tasks.running += u64::from(*expected != Expected::Nothing);
            tasks.unknown += u64::from(*expected == Expected::Unknown);
        }
        if stages.iter().all(|tasks| tasks.running == 0) {
            return None;
        }
        let depends = |task: usize| matches!(forecasts.task(task), Forecast::DependsOn(_));
        let sure = !(0..plan.len()).any(depends);
        let unseen = plan.waiting().map(|(stage, _)| format!("`{}`", plan.stages[stage].name)).collect();
        let known = finder.history().used();
        let used = plan.stages.iter().map(|stage| known.get(stage.name.as_str()).copied()).collect();
        Some(Self { estimate: estimate(plan, limits, &expected, finder.history()), limits, stages, used, sure, unseen })
    }

    /// The time of one stage: `45 s`, `> 45 s` when it is not known of every task, `?` when of none.
    pub(crate) fn of_stage(&self, place: usize) -> String {
        told(self.estimate.stages[place], self.stages[place]).unwrap_or_default()
    }

    /// The price of one stage, as its time is told; empty for one that costs nothing.
    pub(crate) fn price_of_stage(&self, place: usize) -> String {
        match self.estimate.prices[place] {
            Price { paid: 0, .. } => String::new(),
            Price { known, unknown: 0, .. } => known.to_string(),
            Price { paid, unknown, .. } if paid == unknown => "?".to_owned(),
            Price { known, .. } => format!("> {known}"),
        }
    }

    /// The most memory that an attempt of a stage was seen to hold; empty where nothing is known.
    pub(crate) fn memory_of_stage(&self, place: usize) -> String {
        self.used[place].map_or_else(String::new, |used| bytes(used.memory))
    }

    /// What attempts of a stage used.
    pub(crate) fn used_of_stage(&self, place: usize) -> Option<Json> {
        self.used[place].map(|used| json!({ "cpu_mean": used.cpu(), "memory_peak": used.memory }))
    }

    /// Stages to run here whose reservation differs from what they need or can get.
    pub(crate) fn notes(&self, plan: &Plan) -> Vec<String> {
        let running = plan.stages.iter().enumerate().filter(|(place, _)| self.stages[*place].running > 0);
        let here = running.filter(|(_, stage)| plan.places[stage.backend].is_local());
        let notes = here.flat_map(|(place, stage)| {
            let (name, reserved, asked) =
                (&stage.name, stage.settings.memory.0, stage.settings.disk.map_or(0, |disk| disk.0));
            let more = self.used[place].filter(|used| used.memory > reserved).map(|used| {
                let (held, kept) = (bytes(used.memory), bytes(reserved));
                format!("`{name}` was seen to hold {held} of memory and reserves {kept}: `resources.memory` can say so")
            });
            let free = self.limits.disk;
            let less = (asked > free).then(|| {
                let (asked, free) = (bytes(asked), bytes(free));
                format!(
                    "`{name}` asks for {asked} of disk and {free} are free: no other that asks for disk runs beside it"
                )
            });
            more.into_iter().chain(less)
        });
        notes.collect()
    }

    /// `about 2 min on 2 CPUs`.
    pub(crate) fn time(&self) -> String {
        let all = self.all();
        let cpus = count(self.limits.cpu.into(), "CPU");
        let mut time = match all.unknown {
            0 => format!("{} on {cpus}", about(self.estimate.time)),
            unknown if unknown == all.running => return "unknown, since nothing like it has run here".to_owned(),
            unknown => {
                let tasks = count(unknown, "task");
                format!("{} on {cpus} and what {tasks} will take that never ran here", about(self.estimate.time))
            }
        };
        if !self.sure {
            time += ", if all of it runs";
        }
        if !self.unseen.is_empty() {
            time += &format!(", without {}", self.unseen.join(" and "));
        }
        time
    }

    /// `free, since all of it runs on this machine`, or `about 0.16 USD`.
    pub(crate) fn price(&self) -> String {
        let Price { known, paid, unknown } = self.estimate.price;
        match unknown {
            _ if paid == 0 => "free, since all of it runs on this machine".to_owned(),
            0 => format!("about {known}"),
            all if all == paid => "unknown: no price is known, or nobody knows how long it takes".to_owned(),
            some => format!("about {known}, and what {} cost of unknown price", count(some as u64, "task")),
        }
    }

    /// How many tasks the run's `max_cost` has no room for, if there are any.
    pub(crate) fn left(&self) -> Option<u64> {
        (self.estimate.left > 0).then_some(self.estimate.left)
    }

    pub(crate) fn document(&self) -> Json {
        let all = self.all();
        let price = price_document(self.estimate.price);
        json!({
            "seconds": (all.unknown < all.running).then_some(self.estimate.time.as_secs_f64()),
            "tasks": all.running, "unknown_tasks": all.unknown, "cpus": self.limits.cpu, "price": price,
        })
    }

    /// The price of one stage.
    pub(crate) fn price_document_of(&self, place: usize) -> Json {
        price_document(self.estimate.prices[place])
    }

    /// The seconds of one stage, where they are known.
    pub(crate) fn seconds_of_stage(&self, place: usize) -> Option<f64> {
        let Tasks { running, unknown } = self.stages[place];
        (unknown < running).then_some(self.estimate.stages[place].as_secs_f64())
    }

    fn all(&self) -> Tasks {
        let add = |sum: Tasks, next: &Tasks| Tasks {
            running: sum.running + next.running,
            unknown: sum.unknown + next.unknown,
        };
        self.stages.iter().fold(Tasks::default(), add)
    }
}

fn price_document(price: Price) -> Json {
    let Price { known, paid, unknown } = price;
    let amount = (unknown < paid || paid == 0).then_some(known.0 as f64 / 1e6);
    json!({ "amount": amount, "currency": "USD", "paid_tasks": paid, "unknown_tasks": unknown })
}

fn told(time: Duration, tasks: Tasks) -> Option<String> {
    match tasks {
        Tasks { running: 0, .. } => None,
        Tasks { unknown: 0, .. } => Some(roughly(time)),
        Tasks { running, unknown } if running == unknown => Some("?".to_owned()),
        _ => Some(format!("> {}", roughly(time))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_of_every_task_is_told_as_such() {
        let time = |running, unknown| told(Duration::from_secs(45), Tasks { running, unknown });
        assert_eq!(
            [time(0, 0), time(3, 0), time(3, 1), time(3, 3)].map(Option::unwrap_or_default),
            ["", "45 s", "> 45 s", "?"]
        );
    }
}
