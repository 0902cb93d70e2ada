//! What is given up on: attempts that say nothing, tasks and runs that take too long. With real processes.

use super::project::{Project, Ran};
use pipe_engine::event::{Body, RunLimit};
use pipe_engine::failure::Class;
use std::fs;

fn stage(script: &str, more: &str) -> String {
    format!("[stages.work]\nkind = \"script\"\nscript = '''{script}'''\n{more}")
}

fn classes(ran: &Ran) -> Vec<Class> {
    let ended = ran.events.iter().filter_map(|event| match &event.body {
        Body::AttemptEnded { failure, .. } => failure.as_ref().map(|failure| failure.class),
        _ => None,
    });
    ended.collect()
}

#[test]
fn a_program_that_says_nothing_is_stopped_and_tried_once_more() {
    let project = Project::new();
    let ran = project.run(&stage("sleep 300", "silence = \"300ms\"\nretry.backoff = \"10ms..10ms\"\n"));
    assert_eq!(ran.ends(), [0, 0, 1, 0, 0]);
    assert_eq!(classes(&ran), [Class::Stalled, Class::Stalled]);
    assert_eq!(ran.failures()[0].message, "said nothing for 0.3 s");
}

#[test]
fn a_program_that_writes_a_dot_now_and_then_is_not_silent() {
    let project = Project::new();
    // Half a line is a word too, and either pipe will do.
    for words in ["printf .", "printf . >&2"] {
        let script = format!("for n in 1 2 3 4 5 6 7 8; do sleep 0.2; {words}; done; echo $0 > $PIPE_OUTPUT/a");
        let ran = project.run(&stage(&script, "silence = \"800ms\"\n"));
        assert_eq!(ran.ends(), [1, 0, 0, 0, 0], "{words}: {:?}", ran.failures());
    }
}

#[test]
fn a_program_that_floods_is_not_silent() {
    let project = Project::new();
    // A busy disk may hold up whoever writes the log for some seconds.
    let ran = project.run(&stage("timeout 8 yes; true", "silence = \"6s\"\n"));
    assert_eq!(ran.ends(), [1, 0, 0, 0, 0], "{:?}", ran.failures());
}

#[test]
fn a_task_ends_with_the_time_for_all_its_attempts() {
    let project = Project::new();
    let script =
        "test -e @seen && exec sleep 300; touch @seen; exit 3".replace('@', &project.path("").to_string_lossy());
    let more = "task_timeout = \"600ms\"\nretry = { failed = 9, timeout = 9, backoff = \"10ms..10ms\" }\n";
    let ran = project.run(&stage(&script, more));
    assert_eq!(classes(&ran), [Class::Failed, Class::Timeout], "one that failed, one that was ended, and no more");
    assert_eq!(ran.failures()[0].code, "task_timeout");
}

#[test]
fn a_run_ends_at_its_deadline_with_all_that_it_started() {
    let project = Project::new();
    let script = "trap '' TERM; echo half > $PIPE_OUTPUT/half; while :; do sleep 0.05; done";
    let after = "[stages.after]\nkind = \"script\"\nscript = \"true\"\nfrom = [\"work\"]\n";
    let ran = project.run(&format!("deadline = \"500ms\"\n{}{after}", stage(script, "")));
    assert_eq!(ran.ends(), [0, 0, 0, 0, 2]);
    let reached = Body::LimitReached { limit: RunLimit::Time };
    assert_eq!(ran.events.iter().filter(|event| event.body == reached).count(), 1);
    assert!(ran.journaled().iter().any(|event| event.body == reached));
    assert_eq!(project.data(), [], "nothing half made is left");
}

#[test]
fn a_run_within_its_deadline_knows_nothing_of_it() {
    let project = Project::new();
    let ran = project.run(&format!("deadline = \"1h\"\n{}", stage("true", "")));
    assert_eq!(ran.ends(), [1, 0, 0, 0, 0]);
    assert!(!ran.events.iter().any(|event| matches!(event.body, Body::LimitReached { .. })));
}

#[test]
fn each_attempt_begins_in_a_work_folder_of_its_own() {
    let project = Project::new();
    let places = project.path("places");
    let script = format!(
        "ls -A > $PIPE_OUTPUT/there; pwd >> {places}; touch left; test $(wc -l < {places}) = 3",
        places = places.display()
    );
    let ran = project.run(&stage(&script, "retry = { failed = 2, backoff = \"1ms..1ms\" }\n"));
    assert_eq!(ran.ends(), [1, 0, 0, 0, 0], "{:?}", ran.failures());
    let text = fs::read_to_string(&places).unwrap();
    let mut places: Vec<&str> = text.lines().collect();
    places.dedup();
    assert_eq!(places.len(), 3, "{text}");
    assert_eq!(project.texts(), [""], "the third found nothing that the others had left");
}
