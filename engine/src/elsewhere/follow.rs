//! A described attempt and a backend -> its outcome, whoever handed it over.

use super::describe::outcome;
use super::segments::{Ear, Listener};
use super::service::Service;
use super::{Depot, Poller, answer, close};
use crate::attempt::{Attempt, ItemCount, Outcome, VERSION};
use crate::backend::{Backend, Job, Standing};
use crate::event::Doubles;
use crate::failpoint::reach;
use crate::failure::{Class, Failure};
use crate::ids::AttemptId;
use serde_json::Value as Json;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often it is looked at most what an attempt has said.
const BETWEEN_SEGMENTS: Duration = Duration::from_secs(1);

/// Sees an attempt to its end: its job is looked for, made if it is not there, and stopped once `stop` asks for that.
/// `listener` hears once that it runs, and what it says.
///
/// # Errors
/// When it is not known whether there is a job, or how it ended. The attempt stays open then: the call that failed may have
/// had its effect, so the next try is the same attempt, and looks for the job first.
pub async fn follow(
    (backend, poller, service): (Arc<dyn Backend>, Arc<Poller>, Option<Service>),
    depot: Depot,
    attempt: Attempt,
    stop: watch::Receiver<Option<impl Send + Sync>>,
    listener: &impl Listener,
) -> Result<Outcome, Failure> {
    let mut ear = Ear::of(&depot, &attempt.id);
    let heard = left(depot.clone(), attempt.id.clone()).await?;
    if let Some(heard) = heard {
        hear(&mut ear, listener).await;
        return Ok(heard);
    }
    let job = match job_of(backend.as_ref(), &attempt, &stop).await? {
        Some(job) => job,
        None => match handed_over(backend.as_ref(), &depot, service.as_ref(), &attempt).await? {
            Handed::Over(job) => job,
            Handed::Not(outcome) => return Ok(*outcome),
        },
    };
    let every = backend.poll_every().max(BETWEEN_SEGMENTS);
    let end = tokio::select! {
        end = watch_job(backend.as_ref(), &poller, job.clone(), stop, || listener.begun()) => end,
        never = listen(&mut ear, every, listener) => match never {},
    };
    reach("afar.ended");
    if let Some(doubles) = doubles(backend.as_ref(), &job).await {
        listener.doubled(doubles);
    }
    // What it said last.
    hear(&mut ear, listener).await;
    if let (Some(service), None) = (service, &end) {
        let answer = answer(backend.answer(&job)).await?;
        let made = service.made(depot, attempt, answer, listener).await;
        reach("afar.closed");
        return made;
    }
    let end = end.unwrap_or_else(|| silent(&job));
    let left = tokio::task::spawn_blocking(move || {
        // What the worker said itself counts for more than what is known of its job.
        let left = outcome(depot.store(), &attempt.id)?.filter(|left| left.id == attempt.id);
        match left {
            Some(left) => Ok(explained(left, &end)),
            None => close(depot.store(), of_ours(attempt.id, end)),
        }
    });
    let left = left.await.expect("reading an outcome does not panic");
    reach("afar.closed");
    left
}

/// A worker that is told to end takes it that its machine is taken away. Its place may know better: to try again what ran out
/// of time would cost the same once more, and end the same way.
fn explained(left: Outcome, end: &Failure) -> Outcome {
    let was_told = left.failure.as_ref().is_some_and(|failure| failure.class == Class::Preempted);
    if was_told && end.class == Class::Timeout { Outcome { failure: Some(end.clone()), ..left } } else { left }
}

async fn hear(ear: &mut Option<Ear>, listener: &impl Listener) {
    if let Some(ear) = ear {
        ear.hear(listener).await;
    }
}

async fn listen(ear: &mut Option<Ear>, every: Duration, listener: &impl Listener) -> Infallible {
    match ear {
        Some(ear) => ear.listen(every, listener).await,
        None => std::future::pending().await,
    }
}

/// The jobs that an attempt had besides this one, if it had any. They cost money and decide nothing, so an answer that is lost is no
/// reason to keep the attempt open.
async fn doubles(backend: &dyn Backend, job: &Job) -> Option<Doubles> {
    match answer(backend.doubles(job)).await {
        Ok(doubles) => Some(doubles).filter(|doubles| doubles.jobs > 0),
        Err(failure) => {
            tracing::warn!(job = job.0, %failure, "whether its attempt had other jobs could not be learned");
            None
        }
    }
}

/// Ends what an earlier run has left of an attempt: its job, and then the attempt itself. Returns the jobs that it had besides.
///
/// # Errors
/// When the backend or the store does not do as asked: the attempt stays open.
pub async fn end(
    (backend, poller): (Arc<dyn Backend>, Arc<Poller>),
    depot: Depot,
    id: AttemptId,
) -> Result<Option<Doubles>, Failure> {
    let job = answer(backend.find(&id)).await?;
    let mut others = None;
    if let Some(job) = job {
        let (_stop, stopped) = watch::channel(Some(()));
        watch_job(backend.as_ref(), &poller, job.clone(), stopped, || ()).await;
        others = doubles(backend.as_ref(), &job).await;
    }
    // Should somebody want it after all, such as a stage of another name, he loses no more than a try.
    let unwanted = "the run it was made for is over, and no later one wanted it";
    let unwanted = Failure::of(Class::Preempted, "unwanted", unwanted);
    let closed = tokio::task::spawn_blocking(move || close(depot.store(), of_ours(id, unwanted)));
    closed.await.expect("writing an outcome does not panic").map(|_| others)
}

/// The outcome that an attempt has already.
async fn left(depot: Depot, id: AttemptId) -> Result<Option<Outcome>, Failure> {
    let read = tokio::task::spawn_blocking(move || outcome(depot.store(), &id));
    read.await.expect("reading an outcome does not panic")
}

/// The job that is there already.
async fn job_of<T>(
    backend: &dyn Backend,
    attempt: &Attempt,
    stop: &watch::Receiver<Option<T>>,
) -> Result<Option<Job>, Failure> {
    if let Some(job) = answer(backend.find(&attempt.id)).await? {
        tracing::info!(attempt = %attempt.id, job = job.0, "goes on with a job that is there");
        return Ok(Some(job));
    }
    if stop.borrow().is_some() {
        return Err(Failure::failed("stopped", "stopped before it was handed over"));
    }
    reach("afar.sought");
    Ok(None)
}

/// What became of an attempt that was to be handed over.
enum Handed {
    Over(Job),
    /// It is not to be handed over, and this is its outcome.
    Not(Box<Outcome>),
}

async fn handed_over(
    backend: &dyn Backend,
    depot: &Depot,
    service: Option<&Service>,
    attempt: &Attempt,
) -> Result<Handed, Failure> {
    let request = match service {
        None => None,
        Some(service) => match service.request(depot, attempt).await? {
            Ok(request) => Some(request),
            Err(refused) => return Ok(Handed::Not(refused)),
        },
    };
    let submitted = match &request {
        None => answer(backend.submit(attempt)).await,
        Some(request) => answer(backend.request(attempt, request)).await,
    };
    reach("afar.submitted");
    submitted.map(Handed::Over)
}

/// Waits until a job is over and returns why it left no outcome, as far as its backend tells.
async fn watch_job<T>(
    backend: &dyn Backend,
    poller: &Poller,
    job: Job,
    mut stop: watch::Receiver<Option<T>>,
    begun: impl FnOnce(),
) -> Option<Failure> {
    let mut heard = poller.watch(job.clone());
    let mut begun = Some(begun);
    let mut is_told = false;
    loop {
        let standing = heard.borrow_and_update().clone();
        if matches!(standing, Some(Standing::Running | Standing::Over(_)))
            && let Some(begun) = begun.take()
        {
            begun();
        }
        match standing {
            Some(Standing::Over(why)) => return why,
            Some(Standing::Gone) => return Some(gone(&job)),
            Some(Standing::Waiting | Standing::Running) | None => {}
        }
        if stop.borrow_and_update().is_some() && !is_told {
            // Asked again after the next poll if this one is lost.
            is_told = answer(backend.cancel(&job)).await.is_ok();
        }
        tokio::select! {
            Ok(()) = heard.changed() => {}
            Ok(()) = stop.changed(), if !is_told => {}
            else => return Some(gone(&job)),
        }
    }
}

fn silent(job: &Job) -> Failure {
    Failure::failed("no_outcome", "the job is over and has left no outcome").on(&job.0)
}

fn gone(job: &Job) -> Failure {
    Failure::of(Class::Transient, "job_gone", "the backend no longer knows the job").on(&job.0)
}

pub(super) fn of_ours(id: AttemptId, failure: Failure) -> Outcome {
    let (files, items, result) = (Vec::new(), ItemCount::default(), Json::Null);
    Outcome { version: VERSION, id, failure: Some(failure), files, result, items, usage: None }
}
