//! Commands -> what comes of them after a while.

use super::super::case::{Fate, Key, Try, failure};
use super::{Event, LATE, World};
use pipe_engine::failure::Class;
use pipe_engine::scheduler::{Command, Expand, Found, Input, Record};

impl World<'_> {
    pub(super) fn carry_out(&mut self, command: Command) {
        match command {
            Command::Journal(record) => self.journal(record),
            Command::Find(tasks) => tasks.into_iter().for_each(|task| self.find(self.made[task])),
            Command::Start { task, number, memory, machine } => {
                self.check_machine(self.made[task], machine);
                self.start(self.made[task], number, memory);
            }
            Command::Submit(task, number) => {
                self.check_submit(self.made[task]);
                self.submit(self.made[task], number);
            }
            Command::Publish(task) => self.publish(self.made[task]),
            Command::Expand(question) => self.expand(question),
            Command::Stop(task, _) => self.stop(self.made[task]),
            Command::WakeAt(at) => drop(self.wakes.insert(at.0 + self.dice.roll(LATE + 1))),
            Command::Finish(counts) => {
                assert!(self.finished.is_none(), "finished twice");
                self.finished = Some(counts);
            }
        }
    }

    fn journal(&mut self, record: Record) {
        self.check_record(&record);
        let mark = self.mark_of(&record);
        self.journal.push(record, mark);
    }

    fn expand(&mut self, question: Expand) {
        self.check_question(question);
        let growth = self.case.answer(question, &self.made).map(|(_, growth)| growth);
        let answer = Input::Expanded(question, growth.ok_or(failure(Class::Failed)));
        self.after(9, Event::Heard(answer));
    }

    fn find(&mut self, place: usize) {
        self.check_room(place);
        self.check_inputs(place);
        let found = match self.case.fate(place) {
            _ if self.disk.filed.contains(&self.key(place)) => Found::Hit,
            Fate::Hit => Found::Hit,
            Fate::Unwanted => Found::Unwanted,
            Fate::CannotBeLookedUp => Found::Failed(failure(Class::Failed)),
            Fate::Tries(_) => Found::Miss,
        };
        self.after(4, Event::Heard(Input::Found(self.index(place), found)));
    }

    /// The name of a task's result: which of its inputs there are is part of it.
    pub(super) fn key(&self, place: usize) -> Key {
        let there = self.case.needs(place).into_iter().filter(|need| self.watch.there.contains(need));
        (place, there.collect())
    }

    /// A try that ends by itself may end before its start is confirmed.
    fn start(&mut self, place: usize, number: u32, memory: u64) {
        self.check_start(place, number, memory);
        if self.case.elsewhere(place) {
            return self.describe(place, number);
        }
        self.after(6, Event::Heard(Input::Started(self.index(place), number)));
        let result = match self.case.attempt(place, number) {
            Try::Hangs => return,
            Try::Fails(class) => Err(*class),
            Try::Succeeds | Try::CannotBePublished(_) => Ok(()),
        };
        self.after(40, Event::Over(place, number, result));
    }

    /// An order to stop reaches only what has started; the core must say it again when it hears of the start.
    fn stop(&mut self, place: usize) {
        let reached = self.check_stop(place);
        if self.case.elsewhere(place) {
            return self.stop_afar(place);
        }
        if let Some(number) = reached {
            self.after(5, Event::Over(place, number, Err(Class::Failed)));
        }
    }

    /// An attempt ends once, however many reasons it has. Without room its work cannot be whole.
    pub(super) fn over(&mut self, place: usize, number: u32, result: Result<(), Class>) {
        let Some(running) = self.watch.running.get_mut(&place).filter(|r| r.number == number && !r.over) else {
            return;
        };
        running.over = true;
        let result = if self.is_full() { result.and(Err(Class::OutOfDisk)) } else { result };
        self.trace.line(format_args!("{} try {number} of {place} is over: {result:?}", self.now));
        if result.is_ok() {
            self.watch.whole.insert(place);
        }
        let result = result.map_err(failure);
        self.after(4, Event::Heard(Input::Ended(self.index(place), number, result)));
    }

    fn publish(&mut self, place: usize) {
        assert!(self.watch.whole.contains(&place), "what is not whole is published: task {place}");
        match self.does(place) {
            Try::CannotBePublished(class) => self.answer_publish(place, Err(class)),
            _ => self.after(5, Event::Filed(place)),
        }
    }

    pub(super) fn filed(&mut self, place: usize) {
        if self.is_full() {
            return self.answer_publish(place, Err(Class::OutOfDisk));
        }
        self.trace.line(format_args!("{} the result of {place} is in the store", self.now));
        let key = self.key(place);
        assert!(self.disk.filed.insert(key), "a result was filed twice: task {place}");
        self.answer_publish(place, Ok(()));
    }

    /// What the newest attempt of a task does.
    pub(super) fn does(&self, place: usize) -> Try {
        let afar = self.afar.does(place, &self.disk);
        afar.unwrap_or_else(|| self.case.attempt(place, self.watch.tries[place]).clone())
    }

    fn answer_publish(&mut self, place: usize, result: Result<(), Class>) {
        self.watch.whole.remove(&place);
        let answer = Input::Published(self.index(place), result.map_err(failure));
        self.after(3, Event::Heard(answer));
    }
}
