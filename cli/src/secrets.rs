//! The secrets of a worker far from its engine: some it is given with their values, others only by where they are.

use pipe_engine::failure::Failure;
use pipe_engine::secret::{self, Value, Values};

/// Secrets that stand in our own variables, and those that have to be fetched.
///
/// # Errors
/// Of the first that cannot be had, naming its variable.
pub(crate) fn of_worker() -> Result<Values, Failure> {
    let mut secrets = secret::given();
    for (name, at) in secret::to_fetch()? {
        let value = fetched(&at).map_err(|failure| {
            let message = format!("the secret `{name}`: {}", failure.message);
            Failure { message, ..failure }
        })?;
        secrets.insert(name, value);
    }
    Ok(secrets)
}

/// The value of a secret that Google Cloud keeps.
#[cfg(feature = "cloud")]
fn fetched(at: &str) -> Result<Value, Failure> {
    use pipe_engine::failure::Class;
    /// How long the service may take.
    const ANSWER: std::time::Duration = std::time::Duration::from_secs(30);
    let silent = || Failure::of(Class::Transient, "secret_unreachable", "Secret Manager does not answer").on(at);
    let cannot =
        |error: std::io::Error| Failure::failed("secret_unreachable", "no secret can be fetched").source(error);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot)?;
    let fetched = runtime.block_on(async { tokio::time::timeout(ANSWER, pipe_backends::fetch_secret(at)).await });
    fetched.unwrap_or_else(|_| Err(silent()))
}

/// This build can fetch none.
#[cfg(not(feature = "cloud"))]
fn fetched(at: &str) -> Result<Value, Failure> {
    secret::Source::Cloud(at.to_owned()).fetch(|_| None)
}
