//! What is asked before a run, what is asked of an image, and the jobs of a store that are there.

use super::bench::{Bench, attempt, is};
use super::ends::STAYS;
use pipe_engine::attempt::{Attempt, Provision};
use pipe_engine::backend::Standing;
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
fn images_of_googles_registries_are_looked_for_and_those_of_others_are_left_to_cloud_run() {
    let bench = Bench::running(STAYS);
    bench.image("eu.gcr.io/films/there:v1", STAYS);
    let trials = [
        attempt("one"),
        with_image("two", "eu.gcr.io/films/there:v1"),
        with_image("three", "eu.gcr.io/films/gone"),
        with_image("four", "eu.gcr.io/films/there:v1"),
        with_image("five", "quay.io/films/worker"),
    ];
    let findings = bench.wait(bench.place.check(&trials));
    let expected =
        [(Level::Good, "jobs_listed"), (Level::Error, "no_image"), (Level::Good, "image"), (Level::Good, "jobs_taken")];
    assert_eq!(codes(&findings), expected, "{findings:?}");
    assert_eq!(findings[1].on.as_deref(), Some("eu.gcr.io/films/gone"));
    assert!(findings[2].message.contains("sha256:"), "{findings:?}");
    assert_eq!((bench.asked("jobs.create"), bench.asked("jobs.run")), (5, 0));
    assert!(bench.wait(bench.place.jobs()).unwrap().is_empty(), "nothing was made");
}

#[test]
fn what_is_wrong_with_all_of_them_is_told_once_and_an_attempt_without_an_image_too() {
    let bench = Bench::running(STAYS);
    bench.standin.befalls(|asked| is(asked, "jobs.create").then_some(Fault::Refuse(403)));
    let findings = bench.wait(bench.place.check(&[attempt("one"), attempt("two")]));
    assert_eq!(codes(&findings), [(Level::Good, "jobs_listed"), (Level::Error, "not_allowed")], "{findings:?}");
    bench.standin.befalls(|_| None);
    let place = bench.other(&json!({ "image": null }));
    let findings = bench.wait(place.check(&[attempt("one")]));
    assert_eq!(codes(&findings), [(Level::Good, "jobs_listed"), (Level::Error, "no_image")], "{findings:?}");
}

#[test]
fn more_jobs_than_a_region_has_room_for_are_warned_of() {
    let bench = Bench::running(STAYS);
    bench.submit(&attempt("one")).unwrap();
    let place = bench.other(&json!({ "at_once": 1000 }));
    let findings = bench.wait(place.check(&[attempt("two")]));
    assert!(codes(&findings).contains(&(Level::Warning, "many_jobs")), "{findings:?}");
    let findings = bench.wait(bench.place.check(&[attempt("two")]));
    assert!(!codes(&findings).contains(&(Level::Warning, "many_jobs")), "{findings:?}");
}

#[test]
fn an_image_is_asked_by_a_job_that_begins_in_either_way() {
    for start in ["run", "token"] {
        let bench = Bench::with("test \"$1\" = --versions", &json!({ "start": start }));
        let words = ["worker", "--versions"].map(str::to_owned);
        let job = bench.wait(bench.place.ask(&attempt("asked"), &words)).unwrap();
        assert_eq!(bench.end(&job), None, "{start}");
        bench.wait(bench.place.forget(&job)).unwrap();
        assert_eq!(bench.told(&job.0), None, "{start}");
        assert_eq!(codes(&bench.place.learned()), [(Level::Good, "start")], "{start}: it began as it was made");
        assert_eq!((bench.asked("jobs.create"), bench.asked("jobs.run")), (1, 0), "{start}");
    }
}

#[test]
fn where_there_are_no_start_tokens_a_job_is_begun_by_a_call_and_that_is_told() {
    let bench = Bench::running("exit 0");
    assert_eq!(bench.place.learned(), []);
    let mut is_first = true;
    bench.standin.befalls(move |asked| {
        let refused = is(asked, "jobs.create") && std::mem::take(&mut is_first);
        refused
            .then(|| Fault::Say(400, "Invalid JSON payload received. Unknown name \"startExecutionToken\"".to_owned()))
    });
    let job = bench.wait(bench.place.ask(&attempt("asked"), &["worker".to_owned()])).unwrap();
    assert_eq!(bench.end(&job), None);
    assert_eq!((bench.asked("jobs.create"), bench.asked("jobs.run")), (2, 1));
    let learned = bench.place.learned();
    assert!(learned.len() == 1 && learned[0].message.contains("not heeded here"), "{learned:?}");
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
    assert_eq!((&found(&one).job, &found(&one).standing), (&jobs[0], &Standing::Running));
    assert_eq!((&found(&two).job, &found(&two).standing), (&jobs[1], &Standing::Over(None)));
    assert_eq!(found(&one).about.as_deref(), Some("week12 20261121-230405-9f3c clips"));
    let page = bench.place.page(&one).unwrap();
    assert_eq!(page.job, jobs[0].0);
    let id = jobs[0].0.rsplit('/').next().unwrap();
    assert!(page.log.contains(id) && page.link.contains(id) && page.link.ends_with("?project=films"), "{page:?}");
}
