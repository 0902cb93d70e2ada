//! What Google's clients say -> a failure: its class, and the role or the command that mends it.

use super::Where;
use google_cloud_gax::client_builder;
use google_cloud_gax::error::{CredentialsError, Error};
use pipe_engine::failure::{Class, Failure};
use std::error::Error as _;

/// Logs a person in, for programs.
const LOG_IN: &str = "log in: gcloud auth application-default login";
/// Where a machine of Google's is asked for credentials when there are no others. Its clients say so at length.
const METADATA: &str = "metadata.google.internal";
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
    /// What tells which regions it has: a command, in which `PROJECT` stands for the project, or a page.
    pub(crate) regions: &'static str,
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
        Some(403) => {
            let (code, why, help) = forbidden(&says, at, service);
            cannot(Class::Failed, code, &why).help(help)
        }
        Some(404) => {
            cannot(Class::Failed, "not_found", "the project, the region or the account is not there").help(format!(
                "look at `project` and `region` of the backend: {} --project {} --region {}",
                service.lists, at.project, at.region
            ))
        }
        Some(429) if says_no_machine(&says) => cannot(Class::Capacity, "no_machine", "there is no machine to be had"),
        Some(429) if says_quota(&says) => {
            cannot(Class::Throttled, "quota", "a quota of the project is used up").help(more_quota(at))
        }
        Some(429) => cannot(Class::Throttled, "too_much", &format!("{name} asks us to slow down")),
        // Somebody changes it at this moment, or it is on its way out.
        Some(409) => cannot(Class::Transient, "busy", "it is being changed"),
        None if credentials().is_some_and(|error| !error.is_transient()) => {
            cannot(Class::Failed, "no_credentials", "the credentials of this machine are not taken").help(LOG_IN)
        }
        None if credentials().is_some() && says.contains(METADATA) => {
            let message =
                format!("cannot {doing}: nobody is logged in here, and no machine of Google's answers for it");
            Failure::of(Class::Transient, "no_credentials", message).on(at.to_string()).help(LOG_IN)
        }
        Some(_) | None => cannot(Class::Transient, "no_answer", &format!("{name} does not answer as it should")),
    }
}

/// Whether a text says that a quota of the project is used up.
pub(crate) fn says_quota(text: &str) -> bool {
    text.to_lowercase().contains("quota")
}

/// What to do about a quota.
pub(crate) fn more_quota(at: &Where) -> String {
    format!(
        "ask for more, or say a smaller `parallel` of the backend: https://console.cloud.google.com/iam-admin/quotas?project={}",
        at.project
    )
}

/// What is missing where Google says no: the service itself, the project or the region, of which it does not tell strangers whether
/// they are there, or a role. A code, why, and what mends it.
fn forbidden(says: &str, at: &Where, service: &Service) -> (&'static str, String, String) {
    let (Where { project, region }, Service { name, api, role, regions, .. }) = (at, service);
    let says = says.to_lowercase();
    let has = |words: &str| says.contains(words);
    if has("disabled") || has("has not been used") {
        let help = format!("switch the service on: gcloud services enable {api} --project {project}");
        return ("service_off", format!("{name} is not switched on"), help);
    }
    if has("resource project") || has("consumer_invalid") {
        let help =
            format!("look at `project` of the backend, and at who is logged in: gcloud projects describe {project}");
        return ("no_project", "the project is not there, or not for whoever is logged in".to_owned(), help);
    }
    if has("'locations/") {
        let regions = regions.replace("PROJECT", project);
        let help = format!("look at `region` of the backend, which is {region}: {regions}");
        return ("no_region", "the region is not there".to_owned(), help);
    }
    let help = if has("actas") || has("act as") {
        "give yourself roles/iam.serviceAccountUser on the account that attempts act as".to_owned()
    } else {
        format!(
            "give whoever runs pipe {role} in the project: gcloud projects add-iam-policy-binding {project} \
             --member=user:YOU --role={role}"
        )
    };
    ("not_allowed", "it is not allowed".to_owned(), help)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Source: what Google's client said on a machine that is none of Google's, where nobody was logged in.
    #[test]
    fn where_nobody_is_logged_in_the_help_is_to_log_in_and_not_to_wait() {
        let at = Where { project: "films".to_owned(), region: "us-central1".to_owned() };
        let service = Service { name: "It", api: "", role: "", lists: "", regions: "" };
        let says = "error sending request for url (http://metadata.google.internal/computeMetadata/v1/instance)";
        let error = Error::authentication(CredentialsError::from_msg(true, says));
        let failure = failed(&error, "list jobs", &at, &service);
        assert_eq!((failure.code.as_str(), failure.help.as_deref()), ("no_credentials", Some(LOG_IN)), "{failure:?}");
        assert!(!failure.to_string().contains(METADATA), "{failure}");
    }

    /// Source of the sentences: what people quote of Google's answers.
    #[test]
    fn what_google_forbids_is_told_apart_by_its_words() {
        let at = Where { project: "films".to_owned(), region: "us-central1".to_owned() };
        let service =
            Service { name: "It", api: "it.googleapis.com", role: "roles/it.user", lists: "", regions: "a page" };
        for (says, code, help) in [
            (
                "It API has not been used in project 1 before or it is disabled.",
                "service_off",
                "gcloud services enable it.googleapis.com --project films",
            ),
            ("Permission denied on resource project films.", "no_project", "gcloud projects describe films"),
            ("Permission denied on 'locations/us-central9' (or it may not exist).", "no_region", "a page"),
            (
                "Permission 'iam.serviceaccounts.actAs' denied on account.",
                "not_allowed",
                "roles/iam.serviceAccountUser",
            ),
            ("Permission 'it.jobs.create' denied.", "not_allowed", "--role=roles/it.user"),
        ] {
            let (found, _, mends) = forbidden(says, &at, &service);
            assert!(found == code && mends.contains(help), "{says}: {found}, {mends}");
        }
    }
}
