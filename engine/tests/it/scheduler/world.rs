//! Carries out what the core orders, in made-up time, and checks on the way what must hold at every moment.

use super::case::{Case, Fate, POOLS, TIMEOUT, Try, failure};
use pipe_engine::event::Counts;
use pipe_engine::failure::Class;
use pipe_engine::plan::Follow;
use pipe_engine::scheduler::{Command, End, Expand, Found, Growth, Input, Record, State, Stop, TaskIndex, step};
use pipe_engine::world::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// More inputs than any case of this size can need: a run that is longer goes round in circles.
const LONGEST: usize = 20_000;

struct Running {
    number: u32,
    room: (u32, u64),
    started: Option<u64>,
}

/// Tasks are named by their places in the case, and only to the core by their places in its plan.
pub(super) struct World<'a> {
    case: &'a Case,
    state: State,
    /// The tasks there are, in the order the core knows them.
    pub(super) made: Vec<usize>,
    /// What the plan grew by, and how many records there were before.
    pub(super) growths: Vec<(usize, Growth)>,
    ranks: BTreeMap<usize, usize>,
    now: u64,
    dice: u64,
    /// What will happen, by time and then in no particular order.
    queue: BTreeMap<(u64, u64), Input>,
    wakes: BTreeSet<u64>,
    /// Inputs that were delivered and may come a second time at any later moment.
    past: Vec<Input>,
    kept: BTreeSet<usize>,
    in_store: BTreeSet<usize>,
    without_result: BTreeSet<usize>,
    ready: BTreeSet<usize>,
    resting: BTreeMap<usize, u64>,
    running: BTreeMap<usize, Running>,
    cancel: Option<(usize, Stop)>,
    cancelled: bool,
    fail_fast: bool,
    failed: bool,
    /// Attempts that were told to stop, and those that ended badly once somebody had asked the run to stop.
    told: BTreeSet<usize>,
    stopped: BTreeSet<usize>,
    pub(super) tries: Vec<u32>,
    pub(super) records: Vec<Record>,
    pub(super) finished: Option<Counts>,
}

impl<'a> World<'a> {
    pub(super) fn new(case: &'a Case) -> Self {
        let (made, beginning) = case.beginning();
        Self {
            case,
            state: State::new(beginning, case.limits()),
            ranks: case.ranks(&made),
            made,
            growths: Vec::new(),
            now: 1000,
            dice: case.seed,
            queue: BTreeMap::new(),
            wakes: BTreeSet::new(),
            past: Vec::new(),
            kept: BTreeSet::new(),
            in_store: BTreeSet::new(),
            without_result: BTreeSet::new(),
            ready: BTreeSet::new(),
            resting: BTreeMap::new(),
            running: BTreeMap::new(),
            cancel: None,
            cancelled: false,
            fail_fast: false,
            failed: false,
            told: BTreeSet::new(),
            stopped: BTreeSet::new(),
            tries: vec![0; case.tasks.len()],
            records: Vec::new(),
            finished: None,
        }
    }

    /// Results that an earlier run left in the store.
    pub(super) fn with_results(mut self, kept: &BTreeSet<usize>) -> Self {
        self.kept.clone_from(kept);
        self
    }

    pub(super) fn failing_fast(mut self) -> Self {
        self.state = self.state.failing_fast();
        self.fail_fast = true;
        self
    }

    pub(super) fn cancelled_after(mut self, inputs: usize, how: Stop) -> Self {
        self.cancel = Some((inputs, how));
        self
    }

    /// Runs to the end and checks that the records tell the whole of it.
    pub(super) fn run(mut self) -> Self {
        self.after(0, Input::Planned);
        for delivered in 0..LONGEST {
            if self.finished.is_some() {
                self.check_records();
                return self;
            }
            match self.cancel {
                Some((at, how)) if at == delivered => self.deliver(Input::Cancel(how)),
                // Whoever asked gently and sees nothing happen asks again.
                Some((at, Stop::Gently)) if at + 9 == delivered => self.deliver(Input::Cancel(Stop::Now)),
                _ => {
                    let next = self.next();
                    self.deliver(next);
                }
            }
        }
        panic!("no end after {LONGEST} inputs");
    }

    pub(super) fn ends(&self) -> BTreeMap<usize, End> {
        let end = |task| self.state.end_of(task).expect("the run is over");
        self.made.iter().enumerate().map(|(task, place)| (*place, end(task))).collect()
    }

    pub(super) fn results(&self) -> &BTreeSet<usize> {
        &self.in_store
    }

    fn next(&mut self) -> Input {
        let event = self.queue.keys().next().copied();
        let wake = self.wakes.first().copied();
        match (event, wake) {
            (None, None) => panic!("stuck: nothing will ever happen again, and the run is not over"),
            (event, Some(at)) if event.is_none_or(|(time, _)| at <= time) => {
                self.wakes.remove(&at);
                self.now = self.now.max(at);
                Input::Tick
            }
            (Some(key), _) => {
                self.now = self.now.max(key.0);
                self.queue.remove(&key).expect("the key was just read")
            }
            (None, Some(_)) => unreachable!("the arm above takes it"),
        }
    }

    fn deliver(&mut self, input: Input) {
        self.note(&input);
        for command in step(&mut self.state, Timestamp(self.now), input.clone()) {
            self.carry_out(command);
        }
        self.check_told();
        if self.roll(3) == 0 {
            self.deliver_in_vain(input.clone());
        }
        if !self.past.is_empty() && self.roll(4) == 0 {
            let old = self.roll(self.past.len() as u64) as usize;
            self.deliver_in_vain(self.past[old].clone());
        }
        // An answer to `Publish` has no number, so it may come twice at once but not after the next try.
        if matches!(
            input,
            Input::Found(..) | Input::Started(..) | Input::Ended(..) | Input::Planned | Input::Expanded(..)
        ) {
            self.past.push(input);
        }
    }

    /// A repeated, late or stale input must change nothing.
    fn deliver_in_vain(&mut self, input: Input) {
        let todo = step(&mut self.state, Timestamp(self.now), input.clone());
        assert_eq!(todo, [], "after {input:?}, which had come before");
    }

    fn note(&mut self, input: &Input) {
        let place = |task: &TaskIndex| self.made[*task];
        match input {
            // The answer comes too late for a task that was cancelled meanwhile.
            Input::Found(task, _) if self.state.end_of(*task).is_some() => {}
            Input::Found(task, Found::Hit) if !self.cancelled => drop(self.in_store.insert(place(task))),
            Input::Found(task, Found::Miss) if !self.cancelled => drop(self.ready.insert(place(task))),
            Input::Started(task, number) => {
                if let Some(running) = self.running.get_mut(&place(task)).filter(|r| r.number == *number) {
                    running.started = Some(self.now);
                }
            }
            Input::Ended(task, number, result)
                if self.running.get(&place(task)).is_some_and(|r| r.number == *number) =>
            {
                let place = place(task);
                self.running.remove(&place);
                if self.cancelled && result.is_err() {
                    self.stopped.insert(place);
                }
            }
            Input::Published(task, Ok(())) => drop(self.in_store.insert(place(task))),
            Input::Tick => {
                let now = self.now;
                let rested = self.resting.extract_if(.., |_, at| *at <= now).map(|(task, _)| task);
                self.ready.extend(rested);
            }
            Input::Expanded(question, Ok(_)) if self.state.awaits(*question) => self.note_growth(*question),
            Input::Cancel(_) => {
                self.cancelled = true;
                self.ready.clear();
                self.resting.clear();
            }
            _ => {}
        }
    }

    fn note_growth(&mut self, question: Expand) {
        let (places, growth) = self.case.answer(question, &self.made).expect("it was answered so");
        self.made.extend(places);
        self.ranks = self.case.ranks(&self.made);
        self.growths.push((self.records.len(), growth));
    }

    fn index(&self, place: usize) -> TaskIndex {
        self.made.iter().position(|made| *made == place).expect("the core has spoken of it")
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Journal(record) => self.journal(record),
            Command::Find(tasks) => tasks.into_iter().for_each(|task| self.find(self.made[task])),
            Command::Start { task, number, memory } => self.start(self.made[task], number, memory),
            Command::Submit(task, _) => panic!("task {task} runs here"),
            Command::Publish(task) => {
                let place = self.made[task];
                let result = match self.case.attempt(place, self.tries[place]) {
                    Try::CannotBePublished(class) => Err(failure(*class)),
                    _ => Ok(()),
                };
                self.after(5, Input::Published(task, result));
            }
            Command::Expand(question) => self.expand(question),
            Command::Stop(task, _) => self.stop(self.made[task]),
            Command::WakeAt(at) => drop(self.wakes.insert(at.0)),
            Command::Finish(counts) => {
                assert!(self.finished.is_none(), "finished twice");
                self.finished = Some(counts);
            }
        }
    }

    fn journal(&mut self, record: Record) {
        self.failed |= matches!(record, Record::Failed(..) | Record::StageFailed(..));
        if let Record::Cancelled(task) = record {
            self.ready.remove(&self.made[task]);
            self.resting.remove(&self.made[task]);
        }
        match record {
            Record::Retry(task, at) => drop(self.resting.insert(self.made[task], at.0)),
            Record::Failed(task, _) | Record::Skipped(task, _) | Record::Cancelled(task) => {
                self.without_result.insert(self.made[task]);
            }
            _ => {}
        }
        self.records.push(record);
    }

    fn expand(&mut self, question: Expand) {
        assert!(!self.cancelled, "the plan grows after the cancel");
        let growth = self.case.answer(question, &self.made).map(|(_, growth)| growth);
        self.after(9, Input::Expanded(question, growth.ok_or(failure(Class::Failed))));
    }

    fn find(&mut self, place: usize) {
        self.check_inputs(place);
        let found = match self.case.fate(place) {
            _ if self.kept.contains(&place) => Found::Hit,
            Fate::Hit => Found::Hit,
            Fate::Unwanted => Found::Unwanted,
            Fate::CannotBeLookedUp => Found::Failed(failure(Class::Failed)),
            Fate::Tries(_) => Found::Miss,
        };
        self.after(4, Input::Found(self.index(place), found));
    }

    fn start(&mut self, place: usize, number: u32, memory: u64) {
        assert!(!self.cancelled, "task {place} was started after the cancel");
        let halted = self.fail_fast && self.failed && self.case.follow(place) == Follow::Success;
        assert!(!halted, "task {place} was started after a failure");
        self.check_inputs(place);
        let drawn = self.drawn();
        let open = |t: &&usize| self.case.pools(**t).iter().all(|pool| drawn[*pool] < POOLS[*pool]);
        let turn = |t: &&usize| (self.case.priority(**t), self.ranks[*t], std::cmp::Reverse(self.index(**t)));
        let first = self.ready.iter().filter(open).max_by_key(turn);
        assert_eq!(first, Some(&place), "what most waits for goes first");
        self.ready.remove(&place);
        assert_eq!(number, self.tries[place] + 1, "tries of task {place} are counted");
        self.tries[place] = number;
        let room = self.case.wanted(place, number);
        assert_eq!(memory, room.1, "memory of try {number} of task {place}");
        let before = self.running.insert(place, Running { number, room, started: None });
        assert!(before.is_none(), "task {place} runs twice");
        self.check_room();
        self.begin(place, number);
    }

    /// A try that ends by itself may end before its start is confirmed.
    fn begin(&mut self, place: usize, number: u32) {
        let task = self.index(place);
        self.after(6, Input::Started(task, number));
        let result = match self.case.attempt(place, number) {
            Try::Hangs => return,
            Try::Fails(class) => Err(failure(*class)),
            Try::Succeeds | Try::CannotBePublished(_) => Ok(()),
        };
        self.after(40, Input::Ended(task, number, result));
    }

    /// An order to stop reaches only what has started; the core must say it again when it hears of the start.
    fn stop(&mut self, task: usize) {
        let Some(running) = self.running.get(&task) else { panic!("task {task} does not run") };
        let number = running.number;
        let Some(started) = running.started else { return };
        self.told.insert(task);
        if !self.cancelled {
            assert!(matches!(self.case.attempt(task, number), Try::Hangs), "task {task} was stopped for nothing");
            assert_eq!(self.now, started + TIMEOUT.as_millis() as u64, "stopped at its deadline");
        }
        self.after(8, Input::Ended(self.index(task), number, Err(failure(Class::Failed))));
    }

    fn check_told(&self) {
        let mut started = self.running.iter().filter(|(_, r)| self.cancelled && r.started.is_some());
        assert!(started.all(|(task, _)| self.told.contains(task)), "an attempt goes on after the cancel");
    }

    fn check_inputs(&self, place: usize) {
        let needs = self.case.needs(place);
        let mut there = needs.iter().filter(|need| self.made.contains(need));
        let ended = |need: &usize| self.in_store.contains(need) || self.without_result.contains(need);
        let fits = match self.case.follow(place) {
            Follow::Success => needs.iter().all(|need| self.in_store.contains(need)),
            Follow::Always | Follow::Failure => there.all(ended),
        };
        assert!(fits, "task {place} began before what it needs had ended as it must");
    }

    /// How many draw from each pool.
    fn drawn(&self) -> [u32; POOLS.len()] {
        let mut drawn = [0; POOLS.len()];
        let pools = self.running.keys().flat_map(|place| self.case.pools(*place));
        pools.for_each(|pool| drawn[pool] += 1);
        drawn
    }

    fn check_room(&self) {
        let taken = self.running.values().fold((0, 0), |sum, r| (sum.0 + r.room.0, sum.1 + r.room.1));
        let limits = self.case.limits();
        assert!(taken.0 <= limits.cpu && taken.1 <= limits.memory, "{taken:?} taken of {limits:?}");
    }

    /// How stages ended that never had tasks.
    pub(super) fn stage_ends(&self) -> BTreeMap<usize, End> {
        let ends = self.records.iter().filter_map(|record| match record {
            Record::StageSkipped(stage, _) => Some((*stage, End::Skipped)),
            Record::StageFailed(stage, _) => Some((*stage, End::Failed)),
            _ => None,
        });
        let all: Vec<(usize, End)> = ends.collect();
        let each_once: BTreeMap<usize, End> = all.iter().copied().collect();
        assert_eq!(all.len(), each_once.len(), "a stage ended twice");
        each_once
    }

    /// Each task ended in exactly one record, and the counts are the sum of them.
    fn check_records(&self) {
        let mut ends: BTreeMap<usize, End> = BTreeMap::new();
        let mut end = |task: TaskIndex, how| {
            assert_eq!(ends.insert(self.made[task], how), None, "task {task} ended twice");
        };
        for record in &self.records {
            match record {
                Record::Cached { tasks, .. } => tasks.iter().for_each(|task| end(*task, End::Cached)),
                Record::Succeeded(task) => end(*task, End::Succeeded),
                Record::Failed(task, _) => end(*task, End::Failed),
                Record::Skipped(task, _) => end(*task, End::Skipped),
                Record::Cancelled(task) => end(*task, End::Cancelled),
                _ => {}
            }
        }
        assert_eq!(ends, self.ends());
        let stages = self.stage_ends();
        let count = |how| ends.values().chain(stages.values()).filter(|end| **end == how).count() as u64;
        let counts = Counts {
            succeeded: count(End::Succeeded),
            cached: count(End::Cached),
            failed: count(End::Failed),
            skipped: count(End::Skipped),
            cancelled: count(End::Cancelled),
        };
        assert_eq!(self.finished, Some(counts));
        assert_eq!(self.records.last(), Some(&Record::Finished(counts)));
        assert!(self.running.is_empty(), "the run is over and something still runs");
        assert!(self.stopped.iter().all(|place| ends[place] == End::Cancelled), "what was stopped has not failed");
    }

    fn after(&mut self, at_most: u64, input: Input) {
        let time = self.now + self.roll(at_most + 1);
        let place = self.roll(u64::MAX);
        self.queue.insert((time, place), input);
    }

    /// A number below `sides`: the splitmix64 generator, started at the case's seed.
    fn roll(&mut self, sides: u64) -> u64 {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.dice;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}
