//! A secret that tasks elsewhere are given is told to them alone. It is looked for in everything that can be seen while such a task
//! works and afterwards: what processes were started with, all that is said to Google's services, what lies in the store and in the
//! state folder, and what `pipe` prints.

use crate::afar::{Afar, CLOUD_RUN, Place, VERTEX, post};
use crate::bench::wait_until;
use std::fs;
use std::process::Stdio;

/// The value, and the same as Secret Manager takes it (by `base64` of coreutils).
const CANARY: &str = "canary-5f1d9c";
const CANARY_BASE64: &str = "Y2FuYXJ5LTVmMWQ5Yw==";
/// What `sha256sum` of coreutils says of it.
const CANARY_SHA256: &str = "9da39c9d";

const SPEC: &str = r#"
version = 1
name = "login"
[stages.login]
kind = "command"
shell = "echo it is $TOKEN; printf %s $TOKEN | sha256sum > $PIPE_OUTPUT/sum; touch @/begun; until [ -e @/seen ]; do sleep 0.05; done"
outputs = ["sum"]
secrets = { TOKEN = "gcp:projects/our-project/secrets/token/versions/1" }
PLACE
[stages.after]
kind = "command"
shell = "echo $TOKEN >&2; echo why: $TOKEN; exit 3"
inputs = { sum = { stage = "login" } }
secrets = { TOKEN = "gcp:projects/our-project/secrets/token/versions/1" }
PLACE
"#;
const SECRETS: &str = "/v1/projects/our-project/secrets";
const ACCOUNT: &str = "worker@our-project.iam.gserviceaccount.com";

fn project(place: &'static Place) -> Afar {
    let afar = Afar::with(place, SPEC);
    let spec = afar.bench.read("spec.toml");
    afar.bench.write("spec.toml", &format!("{spec}\nservice_account = \"{ACCOUNT}\"\n"));
    let readers =
        format!(r#"{{"role": "roles/secretmanager.secretAccessor", "members": ["serviceAccount:{ACCOUNT}"]}}"#);
    for (path, body) in [
        (format!("{SECRETS}?secretId=token"), r#"{"replication": {"automatic": {}}}"#.to_owned()),
        (format!("{SECRETS}/token:addVersion"), format!(r#"{{"payload": {{"data": "{CANARY_BASE64}"}}}}"#)),
        (format!("{SECRETS}/token:setIamPolicy"), format!(r#"{{"policy": {{"bindings": [{readers}]}}}}"#)),
    ] {
        post(&afar.standin, &path, &body);
    }
    afar
}

fn holds(bytes: &[u8]) -> bool {
    [CANARY, CANARY_BASE64].iter().any(|word| bytes.windows(word.len()).any(|window| window == word.as_bytes()))
}

/// What every process of this machine was started with.
fn command_lines() -> Vec<Vec<u8>> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok()).collect()
}

#[test]
fn a_secret_of_a_task_elsewhere_is_seen_by_nobody_else() {
    for place in [&CLOUD_RUN, &VERTEX] {
        let afar = project(place);
        afar.standin.listen();
        let run = afar.command("here", &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        wait_until("the task to have its secret", || afar.bench.path("begun").exists());
        let lines = command_lines();
        assert!(lines.iter().any(|line| line.windows(6).any(|word| word == b"worker")), "workers are among them");
        assert!(!lines.iter().any(|line| holds(line)), "{}: a process was started with it", place.name);
        afar.bench.write("seen", "");
        let said = run.wait_with_output().unwrap();
        assert_eq!(said.status.code(), Some(1), "{}: the second task fails", place.name);

        let sums = afar.objects("data/").into_iter().filter(|(name, _)| name.ends_with("/sum"));
        let sums: Vec<String> = sums.map(|(_, bytes)| String::from_utf8(bytes).unwrap()).collect();
        assert!(sums.len() == 1 && sums[0].starts_with(CANARY_SHA256), "{}: it was given: {sums:?}", place.name);
        let heard = afar.standin.heard();
        assert!(heard.windows(5).any(|word| word == b"TOKEN"), "{}: requests were heard", place.name);
        assert!(!holds(&heard), "{}: it is in a request", place.name);
        for (name, bytes) in afar.objects("") {
            assert!(!holds(&bytes), "{}: it is in {name}", place.name);
        }
        for (name, bytes) in crate::service::files(&afar.bench.path("here")) {
            assert!(!holds(&bytes), "{}: it is in {}", place.name, name.display());
        }
        assert!(!holds(&said.stdout) && !holds(&said.stderr), "{}: {said:?}", place.name);
        let mut logs = afar.bench.command(&["logs", "spec.toml", "login", "--state", "here"]);
        let logs = logs.env("STORAGE_EMULATOR_HOST", afar.standin.address().to_string()).output().unwrap();
        assert!(String::from_utf8_lossy(&logs.stdout).contains("it is ***"), "{}: {logs:?}", place.name);
    }
}
