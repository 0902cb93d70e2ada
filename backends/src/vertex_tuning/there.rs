//! What is asked before a run, the jobs of a store that go on, and where a person finds one.

use super::backend::TuningJobs;
use super::job::{OF_ATTEMPT, attempt_of};
use super::standing::{look, standing};
use crate::google::{Where, about};
use pipe_engine::attempt::Attempt;
use pipe_engine::backend::{Job, JobThere};
use pipe_engine::event::JobPage;
use pipe_engine::failure::Failure;
use pipe_engine::finding::Finding;

/// Who we are, whether the service is on, and whether project and region are there: a list tells all of it.
pub(super) async fn checked(place: &TuningJobs) -> Vec<Finding> {
    match place.listed(None).await {
        Err(failure) => vec![Finding::error(failure)],
        Ok(_) => {
            let found = Finding::good("jobs_listed", "its tuning jobs can be looked at").on(place.at.to_string());
            let message = "Vertex AI looks at a tuning as it makes it, so whether it takes one is not known beforehand";
            vec![found, Finding::unknown("not_tried", message)]
        }
    }
}

/// The jobs of this store that go on. Those that are over stay for ever, and nobody need do anything about them.
pub(super) async fn of_store(place: &TuningJobs) -> Result<Vec<JobThere>, Failure> {
    let jobs = place.listed(None).await?;
    let told = jobs.iter().filter(|job| !look(job).is_over()).filter_map(|job| {
        let attempt = attempt_of(job, &place.store)?;
        Some(JobThere {
            job: Job(job.name.clone()),
            attempt,
            about: about(&job.labels),
            standing: standing(job, &place.at),
        })
    });
    Ok(told.collect())
}

/// Where the job of an attempt is looked for. What it is called is not known before Vertex AI has given it a number.
pub(super) fn page_of(place: &TuningJobs, attempt: &Attempt) -> JobPage {
    let Where { project, region } = &place.at;
    let job = format!("{OF_ATTEMPT}={}", attempt.id);
    let log = format!(
        "curl -H \"Authorization: Bearer $(gcloud auth print-access-token)\" \
         \"https://{region}-aiplatform.googleapis.com/v1/{at}/tuningJobs?filter=labels.{OF_ATTEMPT}%3D{id}\"",
        at = place.at,
        id = attempt.id
    );
    let link = format!("https://console.cloud.google.com/vertex-ai/studio/tuning?project={project}");
    JobPage { job, link, log }
}
