//! The jobs of a store that are there, where a person finds one, and jobs that only answer a question.

use super::backend::VertexJobs;
use super::errors::failed;
use super::job::{asking, attempt_of, shown};
use super::siblings::chosen;
use super::standing::{Look, look};
use crate::google::{Where, about};
use google_cloud_aiplatform_v1::model::CustomJob;
use pipe_engine::attempt::Attempt;
use pipe_engine::backend::{Job, JobThere, Standing};
use pipe_engine::event::JobPage;
use pipe_engine::failure::Failure;
use pipe_engine::ids::AttemptId;
use std::collections::BTreeMap;

impl VertexJobs {
    /// The jobs of this store: those that are shown as those of its attempts are. An attempt may have two.
    pub(super) async fn of_store(&self) -> Result<Vec<JobThere>, Failure> {
        let all = self.listed(&self.ours()).await?;
        Ok(all.iter().filter_map(|job| self.told_of(job)).collect())
    }

    fn told_of(&self, job: &CustomJob) -> Option<JobThere> {
        let attempt = attempt_of(&job.display_name, &self.store)?;
        let standing = match look(job) {
            Look::Waiting => Standing::Waiting,
            Look::Running | Look::Stopping => Standing::Running,
            // It knows why itself, which nobody asks here.
            Look::Stopped | Look::Left | Look::Done | Look::Failed => Standing::Over(None),
        };
        Some(JobThere { job: Job(job.name.clone()), attempt, about: about(&job.labels), standing })
    }

    /// The attempts of this store that have jobs of which none runs or is to run.
    pub(super) async fn at_rest(&self) -> Result<Vec<(AttemptId, Job)>, Failure> {
        let all = self.listed(&self.ours()).await?;
        let mut jobs_of: BTreeMap<AttemptId, Vec<&CustomJob>> = BTreeMap::new();
        for job in &all {
            if let Some(attempt) = attempt_of(&job.display_name, &self.store) {
                jobs_of.entry(attempt).or_default().push(job);
            }
        }
        jobs_of.retain(|_, jobs| jobs.iter().all(|job| look(job).is_over()));
        let known = |(attempt, jobs): (AttemptId, Vec<&CustomJob>)| Some((attempt, Job(chosen(&jobs)?.name.clone())));
        Ok(jobs_of.into_iter().filter_map(known).collect())
    }

    /// Where the job of an attempt is looked for while it is there. What it is called, and with that its log, is not known before
    /// Vertex AI has given it a number; a failure tells the log of the job that it befell.
    pub(super) fn page_of(&self, attempt: &Attempt) -> JobPage {
        let Where { project, region } = &self.place(attempt).at;
        let job = shown(&attempt.id, &self.store);
        let number = format!(
            "gcloud ai custom-jobs list --project {project} --region {region} --filter displayName={job} --limit 1 \
             --format 'value(name.basename())'"
        );
        let log = format!(
            "gcloud logging read \"resource.type=ml_job resource.labels.job_id=$({number})\" --project {project} --order asc"
        );
        let link = format!("https://console.cloud.google.com/vertex-ai/training/custom-jobs?project={project}");
        JobPage { job, link, log }
    }

    /// Runs the image of an attempt with other words, under the attempt's name.
    pub(super) async fn asked(&self, trial: &Attempt, words: &[String]) -> Result<Job, Failure> {
        let job = asking(&self.config, &self.store, &self.pinned(trial).await, words)?;
        let region = self.place(trial);
        let create = self.client(region).await?.create_custom_job();
        let made = create.set_parent(region.at.to_string()).set_custom_job(job).send().await;
        made.map(|job| Job(job.name)).map_err(|error| failed(&error, "make a job", &region.at))
    }
}
