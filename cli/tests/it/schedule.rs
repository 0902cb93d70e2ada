//! Specs that run by themselves: when they fall due, and the process that sees to it. What has to have been missed is
//! written into the ledger, so that nobody waits for a clock.

use crate::bench::{Bench, Started, lives, wait_until};
use pipe_engine::world::{Timestamp, World};
use rustix::process::Signal;
use serde_json::{Value as Json, json};
use std::fs;

/// Falls due once a year, so only what the ledger says was missed falls due in a test.
const YEARLY: &str = r#"
version = 1
name = "yearly"
schedule = { cron = "30 2 28 3 *", time_zone = "Europe/Berlin", catch_up = "CATCH" }
hooks.success = { shell = "echo $PIPE_SLOT >> @hooked" }

[stages.x]
kind = "command"
cache = false
argv = ["sh", "-c", "echo $$ > @child; while test -e @hold; do sleep 0.05; done; echo run >> @ran; echo 1 > $PIPE_OUTPUT/x"]
outputs = ["x"]
"#;

fn yearly(catch_up: &str) -> Bench {
    Bench::with(&YEARLY.replace("CATCH", catch_up))
}

/// Says that every slot was decided up to so many years ago. The slots since, of which the newest is the last.
fn missed(bench: &Bench, years: u64) -> Vec<String> {
    let now = World::real().now();
    let from = pipe_clock::told(Timestamp(now.0 - years * 366 * 24 * 3_600_000));
    decided(bench, &from, &json!({}));
    let next = bench.pipe(&["schedule", "next", "spec.toml", "--from", &from, "--json"]).json();
    let slots = next["slots"].as_array().unwrap().iter().map(|slot| slot["utc"].as_str().unwrap().to_owned());
    slots.filter(|slot| pipe_clock::parse(slot).unwrap() <= now).collect()
}

/// Says that every slot up to a moment was decided.
fn decided(bench: &Bench, when: &str, more: &Json) {
    let millis = pipe_clock::parse(when).unwrap().0;
    let mut entry = json!({ "v": 1, "spec": "spec.toml", "cron": "30 2 28 3 *", "time_zone": "Europe/Berlin" });
    entry["decided"] = millis.into();
    for (key, value) in more.as_object().unwrap() {
        entry[key] = value.clone();
    }
    fs::create_dir_all(bench.path(".pipe/schedule")).unwrap();
    bench.write(".pipe/schedule/spec.toml.json", &entry.to_string());
}

fn entry(bench: &Bench) -> Json {
    serde_json::from_str(&bench.read(".pipe/schedule/spec.toml.json")).unwrap()
}

/// Waits until no run goes on for the spec, as the ledger says.
fn wait_for_rest(bench: &Bench) {
    wait_until("the end of the run", || entry(bench).get("running").is_none());
}

fn end(daemon: Started) -> Vec<Json> {
    daemon.signal(Signal::TERM);
    let said = daemon.wait();
    assert_eq!(said.code, Some(0), "{said:?}");
    said.events()
}

fn types(said: &[Json]) -> Vec<&str> {
    said.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

#[test]
fn the_next_slots_are_told_on_the_clock_of_the_schedule_and_in_utc() {
    let bench = yearly("last");
    let arguments = ["schedule", "next", "spec.toml", "-n", "2", "--from", "2026-12-01T00:00:00Z"];
    let said = bench.pipe(&arguments);
    // In 2027 clocks go forward on that very day.
    let expected = ["Sun 2027-03-28 03:00 +02:00  2027-03-28 01:00", "Tue 2028-03-28 02:30 +02:00  2028-03-28 00:30"];
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert_eq!(lines[0].split_whitespace().collect::<Vec<_>>(), ["Europe/Berlin", "UTC"]);
    assert!(lines[1].starts_with(expected[0]) && lines[2].starts_with(expected[1]), "{}", said.stdout);
    assert!(lines[1].contains("  in "), "{}", said.stdout);
    let data = bench.pipe(&[&arguments[..], &["--json"]].concat()).json();
    assert_eq!(data["slots"][0], json!({ "utc": "2027-03-28T01:00:00Z", "local": "2027-03-28T03:00:00+02:00" }));
    assert_eq!((&data["cron"], data["slots"].as_array().unwrap().len()), (&"30 2 28 3 *".into(), 2));
}

#[test]
fn a_spec_without_a_schedule_or_a_day_that_never_comes_says_so() {
    let none = Bench::with(crate::bench::SUM).pipe(&["schedule", "next", "spec.toml"]);
    assert_eq!(none.code, Some(2), "{none:?}");
    assert!(none.stderr.contains("spec.toml has no schedule") && none.stderr.contains("time_zone"), "{}", none.stderr);
    let never = Bench::with(&YEARLY.replace("CATCH", "last").replace("28 3", "31 2"));
    let never = never.pipe(&["schedule", "next", "spec.toml"]);
    assert_eq!(never.code, Some(2), "{never:?}");
    assert!(never.stderr.contains("never falls due: no day is `30 2 31 2 *`"), "{}", never.stderr);
}

#[test]
fn a_missed_slot_is_run_once_and_not_again_by_the_next_process() {
    let bench = yearly("last");
    let slots = missed(&bench, 3);
    let daemon = bench.start(&["schedule", "run", ".", "--json"]);
    bench.wait_for("ran");
    wait_for_rest(&bench);
    let said = end(daemon);
    assert_eq!(types(&said)[..3], ["watching", "given_up", "started"], "{said:?}");
    let ended = said.iter().find(|event| event["type"] == "ended").unwrap();
    assert_eq!((ended["exit"].as_i64(), ended["spec"].as_str()), (Some(0), Some("spec.toml")));
    let slot = ended["slot"].as_str().unwrap();
    assert_eq!(Some(slot), slots.last().map(String::as_str));
    // The run knows what it is for, and so does its hook.
    let status = bench.pipe(&["status", "spec.toml", "--json"]).json()["run"].take();
    assert_eq!(status["slot"].as_u64().unwrap(), pipe_clock::parse(slot).unwrap().0);
    assert_eq!((bench.read("hooked").as_str(), bench.read("ran").as_str()), (slot, "run"));
    let daemon = bench.start(&["schedule", "run", ".", "--json"]);
    wait_until("the first look", || entry(&bench)["decided"] == status["slot"]);
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(types(&end(daemon)), ["watching", "stopping"]);
    assert_eq!(bench.read("ran"), "run");
}

#[test]
fn each_missed_slot_is_made_up_for_when_all_are_wanted_and_none_when_none_is() {
    let all = yearly("all");
    let slots = missed(&all, 3);
    let daemon = all.start(&["schedule", "run", ".", "--json"]);
    all.wait_for("hooked");
    wait_for_rest(&all);
    end(daemon);
    assert!(slots.len() >= 3, "{slots:?}");
    assert_eq!(all.read("hooked").lines().collect::<Vec<_>>(), slots);
    let none = yearly("none");
    let newest = pipe_clock::parse(missed(&none, 3).last().unwrap()).unwrap().0;
    let daemon = none.start(&["schedule", "run", ".", "--json"]);
    wait_until("the decision", || entry(&none)["decided"] == newest);
    assert_eq!(types(&end(daemon)), ["watching", "given_up", "stopping"]);
    assert!(!none.path("ran").exists());
}

#[test]
fn a_run_outlives_a_killed_process_and_is_not_begun_again_by_the_next() {
    let bench = yearly("last");
    bench.write("hold", "");
    missed(&bench, 1);
    let daemon = bench.start(&["schedule", "run", ".", "--json"]);
    bench.wait_for("child");
    daemon.signal(Signal::KILL);
    daemon.wait();
    let daemon = bench.start(&["schedule", "run", ".", "--json"]);
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert!(lives(&bench.read("child")), "the run goes on");
    fs::remove_file(bench.path("hold")).unwrap();
    wait_for_rest(&bench);
    let said = end(daemon);
    assert_eq!(types(&said), ["watching", "goes_on", "ended", "stopping"], "{said:?}");
    assert_eq!(bench.read("ran"), "run");
}

#[test]
fn what_was_decided_and_never_began_begins_and_what_began_does_not() {
    // As a machine leaves it that dies between the decision and the run, and right after the run has begun.
    let left = json!({ "running": { "slot": pipe_clock::parse("2026-03-28T01:30:00Z").unwrap().0 } });
    let never = yearly("none");
    decided(&never, "2026-03-28T01:30:00Z", &left);
    let daemon = never.start(&["schedule", "run", "."]);
    never.wait_for("ran");
    wait_for_rest(&never);
    daemon.signal(Signal::TERM);
    assert_eq!((daemon.wait().code, never.read("hooked").as_str()), (Some(0), "2026-03-28T01:30:00Z"));
    let began = yearly("none");
    decided(&began, "2026-03-28T01:30:00Z", &left);
    began.write(".pipe/schedule/spec.toml.begun", "2026-03-28T01:30:00Z\n");
    let daemon = began.start(&["schedule", "run", "."]);
    wait_for_rest(&began);
    daemon.signal(Signal::TERM);
    assert_eq!((daemon.wait().code, began.path("ran").exists()), (Some(0), false));
}

#[test]
fn sigterm_is_passed_on_and_the_run_is_heard_out() {
    let bench = yearly("last");
    bench.write("hold", "");
    missed(&bench, 1);
    let daemon = bench.start(&["schedule", "run", ".", "--json"]);
    bench.wait_for("child");
    wait_until("the run's process", || entry(&bench)["running"]["process"]["id"].is_u64());
    let said = end(daemon);
    let ended = said.iter().find(|event| event["type"] == "ended").unwrap();
    assert_eq!(ended["exit"], 130, "{said:?}");
    assert!(!lives(&bench.read("child")) && !bench.path("ran").exists());
    assert!(bench.read(".pipe/schedule/spec.toml.log").contains("stopping: nothing more is started"));
}

#[test]
fn a_second_process_says_who_looks_after_the_folder() {
    let bench = yearly("last");
    let first = bench.start(&["schedule", "run", "."]);
    bench.wait_for(".pipe/schedule/spec.toml.json");
    let second = bench.pipe(&["schedule", "run", "."]);
    assert_eq!(second.code, Some(3), "{second:?}");
    let who = format!("looked after already (process {})", first.id());
    assert!(second.stderr.contains(&who) && second.stderr.contains("help: "), "{}", second.stderr);
    first.signal(Signal::INT);
    assert_eq!(first.wait().code, Some(0));
}

#[test]
fn a_broken_spec_is_told_and_the_others_run() {
    let bench = yearly("last");
    fs::create_dir(bench.path("more")).unwrap();
    bench.write("more/broken.toml", &YEARLY.replace("CATCH", "last").replace("30 2", "30 25"));
    bench.write("docker-compose.yaml", "services: { web: { image: nginx } }\n");
    bench.write("notes.toml", "this is no TOML\n");
    let day = missed(&bench, 1).pop().unwrap()[.."2026-03-28".len()].to_owned();
    let daemon = bench.start(&["schedule", "run", "."]);
    bench.wait_for("ran");
    wait_for_rest(&bench);
    daemon.signal(Signal::TERM);
    let said = daemon.wait().stderr;
    assert!(said.contains("more/broken.toml: warning: cannot be read") && said.contains("error[P0801]"), "{said}");
    assert!(!said.contains("docker-compose") && !said.contains("notes.toml"), "{said}");
    assert!(said.contains(&format!("spec.toml: started late for {day} 0")), "{said}");
}

#[test]
fn a_schedule_that_changes_counts_from_now_and_the_change_is_noticed() {
    let bench = yearly("all");
    let daemon = bench.start(&["schedule", "run", ".", "--json"]);
    bench.wait_for(".pipe/schedule/spec.toml.json");
    let text = bench.read("spec.toml").replace("30 2 28 3 *", "30 2 1 * *");
    bench.write("spec.toml", &text);
    wait_until("the new schedule", || entry(&bench)["cron"] == "30 2 1 * *");
    let said = end(daemon);
    assert_eq!(types(&said)[..2], ["watching", "watching"], "{said:?}");
    assert!(!bench.path("ran").exists());
}

#[test]
fn a_failed_run_tells_its_last_words_and_where_the_rest_is() {
    let bench = yearly("last");
    let text = bench.read("spec.toml").replace("echo run", "echo no luck; exit 4; echo run");
    bench.write("spec.toml", &text);
    missed(&bench, 1);
    let daemon = bench.start(&["schedule", "run", "."]);
    bench.wait_for("child");
    wait_for_rest(&bench);
    daemon.signal(Signal::TERM);
    let said = daemon.wait().stderr;
    assert!(said.contains("ended with exit code 1 for ") && said.contains("spec.toml.log"), "{said}");
}

#[test]
fn a_run_for_a_slot_that_was_run_does_nothing() {
    let bench = yearly("last");
    let run = |slot: &str| bench.pipe(&["run", "spec.toml", "--slot", slot]);
    assert_eq!(run("2026-11-22T03:00:00+01:00").code, Some(0));
    let again = run("2026-11-22T02:00:00Z");
    assert_eq!((again.code, bench.read("ran").as_str()), (Some(0), "run"));
    assert!(again.stderr.contains("a run for 2026-11-22T02:00:00Z has begun before"), "{}", again.stderr);
    assert_eq!((run("2026-11-23T02:00:00Z").code, bench.read("ran").as_str()), (Some(0), "run\nrun"));
    assert_eq!(run("yesterday").code, Some(2));
}
