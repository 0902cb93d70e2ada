//! `pipe image`: this very program -> a container image that tasks elsewhere run in, and its place in a registry. What is
//! asked to build and push is `docker`, or a program that takes the same words.

use crate::args::{ImageArgs, ImageBuildArgs, ImagePushArgs, ImageVerb};
use crate::exit::{Exit, Refusal};
use crate::printer::Printer;
use serde_json::json;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

const DOCKERFILE: &str = include_str!("../../../image/Dockerfile");
/// Those that are looked for, in this order.
const BUILDERS: [&str; 3] = ["docker", "podman", "buildah"];

pub(crate) fn run(args: &ImageArgs, printer: &Printer) -> Result<Exit, Refusal> {
    match &args.what {
        ImageVerb::Build(args) => build(args, printer),
        ImageVerb::Push(args) => push(args, printer),
        ImageVerb::Show => printer.data(DOCKERFILE).map(|()| Exit::Done).map_err(Refusal::from),
    }
}

fn build(args: &ImageBuildArgs, printer: &Printer) -> Result<Exit, Refusal> {
    let builder = builder(args.with.as_deref())?;
    let tag = tagged(&args.name)?;
    let cannot = |error: io::Error| Refusal::new(Exit::Unavailable, format!("cannot lay out the image: {error}"));
    let folder = tempfile::tempdir().map_err(cannot)?;
    fs::write(folder.path().join("Dockerfile"), DOCKERFILE).map_err(cannot)?;
    let program = std::env::current_exe().map_err(cannot)?;
    fs::copy(program, folder.path().join("pipe")).map_err(cannot)?;
    let target = if args.cuda { "cuda" } else { "cpu" };
    ask(&builder, &["build", "--target", target, "--tag", &tag], Some(folder.path()))?;
    if printer.json {
        printer.document(&json!({ "image": tag }))?;
    } else {
        printer.line(&format!("built {tag} of this program; `pipe image push {tag}` puts it into its registry"));
    }
    Ok(Exit::Done)
}

fn push(args: &ImagePushArgs, printer: &Printer) -> Result<Exit, Refusal> {
    let builder = builder(args.with.as_deref())?;
    let tag = tagged(&args.name)?;
    // The digest is of what the registry has, so that the spec names these bytes and no later ones.
    let digests = tempfile::NamedTempFile::new()
        .map_err(|error| Refusal::new(Exit::Unavailable, format!("cannot make a temporary file: {error}")))?;
    let digest = if builder == "docker" {
        ask(&builder, &["push", &tag], None)?;
        let format = ["image", "inspect", "--format", "{{index .RepoDigests 0}}", &tag];
        told(&builder, &format)?.rsplit_once('@').map(|(_, digest)| digest.to_owned())
    } else {
        let file = digests.path().to_string_lossy().into_owned();
        ask(&builder, &["push", "--digestfile", &file, &tag], None)?;
        fs::read_to_string(digests.path()).ok()
    };
    let digest = digest.map(|digest| digest.trim().to_owned()).filter(|digest| digest.starts_with("sha256:"));
    let Some(digest) = digest else {
        let message = format!("{builder} pushed {tag} and did not say its digest");
        return Err(Refusal::new(Exit::Unavailable, message).help("name the image by its tag"));
    };
    let image = format!("{}@{digest}", untagged(&tag));
    if printer.json {
        printer.document(&json!({ "image": image }))?;
    } else {
        printer.line(&format!("pushed {tag}; in the spec's backend: image = \"{image}\""));
    }
    Ok(Exit::Done)
}

/// The name with its tag: that of this version where none is given.
fn tagged(name: &str) -> Result<String, Refusal> {
    let (path, tag) = name.split_at(untagged(name).len());
    if !is_path(path) || !(tag.is_empty() || is_tag(&tag[1..])) {
        return Err(Refusal::new(Exit::Wrong, format!("`{name}` is no name of an image"))
            .help("write REGISTRY/REPOSITORY/NAME, such as us-central1-docker.pkg.dev/films/pipe/worker"));
    }
    Ok(if tag.is_empty() { format!("{name}:{}", env!("CARGO_PKG_VERSION")) } else { name.to_owned() })
}

/// Small letters, digits and `._-` between slashes; before the first there may be a registry's port.
fn is_path(path: &str) -> bool {
    let fits = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c))
    };
    let (host, rest) = path.split_once('/').unwrap_or((path, "name"));
    let port = host.split_once(':').map_or(Ok(0), |(_, port)| port.parse::<u16>());
    port.is_ok() && fits(host.split(':').next().unwrap_or_default()) && rest.split('/').all(fits)
}

fn is_tag(tag: &str) -> bool {
    tag.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && tag.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// A colon before the last slash is that of a registry's port.
fn untagged(name: &str) -> &str {
    let slash = name.rfind('/').map_or(0, |at| at + 1);
    name[slash..].find(':').map_or(name, |at| &name[..slash + at])
}

fn builder(named: Option<&str>) -> Result<String, Refusal> {
    let starts = |name: &&str| {
        Command::new(name)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|s| s.success())
    };
    let found = named.map_or_else(|| BUILDERS.into_iter().find(starts), |name| Some(name).filter(starts));
    found.map(str::to_owned).ok_or_else(|| {
        let message = match named {
            Some(name) => format!("`{name}` does not start"),
            None => "there is nothing here that builds images: no docker, no podman, no buildah".to_owned(),
        };
        Refusal::new(Exit::Unavailable, message)
            .help("install one, or build in the cloud: image/cloudbuild.yaml; `pipe image show` prints the Dockerfile")
    })
}

/// Runs it with its own words on the terminal.
fn ask(builder: &str, words: &[&str], folder: Option<&Path>) -> Result<(), Refusal> {
    let mut command = Command::new(builder);
    command.args(words).args(folder).stdout(io::stderr());
    let status = command.status().map_err(|error| cannot_start(builder, &error))?;
    if status.success() {
        return Ok(());
    }
    Err(Refusal::new(Exit::Unavailable, format!("`{builder} {}` failed: {status}", words[0]))
        .help("what it said is above; for a registry of Google's: gcloud auth configure-docker REGION-docker.pkg.dev"))
}

fn told(builder: &str, words: &[&str]) -> Result<String, Refusal> {
    let output = Command::new(builder).args(words).output().map_err(|error| cannot_start(builder, &error))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn cannot_start(builder: &str, error: &io::Error) -> Refusal {
    Refusal::new(Exit::Unavailable, format!("cannot start {builder}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_tag_gets_that_of_this_version_and_a_port_is_no_tag() {
        let version = env!("CARGO_PKG_VERSION");
        let name = |text: &str| tagged(text).ok();
        assert_eq!(name("a.dev/films/worker"), Some(format!("a.dev/films/worker:{version}")));
        assert_eq!(name("a.dev/films/worker:V1"), Some("a.dev/films/worker:V1".to_owned()));
        assert_eq!(name("localhost:5000/worker"), Some(format!("localhost:5000/worker:{version}")));
        assert_eq!(untagged("localhost:5000/worker:v1"), "localhost:5000/worker");
        for wrong in ["", ":v1", "a.dev/Films", "a b", "a.dev/worker:", "--rm", "a.dev/worker:v/1"] {
            assert_eq!(name(wrong), None, "{wrong}");
        }
    }
}
