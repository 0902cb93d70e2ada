//! Tasks elsewhere that read secrets: what `pipe check` says of whether these are there and whether the account that jobs act as is
//! one who may read them; and that it is this account that reads them, and not whoever runs `pipe`. Each place is told it in the
//! same words.

use crate::afar::{Afar, CLOUD_RUN, Place, VERTEX, post};
use pipe_standin::Fault;
use serde_json::Value as Json;

const SPEC: &str = r#"
version = 1
name = "login"
[stages.login]
kind = "command"
shell = "test $TOKEN = foobar"
secrets = { TOKEN = "gcp:projects/our-project/secrets/token/versions/1" }
PLACE
"#;
const ACCOUNT: &str = "worker@our-project.iam.gserviceaccount.com";
const SECRETS: &str = "/v1/projects/our-project/secrets";
/// The gcloud command that lets the account read it.
const GRANT: &str = "gcloud secrets add-iam-policy-binding token --project our-project \
                     --member=serviceAccount:worker@our-project.iam.gserviceaccount.com \
                     --role=roles/secretmanager.secretAccessor";

fn project(place: &'static Place) -> Afar {
    let afar = Afar::with(place, SPEC);
    let spec = afar.bench.read("spec.toml");
    afar.bench.write("spec.toml", &format!("{spec}\nservice_account = \"{ACCOUNT}\"\n"));
    afar
}

fn keep_secret(afar: &Afar) {
    post(&afar.standin, &format!("{SECRETS}?secretId=token"), r#"{"replication": {"automatic": {}}}"#);
    // Source: RFC 4648, section 10: "foobar".
    post(&afar.standin, &format!("{SECRETS}/token:addVersion"), r#"{"payload": {"data": "Zm9vYmFy"}}"#);
}

fn let_read(afar: &Afar) {
    let binding =
        format!(r#"{{"role": "roles/secretmanager.secretAccessor", "members": ["serviceAccount:{ACCOUNT}"]}}"#);
    post(
        &afar.standin,
        &format!("{SECRETS}/token:setIamPolicy"),
        &format!(r#"{{"policy": {{"bindings": [{binding}]}}}}"#),
    );
}

/// The exit code, and the findings about the secret: level, code and help.
fn told(afar: &Afar, more: &[&str]) -> (Option<i32>, Vec<(String, String, String)>) {
    let mut command = afar.bench.command(&[&["check", "spec.toml", "--json"], more].concat());
    command.env("STORAGE_EMULATOR_HOST", afar.standin.address().to_string());
    let said = afar.bench.said(&mut command);
    let findings = said.json()["findings"].as_array().unwrap().clone();
    let text = |finding: &Json, field: &str| finding[field].as_str().unwrap_or_default().to_owned();
    let about = findings.iter().filter(|finding| text(finding, "code").contains("secret"));
    (said.code, about.map(|f| (text(f, "level"), text(f, "code"), text(f, "help"))).collect())
}

fn finding(level: &str, code: &str, help: &str) -> Vec<(String, String, String)> {
    vec![(level.to_owned(), code.to_owned(), help.to_owned())]
}

#[test]
fn a_secret_that_is_not_there_or_is_switched_off_would_stop_a_run() {
    let help = "gcloud secrets versions list token --project our-project";
    for place in [&CLOUD_RUN, &VERTEX] {
        let afar = project(place);
        assert_eq!(told(&afar, &[]), (Some(2), finding("error", "no_secret", help)), "{}", place.name);
        keep_secret(&afar);
        assert_eq!(told(&afar, &[]).0, Some(0), "{}", place.name);
        post(&afar.standin, &format!("{SECRETS}/token/versions/1:disable"), "{}");
        assert_eq!(told(&afar, &[]), (Some(2), finding("error", "no_secret", help)), "{}", place.name);
    }
}

#[test]
fn whether_the_account_of_jobs_may_read_a_secret_is_told_with_the_command_that_lets_it() {
    for place in [&CLOUD_RUN, &VERTEX] {
        let afar = project(place);
        keep_secret(&afar);
        // The project may let it, which is not looked at.
        assert_eq!(told(&afar, &[]), (Some(0), finding("unknown", "secret_reader", GRANT)), "{}", place.name);
        let_read(&afar);
        assert_eq!(told(&afar, &[]), (Some(0), finding("good", "secret", "")), "{}", place.name);
    }
}

#[test]
fn whoever_may_not_look_at_a_secret_is_told_the_role_for_that_and_may_run_all_the_same() {
    let afar = project(&CLOUD_RUN);
    keep_secret(&afar);
    let help = "gcloud secrets add-iam-policy-binding token --project our-project --member=user:YOU \
                --role=roles/secretmanager.viewer";
    for method in ["secretmanager.projects.secrets.versions.get", "secretmanager.projects.secrets.getIamPolicy"] {
        afar.standin.befalls(move |asked| (asked.method == method).then_some(Fault::Refuse(403)));
        assert_eq!(told(&afar, &[]), (Some(0), finding("unknown", "secret_closed", help)), "{method}");
    }
}

/// What reads a secret.
const ACCESS: &str = "secretmanager.projects.secrets.versions.access";

#[test]
fn the_account_of_jobs_reads_a_secret_and_whoever_runs_pipe_need_not_be_allowed_to() {
    for place in [&CLOUD_RUN, &VERTEX] {
        let afar = project(place);
        keep_secret(&afar);
        let_read(&afar);
        afar.standin.befalls(|asked| (asked.method == ACCESS && asked.by.is_none()).then_some(Fault::Refuse(403)));
        assert_eq!(told(&afar, &[]).0, Some(0), "{}", place.name);
        assert_eq!(afar.run("here", &[]).count("task_succeeded"), 1, "{}", place.name);
        let readers = afar.standin.asked().into_iter().filter(|asked| asked.method == ACCESS);
        // Cloud Run itself hands it to the container, as the job's account.
        assert!(readers.into_iter().all(|asked| asked.by.as_deref() == Some(ACCOUNT)), "{}", place.name);
    }
}

#[test]
fn a_job_whose_account_may_not_read_its_secret_fails_with_the_command_that_lets_it() {
    for (place, code, account) in [(&CLOUD_RUN, "no_secret", ACCOUNT), (&VERTEX, "secret_missing", "ACCOUNT")] {
        let afar = project(place);
        keep_secret(&afar);
        let said = afar.bench.said(&mut afar.command("here", &[]));
        assert_eq!(said.code, Some(1), "{said:?}");
        let failed = said.events().into_iter().find(|event| event["type"] == "task_failed").unwrap();
        assert_eq!((&failed["failure"]["class"], &failed["failure"]["code"]), (&"failed".into(), &code.into()));
        let help = failed["failure"]["help"].as_str().unwrap();
        let grant = GRANT.replace(ACCOUNT, account);
        assert!(help.contains(&grant), "{}: {help}", place.name);
        assert!(failed["failure"]["source"].as_str().unwrap().contains("denied"), "{failed}");
        // What the help says is enough.
        let_read(&afar);
        assert_eq!(afar.run("here", &[]).count("task_succeeded"), 1, "{}", place.name);
    }
}
