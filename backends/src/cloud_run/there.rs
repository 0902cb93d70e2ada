//! The jobs of a store that are there, where a person finds one, and jobs that only answer a question.

use super::backend::{CloudRunJobs, TOKEN};
use super::config::Start;
use super::job::{description, id};
use super::standing::{Look, log_of, look};
use crate::google::about;
use google_cloud_run_v2::model::Job as Described;
use pipe_engine::attempt::Attempt;
use pipe_engine::backend::{Job, JobThere, Standing};
use pipe_engine::event::JobPage;
use pipe_engine::failure::Failure;
use pipe_engine::finding::Finding;
use pipe_engine::ids::AttemptId;

/// The label of a job that says whose it is.
const ATTEMPT: &str = "pipe-attempt";
/// The code of a failure when the service does not take what it is sent.
const REFUSED: &str = "refused";

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
        let id = id(&trial.id, &self.store);
        // Whether a project has start tokens must be tried, and this is the job to try it with.
        let made = match self.make(at, &id, job.clone().set_start_execution_token(TOKEN)).await {
            Err(failure) if failure.code == REFUSED && self.config.start == Start::Run => self.make(at, &id, job).await,
            made => made,
        };
        made?;
        let has_begun = self.has_run(&self.ready(&name).await?).await?;
        let _ = self.begins_by_token.set(has_begun);
        self.run(&name).await.map(|()| Job(name))
    }

    /// Whether jobs begin as they are made, once that was tried.
    pub(super) fn about_tokens(&self) -> Vec<Finding> {
        let message = match (self.begins_by_token.get(), self.config.start) {
            (Some(true), Start::Run) => {
                "a job began as it was made, by a start token: `start = \"token\"` of the backend begins each so"
            }
            (Some(true), Start::Token) => "a job began as it was made, by a start token, as each will",
            (Some(false), Start::Run) => "start tokens are not heeded here: each job is begun by a call of its own",
            // One that was to begin so and did not has failed for that.
            (Some(false), Start::Token) | (None, _) => return Vec::new(),
        };
        vec![Finding::good("start", message)]
    }
}
