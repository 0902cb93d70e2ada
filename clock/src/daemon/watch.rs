//! One spec with a schedule: its slots, what became of them, and its book. Everything is written down before it is done.

use super::runs::{Ended, Runs};
use super::{Scheduled, Setup, written_once};
use crate::ledger::{Book, Entry, LedgerError};
use crate::process::Process;
use crate::said::{Said, Slot, What};
use crate::slots::Slots;
use crate::turns::{Fate, PUNCTUAL, Rules, Turn, Turns};
use pipe_engine::spec::Schedule;
use pipe_engine::world::Timestamp;
use std::collections::VecDeque;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// A clock that stands this far before what was decided has been set back.
const SET_BACK: Duration = Duration::from_secs(24 * 3600);
/// Lines of a failed run's output that are told.
const TAIL: usize = 5;

pub(super) struct Watch {
    spec: PathBuf,
    pub(super) state: PathBuf,
    schedule: Schedule,
    slots: Slots,
    next: Option<Timestamp>,
    book: Book,
    entry: Entry,
    turns: Turns,
    /// The process of the run that goes on.
    process: Option<Process>,
    began: Timestamp,
    /// Nothing begins any more.
    is_closed: bool,
    told_trouble: Option<String>,
    told_set_back: bool,
}

impl Watch {
    /// Looks after a spec: from now on, or from where an earlier process left it.
    pub(super) fn open(setup: &Setup, runs: &mut Runs, spec: PathBuf, scheduled: Scheduled) -> Result<Self, String> {
        let Scheduled { schedule, state, .. } = scheduled;
        let state = written_once(&state);
        let slots = Slots::of(&schedule).map_err(|error| error.to_string())?;
        let (book, now) = (Book::of(&state, &spec), setup.world.now());
        let in_words = |error: LedgerError| error.to_string();
        let known = book.read().map_err(in_words)?;
        let entry = known.unwrap_or_else(|| Entry::new(&spec, &schedule, now));
        let (mut turns, process) = (entry.turns(), entry.running.and_then(|running| running.process));
        let begun = book.begun().map_err(in_words)?;
        let fate = match (process, turns.running) {
            (Some(process), _) if process.lives() => Fate::GoesOn,
            (_, Some(slot)) if begun.is_none_or(|begun| begun < slot) => Fate::NeverBegan,
            _ => Fate::Over,
        };
        turns.return_to(fate);
        let mut watch = Self {
            next: None,
            process: process.filter(|_| fate == Fate::GoesOn),
            began: now,
            is_closed: false,
            told_trouble: None,
            told_set_back: false,
            spec,
            state,
            schedule: schedule.clone(),
            slots,
            book,
            entry,
            turns,
        };
        watch.settle(setup, schedule);
        // What waits from before begins, whatever has fallen due since.
        let turns = watch.turns.begin();
        watch.write().map_err(in_words)?;
        watch.tell_what_is_watched(setup);
        if let (Some(process), Some(slot)) = (watch.process, watch.turns.running) {
            runs.adopt(watch.spec.clone(), process);
            watch.say(setup, What::GoesOn { slot: Slot(slot) });
        }
        watch.carry_out(setup, runs, turns);
        Ok(watch)
    }

    /// The spec was read again.
    pub(super) fn change(&mut self, setup: &Setup, schedule: Schedule) {
        let was_closed = std::mem::replace(&mut self.is_closed, false);
        let is_new = !self.entry.is_of(&schedule);
        match Slots::of(&schedule) {
            Ok(slots) => self.slots = slots,
            Err(error) => return self.say(setup, What::Trouble { message: error.to_string() }),
        }
        self.settle(setup, schedule);
        if is_new || was_closed {
            self.save(setup);
            self.tell_what_is_watched(setup);
        }
    }

    /// Takes a schedule over. The slots of another one count from now on: nobody wants those it would have had.
    fn settle(&mut self, setup: &Setup, schedule: Schedule) {
        if !self.entry.is_of(&schedule) {
            self.turns.decided = self.turns.decided.max(setup.world.now());
            self.entry.cron.clone_from(&schedule.cron);
            self.entry.time_zone.clone_from(&schedule.time_zone);
        }
        self.schedule = schedule;
        self.next = self.slots.after(self.turns.decided);
    }

    /// Decides what has fallen due.
    pub(super) fn look(&mut self, setup: &Setup, runs: &mut Runs, now: Timestamp) {
        if self.is_closed {
            return;
        }
        let is_set_back = self.turns.decided.since(now) > SET_BACK;
        if is_set_back && !self.told_set_back {
            self.say(setup, What::SetBack { until: Slot(self.turns.decided) });
        }
        self.told_set_back = is_set_back;
        if self.next.is_some_and(|next| next <= now) {
            let before = self.turns.clone();
            let turns = self.turns.wake(Rules::from(&self.schedule), &self.slots, now);
            if self.save(setup) {
                self.next = self.slots.after(self.turns.decided);
                self.carry_out(setup, runs, turns);
            } else {
                // Nothing is done that is not written down; it is tried again at the next look.
                self.turns = before;
            }
        }
    }

    /// The run has ended; the next one that waits begins.
    pub(super) fn ended(&mut self, setup: &Setup, runs: &mut Runs, ended: Ended) {
        let Some(slot) = self.turns.running else { return };
        let exit = ended.status.and_then(|status| status.code());
        let signal = ended.status.and_then(|status| status.signal());
        let log = self.book.log();
        let tail = if exit.is_some_and(|code| code != 0) { tail(&log) } else { String::new() };
        let seconds = setup.world.now().since(self.began).as_secs();
        self.say(setup, What::Ended { slot: Slot(slot), exit, signal, seconds, log: log.display().to_string(), tail });
        self.over(setup, runs);
    }

    fn over(&mut self, setup: &Setup, runs: &mut Runs) {
        self.process = None;
        if self.is_closed {
            self.turns.running = None;
            self.save(setup);
            return;
        }
        let turns = self.turns.ended();
        // When this cannot be written, the book says that the old run goes on: the next process sees that it is over.
        self.save(setup);
        self.carry_out(setup, runs, turns);
    }

    fn carry_out(&mut self, setup: &Setup, runs: &mut Runs, turns: Vec<Turn>) {
        let mut turns = VecDeque::from(turns);
        while let Some(turn) = turns.pop_front() {
            if let Some(what) = What::of(turn) {
                self.say(setup, what);
            }
            match turn {
                Turn::Start(slot) => {
                    if !self.start(setup, runs, slot) {
                        turns.extend(self.turns.ended());
                        self.save(setup);
                    }
                }
                Turn::Stop => runs.ask_to_end(&self.spec),
                Turn::Waits(_) | Turn::Skipped(_) | Turn::GivenUp { .. } => {}
            }
        }
    }

    fn start(&mut self, setup: &Setup, runs: &mut Runs, slot: Timestamp) -> bool {
        let now = setup.world.now();
        let command = self.with_output((setup.program)(&self.spec, slot));
        let started = command.and_then(|command| runs.start(self.spec.clone(), command));
        match started {
            Ok(process) => {
                (self.process, self.began) = (process, now);
                self.save(setup);
                let (late, process) = (now.since(slot) >= PUNCTUAL, process.map_or(0, |process| process.id));
                self.say(setup, What::Started { slot: Slot(slot), late, process });
                true
            }
            Err(error) => {
                self.say(setup, What::NotStarted { slot: Slot(slot), message: error.to_string() });
                false
            }
        }
    }

    fn with_output(&self, mut command: Command) -> std::io::Result<Command> {
        let log = File::create(self.book.log())?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(command)
    }

    /// The spec is gone. A run that goes on is heard out.
    pub(super) fn leave(&mut self, setup: &Setup) {
        if !std::mem::replace(&mut self.is_closed, true) {
            self.say(setup, What::Left);
        }
    }

    /// Nothing begins any more.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_closed && self.turns.running.is_none()
    }

    /// When the next slot falls due.
    pub(super) fn next(&self) -> Option<Timestamp> {
        // Where nothing can be written down, nothing is done: it is tried again at the next look.
        self.next.filter(|_| !self.is_closed && self.told_trouble.is_none())
    }

    fn write(&mut self) -> Result<(), LedgerError> {
        self.entry = self.entry.clone().with(&self.turns, self.process);
        self.book.write(&self.entry)
    }

    /// Writes, and tells when it cannot; the same trouble is told once.
    fn save(&mut self, setup: &Setup) -> bool {
        let trouble = self.write().err().map(|error| error.to_string());
        if let Some(message) = trouble.clone().filter(|_| trouble != self.told_trouble) {
            self.say(setup, What::Trouble { message });
        }
        self.told_trouble = trouble;
        self.told_trouble.is_none()
    }

    fn tell_what_is_watched(&self, setup: &Setup) {
        let (cron, time_zone) = (self.schedule.cron.clone(), self.schedule.time_zone.clone());
        let next = self.slots.after(self.turns.decided.max(setup.world.now())).map(Slot);
        self.say(setup, What::Watching { cron, time_zone, next });
    }

    fn say(&self, setup: &Setup, what: What) {
        let (spec, zone) = (Some(setup.name_of(&self.spec)), self.slots.zone().clone());
        (setup.listener)(&Said { time: setup.world.now(), spec, what, zone });
    }
}

/// The last lines of a file, each indented; nothing when it has none.
fn tail(path: &Path) -> String {
    let text = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(TAIL)..].iter().map(|line| format!("\n    {line}")).collect()
}
