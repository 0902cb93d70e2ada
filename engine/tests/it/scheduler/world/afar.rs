//! Attempts that run elsewhere: the part of whoever carries the core's commands out. A call may be lost on its way there or
//! back, and what is lost is found out by asking again.

use super::super::case::{Key, Try, failure};
use super::disk::{Disk, Mark, Name};
use super::jobs::Standing;
use super::{Event, World};
use pipe_engine::failure::Class;
use pipe_engine::scheduler::{Input, Record, TaskIndex};
use std::collections::{BTreeMap, BTreeSet};

/// How often jobs are asked about, in milliseconds.
const POLL_EVERY: u64 = 10;

#[derive(Clone, Copy, Debug)]
pub(super) enum Call {
    Find,
    Submit,
    Poll,
    /// The order to stop is durable.
    Stop,
}

/// What becomes of a call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Answered,
    LostThere,
    LostBack,
}

/// An attempt that is followed.
struct Followed {
    number: u32,
    name: Name,
    is_submitted: bool,
    /// The core was told that it runs.
    has_begun: bool,
    stops: bool,
    /// The backend has heard that it is to stop.
    is_told: bool,
}

#[derive(Default)]
pub(super) struct Afar {
    followed: BTreeMap<usize, Followed>,
    /// The names of the newest attempts.
    names: BTreeMap<usize, Name>,
    /// Attempts that were handed over, by this life or an earlier one, and of which it is not known how they ended.
    unheard: BTreeMap<usize, Name>,
    /// What happens once the journal has so many records for good.
    unflushed: Vec<(usize, Event)>,
    /// Attempts of earlier lives that nobody has judged yet, and those that are being ended.
    left: BTreeSet<Name>,
    settling: BTreeSet<Name>,
    /// An attempt of an earlier life was taken up.
    pub(super) has_adopted: bool,
}

impl Afar {
    pub(super) fn of(left: BTreeSet<Name>) -> Self {
        Self { left, ..Self::default() }
    }

    pub(super) fn is_settled(&self) -> bool {
        self.settling.is_empty()
    }

    /// Whether somebody waits for an attempt, or nobody knows how it ended.
    pub(super) fn is_open(&self, name: &Name) -> bool {
        self.followed.values().any(|followed| followed.name == *name && followed.is_submitted)
    }

    /// The name of the attempt that is followed.
    pub(super) fn name_of(&self, place: usize) -> Option<&Name> {
        self.followed.get(&place).map(|followed| &followed.name)
    }

    pub(super) fn is_submitted(&self, place: usize) -> bool {
        self.followed.get(&place).is_some_and(|followed| followed.is_submitted)
    }

    /// What the newest attempt of a task does, if that is elsewhere.
    pub(super) fn does(&self, place: usize, disk: &Disk) -> Option<Try> {
        self.names.get(&place).map(|name| disk.described[name].clone())
    }

    fn following(&mut self, place: usize, number: u32) -> Option<&mut Followed> {
        self.followed.get_mut(&place).filter(|followed| followed.number == number)
    }
}

impl World<'_> {
    /// Finds the attempt that is open under the task's key, or describes a new one.
    pub(super) fn describe(&mut self, place: usize, number: u32) {
        let task = self.index(place);
        if self.is_full() {
            let answer = Input::Ended(task, number, Err(failure(Class::OutOfDisk)));
            return self.after(4, Event::Heard(answer));
        }
        let (key, does) = (self.key(place), self.case.attempt(place, number).clone());
        // Workers write how they ended, whether or not an engine lives.
        let over: Vec<Name> = self.disk.jobs.over(self.now).cloned().collect();
        self.disk.outcomes.extend(over);
        let unheard = self.afar.unheard.get(&place).cloned();
        let (name, is_there) = self.disk.describe(key, does, unheard);
        if is_there {
            self.trace.line(format_args!("{} {name:?} is taken up", self.now));
            self.afar.has_adopted = true;
        }
        self.afar.names.insert(place, name.clone());
        let followed = Followed { number, name, is_submitted: false, has_begun: false, stops: false, is_told: false };
        self.afar.followed.insert(place, followed);
        self.after(6, Event::Heard(Input::Described(task, number)));
    }

    /// What a record tells those who come later of an attempt elsewhere.
    pub(super) fn mark_of(&self, record: &Record) -> Option<Mark> {
        let name = |task: &TaskIndex| self.afar.names.get(&self.made[*task]).cloned();
        match record {
            Record::Submitting(task, _) => name(task).map(Mark::Open),
            Record::Stopping(task, _) => name(task).map(Mark::Stopping),
            Record::AttemptEnded(task, _) if !self.afar.unheard.contains_key(&self.made[*task]) => {
                name(task).map(Mark::Over)
            }
            _ => None,
        }
    }

    pub(super) fn submit(&mut self, place: usize, number: u32) {
        let followed = self.afar.following(place, number).expect("what is handed over was described");
        followed.is_submitted = true;
        self.afar.unheard.remove(&place);
        self.pay(place);
        self.once_durable(Event::Call(place, number, Call::Find));
    }

    pub(super) fn stop_afar(&mut self, place: usize) {
        if let Some(followed) = self.afar.followed.get(&place).filter(|followed| followed.is_submitted) {
            self.once_durable(Event::Call(place, followed.number, Call::Stop));
        }
    }

    /// What must not happen before all that was journaled is durable.
    fn once_durable(&mut self, event: Event) {
        self.afar.unflushed.push((self.journal.records.len(), event));
        self.flushed();
    }

    /// More of the journal is durable.
    pub(super) fn flushed(&mut self) {
        let durable = self.journal.durable;
        let due: Vec<_> = self.afar.unflushed.extract_if(.., |(size, _)| *size <= durable).collect();
        due.into_iter().for_each(|(_, event)| self.after(3, event));
    }

    pub(super) fn call(&mut self, place: usize, number: u32, call: Call) {
        let way = self.way();
        let Some(followed) = self.afar.following(place, number) else { return };
        let (name, stops) = (followed.name.clone(), followed.stops);
        match call {
            Call::Stop => followed.stops = true,
            Call::Find | Call::Submit if way == Way::LostThere => self.leave_open(place, number, Class::Transient),
            Call::Find if way == Way::LostBack => self.leave_open(place, number, Class::Transient),
            Call::Find if self.disk.jobs.standing(&name, self.now).is_some() => self.poll_later(place, number),
            Call::Find if stops => self.leave_open(place, number, Class::Failed),
            Call::Find => self.after(5, Event::Call(place, number, Call::Submit)),
            Call::Submit => {
                self.make_job(&name);
                match way {
                    Way::LostBack => self.leave_open(place, number, Class::Transient),
                    _ => self.poll_later(place, number),
                }
            }
            Call::Poll => self.poll(place, number, way),
        }
    }

    fn way(&mut self) -> Way {
        match self.trouble.loses && self.dice.one_in(5) {
            false => Way::Answered,
            true if self.dice.one_in(2) => Way::LostThere,
            true => Way::LostBack,
        }
    }

    fn make_job(&mut self, name: &Name) {
        self.trace.line(format_args!("{} the job of {name:?} is made", self.now));
        assert!(self.disk.open.contains(name), "a job is made of which the journal does not know: {name:?}");
        let mut same = self.disk.open.iter().filter(|other| other.0 == name.0);
        let is_done = |other: &Name| self.disk.jobs.standing(other, self.now) == Some(Standing::Over(Ok(())));
        assert!(!same.any(is_done), "a job has done this work, and nobody has heard of it: {name:?}");
        let is_taken = self.trouble.loses && self.dice.one_in(6);
        let does = self.disk.described[name].clone();
        self.disk.jobs.make(name, &does, self.now, &mut self.dice, is_taken);
    }

    fn poll_later(&mut self, place: usize, number: u32) {
        let at = self.now + POLL_EVERY;
        self.at(at, Event::Call(place, number, Call::Poll));
    }

    fn poll(&mut self, place: usize, number: u32, way: Way) {
        self.poll_later(place, number);
        if way != Way::Answered {
            return;
        }
        let Some(followed) = self.afar.followed.get(&place) else { return };
        let (name, stops, is_told, has_begun) =
            (followed.name.clone(), followed.stops, followed.is_told, followed.has_begun);
        let standing = self.disk.jobs.standing(&name, self.now).expect("a job that was made is known");
        if standing != Standing::Waiting && !has_begun {
            self.following_mut(place).has_begun = true;
            self.after(6, Event::Heard(Input::Started(self.index(place), number)));
        }
        if let Standing::Over(result) = standing {
            return self.job_over(place, number, result);
        }
        if stops && !is_told {
            self.cancel_job(&name);
            self.following_mut(place).is_told = self.way() != Way::LostBack;
        }
    }

    fn following_mut(&mut self, place: usize) -> &mut Followed {
        self.afar.followed.get_mut(&place).expect("it is followed")
    }

    /// A call to stop, lost or not: what is not told again has arrived.
    fn cancel_job(&mut self, name: &Name) {
        assert!(self.disk.stopping.contains(name), "a job is stopped of which the journal does not say so: {name:?}");
        let at = self.now + 1 + self.dice.roll(20);
        self.trace.line(format_args!("{} the job of {name:?} is told to stop", self.now));
        self.disk.jobs.cancel(name, at);
    }

    fn job_over(&mut self, place: usize, number: u32, result: Result<(), Class>) {
        let followed = self.afar.followed.remove(&place).expect("it is followed");
        self.disk.outcomes.insert(followed.name);
        if result.is_ok() {
            self.watch.whole.insert(place);
        }
        self.after(4, Event::Heard(Input::Ended(self.index(place), number, result.map_err(failure))));
    }

    /// It is not known whether there is a job: the journal keeps the attempt among those of which there may be one.
    fn leave_open(&mut self, place: usize, number: u32, class: Class) {
        self.trace.line(format_args!("{} what becomes of try {number} of {place} is not known", self.now));
        let followed = self.afar.followed.remove(&place).expect("it is followed");
        self.afar.unheard.insert(place, followed.name);
        self.after(4, Event::Heard(Input::LeftOpen(self.index(place), number, failure(class))));
    }

    /// A task was looked up, or will not be: attempts of earlier lives that it does not take up are ended.
    pub(super) fn judge_left(&mut self, place: usize, wanted: Option<Key>) {
        let judged: Vec<Name> = self.afar.left.extract_if(.., |name| name.0.0 == place).collect();
        for name in judged {
            match wanted.as_ref() == Some(&name.0) {
                true => drop(self.afar.unheard.insert(place, name)),
                false => self.end_left(name),
            }
        }
    }

    /// A run that is over ends what nobody has asked for, and what nobody follows.
    pub(super) fn end_all_left(&mut self) {
        let unheard = std::mem::take(&mut self.afar.unheard).into_values();
        let left = std::mem::take(&mut self.afar.left).into_iter().chain(unheard);
        left.collect::<BTreeSet<_>>().into_iter().for_each(|name| self.end_left(name));
    }

    fn end_left(&mut self, name: Name) {
        self.afar.settling.insert(name.clone());
        self.disk.stopping.insert(name.clone());
        self.after(5, Event::Settle(name));
    }

    /// Looks for a job, ends it, and then its attempt.
    pub(super) fn settle(&mut self, name: Name) {
        let standing = self.disk.jobs.standing(&name, self.now);
        if self.way() == Way::Answered && matches!(standing, None | Some(Standing::Over(_))) {
            self.trace.line(format_args!("{} {name:?} is over, and nobody wants it", self.now));
            self.afar.settling.remove(&name);
            self.disk.open.remove(&name);
            self.disk.outcomes.insert(name);
            return;
        }
        if standing.is_some() && self.way() != Way::LostThere {
            self.cancel_job(&name);
        }
        let at = self.now + POLL_EVERY;
        self.at(at, Event::Settle(name));
    }
}
