//! The URI of a bucket and the environment -> a store. Whoever opens none pays for none: no client and no thread is made
//! before.

use crate::ObjectStore;
use crate::checksum::Checksums;
use crate::google::Bucket;
use opendal::layers::{RetryLayer, TimeoutLayer};
use opendal::services::{Gcs, S3};
use opendal::{HttpTransporter, OperationContext, Operator};
use opendal_http_transport_reqwest::ReqwestTransport;
use pipe_engine::store::StoreError;
use std::io;
use std::time::Duration;
use tokio::runtime::{Builder, Handle};

/// The schemes that can be opened.
pub const SCHEMES: [&str; 2] = ["gs", "s3"];

/// How long a service may take to answer the door.
const CONNECT: Duration = Duration::from_secs(10);
/// How long it may take for one answer.
const ANSWER: Duration = Duration::from_secs(30);
/// How often one question is asked again.
const AGAIN: usize = 3;
/// How long after the first time; each further pause is twice as long.
const PAUSE: Duration = Duration::from_millis(200);
/// The region of requests to services that have none.
const ANY_REGION: &str = "us-east-1";

/// A bucket, and the folder in it that is the store's root.
pub(crate) struct Place<'a> {
    pub(crate) scheme: &'a str,
    pub(crate) bucket: &'a str,
    pub(crate) root: &'a str,
}

/// Opens the store at `gs://BUCKET/PREFIX` or `s3://BUCKET/PREFIX`. Credentials, region and endpoint come from where the
/// service's own tools take them.
///
/// # Errors
/// [`StoreError::Failed`] when the URI names no bucket, or the service cannot be spoken to by what the environment says.
pub fn open(uri: &str) -> Result<ObjectStore, StoreError> {
    let failed = |source| StoreError::Failed { doing: "open", at: uri.to_owned(), source };
    let place = place(uri).map_err(failed)?;
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(failed)?;
    let operator = operator(&place, runtime.handle()).map_err(failed)?;
    let store = ObjectStore::on(operator, runtime)?;
    Ok(if place.scheme == "gs" { store.by_google(Bucket::new(place.bucket, place.root)) } else { store })
}

pub(crate) fn place(uri: &str) -> io::Result<Place<'_>> {
    let wrong = |problem: String| Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
    let Some((scheme, rest)) = uri.split_once("://") else { return wrong("it is no URI".to_owned()) };
    if !SCHEMES.contains(&scheme) {
        return wrong(format!("no store is kept under `{scheme}://`"));
    }
    let (bucket, root) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.is_empty() {
        return wrong(format!("it names no bucket: write `{scheme}://BUCKET/PREFIX`"));
    }
    Ok(Place { scheme, bucket, root })
}

fn operator(place: &Place<'_>, runtime: &Handle) -> io::Result<Operator> {
    let retry = RetryLayer::new().with_max_times(AGAIN).with_min_delay(PAUSE).with_jitter();
    Ok(reading(place, runtime, client(|builder| builder)?)?.layer(retry))
}

/// As a store is opened, for those who try again by themselves.
pub(crate) fn reading(place: &Place<'_>, runtime: &Handle, client: reqwest::Client) -> io::Result<Operator> {
    let way = ReqwestTransport::new(client);
    let (transport, operator) = if place.scheme == "gs" {
        (HttpTransporter::new(Checksums::on(way)), gs(place)?)
    } else {
        let transport = HttpTransporter::new(way);
        let operator = s3(place, runtime, &transport)?;
        (transport, operator)
    };
    let context = OperationContext::default().with_http_transport(transport);
    let timeout = TimeoutLayer::new().with_timeout(ANSWER).with_io_timeout(ANSWER);
    Ok(operator.with_context(context).layer(timeout))
}

/// A client of our own: the default one panics where a machine has no certificates.
pub(crate) fn client(
    with: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
) -> io::Result<reqwest::Client> {
    choose_tls();
    with(reqwest::Client::builder().connect_timeout(CONNECT)).build().map_err(io::Error::other)
}

/// Chooses what encrypts. Somebody in this process may have chosen before, which serves as well.
pub(crate) fn choose_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn s3(place: &Place<'_>, runtime: &Handle, transport: &HttpTransporter) -> io::Result<Operator> {
    let named = ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().any(|name| variable(name).is_some());
    let elsewhere = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT", "AWS_S3_ENDPOINT"];
    let endpoint = elsewhere.into_iter().find_map(variable);
    let mut service = S3::default().bucket(place.bucket).root(place.root);
    if !named {
        let region = if endpoint.is_some() { None } else { region(place.bucket, runtime, transport) };
        service = service.region(&region.unwrap_or_else(|| ANY_REGION.to_owned()));
    }
    if let Some(endpoint) = endpoint {
        service = service.endpoint(&endpoint);
    }
    Operator::new(service).map_err(io::Error::other)
}

/// The region a bucket says it is in.
fn region(bucket: &str, runtime: &Handle, transport: &HttpTransporter) -> Option<String> {
    HttpTransporter::install_default(transport.clone());
    runtime.block_on(S3::detect_region("https://s3.amazonaws.com", bucket))
}

fn gs(place: &Place<'_>) -> io::Result<Operator> {
    let service = Gcs::default().bucket(place.bucket).root(place.root);
    let service = match emulator() {
        Some(address) => service.endpoint(&address).skip_signature(),
        None => service,
    };
    Operator::new(service).map_err(io::Error::other)
}

/// Where a stand-in for Cloud Storage is, if there is one. Nobody logs in there.
pub(crate) fn emulator() -> Option<String> {
    let host = variable("STORAGE_EMULATOR_HOST")?;
    Some(if host.contains("://") { host } else { format!("http://{host}") })
}

/// A variable that is set to something.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_names_a_bucket_and_perhaps_a_folder_in_it() {
        let read = |uri| place(uri).map(|place| (place.scheme, place.bucket, place.root)).map_err(|e| e.to_string());
        assert_eq!(read("gs://b/a/path"), Ok(("gs", "b", "a/path")));
        assert_eq!(read("s3://b"), Ok(("s3", "b", "")));
        assert_eq!(read("s3:///a"), Err("it names no bucket: write `s3://BUCKET/PREFIX`".to_owned()));
        assert_eq!(read("ftp://b"), Err("no store is kept under `ftp://`".to_owned()));
        assert_eq!(read("a/folder"), Err("it is no URI".to_owned()));
    }
}
