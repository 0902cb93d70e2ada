//! `pipe doctor --orphans`: jobs that crashes have left, and who wants each.

use crate::far_away::{Project, SOON, WAITS};
use pipe_standin::Fault;
use serde_json::Value as Json;
use std::process::Stdio;

fn doctor(project: &Project, state: &str, more: &[&str]) -> Vec<Json> {
    let arguments = [&["doctor", "spec.toml", "--orphans", "--json", "--state", state], more].concat();
    let said = project.pipe(&arguments);
    assert_eq!(said.code, Some(0), "{said:?}");
    said.json()["jobs"].as_array().unwrap().clone()
}

/// How the only job stands, who wants it, and whether it was removed.
fn only(jobs: &[Json]) -> (&str, &str, Option<bool>) {
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    (jobs[0]["standing"].as_str().unwrap(), jobs[0]["verdict"].as_str().unwrap(), jobs[0]["reaped"].as_bool())
}

#[test]
fn a_job_that_somebody_wants_stays_and_one_that_nobody_wants_is_ended_and_removed() {
    let project = Project::doing(WAITS);
    let mut engine = project.command(&["run", "spec.toml", "--state", "here"]);
    let mut engine = engine.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    project.bench.wait_for("begun");
    assert_eq!(only(&doctor(&project, "here", &["--reap"])), ("running", "known", None), "a run goes on with it");
    engine.kill().unwrap();
    engine.wait().unwrap();
    assert_eq!(only(&doctor(&project, "here", &["--reap"])), ("running", "known", None), "the next run does");
    assert_eq!(only(&doctor(&project, "there", &["--reap"])), ("running", "open", None), "so does one elsewhere");
    let described = project.objects("/attempt.json");
    assert!(project.standin.remove("bucket", &described[0]), "{described:?}");
    assert_eq!(only(&doctor(&project, "here", &[])), ("running", "known", None));
    assert_eq!(only(&doctor(&project, "there", &[])), ("running", "stray", None));
    let said = project.pipe(&["doctor", "spec.toml", "--orphans", "--state", "there"]);
    assert!(said.stdout.contains("stray: no attempt wants it") && said.stdout.contains("sum"), "{said:?}");
    assert_eq!(only(&doctor(&project, "there", &["--reap"])), ("running", "stray", Some(true)));
    assert_eq!((project.asked("executions.cancel"), project.asked("delete")), (1, 1));
    assert!(doctor(&project, "there", &[]).is_empty());
}

#[test]
fn a_job_that_is_over_and_was_not_removed_is_removed() {
    let project = Project::doing(SOON);
    project.standin.befalls(|asked| asked.method.ends_with("jobs.delete").then_some(Fault::Refuse(503)));
    let said = project.pipe(&["run", "spec.toml", "--state", "here"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    for state in ["here", "there"] {
        assert_eq!(only(&doctor(&project, state, &[])), ("over", "ended", None));
    }
    let said = project.pipe(&["doctor", "spec.toml", "--orphans", "--reap", "--json", "--state", "here"]);
    assert_eq!((said.code, &said.json()["jobs"][0]["reaped"]), (Some(3), &false.into()), "{said:?}");
    project.standin.befalls(|_| None);
    assert_eq!(only(&doctor(&project, "here", &["--reap"])), ("over", "ended", Some(true)));
    assert!(doctor(&project, "here", &[]).is_empty());
    assert_eq!(project.asked("executions.cancel"), 0);
}

#[test]
fn jobs_of_other_stores_and_of_other_people_are_not_looked_at() {
    let project = Project::doing(SOON);
    project.standin.befalls(|asked| asked.method.ends_with("jobs.delete").then_some(Fault::Refuse(503)));
    assert_eq!(project.pipe(&["run", "spec.toml", "--state", "here"]).code, Some(0));
    let spec = project.bench.read("spec.toml").replace("gs://bucket/prefix", "gs://bucket/other");
    project.bench.write("spec.toml", &spec);
    assert!(doctor(&project, "here", &["--reap"]).is_empty());
}

#[test]
fn a_place_that_does_not_tell_is_named() {
    let project = Project::doing(SOON);
    project.standin.befalls(|asked| asked.method.ends_with("jobs.list").then_some(Fault::Refuse(403)));
    let said = project.pipe(&["doctor", "spec.toml", "--orphans"]);
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(said.stdout.contains("the jobs of `there` are not known"), "{said:?}");
}
