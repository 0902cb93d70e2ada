//! The name of a secret -> its value, from Secret Manager, as whoever runs here. A job that its provider gives no secrets fetches
//! them by itself.

use super::errors::in_full;
use super::secret_there::{READERS, Version};
use super::{is_missing, is_on_loopback, no_client};
use google_cloud_auth::credentials::anonymous;
use google_cloud_gax::error::Error;
use google_cloud_secretmanager_v1::client::SecretManagerService;
use pipe_engine::failure::{Class, Failure};
use pipe_engine::secret::Value;

/// The variable that names a stand-in for the service, as `STORAGE_EMULATOR_HOST` does for buckets: a host of this machine.
const STANDIN: &str = "SECRET_MANAGER_EMULATOR_HOST";

/// What a version of a secret holds: `projects/P/secrets/S/versions/V`.
///
/// # Errors
/// When it is not there, may not be read or is no text, or the service does not answer.
pub async fn fetch_secret(name: &str) -> Result<Value, Failure> {
    let client = client(None).await?;
    let answer = client.access_secret_version().set_name(name).send().await.map_err(|error| failed(&error, name))?;
    let bytes = answer.payload.map(|payload| payload.data).unwrap_or_default();
    let text = String::from_utf8(bytes.to_vec()).ok().filter(|text| !text.is_empty() && !text.contains('\0'));
    // The error of what is no text would quote bytes of it.
    text.map(Value::new).ok_or_else(|| {
        Failure::failed("secret_missing", "the secret is empty, or nothing that a variable can hold").on(name)
    })
}

/// A client of the service, or of what stands in for it: by the variable, or because it stands in for the service that would run
/// jobs at `endpoint`.
pub(super) async fn client(endpoint: Option<&str>) -> Result<SecretManagerService, Failure> {
    super::choose_tls();
    let builder = SecretManagerService::builder();
    let told = std::env::var(STANDIN).ok().filter(|host| !host.is_empty());
    let beside = || endpoint.filter(|endpoint| is_on_loopback(endpoint)).map(str::to_owned);
    let Some(standin) = told.or_else(beside) else {
        return builder.build().await.map_err(no_client);
    };
    let endpoint = if standin.contains("://") { standin } else { format!("http://{standin}") };
    if !is_on_loopback(&endpoint) {
        let elsewhere = format!("{STANDIN} names {endpoint}, which is not on this machine's loopback");
        return Err(Failure::failed("secret_unreachable", elsewhere));
    }
    let nobody = anonymous::Builder::new().build();
    builder.with_endpoint(endpoint).with_credentials(nobody).build().await.map_err(no_client)
}

/// The command that lets a job's account read a secret. What the account is called, the job itself cannot tell.
fn let_read(name: &str) -> String {
    let role = format!("give the account {} on the secret", READERS[0]);
    match Version::of(name) {
        Some(version) => format!("{role}: {}", version.grant("serviceAccount:ACCOUNT", READERS[0])),
        None => role,
    }
}

fn failed(error: &Error, name: &str) -> Failure {
    let says = error.status().map_or_else(|| in_full(error), |status| status.message.clone());
    let failure = match error.http_status_code() {
        _ if is_missing(error) => {
            Failure::failed("secret_missing", "there is no such secret, or no such version of it")
                .help("gcloud secrets versions list SECRET says which there are")
        }
        Some(401 | 403) => {
            Failure::failed("secret_missing", "the job's account may not read the secret").help(let_read(name))
        }
        Some(400) => {
            Failure::failed("secret_missing", "Secret Manager does not take that name, or gives that version no more")
        }
        _ => Failure::of(Class::Transient, "secret_unreachable", "Secret Manager does not answer as it should"),
    };
    failure.on(name).source(says)
}
