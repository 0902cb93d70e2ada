//! A container of a Cloud Run task -> the process that it is here: its variables may hold secrets, which its job's account reads.

use super::state::Jobs;
use crate::process::Process;
use serde_json::Value as Json;
use std::time::Duration;

/// How long a process has between the first signal and the last. Source: Cloud Run's container runtime contract.
const GRACE: Duration = Duration::from_secs(10);

/// Who a job is that does not say whom it acts as. Source: Google's page on the service identity of jobs; the number of every project
/// is 1 here.
const DEFAULT: &str = "1-compute@developer.gserviceaccount.com";

/// Whom the tasks of a template act as.
fn account(template: &Json) -> &str {
    template["serviceAccount"].as_str().filter(|account| !account.is_empty()).unwrap_or(DEFAULT)
}

/// What the only container of a job's tasks runs, or why it cannot.
pub(super) fn process(jobs: &Jobs, job: &str, template: &Json, ours: &[(&str, String)]) -> Result<Process, String> {
    let container = &template["containers"][0];
    let image = container["image"].as_str().unwrap_or_default();
    let words = jobs.machine().words(image, container)?;
    let mut variables = vec![jobs.machine().doors().variable(account(template))?];
    for one in container["env"].as_array().into_iter().flatten() {
        let name = one["name"].as_str().unwrap_or_default().to_owned();
        variables.push((name, value(jobs, job, template, one)?));
    }
    variables.extend(ours.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    let folder = container["workingDir"].as_str().map(str::to_owned);
    Ok(Process { words, variables, folder, grace: jobs.machine().grace(GRACE) })
}

/// What a variable is set to: a text, or a secret.
fn value(jobs: &Jobs, job: &str, template: &Json, variable: &Json) -> Result<String, String> {
    let Some(name) = secret(job, variable) else {
        return Ok(variable["value"].as_str().unwrap_or_default().to_owned());
    };
    if let Some(why) = unreadable(jobs, template, &name) {
        return Err(why);
    }
    let bytes = jobs.secrets().value(&name).ok_or_else(|| format!("Secret {name} was not found."))?;
    String::from_utf8(bytes).map_err(|_| format!("Secret {name} is no text."))
}

/// The version of a secret that a variable is set to.
fn secret(job: &str, variable: &Json) -> Option<String> {
    let secret = &variable["valueSource"]["secretKeyRef"];
    let name = secret["secret"].as_str()?;
    // A secret without a project is one of the job's own.
    let project = job.split('/').nth(1).unwrap_or_default();
    let name = if name.contains('/') { name.to_owned() } else { format!("projects/{project}/secrets/{name}") };
    let version = secret["version"].as_str().filter(|version| !version.is_empty()).unwrap_or("latest");
    Some(format!("{name}/versions/{version}"))
}

/// Source of the sentence: what people quote of Cloud Run, as in sourcegraph/sourcegraph-public-snapshot, pull request 59045.
fn unreadable(jobs: &Jobs, template: &Json, version: &str) -> Option<String> {
    let account = account(template);
    let is_there = jobs.secrets().value(version).is_some();
    (is_there && !jobs.secrets().may_read(version, account))
        .then(|| format!("Permission denied on secret: {version} for Revision service account {account}."))
}

/// Why a job can never run: its account may not read a secret. Cloud Run looks at that as the job is made.
pub(super) fn unusable(jobs: &Jobs, job: &str, template: &Json) -> Option<String> {
    let variables = template["containers"][0]["env"].as_array().into_iter().flatten();
    let mut why = variables.enumerate().filter_map(|(place, variable)| {
        let why = unreadable(jobs, template, &secret(job, variable)?)?;
        Some(format!(
            "spec.template.spec.template.spec.containers[0].env[{place}].value_from.secret_key_ref.name: {why}"
        ))
    });
    why.next()
}
