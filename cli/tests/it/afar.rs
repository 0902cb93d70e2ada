//! Places of Google's that attempts are sent to, on a stand-in that starts what their containers would start, with a bucket of
//! the same stand-in between. What holds for one place is to hold for each, so tests take the places from a list.

use crate::bench::{Bench, Said};
use pipe_standin::{Definitions, Standin};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

/// What containers are made of.
pub(crate) const IMAGE: &str = "us-central1-docker.pkg.dev/our-project/pipe/worker";
/// The bucket that is the store, and the store in it.
pub(crate) const BUCKET: &str = "bucket";
pub(crate) const STORE: &str = "gs://bucket/prefix";

/// Somewhere to run.
pub(crate) struct Place {
    /// Its `kind` in a spec.
    pub(crate) name: &'static str,
    /// Where its jobs are listed.
    jobs: &'static str,
    /// Whether the service takes a name for a job, so that an attempt has one job and no second.
    takes_names: bool,
    /// Whether its jobs are containers of ours, made of [`IMAGE`].
    has_containers: bool,
}

/// Jobs of Cloud Run.
pub(crate) const CLOUD_RUN: Place = Place {
    name: "cloud-run",
    jobs: "/v2/projects/our-project/locations/us-central1/jobs",
    takes_names: true,
    has_containers: true,
};

/// Custom jobs of Vertex AI.
pub(crate) const VERTEX: Place = Place {
    name: "vertex",
    jobs: "/v1/projects/our-project/locations/us-central1/customJobs",
    takes_names: false,
    has_containers: true,
};

/// Tuning jobs of Vertex AI.
pub(crate) const TUNING: Place = Place {
    name: "vertex-tuning",
    jobs: "/v1/projects/our-project/locations/us-central1/tuningJobs",
    takes_names: false,
    has_containers: false,
};

/// A project whose tasks run at a place, and the services.
pub(crate) struct Afar {
    pub(crate) bench: Bench,
    pub(crate) standin: Standin,
    place: &'static Place,
}

impl Afar {
    /// `PLACE` in the spec stands where a stage says where it runs; a spec without it runs here.
    pub(crate) fn with(place: &'static Place, spec: &str) -> Self {
        Self::at(place, spec, STORE)
    }

    /// The same with another store.
    pub(crate) fn at(place: &'static Place, spec: &str, store: &str) -> Self {
        let standin = Standin::serve(&Definitions::fetched().unwrap(), 0).unwrap();
        standin.make_bucket(BUCKET);
        let afar = Self { bench: Bench::new(), standin, place };
        afar.contain("");
        afar.write_spec(spec, store);
        afar
    }

    /// Writes the spec anew.
    pub(crate) fn write_spec(&self, spec: &str, store: &str) {
        let text = format!("{}\n[store]\nroot = \"{store}\"\n{}", spec.replace("PLACE", HERE), self.settings());
        self.bench.write("spec.toml", &text.replace('@', &self.bench.path("").display().to_string()));
    }

    /// Whether an attempt has one job there and no second.
    pub(crate) fn takes_names(&self) -> bool {
        self.place.takes_names
    }

    /// What a spec says of the place.
    pub(crate) fn settings(&self) -> String {
        self.settings_of(self.place)
    }

    /// What a spec says of another place of these services.
    pub(crate) fn settings_of(&self, place: &Place) -> String {
        let own = if place.has_containers {
            format!("image = \"{IMAGE}\"\npoll = \"100ms\"")
        } else {
            "prices = { \"gemini-2.5-flash\" = 5 }\npoll = \"50ms\"".to_owned()
        };
        format!(
            "[backends.there]\nkind = \"{}\"\nproject = \"our-project\"\nregion = \"us-central1\"\nendpoint = \"http://{}\"\n{own}\n",
            place.name,
            self.standin.address()
        )
    }

    /// From now on a container does this before its worker. Each writes its process, its job and its attempt into the book, and
    /// has a scratch folder of its own, as on a machine of its own: `$SCRATCH`.
    pub(crate) fn contain(&self, before: &str) {
        self.contain_by(before, &["sh", "-c"]);
    }

    /// The same, with mounts that nobody else sees.
    #[cfg(feature = "video")]
    pub(crate) fn contain_apart(&self, before: &str) {
        self.contain_by(before, &["unshare", "--mount", "sh", "-c"]);
    }

    fn contain_by(&self, before: &str, shell: &[&str]) {
        let (book, scratch) = (self.bench.path("book"), self.bench.path("scratch"));
        let script = format!(
            "echo \"$$ ${{CLOUD_RUN_EXECUTION:-$CLOUD_ML_JOB_ID}} $2\" >> '{}'\nSCRATCH='{}'/$$\nmkdir -p \"$SCRATCH\"\n{before}\n\
             exec env STORAGE_EMULATOR_HOST={} PIPE_SCRATCH=\"$SCRATCH\" '{}' \"$@\"",
            book.display(),
            scratch.display(),
            self.standin.address(),
            env!("CARGO_BIN_EXE_pipe")
        );
        self.standin.image(IMAGE, &[shell, &[script.as_str(), "container"]].concat());
    }

    pub(crate) fn command(&self, state: &str, more: &[&str]) -> Command {
        let mut command = self.bench.command(&[&["run", "spec.toml", "--json", "--state", state], more].concat());
        command.env("STORAGE_EMULATOR_HOST", self.standin.address().to_string());
        command
    }

    /// A run that must end well.
    pub(crate) fn run(&self, state: &str, more: &[&str]) -> Said {
        let said = self.bench.said(&mut self.command(state, more));
        assert_eq!(said.code, Some(0), "{said:?}");
        said
    }

    /// The containers that began: their processes, jobs and attempts.
    pub(crate) fn containers(&self) -> Vec<[String; 3]> {
        let book = std::fs::read_to_string(self.bench.path("book")).unwrap_or_default();
        let lines = book.lines().map(|line| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            words.try_into().unwrap_or_else(|words| panic!("a line of the book has three words: {words:?}"))
        });
        lines.collect()
    }

    /// Kills a container as a machine that loses its power does: with all that it has started.
    pub(crate) fn kill(&self, container: &[String; 3]) {
        let children = children();
        let mut lost = vec![container[0].parse::<i32>().unwrap()];
        let mut next = 0;
        while let Some(process) = lost.get(next).copied() {
            lost.extend(children.get(&process).into_iter().flatten());
            next += 1;
        }
        for process in lost {
            let process = rustix::process::Pid::from_raw(process).unwrap();
            let _ = rustix::process::kill_process(process, rustix::process::Signal::KILL);
        }
        let _ = std::fs::remove_dir_all(self.scratch(container));
    }

    /// The scratch folder of a container.
    pub(crate) fn scratch(&self, container: &[String; 3]) -> PathBuf {
        self.bench.path("scratch").join(&container[0])
    }

    /// Objects of the store under a prefix, with their bytes.
    pub(crate) fn objects(&self, prefix: &str) -> Vec<(String, Vec<u8>)> {
        let start = format!("prefix/{prefix}");
        self.standin.objects(BUCKET).into_iter().filter(|(name, _)| name.starts_with(&start)).collect()
    }

    /// The manifests of the store.
    pub(crate) fn manifests(&self) -> Vec<Json> {
        let manifests = self.objects("results/").into_iter();
        manifests.map(|(_, bytes)| serde_json::from_slice(&bytes).unwrap()).collect()
    }

    /// The jobs that are there, by their names. A list may be late, so it is asked for more than once.
    pub(crate) fn jobs(&self) -> Vec<String> {
        self.standin.list_late(0);
        (0..8).map(|_| self.listed()).last().unwrap()
    }

    fn listed(&self) -> Vec<String> {
        self.told_jobs().iter().map(|job| job["name"].as_str().unwrap().to_owned()).collect()
    }

    /// All that a list tells of its jobs.
    pub(crate) fn told_jobs(&self) -> Vec<Json> {
        let mut connection = TcpStream::connect(self.standin.address()).unwrap();
        write!(connection, "GET {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", self.place.jobs).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(" 200 "), "{answer}");
        let told: Json = serde_json::from_str(body).unwrap();
        let lists = told.as_object().unwrap().values().filter_map(Json::as_array).flatten();
        lists.cloned().collect()
    }
}

/// Where a stage runs, and what somebody pays for has an end.
const HERE: &str = "backend = \"there\"\ntimeout = \"10m\"";

/// Makes something of a service of the stand-in, by its path.
pub(crate) fn post(standin: &Standin, path: &str, body: &str) {
    let mut connection = TcpStream::connect(standin.address()).unwrap();
    let length = body.len();
    let head = format!("Host: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}");
    write!(connection, "POST {path} HTTP/1.1\r\n{head}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(" 200 "), "{answer}");
}

/// The children of each process of this machine.
fn children() -> BTreeMap<i32, Vec<i32>> {
    let mut children = BTreeMap::<i32, Vec<i32>>::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)).and_then(|id| id.parse().ok());
        if let Some(parent) = parent {
            children.entry(parent).or_default().push(process);
        }
    }
    children
}
