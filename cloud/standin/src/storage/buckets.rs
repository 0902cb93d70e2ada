//! Buckets: made, looked at, listed and removed.

use super::Answer;
use super::object::time;
use super::state::{Bucket, Storage};
use crate::answer::{Refusal, nothing, told};
use crate::call::Call;
use hyper::StatusCode;
use serde_json::{Map, Value as Json, json};

/// What a client may say of a bucket. Only `versioning` changes what is done.
const KEPT: [&str; 6] = ["name", "location", "storageClass", "labels", "versioning", "iamConfiguration"];

pub(super) async fn insert(storage: Storage, mut call: Call) -> Answer {
    let said = call.json().await?;
    if let Some(name) = said.keys().find(|name| !KEPT.contains(&name.as_str())) {
        return Err(Refusal::not_done(&format!("the field `{name}` of a bucket")));
    }
    let name = said.get("name").and_then(Json::as_str).unwrap_or_default().to_owned();
    if !is_name(&name) {
        return Err(Refusal::invalid(format!("Invalid bucket name: '{name}'")));
    }
    let mut state = storage.state();
    if state.buckets.contains_key(&name) {
        return Err(Refusal::new(
            409,
            "Your previous request to create the named bucket succeeded and you already own it.",
        ));
    }
    let bucket = Bucket::new(said);
    let answer = told(&resource(&name, &bucket, &call.address));
    state.buckets.insert(name, bucket);
    Ok(answer)
}

/// Source: Cloud Storage's page on names of buckets, without its rules for names with dots.
fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (3..=63).contains(&name.len())
        && name.starts_with(is_plain)
        && name.ends_with(is_plain)
        && name.chars().all(|c| is_plain(c) || matches!(c, '-' | '_' | '.'))
}

pub(super) async fn get(storage: Storage, call: Call) -> Answer {
    let mut state = storage.state();
    let name = call.name("bucket");
    Ok(told(&resource(name, state.bucket(name)?, &call.address)))
}

pub(super) async fn list(storage: Storage, call: Call) -> Answer {
    let state = storage.state();
    let prefix = call.asks("prefix").unwrap_or_default();
    let found = state.buckets.iter().filter(|(name, _)| name.starts_with(prefix));
    let items: Vec<Json> = found.map(|(name, bucket)| resource(name, bucket, &call.address)).collect();
    Ok(told(&json!({ "kind": "storage#buckets", "items": items })))
}

pub(super) async fn delete(storage: Storage, call: Call) -> Answer {
    let mut state = storage.state();
    let name = call.name("bucket");
    if !state.bucket(name)?.objects.is_empty() {
        return Err(Refusal::new(409, "The bucket you tried to delete is not empty."));
    }
    state.buckets.remove(name);
    Ok(nothing(StatusCode::NO_CONTENT))
}

fn resource(name: &str, bucket: &Bucket, address: &str) -> Json {
    let created = time(bucket.created);
    let mut resource = json!({
        "kind": "storage#bucket",
        "id": name,
        "selfLink": format!("{address}/storage/v1/b/{name}"),
        "name": name,
        "projectNumber": "1",
        "metageneration": "1",
        "location": "US",
        "storageClass": "STANDARD",
        "etag": "CAE=",
        "timeCreated": created,
        "updated": created,
    });
    let said: &Map<String, Json> = &bucket.settings;
    said.iter().for_each(|(field, value)| resource[field] = value.clone());
    resource
}
