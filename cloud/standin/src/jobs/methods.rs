//! The methods of jobs, of their executions, and of the operations that clients wait for.

use super::container::unusable;
use super::execution::{Execution, Overrides};
use super::state::{Jobs, State};
use crate::answer::{Body, Refusal, told};
use crate::call::Call;
use crate::pages::page;
use hyper::Response;
use serde_json::Value as Json;
use std::sync::Arc;

type Answer = Result<Response<Body>, Refusal>;

/// What a client may say of a job. Only the template and the token change what is done.
const KEPT: [&str; 8] =
    ["name", "labels", "annotations", "client", "clientVersion", "launchStage", "startExecutionToken", "template"];

/// How many letters a job's name and the token of its execution may have together. Source: the definition of the token.
const MOST: usize = 63;

pub(super) async fn create(jobs: Jobs, mut call: Call) -> Answer {
    let said = call.json().await?;
    if let Some(name) = said.keys().find(|name| !KEPT.contains(&name.as_str())) {
        return Err(Refusal::not_done(&format!("the field `{name}` of a job")));
    }
    let (parent, id) = (call.name("parent"), call.asks("jobId").unwrap_or_default());
    if !is_id(id) {
        return Err(Refusal::invalid(format!(
            "Invalid job id {id:?}: lower-case letters, digits and hyphens, a letter first, and 63 at most."
        )));
    }
    let name = format!("{parent}/jobs/{id}");
    if said.get("name").and_then(Json::as_str).is_some_and(|said| !said.is_empty() && said != name) {
        return Err(Refusal::invalid("The name of the job is another one than its parent and its id make."));
    }
    let token = said.get("startExecutionToken").and_then(Json::as_str).unwrap_or_default().to_owned();
    if !token.is_empty() && (id.len() + token.len() >= MOST || !is_id(&token)) {
        return Err(Refusal::invalid(format!("Invalid startExecutionToken {token:?}.")));
    }
    let mut state = jobs.state();
    if state.jobs.contains_key(&name) {
        return Err(Refusal::new(409, format!("Resource '{id}' already exists.")));
    }
    if call.asks("validateOnly") != Some("true") {
        let unusable = unusable(&jobs, &name, &said["template"]["template"]);
        let may_run = unusable.is_none();
        state.make_job(&name, said, unusable);
        if may_run && !token.is_empty() {
            begin(&jobs, &mut state, &name, &token, &Overrides::default())?;
        }
        let resource = state.resource(&name)?;
        return Ok(told(&state.done(parent, "Job", &resource)));
    }
    Ok(told(&state.done(parent, "Job", &said.into())))
}

fn is_id(id: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=MOST).contains(&id.len())
        && id.chars().all(is_plain)
        && id.starts_with(|c: char| c != '-')
        && !id.ends_with('-')
}

/// Begins an execution of a job under a name that ends so.
fn begin(
    jobs: &Jobs,
    state: &mut State,
    job: &str,
    suffix: &str,
    overrides: &Overrides,
) -> Result<Arc<Execution>, Refusal> {
    let said = state.job(job)?.said.clone();
    let id = job.rsplit('/').next().unwrap_or(job);
    let name = format!("{job}/executions/{id}-{suffix}");
    let number = state.unique();
    let execution = Execution::begin(jobs, state, name, job.to_owned(), number, &said["template"], overrides)?;
    state.executions.push(execution.clone());
    Ok(execution)
}

pub(super) async fn get(jobs: Jobs, call: Call) -> Answer {
    Ok(told(&jobs.state().resource(call.name("name"))?))
}

pub(super) async fn list(jobs: Jobs, call: Call) -> Answer {
    let mut state = jobs.state();
    let start = format!("{}/jobs/", call.name("parent"));
    let mut names = Vec::new();
    for (name, job) in state.jobs.iter_mut().filter(|(name, _)| name.starts_with(&start)) {
        if job.misses == 0 {
            names.push(name.clone());
        }
        job.misses = job.misses.saturating_sub(1);
    }
    let all: Result<Vec<Json>, Refusal> = names.iter().map(|name| state.resource(name)).collect();
    page(&call, "jobs", &all?)
}

pub(super) async fn delete(jobs: Jobs, call: Call) -> Answer {
    let name = call.name("name");
    let mut state = jobs.state();
    let resource = state.resource(name)?;
    same(call.asks("etag"), &resource)?;
    if call.asks("validateOnly") != Some("true") {
        state.executions_of(name).iter().for_each(|execution| execution.stop());
        state.executions.retain(|execution| execution.job != name);
        state.jobs.remove(name);
    }
    Ok(told(&state.done(parent_of(name), "Job", &resource)))
}

/// `projects/p/locations/l` of a name.
fn parent_of(name: &str) -> &str {
    name.split("/jobs/").next().unwrap_or(name)
}

fn same(etag: Option<&str>, resource: &Json) -> Result<(), Refusal> {
    match etag.filter(|etag| !etag.is_empty()) {
        Some(etag) if resource["etag"] != etag => Err(Refusal::new(409, "The etag is not that of the resource.")),
        _ => Ok(()),
    }
}

pub(super) async fn run(jobs: Jobs, mut call: Call) -> Answer {
    let said = call.json().await?;
    let overrides = Overrides::read(said.get("overrides"))?;
    let name = call.name("name");
    let mut state = jobs.state();
    let resource = state.resource(name)?;
    same(said.get("etag").and_then(Json::as_str), &resource)?;
    if said.get("validateOnly") == Some(&Json::Bool(true)) {
        return Err(Refusal::not_done("the field `validateOnly` of a run"));
    }
    let suffix = format!("r{:05}", state.unique());
    let execution = begin(&jobs, &mut state, name, &suffix, &overrides)?;
    Ok(told(&state.runs(parent_of(name), execution)))
}

pub(super) async fn get_execution(jobs: Jobs, call: Call) -> Answer {
    Ok(told(&jobs.state().execution(call.name("name"))?.resource()))
}

pub(super) async fn list_executions(jobs: Jobs, call: Call) -> Answer {
    let state = jobs.state();
    let job = call.name("parent");
    // `-` stands for every job of the place.
    let of_all = job.strip_suffix("/-").map(|start| format!("{start}/"));
    let is_wanted = |one: &Execution| match &of_all {
        Some(start) => one.job.starts_with(start),
        None => one.job == job,
    };
    if of_all.is_none() {
        state.job(job)?;
    }
    let found = state.executions.iter().rev().filter(|one| is_wanted(one) && one.is_listed());
    page(&call, "executions", &found.map(|one| one.resource()).collect::<Vec<_>>())
}

pub(super) async fn cancel(jobs: Jobs, mut call: Call) -> Answer {
    let said = call.json().await?;
    let execution = jobs.state().execution(call.name("name"))?;
    same(said.get("etag").and_then(Json::as_str), &execution.resource())?;
    if execution.has_ended() {
        return Err(Refusal::invalid("The execution has ended and cannot be cancelled."));
    }
    execution.stop();
    let mut state = jobs.state();
    Ok(told(&state.runs(parent_of(&execution.name), execution.clone())))
}

pub(super) async fn get_operation(jobs: Jobs, call: Call) -> Answer {
    Ok(told(&jobs.state().operation(call.name("name"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_named_as_cloud_run_has_it() {
        let long = "a".repeat(63);
        for (id, expected) in
            [("a", true), ("a-1", true), (&long, true), ("", false), ("A", false), ("-a", false), ("a_b", false)]
        {
            assert_eq!(is_id(id), expected, "{id}");
        }
        assert!(!is_id(&"a".repeat(64)));
    }
}
