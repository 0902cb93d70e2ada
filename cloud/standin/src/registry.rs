//! A registry of images, as far as it tells whether one is there: the images that containers begin with, under whichever host.
//! Source: the distribution specification of the Open Container Initiative, "checking if content exists in the registry".

use crate::answer::{Body, Refusal, nothing, set};
use crate::machine::Machine;
use hyper::header::HeaderName;
use hyper::{Method, Response, StatusCode};

/// An image by its name and its tag or its digest.
pub(crate) struct Image {
    name: String,
    tag: String,
}

/// The image that a request is about, if it is one to a registry.
pub(crate) fn image(verb: &Method, path: &str) -> Option<Image> {
    let (name, tag) = path.strip_prefix("/v2/")?.rsplit_once("/manifests/")?;
    (verb == Method::HEAD).then(|| Image { name: name.to_owned(), tag: tag.to_owned() })
}

pub(crate) fn answer(machine: &Machine, image: &Image) -> Result<Response<Body>, Refusal> {
    let Image { name, tag } = image;
    let Some(digest) = machine.digest(name, tag) else {
        return Err(Refusal::new(404, format!("manifest unknown: {name}:{tag}")));
    };
    let mut answer = nothing(StatusCode::OK);
    set(&mut answer, HeaderName::from_static("docker-content-digest"), &digest);
    Ok(answer)
}
