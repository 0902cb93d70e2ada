//! The one loop that owns the core's state. Everything that takes time happens elsewhere and comes back as a message.

mod afar;
mod heard;
mod pace;
mod sharing;
mod spans;

use super::copies::Copies;
use super::devices::Devices;
use super::grow::Replanning;
use super::missed::Missed;
use super::publish::{self, Finish};
use super::say::{AttemptEnd, Sayer};
use super::trust::Trust;
use super::{Finished, Setup};
use crate::attempt::{Attempt, Input as Given, Outcome, Provision, SourceFile, VERSION};
use crate::elsewhere;
use crate::event::{Body, Counts, Doubles};
use crate::failpoint::reach;
use crate::failure::Failure;
use crate::ids::{AttemptId, RunId};
use crate::key::completed;
use crate::local::{self, Prepared};
use crate::lookup::Looked;
use crate::manifest::{Artifact, Manifest};
use crate::plan::{Plan, Rows};
use crate::scheduler::{Command, Expand, Found, Growth, Input, Record, State, Stop, TaskIndex, step};
use crate::secret;
use crate::state::{Health, JournalError, OpenJob};
use crate::units::{Bytes, Millis};
use crate::world::Timestamp;
use afar::Afar;
use pace::Paces;
use serde_json::Value as Json;
use sharing::{copied, share};
use spans::Spans;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tracing::Instrument;

/// Finished tasks are published together: when nothing else can start, after this long, or when there are this many.
const GROUP_WAIT: Duration = Duration::from_millis(100);
const GROUP_SIZE: usize = 64;
/// As many tasks that were looked up are told of at once: to wake this thread costs more than to look one up.
const TOLD_AT_ONCE: usize = 64;
/// How long children that were killed may take to be gone.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// Lines of children that may be on their way here. A program that talks faster than it is listened to is heard in
/// part; its log has every line.
const LINES_UNHEARD: usize = 256;

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
            Command::Publish(_) => {
                let due = self.setup.world.now().after(GROUP_WAIT);
                self.publish_at.get_or_insert(due);
            }
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

    /// Looks tasks up that are wanted, side by side. What is known is told before a file is read: a small task need not wait
    /// until a large file of another is hashed.
    fn find(&self, mut tasks: Vec<TaskIndex>) {
        tasks.retain(|task| {
            let found = match self.setup.finder.wanted(*task, |need| self.known[need].as_deref()) {
                Ok(true) => return true,
                Ok(false) => Found::Unwanted,
                Err(failure) => Found::Failed(failure),
            };
            let _ = self.outbox.send(Message::Unwanted(*task, found));
            false
        });
        let threads = (self.setup.limits.cpu as usize).clamp(1, tasks.len().max(1));
        let mut shares: Vec<Vec<_>> = (0..threads).map(|_| Vec::new()).collect();
        for (i, task) in tasks.into_iter().enumerate() {
            shares[i % threads].push((task, self.artifacts(task)));
        }
        for share in shares {
            let (finder, outbox) = (self.setup.finder.clone(), self.outbox.clone());
            let (copies, plan) = (self.copies.clone(), self.setup.plan.clone());
            tokio::task::spawn_blocking(move || {
                let answers = RefCell::new(Vec::new());
                let tell = || {
                    let _ = outbox.send(Message::Looked(answers.take()));
                };
                for (task, inputs) in share {
                    let spec = plan.task(task);
                    let looked = finder.look_among_others(task, &inputs, &tell).and_then(|looked| {
                        if !spec.publish.is_empty() {
                            tell();
                        }
                        // What is given from outside is no result of the task, so it is not published as one.
                        if finder.given(task).is_some() { Ok(looked) } else { copies.of_found(spec, looked) }
                    });
                    answers.borrow_mut().push((task, looked));
                    if answers.borrow().len() == TOLD_AT_ONCE {
                        tell();
                    }
                }
                tell();
            });
        }
    }

    fn looked(&mut self, task: TaskIndex, looked: Result<Looked, Failure>) {
        let found = match looked {
            Ok(Looked { found: Ok(artifact), .. }) => {
                self.known[task] = Some(artifact);
                Found::Hit
            }
            Ok(missed) => {
                let why = missed.found.as_ref().err().cloned().unwrap_or_default();
                self.missed.insert(task, Missed::of(missed, why));
                Found::Miss
            }
            Err(failure) => Found::Failed(failure),
        };
        self.judge_left(task, matches!(found, Found::Hit));
        self.feed(Input::Found(task, found));
    }

    /// Plans again with the rows that a stage has made, or with the knowledge that there are none.
    fn expand(&mut self, question: Expand) {
        let plan = self.setup.plan.clone();
        let tasks = plan.tasks().enumerate().filter(|(_, task)| task.stage == question.source);
        let results = tasks.map(|(task, _)| Some((task, self.known[task].clone()?)));
        let made = results.collect::<Option<Vec<_>>>().filter(|_| question.with_rows);
        let (finder, replan) = (self.setup.finder.clone(), self.setup.replan.clone());
        let replanning = Replanning { plan, finder, replan, rows: std::mem::take(&mut self.rows) };
        let outbox = self.outbox.clone();
        tokio::task::spawn_blocking(move || {
            let answer = replanning.with(question.source, made);
            let _ = outbox.send(Message::Grown(question, Box::new(answer)));
        });
    }

    fn grown(&mut self, question: Expand, (rows, plan): (Rows, Result<Plan, Failure>)) {
        self.rows = rows;
        // A run that is being stopped no longer wants to know.
        if !self.state.awaits(question) {
            return;
        }
        let first = self.setup.plan.len();
        let growth = plan.map(|plan| {
            self.setup.plan = Arc::new(plan);
            self.setup.finder = Arc::new(self.setup.finder.for_plan(self.setup.plan.clone()));
            self.known.resize(self.setup.plan.len(), None);
            self.end_unwanted();
            Growth::of(&self.setup.plan, first)
        });
        self.feed(Input::Expanded(question, growth));
    }

    fn start(&mut self, task: TaskIndex, number: u32, memory: u64) {
        let attempt = self.attempt(task, memory, None);
        let (plan, spec) = (self.setup.plan.clone(), self.setup.plan.task(task));
        let (launch, mut env) = (plan.launch(spec), spec.env.clone());
        let gpus = plan.settings(spec).takes().gpus.min(self.setup.limits.gpus);
        env.extend(self.devices.give(task, gpus as usize).map(|gpus| (local::GPUS.to_owned(), gpus)));
        let (local, outbox) = (self.setup.local.clone(), self.outbox.clone());
        let (shared, trust, needs) = (self.setup.shared.clone(), self.trust.clone(), self.needs(task));
        tokio::task::spawn_blocking(move || {
            let wanted = &plan.settings(plan.task(task)).secrets;
            let secrets = secret::fetch_all(wanted, |name| plan.variable(name));
            let prepared = secrets.and_then(|secrets| {
                let attempt = match shared {
                    Some(shared) => shared.ready(attempt, &needs)?,
                    None => trust.before(&needs).map(|()| attempt)?,
                };
                local::prepare(&local, attempt, launch, env, secrets)
            });
            let _ = outbox.send(Message::Prepared(task, number, Box::new(prepared)));
        });
    }

    fn prepared(&mut self, task: TaskIndex, number: u32, prepared: Result<Prepared, Failure>) {
        let begun = prepared.and_then(|p| Ok((self.setup.local.start(&p)?, p)));
        let (child, prepared) = match begun {
            Ok(begun) => begun,
            Err(failure) => {
                self.devices.take_back(task);
                return self.feed(Input::Ended(task, number, Err(failure)));
            }
        };
        reach("attempt.spawned");
        let id = prepared.attempt.id.clone();
        self.sayer.attempt_of.insert(task, id.clone());
        let (stop, stopped) = watch::channel(None);
        self.running.insert(task, stop);
        let span = self.attempt_span(task, number, &id);
        let listens = self.setup.plan.settings(self.setup.plan.task(task)).silence.is_some();
        let (local, outbox, unheard) = (self.setup.local.clone(), self.outbox.clone(), self.unheard.clone());
        let follow = async move {
            let passing = outbox.clone();
            let say = move |body| {
                if matches!(body, Body::Log { .. }) && unheard.fetch_add(1, Ordering::Relaxed) >= LINES_UNHEARD {
                    unheard.fetch_sub(1, Ordering::Relaxed);
                    return;
                }
                let _ = passing.send(Message::Passing(task, id.clone(), body));
            };
            let ear = outbox.clone();
            let hear = move || drop(ear.send(Message::Heard(task, number)));
            let outcome = local.follow(child, prepared, stopped, say, listens.then_some(hear)).await;
            let _ = outbox.send(Message::Ended(task, number, Box::new(outcome)));
        };
        tokio::spawn(follow.instrument(span));
        self.feed(Input::Started(task, number));
    }

    fn attempt_ended(&mut self, task: TaskIndex, number: u32, outcome: Outcome) {
        self.running.remove(&task);
        self.devices.take_back(task);
        let (attempt, is_done) = (outcome.id.clone(), outcome.failure.is_none());
        let end = AttemptEnd { items: outcome.items, usage: outcome.usage, is_open: false };
        self.sayer.ends.insert(task, end);
        if !self.setup.plan.place_of(task).is_local()
            && let Some(shared) = self.setup.shared.clone()
        {
            self.take_filed((task, number), shared, outcome);
            return self.forget_job(task, attempt, is_done);
        }
        let missed = &self.missed[&task];
        let unchanged = || missed.files.values().try_for_each(SourceFile::check_unchanged);
        let result = outcome.failure.clone().map_or_else(unchanged, Err);
        if result.is_ok() {
            let (plan, now) = (&self.setup.plan, self.setup.world.now());
            let manifest = publish::manifest(&self.run, &plan.name, plan.task(task), missed, outcome, now);
            let replaces = self.setup.plan.is_forced(task);
            // What came out of a bucket was hashed on its way.
            let needs = if self.setup.shared.is_none() { self.needs(task) } else { Vec::new() };
            self.finishing.push(Finish { task, manifest, replaces, needs });
        }
        self.feed(Input::Ended(task, number, result));
        self.forget_job(task, attempt, is_done);
    }

    /// One group at a time: while one is being flushed the next gathers.
    fn publish_if_due(&mut self) {
        let Some(due) = self.publish_at.filter(|_| !self.publishing) else { return };
        if self.finishing.len() < GROUP_SIZE && due > self.setup.world.now() && !self.state.is_idle() {
            return;
        }
        self.publish_at = None;
        // What workers elsewhere have filed is in no group.
        if self.finishing.is_empty() {
            return;
        }
        self.publishing = true;
        let group = std::mem::take(&mut self.finishing);
        let (store, outbox) = (self.setup.local.store.clone(), self.outbox.clone());
        let (shared, trust) = (self.setup.shared.clone(), self.trust.clone());
        let (copies, plan, state) = (self.copies.clone(), self.setup.plan.clone(), self.setup.local.state.clone());
        tokio::task::spawn_blocking(move || {
            let filed = publish::publish(&store, &trust, group);
            reach("group.filed");
            let done =
                filed.iter().filter_map(|(task, made)| Some((&made.as_ref().ok()?.fingerprint, &plan.task(*task).id)));
            local::forget_checkpoints(&state, done);
            match shared {
                Some(shared) => share(&shared, filed, (&copies, &plan), &outbox),
                None => {
                    let copied = filed.into_iter().map(|filed| copied(&copies, &plan, filed));
                    let _ = outbox.send(Message::Published(copied.collect()));
                }
            }
        });
    }

    /// Nothing more is begun whose result could not be published.
    fn stop_if_broken(&mut self) {
        if let Some(why) = self.setup.local.store.broken()
            && !self.gave_up
        {
            tracing::error!(why, "the disk of the store failed a flush: nothing more is begun");
            self.gave_up = true;
            self.feed(Input::Cancel(Stop::Now));
        }
    }

    fn published(&mut self, task: TaskIndex, result: Result<Manifest, Failure>) {
        let result = result.map(|manifest| {
            let is_whole = completed(&manifest.key).is_none();
            let artifact = Arc::new(Artifact::from(manifest).in_little_room());
            self.setup.finder.remember(task, artifact.clone(), is_whole);
            self.known[task] = Some(artifact);
        });
        self.feed(Input::Published(task, result));
    }

    /// `provision`: what a place elsewhere is to provide.
    fn attempt(&self, task: TaskIndex, memory: u64, provision: Option<Provision>) -> Attempt {
        let (plan, missed) = (&self.setup.plan, &self.missed[&task]);
        let spec = plan.task(task);
        let stage = &plan.stages[spec.stage];
        let slots = stage.settings.cpu.slots();
        let is_here = provision.is_none();
        Attempt {
            version: VERSION,
            id: AttemptId::new(&missed.fingerprint, 0),
            run: self.run.clone(),
            pipeline: plan.name.clone(),
            task: spec.id.clone(),
            kind: stage.kind.name().to_owned(),
            code: stage.code.clone(),
            fingerprint: missed.fingerprint.clone(),
            key: missed.fields(),
            config: Json::clone(&spec.config),
            inputs: self.artifacts(task),
            files: missed.files.clone(),
            store: if is_here { self.setup.local.store.root().to_owned() } else { self.depot().root() },
            output: elsewhere::output_of(&plan.name, &spec.id, &missed.fingerprint),
            anew: plan.is_forced(task),
            cpu: if is_here { slots.min(self.setup.limits.cpu) } else { slots },
            memory: Bytes(memory),
            disk: stage.settings.disk,
            checkpoints: None,
            provision,
        }
    }

    /// The results that a task takes, as far as there are any.
    fn needs(&self, task: TaskIndex) -> Vec<Arc<Artifact>> {
        let inputs = self.setup.plan.task(task).inputs.iter();
        inputs.flat_map(|input| input.tasks.iter()).filter_map(|need| self.known[need.index()].clone()).collect()
    }

    /// The input artifacts of a task, those of them that there are: a task may run after a failure.
    fn artifacts(&self, task: TaskIndex) -> BTreeMap<String, Vec<Given>> {
        let plan = &self.setup.plan;
        let artifact = |index: usize| {
            let made = self.known[index].as_ref()?;
            let cell = plan.task(index).id.cell.clone();
            Some(Given { cell, digest: made.digest.clone(), files: made.files.clone() })
        };
        let inputs = plan.task(task).inputs.iter();
        inputs.map(|i| (i.field.clone(), i.tasks.iter().filter_map(|t| artifact(t.index())).collect())).collect()
    }

    fn name(&self, task: TaskIndex) -> String {
        self.setup.plan.task(task).id.to_string()
    }
}
