//! Attempts as custom jobs of Vertex AI: made, seen, stopped, removed.
//!
//! A job has no name to choose, and runs as soon as it is made. It is found by what it is shown as, which comes from its attempt
//! and its store. A list may be late, so there may be two of one attempt, also in two regions: `siblings` says which counts, and
//! the attempt's claim in the store that only one works. So all regions are looked at, wherever an attempt is to run.

use super::client::client;
use super::config::Config;
use super::errors::failed;
use super::job::{description, family, shown};
use super::siblings::{chosen, doubles, standing, superfluous};
use super::standing::look;
use crate::google::{Doubts, Pins, Where, is_missing};
use futures::future::{BoxFuture, try_join_all};
use google_cloud_aiplatform_v1::client::JobService;
use google_cloud_aiplatform_v1::model::CustomJob;
use pipe_engine::attempt::Attempt;
use pipe_engine::backend::{Backend, Job, JobThere, Standing};
use pipe_engine::event::{Doubles, JobPage};
use pipe_engine::failpoint::reach;
use pipe_engine::failure::{Class, Failure};
use pipe_engine::finding::Finding;
use pipe_engine::ids::AttemptId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::OnceCell;

/// How many jobs a page of a list has, and how many questions are asked side by side.
const PAGE: i32 = 100;
const SIDE_BY_SIDE: usize = 16;
/// How many polls the job may be missing in the lists to which all that are known have left their attempt.
const POLLS_IN_DOUBT: u32 = 30;
/// How often it is looked whether a job that is too many has stopped, before it is left alone.
const LOOKS_AT_THE_END: u32 = 3;

/// Vertex AI, as one spec and one store use it.
pub(super) struct VertexJobs {
    pub(super) config: Config,
    pub(super) store: String,
    /// The first is asked first.
    pub(super) regions: Vec<Region>,
    doubts: Doubts,
    /// How many polls have seen only jobs that had left their attempt, by its first job.
    left: Mutex<BTreeMap<String, u32>>,
    pins: Pins,
}

/// A region, and the way there: each has an address of its own.
pub(super) struct Region {
    pub(super) at: Where,
    client: OnceCell<JobService>,
}

impl VertexJobs {
    /// The settings were checked.
    pub(super) fn new(config: Config, store: &str) -> Self {
        let project = config.project.clone().unwrap_or_default();
        let at = |region: &str| Where { project: project.clone(), region: region.to_owned() };
        let regions = config.regions().map(|region| Region { at: at(region), client: OnceCell::new() }).collect();
        let (doubts, left) = (Doubts::default(), Mutex::default());
        Self { config, store: store.to_owned(), regions, doubts, left, pins: Pins::default() }
    }

    pub(super) async fn client<'a>(&self, region: &'a Region) -> Result<&'a JobService, Failure> {
        let (endpoint, name) = (self.config.endpoint.as_deref(), &region.at.region);
        region.client.get_or_try_init(|| client(endpoint, name)).await
    }

    /// Where a job is that has this whole name, `projects/P/locations/R/customJobs/N`. Vertex AI writes the project's number there
    /// and not the name that we know, so the region alone tells.
    pub(super) fn region(&self, name: &str) -> &Region {
        let named = name.split('/').nth(3);
        let is_there = |known: &&Region| Some(known.at.region.as_str()) == named;
        self.regions.iter().find(is_there).unwrap_or(&self.regions[0])
    }

    /// Where an attempt is to run.
    pub(super) fn place(&self, attempt: &Attempt) -> &Region {
        let wanted = attempt.provision.as_ref().and_then(|provision| provision.region.as_ref());
        let wanted = wanted.and_then(|wanted| self.regions.iter().find(|known| known.at.region == *wanted));
        wanted.unwrap_or(&self.regions[0])
    }

    /// A job by its whole name.
    async fn job(&self, name: &str) -> Result<Option<CustomJob>, Failure> {
        let region = self.region(name);
        match self.client(region).await?.get_custom_job().set_name(name).send().await {
            Ok(job) => Ok(Some(job)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(failed(&error, "look at a job", &region.at)),
        }
    }

    /// All jobs that a filter takes, as the lists of all regions have them.
    pub(super) async fn listed(&self, filter: &str) -> Result<Vec<CustomJob>, Failure> {
        let asked: Vec<_> = self.regions.iter().map(|region| self.listed_in(region, filter)).collect();
        Ok(try_join_all(asked).await?.into_iter().flatten().collect())
    }

    /// The same of one region.
    pub(super) async fn listed_in(&self, region: &Region, filter: &str) -> Result<Vec<CustomJob>, Failure> {
        let (mut found, mut token) = (Vec::new(), String::new());
        loop {
            let list = self.client(region).await?.list_custom_jobs().set_parent(region.at.to_string());
            let list = list.set_filter(filter).set_page_size(PAGE).set_page_token(token);
            let page = list.send().await.map_err(|error| failed(&error, "list jobs", &region.at))?;
            found.extend(page.custom_jobs);
            token = page.next_page_token;
            if token.is_empty() {
                return Ok(found);
            }
        }
    }

    /// The jobs that are shown as this.
    async fn shown_as(&self, shown: &str) -> Result<Vec<CustomJob>, Failure> {
        let mut jobs = self.listed(&format!("display_name=\"{shown}\"")).await?;
        jobs.retain(|job| job.display_name == shown);
        Ok(jobs)
    }

    /// The job of an attempt, if there is one to be seen.
    async fn there(&self, attempt: &AttemptId) -> Result<Option<Job>, Failure> {
        let shown = &shown(attempt, &self.store);
        let look = || async move {
            let jobs = self.shown_as(shown).await?;
            Ok(chosen(&jobs.iter().collect::<Vec<_>>()).map(|job| Job(job.name.clone())))
        };
        self.doubts.find(attempt, self.poll_every(), look).await
    }

    async fn hand_over(&self, attempt: &Attempt) -> Result<Job, Failure> {
        let job = description(&self.config, &self.store, &self.pinned(attempt).await)?;
        if let Some(job) = self.there(&attempt.id).await? {
            return Ok(job);
        }
        let region = self.place(attempt);
        let create = self.client(region).await?.create_custom_job();
        let create = create.set_parent(region.at.to_string()).set_custom_job(job);
        self.doubts.begin(&attempt.id);
        let made = create.send().await.map_err(|error| failed(&error, "make a job", &region.at));
        reach("afar.made");
        self.doubts.end(&attempt.id, &made);
        made.map(|job| Job(job.name))
    }

    /// The attempt with the image that its tag stands for.
    pub(super) async fn pinned(&self, attempt: &Attempt) -> Attempt {
        self.pins.pin(attempt, self.config.image.as_deref(), self.config.endpoint.as_deref()).await
    }

    /// The filter that takes the jobs of this store.
    pub(super) fn ours(&self) -> String {
        format!("display_name:\"{}*\"", family(&self.store))
    }

    async fn standings(&self, jobs: &[Job]) -> Result<Vec<Standing>, Failure> {
        let mut all = self.listed(&self.ours()).await?;
        let known: BTreeSet<&str> = all.iter().map(|job| job.name.as_str()).collect();
        // A list may be late, so one that is not in it is asked for by name.
        let missing: Vec<&str> = jobs.iter().map(|job| job.0.as_str()).filter(|name| !known.contains(name)).collect();
        let mut unlisted = Vec::new();
        for some in missing.chunks(SIDE_BY_SIDE) {
            let asked: Vec<_> = some.iter().map(|name| self.job(name)).collect();
            unlisted.extend(try_join_all(asked).await?.into_iter().flatten());
        }
        all.extend(unlisted);
        let mut standings = Vec::with_capacity(jobs.len());
        for job in jobs {
            standings.push(self.standing(&job.0, &all).await);
        }
        Ok(standings)
    }

    /// `all`: the jobs of this store, as far as they can be seen.
    async fn standing(&self, name: &str, all: &[CustomJob]) -> Standing {
        let Some(job) = all.iter().find(|job| job.name == name) else { return Standing::Gone };
        let jobs: Vec<&CustomJob> = all.iter().filter(|other| other.display_name == job.display_name).collect();
        for job in superfluous(&jobs) {
            tracing::warn!(job = job.name, "stops a second job of one attempt before it begins");
            // If this is lost it is seen again at the next look.
            let _ = self.tell_to_stop(&job.name).await;
        }
        let at = &self.region(name).at;
        if let Some(standing) = standing(&jobs, at) {
            return standing;
        }
        // The one that has the attempt is in no list yet.
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let polls = left.entry(name.to_owned()).or_default();
        *polls += 1;
        if *polls < POLLS_IN_DOUBT { Standing::Waiting } else { Standing::Over(super::standing::why(job, at)) }
    }

    async fn tell_to_stop(&self, name: &str) -> Result<(), Failure> {
        let region = self.region(name);
        let cancelled = self.client(region).await?.cancel_custom_job().set_name(name).send().await;
        cancelled.map(drop).map_err(|error| failed(&error, "cancel a job", &region.at))
    }

    /// A job and all others of its attempt.
    async fn siblings(&self, name: &str) -> Result<Vec<CustomJob>, Failure> {
        let Some(job) = self.job(name).await? else { return Ok(Vec::new()) };
        let mut jobs = self.shown_as(&job.display_name).await?;
        jobs.retain(|other| other.name != job.name);
        jobs.push(job);
        Ok(jobs)
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

    /// Removes a job and all others of its attempt. Only what is over can be removed.
    async fn remove(&self, name: &str) -> Result<(), Failure> {
        let mut jobs = self.siblings(name).await?;
        for looks_left in (0..LOOKS_AT_THE_END).rev() {
            let (over, others): (Vec<CustomJob>, Vec<CustomJob>) =
                jobs.into_iter().partition(|job| look(job).is_over());
            for job in over {
                self.delete(&job.name).await?;
            }
            let Some(first) = others.first() else { return Ok(()) };
            for job in &others {
                let _ = self.tell_to_stop(&job.name).await;
            }
            if looks_left == 0 {
                break;
            }
            tokio::time::sleep(self.poll_every()).await;
            jobs = self.siblings(&first.name).await?;
        }
        Err(Failure::of(Class::Transient, "not_over", "a job of its attempt does not stop").on(name))
    }

    async fn delete(&self, name: &str) -> Result<(), Failure> {
        let region = self.region(name);
        match self.client(region).await?.delete_custom_job().set_name(name).send().await {
            Ok(_) => Ok(()),
            Err(error) if is_missing(&error) => Ok(()),
            Err(error) => Err(failed(&error, "remove a job", &region.at)),
        }
    }
}

impl Backend for VertexJobs {
    fn submit<'a>(&'a self, attempt: &'a Attempt) -> BoxFuture<'a, Result<Job, Failure>> {
        Box::pin(self.hand_over(attempt))
    }

    fn find<'a>(&'a self, attempt: &'a AttemptId) -> BoxFuture<'a, Result<Option<Job>, Failure>> {
        Box::pin(self.there(attempt))
    }

    fn poll<'a>(&'a self, jobs: &'a [Job]) -> BoxFuture<'a, Result<Vec<Standing>, Failure>> {
        Box::pin(self.standings(jobs))
    }

    fn cancel<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(self.stop(&job.0))
    }

    fn forget<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(self.remove(&job.0))
    }

    fn doubles<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<Doubles, Failure>> {
        Box::pin(async { Ok(doubles(&self.siblings(&job.0).await?)) })
    }

    fn check<'a>(&'a self, trials: &'a [Attempt]) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(self.checked(trials))
    }

    fn ask<'a>(&'a self, trial: &'a Attempt, words: &'a [String]) -> BoxFuture<'a, Result<Job, Failure>> {
        Box::pin(self.asked(trial, words))
    }

    fn jobs(&self) -> BoxFuture<'_, Result<Vec<JobThere>, Failure>> {
        Box::pin(self.of_store())
    }

    fn page(&self, attempt: &Attempt) -> Option<JobPage> {
        Some(self.page_of(attempt))
    }

    fn idle(&self) -> BoxFuture<'_, Result<Vec<(AttemptId, Job)>, Failure>> {
        Box::pin(self.at_rest())
    }

    fn poll_every(&self) -> Duration {
        self.config.poll().into()
    }
}
