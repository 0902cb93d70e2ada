//! One life of the engine: carries out what the core orders, in made-up time, on a disk that outlives it. What must hold
//! at every moment is checked on the way, by `world/watch.rs`.

mod act;
mod afar;
mod disk;
mod jobs;
mod money;
mod trace;
mod trouble;
mod watch;

pub(crate) use disk::{Disk, Journal};
pub(crate) use trace::Trace;
pub(crate) use trouble::{Kill, Trouble};

use super::case::{Case, Key};
use super::dice::Dice;
use afar::{Afar, Call};
use disk::Name;
use pipe_engine::event::Counts;
use pipe_engine::failure::Class;
use pipe_engine::scheduler::{End, Growth, Input, State, Stop, TaskIndex, step};
use pipe_engine::units::Usd;
use pipe_engine::world::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;
use watch::Watch;

/// More moments than any case of this size can need: a run that is longer goes round in circles.
const LONGEST: usize = 40_000;

/// What a full disk has left.
const LEFT: u64 = 7;

/// How late a wake-up may come, in milliseconds.
const LATE: u64 = 3;

/// Something that comes to pass.
#[derive(Clone, Debug)]
enum Event {
    /// The core hears of something.
    Heard(Input),
    /// An attempt is over: it did its work, or failed.
    Over(usize, u32, Result<(), Class>),
    /// A result is put in the store.
    Filed(usize),
    /// A group of records is durable, and the journal has this size.
    Committed(usize),
    /// Whoever follows an attempt elsewhere calls its backend.
    Call(usize, u32, Call),
    /// Somebody ends what an earlier life had left of an attempt.
    Settle(Name),
    Killed,
    /// The journal cannot be written any more.
    Broken,
}

/// How a life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Finished,
    Killed,
    /// The journal broke.
    Broken,
}

/// Tasks are named by their places in the case, and only to the core by their places in its plan.
pub(crate) struct World<'a> {
    case: &'a Case,
    state: State,
    /// The tasks there are, in the order the core knows them.
    pub(crate) made: Vec<usize>,
    /// What the plan grew by, and how many records there were before.
    pub(crate) growths: Vec<(usize, Growth)>,
    began: u64,
    now: u64,
    dice: Dice,
    /// What will happen, by time and then in no particular order.
    queue: BTreeMap<(u64, u64), Event>,
    wakes: BTreeSet<u64>,
    /// Inputs that were delivered and may come a second time at any later moment.
    past: Vec<Input>,
    trouble: Trouble,
    trace: Trace,
    /// Commands carried out.
    commands: u64,
    pub(crate) disk: Disk,
    /// What was in the store when it began.
    before: BTreeSet<Key>,
    pub(crate) journal: Journal,
    afar: Afar,
    watch: Watch,
    pub(crate) finished: Option<Counts>,
    ending: Option<Ending>,
    /// Whether the core was told that the journal's disk is full.
    is_held_up: bool,
}

impl<'a> World<'a> {
    pub(crate) fn new(case: &'a Case) -> Self {
        let (made, beginning) = case.beginning();
        Self {
            case,
            state: State::new(beginning, case.limits()),
            watch: Watch::of(case, &made),
            made,
            growths: Vec::new(),
            began: 1000,
            now: 1000,
            dice: Dice::of(case.seed),
            queue: BTreeMap::new(),
            wakes: BTreeSet::new(),
            past: Vec::new(),
            trouble: Trouble::default(),
            trace: Trace::default(),
            commands: 0,
            disk: Disk::default(),
            before: BTreeSet::new(),
            afar: Afar::default(),
            journal: Journal::default(),
            finished: None,
            ending: None,
            is_held_up: false,
        }
    }

    /// What an earlier life left.
    pub(crate) fn on(mut self, disk: Disk) -> Self {
        self.before.clone_from(&disk.filed);
        self.afar = Afar::of(disk.open.clone());
        self.began += disk.clock;
        self.now = self.began;
        self.disk = disk;
        self
    }

    pub(crate) fn failing_fast(self) -> Self {
        let trouble = Trouble { fail_fast: true, ..self.trouble.clone() };
        self.in_trouble(trouble)
    }

    pub(crate) fn cancelled_after(mut self, moments: usize, how: Stop) -> Self {
        self.trouble.cancel = Some((moments, how));
        self
    }

    /// A run that is stopped when it takes longer.
    pub(crate) fn within(self, longest: Duration) -> Self {
        let trouble = Trouble { within: Some(longest), ..self.trouble.clone() };
        self.in_trouble(trouble)
    }

    /// A run that may cost so many millionths of a dollar.
    pub(crate) fn costing(self, most: u64) -> Self {
        let trouble = Trouble { max_cost: Some(most), ..self.trouble.clone() };
        self.in_trouble(trouble)
    }

    pub(crate) fn in_trouble(mut self, trouble: Trouble) -> Self {
        let max_cost = trouble.max_cost.map(Usd);
        self.state = State::new(Growth { max_cost, ..self.case.beginning().1 }, self.case.limits());
        self.state = if trouble.fail_fast { self.state.failing_fast() } else { self.state };
        self.state = self.state.within(trouble.within);
        self.watch.ends_at = trouble.within.map(|longest| self.began + longest.as_millis() as u64);
        self.trouble = trouble;
        self
    }

    /// Other delays than those of another life.
    pub(crate) fn rolling(mut self, dice: Dice) -> Self {
        self.dice = dice;
        self
    }

    pub(crate) fn traced(mut self, trace: &Trace) -> Self {
        self.trace = trace.clone();
        self
    }

    /// Lives to the end and checks that the records tell the whole of it.
    pub(crate) fn run(mut self) -> Self {
        if let Some(Kill::At(after)) = self.trouble.kill {
            self.queue.insert((self.began + after, 0), Event::Killed);
        }
        if let Some(after) = self.trouble.broken {
            self.queue.insert((self.began + after, 1), Event::Broken);
        }
        self.after(0, Event::Heard(Input::Planned));
        for moment in 0..LONGEST {
            if self.is_done() {
                self.ending = Some(Ending::Finished);
            }
            if let Some(ending) = self.ending {
                self.trace.line(format_args!("{} {ending:?}", self.now));
                self.check_end(ending);
                self.disk.clock = self.now;
                return self;
            }
            match self.trouble.cancel.filter(|_| self.finished.is_none()) {
                Some((at, how)) if at == moment => self.deliver(Input::Cancel(how)),
                // Whoever asked gently and sees nothing happen asks again.
                Some((at, Stop::Gently)) if at + 9 == moment => self.deliver(Input::Cancel(Stop::Now)),
                _ => {
                    let next = self.next();
                    self.come_to_pass(next);
                }
            }
        }
        panic!("no end after {LONGEST} moments");
    }

    pub(crate) fn ending(&self) -> Option<Ending> {
        self.ending
    }

    pub(crate) fn ends(&self) -> BTreeMap<usize, End> {
        let end = |task| self.state.end_of(task).expect("the run is over");
        self.made.iter().enumerate().map(|(task, place)| (*place, end(task))).collect()
    }

    /// What is in the store and was spoken of.
    pub(crate) fn results(&self) -> &BTreeSet<usize> {
        &self.watch.there
    }

    /// How often each task was tried.
    pub(crate) fn tries(&self) -> &[u32] {
        &self.watch.tries
    }

    fn next(&mut self) -> Event {
        let event = self.queue.keys().next().copied();
        let wake = self.wakes.first().copied();
        match (event, wake) {
            (None, None) => panic!("stuck: nothing will ever happen again, and the run is not over"),
            (event, Some(at)) if event.is_none_or(|(time, _)| at <= time) => {
                self.wakes.remove(&at);
                self.now = self.now.max(at);
                Event::Heard(Input::Tick)
            }
            (Some(key), _) => {
                self.now = self.now.max(key.0);
                self.queue.remove(&key).expect("the key was just read")
            }
            (None, Some(_)) => unreachable!("the arm above takes it"),
        }
    }

    fn come_to_pass(&mut self, event: Event) {
        match event {
            Event::Heard(_) if self.finished.is_some() => {}
            Event::Heard(input) => self.deliver(input),
            Event::Over(place, number, result) => self.over(place, number, result),
            Event::Filed(place) => self.filed(place),
            Event::Committed(size) => self.commit_or_wait(size),
            Event::Broken => self.ending = Some(Ending::Broken),
            Event::Call(place, number, call) => self.call(place, number, call),
            Event::Settle(name) => self.settle(name),
            Event::Killed => self.ending = Some(Ending::Killed),
        }
    }

    fn deliver(&mut self, input: Input) {
        self.trace.line(format_args!("{} {input:?}", self.now));
        self.hear(&input);
        for command in step(&mut self.state, Timestamp(self.now), input.clone()) {
            if matches!(self.trouble.kill, Some(Kill::AfterCommands(last)) if self.commands == last) {
                self.ending = Some(Ending::Killed);
                return;
            }
            self.commands += 1;
            self.trace.line(format_args!("    {command:?}"));
            self.carry_out(command);
        }
        if self.finished.is_some() {
            self.end_all_left();
        }
        self.commit();
        self.check_moment();
        self.say_again(input);
    }

    /// Says at once, or much later, what was said before.
    fn say_again(&mut self, input: Input) {
        if self.dice.one_in(3) {
            self.deliver_in_vain(input.clone());
        }
        if !self.past.is_empty() && self.dice.one_in(4) {
            let old = self.dice.roll(self.past.len() as u64) as usize;
            self.deliver_in_vain(self.past[old].clone());
        }
        // An answer to `Publish` has no number, so it may come twice at once but not after the next try.
        if matches!(
            input,
            Input::Planned
                | Input::Found(..)
                | Input::Described(..)
                | Input::Started(..)
                | Input::Ended(..)
                | Input::LeftOpen(..)
                | Input::Expanded(..)
        ) {
            self.past.push(input);
        }
    }

    /// A repeated, late or stale input must change nothing.
    fn deliver_in_vain(&mut self, input: Input) {
        self.trace.line(format_args!("{} {input:?}, in vain", self.now));
        let todo = step(&mut self.state, Timestamp(self.now), input.clone());
        assert_eq!(todo, [], "heard twice, believed twice: {input:?}");
    }

    /// Begins to commit what there is, if nothing is being committed.
    fn commit(&mut self) {
        if let Some(size) = self.journal.begin_commit() {
            self.after(9, Event::Committed(size));
        }
    }

    /// A run that is over waits for its journal, and for what it tells jobs that nobody wants.
    fn is_done(&self) -> bool {
        self.finished.is_some() && self.journal.is_whole() && self.afar.is_settled()
    }

    /// A group is durable; or waits until there is room, and the core hears of that.
    fn commit_or_wait(&mut self, size: usize) {
        let is_full = self.is_in(self.trouble.full_journal.as_ref());
        if is_full {
            self.after(20, Event::Committed(size));
        } else {
            self.trace.line(format_args!("{} {size} records are durable", self.now));
            self.journal.committed(size, &mut self.disk);
            self.commit();
            self.flushed();
        }
        if is_full != self.is_held_up && self.finished.is_none() {
            self.is_held_up = is_full;
            self.deliver(if is_full { Input::DiskFull(LEFT) } else { Input::DiskFree });
        }
    }

    /// Whether there is no room for results.
    fn is_full(&self) -> bool {
        self.is_in(self.trouble.full_store.as_ref())
    }

    fn is_in(&self, time: Option<&Range<u64>>) -> bool {
        time.is_some_and(|time| time.contains(&(self.now - self.began)))
    }

    fn index(&self, place: usize) -> TaskIndex {
        self.made.iter().position(|made| *made == place).expect("the core has spoken of it")
    }

    fn after(&mut self, at_most: u64, event: Event) {
        let time = self.now + self.dice.roll(at_most + 1);
        self.at(time, event);
    }

    fn at(&mut self, time: u64, event: Event) {
        let place = self.dice.roll(u64::MAX);
        self.queue.insert((time, place), event);
    }
}
