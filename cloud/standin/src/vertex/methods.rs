//! The methods of custom jobs.

use super::custom::Custom;
use super::filter::Filter;
use super::labels;
use super::spec::Spec;
use super::state::Vertex;
use crate::answer::{Body, Refusal, told};
use crate::call::Call;
use crate::pages::page;
use hyper::Response;
use serde_json::{Value as Json, json};
use std::sync::Arc;

type Answer = Result<Response<Body>, Refusal>;

pub(super) async fn create(vertex: Vertex, mut call: Call) -> Answer {
    let said = call.json().await?;
    let mut problems = Vec::new();
    labels::check(&said, "displayName", &mut problems);
    if !problems.is_empty() {
        return Err(Refusal::of(problems));
    }
    let spec = Spec::read(&said)?;
    let job = {
        let mut state = vertex.state();
        let (id, misses) = (state.unique(), state.lists_missed);
        let name = format!("{}/customJobs/{id}", state.numbered(call.name("parent")));
        let job = Arc::new(Custom::new(name.clone(), id, spec, said, misses));
        state.customs.insert(name, job.clone());
        job
    };
    let resource = job.resource();
    tokio::spawn(async move { job.live(&vertex).await });
    Ok(told(&resource))
}

pub(super) async fn get(vertex: Vertex, call: Call) -> Answer {
    let job = vertex.state().custom(call.name("name"))?;
    Ok(told(&job.resource()))
}

/// The newest first.
pub(super) async fn list(vertex: Vertex, call: Call) -> Answer {
    let filter = Filter::read(call.asks("filter").unwrap_or_default())?;
    let mut state = vertex.state();
    let start = format!("{}/customJobs/", state.numbered(call.name("parent")));
    let found = state.customs.values().rev().filter(|job| job.name.starts_with(&start) && job.is_listed());
    let found: Vec<Json> = found.map(|job| job.resource()).filter(|job| filter.takes(job, "displayName")).collect();
    page(&call, "customJobs", &found)
}

pub(super) async fn cancel(vertex: Vertex, mut call: Call) -> Answer {
    call.json().await?;
    let job = vertex.state().custom(call.name("name"))?;
    job.cancel()?;
    Ok(told(&json!({})))
}

/// Only what has ended is deleted. That this is so was read nowhere; a client that cancels and waits first is right anyway.
pub(super) async fn delete(vertex: Vertex, call: Call) -> Answer {
    let mut state = vertex.state();
    let job = state.custom(call.name("name"))?;
    let at = job.progress().state();
    if !at.is_end() {
        return Err(Refusal::precondition(format!("The CustomJob is in state {} and cannot be deleted.", at.name())));
    }
    state.customs.remove(&job.name);
    Ok(told(&state.deleted(&job.name)))
}

pub(super) async fn get_operation(vertex: Vertex, call: Call) -> Answer {
    Ok(told(&vertex.state().operation(call.name("name"))?))
}
