//! `specs/ways`: a spec for each way in which people come. Each is judged as it lies there, and then run on small sample games with
//! nothing changed but whose it is, and where Google's services are.

use crate::afar::IMAGE;
use crate::bench::Said;
use crate::quick::Quick;
use pipe_testdata::Recipe;
use serde_json::Value as Json;
use std::path::{Path, PathBuf};

/// One of them, and what comes of it with two games.
struct Way {
    spec: &'static str,
    /// Other parameters than the sample's, as lines of a spec.
    params: &'static str,
    profile: Option<&'static str>,
    /// Its places.
    backends: &'static [&'static str],
    /// How many tasks there are, and how many of them are jobs of Cloud Run and custom jobs of Vertex AI.
    tasks: usize,
    jobs: usize,
    custom_jobs: usize,
}

const ONE_ANGLE: &str = "angles = [\"FAR_LEFT\"]\n";

/// Exports stay here; both games' clips are cut there; frames, data set and model are made here.
const HYBRID: Way = Way {
    spec: "hybrid",
    params: ONE_ANGLE,
    profile: None,
    backends: &["jobs"],
    tasks: 2 + 2 + 2 + 1 + 1,
    jobs: 2,
    custom_jobs: 0,
};
/// Of each game the export and one task for all angles.
const GAMES: Way =
    Way { spec: "games", params: "", profile: None, backends: &["jobs"], tasks: 2 + 2, jobs: 2 + 2, custom_jobs: 0 };
/// Three trainings there, between an export and a choice here.
const TRAINING: Way = Way {
    spec: "training",
    params: "",
    profile: None,
    backends: &["gpus", "jobs"],
    tasks: 1 + 3 + 1,
    jobs: 0,
    custom_jobs: 3,
};
/// Clips on machines without a GPU, the model on one that has one.
const MACHINES: Way = Way {
    spec: "machines",
    params: ONE_ANGLE,
    profile: None,
    backends: &["cpus", "gpus"],
    tasks: 2 + 2 + 1 + 1,
    jobs: 0,
    custom_jobs: 2 + 1,
};

/// Sample games, and the services that have them.
struct Cloud(Quick);

impl Cloud {
    fn new() -> Self {
        Self(Quick::of(Recipe { games: 2, ..Recipe::default() }))
    }

    fn plays(&self) -> PathBuf {
        self.0.afar.bench.path("data/plays.db")
    }

    /// Lays what is ours over a spec.
    fn lay_over(&self, way: &Way) {
        let (spec, plays) = (lies(way), self.plays());
        let mut text = format!(
            "version = 1\nextends = \"{}\"\n[params]\nproject = \"our-project\"\nimage = \"{IMAGE}\"\ncuda = \"{IMAGE}\"\n\
             plays = \"{}\"\ngames = [\"g1\", \"g2\"]\n{}",
            spec.display(),
            plays.display(),
            way.params
        );
        for backend in way.backends {
            let there = self.0.afar.standin.address();
            text.push_str(&format!("[backends.{backend}]\nendpoint = \"http://{there}\"\npoll = \"100ms\"\n"));
        }
        self.0.write(&text);
    }

    fn pipe(&self, verb: &[&str], way: &Way) -> Said {
        let profile = way.profile.map(|profile| ["--profile", profile]);
        let words = [verb, profile.as_ref().map_or(&[], |words| words.as_slice())].concat();
        let mut command = self.0.afar.bench.command(&words);
        command.env("STORAGE_EMULATOR_HOST", self.0.afar.standin.address().to_string());
        let said = self.0.afar.bench.said(&mut command);
        assert_eq!(said.code, Some(0), "{}, {words:?}: {said:?}", way.spec);
        said
    }

    /// How often a method of either service was asked.
    fn asked(&self, method: &str) -> usize {
        self.0.afar.standin.asked().iter().filter(|asked| asked.method == method).count()
    }

    /// How many jobs were made and removed of a sort.
    fn made_and_removed(&self, sort: &str) -> (usize, usize) {
        (self.asked(&format!("{sort}.create")), self.asked(&format!("{sort}.delete")))
    }

    fn holds(&self, way: &Way) {
        self.lay_over(way);
        let checked = self.pipe(&["check", "spec.toml", "--json"], way).json();
        assert_eq!(checked["ready"], true, "{}: {checked:#}", way.spec);
        let looked = self.custom_and_jobs();
        let plan = self.pipe(&["plan", "spec.toml", "--cost", "--json"], way).json();
        assert_eq!(plan["cost"]["run"]["unknown"].as_u64().unwrap_or(0), 0, "{}: {}", way.spec, plan["cost"]);
        let before = self.0.afar.containers().len();
        let run = self.pipe(&["run", "spec.toml", "--json"], way);
        assert_eq!(last(&run)["succeeded"], way.tasks, "{}: {run:?}", way.spec);
        assert_eq!(self.0.afar.containers().len() - before, way.jobs + way.custom_jobs, "{}: really run", way.spec);
        let ran = self.custom_and_jobs();
        let added = [0, 1].map(|sort| (ran[sort].0 - looked[sort].0, ran[sort].1 - looked[sort].1));
        let each = [(way.jobs, way.jobs), (way.custom_jobs, way.custom_jobs)];
        assert_eq!(added, each, "{}: a job for each, and none left", way.spec);
        let again = self.pipe(&["run", "spec.toml", "--json"], way);
        assert_eq!(last(&again)["cached"], way.tasks, "{}", way.spec);
    }

    fn custom_and_jobs(&self) -> [(usize, usize); 2] {
        ["run.projects.locations.jobs", "aiplatform.projects.locations.customJobs"]
            .map(|sort| self.made_and_removed(sort))
    }
}

/// Where a spec lies in the repository.
fn lies(way: &Way) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../specs/ways/{}.toml", way.spec)).canonicalize().unwrap()
}

fn last(said: &Said) -> Json {
    said.events().pop().unwrap()
}

#[test]
fn each_way_in_is_a_sound_spec_as_it_lies_there() {
    let cloud = Cloud::new();
    let plays = format!("plays={}", cloud.plays().display());
    for way in [HYBRID, GAMES, TRAINING, MACHINES] {
        let spec = lies(&way).display().to_string();
        let said = cloud.pipe(&["validate", &spec, "--offline", "--json", "-P", &plays], &way);
        assert_eq!(said.json()["problems"], Json::from([] as [u8; 0]), "{}: {said:?}", way.spec);
    }
}

#[test]
fn a_hybrid_of_this_machine_and_cloud_run_comes_to_a_model() {
    Cloud::new().holds(&HYBRID);
}

#[test]
fn games_are_cut_in_jobs_of_their_own() {
    Cloud::new().holds(&GAMES);
}

#[test]
fn trainings_queue_for_gpus_and_what_one_place_has_trained_the_other_need_not() {
    let cloud = Cloud::new();
    cloud.holds(&TRAINING);
    let on_cloud_run = Way { profile: Some("cloud-run"), jobs: 3, custom_jobs: 0, ..TRAINING };
    let run = cloud.pipe(&["run", "spec.toml", "--json"], &on_cloud_run);
    assert_eq!(last(&run)["cached"], TRAINING.tasks);
    cloud.lay_over(&Way { params: "rates = [0.5, 0.25, 0.125]\n", ..on_cloud_run });
    let run = cloud.pipe(&["run", "spec.toml", "--json"], &on_cloud_run);
    assert_eq!((last(&run)["succeeded"].as_u64(), cloud.custom_and_jobs()[0]), (Some(3 + 1), (3, 3)));
}

#[test]
fn stages_have_machines_of_their_own() {
    let cloud = Cloud::new();
    cloud.lay_over(&MACHINES);
    let plan = cloud.pipe(&["plan", "spec.toml", "--cost", "--json"], &MACHINES).json();
    let stages = plan["cost"]["stages"].as_array().unwrap();
    let machine = |name: &str| stages.iter().find(|stage| stage["name"] == name).unwrap()["machine"].as_str();
    assert_eq!(machine("model"), Some("g2-standard-8 with 1 nvidia-l4"), "the one that its backend names");
    assert_eq!(machine("clips"), Some("n1-standard-4"), "the cheapest of four CPUs and 8 GiB, without a GPU");
    cloud.holds(&MACHINES);
}
