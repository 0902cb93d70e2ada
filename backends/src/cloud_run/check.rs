//! What is asked before a run: whether jobs are to be had there at all, whether images are where they are said to be, and whether
//! Cloud Run would take jobs such as the run's. It is asked to look at one and to make none.

use super::backend::CloudRunJobs;
use super::config::Config;
use super::errors::failed;
use super::job::{description, id};
use crate::google::{Where, image_there, secrets_there};
use pipe_engine::attempt::Attempt;
use pipe_engine::failure::Failure;
use pipe_engine::finding::Finding;
use std::collections::BTreeSet;

/// How many jobs there may be in a region.
/// Source: https://cloud.google.com/run/quotas, read 2026-11.
const MOST: usize = 1000;

impl CloudRunJobs {
    /// What a run would find that hands these over. Where there is no way in, nothing else is asked.
    pub(super) async fn checked(&self, trials: &[Attempt]) -> Vec<Finding> {
        let mut findings = match self.listable().await {
            Ok(findings) => findings,
            Err(failure) => return vec![Finding::error(failure)],
        };
        let images = trials.iter().filter_map(|trial| self.image(trial));
        for image in images.collect::<BTreeSet<_>>() {
            findings.extend(image_there(image, self.config.endpoint.as_deref()).await);
        }
        let Config { service_account, endpoint, .. } = &self.config;
        findings.extend(secrets_there(trials, service_account.as_deref(), endpoint.as_deref()).await);
        let mut refused = Vec::new();
        for trial in trials {
            // It may come to be in any of the regions.
            for at in &self.regions {
                if let Err(failure) = self.taken(trial, at).await {
                    let finding = Finding::error(failure);
                    // What is wrong with all of them is told once.
                    if !refused.contains(&finding) {
                        refused.push(finding);
                    }
                }
            }
        }
        if refused.is_empty() && !trials.is_empty() {
            let message = "Cloud Run takes jobs such as those of this spec, as far as it tells beforehand";
            refused.push(Finding::good("jobs_taken", message));
        }
        findings.extend(refused);
        findings
    }

    /// The image that an attempt runs.
    pub(super) fn image<'a>(&'a self, attempt: &'a Attempt) -> Option<&'a str> {
        let own = attempt.provision.as_ref().and_then(|provision| provision.image.as_deref());
        own.or(self.config.image.as_deref())
    }

    /// Who we are, whether the service is on, and whether project and regions are there: a list of each tells all of it.
    async fn listable(&self) -> Result<Vec<Finding>, Failure> {
        let mut findings = Vec::new();
        for at in &self.regions {
            findings.extend(self.listable_in(at).await?);
        }
        Ok(findings)
    }

    async fn listable_in(&self, at: &Where) -> Result<Vec<Finding>, Failure> {
        let count = self.every_in(at).await?.len();
        let mut findings = vec![Finding::good("jobs_listed", "its jobs can be looked at").on(at.to_string())];
        // All that are wanted at once may come to be in one region.
        let more = usize::try_from(self.config.at_once()).unwrap_or(MOST);
        if count + more > MOST {
            let message =
                format!("there are {count} jobs, a region has {MOST} at most, and {more} more may be wanted at once");
            let help = "remove those that nobody needs (`pipe doctor SPEC --orphans --reap` does so for those of one store), \
                        or say a smaller `at_once` of the backend";
            findings.push(Finding::warning(Failure::failed("many_jobs", message).on(at.to_string()).help(help)));
        }
        Ok(findings)
    }

    /// Whether a job of this attempt would be made in a region. None is.
    async fn taken(&self, trial: &Attempt, at: &Where) -> Result<(), Failure> {
        let job = description(&self.config, &at.project, &self.store, trial)?;
        let create = self.clients().await?.jobs.create_job().set_parent(at.to_string());
        let create = create.set_job_id(id(&trial.id, &self.store)).set_job(job).set_validate_only(true);
        create.send().await.map(drop).map_err(|error| failed(&error, "make a job", at))
    }
}
