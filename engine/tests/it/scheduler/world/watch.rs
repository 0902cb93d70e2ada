//! What must hold at every moment of a life, held against what was ordered and heard and not against what the core thinks.

mod ends;

use super::super::case::{Case, POOLS, RESTS, TIMEOUT, Try};
use super::money::{Can, Money};
use super::{LATE, World};
use pipe_engine::event::RunLimit;
use pipe_engine::failure::Class;
use pipe_engine::plan::Follow;
use pipe_engine::scheduler::{Expand, Found, Input, Machine, Record};
use std::collections::{BTreeMap, BTreeSet};

pub(super) struct Running {
    pub(super) number: u32,
    room: (u32, u64),
    /// When the core heard that it runs.
    started: Option<u64>,
    timed_out: bool,
    /// It has ended, and the core has yet to hear of it.
    pub(super) over: bool,
    /// It was handed over to its backend.
    is_handed_over: bool,
}

/// What a patient reader of all orders and answers knows.
#[derive(Default)]
pub(super) struct Watch {
    /// Tasks whose results are there, and those that ended without one.
    pub(super) there: BTreeSet<usize>,
    without_result: BTreeSet<usize>,
    ready: BTreeSet<usize>,
    resting: BTreeMap<usize, u64>,
    pub(super) running: BTreeMap<usize, Running>,
    /// Tasks whose work is done and lies on the disk.
    pub(super) whole: BTreeSet<usize>,
    cancelled: bool,
    /// Nothing begins until there is room for the journal.
    paused: bool,
    /// When the time of the run is over, if it has a limit.
    pub(super) ends_at: Option<u64>,
    failed: bool,
    /// Attempts that were told to stop, and those that ended badly once somebody had asked the run to stop.
    told: BTreeSet<usize>,
    stopped: BTreeSet<usize>,
    pub(super) tries: Vec<u32>,
    /// How the tries of a task failed, and how often it was tried again because of it.
    failures: BTreeMap<usize, Vec<Class>>,
    retries: BTreeMap<(usize, Class), u32>,
    ranks: BTreeMap<usize, usize>,
    pub(super) money: Money,
}

impl Watch {
    pub(super) fn of(case: &Case, made: &[usize]) -> Self {
        Self { tries: vec![0; case.tasks.len()], ranks: case.ranks(made), ..Self::default() }
    }

    /// The room that is taken.
    fn taken(&self) -> (u32, u64) {
        self.running.values().fold((0, 0), |sum, r| (sum.0 + r.room.0, sum.1 + r.room.1))
    }

    fn fail(&mut self, place: usize, class: Class) {
        self.failures.entry(place).or_default().push(class);
    }

    /// How often a task has failed so.
    pub(super) fn failures_of(&self, place: usize, class: Class) -> usize {
        self.failures.get(&place).into_iter().flatten().filter(|known| **known == class).count()
    }

    fn last_failure(&self, place: usize) -> Option<Class> {
        self.failures.get(&place)?.last().copied()
    }
}

impl World<'_> {
    /// Takes down what the core is about to hear.
    pub(super) fn hear(&mut self, input: &Input) {
        let now = self.now;
        match input {
            // The answer comes too late for a task that was cancelled meanwhile.
            Input::Found(task, _) if self.state.end_of(*task).is_some() => self.judge_left(self.made[*task], None),
            Input::Found(task, found) if !self.watch.cancelled => self.hear_found(self.made[*task], found),
            Input::Started(task, number) => {
                let place = self.made[*task];
                if let Some(running) = self.watch.running.get_mut(&place).filter(|r| r.number == *number) {
                    running.started = Some(now);
                }
            }
            Input::Ended(task, number, result) => {
                self.hear_ended(self.made[*task], *number, result.as_ref().err().map(|failure| failure.class), false);
            }
            Input::LeftOpen(task, number, failure) => {
                self.hear_ended(self.made[*task], *number, Some(failure.class), true);
            }
            Input::Published(task, Ok(())) => drop(self.watch.there.insert(self.made[*task])),
            Input::Published(task, Err(failure)) => self.watch.fail(self.made[*task], failure.class),
            Input::Tick => {
                let rested = self.watch.resting.extract_if(.., |_, at| *at <= now).map(|(task, _)| task);
                self.watch.ready.extend(rested);
            }
            Input::Expanded(question, Ok(_)) if self.state.awaits(*question) => self.hear_growth(*question),
            Input::DiskFull(_) => self.watch.paused = true,
            Input::DiskFree => self.watch.paused = false,
            Input::Cancel(_) => {
                self.watch.cancelled = true;
                self.watch.ready.clear();
                self.watch.resting.clear();
            }
            _ => {}
        }
    }

    fn hear_found(&mut self, place: usize, found: &Found) {
        let wanted = matches!(found, Found::Miss).then(|| self.key(place));
        self.judge_left(place, wanted);
        match found {
            Found::Hit => drop(self.watch.there.insert(place)),
            Found::Miss => drop(self.watch.ready.insert(place)),
            Found::Unwanted | Found::Failed(_) => {}
        }
    }

    fn hear_ended(&mut self, place: usize, number: u32, failed: Option<Class>, is_open: bool) {
        let Some(running) = self.watch.running.remove(&place) else { return };
        assert_eq!(running.number, number, "an attempt is one of another try");
        self.give_back(place, running.is_handed_over, is_open);
        let Some(class) = failed else { return };
        // Whatever it says of itself: it was stopped for its time.
        self.watch.fail(place, if running.timed_out { Class::Timeout } else { class });
        if self.watch.cancelled {
            self.watch.stopped.insert(place);
        }
    }

    fn hear_growth(&mut self, question: Expand) {
        let (places, growth) = self.case.answer(question, &self.made).expect("it was answered so");
        self.made.extend(places);
        self.watch.ranks = self.case.ranks(&self.made);
        self.growths.push((self.journal.records.len(), growth));
    }

    pub(super) fn check_record(&mut self, record: &Record) {
        match record {
            Record::Retry(task, at) => self.check_retry(self.made[*task], at.0),
            Record::Failed(task, _) => self.check_failed(self.made[*task]),
            Record::Succeeded(task) => {
                let place = self.made[*task];
                assert!(self.watch.there.contains(&place), "task {place} ended well without a result");
            }
            Record::LimitReached(RunLimit::Cost) => self.watch.money.is_short = true,
            Record::Cancelled(task) if !(self.watch.cancelled || self.trouble.fail_fast && self.watch.failed) => {
                let place = self.made[*task];
                assert_eq!(self.can_pay(place), Can::Never, "task {place} is left and there is money for it");
                assert!(self.watch.money.is_short, "task {place} is left and the limit was not told");
            }
            Record::LimitReached(RunLimit::Time) => {
                let end = self.watch.ends_at.expect("it has a limit");
                assert!((end..=end + LATE).contains(&self.now), "stopped at another moment than its deadline");
                self.watch.cancelled = true;
                self.watch.ready.clear();
                self.watch.resting.clear();
            }
            _ => {}
        }
        if let Record::Failed(task, _) | Record::Skipped(task, _) | Record::Cancelled(task) = record {
            let place = self.made[*task];
            // What has a name and no job yet ends without a word.
            if self.watch.running.remove(&place).is_some() {
                assert!(!self.afar.is_submitted(place), "task {place} has ended and its attempt has not");
            }
            self.watch.without_result.insert(place);
            self.watch.ready.remove(&place);
            self.watch.resting.remove(&place);
            self.give_up(place);
        }
        self.watch.failed |= matches!(record, Record::Failed(..) | Record::StageFailed(..));
    }

    /// A task is tried again as often as the class of its failure allows, after a rest that doubles.
    fn check_retry(&mut self, place: usize, at: u64) {
        assert!(!self.is_halted(place), "task {place} rests after a failure that ended the run");
        let class = self.watch.last_failure(place).expect("only what failed is tried again");
        let used = self.watch.retries.entry((place, class)).or_default();
        *used += 1;
        let budget = self.case.budget(place, class);
        assert!(
            budget.is_none_or(|budget| *used <= budget),
            "task {place} is tried again more often than is allowed after {class:?}"
        );
        let longest = RESTS.end.min(RESTS.start.saturating_mul(1 << (*used - 1).min(9))).as_millis() as u64;
        let rest = at - self.now;
        assert!(self.watch.ends_at.is_none_or(|end| at < end), "task {place} rests beyond the end of the run");
        assert!(
            (longest / 2..=longest).contains(&rest),
            "a rest of {rest} ms and not of {longest} before retry {used}"
        );
        self.watch.resting.insert(place, at);
    }

    /// What fails for good has used up what its class allows.
    fn check_failed(&self, place: usize) {
        let Some(class) = self.watch.last_failure(place) else { return };
        let used = self.watch.retries.get(&(place, class)).copied().unwrap_or(0);
        let gives_up = self.watch.cancelled || (self.trouble.fail_fast && self.watch.failed);
        let no_time = self.watch.ends_at.is_some_and(|end| self.now + RESTS.end.as_millis() as u64 >= end);
        let spent = self.case.budget(place, class) == Some(used);
        assert!(gives_up || spent || no_time, "task {place} gave up after {used} retries for {class:?}");
    }

    pub(super) fn check_question(&self, question: Expand) {
        assert!(!self.watch.cancelled, "the plan grows after the cancel");
        let mut tasks = self.case.of_stage(question.source).filter(|place| self.made.contains(place));
        let ended = |place: &usize| self.watch.there.contains(place) || self.watch.without_result.contains(place);
        assert!(tasks.all(|place| ended(&place)), "rows are asked for before their stage has ended");
    }

    fn is_halted(&self, place: usize) -> bool {
        self.trouble.fail_fast && self.watch.failed && self.case.follow(place) == Follow::Success
    }

    pub(super) fn check_start(&mut self, place: usize, number: u32, memory: u64) {
        assert!(!self.watch.cancelled, "task {place} was started after the cancel");
        assert!(!self.is_halted(place), "task {place} was started after a failure");
        self.check_room(place);
        assert!(!self.disk.filed.contains(&self.key(place)), "the result of task {place} is made again");
        self.check_inputs(place);
        assert_eq!(self.can_pay(place), Can::Start, "task {place} is begun and may cost more than is left");
        assert_eq!(self.first(self.case.elsewhere(place)), Some(place), "what most waits for goes first");
        self.watch.ready.remove(&place);
        assert_eq!(number, self.watch.tries[place] + 1, "tries of task {place} are counted");
        self.watch.tries[place] = number;
        let room = self.case.wanted(place, self.short(place));
        let given = self.case.memory(place, self.short(place));
        assert_eq!(memory, given, "memory of try {number} of task {place}");
        self.put_aside(place);
        let running = Running { number, room, started: None, timed_out: false, over: false, is_handed_over: false };
        assert!(self.watch.running.insert(place, running).is_none(), "task {place} runs twice");
        let (taken, limits) = (self.watch.taken(), self.case.limits());
        assert!(taken.0 <= limits.cpu && taken.1 <= limits.memory, "{taken:?} taken of {limits:?}");
    }

    /// A machine that can be taken away is asked for until enough were, and another region each time there was none.
    pub(super) fn check_machine(&self, place: usize, machine: Machine) {
        let after = |class| self.watch.failures_of(place, class);
        let (taken, none) = (after(Class::Preempted), after(Class::Capacity));
        assert_eq!(
            machine.spot,
            self.may_be_taken(place),
            "the machine of task {place}, after {taken} were taken away"
        );
        let moves = if self.case.elsewhere(place) { none } else { 0 };
        assert_eq!(machine.moves as usize, moves, "the region of task {place}, after there was none in {none}");
    }

    /// Whether the machine of a task's next attempt may be taken away.
    pub(super) fn may_be_taken(&self, place: usize) -> bool {
        let taken = self.watch.failures_of(place, Class::Preempted);
        self.case.spot(place).is_some_and(|most| taken < most as usize)
    }

    pub(super) fn check_room(&self, place: usize) {
        assert!(!self.watch.paused, "task {place} begins while there is no room for the journal");
    }

    pub(super) fn check_submit(&mut self, place: usize) {
        assert!(self.case.elsewhere(place), "task {place} runs here");
        assert!(!self.watch.cancelled, "task {place} was handed over after the cancel");
        if let Some(running) = self.watch.running.get_mut(&place) {
            running.is_handed_over = true;
        }
    }

    /// How often a task has run short of memory.
    fn short(&self, place: usize) -> usize {
        self.watch.failures_of(place, Class::OutOfMemory)
    }

    /// Of the tasks that may start, here or elsewhere, the one whose turn it is: the first of those whose pools have a slot.
    /// Nothing that costs money overtakes what waits for money; what will never have any is not there.
    fn first(&self, elsewhere: bool) -> Option<usize> {
        let mut drawn = [0; POOLS.len()];
        let pools = self.watch.running.keys().flat_map(|place| self.case.pools(*place));
        pools.for_each(|pool| drawn[pool] += 1);
        let open = |t: &&usize| self.case.pools(**t).iter().all(|pool| drawn[*pool] < POOLS[*pool]);
        let turn = |t: &usize| {
            let (priority, rank) = (self.case.priority(*t), self.watch.ranks[t]);
            (self.has_aside(*t), priority, rank, std::cmp::Reverse(self.index(*t)))
        };
        let ready = self.watch.ready.iter().filter(|place| self.case.elsewhere(**place) == elsewhere);
        let mut ready: Vec<usize> = ready.filter(open).copied().collect();
        ready.retain(|place| self.can_pay(*place) != Can::Never);
        let first = ready.iter().copied().max_by_key(turn)?;
        if self.can_pay(first) == Can::Start {
            return Some(first);
        }
        ready.into_iter().filter(|place| !self.is_paid(*place)).max_by_key(turn)
    }

    /// The try that is to end, if the order reaches one.
    pub(super) fn check_stop(&mut self, place: usize) -> Option<u32> {
        let (now, cancelled) = (self.now, self.watch.cancelled);
        let hangs = matches!(self.does(place), Try::Hangs);
        let Some(running) = self.watch.running.get_mut(&place) else { panic!("task {place} does not run") };
        let started = running.started?;
        if !cancelled {
            assert!(hangs, "task {place} was stopped for nothing");
            let deadline = started + TIMEOUT.as_millis() as u64;
            assert!((deadline..=deadline + LATE).contains(&now), "task {place} was not stopped at its deadline");
            running.timed_out = true;
        }
        self.watch.told.insert(place);
        Some(running.number)
    }

    pub(super) fn check_inputs(&self, place: usize) {
        let needs = self.case.needs(place);
        let mut made = needs.iter().filter(|need| self.made.contains(need));
        let ended = |need: &usize| self.watch.there.contains(need) || self.watch.without_result.contains(need);
        let fits = match self.case.follow(place) {
            Follow::Success => needs.iter().all(|need| self.watch.there.contains(need)),
            Follow::Always | Follow::Failure => made.all(ended),
        };
        assert!(fits, "task {place} began before what it needs had ended as it must");
    }

    /// Nothing is late, and nothing stands still that could go on.
    pub(super) fn check_moment(&self) {
        let (now, watch) = (self.now, &self.watch);
        let late = watch.ends_at.is_some_and(|end| end + LATE < now) && self.finished.is_none();
        assert!(!late || watch.cancelled, "the run goes on after its deadline");
        let mut started = watch.running.iter().filter(|(_, r)| watch.cancelled && r.started.is_some());
        assert!(started.all(|(task, _)| watch.told.contains(task)), "an attempt goes on after the cancel");
        assert!(watch.resting.values().all(|at| at + LATE >= now), "a task rests for longer than it was to");
        let timeout = TIMEOUT.as_millis() as u64;
        let overdue = watch.running.iter().find(|(place, running)| {
            let limit = self.case.timeout(**place).and(running.started).map(|started| started + timeout + LATE);
            limit.is_some_and(|limit| limit < now) && !watch.told.contains(place)
        });
        assert!(overdue.is_none(), "task {:?} runs longer than its timeout", overdue.map(|(place, _)| place));
        let halted = watch.ready.iter().chain(watch.resting.keys()).find(|place| self.is_halted(**place));
        assert!(halted.is_none(), "task {halted:?} waits for its turn after a failure that ended the run");
        let unknown = self.disk.jobs.live(now).find(|name| !self.disk.open.contains(name));
        assert!(unknown.is_none(), "a job runs of which the journal does not know: {unknown:?}");
        self.check_money();
        if watch.paused {
            return;
        }
        let afar = self.first(true);
        assert_eq!(afar, None, "a task that runs elsewhere could start and does not");
        let Some(first) = self.first(false) else { return };
        let ((cpu, memory), taken, limits) =
            (self.case.wanted(first, self.short(first)), watch.taken(), self.case.limits());
        let fits = taken.0 + cpu <= limits.cpu && taken.1 + memory <= limits.memory;
        assert!(!fits, "task {first} could start and does not");
    }
}
