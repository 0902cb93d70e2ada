//! Attempts that run elsewhere, and jobs that earlier runs have left there.

use super::heard::Heard;
use super::sharing::copied;
use super::{Dispatcher, LAST_WORDS, Message};
use crate::attempt::{Attempt, Outcome, Provision, Terms};
use crate::backend::{Backend, Need};
use crate::elsewhere::{self, Depot, Poller, Service};
use crate::event::{Body, Doubles};
use crate::failpoint::reach;
use crate::failure::{Class, Failure};
use crate::ids::AttemptId;
use crate::key::incomplete;
use crate::manifest::Artifact;
use crate::plan::Part;
use crate::run::say::AttemptEnd;
use crate::scheduler::{Input, Machine, Stop, TaskIndex};
use crate::shared::{DAMAGED, Shared};
use crate::state::OpenJob;
use crate::units::Usd;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tracing::Instrument;

/// What the price of an attempt is told for.
const HOUR: Duration = Duration::from_secs(3600);
/// What runs for this long costs the least that there is.
const A_MOMENT: Duration = Duration::from_millis(1);

/// The places elsewhere that a run uses, and what it has there.
#[derive(Default)]
pub(super) struct Afar {
    /// By their names in the spec.
    places: HashMap<String, Arc<dyn Backend>>,
    pollers: HashMap<String, Arc<Poller>>,
    /// Attempts that have a name and are about to be handed over.
    described: HashMap<TaskIndex, Attempt>,
    /// Jobs of earlier runs of which it is not known yet whether anybody wants them, by their tasks.
    left: HashMap<String, Vec<OpenJob>>,
    /// Attempts that were handed over, by this run or an earlier one, and of which it is not known how they ended.
    unheard: HashMap<TaskIndex, OpenJob>,
    /// How many jobs are being ended or removed.
    ending: usize,
}

impl Afar {
    pub(super) fn of(places: HashMap<String, Arc<dyn Backend>>, left: Vec<OpenJob>) -> Self {
        let mut afar = Self { places, ..Self::default() };
        for job in left {
            afar.left.entry(job.task.clone()).or_default().push(job);
        }
        afar
    }

    /// A place, and whoever asks it how its jobs stand.
    fn place(&mut self, name: &str) -> Option<(Arc<dyn Backend>, Arc<Poller>)> {
        let backend = self.places.get(name)?.clone();
        let poller = self.pollers.entry(name.to_owned()).or_insert_with(|| Arc::new(Poller::of(backend.clone())));
        Some((backend, poller.clone()))
    }
}

impl Dispatcher {
    /// Where attempts elsewhere are described.
    pub(super) fn depot(&self) -> Depot {
        match &self.setup.shared {
            Some(shared) => Depot::Bucket(shared.clone()),
            None => Depot::Folder(self.setup.local.store.clone()),
        }
    }

    /// What the place of a task is to provide for an attempt at it.
    fn provision(&self, task: TaskIndex, machine: Machine) -> Provision {
        let spec = self.setup.plan.task(task);
        let region = self.setup.plan.place_of(task).region(machine.moves).cloned();
        let labels = spec.labels.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let usual = self.setup.plan.stages[spec.stage].settings.provision();
        Provision { spot: machine.spot, region, labels, ..usual }
    }

    /// Finds the attempt that is open under the task's key, or describes a new one.
    pub(super) fn describe(&mut self, (task, number): (TaskIndex, u32), memory: u64, machine: Machine) {
        let provision = Some(self.provision(task, machine));
        let attempt = self.attempt(task, memory, provision.clone());
        let unheard = self.afar.unheard.get(&task).map(|job| job.attempt.clone());
        let (depot, outbox) = (self.depot(), self.outbox.clone());
        let regions = self.setup.plan.place_of(task).regions.clone();
        tokio::task::spawn_blocking(move || {
            let described = elsewhere::describe(&depot, attempt, unheard.as_ref());
            // What a place provides is no part of the key, so another's word for it does not count.
            let described = described.map(|described| in_its_region(described, provision, &regions));
            reach("afar.described");
            let _ = outbox.send(Message::Described(task, number, Box::new(described)));
        });
    }

    pub(super) fn described(&mut self, task: TaskIndex, number: u32, described: Result<Attempt, Failure>) {
        match described {
            Ok(attempt) => {
                let terms = self.terms(task, &attempt);
                self.sayer.attempt_of.insert(task, attempt.id.clone());
                let place = self.afar.places.get(&self.setup.plan.place_of(task).name);
                self.sayer.pages.extend(place.and_then(|place| place.page(&attempt)).map(|page| (task, page)));
                self.sayer.terms.insert(task, terms);
                self.afar.described.insert(task, attempt);
                self.feed(Input::Described(task, number));
            }
            Err(failure) => self.feed(Input::Ended(task, number, Err(failure))),
        }
    }

    /// What is paid for an attempt, as far as it is known now.
    fn terms(&self, task: TaskIndex, attempt: &Attempt) -> Terms {
        let plan = &self.setup.plan;
        let (place, none) = (plan.place_of(task), Provision::default());
        let Provision { spot, region, .. } = attempt.provision.as_ref().unwrap_or(&none);
        let usual = plan.settings(plan.task(task)).need();
        let need = Need { memory: attempt.memory, spot: *spot, region: region.clone(), ..usual };
        let price = |time| match place.capability.is_priced {
            // What a service takes is no price of time.
            true if self.service(task).is_some() => None,
            true => place.price(&need, time),
            false => Some(Usd(0)),
        };
        let (hour, least) = (price(HOUR), price(A_MOMENT).filter(|least| least.0 > 0));
        let startup_ms = place.charged_before().filter(|_| hour.is_some()).map(|time| time.0);
        Terms { machine: place.machine(&need), region: region.clone(), spot: *spot, hour, least, startup_ms }
    }

    /// Hands an attempt over once the journal has it for good that this was meant, and follows it.
    pub(super) fn submit(&mut self, task: TaskIndex, number: u32) {
        let attempt = self.afar.described.remove(&task).expect("it was described");
        // From here on it is followed.
        self.afar.unheard.remove(&task);
        let name = self.setup.plan.place_of(task).name.clone();
        let Some(place) = self.afar.place(&name) else {
            let failure = Failure::failed("no_backend", "the backend is not connected").on(name);
            return self.feed(Input::Ended(task, number, Err(failure)));
        };
        let (stop, stopped) = watch::channel(None);
        self.running.insert(task, stop);
        let span = self.attempt_span(task, number, &attempt.id);
        let (flushed, depot, outbox) = (self.setup.journal.flushed(), self.depot(), self.outbox.clone());
        let (shared, needs) = (self.setup.shared.clone(), self.needs(task));
        let listens = self.setup.plan.settings(self.setup.plan.task(task)).silence.is_some();
        let service = self.service(task);
        let way = (outbox.clone(), self.unheard.clone());
        let heard = Heard::of((task, number, attempt.id.clone()), &self.setup.local.state, way, listens);
        let follow = async move {
            // A journal that is broken ends the run; what comes next knows of no job then, and there is none.
            if flushed.await.is_err() {
                return;
            }
            reach("afar.intended");
            let (backend, poller) = place;
            let followed = elsewhere::follow((backend, poller, service), depot, attempt, stopped, &heard).await;
            if let Ok(outcome) = &followed {
                heard.ended(outcome);
            }
            let followed = match (shared, followed) {
                (Some(shared), Ok(outcome)) => distrusted(shared, needs, outcome).await,
                (_, followed) => followed,
            };
            let _ = outbox.send(match followed {
                Ok(outcome) => Message::Ended(task, number, Box::new(outcome)),
                Err(failure) => Message::LeftOpen(task, number, failure),
            });
        };
        tokio::spawn(follow.instrument(span));
    }

    /// What stands for a worker of a task whose work a service does.
    fn service(&self, task: TaskIndex) -> Option<Service> {
        let spec = self.setup.plan.task(task);
        let kind = &self.setup.plan.stages[spec.stage].kind;
        kind.service(&spec.config).map(|_| Service { kind: kind.clone(), world: self.setup.world.clone() })
    }

    /// An attempt ended whose worker files its result in the bucket by itself: the result is what stands there.
    pub(super) fn take_filed(&mut self, (task, number): (TaskIndex, u32), shared: Arc<Shared>, outcome: Outcome) {
        let Outcome { failure, items, id, .. } = outcome;
        let is_well = failure.is_none();
        let key = self.missed.get(&task).map(|missed| match items.failed {
            0 => missed.fingerprint.clone(),
            _ => incomplete(missed.fields(), &id).fingerprint,
        });
        self.feed(Input::Ended(task, number, failure.map_or(Ok(()), Err)));
        let Some(key) = key.filter(|_| is_well) else { return };
        let (copies, plan, outbox) = (self.copies.clone(), self.setup.plan.clone(), self.outbox.clone());
        tokio::task::spawn_blocking(move || {
            let gone = || Failure::of(Class::Transient, "result_gone", "what was made is not in the store").on(&key.0);
            let filed = shared.find(&key).and_then(|found| found.ok_or_else(gone));
            reach("afar.filed");
            let _ = outbox.send(Message::Published(vec![copied(&copies, &plan, (task, filed))]));
        });
    }

    /// It is not known what became of an attempt: the journal keeps it among those whose jobs may be there.
    pub(super) fn left_open(&mut self, task: TaskIndex, number: u32, failure: Failure) {
        self.running.remove(&task);
        let (backend, name) = (self.setup.plan.place_of(task).name.clone(), self.name(task));
        let attempt = self.sayer.attempt_of[&task].clone();
        self.afar.unheard.insert(task, OpenJob { attempt, backend, task: name });
        self.sayer.ends.insert(task, AttemptEnd { is_open: true, ..AttemptEnd::default() });
        self.feed(Input::LeftOpen(task, number, failure));
    }

    /// Stops a job once the journal has it for good that this was meant.
    pub(super) fn stop_afar(&self, task: TaskIndex, how: Stop) {
        let Some(stop) = self.running.get(&task).cloned() else { return };
        let flushed = self.setup.journal.flushed();
        tokio::spawn(async move {
            if flushed.await.is_ok() {
                stop.send_replace(Some(how));
            }
        });
    }

    /// Ends the jobs of earlier runs whose tasks there are no longer.
    pub(super) fn end_unwanted(&mut self) {
        if self.afar.left.is_empty() {
            return;
        }
        let plan = self.setup.plan.clone();
        let tasks: Vec<String> = plan.tasks().map(|task| task.id.to_string()).collect();
        // A stage that has no tasks yet may get the one that a job was made for.
        let grows = |task: &str| plan.waiting().any(|(stage, _)| task.starts_with(&plan.stages[stage].name));
        let is_gone = |task: &String| !tasks.contains(task) && !grows(task);
        let gone: Vec<OpenJob> =
            self.afar.left.extract_if(|task, _| is_gone(task)).flat_map(|(_, jobs)| jobs).collect();
        gone.into_iter().for_each(|job| self.end_left(job));
    }

    /// A task was looked up: of the jobs that earlier runs have left for it, the one of its key goes on when the result
    /// is not there, and all others are ended. Those of tasks that are not asked for are left alone.
    pub(super) fn judge_left(&mut self, task: TaskIndex, is_hit: bool) {
        if self.afar.left.is_empty() || self.setup.plan.part(task) != Part::Wanted {
            return;
        }
        let wanted = self.missed.get(&task).filter(|_| !is_hit).map(|missed| missed.fingerprint.short(20));
        let here = &self.setup.plan.place_of(task).name;
        let is_wanted =
            |job: &OpenJob| job.backend == *here && wanted.is_some_and(|key| job.attempt.0.starts_with(key));
        let left = self.afar.left.remove(&self.name(task)).unwrap_or_default();
        let (wanted, unwanted): (Vec<_>, Vec<_>) = left.into_iter().partition(is_wanted);
        self.afar.unheard.extend(wanted.into_iter().map(|job| (task, job)));
        unwanted.into_iter().for_each(|job| self.end_left(job));
    }

    /// The run is over: what was never looked up or never followed, since its task was skipped or the run was stopped, has
    /// nobody who waits for it.
    pub(super) fn end_rest(&mut self) {
        let plan = self.setup.plan.clone();
        let others = (0..plan.len()).filter(|task| plan.part(*task) != Part::Wanted);
        let others: BTreeSet<String> = others.map(|task| plan.task(task).id.to_string()).collect();
        let rest = self.afar.left.extract_if(|task, _| !others.contains(task));
        let unheard = std::mem::take(&mut self.afar.unheard).into_values();
        let rest: Vec<OpenJob> = rest.flat_map(|(_, jobs)| jobs).chain(unheard).collect();
        rest.into_iter().for_each(|job| self.end_left(job));
    }

    fn end_left(&mut self, job: OpenJob) {
        let Some(place) = self.afar.place(&job.backend) else {
            let OpenJob { attempt, backend, task } = job;
            tracing::warn!(
                "an earlier run left the job of {attempt} ({task}) on `{backend}`, which this spec no longer uses: look \
                 there whether it still runs"
            );
            return;
        };
        self.afar.ending += 1;
        let stopping = Body::AttemptStopping { backend: job.backend.clone() };
        self.sayer.durable(&self.setup.journal, Some(job.task.clone()), Some(job.attempt.clone()), stopping);
        let (flushed, depot, outbox) = (self.setup.journal.flushed(), self.depot(), self.outbox.clone());
        tokio::spawn(async move {
            if flushed.await.is_err() {
                return;
            }
            let ended = elsewhere::end(place, depot, job.attempt.clone()).await;
            let _ = outbox.send(Message::Settled(job, ended));
        });
    }

    /// What could not be ended is tried again by the next run.
    pub(super) fn settled(&mut self, job: OpenJob, ended: Result<Option<Doubles>, Failure>) {
        self.afar.ending -= 1;
        match ended {
            Ok(doubles) => {
                let attempt = job.attempt.clone();
                if let Some(doubles) = doubles {
                    self.doubled(job.task.clone(), attempt.clone(), doubles);
                }
                self.sayer.durable(&self.setup.journal, Some(job.task), Some(job.attempt), Body::AttemptSettled);
                self.remove_job(&job.backend, attempt, false);
            }
            Err(failure) => tracing::warn!(attempt = %job.attempt, %failure, "a job of an earlier run is not ended"),
        }
    }

    /// The journal has the other jobs of an attempt before its end, since they are looked for no more after that.
    pub(super) fn doubled(&mut self, task: String, attempt: AttemptId, doubles: Doubles) {
        let doubled = Body::AttemptDoubled { doubles };
        self.sayer.durable(&self.setup.journal, Some(task), Some(attempt), doubled);
    }

    /// An attempt has ended: if it was elsewhere, its place may remove its job. `is_done`: nobody goes on from what it had
    /// reached.
    pub(super) fn forget_job(&mut self, task: TaskIndex, attempt: AttemptId, is_done: bool) {
        let place = self.setup.plan.place_of(task);
        if !place.is_local() {
            let name = place.name.clone();
            self.remove_job(&name, attempt, is_done);
        }
    }

    /// Lets a place remove a job, once the journal has its attempt's end for good: until then the job is all that tells of it.
    fn remove_job(&mut self, place: &str, attempt: AttemptId, is_done: bool) {
        let Some((backend, _)) = self.afar.place(place) else { return };
        self.afar.ending += 1;
        let (flushed, depot, outbox) = (self.setup.journal.flushed(), self.depot(), self.outbox.clone());
        tokio::spawn(async move {
            if flushed.await.is_ok() {
                reach("afar.settled");
                elsewhere::forget(backend.as_ref(), &attempt).await;
                reach("afar.removed");
                if is_done {
                    elsewhere::forget_reached(&depot, &attempt).await;
                }
            }
            let _ = outbox.send(Message::Forgotten);
        });
    }

    /// Removes jobs that are over and that engines which died have left, at every place of the plan. It takes as long as the run
    /// has, and what is left then is there for the next.
    pub(super) fn tidy(&mut self) {
        for place in self.afar.places.values() {
            self.afar.ending += 1;
            let (backend, depot, outbox) = (place.clone(), self.depot(), self.outbox.clone());
            tokio::spawn(async move {
                elsewhere::tidy(backend.as_ref(), &depot).await;
                let _ = outbox.send(Message::Forgotten);
            });
        }
    }

    pub(super) fn forgotten(&mut self) {
        self.afar.ending -= 1;
    }

    /// Gives the jobs that are being ended a moment. What takes longer is tried again by the next run.
    pub(super) async fn settle(&mut self) {
        while self.afar.ending > 0 {
            match tokio::time::timeout(LAST_WORDS, self.inbox.recv()).await {
                Ok(Some(Message::Settled(job, ended))) => self.settled(job, ended),
                Ok(Some(Message::Forgotten)) => self.forgotten(),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return,
            }
        }
    }
}

/// An attempt as its description has it, to be provided with what is asked for now. Its job may be there already, so it stays in
/// the region that its description names, if its place still has that.
fn in_its_region(described: Attempt, asked: Option<Provision>, regions: &[String]) -> Attempt {
    let its = described.provision.as_ref().and_then(|provision| provision.region.clone());
    let its = its.filter(|region| regions.contains(region));
    let provision = asked.map(|asked| Provision { region: its.or_else(|| asked.region.clone()), ..asked });
    Attempt { provision, ..described }
}

/// An outcome, once inputs that its worker found damaged are in quarantine.
///
/// # Errors
/// When they cannot be put there: the attempt is taken up again then.
async fn distrusted(shared: Arc<Shared>, needs: Vec<Arc<Artifact>>, outcome: Outcome) -> Result<Outcome, Failure> {
    let damaged = outcome.failure.as_ref().filter(|failure| failure.code == DAMAGED);
    let Some(on) = damaged.and_then(|failure| failure.on.clone()) else { return Ok(outcome) };
    let distrust = tokio::task::spawn_blocking(move || {
        let is_spoilt = |need: &&Arc<Artifact>| need.files.iter().any(|file| on.ends_with(&file.at));
        needs.iter().filter(is_spoilt).try_for_each(|need| shared.distrust(&need.fingerprint))
    });
    distrust.await.expect("putting a result in quarantine does not panic").map(|()| outcome)
}
