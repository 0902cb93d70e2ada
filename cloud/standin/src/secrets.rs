//! Secret Manager: secrets, their versions, and what is in them.

use crate::answer::{Body, Refusal, told};
use crate::call::Call;
use crate::route::Done;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper::Response;
use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Secret Manager.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Arc<Mutex<BTreeMap<String, Secret>>>);

struct Secret {
    said: Map<String, Json>,
    created: Timestamp,
    versions: Vec<Vec<u8>>,
}

type Answer = Result<Response<Body>, Refusal>;

impl Secrets {
    pub(crate) fn methods(&self) -> Vec<Done> {
        vec![
            Done::new("secretmanager.projects.secrets.create", &["secretId"], self, create),
            Done::new("secretmanager.projects.secrets.get", &[], self, get),
            Done::new("secretmanager.projects.secrets.delete", &[], self, delete),
            Done::new("secretmanager.projects.secrets.addVersion", &[], self, add),
            Done::new("secretmanager.projects.secrets.versions.access", &[], self, access),
        ]
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Secret>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a version holds: `projects/p/secrets/s/versions/1`, or `latest`.
    pub(crate) fn value(&self, version: &str) -> Option<Vec<u8>> {
        self.version(version).map(|(_, bytes)| bytes)
    }

    /// A version under its own name, which has a number.
    fn version(&self, version: &str) -> Option<(String, Vec<u8>)> {
        let (name, number) = version.split_once("/versions/")?;
        let all = self.all();
        let secret = all.get(name)?;
        let number = if number == "latest" { secret.versions.len() } else { number.parse().ok()? };
        let bytes = secret.versions.get(number.checked_sub(1)?)?;
        Some((format!("{name}/versions/{number}"), bytes.clone()))
    }
}

fn missing(name: &str) -> Refusal {
    Refusal::new(404, format!("Secret [{name}] not found or has no versions."))
}

fn resource(name: &str, secret: &Secret) -> Json {
    let mut resource = json!({ "name": name, "createTime": secret.created.to_string(), "etag": "\"1\"" });
    secret.said.iter().for_each(|(field, value)| resource[field] = value.clone());
    resource
}

async fn create(secrets: Secrets, mut call: Call) -> Answer {
    let said = call.json().await?;
    let name = format!("{}/secrets/{}", call.name("parent"), call.asks("secretId").unwrap_or_default());
    let mut all = secrets.all();
    if all.contains_key(&name) {
        return Err(Refusal::new(409, format!("Secret [{name}] already exists.")));
    }
    let secret = Secret { said, created: Timestamp::now(), versions: Vec::new() };
    let answer = told(&resource(&name, &secret));
    all.insert(name, secret);
    Ok(answer)
}

async fn get(secrets: Secrets, call: Call) -> Answer {
    let name = call.name("name");
    secrets.all().get(name).map(|secret| told(&resource(name, secret))).ok_or_else(|| missing(name))
}

async fn delete(secrets: Secrets, call: Call) -> Answer {
    let name = call.name("name");
    secrets.all().remove(name).map(|_| told(&json!({}))).ok_or_else(|| missing(name))
}

async fn add(secrets: Secrets, mut call: Call) -> Answer {
    let said = call.json().await?;
    let data = said.get("payload").and_then(|payload| payload["data"].as_str()).unwrap_or_default();
    let bytes = BASE64_STANDARD.decode(data).map_err(|error| Refusal::invalid(error.to_string()))?;
    let name = call.name("parent");
    let mut all = secrets.all();
    let secret = all.get_mut(name).ok_or_else(|| missing(name))?;
    secret.versions.push(bytes);
    let version = format!("{name}/versions/{}", secret.versions.len());
    Ok(told(
        &json!({ "name": version, "createTime": Timestamp::now().to_string(), "state": "ENABLED", "etag": "\"1\"" }),
    ))
}

async fn access(secrets: Secrets, call: Call) -> Answer {
    let (name, bytes) = secrets.version(call.name("name")).ok_or_else(|| missing(call.name("name")))?;
    let checksum = crc32c::crc32c(&bytes).to_string();
    Ok(told(&json!({ "name": name, "payload": { "data": BASE64_STANDARD.encode(bytes), "dataCrc32c": checksum } })))
}
