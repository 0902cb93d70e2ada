//! Workers of another version than the engine: `pipe check --run-worker` tells of them before a run, and where nobody asked, the
//! worker itself refuses. There is one build here, so the older worker is an image of another make that answers as one of an older
//! build does, and the attempts of another build are written by hand.

use crate::afar::{Afar, BUCKET, CLOUD_RUN, IMAGE, Place, STORE, VERTEX};
use crate::bench::{Said, wait_until};
use pipe_engine::ids::AttemptId;
use pipe_engine::key::{Fields, fingerprint_of};
use serde_json::{Value as Json, json};
use std::process::{Command, Stdio};

const SPEC: &str = r#"
version = 1
name = "sum"
[stages.slow]
kind = "command"
shell = "echo x >> @/begun; echo done > $PIPE_OUTPUT/made"
outputs = ["made"]
PLACE
"#;

/// An image whose worker says of itself what a worker of another build says: it lays the answer where it is told to, as
/// `pipe worker --versions --to` does, and does nothing else.
const ANSWERS: &str = r#"
test "$1 $2 $3" = "worker --versions --to" || exit 2
name=${4#gs://bucket/}
exec 3<>/dev/tcp/HOST/PORT
printf 'POST /upload/storage/v1/b/bucket/o?uploadType=media&name=%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %s\r\n\r\n%s' "${name//\//%2F}" "${#0}" "$0" >&3
cat <&3
"#;

fn hold(afar: &Afar, versions: &Json) {
    let address = afar.standin.address();
    let script = ANSWERS.replace("HOST", &address.ip().to_string()).replace("PORT", &address.port().to_string());
    afar.standin.image(IMAGE, &["bash", "-c", &script, &versions.to_string()]);
}

fn check(afar: &Afar, more: &[&str]) -> Said {
    let mut command = afar.bench.command(&[&["check", "spec.toml", "--run-worker"], more].concat());
    afar.bench.said(command.env("STORAGE_EMULATOR_HOST", afar.standin.address().to_string()))
}

/// The findings that would stop a run.
fn errors(said: &Said) -> Vec<Json> {
    let findings = said.json()["findings"].as_array().unwrap().clone();
    findings.into_iter().filter(|finding| finding["level"] == "error").collect()
}

#[test]
fn an_image_with_an_older_worker_is_told_before_a_run_with_both_versions() {
    for place in [&CLOUD_RUN, &VERTEX] {
        let afar = Afar::with(place, SPEC);
        for (versions, expected) in [
            (
                json!({ "pipe": "0.0.9", "protocol": 0, "kinds": { "command": "0" } }),
                &[
                    "the worker, pipe 0.0.9, reads attempts of version 0, and this pipe writes 1",
                    "the worker, pipe 0.0.9, has version 0 of `command`, and this pipe has 1 for `slow`",
                ][..],
            ),
            (
                json!({ "pipe": "0.0.9", "protocol": 1, "kinds": { "export": "1" } }),
                &["the worker, pipe 0.0.9, has no stages of kind `command`, as `slow` is"],
            ),
        ] {
            hold(&afar, &versions);
            let said = check(&afar, &["--json"]);
            assert_eq!(said.code, Some(2), "{}: {said:?}", place.name);
            let found = errors(&said);
            let messages: Vec<&str> = found.iter().map(|finding| finding["message"].as_str().unwrap()).collect();
            assert_eq!(messages, expected, "{}", place.name);
            for finding in found {
                assert_eq!((&finding["code"], &finding["on"]), (&"other_worker".into(), &"the image of slow".into()));
                assert!(finding["help"].as_str().unwrap().contains("pipe image build"), "{finding}");
            }
        }
        let said = check(&afar, &[]);
        assert!(said.stdout.contains("has no stages of kind `command`"), "{said:?}");
        assert!(afar.objects("").is_empty(), "{}: the answer is gone, and no attempt was described", place.name);
        // With the worker of this build nothing stands in the way.
        afar.contain("");
        assert_eq!(check(&afar, &[]).code, Some(0), "{}", place.name);
    }
}

/// What becomes of an attempt.
type Change = fn(&mut Json);

/// A run whose attempt is another by the time that its container begins to work on it.
fn run_with(place: &'static Place, alter: impl FnOnce(&mut Json)) -> (Afar, Said) {
    let afar = Afar::with(place, SPEC);
    afar.contain(&format!("while [ ! -e '{}' ]; do sleep 0.05; done", afar.bench.path("go").display()));
    let mut command = afar.command("here", &[]);
    let engine = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("a container", || afar.containers().len() == 1);
    let (name, text) = afar.objects("attempts/").into_iter().find(|(name, _)| name.ends_with("/attempt.json")).unwrap();
    let mut attempt: Json = serde_json::from_slice(&text).unwrap();
    alter(&mut attempt);
    afar.standin.put(BUCKET, &name, attempt.to_string().as_bytes());
    afar.bench.write("go", "");
    let ended = engine.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (afar, Said { code: ended.status.code(), stdout: text(ended.stdout), stderr: text(ended.stderr) })
}

#[test]
fn a_worker_of_another_version_refuses_and_the_task_says_both_and_what_to_do() {
    let cases: [(&'static Place, Change, &str, &str); 4] = [
        (
            &CLOUD_RUN,
            |a| a["version"] = 2.into(),
            "other_protocol",
            "the attempt speaks protocol 2 and this worker speaks 1",
        ),
        (
            &VERTEX,
            |a| a["code"] = "2".into(),
            "other_code",
            "the attempt wants code `2` of `command` and this worker has `1`",
        ),
        (&CLOUD_RUN, |a| a["kind"] = "commando".into(), "unknown_kind", "this worker does not know the stage kind"),
        (&VERTEX, |a| a["config"]["shell"] = "true".into(), "attempt_altered", "settings are not those of its key"),
    ];
    for (place, alter, code, words) in cases {
        let (afar, said) = run_with(place, alter);
        assert_eq!(said.code, Some(1), "{said:?}");
        let failed = said.events().into_iter().find(|event| event["type"] == "task_failed").unwrap();
        let failure = &failed["failure"];
        assert_eq!((&failure["class"], &failure["code"]), (&"failed".into(), &code.into()), "{failure}");
        assert!(failure["message"].as_str().unwrap().contains(words), "{failure}");
        let help = failure["help"].as_str().unwrap();
        assert!(help.contains(if code == "attempt_altered" { "who may write" } else { "--run-worker" }), "{help}");
        assert_eq!(afar.containers().len(), 1, "{code}: it would end the same way again");
        assert!(!afar.bench.path("begun").exists(), "{code}: nothing of it was begun");
        assert_eq!((afar.manifests(), afar.jobs()), (vec![], vec![]), "{code}: no result, and no job");
        // With a worker of the engine's version the task's next attempt is whole.
        assert_eq!(afar.run("here", &[]).count("task_succeeded"), 1, "{code}");
    }
}

/// The attempt of a run that is done, as it would have been described by an engine to which the task is another: its key, its name
/// and its output follow from that.
fn described_anew(afar: &Afar, change: impl FnOnce(&mut Json)) -> AttemptId {
    let (_, text) = afar.objects("attempts/").into_iter().find(|(name, _)| name.ends_with("/attempt.json")).unwrap();
    let mut attempt: Json = serde_json::from_slice(&text).unwrap();
    change(&mut attempt);
    let key: Fields = serde_json::from_value(attempt["key"].clone()).unwrap();
    let fingerprint = fingerprint_of(&key);
    let id = AttemptId::new(&fingerprint, 1);
    attempt["fingerprint"] = fingerprint.0.clone().into();
    attempt["id"] = id.0.clone().into();
    attempt["output"] = format!("data/sum/slow/all@{}-1", fingerprint.short(8)).into();
    let name = format!("prefix/attempts/{id}/attempt.json");
    afar.standin.put(BUCKET, &name, attempt.to_string().as_bytes());
    id
}

/// What a worker leaves of an attempt, and how its process ended.
fn worked(afar: &Afar, id: &AttemptId) -> (Option<i32>, Json) {
    let mut worker = Command::new(env!("CARGO_BIN_EXE_pipe"));
    worker.args(["worker", &format!("{STORE}/attempts/{id}")]).env("CLOUD_RUN_EXECUTION", "a-job");
    let scratch = afar.bench.path("scratch");
    worker.env("STORAGE_EMULATOR_HOST", afar.standin.address().to_string()).env("PIPE_SCRATCH", scratch);
    let said = afar.bench.said(&mut worker);
    let (_, outcome) = afar.objects(&format!("attempts/{id}/outcome.json")).pop().unwrap_or_else(|| panic!("{said:?}"));
    (said.code, serde_json::from_slice(&outcome).unwrap())
}

#[test]
fn an_attempt_that_an_engine_of_another_version_has_described_in_full_is_refused_for_its_version_alone() {
    let afar = Afar::with(&CLOUD_RUN, SPEC);
    afar.run("here", &[]);
    // Another task that this version would have described: it is whole, and is worked on.
    let other = described_anew(&afar, |attempt| {
        attempt["config"]["shell"] = "echo other > $PIPE_OUTPUT/made".into();
        attempt["key"]["config.shell"] = r#""echo other > $PIPE_OUTPUT/made""#.into();
    });
    let (code, outcome) = worked(&afar, &other);
    assert_eq!((code, &outcome["failure"]), (Some(0), &Json::Null), "{outcome}");
    let before = afar.manifests().len();
    let cases: [(Change, &str, &str); 2] = [
        (
            |attempt| {
                attempt["code"] = "2".into();
                attempt["key"]["code"] = "2".into();
            },
            "other_code",
            "the attempt wants code `2` of `command` and this worker has `1`",
        ),
        (
            |attempt| {
                attempt["version"] = 2.into();
                attempt["key"]["config.shell"] = r#""echo of version 2""#.into();
                attempt["steps"] = json!([{ "shell": "echo of version 2" }]);
            },
            "other_protocol",
            "the attempt speaks protocol 2 and this worker speaks 1",
        ),
    ];
    for (change, code, words) in cases {
        let newer = described_anew(&afar, change);
        let (exit, outcome) = worked(&afar, &newer);
        assert_eq!((exit, &outcome["failure"]["code"]), (Some(1), &code.into()), "{outcome}");
        assert_eq!(outcome["failure"]["message"], words);
        assert_eq!(afar.manifests().len(), before);
        assert_eq!(afar.objects("data/").len(), before, "{code}: it has written nothing");
    }
}
