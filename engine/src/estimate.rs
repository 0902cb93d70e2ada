//! A plan and how long its tasks usually take -> how long a run of it would. The core itself is asked: it is fed a
//! world in which every attempt takes as long as it usually does.

pub use crate::plan::{Basis, Said, Times};

use crate::event::RunLimit;
use crate::plan::{Experience, Plan};
use crate::scheduler::{Command, End, Found, Growth, Input, Limits, State, TaskIndex, step};
use crate::units::Usd;
use crate::world::Timestamp;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

/// What a run is expected to take and to cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// From the first start to the last end. Of tasks whose time is unknown nothing is in it.
    pub time: Duration,
    /// The same for the tasks of each stage, by the stage's place in the plan.
    pub stages: Vec<Duration>,
    /// How many tasks would run whose time is unknown.
    pub unknown: usize,
    /// What it costs.
    pub price: Price,
    /// What the tasks of each stage cost, by the stage's place in the plan.
    pub prices: Vec<Price>,
    /// How many tasks would not be begun, or not be reached, since the run's `max_cost` has no room for them.
    pub left: u64,
}

/// What a run is expected to cost. Tasks of this machine cost nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// What the tasks cost of which that is known.
    pub known: Usd,
    /// Tasks that run elsewhere.
    pub paid: usize,
    /// Those of them whose price or time is unknown.
    pub unknown: usize,
}

impl Price {
    /// The price of each stage's tasks.
    fn of(plan: &Plan, tasks: &[Expected], startups: &[Duration]) -> Vec<Self> {
        let mut prices = vec![Self::default(); plan.stages.len()];
        for (task, expected) in plan.tasks().zip(tasks).filter(|(_, expected)| **expected != Expected::Nothing) {
            let (stage, price) = (&plan.stages[task.stage], &mut prices[task.stage]);
            let place = &plan.places[stage.backend];
            if place.is_local() {
                continue;
            }
            price.paid += 1;
            let time = match expected {
                Expected::Time(time) => Some(*time),
                _ => None,
            };
            match time.and_then(|time| place.cost(&stage.settings.need(), time, startups[stage.backend])) {
                Some(amount) => price.known.0 += amount.0,
                None => price.unknown += 1,
            }
        }
        prices
    }

    fn and(self, other: &Self) -> Self {
        let known = Usd(self.known.0 + other.known.0);
        Self { known, paid: self.paid + other.paid, unknown: self.unknown + other.unknown }
    }
}

/// What is expected of one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Its result is there, or it does not run for another reason.
    Nothing,
    /// It runs for so long.
    Time(Duration),
    /// It runs, and nobody knows how long.
    Unknown,
}

/// Estimates a run on a machine with these limits, of what is expected of each task, by its place in the plan. What earlier runs
/// tell of places is how long their attempts wait before they begin.
pub fn estimate(plan: &Plan, limits: Limits, tasks: &[Expected], experience: &dyn Experience) -> Estimate {
    let unknown = tasks.iter().filter(|task| **task == Expected::Unknown).count();
    let startups: Vec<Duration> = plan.places.iter().map(|place| place.startup(experience)).collect();
    let (stages, prices) = (vec![Duration::ZERO; plan.stages.len()], Price::of(plan, tasks, &startups));
    let price = prices.iter().fold(Price::default(), Price::and);
    let mut estimate = Estimate { time: Duration::ZERO, stages, unknown, price, prices, left: 0 };
    // Without any time there is only the money to reckon with.
    let has_times = tasks.iter().any(|task| matches!(task, Expected::Time(_)));
    if !has_times && plan.around.max_cost.is_none() {
        return estimate;
    }
    let mut machine = Machine {
        plan,
        tasks,
        startups,
        state: State::new(Growth::of(plan, 0), limits),
        now: Timestamp(0),
        inputs: VecDeque::from([Input::Planned]),
        ends: BinaryHeap::new(),
        spans: vec![None; plan.stages.len()],
    };
    machine.run();
    estimate.time = machine.now.since(Timestamp(0));
    estimate.left = if machine.state.limit() == Some(RunLimit::Cost) { machine.left() } else { 0 };
    for (stage, (begin, end)) in estimate.stages.iter_mut().zip(machine.spans).filter_map(|(s, span)| Some((s, span?)))
    {
        *stage = end.since(begin);
    }
    estimate
}

/// A world in which nothing takes time but attempts.
struct Machine<'a> {
    plan: &'a Plan,
    tasks: &'a [Expected],
    /// How long an attempt waits at each place before its work begins.
    startups: Vec<Duration>,
    state: State,
    now: Timestamp,
    inputs: VecDeque<Input>,
    /// When attempts will end.
    ends: BinaryHeap<Reverse<(Timestamp, TaskIndex, u32)>>,
    /// When the first attempt of each stage began and its last one will end.
    spans: Vec<Option<(Timestamp, Timestamp)>>,
}

impl Machine<'_> {
    fn left(&self) -> u64 {
        let runs = |task: &usize| self.tasks[*task] != Expected::Nothing;
        let is_left = |task: &usize| !self.state.end_of(*task).is_some_and(End::has_result);
        (0..self.tasks.len()).filter(runs).filter(is_left).count() as u64
    }

    fn run(&mut self) {
        loop {
            while let Some(input) = self.inputs.pop_front() {
                for command in step(&mut self.state, self.now, input) {
                    self.carry_out(command);
                }
            }
            let Some(Reverse((time, task, number))) = self.ends.pop() else { return };
            self.now = time;
            self.inputs.push_back(Input::Ended(task, number, Ok(())));
        }
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Find(tasks) => {
                let expected = self.tasks;
                let runs = |task: TaskIndex| expected[task] != Expected::Nothing;
                let found = |task| Input::Found(task, if runs(task) { Found::Miss } else { Found::Hit });
                self.inputs.extend(tasks.into_iter().map(found));
            }
            Command::Start { task, number, .. } => {
                let startup = self.startups[self.plan.stages[self.plan.task(task).stage].backend];
                let end = match self.tasks[task] {
                    Expected::Time(time) => self.now.after(startup.saturating_add(time)),
                    Expected::Nothing | Expected::Unknown => self.now,
                };
                let span = &mut self.spans[self.plan.task(task).stage];
                let (begin, last) = span.unwrap_or((self.now, end));
                *span = Some((begin, last.max(end)));
                // Of a task that runs elsewhere the first is awaited, of one that runs here the second.
                self.inputs.extend([Input::Described(task, number), Input::Started(task, number)]);
                self.ends.push(Reverse((end, task, number)));
            }
            Command::Publish(task) => self.inputs.push_back(Input::Published(task, Ok(()))),
            // What rows nobody knows will lead to cannot be estimated.
            Command::Expand(_) => {}
            Command::Journal(_) | Command::Submit(..) | Command::Stop(..) | Command::WakeAt(_) | Command::Finish(_) => {
            }
        }
    }
}
