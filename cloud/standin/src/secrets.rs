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
    versions: Vec<Version>,
    /// Who may do what with it, as it was said.
    policy: Json,
}

struct Version {
    bytes: Vec<u8>,
    created: Timestamp,
    is_disabled: bool,
}

impl Version {
    fn resource(&self, name: &str) -> Json {
        let state = if self.is_disabled { "DISABLED" } else { "ENABLED" };
        json!({ "name": name, "createTime": self.created.to_string(), "state": state, "etag": "\"1\"" })
    }
}

type Answer = Result<Response<Body>, Refusal>;

impl Secrets {
    pub(crate) fn methods(&self) -> Vec<Done> {
        vec![
            Done::new("secretmanager.projects.secrets.create", &["secretId"], self, create),
            Done::new("secretmanager.projects.secrets.get", &[], self, get),
            Done::new("secretmanager.projects.secrets.delete", &[], self, delete),
            Done::new("secretmanager.projects.secrets.addVersion", &[], self, add),
            Done::new("secretmanager.projects.secrets.getIamPolicy", &[], self, get_policy),
            Done::new("secretmanager.projects.secrets.setIamPolicy", &[], self, set_policy),
            Done::new("secretmanager.projects.secrets.versions.get", &[], self, get_version),
            Done::new("secretmanager.projects.secrets.versions.disable", &[], self, disable),
            Done::new("secretmanager.projects.secrets.versions.access", &[], self, access),
        ]
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Secret>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an account may read a version, which its secret itself tells. Rights that a project gives are not known here.
    /// Source of the roles: https://cloud.google.com/secret-manager/docs/access-control, read 2026-11.
    pub(crate) fn may_read(&self, version: &str, account: &str) -> bool {
        let member = format!("serviceAccount:{account}");
        let grants = |binding: &Json| {
            let readers = ["roles/secretmanager.secretAccessor", "roles/secretmanager.admin"];
            readers.iter().any(|role| binding["role"] == *role)
                && binding["members"].as_array().into_iter().flatten().any(|known| *known == member.as_str())
        };
        let name = version.split("/versions/").next().unwrap_or(version);
        let all = self.all();
        let bindings = all.get(name).and_then(|secret| secret.policy["bindings"].as_array());
        bindings.into_iter().flatten().any(grants)
    }

    /// What a version holds: `projects/p/secrets/s/versions/1`, or `latest`.
    pub(crate) fn value(&self, version: &str) -> Option<Vec<u8>> {
        self.version(version, |_, version| (!version.is_disabled).then(|| version.bytes.clone())).flatten()
    }

    /// What comes of a version and its own name, which has a number.
    fn version<T>(&self, version: &str, act: impl FnOnce(String, &mut Version) -> T) -> Option<T> {
        let (name, number) = version.split_once("/versions/")?;
        let mut all = self.all();
        let secret = all.get_mut(name)?;
        let number = if number == "latest" { secret.versions.len() } else { number.parse().ok()? };
        let version = secret.versions.get_mut(number.checked_sub(1)?)?;
        Some(act(format!("{name}/versions/{number}"), version))
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
    let policy = json!({ "etag": "ACAB" });
    let secret = Secret { said, created: Timestamp::now(), versions: Vec::new(), policy };
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
    let version = Version { bytes, created: Timestamp::now(), is_disabled: false };
    let answer = told(&version.resource(&format!("{name}/versions/{}", secret.versions.len() + 1)));
    secret.versions.push(version);
    Ok(answer)
}

async fn get_policy(secrets: Secrets, call: Call) -> Answer {
    let name = call.name("resource");
    secrets.all().get(name).map(|secret| told(&secret.policy)).ok_or_else(|| missing(name))
}

async fn set_policy(secrets: Secrets, mut call: Call) -> Answer {
    let said = call.json().await?;
    let name = call.name("resource");
    let mut all = secrets.all();
    let secret = all.get_mut(name).ok_or_else(|| missing(name))?;
    secret.policy = said.get("policy").cloned().unwrap_or_else(|| json!({}));
    Ok(told(&secret.policy))
}

async fn get_version(secrets: Secrets, call: Call) -> Answer {
    let name = call.name("name");
    secrets.version(name, |name, version| told(&version.resource(&name))).ok_or_else(|| missing(name))
}

async fn disable(secrets: Secrets, call: Call) -> Answer {
    let name = call.name("name");
    let disabled = secrets.version(name, |name, version| {
        version.is_disabled = true;
        told(&version.resource(&name))
    });
    disabled.ok_or_else(|| missing(name))
}

async fn access(secrets: Secrets, call: Call) -> Answer {
    let asked = call.name("name");
    if call.by.as_deref().is_some_and(|account| !secrets.may_read(asked, account)) {
        // Source of the sentence: what people quote of the service, as in googleapis/python-secret-manager, issue 389.
        let says = "Permission 'secretmanager.versions.access' denied for resource";
        return Err(Refusal::new(403, format!("{says} '{asked}' (or it may not exist).")));
    }
    let found = secrets.version(asked, |name, version| (name, version.is_disabled, version.bytes.clone()));
    let (name, is_disabled, bytes) = found.ok_or_else(|| missing(asked))?;
    if is_disabled {
        return Err(Refusal::new(400, format!("Secret Version [{name}] is in DISABLED state.")));
    }
    let checksum = crc32c::crc32c(&bytes).to_string();
    Ok(told(&json!({ "name": name, "payload": { "data": BASE64_STANDARD.encode(bytes), "dataCrc32c": checksum } })))
}
