//! Tasks that run as jobs of Cloud Run, through the binary: on a stand-in that holds every request against Google's own
//! definitions and starts what a job's container would start, with a bucket of the same stand-in between engine and jobs.

use crate::bench::{Bench, Said, wait_until};
use crate::jobs::{SLOW, SPEC, digests, here, write_project};
use pipe_standin::{Definitions, Standin};
use std::path::PathBuf;
use std::process::{Command, Stdio};

const HERE: &str = "kind = \"detached\"\nfolder = \"@/jobs\"\n";
const IMAGE: &str = "us-central1-docker.pkg.dev/our-project/pipe/worker";

/// A project whose tasks run there, and the services.
struct Cloud {
    bench: Bench,
    standin: Standin,
}

impl Cloud {
    fn with(spec: &str) -> Self {
        let standin = Standin::serve(&Definitions::fetched().unwrap(), 0).unwrap();
        standin.make_bucket("bucket");
        let place = format!(
            "kind = \"cloud-run\"\nproject = \"our-project\"\nregion = \"us-central1\"\nimage = \"{IMAGE}\"\n\
             endpoint = \"http://{}\"\npoll = \"100ms\"\n",
            standin.address()
        );
        let spec = spec.replace(HERE, &place).replace("PLACE", "backend = \"there\"\ntimeout = \"10m\"");
        let bench = Bench::with(&format!("{spec}\n[store]\nroot = \"gs://bucket/prefix\"\n"));
        write_project(&bench);
        // What an image has in its environment: a container gets nothing of ours. An attempt of the same key, in another project, works
        // at the same time on this machine.
        std::fs::create_dir(bench.path("scratch")).unwrap();
        let scratch = format!("PIPE_SCRATCH={}", bench.path("scratch").display());
        let emulator = format!("STORAGE_EMULATOR_HOST={}", standin.address());
        standin.image(IMAGE, &["env", &emulator, &scratch, env!("CARGO_BIN_EXE_pipe")]);
        Self { bench, standin }
    }

    fn command(&self, state: &str) -> Command {
        let mut command = self.bench.command(&["run", "spec.toml", "--json", "--state", state]);
        command.env("STORAGE_EMULATOR_HOST", self.standin.address().to_string());
        command
    }

    fn run(&self, state: &str) -> Said {
        let said = self.bench.said(&mut self.command(state));
        assert_eq!(said.code, Some(0), "{said:?}");
        said
    }

    fn asked(&self, method: &str) -> usize {
        let wanted = format!("run.projects.locations.jobs.{method}");
        self.standin.asked().iter().filter(|asked| asked.method == wanted).count()
    }
}

#[test]
fn jobs_of_cloud_run_make_what_a_run_in_a_folder_makes() {
    let cloud = Cloud::with(SPEC);
    let said = cloud.run("here");
    assert_eq!(digests(&said), here());
    assert_eq!(
        (cloud.asked("create"), cloud.asked("run"), cloud.asked("delete")),
        (4, 4, 4),
        "a job for each, and none left"
    );
    assert_eq!(cloud.run("there").count("task_succeeded"), 0, "another machine finds all of it");
    assert_eq!(cloud.asked("create"), 4);
}

#[test]
fn what_jobs_cost_is_told_of_one_run_beside_what_was_expected_and_of_all_runs_together() {
    let cloud = Cloud::with(SPEC);
    cloud.run("here");
    let asked = |args: &[&str]| cloud.bench.pipe(&[args, &["spec.toml", "--state", "here", "--json"]].concat()).json();
    let costs = asked(&["costs"]);
    let all = &costs["all"];
    assert_eq!((&all["attempts"], &all["unpriced"], &all["open"]), (&4.into(), &0.into(), &0.into()), "{costs}");
    let (seconds, amount) = (all["seconds"].as_f64().unwrap(), all["amount"].as_f64().unwrap());
    // The smallest instance: one CPU and half a GiB are 0.000018 + 0.5 x 0.000002 USD a second, and each is paid for a minute at
    // least, which is 0.00114.
    let least = 4.0 * 0.001_14;
    assert!(amount > least - 1e-5 && amount < least + seconds * 0.000_019 + 1e-5, "{costs}");
    let report = asked(&["report"]);
    let stages = report["reckoning"].as_object().unwrap();
    let paid: u64 = stages.values().map(|stage| stage["paid"].as_u64().unwrap()).sum();
    assert_eq!(paid, 4, "{report}");
    // Half of ten minutes is all that was known: 300 s for each.
    assert!(stages.values().all(|stage| stage["expected_seconds"] == stage["tasks"].as_f64().unwrap() * 300.0));
    let wrong = cloud.bench.pipe(&["costs", "spec.toml", "--state", "here", "--by", "gam"]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
}

#[test]
fn a_job_of_an_engine_that_was_killed_is_taken_up_by_one_that_knows_only_the_bucket() {
    let slow = SLOW.replace("backend = \"there\"", "PLACE");
    let cloud = Cloud::with(&slow);
    let mut engine = cloud.command("here").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    cloud.bench.wait_for("begun");
    engine.kill().unwrap();
    engine.wait().unwrap();
    let told: PathBuf = cloud.bench.path("told");
    let mut command = cloud.command("there");
    command.stdout(std::fs::File::create(&told).unwrap()).stderr(Stdio::null());
    let mut engine = command.spawn().unwrap();
    wait_until("it to take the job up", || std::fs::read_to_string(&told).unwrap().contains("attempt_submitting"));
    cloud.bench.write("go", "");
    assert_eq!(engine.wait().unwrap().code(), Some(0));
    assert_eq!((cloud.asked("create"), cloud.asked("run")), (1, 1));
    assert_eq!(cloud.bench.read("begun").lines().count(), 1, "its work is done once");
}

/// Says something, and then nothing for ever; the second time it is done at once.
const STALLS: &str = "echo x >> @/begun; [ $(wc -l < @/begun) -gt 1 ] || exec sleep 600; echo done > $PIPE_OUTPUT/made";

#[test]
fn a_job_that_says_nothing_for_as_long_as_it_may_is_stopped_and_tried_again() {
    let before = SLOW.split_once("shell = ").unwrap().0;
    let spec = format!(
        "{before}shell = \"{STALLS}\"\noutputs = [\"made\"]\nsilence = \"3s\"\n\
         retry = {{ stalled = 1, backoff = \"10ms..20ms\" }}\nPLACE\n"
    );
    let cloud = Cloud::with(&spec);
    let said = cloud.run("here");
    let failures: Vec<_> = said.events().into_iter().filter(|event| !event["failure"].is_null()).collect();
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert_eq!((&failures[0]["type"], &failures[0]["failure"]["class"]), (&"attempt_ended".into(), &"stalled".into()));
    assert!(failures[0]["failure"]["message"].as_str().unwrap().contains("said nothing for 3"), "{failures:?}");
    assert_eq!((cloud.asked("executions.cancel"), cloud.asked("create"), cloud.asked("delete")), (1, 2, 2));
    assert_eq!(said.count("task_succeeded"), 1);
}
