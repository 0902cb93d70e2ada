//! Tasks that run as custom jobs of Vertex AI, through the binary: on a stand-in that holds every request against Google's own
//! definitions and starts what a job's container would start, with a bucket of the same stand-in between engine and jobs.

use crate::afar::post;
use crate::bench::{Bench, Said, wait_until};
use crate::jobs::{SLOW, SPEC, digests, here, write_project};
use pipe_standin::{Definitions, Fault, Standin};
use serde_json::Value as Json;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

const HERE: &str = "kind = \"detached\"\nfolder = \"@/jobs\"\n";
const IMAGE: &str = "us-central1-docker.pkg.dev/our-project/pipe/worker";
/// A value that must be seen nowhere, and the same as Secret Manager takes it (by `base64` of coreutils).
const CANARY: &str = "canary-5f1d9c";
const CANARY_BASE64: &str = "Y2FuYXJ5LTVmMWQ5Yw==";

/// A task that is given a secret, prints it, and leaves what comes of it: `sha256sum` of coreutils says what that is.
const SECRETIVE: &str = r#"
version = 1
name = "sum"
[backends.there]
kind = "detached"
folder = "@/jobs"
[stages.login]
kind = "command"
shell = "echo it is $TOKEN; printf %s $TOKEN | sha256sum > $PIPE_OUTPUT/sum; echo $AIP_CHECKPOINT_DIR > $PIPE_OUTPUT/folder"
outputs = ["sum", "folder"]
secrets = { TOKEN = "gcp:projects/our-project/secrets/token/versions/1" }
PLACE
"#;
const CANARY_SHA256: &str = "9da39c9d";

/// A project whose tasks run there, and the services.
struct Cloud {
    bench: Bench,
    standin: Standin,
}

impl Cloud {
    fn with(spec: &str) -> Self {
        let standin = Standin::serve(&Definitions::fetched().unwrap(), 0).unwrap();
        standin.make_bucket("bucket");
        // What an image has in its environment: a container gets nothing of ours.
        let buckets = format!("STORAGE_EMULATOR_HOST={}", standin.address());
        let place = format!(
            "kind = \"vertex\"\nproject = \"our-project\"\nregion = \"us-central1\"\nimage = \"{IMAGE}\"\n\
             endpoint = \"http://{}\"\npoll = \"100ms\"\n",
            standin.address()
        );
        let spec = spec.replace(HERE, &place).replace("PLACE", "backend = \"there\"\ntimeout = \"10m\"");
        let bench = Bench::with(&format!("{spec}\n[store]\nroot = \"gs://bucket/prefix\"\n"));
        write_project(&bench);
        // An attempt of the same key, in another project, works at the same time on this machine.
        std::fs::create_dir(bench.path("scratch")).unwrap();
        let scratch = format!("PIPE_SCRATCH={}", bench.path("scratch").display());
        standin.image(IMAGE, &["env", &buckets, &scratch, env!("CARGO_BIN_EXE_pipe")]);
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
        let wanted = format!("aiplatform.projects.locations.customJobs.{method}");
        self.standin.asked().iter().filter(|asked| asked.method == wanted).count()
    }

    /// Keeps the canary as the first version of the secret `token`.
    fn keep_secret(&self) {
        let secrets = "/v1/projects/our-project/secrets";
        post(&self.standin, &format!("{secrets}?secretId=token"), r#"{"replication": {"automatic": {}}}"#);
        post(
            &self.standin,
            &format!("{secrets}/token:addVersion"),
            &format!(r#"{{"payload": {{"data": "{CANARY_BASE64}"}}}}"#),
        );
        // Whom a job acts as that does not say it.
        let agent = "serviceAccount:service-1@gcp-sa-aiplatform-cc.iam.gserviceaccount.com";
        let reader = format!(r#"{{"role": "roles/secretmanager.secretAccessor", "members": ["{agent}"]}}"#);
        post(
            &self.standin,
            &format!("{secrets}/token:setIamPolicy"),
            &format!(r#"{{"policy": {{"bindings": [{reader}]}}}}"#),
        );
    }

    /// What the only object of the bucket with this last name holds.
    fn object(&self, name: &str) -> String {
        let objects = self.standin.objects("bucket").into_iter();
        let mut found = objects.filter(|(known, _)| known.ends_with(&format!("/{name}")));
        let (_, bytes) = found.next().unwrap();
        String::from_utf8(bytes).unwrap()
    }
}

#[test]
fn jobs_of_vertex_ai_make_what_a_run_in_a_folder_makes() {
    let cloud = Cloud::with(SPEC);
    let said = cloud.run("here");
    assert_eq!(digests(&said), here());
    assert_eq!((cloud.asked("create"), cloud.asked("delete")), (4, 4), "a job for each, and none left");
    assert_eq!(cloud.run("there").count("task_succeeded"), 0, "another machine finds all of it");
    assert_eq!(cloud.asked("create"), 4);
}

#[test]
fn jobs_whose_making_was_not_heard_of_make_the_same() {
    let cloud = Cloud::with(SPEC);
    // Every first try is made and not heard of, and the list has no job before it was asked ten times.
    cloud.standin.list_late(10);
    let mut heard = 0;
    cloud.standin.befalls(move |asked| {
        let is_create = asked.method == "aiplatform.projects.locations.customJobs.create";
        heard += u32::from(is_create);
        (is_create && heard % 2 == 1).then_some(Fault::DoAndHangUp)
    });
    let said = cloud.run("here");
    assert_eq!(digests(&said), here());
    let claims = cloud.standin.objects("bucket").into_iter().filter(|(name, _)| name.ends_with("/claim")).count();
    assert_eq!(claims, 4, "there is one attempt of each task, whoever works on it");
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
    command.stdout(fs::File::create(&told).unwrap()).stderr(Stdio::null());
    let mut engine = command.spawn().unwrap();
    wait_until("it to take the job up", || fs::read_to_string(&told).unwrap().contains("attempt_submitting"));
    cloud.bench.write("go", "");
    assert_eq!(engine.wait().unwrap().code(), Some(0));
    assert_eq!(cloud.asked("create"), 1);
    assert_eq!(cloud.bench.read("begun").lines().count(), 1, "its work is done once");
}

#[test]
fn a_spot_machine_that_is_taken_away_costs_a_try_and_the_next_finds_what_it_has_left() {
    let noting = "echo $AIP_CHECKPOINT_DIR >> @/folders; echo begun;";
    let spec = SLOW.replace("backend = \"there\"", "PLACE\nspot = true").replace("echo begun;", noting);
    let cloud = Cloud::with(&spec);
    let mut engine = cloud.command("here").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    cloud.bench.wait_for("begun");
    let claim: Json = serde_json::from_str(&cloud.object("claim")).unwrap();
    let job = claim["job"].as_str().unwrap();
    assert!(cloud.standin.preempt(&format!("projects/our-project/locations/us-central1/customJobs/{job}")));
    wait_until("it to be tried again", || cloud.bench.read("begun").lines().count() == 2);
    cloud.bench.write("go", "");
    assert_eq!(engine.wait().unwrap().code(), Some(0));
    assert_eq!((cloud.asked("create"), cloud.asked("delete")), (2, 2));
    let folders = cloud.bench.read("folders");
    let folders: Vec<&str> = folders.lines().collect();
    assert!(folders.len() == 2 && folders[0] == folders[1] && folders[0].starts_with("gs://"), "{folders:?}");
}

#[test]
fn a_job_reads_its_secrets_itself_and_they_are_seen_nowhere() {
    let cloud = Cloud::with(SECRETIVE);
    cloud.keep_secret();
    let said = cloud.run("here");
    assert!(cloud.object("sum").starts_with(CANARY_SHA256), "{}", cloud.object("sum"));
    let folder = cloud.object("folder");
    assert!(folder.starts_with("gs://bucket/prefix/vertex/") && folder.ends_with("/checkpoints/\n"), "{folder}");
    let mut logs = cloud.bench.command(&["logs", "spec.toml", "login", "--state", "here"]);
    let logs = logs.env("STORAGE_EMULATOR_HOST", cloud.standin.address().to_string()).output().unwrap();
    assert!(String::from_utf8_lossy(&logs.stdout).contains("it is ***"), "{logs:?}");
    assert!(!format!("{said:?}").contains(CANARY));
    let holds = |bytes: &[u8]| bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
    for (name, bytes) in cloud.standin.objects("bucket") {
        assert!(!holds(&bytes), "{name}");
    }
    for (name, bytes) in crate::service::files(&cloud.bench.path("here")) {
        assert!(!holds(&bytes), "{}", name.display());
    }
}

#[test]
fn a_secret_that_cannot_be_read_is_named_and_the_task_fails() {
    let cloud = Cloud::with(SECRETIVE);
    let said = cloud.bench.said(&mut cloud.command("here"));
    assert_eq!(said.code, Some(1), "{said:?}");
    let failed = said.events().into_iter().find(|event| event["type"] == "task_failed").unwrap();
    assert_eq!(failed["failure"]["code"], "secret_missing", "{failed}");
    assert!(failed["failure"]["message"].as_str().unwrap().starts_with("the secret `TOKEN`: "), "{failed}");
}
