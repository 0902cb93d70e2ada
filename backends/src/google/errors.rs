//! What Google's clients say -> a failure: its class, and the role or the command that mends it.

use super::Where;
use google_cloud_gax::client_builder;
use google_cloud_gax::error::{CredentialsError, Error};
use pipe_engine::failure::{Class, Failure};
use std::error::Error as _;

/// Logs a person in, for programs.
const LOG_IN: &str = "log in: gcloud auth application-default login";
/// Words by which Google says that there is no machine, and not that we ask too much. Both have one code.
const NO_MACHINE: [&str; 5] =
    ["capacity", "stockout", "out of stock", "not enough resources", "resources are insufficient"];

/// A service, as its failures name it.
pub(crate) struct Service {
    /// What people call it.
    pub(crate) name: &'static str,
    /// What it is switched on by.
    pub(crate) api: &'static str,
    /// The role of whoever makes jobs there.
    pub(crate) role: &'static str,
    /// The command that lists its jobs, to which project and region are added.
    pub(crate) lists: &'static str,
}

/// Whether there is no such thing.
pub(crate) fn is_missing(error: &Error) -> bool {
    error.http_status_code() == Some(404)
}

/// Whether a text says that there is no machine to be had.
pub(crate) fn says_no_machine(text: &str) -> bool {
    let text = text.to_lowercase();
    NO_MACHINE.iter().any(|word| text.contains(word))
}

/// A call that did not do what it should have; `doing` fits after "cannot".
pub(crate) fn failed(error: &Error, doing: &str, at: &Where, service: &Service) -> Failure {
    let credentials = || error.source().and_then(|source| source.downcast_ref::<CredentialsError>());
    let says = error.status().map_or_else(|| in_full(error), |status| status.message.clone());
    let name = service.name;
    let cannot = |class: Class, code: &str, why: &str| {
        Failure::of(class, code, format!("cannot {doing}: {why}")).on(at.to_string()).source(&says)
    };
    match error.http_status_code() {
        Some(400) => cannot(Class::Failed, "refused", &format!("{name} does not take it")),
        Some(401) => cannot(Class::Failed, "no_credentials", "nobody is logged in").help(LOG_IN),
        Some(403) => cannot(Class::Failed, "not_allowed", "it is not allowed").help(rights(&says, at, service)),
        Some(404) => {
            cannot(Class::Failed, "not_found", "the project, the region or the account is not there").help(format!(
                "look at `project` and `region` of the backend: {} --project {} --region {}",
                service.lists, at.project, at.region
            ))
        }
        Some(429) if says_no_machine(&says) => cannot(Class::Capacity, "no_machine", "there is no machine to be had"),
        Some(429) => {
            let slow = cannot(Class::Throttled, "too_much", &format!("{name} asks us to slow down"));
            if says.to_lowercase().contains("quota") { slow.help(quota(at)) } else { slow }
        }
        // Somebody changes it at this moment, or it is on its way out.
        Some(409) => cannot(Class::Transient, "busy", "it is being changed"),
        None if credentials().is_some_and(|error| !error.is_transient()) => {
            cannot(Class::Failed, "no_credentials", "the credentials of this machine are not taken").help(LOG_IN)
        }
        Some(_) | None => cannot(Class::Transient, "no_answer", &format!("{name} does not answer as it should")),
    }
}

fn quota(at: &Where) -> String {
    format!("ask for more of that quota: https://console.cloud.google.com/iam-admin/quotas?project={}", at.project)
}

/// What is missing where Google says no: the service itself, or a role.
fn rights(says: &str, at: &Where, service: &Service) -> String {
    let (project, api, role) = (&at.project, service.api, service.role);
    let says = says.to_lowercase();
    if says.contains("disabled") || says.contains("has not been used") {
        return format!("switch the service on: gcloud services enable {api} --project {project}");
    }
    if says.contains("actas") || says.contains("act as") {
        return "give yourself roles/iam.serviceAccountUser on the account that attempts act as".to_owned();
    }
    format!(
        "give whoever runs pipe {role} in the project: gcloud projects add-iam-policy-binding {project} \
         --member=user:YOU --role={role}"
    )
}

/// There is nobody to ask for.
pub(crate) fn no_client(error: client_builder::Error) -> Failure {
    Failure::failed("no_credentials", "Google Cloud cannot be reached as anybody").source(in_full(&error)).help(LOG_IN)
}

/// An error with those below it, of which the last says most.
pub(super) fn in_full(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut below = error.source();
    while let Some(error) = below {
        let more = error.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        below = error.source();
    }
    words
}
