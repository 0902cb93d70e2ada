//! Attempts of a place with several regions: each is in one of them, whoever comes to it, and with whatever in mind.

use super::bench::{Bench, attempt};
use super::ends::STAYS;
use pipe_engine::attempt::Attempt;
use pipe_engine::backend::{Job, Standing};
use serde_json::{Value as Json, json};

fn two() -> Json {
    json!({ "regions": ["us-central1", "us-east4"] })
}

fn in_region(name: &str, region: &str) -> Attempt {
    let mut attempt = attempt(name);
    attempt.provision.as_mut().unwrap().region = Some(region.to_owned());
    attempt
}

fn is_in(job: &Job, region: &str) -> bool {
    job.0.starts_with(&format!("projects/films/locations/{region}/jobs/pipe-"))
}

#[test]
fn an_attempt_is_made_in_its_region_and_found_wherever_it_is() {
    let bench = Bench::with(STAYS, &two());
    assert!(is_in(&bench.submit(&attempt("any")).unwrap(), "us-central1"), "the first, where nothing is said");
    let there = in_region("one", "us-east4");
    let job = bench.submit(&there).unwrap();
    assert!(is_in(&job, "us-east4"), "{job:?}");
    assert_eq!(bench.wait(bench.place.find(&there.id)).unwrap(), Some(job.clone()));
    bench.until(&job, |standing| *standing == Standing::Running);
    bench.wait(bench.place.cancel(&job)).unwrap();
    assert!(bench.end(&job).is_some());
    bench.wait(bench.place.forget(&job)).unwrap();
    assert_eq!(bench.wait(bench.place.find(&there.id)).unwrap(), None);
}

#[test]
fn jobs_of_several_regions_are_seen_by_a_list_of_each() {
    let bench = Bench::with(STAYS, &two());
    let attempts = (0..6).map(|n| in_region(&format!("{n}"), if n % 2 == 0 { "us-central1" } else { "us-east4" }));
    let jobs: Vec<Job> = attempts.map(|attempt| bench.submit(&attempt).unwrap()).collect();
    let before = bench.asked("jobs.list");
    let standings = bench.wait(bench.place.poll(&jobs)).unwrap();
    assert!(standings.iter().all(|standing| matches!(standing, Standing::Waiting | Standing::Running)));
    assert_eq!((standings.len(), bench.asked("jobs.list") - before), (6, 2));
}

#[test]
fn who_comes_to_another_region_with_an_attempt_that_runs_comes_to_the_same_job() {
    let bench = Bench::with(STAYS, &two());
    let job = bench.submit(&in_region("one", "us-east4")).unwrap();
    bench.until(&job, |standing| *standing == Standing::Running);
    let late = in_region("one", "us-central1");
    assert_eq!(bench.wait(bench.other(&two()).submit(&late)).unwrap(), job);
    assert_eq!((bench.begun(&late), bench.asked("jobs.run")), (1, 1));
    assert_eq!(bench.asked("jobs.delete"), 1, "the one that was made to no purpose is gone");
}

#[test]
fn a_region_that_the_place_does_not_have_is_the_first() {
    let bench = Bench::running(STAYS);
    assert!(is_in(&bench.submit(&in_region("one", "mars-north1")).unwrap(), "us-central1"));
}

#[test]
fn jobs_of_all_regions_are_told_and_each_page_is_of_its_own() {
    let bench = Bench::with(STAYS, &two());
    let (here, there) = (in_region("one", "us-central1"), in_region("two", "us-east4"));
    let jobs = [bench.submit(&here).unwrap(), bench.submit(&there).unwrap()];
    for (attempt, job) in [&here, &there].into_iter().zip(&jobs) {
        assert_eq!(bench.place.page(attempt).unwrap().job, job.0);
        bench.until(job, |standing| *standing == Standing::Running);
    }
    let mut told: Vec<Job> = bench.wait(bench.place.jobs()).unwrap().into_iter().map(|there| there.job).collect();
    told.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(told, jobs);
    bench.wait(bench.place.cancel(&jobs[1])).unwrap();
    bench.end(&jobs[1]);
    assert_eq!(bench.wait(bench.place.idle()).unwrap(), [(there.id.clone(), jobs[1].clone())]);
}

#[test]
fn before_a_run_each_region_is_asked_whether_it_would_take_a_job() {
    let bench = Bench::with(STAYS, &two());
    let findings = bench.wait(bench.place.check(&[attempt("one")]));
    let listed: Vec<&str> = findings.iter().filter_map(|finding| finding.on.as_deref()).collect();
    for region in ["us-central1", "us-east4"] {
        assert!(listed.contains(&format!("projects/films/locations/{region}").as_str()), "{findings:?}");
    }
    assert_eq!((bench.asked("jobs.list"), bench.asked("jobs.create"), bench.asked("jobs.run")), (2, 2, 0));
}
