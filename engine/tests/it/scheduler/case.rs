//! A random graph of tasks, each with a fate, and what must become of it. Its later parts are not known before a stage of
//! the part before has ended, as those of a plan with `foreach`. The budgets here are the design's table,
//! written down a second time: this is the side the core is held against.

use pipe_engine::failure::{Class, Failure};
use pipe_engine::plan::{Follow, Part};
use pipe_engine::retry::Retry;
use pipe_engine::scheduler::{Charge, End, Expand, Growth, Limits, Node, Rules, Waiting};
use pipe_engine::units::Usd;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

pub(crate) const TIMEOUT: Duration = Duration::from_millis(1000);

/// The first rest before a task is tried again, and the longest.
pub(crate) const RESTS: Range<Duration> = Duration::from_millis(10)..Duration::from_millis(80);

/// What one try of a task does.
#[derive(Clone, Debug)]
pub(crate) enum Try {
    Succeeds,
    Fails(Class),
    Hangs,
    CannotBePublished(Class),
}

impl Try {
    pub(crate) fn class(&self) -> Option<Class> {
        match self {
            Self::Succeeds => None,
            Self::Hangs => Some(Class::Timeout),
            Self::Fails(class) | Self::CannotBePublished(class) => Some(*class),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Fate {
    Hit,
    /// Its `when` is false.
    Unwanted,
    CannotBeLookedUp,
    /// One after another; the last is repeated for ever.
    Tries(Vec<Try>),
}

#[derive(Clone, Debug)]
pub(crate) struct TaskCase {
    part: usize,
    stage: usize,
    follow: Follow,
    needs: Vec<usize>,
    cpu: u32,
    memory: u64,
    fate: Fate,
    failed: u32,
    timeouts: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) tasks: Vec<TaskCase>,
    cpu: u32,
    memory: u64,
    /// Decides delays and repeats.
    pub(crate) seed: u64,
    /// Which stage of the part before makes the rows of a part.
    sources: Vec<usize>,
    /// Whether a part can be planned: always, without rows only, never.
    plans: Vec<Plans>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plans {
    Always,
    WithoutRows,
    Never,
}

/// How many tasks may draw from each pool at once.
pub(crate) const POOLS: [u32; 2] = [1, 2];

/// Stages are numbered through all parts.
const STAGES: usize = 4;

/// What must become of a case: of each task that there is, and of each stage that never has any.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) tasks: BTreeMap<usize, Expected>,
    pub(crate) stages: BTreeMap<usize, End>,
    /// Tasks and stages without a result, and whether a failure is why.
    lacking: BTreeMap<usize, bool>,
    stages_lacking: BTreeMap<usize, bool>,
}

/// The name of a result: the task's place, and the places of the inputs that it is made of. What is made without one of
/// them is another result.
pub(crate) type Key = (usize, Vec<usize>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) end: End,
    pub(crate) tries: u32,
}

pub(crate) fn room(cpu: u32, memory: u64) -> Limits {
    Limits { cpu, memory, ..Limits::default() }
}

impl Case {
    /// The case that a number stands for.
    pub(crate) fn of_seed(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let numbers = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(Config::default(), numbers);
        any_case().new_tree(&mut runner).expect("nothing is filtered out").current()
    }

    pub(crate) fn limits(&self) -> Limits {
        room(self.cpu, self.memory)
    }

    /// The first part of the plan.
    pub(crate) fn beginning(&self) -> (Vec<usize>, Growth) {
        self.growth(0, true, &[])
    }

    /// The part of the plan that the rows of a stage lead to: the places of its tasks, in their order, and what of it is
    /// new to the core. `made`: the places of the tasks there are.
    pub(crate) fn growth(&self, part: usize, with_rows: bool, made: &[usize]) -> (Vec<usize>, Growth) {
        let is_there = |place: &usize| with_rows || !self.is_spread(self.tasks[*place].stage);
        let places: Vec<usize> = self.part(part).filter(is_there).collect();
        let all: Vec<usize> = made.iter().chain(&places).copied().collect();
        let later = (part + 1..self.parts()).flat_map(|later| self.stages(later));
        let waiting = later.map(|stage| Waiting { stage, source: self.source(part + 1) });
        let growth = Growth {
            pools: POOLS.to_vec(),
            nodes: places.iter().map(|place| self.node(*place, &all)).collect(),
            waiting: waiting.collect(),
            max_cost: None,
        };
        (places, growth)
    }

    /// The answer to a question of the core, and the part it is about.
    pub(crate) fn answer(&self, question: Expand, made: &[usize]) -> Option<(Vec<usize>, Growth)> {
        let part = question.source / STAGES + 1;
        match (self.plans[part], question.with_rows) {
            (Plans::Always, _) | (Plans::WithoutRows, false) => Some(self.growth(part, question.with_rows, made)),
            _ => None,
        }
    }

    /// The places of the tasks of a stage.
    pub(crate) fn of_stage(&self, stage: usize) -> impl Iterator<Item = usize> {
        (0..self.tasks.len()).filter(move |place| self.tasks[*place].stage == stage)
    }

    fn parts(&self) -> usize {
        self.tasks.last().map_or(1, |task| task.part + 1)
    }

    fn part(&self, part: usize) -> impl Iterator<Item = usize> {
        (0..self.tasks.len()).filter(move |place| self.tasks[*place].part == part)
    }

    fn stages(&self, part: usize) -> BTreeSet<usize> {
        self.part(part).map(|place| self.tasks[place].stage).collect()
    }

    /// The stage whose rows lead to a part.
    fn source(&self, part: usize) -> usize {
        let stages = self.stages(part - 1);
        stages.iter().copied().nth(self.sources[part] % stages.len()).unwrap()
    }

    /// Whether a stage has no tasks without rows. The first of a part has none: the others wait for it, or are spread too.
    fn is_spread(&self, stage: usize) -> bool {
        stage.is_multiple_of(2) || self.stages(stage / STAGES).first() == Some(&stage)
    }

    fn node(&self, place: usize, made: &[usize]) -> Node {
        let task = &self.tasks[place];
        let budgets = [(Class::Failed, task.failed), (Class::Timeout, task.timeouts)].into();
        let index = |need: &usize| made.iter().position(|made| made == need);
        let bare = self.needs(place).into_iter().filter(|need| index(need).is_none());
        Node {
            stage: task.stage,
            needs: self.needs(place).iter().filter_map(index).collect(),
            bare: bare.map(|need| self.tasks[need].stage).collect(),
            part: Part::Wanted,
            rules: Arc::new(Rules {
                follow: task.follow,
                elsewhere: self.elsewhere(place),
                takes: room(task.cpu, task.memory),
                pools: self.pools(place),
                priority: self.priority(place),
                retry: Retry { budgets, first: RESTS.start, longest: RESTS.end },
                timeout: self.timeout(place),
                spot: self.spot(place),
                charges: self.charges(place, false),
                spot_charges: if self.spot(place).is_some() { self.charges(place, true) } else { Vec::new() },
                ..plain_rules()
            }),
        }
    }

    pub(crate) fn follow(&self, place: usize) -> Follow {
        self.tasks[place].follow
    }

    /// The pools a task draws from, and its priority: of some cases none, and that of all the same.
    pub(crate) fn pools(&self, place: usize) -> Vec<usize> {
        let drawn: &[usize] = match (self.seed % 2, self.tasks[place].stage % 4) {
            (0, 1) => &[0],
            (0, 2) => &[1],
            (0, 3) => &[0, 1],
            _ => &[],
        };
        drawn.to_vec()
    }

    /// Whether a task runs elsewhere: in one case of three some do, in one of nine all.
    pub(crate) fn elsewhere(&self, place: usize) -> bool {
        match self.seed / 6 % 9 {
            0..3 => self.tasks[place].stage.is_multiple_of(2),
            3 => true,
            _ => false,
        }
    }

    /// After how many machines of a task that were taken away the next one stays, if they may be taken away.
    pub(crate) fn spot(&self, place: usize) -> Option<u32> {
        let most = (self.seed / 18 + place as u64) % 3;
        (self.elsewhere(place) && most > 0).then_some(most as u32)
    }

    /// What a task costs that runs elsewhere: of some nothing, of some nobody knows, and of what has no end neither. A machine
    /// that can be taken away costs half.
    pub(crate) fn charges(&self, place: usize, spot: bool) -> Vec<Option<Charge>> {
        let dear = (self.seed / 54 + place as u64) % 5;
        if !self.elsewhere(place) || dear == 0 {
            return Vec::new();
        }
        let charge = |times: u32| {
            let most = (dear * if spot { 50 } else { 100 }) << times;
            (dear > 1 && self.timeout(place).is_some()).then_some(Charge { most: Usd(most), least: Usd(most / 50) })
        };
        // Its memory is doubled once at most.
        vec![charge(0), charge(1)]
    }

    pub(crate) fn priority(&self, place: usize) -> i32 {
        if self.seed.is_multiple_of(3) { place as i32 % 3 - 1 } else { 0 }
    }

    pub(crate) fn timeout(&self, place: usize) -> Option<Duration> {
        let hangs =
            matches!(&self.tasks[place].fate, Fate::Tries(tries) if tries.iter().any(|t| matches!(t, Try::Hangs)));
        (hangs || place.is_multiple_of(2)).then_some(TIMEOUT)
    }

    /// Only tasks listed before, so there is no cycle.
    pub(crate) fn needs(&self, place: usize) -> BTreeSet<usize> {
        self.tasks[place].needs.iter().filter(|_| place > 0).map(|seed| seed % place).collect()
    }

    /// Everything a task depends on, however far: what it needs, and what makes the rows of its part.
    pub(crate) fn above(&self, place: usize) -> BTreeSet<usize> {
        let mut next = self.needs(place);
        for part in 1..=self.tasks[place].part {
            let source = self.source(part);
            next.extend(self.of_stage(source));
        }
        let mut all = next.clone();
        for need in next {
            all.extend(self.above(need));
        }
        all
    }

    /// The number of tasks on the longest path that begins at each task there is.
    pub(crate) fn ranks(&self, made: &[usize]) -> BTreeMap<usize, usize> {
        let mut ranks: BTreeMap<usize, usize> = made.iter().map(|place| (*place, 1)).collect();
        for place in made.iter().rev() {
            let longer = ranks[place] + 1;
            for need in self.needs(*place) {
                ranks.entry(need).and_modify(|rank| *rank = longer.max(*rank));
            }
        }
        ranks
    }

    pub(crate) fn fate(&self, place: usize) -> &Fate {
        &self.tasks[place].fate
    }

    /// Try `number` (from 1) of a task.
    pub(crate) fn attempt(&self, place: usize, number: u32) -> &Try {
        let Fate::Tries(tries) = self.fate(place) else { panic!("task {place} must not start") };
        tries.get(number as usize - 1).unwrap_or(&tries[tries.len() - 1])
    }

    /// What room a task takes here that has run short of memory so often: more each time, and never more than there is.
    pub(crate) fn wanted(&self, place: usize, short: usize) -> (u32, u64) {
        if self.elsewhere(place) {
            return (0, 0);
        }
        (self.tasks[place].cpu.min(self.cpu), self.memory(place, short))
    }

    /// The memory it is given.
    pub(crate) fn memory(&self, place: usize, short: usize) -> u64 {
        let wanted = self.tasks[place].memory << short;
        if self.elsewhere(place) { wanted } else { wanted.min(self.memory) }
    }

    /// What must become of each task and stage when nobody cancels and the store has these results.
    pub(crate) fn expected(&self, filed: &BTreeSet<Key>) -> Outcome {
        let mut outcome = Outcome::default();
        for part in 0..self.parts() {
            let with_rows = part == 0 || self.has_rows(part, &mut outcome);
            if !with_rows && !self.without_rows(part, &mut outcome) {
                return outcome;
            }
            for place in self.part(part).filter(|place| with_rows || !self.is_spread(self.tasks[*place].stage)) {
                let (expected, lacking) = self.expected_of(place, &outcome, filed);
                outcome.tasks.insert(place, expected);
                outcome.lacking.extend(lacking.map(|failed| (place, failed)));
            }
        }
        outcome
    }

    /// Whether there are rows for a part and tasks can be made of them. When they cannot, its first stage has failed.
    fn has_rows(&self, part: usize, outcome: &mut Outcome) -> bool {
        if self.source_lacks(part, outcome).is_some() {
            return false;
        }
        if self.plans[part] == Plans::Always {
            return true;
        }
        let first = self.stages(part).into_iter().next().unwrap();
        outcome.stages.insert(first, End::Failed);
        outcome.stages_lacking.insert(first, true);
        false
    }

    /// Skips the stages that are nothing without rows. Returns whether the part can be planned like this.
    fn without_rows(&self, part: usize, outcome: &mut Outcome) -> bool {
        // When it is not for the source, it is for the first stage, which has failed.
        let failed = self.source_lacks(part, outcome).unwrap_or(true);
        let can = self.plans[part] != Plans::Never;
        let last = if can { part } else { self.parts() - 1 };
        for stage in (part..=last).flat_map(|part| self.stages(part)).filter(|stage| !can || self.is_spread(*stage)) {
            outcome.stages.entry(stage).or_insert(End::Skipped);
            outcome.stages_lacking.entry(stage).or_insert(failed);
        }
        can
    }

    fn source_lacks(&self, part: usize, outcome: &Outcome) -> Option<bool> {
        let source = self.source(part);
        let tasks = self.part(part - 1).filter(|place| self.tasks[*place].stage == source);
        let lacking = tasks.filter_map(|place| outcome.lacking.get(&place).copied());
        lacking.chain(outcome.stages_lacking.get(&source).copied()).reduce(|a, b| a || b)
    }

    /// How a task ends, and, when that gives no result, whether a failure is why.
    fn expected_of(&self, place: usize, outcome: &Outcome, filed: &BTreeSet<Key>) -> (Expected, Option<bool>) {
        let lacks = |need: &usize| {
            let stage = outcome.stages_lacking.get(&self.tasks[*need].stage).copied();
            outcome.lacking.get(need).copied().or(stage.filter(|_| !outcome.tasks.contains_key(need)))
        };
        let lacking = self.needs(place).iter().filter_map(lacks).reduce(|a, b| a || b);
        let skipped = Expected { end: End::Skipped, tries: 0 };
        match (self.follow(place), lacking) {
            (Follow::Success, Some(failed)) => return (skipped, Some(failed)),
            (Follow::Failure, None | Some(false)) => return (skipped, Some(false)),
            _ => {}
        }
        let there = self.needs(place).into_iter().filter(|need| lacks(need).is_none()).collect();
        if filed.contains(&(place, there)) {
            return (Expected { end: End::Cached, tries: 0 }, None);
        }
        let alone = self.alone(place);
        (alone, (!alone.end.has_result()).then_some(alone.end == End::Failed))
    }

    fn alone(&self, place: usize) -> Expected {
        match self.fate(place) {
            Fate::Hit => return Expected { end: End::Cached, tries: 0 },
            Fate::Unwanted => return Expected { end: End::Skipped, tries: 0 },
            Fate::CannotBeLookedUp => return Expected { end: End::Failed, tries: 0 },
            Fate::Tries(_) => {}
        }
        let mut failures = Vec::new();
        for number in 1.. {
            let Some(class) = self.attempt(place, number).class() else {
                return Expected { end: End::Succeeded, tries: number };
            };
            failures.push(class);
            let used = failures.iter().filter(|c| **c == class).count();
            if self.budget(place, class).is_some_and(|budget| used > budget as usize) {
                return Expected { end: End::Failed, tries: number };
            }
        }
        unreachable!("the last try of a fate has a budget, or succeeds")
    }

    /// How often a task may be tried again after failures of a class.
    pub(crate) fn budget(&self, place: usize, class: Class) -> Option<u32> {
        match class {
            Class::Transient => Some(5),
            Class::Throttled | Class::Capacity => None,
            Class::Preempted => Some(10),
            Class::Stalled | Class::OutOfMemory => Some(1),
            Class::OutOfDisk => Some(0),
            Class::Timeout => Some(self.tasks[place].timeouts),
            Class::Failed => Some(self.tasks[place].failed),
        }
    }
}

pub(crate) fn failure(class: Class) -> Failure {
    Failure::of(class, "made_up", "made up")
}

pub(crate) fn any_case() -> impl Strategy<Value = Case> {
    let plans = proptest::sample::select(vec![Plans::Always, Plans::Always, Plans::WithoutRows, Plans::Never]);
    let parts = (vec(0..STAGES, PARTS), vec(plans, PARTS));
    (vec(any_task(), 1..14), 1..6_u32, 1..9_u64, any::<u64>(), parts).prop_map(
        |(tasks, cpu, memory, seed, (sources, plans))| {
            let tasks = in_parts(tasks);
            Case { tasks, cpu, memory, seed, sources, plans }
        },
    )
}

/// The tasks of each part after those of the parts before, no part empty.
fn in_parts(mut tasks: Vec<TaskCase>) -> Vec<TaskCase> {
    let parts: BTreeSet<usize> = tasks.iter().map(|task| task.part).collect();
    for task in &mut tasks {
        task.part = parts.range(..task.part).count();
        task.stage += task.part * STAGES;
    }
    tasks.sort_by_key(|task| task.part);
    tasks
}

const PARTS: usize = 3;

fn any_task() -> impl Strategy<Value = TaskCase> {
    let follow = prop_oneof![5 => Just(Follow::Success), 1 => Just(Follow::Always), 1 => Just(Follow::Failure)];
    let part = prop_oneof![3 => Just(0), 2 => 1..PARTS];
    let place = (part, 0..STAGES, follow, vec(0..1000_usize, 0..4));
    (place, 1..8_u32, 0..12_u64, any_fate(), 0..3_u32, 0..2_u32).prop_map(
        |((part, stage, follow, needs), cpu, memory, fate, failed, timeouts)| TaskCase {
            part,
            stage,
            follow,
            needs,
            cpu,
            memory,
            fate,
            failed,
            timeouts,
        },
    )
}

fn any_fate() -> impl Strategy<Value = Fate> {
    let tries = (vec(any_try(true), 0..5), prop_oneof![4 => Just(Try::Succeeds), 1 => any_try(false)]);
    prop_oneof![
        2 => Just(Fate::Hit),
        1 => Just(Fate::Unwanted),
        1 => Just(Fate::CannotBeLookedUp),
        12 => tries.prop_map(|(mut tries, last)| {
            tries.push(last);
            Fate::Tries(tries)
        }),
    ]
}

/// Classes without a budget are tried again for ever, so they must not come last.
fn any_try(with_endless: bool) -> impl Strategy<Value = Try> {
    let mut classes = vec![
        Class::Transient,
        Class::Preempted,
        Class::Timeout,
        Class::Stalled,
        Class::OutOfMemory,
        Class::OutOfDisk,
        Class::Failed,
    ];
    if with_endless {
        classes.extend([Class::Throttled, Class::Capacity]);
    }
    let class = proptest::sample::select(classes);
    prop_oneof![
        3 => Just(Try::Succeeds),
        4 => class.clone().prop_map(Try::Fails),
        1 => Just(Try::Hangs),
        1 => class.prop_map(Try::CannotBePublished),
    ]
}

/// Rules of a stage that asks for nothing in particular.
pub(crate) fn plain_rules() -> Rules {
    Rules {
        follow: Follow::Success,
        elsewhere: false,
        takes: room(1, 1),
        pools: Vec::new(),
        priority: 0,
        retry: Retry::default(),
        timeout: None,
        task_timeout: None,
        silence: None,
        spot: None,
        charges: Vec::new(),
        spot_charges: Vec::new(),
    }
}
