//! The one loop that owns the core's state. Everything that takes time happens elsewhere and comes back as a message.

mod afar;
mod finding;
mod heard;
mod here;
mod pace;
mod publishing;
mod sharing;
mod spans;

use super::copies::Copies;
use super::devices::Devices;
use super::missed::Missed;
use super::publish::Finish;
use super::say::Sayer;
use super::trust::Trust;
use super::{Finished, Setup};
use crate::attempt::{Attempt, Outcome};
use crate::event::{Body, Counts, Doubles};
use crate::failure::Failure;
use crate::ids::{AttemptId, RunId};
use crate::local::Prepared;
use crate::lookup::Looked;
use crate::manifest::{Artifact, Manifest};
use crate::plan::{Plan, Rows};
use crate::scheduler::{Command, Expand, Found, Growth, Input, Record, State, Stop, TaskIndex, step};
use crate::state::{Health, JournalError, OpenJob};
use crate::units::Millis;
use crate::world::Timestamp;
use afar::Afar;
use pace::Paces;
use spans::Spans;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;

/// How long children that were killed may take to be gone.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What comes back from work that was sent away.
enum Message {
    Unwanted(TaskIndex, Found),
    Looked(Vec<(TaskIndex, Result<Looked, Failure>)>),
    Prepared(TaskIndex, u32, Box<Result<Prepared, Failure>>),
    Described(TaskIndex, u32, Box<Result<Attempt, Failure>>),
    /// A job elsewhere runs.
    Begun(TaskIndex, u32),
    Passing(TaskIndex, AttemptId, Body),
    Heard(TaskIndex, u32),
    /// An attempt elsewhere had more jobs than one.
    Doubled(TaskIndex, AttemptId, Doubles),
    Ended(TaskIndex, u32, Box<Outcome>),
    Published(Vec<(TaskIndex, Result<Manifest, Failure>)>),
    Grown(Expand, Box<(Rows, Result<Plan, Failure>)>),
    /// Whether there is a job, and how it ended, could not be learned.
    LeftOpen(TaskIndex, u32, Failure),
    /// A job that an earlier run had left was ended, or could not be.
    Settled(OpenJob, Result<Option<Doubles>, Failure>),
    /// A job that nobody needs any more was removed, or not.
    Forgotten,
}

pub(super) struct Dispatcher {
    setup: Setup,
    run: RunId,
    state: State,
    sayer: Sayer,
    inbox: UnboundedReceiver<Message>,
    outbox: UnboundedSender<Message>,
    /// Copies results into the project.
    copies: Arc<Copies>,
    trust: Arc<Trust>,
    /// The rows that are known of stages which others are spread over.
    rows: Rows,
    /// Results by task, once they are there.
    known: Vec<Option<Arc<Artifact>>>,
    /// What was learned of tasks that must run.
    missed: HashMap<TaskIndex, Missed>,
    devices: Devices,
    afar: Afar,
    paces: Paces,
    spans: Spans,
    /// A way to stop each running attempt.
    running: HashMap<TaskIndex, watch::Sender<Option<Stop>>>,
    finishing: Vec<Finish>,
    publish_at: Option<Timestamp>,
    publishing: bool,
    wake_at: BTreeSet<Timestamp>,
    /// Lines of children that are on their way here.
    unheard: Arc<AtomicUsize>,
    interrupted: bool,
    /// Whether the store can no longer be trusted, and nothing more is begun.
    gave_up: bool,
    finished: Option<Counts>,
}

impl Dispatcher {
    pub(super) fn new(mut setup: Setup) -> Self {
        let run = RunId::new(&setup.world);
        setup.finder.begin(&run);
        let state = State::new(Growth::of(&setup.plan, 0), setup.limits);
        let state = state.within(setup.plan.around.deadline.map(Duration::from));
        let state = if setup.fail_fast { state.failing_fast() } else { state };
        let (outbox, inbox) = unbounded_channel();
        Self {
            sayer: Sayer::new(run.clone(), setup.world.clone(), setup.listener.clone()),
            copies: Arc::new(Copies::new(setup.local.store.clone(), setup.shared.clone(), setup.local.state.clone())),
            trust: Arc::new(Trust::new(setup.local.store.clone())),
            known: vec![None; setup.plan.len()],
            run,
            state,
            inbox,
            outbox,
            rows: Rows::new(),
            devices: Devices::of(setup.gpus.clone()),
            missed: HashMap::new(),
            paces: Paces::default(),
            spans: Spans::default(),
            afar: Afar::of(std::mem::take(&mut setup.elsewhere), std::mem::take(&mut setup.left)),
            running: HashMap::new(),
            finishing: Vec::new(),
            publish_at: None,
            publishing: false,
            wake_at: BTreeSet::new(),
            unheard: Arc::default(),
            interrupted: false,
            gave_up: false,
            finished: None,
            setup,
        }
    }

    pub(super) async fn run(mut self, mut cancel: UnboundedReceiver<Stop>) -> Result<Finished, JournalError> {
        let beside = std::mem::take(&mut self.setup.beside);
        let started = Body::RunStarted {
            pipeline: self.setup.plan.name.clone(),
            spec: self.setup.spec.clone(),
            spec_digest: self.setup.plan.spec_digest.clone(),
            params: self.setup.plan.params.clone(),
            tasks: self.setup.plan.asked().count() as u64 + beside.count(),
            revision: self.setup.revision.clone().map(Box::new),
            slot: self.setup.slot,
            asked: self.setup.asked.clone().map(Box::new),
            site: self.setup.site.clone().map(Box::new),
        };
        self.sayer.durable(&self.setup.journal, None, None, started.clone());
        for told in &beside.told {
            self.sayer.durable(&self.setup.journal, None, None, told.clone());
        }
        self.tidy();
        self.end_unwanted();
        self.feed(Input::Planned);
        let driven = self.drive(&mut cancel).await;
        let counts = match driven {
            Ok(counts) => Counts { cached: counts.cached + beside.count(), ..counts },
            Err(error) => {
                self.end_all().await;
                return Err(error);
            }
        };
        self.end_rest();
        self.settle().await;
        self.record(Record::Finished(counts));
        self.write_out(&mut cancel).await?;
        let finder = self.setup.finder.clone();
        // Hints are for speed; losing them is no error.
        let _ = tokio::task::spawn_blocking(move || finder.save()).await;
        Ok(Finished {
            run: self.run,
            plan: self.setup.plan,
            started,
            known: self.known,
            counts,
            interrupted: self.interrupted,
            limit: self.state.limit(),
        })
    }

    async fn drive(&mut self, cancel: &mut UnboundedReceiver<Stop>) -> Result<Counts, JournalError> {
        let mut health = self.setup.journal.health();
        loop {
            if let Some(counts) = self.finished {
                return Ok(counts);
            }
            self.publish_if_due();
            let nap = self.nap();
            tokio::select! {
                Some(message) = self.inbox.recv() => self.take(message),
                Ok(()) = health.changed() => {
                    let health = health.borrow_and_update().clone();
                    self.journal_is(health)?;
                }
                Some(how) = cancel.recv() => {
                    self.interrupted = true;
                    self.feed(Input::Cancel(how));
                }
                () = tokio::time::sleep(nap) => {
                    let now = self.setup.world.now();
                    self.wake_at.retain(|at| *at > now);
                    self.feed(Input::Tick);
                }
            }
        }
    }

    /// Waits until all that was said is in the journal. On a full disk that may take until somebody makes room, or asks to
    /// stop once more.
    async fn write_out(&self, cancel: &mut UnboundedReceiver<Stop>) -> Result<(), JournalError> {
        let mut flushed = std::pin::pin!(self.setup.journal.flush());
        loop {
            tokio::select! {
                flushed = &mut flushed => return flushed,
                Some(_) = cancel.recv() => {
                    if matches!(*self.setup.journal.health().borrow(), Health::Full { .. }) {
                        return Err(JournalError::Stopped { why: "the disk of the state folder is full".to_owned() });
                    }
                }
            }
        }
    }

    fn journal_is(&mut self, health: Health) -> Result<(), JournalError> {
        match health {
            Health::Good => self.feed(Input::DiskFree),
            Health::Full { left } => self.feed(Input::DiskFull(left)),
            // Nothing more can be promised, so nothing more is begun.
            Health::Broken(why) => return Err(JournalError::Stopped { why }),
        }
        Ok(())
    }

    /// Ends every child and waits for it: nobody may go on writing once the state folder is given up. Jobs elsewhere are
    /// left to the next run, which knows of them.
    async fn end_all(&mut self) {
        let plan = self.setup.plan.clone();
        self.running.retain(|task, _| plan.place_of(*task).is_local());
        for stop in self.running.values() {
            stop.send_replace(Some(Stop::Now));
        }
        while !self.running.is_empty() {
            match tokio::time::timeout(LAST_WORDS, self.inbox.recv()).await {
                Ok(Some(Message::Ended(task, ..))) => drop(self.running.remove(&task)),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// How long nothing needs to be done unless a message comes.
    fn nap(&self) -> Duration {
        // While a group is being published the next one waits for that, not for its hour.
        let publish_at = self.publish_at.filter(|_| !self.publishing);
        let next = self.wake_at.first().copied().into_iter().chain(publish_at).min();
        next.map_or(Duration::from_secs(3600), |at| at.since(self.setup.world.now()).max(Duration::from_millis(1)))
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Unwanted(task, found) => self.feed(Input::Found(task, found)),
            Message::Looked(answers) => {
                answers.into_iter().for_each(|(task, looked)| self.looked(task, looked));
            }
            Message::Prepared(task, number, prepared) => self.prepared(task, number, *prepared),
            Message::Described(task, number, described) => self.described(task, number, *described),
            Message::Begun(task, number) => self.feed(Input::Started(task, number)),
            Message::Passing(task, attempt, body) => {
                if matches!(body, Body::Log { .. }) {
                    self.unheard.fetch_sub(1, Ordering::Relaxed);
                }
                if let Body::Progress { done, total, .. } = body {
                    self.warn_of_pace(task, &attempt, (done, total));
                }
                self.sayer.passing(self.name(task), attempt, body);
            }
            Message::Heard(task, number) => self.feed(Input::Heard(task, number)),
            Message::Doubled(task, attempt, doubles) => self.doubled(self.name(task), attempt, doubles),
            Message::Ended(task, number, outcome) => self.attempt_ended(task, number, *outcome),
            Message::Published(answers) => {
                self.publishing = false;
                self.stop_if_broken();
                answers.into_iter().for_each(|(task, result)| self.published(task, result));
            }
            Message::Grown(question, answer) => self.grown(question, *answer),
            Message::LeftOpen(task, number, failure) => self.left_open(task, number, failure),
            Message::Settled(job, ended) => self.settled(job, ended),
            Message::Forgotten => self.forgotten(),
        }
    }

    fn warn_of_pace(&mut self, task: TaskIndex, attempt: &AttemptId, progress: (u64, u64)) {
        let Some(end) = self.state.ends_at(task) else { return };
        let Some(late) = self.paces.take(attempt, progress, (self.setup.world.now(), end)) else { return };
        let seconds = |time: Duration| Millis(time.as_secs() * 1000);
        tracing::warn!(
            "{} will not be done in time: at its pace it needs {} more and has {}: raise the stage's `timeout`, give it more \
             cpu, or give it less to do",
            self.name(task),
            seconds(late.needs),
            seconds(late.has),
        );
    }

    fn feed(&mut self, input: Input) {
        let now = self.setup.world.now();
        for command in step(&mut self.state, now, input) {
            self.carry_out(command);
        }
    }

    fn record(&mut self, record: Record) {
        let ended = record.ends();
        let said = self.sayer.body_of(&self.setup.plan, &self.known, &self.missed, record);
        self.sayer.durable(&self.setup.journal, said.task, said.attempt, said.body);
        if let Some(task) = ended {
            self.forget(task);
        }
    }

    /// What was learned of a task that has ended nobody asks for any more: a run may have a hundred thousand of them.
    fn forget(&mut self, task: TaskIndex) {
        self.spans.end(task);
        self.missed.remove(&task);
        self.sayer.attempt_of.remove(&task);
        self.sayer.pages.remove(&task);
        self.sayer.ends.remove(&task);
        self.sayer.terms.remove(&task);
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            // The last word of a run is said when nothing else can come.
            Command::Journal(Record::Finished(_)) => {}
            Command::Journal(record) => self.record(record),
            Command::Find(tasks) => self.find(tasks),
            Command::Start { task, number, memory, .. } if self.setup.plan.place_of(task).is_local() => {
                self.start(task, number, memory);
            }
            Command::Start { task, number, memory, machine } => self.describe((task, number), memory, machine),
            Command::Submit(task, number) => self.submit(task, number),
            Command::Publish(_) => self.gather(),
            Command::Expand(question) => self.expand(question),
            Command::Stop(task, how) if !self.setup.plan.place_of(task).is_local() => self.stop_afar(task, how),
            Command::Stop(task, how) => {
                if let Some(stop) = self.running.get(&task) {
                    stop.send_replace(Some(how));
                }
            }
            Command::WakeAt(at) => drop(self.wake_at.insert(at)),
            Command::Finish(counts) => self.finished = Some(counts),
        }
    }

    fn name(&self, task: TaskIndex) -> String {
        self.setup.plan.task(task).id.to_string()
    }
}
