//! The command line of `pipe image`.

use clap::{Args as Group, Subcommand};

#[derive(Debug, Group)]
pub(crate) struct ImageArgs {
    #[command(subcommand)]
    pub(crate) what: ImageVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ImageVerb {
    /// Build the image of this very program, with docker, podman or buildah
    Build(ImageBuildArgs),
    /// Put the image into its registry, and say what to write in the spec
    Push(ImagePushArgs),
    /// Print the Dockerfile that the image is built by
    Show,
}

#[derive(Debug, Group)]
#[command(after_help = "\
Examples:
  pipe image build us-central1-docker.pkg.dev/films/pipe/worker          its tag is this version
  pipe image build --cuda us-central1-docker.pkg.dev/films/pipe/worker:cuda
  pipe image build --with podman localhost:5000/worker:test")]
pub(crate) struct ImageBuildArgs {
    /// Its name: REGISTRY/REPOSITORY/NAME, with or without a tag
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// For machines with a GPU of NVIDIA's
    #[arg(long)]
    pub(crate) cuda: bool,
    /// The program that builds [default: docker, else podman, else buildah]
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) with: Option<String>,
}

#[derive(Debug, Group)]
pub(crate) struct ImagePushArgs {
    /// Its name: REGISTRY/REPOSITORY/NAME, with or without a tag
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// The program that pushes [default: docker, else podman, else buildah]
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) with: Option<String>,
}
