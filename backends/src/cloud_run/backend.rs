//! Attempts as jobs of Cloud Run: made, run once, seen, stopped, removed.
//!
//! A job's name comes from its attempt's, so it is made once. To run it is a call without a name: so it is looked first whether it
//! runs already, and where a call may be on its way, twice.

use super::client::{Clients, clients};
use super::config::{Config, Start};
use super::errors::{failed, is_taken};
use super::job::{attempt_of, description, id};
use super::standing::{Look, look, unusable, why};
use crate::google::{Pins, Where, is_missing};
use futures::future::{BoxFuture, try_join_all};
use google_cloud_run_v2::model::Job as Described;
use pipe_engine::attempt::Attempt;
use pipe_engine::backend::{Backend, Job, JobThere, Standing};
use pipe_engine::event::JobPage;
use pipe_engine::failpoint::reach;
use pipe_engine::failure::{Class, Failure};
use pipe_engine::finding::Finding;
use pipe_engine::ids::AttemptId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;
use std::time::Duration;
use tokio::sync::OnceCell;

/// So many jobs are asked one by one; of more all of the region are listed, of which there are at most a thousand.
const FEW: usize = 3;
/// How many jobs a page of a list should have, and how many questions are asked side by side.
const PAGE: i32 = 1000;
const SIDE_BY_SIDE: usize = 16;
/// How often, and at which distance, it is looked whether a job that was made is ready to run.
const LOOKS: u32 = 30;
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
/// What the name of an execution ends with that begins together with its job.
pub(super) const TOKEN: &str = "1";

/// Cloud Run, as one spec and one store use it.
pub(super) struct CloudRunJobs {
    pub(super) config: Config,
    pub(super) store: String,
    /// The first is asked first.
    pub(super) regions: Vec<Where>,
    clients: OnceCell<Clients>,
    pins: Pins,
    /// Whether a job that was asked began as it was made, once one was.
    pub(super) begins_by_token: OnceLock<bool>,
}

impl CloudRunJobs {
    /// The settings were checked.
    pub(super) fn new(config: Config, store: &str) -> Self {
        let project = config.project.clone().unwrap_or_default();
        let at = |region: &str| Where { project: project.clone(), region: region.to_owned() };
        let regions = config.regions().map(at).collect();
        Self {
            config,
            store: store.to_owned(),
            regions,
            clients: OnceCell::new(),
            pins: Pins::default(),
            begins_by_token: OnceLock::new(),
        }
    }

    /// Where a thing is that has this whole name.
    pub(super) fn at(&self, name: &str) -> &Where {
        let is_there = |at: &&Where| name.strip_prefix(&at.to_string()).is_some_and(|rest| rest.starts_with('/'));
        self.regions.iter().find(is_there).unwrap_or(&self.regions[0])
    }

    /// Where an attempt is to run.
    pub(super) fn place(&self, attempt: &Attempt) -> &Where {
        let wanted = attempt.provision.as_ref().and_then(|provision| provision.region.as_ref());
        let wanted = wanted.and_then(|wanted| self.regions.iter().find(|at| at.region == *wanted));
        wanted.unwrap_or(&self.regions[0])
    }

    pub(super) async fn clients(&self) -> Result<&Clients, Failure> {
        self.clients.get_or_try_init(|| clients(self.config.endpoint.as_deref())).await
    }

    /// A job by its whole name.
    async fn job(&self, name: &str) -> Result<Option<Described>, Failure> {
        match self.clients().await?.jobs.get_job().set_name(name).send().await {
            Ok(job) => Ok(Some(job)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(failed(&error, "look at a job", self.at(name))),
        }
    }

    /// Whether a job was ever run. It tells of its newest execution itself, and a list of its executions may be late; so
    /// both are asked.
    pub(super) async fn has_run(&self, job: &Described) -> Result<bool, Failure> {
        if job.latest_created_execution.is_some() || job.execution_count > 0 {
            return Ok(true);
        }
        let listed = self.clients().await?.executions.list_executions().set_parent(&job.name).send().await;
        match listed {
            Ok(page) => Ok(!page.executions.is_empty()),
            Err(error) if is_missing(&error) => Ok(false),
            Err(error) => Err(failed(&error, "list the executions of a job", self.at(&job.name))),
        }
    }

    /// Makes the job of an attempt. Returns whether it was not there yet.
    pub(super) async fn make(&self, at: &Where, id: &str, job: Described) -> Result<bool, Failure> {
        let create = self.clients().await?.jobs.create_job().set_parent(at.to_string()).set_job_id(id).set_job(job);
        match create.send().await {
            Ok(_) => Ok(true),
            Err(error) if is_taken(&error) => Ok(false),
            Err(error) => Err(failed(&error, "make a job", at)),
        }
    }

    /// A job as soon as Cloud Run has looked at all that it names.
    pub(super) async fn ready(&self, name: &str) -> Result<Described, Failure> {
        for _ in 0..LOOKS {
            match self.job(name).await? {
                Some(job) if job.reconciling && job.latest_created_execution.is_none() => {
                    tokio::time::sleep(BETWEEN_LOOKS).await
                }
                Some(job) => return Ok(job),
                None => return Err(Failure::of(Class::Transient, "job_gone", "the job was removed").on(name)),
            }
        }
        Err(Failure::of(Class::Transient, "not_ready", "the job was made and does not get ready").on(name))
    }

    /// An attempt's job that somebody has made before us, if it has run or is about to. One that nobody has run is removed: it
    /// may be of settings that were mended since.
    async fn taken_over(&self, name: &str) -> Result<bool, Failure> {
        for is_last in [false, true] {
            let Some(job) = self.job(name).await? else { return Ok(false) };
            if self.has_run(&job).await? {
                return Ok(true);
            }
            // Whoever made it may be just about to run it, or the call that runs it may be on its way.
            if !is_last {
                tokio::time::sleep(self.poll_every()).await;
            }
        }
        tracing::info!(job = name, "makes a job anew that was made and never run");
        self.remove(name).await.map(|()| false)
    }

    /// Another engine may have come to another region with the same attempt: its job counts when it has run, and is removed
    /// when nobody has run it. Who has made a job looks there before running it, so of two one at most runs.
    async fn is_elsewhere(&self, attempt: &AttemptId, at: &Where) -> Result<Option<Job>, Failure> {
        for other in self.regions.iter().filter(|other| other.region != at.region) {
            let name = self.name(other, attempt);
            if self.taken_over(&name).await? {
                return Ok(Some(Job(name)));
            }
        }
        Ok(None)
    }

    async fn hand_over(&self, attempt: &Attempt) -> Result<Job, Failure> {
        let (at, id) = (self.place(attempt), id(&attempt.id, &self.store));
        let name = self.name(at, &attempt.id);
        let attempt = &self.pinned(attempt).await;
        let job = description(&self.config, &at.project, &self.store, attempt)?;
        let job = self.beginning(job);
        if !self.make(at, &id, job.clone()).await? {
            if self.taken_over(&name).await? {
                return Ok(Job(name));
            }
            if !self.make(at, &id, job).await? {
                return Err(Failure::of(Class::Transient, "busy", "the job is being removed").on(name));
            }
        }
        if let Some(other) = self.is_elsewhere(&attempt.id, at).await? {
            self.remove(&name).await?;
            return Ok(other);
        }
        let run = self.run(&name).await;
        if run.as_ref().is_err_and(|failure| failure.class != Class::Transient) {
            // It was refused, so nothing runs. Whoever comes next, perhaps with better settings, need not look twice.
            let _ = self.remove(&name).await;
        }
        run.map(|()| Job(name))
    }

    /// The attempt with the image that its tag stands for.
    pub(super) async fn pinned(&self, attempt: &Attempt) -> Attempt {
        self.pins.pin(attempt, self.config.image.as_deref(), self.config.endpoint.as_deref()).await
    }

    /// A job that begins in the way that the spec says.
    pub(super) fn beginning(&self, job: Described) -> Described {
        match self.config.start {
            Start::Run => job,
            Start::Token => job.set_start_execution_token(TOKEN),
        }
    }

    pub(super) async fn run(&self, name: &str) -> Result<(), Failure> {
        reach("afar.made");
        let job = self.ready(name).await?;
        if self.has_run(&job).await? {
            return Ok(());
        }
        if let Some(why) = unusable(&job, self.at(name)) {
            return Err(why);
        }
        if self.config.start == Start::Token {
            let failure = Failure::failed("token_ignored", "the job was made, and was not begun with it").on(name);
            return Err(failure.help("write `start = \"run\"` into the backend: this project has no start tokens"));
        }
        let run = self.clients().await?.jobs.run_job().set_name(name);
        run.send().await.map(drop).map_err(|error| failed(&error, "run a job", self.at(name)))
    }

    /// Those of these jobs that a list of all has, of each region where one of them is.
    async fn listed(&self, jobs: &[Job]) -> Result<BTreeMap<String, Described>, Failure> {
        let wanted: BTreeSet<&str> = jobs.iter().map(|job| job.0.as_str()).collect();
        let is_asked = |at: &&Where| jobs.iter().any(|job| self.at(&job.0).region == at.region);
        let places: Vec<&Where> = self.regions.iter().filter(is_asked).collect();
        self.all(&places, |name| wanted.contains(name)).await
    }

    /// The jobs of some regions that have a wanted name, by their names.
    async fn all(
        &self,
        places: &[&Where],
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<BTreeMap<String, Described>, Failure> {
        let mut found = BTreeMap::new();
        for at in places {
            let ours = self.every_in(at).await?.into_iter().filter(|job| is_wanted(&job.name));
            found.extend(ours.map(|job| (job.name.clone(), job)));
        }
        Ok(found)
    }

    /// All jobs of all regions.
    pub(super) async fn every(&self) -> Result<Vec<Described>, Failure> {
        let mut found = Vec::new();
        for at in &self.regions {
            found.extend(self.every_in(at).await?);
        }
        Ok(found)
    }

    /// All jobs of a region.
    pub(super) async fn every_in(&self, at: &Where) -> Result<Vec<Described>, Failure> {
        let (mut found, mut token) = (Vec::new(), String::new());
        loop {
            let list = self.clients().await?.jobs.list_jobs().set_parent(at.to_string()).set_page_size(PAGE);
            let page = list.set_page_token(token).send().await;
            let page = page.map_err(|error| failed(&error, "list jobs", at))?;
            found.extend(page.jobs);
            token = page.next_page_token;
            if token.is_empty() {
                return Ok(found);
            }
        }
    }

    async fn standings(&self, jobs: &[Job]) -> Result<Vec<Standing>, Failure> {
        let listed = if jobs.len() > FEW { self.listed(jobs).await? } else { BTreeMap::new() };
        let mut standings = Vec::with_capacity(jobs.len());
        for some in jobs.chunks(SIDE_BY_SIDE) {
            let some: Vec<_> = some.iter().map(|job| self.standing(&job.0, listed.get(&job.0))).collect();
            standings.extend(try_join_all(some).await?);
        }
        Ok(standings)
    }

    /// `listed`: the job as a list had it. A list may be late, so one that is not in it is asked for by name.
    async fn standing(&self, name: &str, listed: Option<&Described>) -> Result<Standing, Failure> {
        let look = match listed {
            Some(job) => look(job, self.at(name)),
            None => match self.job(name).await? {
                Some(job) => look(&job, self.at(name)),
                None => return Ok(Standing::Gone),
            },
        };
        let execution = match look {
            Look::Known(standing) => return Ok(standing),
            Look::Ended(execution) => execution,
        };
        let execution = self.clients().await?.executions.get_execution().set_name(execution).send().await;
        let execution = execution.map_err(|error| failed(&error, "look at an execution", self.at(name)))?;
        Ok(Standing::Over(why(&execution, self.at(name))))
    }

    async fn stop(&self, name: &str) -> Result<(), Failure> {
        let Some(job) = self.job(name).await? else { return Ok(()) };
        let Some(last) = job.latest_created_execution else {
            // Whatever may be about to run goes with its job.
            return self.remove(name).await;
        };
        if last.completion_time.is_some() {
            return Ok(());
        }
        let cancelled = self.clients().await?.executions.cancel_execution().set_name(last.name).send().await;
        let Err(error) = cancelled else { return Ok(()) };
        // It may have ended meanwhile, which is as good.
        let now = self.job(name).await?.and_then(|job| job.latest_created_execution);
        match now {
            Some(last) if last.completion_time.is_none() => Err(failed(&error, "cancel a job", self.at(name))),
            _ => Ok(()),
        }
    }

    async fn remove(&self, name: &str) -> Result<(), Failure> {
        match self.clients().await?.jobs.delete_job().set_name(name).send().await {
            Ok(_) => Ok(()),
            Err(error) if is_missing(&error) => Ok(()),
            Err(error) => Err(failed(&error, "remove a job", self.at(name))),
        }
    }

    pub(super) fn name(&self, at: &Where, attempt: &AttemptId) -> String {
        format!("{at}/jobs/{}", id(attempt, &self.store))
    }

    /// The jobs of this store of which none runs: it was never run, or it is over.
    async fn at_rest(&self) -> Result<Vec<(AttemptId, Job)>, Failure> {
        let of = |name: &str| attempt_of(name, &self.store);
        let everywhere: Vec<&Where> = self.regions.iter().collect();
        let ours = self.all(&everywhere, |name| of(name).is_some()).await?;
        let runs =
            |job: &Described| job.latest_created_execution.as_ref().is_some_and(|last| last.completion_time.is_none());
        let idle = ours.into_iter().filter(|(_, job)| !runs(job));
        Ok(idle.filter_map(|(name, _)| Some((of(&name)?, Job(name)))).collect())
    }

    /// A job that was made and never run is not there yet: who submits it comes to it.
    async fn found(&self, attempt: &AttemptId) -> Result<Option<Job>, Failure> {
        for at in &self.regions {
            let name = self.name(at, attempt);
            let Some(job) = self.job(&name).await? else { continue };
            if self.has_run(&job).await? {
                return Ok(Some(Job(name)));
            }
        }
        Ok(None)
    }
}

impl Backend for CloudRunJobs {
    fn submit<'a>(&'a self, attempt: &'a Attempt) -> BoxFuture<'a, Result<Job, Failure>> {
        Box::pin(self.hand_over(attempt))
    }

    fn find<'a>(&'a self, attempt: &'a AttemptId) -> BoxFuture<'a, Result<Option<Job>, Failure>> {
        Box::pin(self.found(attempt))
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

    fn check<'a>(&'a self, trials: &'a [Attempt]) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(self.checked(trials))
    }

    fn ask<'a>(&'a self, trial: &'a Attempt, words: &'a [String]) -> BoxFuture<'a, Result<Job, Failure>> {
        Box::pin(self.asked(trial, words))
    }

    fn learned(&self) -> Vec<Finding> {
        self.about_tokens()
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
