//! A random graph of tasks, each with a fate, and what must become of it. The budgets here are the design's table,
//! written down a second time: this is the side the core is held against.

use pipe_engine::failure::{Class, Failure};
use pipe_engine::retry::Retry;
use pipe_engine::scheduler::{End, Limits, Node};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::time::Duration;

pub(super) const TIMEOUT: Duration = Duration::from_millis(1000);

/// What one try of a task does.
#[derive(Clone, Debug)]
pub(super) enum Try {
    Succeeds,
    Fails(Class),
    Hangs,
    CannotBePublished(Class),
}

impl Try {
    pub(super) fn class(&self) -> Option<Class> {
        match self {
            Self::Succeeds => None,
            Self::Hangs => Some(Class::Timeout),
            Self::Fails(class) | Self::CannotBePublished(class) => Some(*class),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) enum Fate {
    Hit,
    CannotBeLookedUp,
    /// One after another; the last is repeated for ever.
    Tries(Vec<Try>),
}

#[derive(Clone, Debug)]
pub(super) struct TaskCase {
    stage: usize,
    needs: Vec<usize>,
    cpu: u32,
    memory: u64,
    fate: Fate,
    failed: u32,
    timeouts: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) tasks: Vec<TaskCase>,
    cpu: u32,
    memory: u64,
    /// Decides delays and repeats.
    pub(super) seed: u64,
}

pub(super) struct Expected {
    pub(super) end: End,
    pub(super) tries: u32,
}

pub(super) fn room(cpu: u32, memory: u64) -> Limits {
    Limits { cpu, memory }
}

impl Case {
    pub(super) fn limits(&self) -> Limits {
        room(self.cpu, self.memory)
    }

    pub(super) fn nodes(&self) -> Vec<Node> {
        (0..self.tasks.len()).map(|place| self.node(place)).collect()
    }

    fn node(&self, place: usize) -> Node {
        let task = &self.tasks[place];
        let budgets = [(Class::Failed, task.failed), (Class::Timeout, task.timeouts)].into();
        Node {
            stage: task.stage,
            needs: self.needs(place).into_iter().collect(),
            cpu: task.cpu,
            memory: task.memory,
            retry: Retry { budgets, first: Duration::from_millis(10), longest: Duration::from_millis(80) },
            timeout: self.timeout(place),
        }
    }

    pub(super) fn timeout(&self, place: usize) -> Option<Duration> {
        let hangs =
            matches!(&self.tasks[place].fate, Fate::Tries(tries) if tries.iter().any(|t| matches!(t, Try::Hangs)));
        (hangs || place.is_multiple_of(2)).then_some(TIMEOUT)
    }

    /// Only tasks listed before, so there is no cycle.
    pub(super) fn needs(&self, place: usize) -> BTreeSet<usize> {
        self.tasks[place].needs.iter().filter(|_| place > 0).map(|seed| seed % place).collect()
    }

    /// Everything a task depends on, however far.
    pub(super) fn above(&self, place: usize) -> BTreeSet<usize> {
        let mut all = self.needs(place);
        for need in self.needs(place) {
            all.extend(self.above(need));
        }
        all
    }

    /// The number of tasks on the longest path that begins at each task.
    pub(super) fn ranks(&self) -> Vec<usize> {
        let mut ranks = vec![1; self.tasks.len()];
        for place in (0..ranks.len()).rev() {
            for need in self.needs(place) {
                ranks[need] = ranks[need].max(ranks[place] + 1);
            }
        }
        ranks
    }

    pub(super) fn fate(&self, place: usize) -> &Fate {
        &self.tasks[place].fate
    }

    /// Try `number` (from 1) of a task.
    pub(super) fn attempt(&self, place: usize, number: u32) -> &Try {
        let Fate::Tries(tries) = self.fate(place) else { panic!("task {place} must not start") };
        tries.get(number as usize - 1).unwrap_or(&tries[tries.len() - 1])
    }

    /// What room try `number` takes: more memory after each time there was too little, and never more than there is.
    pub(super) fn wanted(&self, place: usize, number: u32) -> (u32, u64) {
        let short = (1..number).filter(|n| self.attempt(place, *n).class() == Some(Class::OutOfMemory)).count();
        let task = &self.tasks[place];
        (task.cpu.min(self.cpu), (task.memory << short).min(self.memory))
    }

    /// What must become of each task when nobody cancels.
    pub(super) fn expected(&self) -> Vec<Expected> {
        let mut all: Vec<Expected> = Vec::new();
        for place in 0..self.tasks.len() {
            let inputs_are_there = self.needs(place).iter().all(|need| all[*need].end.has_result());
            all.push(if inputs_are_there { self.alone(place) } else { Expected { end: End::Skipped, tries: 0 } });
        }
        all
    }

    fn alone(&self, place: usize) -> Expected {
        match self.fate(place) {
            Fate::Hit => return Expected { end: End::Cached, tries: 0 },
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

    fn budget(&self, place: usize, class: Class) -> Option<u32> {
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

pub(super) fn failure(class: Class) -> Failure {
    Failure::of(class, "made_up", "made up")
}

pub(super) fn any_case() -> impl Strategy<Value = Case> {
    (vec(any_task(), 1..14), 1..6_u32, 1..9_u64, any::<u64>()).prop_map(|(tasks, cpu, memory, seed)| Case {
        tasks,
        cpu,
        memory,
        seed,
    })
}

fn any_task() -> impl Strategy<Value = TaskCase> {
    (0..4_usize, vec(0..1000_usize, 0..4), 1..8_u32, 0..12_u64, any_fate(), 0..3_u32, 0..2_u32).prop_map(
        |(stage, needs, cpu, memory, fate, failed, timeouts)| TaskCase {
            stage,
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
