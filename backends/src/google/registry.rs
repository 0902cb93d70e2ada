//! The name of an image -> whether it is there, with the digest that its registry has for it. Registries of Google's are asked, who
//! know whoever is logged in; others have ways of their own to log in, and are left to the service that fetches the image.

use super::is_on_loopback;
use pipe_engine::failure::{Class, Failure};
use pipe_engine::finding::Finding;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use std::time::Duration;

/// How long a registry may take.
const ANSWER: Duration = Duration::from_secs(30);
/// The forms in which it may describe an image; without these it tells of older ones, under other digests.
const FORMS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                     application/vnd.docker.distribution.manifest.list.v2+json, \
                     application/vnd.docker.distribution.manifest.v2+json";
const DIGEST: &str = "docker-content-digest";

/// An image in a registry of Google's.
#[derive(Debug, PartialEq, Eq)]
struct Image<'a> {
    host: &'a str,
    name: &'a str,
    /// Its tag or its digest.
    reference: &'a str,
}

impl<'a> Image<'a> {
    /// `None`: it is in a registry of somebody else's.
    fn of(image: &'a str) -> Option<Self> {
        let (host, rest) = image.split_once('/')?;
        let is_googles = host.ends_with(".pkg.dev") || host == "gcr.io" || host.ends_with(".gcr.io");
        // Of a name with both, the digest counts.
        let (name, reference) = match rest.split_once('@') {
            Some((name, digest)) => (name.split(':').next().unwrap_or(name), digest),
            None => rest.split_once(':').unwrap_or((rest, "latest")),
        };
        (is_googles && !name.is_empty()).then_some(Self { host, name, reference })
    }
}

/// What the registry tells of an image, where it is one of Google's. `endpoint`: where the service is asked that is to fetch it.
pub(crate) async fn image_there(image: &str, endpoint: Option<&str>) -> Option<Finding> {
    let parsed = Image::of(image)?;
    Some(match digest(&parsed, endpoint).await {
        Ok(digest) => Finding::good("image", format!("the image is there, as {digest}")).on(image),
        // Whoever runs pipe need not be allowed what the service itself is.
        Err(failure) if failure.code == "registry_closed" => {
            let Failure { message, help, .. } = failure;
            let finding = Finding::unknown("registry_closed", message).on(image);
            help.into_iter().fold(finding, Finding::help)
        }
        Err(failure) => Finding::error(failure.on(image)),
    })
}

/// What became of the question for an image's digest.
pub(crate) enum Pinned {
    /// The image with its digest in the place of its tag.
    As(String),
    /// It is nothing that this registry would tell us.
    Closed,
    /// The registry did not answer, or has no such image, which the service that fetches it says better.
    Unknown,
}

/// An image under its digest.
pub(crate) async fn pinned(image: &str, endpoint: Option<&str>) -> Pinned {
    let Some(parsed) = Image::of(image) else { return Pinned::Closed };
    match digest(&parsed, endpoint).await {
        Ok(digest) => Pinned::As(format!("{}/{}@{digest}", parsed.host, parsed.name)),
        Err(failure) if failure.code == "registry_closed" => Pinned::Closed,
        Err(_) => Pinned::Unknown,
    }
}

/// What the registry has under that name. Who is on loopback stands in for Google's registries as well.
///
/// # Errors
/// `no_image` when it is not there; `registry_closed` when the registry tells us nothing; others when it does not answer.
async fn digest(image: &Image<'_>, endpoint: Option<&str>) -> Result<String, Failure> {
    let standin = endpoint.filter(|endpoint| is_on_loopback(endpoint)).map(|endpoint| endpoint.trim_end_matches('/'));
    let at = standin.map_or_else(|| format!("https://{}", image.host), str::to_owned);
    let url = format!("{at}/v2/{}/manifests/{}", image.name, image.reference);
    super::choose_tls();
    let client = Client::builder().timeout(ANSWER).build().map_err(|error| silent(&error))?;
    let mut ask = client.request(Method::HEAD, url).header("accept", FORMS);
    if standin.is_none() {
        ask = signed(ask).await?;
    }
    let answer = ask.send().await.map_err(|error| silent(&error))?;
    match answer.status() {
        StatusCode::OK => Ok(told(&answer).unwrap_or_else(|| image.reference.to_owned())),
        StatusCode::NOT_FOUND => Err(missing(image)),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(closed(image)),
        other => Err(silent(&format!("it answers {other}"))),
    }
}

fn told(answer: &Response) -> Option<String> {
    Some(answer.headers().get(DIGEST)?.to_str().ok()?.to_owned())
}

async fn signed(ask: RequestBuilder) -> Result<RequestBuilder, Failure> {
    let credentials = google_cloud_auth::credentials::Builder::default()
        .build_access_token_credentials()
        .map_err(|error| silent(&error))?;
    let token = credentials.access_token().await.map_err(|error| silent(&error))?;
    Ok(ask.bearer_auth(token.token))
}

fn missing(image: &Image<'_>) -> Failure {
    let Image { host, name, .. } = image;
    Failure::failed("no_image", "the image is not there")
        .help(format!("look for its name and tag: gcloud artifacts docker images list {host}/{name} --include-tags"))
}

fn closed(image: &Image<'_>) -> Failure {
    let project = image.name.split('/').next().unwrap_or_default();
    let message = "whether the image is there is not told to whoever is logged in here";
    Failure::failed("registry_closed", message).help(format!(
        "give whoever runs pipe roles/artifactregistry.reader: gcloud projects add-iam-policy-binding {project} \
         --member=user:YOU --role=roles/artifactregistry.reader"
    ))
}

fn silent(why: &impl std::fmt::Display) -> Failure {
    Failure::of(Class::Transient, "registry", "the registry of the image does not answer as it should").source(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_known_by_its_registry_its_name_and_its_tag_or_digest() {
        let image = |host, name, reference| Some(Image { host, name, reference });
        for (text, expected) in [
            ("us-docker.pkg.dev/p/r/worker", image("us-docker.pkg.dev", "p/r/worker", "latest")),
            ("us-docker.pkg.dev/p/r/worker:v1", image("us-docker.pkg.dev", "p/r/worker", "v1")),
            ("gcr.io/p/worker@sha256:ab", image("gcr.io", "p/worker", "sha256:ab")),
            ("eu.gcr.io/p/worker:v1@sha256:ab", image("eu.gcr.io", "p/worker", "sha256:ab")),
            ("docker.io/library/debian", None),
            ("localhost:5000/worker", None),
            ("worker", None),
            ("pkg.dev.example.com/worker", None),
        ] {
            assert_eq!(Image::of(text), expected, "{text}");
        }
    }
}
