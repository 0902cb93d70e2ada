//! What is asked before a run: whether jobs are to be had there at all, and whether images are where they are said to be. Vertex AI
//! looks at a job only as it makes it, so no more of it is known beforehand than what can be told here.

use super::backend::VertexJobs;
use super::config::Config;
use super::job::description;
use crate::google::{image_there, secrets_there};
use pipe_engine::attempt::Attempt;
use pipe_engine::finding::Finding;
use std::collections::BTreeSet;

impl VertexJobs {
    /// What a run would find that hands these over. Where there is no way in, nothing else is asked.
    pub(super) async fn checked(&self, trials: &[Attempt]) -> Vec<Finding> {
        let (mut findings, ours) = (Vec::new(), self.ours());
        // Who we are, whether the service is on, and whether project and regions are there: a list of each tells all of it.
        for region in &self.regions {
            if let Err(failure) = self.listed_in(region, &ours).await {
                return vec![Finding::error(failure)];
            }
            findings.push(Finding::good("jobs_listed", "its jobs can be looked at").on(region.at.to_string()));
        }
        let images = trials.iter().filter_map(|trial| self.image(trial));
        for image in images.collect::<BTreeSet<_>>() {
            findings.extend(image_there(image, self.config.endpoint.as_deref()).await);
        }
        let Config { service_account, endpoint, .. } = &self.config;
        findings.extend(secrets_there(trials, service_account.as_deref(), endpoint.as_deref()).await);
        findings.extend(self.described(trials));
        findings
    }

    /// The image that an attempt runs.
    fn image<'a>(&'a self, attempt: &'a Attempt) -> Option<&'a str> {
        let own = attempt.provision.as_ref().and_then(|provision| provision.image.as_deref());
        own.or(self.config.image.as_deref())
    }

    /// Whether there is an image and a machine for each, and secrets that a job can read.
    fn described(&self, trials: &[Attempt]) -> Vec<Finding> {
        let mut refused = Vec::new();
        for failure in trials.iter().filter_map(|trial| description(&self.config, &self.store, trial).err()) {
            let finding = Finding::error(failure);
            // What is wrong with all of them is told once.
            if !refused.contains(&finding) {
                refused.push(finding);
            }
        }
        if refused.is_empty() && !trials.is_empty() {
            let message =
                "Vertex AI looks at a job as it makes it, so whether it takes such jobs is not known beforehand";
            let help = "`pipe check SPEC --run-worker` makes one of each and removes it";
            refused.push(Finding::unknown("not_tried", message).help(help));
        }
        refused
    }
}
