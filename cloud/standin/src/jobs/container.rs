//! A container of a Cloud Run task -> the process that it is here: its variables may hold secrets.

use super::state::Jobs;
use crate::process::Process;
use serde_json::Value as Json;
use std::time::Duration;

/// How long a process has between the first signal and the last. Source: Cloud Run's container runtime contract.
const GRACE: Duration = Duration::from_secs(10);

/// What a container of a job runs, or why it cannot.
pub(super) fn process(jobs: &Jobs, job: &str, container: &Json, ours: &[(&str, String)]) -> Result<Process, String> {
    let image = container["image"].as_str().unwrap_or_default();
    let words = jobs.machine().words(image, container)?;
    let mut variables = Vec::new();
    for one in container["env"].as_array().into_iter().flatten() {
        let name = one["name"].as_str().unwrap_or_default().to_owned();
        variables.push((name, value(jobs, job, one)?));
    }
    variables.extend(ours.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    let folder = container["workingDir"].as_str().map(str::to_owned);
    Ok(Process { words, variables, folder, grace: jobs.machine().grace(GRACE) })
}

/// What a variable is set to: a text, or a secret.
fn value(jobs: &Jobs, job: &str, variable: &Json) -> Result<String, String> {
    let secret = &variable["valueSource"]["secretKeyRef"];
    let Some(name) = secret["secret"].as_str() else {
        return Ok(variable["value"].as_str().unwrap_or_default().to_owned());
    };
    // A secret without a project is one of the job's own.
    let project = job.split('/').nth(1).unwrap_or_default();
    let name = if name.contains('/') { name.to_owned() } else { format!("projects/{project}/secrets/{name}") };
    let version = secret["version"].as_str().filter(|version| !version.is_empty()).unwrap_or("latest");
    let bytes = jobs.secrets().value(&format!("{name}/versions/{version}"));
    let bytes = bytes.ok_or_else(|| format!("Secret {name}/versions/{version} was not found."))?;
    String::from_utf8(bytes).map_err(|_| format!("Secret {name} is no text."))
}
