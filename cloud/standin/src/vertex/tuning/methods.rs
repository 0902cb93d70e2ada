//! The methods of tuning jobs.

use super::super::filter::Filter;
use super::super::labels;
use super::super::state::Vertex;
use super::job::Tuning;
use super::spec::{Source, Spec};
use crate::answer::{Body, Refusal, told};
use crate::call::Call;
use crate::pages::page;
use hyper::Response;
use serde_json::{Value as Json, json};
use std::sync::Arc;

type Answer = Result<Response<Body>, Refusal>;

/// What the name is called that a tuned model is shown under.
const SHOWN: &str = "tunedModelDisplayName";

pub(in super::super) async fn create(vertex: Vertex, mut call: Call) -> Answer {
    let said = call.json().await?;
    let mut problems = Vec::new();
    labels::check(&said, SHOWN, &mut problems);
    if !problems.is_empty() {
        return Err(Refusal::of(problems));
    }
    let spec = Spec::read(&said)?;
    let job = {
        let mut state = vertex.state();
        if let Source::Tuned(name) = &spec.source {
            state.model(name)?;
        }
        let (id, misses, looks) = (state.unique(), state.lists_missed, state.looks);
        let name = format!("{}/tuningJobs/{id}", state.numbered(call.name("parent")));
        let job = Arc::new(Tuning::new(name.clone(), spec, said, misses, looks));
        state.tunings.insert(name, job.clone());
        job
    };
    let resource = job.resource();
    tokio::spawn(async move { job.live(&vertex).await });
    Ok(told(&resource))
}

pub(in super::super) async fn get(vertex: Vertex, call: Call) -> Answer {
    let job = vertex.state().tuning(call.name("name"))?;
    job.looked_at();
    Ok(told(&job.resource()))
}

/// The newest first.
pub(in super::super) async fn list(vertex: Vertex, call: Call) -> Answer {
    let filter = Filter::read(call.asks("filter").unwrap_or_default())?;
    let mut state = vertex.state();
    let start = format!("{}/tuningJobs/", state.numbered(call.name("parent")));
    let found = state.tunings.values().rev().filter(|job| job.name.starts_with(&start) && job.is_listed());
    let taken = found.filter_map(|job| Some((job, job.resource())).filter(|(_, told)| filter.takes(told, SHOWN)));
    let found: Vec<Json> = taken.inspect(|(job, _)| job.looked_at()).map(|(_, told)| told).collect();
    page(&call, "tuningJobs", &found)
}

pub(in super::super) async fn cancel(vertex: Vertex, mut call: Call) -> Answer {
    call.json().await?;
    let job = vertex.state().tuning(call.name("name"))?;
    job.cancel()?;
    Ok(told(&json!({})))
}
