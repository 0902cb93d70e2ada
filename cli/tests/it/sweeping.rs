//! `pipe cache gc` of a bucket: what attempts elsewhere have left there goes, while others are at work; and what is gone when it is
//! wanted again is sent anew.

use crate::afar::{Afar, BUCKET, CLOUD_RUN};
use crate::bench::{Said, wait_until};
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::process::Stdio;

/// One task that is soon done, and one that waits; each takes a file of the project.
const SPEC: &str = r#"
version = 1
name = "sum"
[stages.first]
kind = "command"
files = ["first.txt"]
shell = "cat first.txt > $PIPE_OUTPUT/made"
outputs = ["made"]
PLACE
[stages.slow]
kind = "command"
files = ["slow.txt"]
shell = "echo x >> @/begun; while [ ! -e @/go ]; do sleep 0.05; done; cat slow.txt > $PIPE_OUTPUT/made"
outputs = ["made"]
PLACE
"#;

fn project() -> Afar {
    let afar = Afar::with(&CLOUD_RUN, SPEC);
    afar.bench.write("first.txt", "of the first");
    afar.bench.write("slow.txt", "of the slow one");
    afar
}

/// `gc` on another machine. What it keeps for its age alone goes as well.
fn gc(afar: &Afar, more: &[&str]) -> Said {
    let words = [&["cache", "gc", "spec.toml", "--state", "another", "--min-age", "0s"], more].concat();
    let mut command = afar.bench.command(&words);
    let said = afar.bench.said(command.env("STORAGE_EMULATOR_HOST", afar.standin.address().to_string()));
    assert_eq!(said.code, Some(0), "{said:?}");
    said
}

fn names(afar: &Afar) -> BTreeSet<String> {
    afar.objects("").into_iter().map(|(name, _)| name).collect()
}

fn objects(told: &Json, what: &str) -> u64 {
    told[what]["objects"].as_u64().unwrap()
}

#[test]
fn what_attempts_have_left_goes_and_one_that_works_meanwhile_loses_nothing() {
    let afar = project();
    let mut command = afar.command("here", &[]);
    let engine = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    afar.bench.wait_for("begun");
    wait_until("the first to be over", || {
        afar.objects("attempts/").iter().any(|(name, _)| name.ends_with("/outcome.json"))
    });
    let told = gc(&afar, &["--dry-run", "--json"]).json();
    let before = names(&afar);
    assert_eq!(told["open"].as_array().unwrap().len(), 1, "{told}");
    assert!(objects(&told, "attempts") >= 2, "description and claim: {told}");
    assert_eq!(objects(&told, "files"), 1, "{told}");
    let said = gc(&afar, &[]);
    assert!(said.stdout.contains("of attempts that are over") && said.stdout.contains("results stay"), "{said:?}");
    let gone = objects(&told, "attempts") + objects(&told, "files");
    let after = names(&afar);
    let removed: Vec<&String> = before.difference(&after).collect();
    assert_eq!(removed.len() as u64, gone, "what was told, and nothing else: {removed:?}");
    // The one that works finds its file, and ends as if nothing had been.
    afar.bench.write("go", "");
    let ended = engine.wait_with_output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
    let found = afar.run("there", &[]);
    assert_eq!((found.count("attempt_submitting"), afar.manifests().len()), (0, 2), "{found:?}");
    // Now both are over. What stays of an attempt is that there was one of its number.
    gc(&afar, &[]);
    let left: Vec<String> = afar.objects("attempts/").into_iter().map(|(name, _)| name).collect();
    assert!(left.len() == 2 && left.iter().all(|name| name.ends_with("/outcome.json")), "{left:?}");
    assert!(afar.objects("files/").is_empty());
    assert!(gc(&afar, &[]).stdout.starts_with("there is nothing to remove"));
    // What is wanted again is sent again, and an attempt of the same key gets another number.
    let forced = afar.run("there", &["--force", "--only", "first"]);
    assert_eq!(forced.count("task_succeeded"), 1, "{forced:?}");
    assert_eq!(afar.objects("files/").len(), 1);
    let names = afar.objects("attempts/").into_iter().filter(|(name, _)| name.ends_with("/attempt.json"));
    assert!(names.map(|(name, _)| name).all(|name| name.ends_with("-2/attempt.json")));
}

#[test]
fn a_file_that_was_removed_while_an_attempt_was_described_is_sent_with_the_next() {
    let spec = format!("{SPEC}[defaults]\nretry = {{ backoff = \"20ms..200ms\" }}\n");
    let afar = Afar::with(&CLOUD_RUN, &spec);
    afar.bench.write("first.txt", "of the first");
    afar.bench.write("slow.txt", "of the slow one");
    afar.contain(&format!("while [ ! -e '{}' ]; do sleep 0.05; done", afar.bench.path("brought").display()));
    let mut command = afar.command("here", &["--only", "first"]);
    let engine = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("a container", || afar.containers().len() == 1);
    let (name, _) = afar.objects("files/").pop().unwrap();
    assert!(afar.standin.remove(BUCKET, &name));
    afar.bench.write("brought", "");
    let ended = engine.wait_with_output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
    let said = String::from_utf8(ended.stdout).unwrap();
    assert!(said.contains("\"file_gone\"") && said.contains("transient"), "{said}");
    assert_eq!(afar.containers().len(), 2);
    assert_eq!(afar.manifests().len(), 1);
}
