//! Requests as tuning jobs of Vertex AI: made, seen, stopped.
//!
//! A job has no name to choose. It is found by its labels, which come from its attempt and its store. A list may be late, so there
//! may be two of one attempt: `siblings` says which counts, and the other is cancelled by whoever looks next. Nothing removes a
//! job that is over.

use super::answer::answer;
use super::client::client;
use super::config::Config;
use super::errors::failed;
use super::job::{OF_ATTEMPT, OF_STORE, Request, attempt_of, description, of_store};
use super::siblings::{chosen, doubles, superfluous};
use super::standing::{look, standing};
use super::{prices, there};
use crate::google::{Doubts, Where, is_missing};
use futures::future::{BoxFuture, try_join_all};
use google_cloud_aiplatform_v1::client::GenAiTuningService;
use google_cloud_aiplatform_v1::model::TuningJob;
use google_cloud_gax::error::Error;
use pipe_engine::attempt::Attempt;
use pipe_engine::backend::{Backend, Job, JobThere, Standing};
use pipe_engine::event::{Doubles, JobPage};
use pipe_engine::failpoint::reach;
use pipe_engine::failure::{Class, Failure};
use pipe_engine::finding::Finding;
use pipe_engine::ids::AttemptId;
use serde_json::Value as Json;
use std::time::Duration;
use tokio::sync::OnceCell;

/// How many jobs a page of a list has.
const PAGE: i32 = 100;

/// The tuning of Vertex AI, as one spec and one store use it.
pub(super) struct TuningJobs {
    pub(super) config: Config,
    pub(super) store: String,
    pub(super) at: Where,
    client: OnceCell<GenAiTuningService>,
    doubts: Doubts,
}

impl TuningJobs {
    /// The settings were checked.
    pub(super) fn new(config: Config, store: &str) -> Self {
        let at = Where {
            project: config.project.clone().unwrap_or_default(),
            region: config.region.clone().unwrap_or_default(),
        };
        Self { config, store: store.to_owned(), at, client: OnceCell::new(), doubts: Doubts::default() }
    }

    async fn client(&self) -> Result<&GenAiTuningService, Failure> {
        self.client.get_or_try_init(|| client(self.config.endpoint.as_deref(), &self.at.region)).await
    }

    fn failed(&self, doing: &'static str) -> impl Fn(Error) -> Failure {
        move |error| failed(&error, doing, &self.at)
    }

    /// A job by its whole name.
    async fn job(&self, name: &str) -> Result<Option<TuningJob>, Failure> {
        match self.client().await?.get_tuning_job().set_name(name).send().await {
            Ok(job) => Ok(Some(job)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(failed(&error, "look at a tuning job", &self.at)),
        }
    }

    /// The jobs of this store, or of one of its attempts, as the list has them.
    pub(super) async fn listed(&self, attempt: Option<&AttemptId>) -> Result<Vec<TuningJob>, Failure> {
        let of_attempt = attempt.map_or_else(String::new, |attempt| format!(" AND labels.{OF_ATTEMPT}={attempt}"));
        let filter = format!("labels.{OF_STORE}={}{of_attempt}", of_store(&self.store));
        let (mut found, mut token) = (Vec::new(), String::new());
        loop {
            let list = self.client().await?.list_tuning_jobs().set_parent(self.at.to_string()).set_filter(&filter);
            let page = list.set_page_size(PAGE).set_page_token(token).send().await;
            let page = page.map_err(self.failed("list tuning jobs"))?;
            found.extend(page.tuning_jobs);
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        // Google says of this filter only that it is one, so what it lets through is looked at again.
        let is_meant = |found: AttemptId| attempt.is_none_or(|attempt| *attempt == found);
        found.retain(|job| attempt_of(job, &self.store).is_some_and(is_meant));
        Ok(found)
    }

    /// The job of an attempt, if there is one to be seen.
    async fn there(&self, attempt: &AttemptId) -> Result<Option<Job>, Failure> {
        let look = || async move {
            let jobs = self.listed(Some(attempt)).await?;
            Ok(chosen(&jobs).map(|job| Job(job.name.clone())))
        };
        self.doubts.find(attempt, self.poll_every(), look).await
    }

    async fn hand_over(&self, attempt: &Attempt, request: &Json) -> Result<Job, Failure> {
        let request = Request::read(request)?;
        prices::check(&self.config, &request)?;
        let job = description(&self.config, &self.store, attempt, request)?;
        if let Some(job) = self.there(&attempt.id).await? {
            return Ok(job);
        }
        let create = self.client().await?.create_tuning_job().set_parent(self.at.to_string()).set_tuning_job(job);
        self.doubts.begin(&attempt.id);
        let made = create.send().await.map_err(self.failed("make a tuning job"));
        reach("afar.made");
        self.doubts.end(&attempt.id, &made);
        made.map(|job| Job(job.name))
    }

    /// A job and all others of its attempt. A list may be late, so the job itself is asked for by name.
    pub(super) async fn siblings(&self, name: &str) -> Result<Vec<TuningJob>, Failure> {
        let Some(job) = self.job(name).await? else { return Ok(Vec::new()) };
        let mut jobs = match attempt_of(&job, &self.store) {
            Some(attempt) => self.listed(Some(&attempt)).await?,
            None => Vec::new(),
        };
        jobs.retain(|other| other.name != job.name);
        jobs.push(job);
        Ok(jobs)
    }

    async fn standing(&self, name: &str) -> Result<Standing, Failure> {
        let jobs = self.siblings(name).await?;
        self.stop_superfluous(&jobs).await;
        Ok(chosen(&jobs).map_or(Standing::Gone, |job| standing(job, &self.at)))
    }

    /// Cancels second jobs. What is lost here is seen again at the next look.
    async fn stop_superfluous(&self, jobs: &[TuningJob]) {
        for job in superfluous(jobs) {
            tracing::warn!(
                job = job.name,
                "cancels a second tuning job of one attempt, which may be paid for until now"
            );
            if let Err(failure) = self.tell_to_stop(&job.name).await {
                tracing::debug!(%failure, "it is told again");
            }
        }
    }

    async fn tell_to_stop(&self, name: &str) -> Result<(), Failure> {
        let cancelled = self.client().await?.cancel_tuning_job().set_name(name).send().await;
        cancelled.map(drop).map_err(self.failed("cancel a tuning job"))
    }

    async fn stop(&self, name: &str) -> Result<(), Failure> {
        for job in self.siblings(name).await?.iter().filter(|job| !look(job).is_over()) {
            let Err(failure) = self.tell_to_stop(&job.name).await else { continue };
            // It may have ended meanwhile, which is as good.
            if self.job(&job.name).await?.is_some_and(|job| !look(&job).is_over()) {
                return Err(failure);
            }
        }
        Ok(())
    }

    async fn answered(&self, name: &str) -> Result<Json, Failure> {
        let jobs = self.siblings(name).await?;
        self.stop_superfluous(&jobs).await;
        let gone = || Failure::of(Class::Transient, "job_gone", "the backend no longer knows the job").on(name);
        let job = chosen(&jobs).ok_or_else(gone)?;
        let others: Vec<&TuningJob> = jobs.iter().filter(|other| other.name != job.name).collect();
        answer(&self.config, job, &others)
    }
}

impl Backend for TuningJobs {
    fn submit<'a>(&'a self, attempt: &'a Attempt) -> BoxFuture<'a, Result<Job, Failure>> {
        let cannot = Failure::failed("no_attempts", "a tuning service runs no attempts").on(attempt.id.to_string());
        Box::pin(async { Err(cannot) })
    }

    fn request<'a>(&'a self, attempt: &'a Attempt, request: &'a Json) -> BoxFuture<'a, Result<Job, Failure>> {
        Box::pin(self.hand_over(attempt, request))
    }

    fn answer<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<Json, Failure>> {
        Box::pin(self.answered(&job.0))
    }

    fn find<'a>(&'a self, attempt: &'a AttemptId) -> BoxFuture<'a, Result<Option<Job>, Failure>> {
        Box::pin(self.there(attempt))
    }

    /// Each by itself: there are few, and a list of them would grow for ever, since none is ever removed.
    fn poll<'a>(&'a self, jobs: &'a [Job]) -> BoxFuture<'a, Result<Vec<Standing>, Failure>> {
        Box::pin(try_join_all(jobs.iter().map(|job| self.standing(&job.0))))
    }

    fn cancel<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(self.stop(&job.0))
    }

    /// Nothing removes a tuning job; none of its attempt goes on.
    fn forget<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(self.stop(&job.0))
    }

    fn doubles<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<Doubles, Failure>> {
        Box::pin(async { Ok(doubles(&self.siblings(&job.0).await?)) })
    }

    fn check<'a>(&'a self, _: &'a [Attempt]) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(there::checked(self))
    }

    fn jobs(&self) -> BoxFuture<'_, Result<Vec<JobThere>, Failure>> {
        Box::pin(there::of_store(self))
    }

    fn page(&self, attempt: &Attempt) -> Option<JobPage> {
        Some(there::page_of(self, attempt))
    }

    fn poll_every(&self) -> Duration {
        self.config.poll().into()
    }
}
