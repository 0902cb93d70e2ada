//! The jobs of a store that are there, where a person finds one, and jobs that only answer a question.

use super::backend::CloudRunJobs;
use super::errors::failed;
use super::job::{description, id};
use super::standing::{Look, log_of, look};
use crate::google::about;
use google_cloud_run_v2::model::Job as Described;
use pipe_engine::attempt::Attempt;
use pipe_engine::backend::{Job, JobThere, Standing};
use pipe_engine::event::JobPage;
use pipe_engine::failure::Failure;
use pipe_engine::ids::AttemptId;

/// The label of a job that says whose it is.
const ATTEMPT: &str = "pipe-attempt";

impl CloudRunJobs {
    /// The jobs of this store: those whose names are made of the attempt that a label names, and of the store.
    pub(super) async fn of_store(&self) -> Result<Vec<JobThere>, Failure> {
        let all = self.every().await?;
        Ok(all.iter().filter_map(|job| self.there(job)).collect())
    }

    fn there(&self, job: &Described) -> Option<JobThere> {
        let attempt = AttemptId(job.labels.get(ATTEMPT)?.clone());
        let at = self.at(&job.name);
        if job.name != self.name(at, &attempt) {
            return None;
        }
        let standing = match look(job, at) {
            Look::Known(standing) => standing,
            // Its execution knows why, which nobody asks here.
            Look::Ended(_) => Standing::Over(None),
        };
        Some(JobThere { job: Job(job.name.clone()), attempt, about: about(&job.labels), standing })
    }

    /// Where the job of an attempt is, or was: it is removed when it is over, and what it printed stays.
    pub(super) fn page_of(&self, attempt: &Attempt) -> JobPage {
        let at = self.place(attempt);
        let (log, link) = log_of(&id(&attempt.id, &self.store), at);
        JobPage { job: self.name(at, &attempt.id), link, log }
    }

    /// Runs the image of an attempt with other words, under the attempt's name.
    pub(super) async fn asked(&self, trial: &Attempt, words: &[String]) -> Result<Job, Failure> {
        let at = self.place(trial);
        let mut job = description(&self.config, &at.project, &self.store, &self.pinned(trial).await)?;
        let task = job.template.as_mut().and_then(|execution| execution.template.as_mut());
        for container in task.into_iter().flat_map(|task| &mut task.containers) {
            container.args = words.to_vec();
        }
        let name = self.name(at, &trial.id);
        let create = self.clients().await?.jobs.create_job().set_parent(at.to_string());
        let made = create.set_job_id(id(&trial.id, &self.store)).set_job(self.beginning(job)).send().await;
        made.map_err(|error| failed(&error, "make a job", at))?;
        self.run(&name).await.map(|()| Job(name))
    }
}
