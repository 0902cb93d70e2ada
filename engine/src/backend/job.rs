//! What a place elsewhere does for a run: takes attempts as jobs, tells how they stand, stops them.

use crate::attempt::Attempt;
use crate::event::{Doubles, JobPage};
use crate::failure::Failure;
use crate::finding::Finding;
use crate::ids::AttemptId;
use futures::future::BoxFuture;
use serde_json::Value as Json;
use std::future::ready;
use std::time::Duration;

/// A job of a backend, by the name it has there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Job(pub String);

/// How a job stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It waits for a machine.
    Waiting,
    /// It runs.
    Running,
    /// It is over, for the reason its backend tells when its worker could not.
    Over(Option<Failure>),
    /// Nobody knows of it.
    Gone,
}

/// A job that a backend has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobThere {
    /// Its name there.
    pub job: Job,
    /// The attempt it was made for.
    pub attempt: AttemptId,
    /// What of its attempt its backend knows, for people.
    pub about: Option<String>,
    /// How it stands; why it ended need not be asked.
    pub standing: Standing,
}

/// A place elsewhere that is ready for use.
///
/// A call may be lost on its way there or back, and may have had its effect all the same. So each may be made again, and
/// the name of a job comes from its attempt's name alone: whoever asks for it, on whichever machine, asks for the same
/// job.
pub trait Backend: Send + Sync {
    /// Hands an attempt over. One that is there already is that same job and no error: there are never two of one name.
    fn submit<'a>(&'a self, attempt: &'a Attempt) -> BoxFuture<'a, Result<Job, Failure>>;

    /// Hands a request over in place of an attempt that would run, as [`Backend::submit`] does with attempts.
    fn request<'a>(&'a self, _attempt: &'a Attempt, _request: &'a Json) -> BoxFuture<'a, Result<Job, Failure>> {
        let cannot = Failure::failed("no_service", "this place runs attempts and takes no requests");
        Box::pin(ready(Err(cannot)))
    }

    /// What the service has answered whose job ended well and left no outcome.
    fn answer<'a>(&'a self, _job: &'a Job) -> BoxFuture<'a, Result<Json, Failure>> {
        let cannot = Failure::failed("no_service", "this place runs attempts and takes no requests");
        Box::pin(ready(Err(cannot)))
    }

    /// The job of an attempt, if it was ever handed over and not removed since.
    fn find<'a>(&'a self, attempt: &'a AttemptId) -> BoxFuture<'a, Result<Option<Job>, Failure>>;

    /// How these jobs stand, in their order.
    fn poll<'a>(&'a self, jobs: &'a [Job]) -> BoxFuture<'a, Result<Vec<Standing>, Failure>>;

    /// Tells a job to stop, with whatever grace the backend gives. It is no error when it is over.
    fn cancel<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<(), Failure>>;

    /// The end of this job's attempt is in the journal for good, so the job may be removed. Who has nothing to remove does
    /// nothing.
    fn forget<'a>(&'a self, _job: &'a Job) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(ready(Ok(())))
    }

    /// The jobs besides this one that its attempt had, once that has ended. A place that takes names for jobs has none.
    fn doubles<'a>(&'a self, _job: &'a Job) -> BoxFuture<'a, Result<Doubles, Failure>> {
        Box::pin(ready(Ok(Doubles::default())))
    }

    /// What a run would find there that hands over attempts such as these: who we are there, what we may do, whether what they
    /// name is there. It is asked before the run; nothing is made and nothing runs.
    fn check<'a>(&'a self, _trials: &'a [Attempt]) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(ready(Vec::new()))
    }

    /// Runs the program of an attempt's image with these words in place of the attempt, as a job that is polled and forgotten as
    /// others are.
    fn ask<'a>(&'a self, _trial: &'a Attempt, _words: &'a [String]) -> BoxFuture<'a, Result<Job, Failure>> {
        let cannot = Failure::failed("not_asked", "this place runs nothing but attempts");
        Box::pin(ready(Err(cannot)))
    }

    /// What was seen of the place itself as jobs were asked; nothing before.
    fn learned(&self) -> Vec<Finding> {
        Vec::new()
    }

    /// All jobs that are there of attempts of its store, whoever has made them and whether or not they are over.
    fn jobs(&self) -> BoxFuture<'_, Result<Vec<JobThere>, Failure>> {
        Box::pin(ready(Err(Failure::failed("no_list", "this place does not tell which jobs it has"))))
    }

    /// Where a person finds the job of an attempt, as its description says where it is to be. Nobody is asked, so it need not be
    /// there.
    fn page(&self, _attempt: &Attempt) -> Option<JobPage> {
        None
    }

    /// Attempts of this store whose jobs are there and do not run: engines that died may have left them. A place that has nothing
    /// to remove knows of none.
    fn idle(&self) -> BoxFuture<'_, Result<Vec<(AttemptId, Job)>, Failure>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    /// How long to wait between two polls.
    fn poll_every(&self) -> Duration {
        Duration::from_secs(10)
    }
}
