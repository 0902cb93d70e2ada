//! The secrets that attempts name -> what is known of each before a run: whether it is there, and whether the account that attempts
//! act as is named at it as one who may read it. A right may come from the project or a folder above, which is not looked at.

use super::is_missing;
use super::secret::client;
use google_cloud_secretmanager_v1::client::SecretManagerService;
use google_cloud_secretmanager_v1::model::secret_version::State;
use pipe_engine::attempt::Attempt;
use pipe_engine::failure::Failure;
use pipe_engine::finding::Finding;
use pipe_engine::secret::Source;
use std::collections::BTreeSet;
use std::path::Path;

/// Roles that let an account read a secret, of which the first is given for that.
/// Source: https://cloud.google.com/secret-manager/docs/access-control, read 2026-11.
pub(super) const READERS: [&str; 2] = ["roles/secretmanager.secretAccessor", "roles/secretmanager.admin"];
/// The role that shows what there is, and who may read it.
const VIEWER: &str = "roles/secretmanager.viewer";

/// A version of a secret: `projects/P/secrets/S/versions/V`.
pub(super) struct Version<'a> {
    name: &'a str,
    project: &'a str,
    secret: &'a str,
}

impl<'a> Version<'a> {
    pub(super) fn of(name: &'a str) -> Option<Self> {
        let mut parts = name.split('/').skip(1).step_by(2);
        Some(Self { name, project: parts.next()?, secret: parts.next()? })
    }

    fn parent(&self) -> String {
        format!("projects/{}/secrets/{}", self.project, self.secret)
    }

    /// The command that gives somebody a role on it.
    pub(super) fn grant(&self, member: &str, role: &str) -> String {
        let Self { project, secret, .. } = self;
        format!("gcloud secrets add-iam-policy-binding {secret} --project {project} --member={member} --role={role}")
    }
}

/// What is found out about the secrets of these attempts. `endpoint`: where the service is asked that is to run them.
pub(crate) async fn secrets_there(trials: &[Attempt], account: Option<&str>, endpoint: Option<&str>) -> Vec<Finding> {
    let references = trials.iter().filter_map(|trial| trial.provision.as_ref()).flat_map(|p| p.secrets.values());
    let names = references.filter_map(|reference| match Source::parse(reference, Path::new(""))? {
        Source::Cloud(name) => Some(name),
        _ => None,
    });
    let names: BTreeSet<String> = names.collect();
    let mut findings = Vec::new();
    if names.is_empty() {
        return findings;
    }
    let client = match client(endpoint).await {
        Ok(client) => client,
        Err(failure) => return vec![Finding::error(failure)],
    };
    for version in names.iter().filter_map(|name| Version::of(name)) {
        findings.push(there(&client, &version, account).await);
    }
    findings
}

async fn there(client: &SecretManagerService, version: &Version<'_>, account: Option<&str>) -> Finding {
    let missing = |message: &str| {
        let help = format!("gcloud secrets versions list {} --project {}", version.secret, version.project);
        Finding::error(Failure::failed("no_secret", message).on(version.name).help(help))
    };
    match client.get_secret_version().set_name(version.name).send().await {
        Ok(found) if matches!(found.state, State::Disabled | State::Destroyed) => {
            missing("that version of the secret is switched off or destroyed")
        }
        Ok(_) => readable(client, version, account).await,
        Err(error) if is_missing(&error) => missing("there is no such secret, or no such version of it"),
        Err(error) => closed(version, "whether the secret is there is not known", error.http_status_code()),
    }
}

/// Whether the account is named at the secret as one who may read it.
async fn readable(client: &SecretManagerService, version: &Version<'_>, account: Option<&str>) -> Finding {
    let Some(account) = account else {
        let message =
            "the secret is there; which account jobs act as is not in the spec, so nor is whether it may read it";
        let unknown = Finding::unknown("secret_reader", message).on(version.name);
        return unknown.help("write `service_account` into the backend");
    };
    let policy = match client.get_iam_policy().set_resource(version.parent()).send().await {
        Ok(policy) => policy,
        Err(error) => {
            let message = "the secret is there; who may read it is not known";
            return closed(version, message, error.http_status_code());
        }
    };
    let member = format!("serviceAccount:{account}");
    // A grant with a condition may not hold when the job runs.
    let grants = policy.bindings.iter().filter(|binding| binding.condition.is_none());
    let mut readers = grants.filter(|binding| READERS.contains(&binding.role.as_str()));
    if readers.any(|binding| binding.members.contains(&member)) {
        return Finding::good("secret", format!("the secret is there, and {account} may read it")).on(version.name);
    }
    let message =
        format!("the secret is there; it does not name {account} as one who may read it, and the project may");
    Finding::unknown("secret_reader", message).on(version.name).help(version.grant(&member, READERS[0]))
}

/// Whoever runs `pipe` need not be allowed what the job's account is.
fn closed(version: &Version<'_>, message: &str, status: Option<u16>) -> Finding {
    let finding = Finding::unknown("secret_closed", message).on(version.name);
    match status {
        Some(401 | 403) => finding.help(version.grant("user:YOU", VIEWER)),
        _ => finding,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_that_gives_a_role_names_project_and_secret() {
        let version = Version::of("projects/films/secrets/token/versions/latest").unwrap();
        assert_eq!(version.parent(), "projects/films/secrets/token");
        assert_eq!(
            version.grant("user:YOU", VIEWER),
            "gcloud secrets add-iam-policy-binding token --project films --member=user:YOU \
             --role=roles/secretmanager.viewer"
        );
    }
}
