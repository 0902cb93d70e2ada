//! What is asked before a run, what is asked of an image, and the jobs of a store that are there.

use super::bench::{Bench, CLAIMS, attempt, is};
use super::ends::STAYS;
use pipe_engine::attempt::{Attempt, Provision};
use pipe_engine::backend::Standing;
use pipe_engine::failure::Class;
use pipe_engine::finding::{Finding, Level};
use pipe_standin::Fault;
use serde_json::json;

fn codes(findings: &[Finding]) -> Vec<(Level, &str)> {
    findings.iter().map(|finding| (finding.level, finding.code.as_str())).collect()
}

fn with_image(name: &str, image: &str) -> Attempt {
    let provision = Provision { image: Some(image.to_owned()), ..Provision::default() };
    Attempt { provision: Some(provision), ..attempt(name) }
}

#[test]
fn whether_jobs_and_images_are_to_be_had_is_told_and_nothing_is_made() {
    let bench = Bench::with(STAYS, &json!({ "regions": ["us-central1", "us-east4"] }));
    bench.image("eu.gcr.io/films/there:v1", STAYS);
    let trials = [
        attempt("one"),
        with_image("two", "eu.gcr.io/films/there:v1"),
        with_image("three", "eu.gcr.io/films/gone"),
        with_image("four", "quay.io/films/worker"),
    ];
    let findings = bench.wait(bench.place.check(&trials));
    let expected = [
        (Level::Good, "jobs_listed"),
        (Level::Good, "jobs_listed"),
        (Level::Error, "no_image"),
        (Level::Good, "image"),
        (Level::Unknown, "not_tried"),
    ];
    assert_eq!(codes(&findings), expected, "{findings:?}");
    let on = |at: usize| findings[at].on.as_deref();
    assert_eq!((on(0), on(2)), (Some("projects/films/locations/us-central1"), Some("eu.gcr.io/films/gone")));
    assert_eq!(on(1), Some("projects/films/locations/us-east4"));
    assert_eq!(bench.asked("create"), 0);
}

#[test]
fn what_no_job_can_be_described_for_is_told_once_and_where_nobody_is_let_in_nothing_else_is_asked() {
    let bench = Bench::running(STAYS);
    let place = bench.other(&json!({ "image": null }));
    let findings = bench.wait(place.check(&[attempt("one"), attempt("two")]));
    assert_eq!(codes(&findings), [(Level::Good, "jobs_listed"), (Level::Error, "no_image")], "{findings:?}");
    bench.standin.befalls(|asked| is(asked, "list").then_some(Fault::Refuse(403)));
    let findings = bench.wait(bench.place.check(&[attempt("one")]));
    assert_eq!(codes(&findings), [(Level::Error, "not_allowed")], "{findings:?}");
}

#[test]
fn an_image_is_asked_by_a_job() {
    let bench = Bench::running("test \"$1\" = --versions");
    let words = ["worker", "--versions"].map(str::to_owned);
    let job = bench.wait(bench.place.ask(&attempt("asked"), &words)).unwrap();
    assert_eq!(bench.end(&job), None);
    bench.wait(bench.place.forget(&job)).unwrap();
    assert_eq!(bench.told(&job.0), None);
}

#[test]
fn the_jobs_of_a_store_are_told_with_what_their_labels_say() {
    let bench = Bench::running(STAYS);
    let (one, two) = (attempt("one"), attempt("two"));
    let jobs = [bench.submit(&one).unwrap(), bench.submit(&two).unwrap()];
    bench.until(&jobs[0], |standing| *standing == Standing::Running);
    bench.wait(bench.place.cancel(&jobs[1])).unwrap();
    bench.end(&jobs[1]);
    let there = bench.wait(bench.place.jobs()).unwrap();
    let found = |attempt: &Attempt| there.iter().find(|job| job.attempt == attempt.id).unwrap();
    assert_eq!(there.len(), 2);
    assert_eq!((&found(&one).job, &found(&one).standing), (&jobs[0], &Standing::Running));
    assert_eq!((&found(&two).job, &found(&two).standing), (&jobs[1], &Standing::Over(None)));
    assert_eq!(found(&one).about.as_deref(), Some("week12 20261121-230405-9f3c clips"));
    assert_eq!(bench.wait(bench.place.idle()).unwrap(), [(two.id.clone(), jobs[1].clone())]);
    let page = bench.place.page(&one).unwrap();
    assert!(page.job.ends_with(&one.id.0) && page.link.ends_with("?project=films"), "{page:?}");
    let list =
        format!("gcloud ai custom-jobs list --project films --region us-central1 --filter displayName={}", page.job);
    assert!(page.log.contains(&list), "{page:?}");
}

#[test]
fn an_attempt_with_two_jobs_is_at_rest_when_both_are_over() {
    let bench = Bench::running(CLAIMS);
    let attempt = attempt("twice");
    bench.standin.quota(false);
    bench.standin.list_late(4);
    bench.first(&[("create", Some(Fault::DoAndHangUp))]);
    assert_eq!(bench.submit(&attempt).unwrap_err().class, Class::Transient);
    let job = bench.submit(&attempt).unwrap();
    // By now every list has both.
    while bench.jobs(&attempt).len() < 2 {}
    assert_eq!(bench.wait(bench.place.jobs()).unwrap().len(), 2);
    assert_eq!(bench.wait(bench.place.idle()).unwrap(), [], "they wait for a machine");
    bench.standin.quota(true);
    assert_eq!(bench.end(&job), None);
    let states = || bench.states(&attempt);
    while states().iter().any(|state| !["SUCCEEDED", "FAILED", "CANCELLED"].contains(&state.as_str())) {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let idle = bench.wait(bench.place.idle()).unwrap();
    assert_eq!(idle.iter().map(|(attempt, _)| attempt).collect::<Vec<_>>(), [&attempt.id]);
    bench.wait(bench.place.forget(&idle[0].1)).unwrap();
    assert_eq!(bench.states(&attempt), [""; 0]);
}
