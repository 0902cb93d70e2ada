//! A project whose only task runs as a job of Cloud Run, and the services on loopback that it and its store are at.

use crate::bench::{Bench, Said};
use pipe_standin::{Definitions, Standin};
use std::process::Command;

pub(crate) const IMAGE: &str = "us-central1-docker.pkg.dev/our-project/pipe/worker";
/// A task that is soon done.
pub(crate) const SOON: &str = "echo said; echo done > $PIPE_OUTPUT/made";
/// A task that notes that it begins and waits until it may go on.
pub(crate) const WAITS: &str =
    "echo said; echo x >> @/begun; while [ ! -e @/go ]; do sleep 0.05; done; echo done > $PIPE_OUTPUT/made";

pub(crate) struct Project {
    pub(crate) bench: Bench,
    pub(crate) standin: Standin,
}

impl Project {
    /// The task does this, in the image that there is.
    pub(crate) fn doing(shell: &str) -> Self {
        Self::with(shell, IMAGE, "gs://bucket/prefix")
    }

    pub(crate) fn with(shell: &str, image: &str, root: &str) -> Self {
        let standin = Standin::serve(&Definitions::fetched().unwrap(), 0).unwrap();
        standin.make_bucket("bucket");
        // What an image has in its environment: a container gets nothing of ours.
        let emulator = format!("STORAGE_EMULATOR_HOST={}", standin.address());
        standin.image(IMAGE, &["env", &emulator, env!("CARGO_BIN_EXE_pipe")]);
        let spec = format!(
            "version = 1\nname = \"sum\"\n[store]\nroot = \"{root}\"\n[backends.there]\nkind = \"cloud-run\"\n\
             project = \"our-project\"\nregion = \"us-central1\"\nimage = \"{image}\"\nendpoint = \"http://{}\"\n\
             poll = \"100ms\"\n[stages.slow]\nkind = \"command\"\nshell = \"{shell}\"\noutputs = [\"made\"]\n\
             backend = \"there\"\ntimeout = \"10m\"\n",
            standin.address()
        );
        Self { bench: Bench::with(&spec), standin }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.bench.command(arguments);
        command.env("STORAGE_EMULATOR_HOST", self.standin.address().to_string());
        command
    }

    pub(crate) fn pipe(&self, arguments: &[&str]) -> Said {
        self.bench.said(&mut self.command(arguments))
    }

    /// How often a method of Cloud Run's jobs was asked.
    pub(crate) fn asked(&self, method: &str) -> usize {
        let wanted = format!("run.projects.locations.jobs.{method}");
        self.standin.asked().iter().filter(|asked| asked.method == wanted).count()
    }

    /// The names of the objects of the bucket that hold this word.
    pub(crate) fn objects(&self, word: &str) -> Vec<String> {
        let names = self.standin.objects("bucket").into_iter().map(|(name, _)| name);
        names.filter(|name| name.contains(word)).collect()
    }
}
