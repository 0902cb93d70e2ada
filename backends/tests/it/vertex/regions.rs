//! Attempts of a place with several regions: each is made in the one that it names, and looked for in all.

use super::bench::{Bench, CLAIMS, attempt};
use super::ends::STAYS;
use pipe_engine::attempt::Attempt;
use pipe_engine::backend::{Job, Standing};
use pipe_engine::failure::Class;
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
    job.0.contains(&format!("/locations/{region}/customJobs/"))
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
    let late = in_region("one", "us-central1");
    assert_eq!(bench.wait(bench.other(&two()).submit(&late)).unwrap(), job, "whoever comes with it to another region");
    bench.wait(bench.place.cancel(&job)).unwrap();
    assert_eq!(bench.end(&job).unwrap().code, "cancelled");
    bench.wait(bench.place.forget(&job)).unwrap();
    assert_eq!(bench.wait(bench.place.find(&there.id)).unwrap(), None);
}

#[test]
fn of_two_jobs_of_one_attempt_in_two_regions_one_works_and_none_is_left() {
    let bench = Bench::with(CLAIMS, &two());
    // The list does not have the first yet when somebody comes to another region.
    bench.standin.list_late(1);
    let here = bench.submit(&in_region("one", "us-central1")).unwrap();
    let there = bench.wait(bench.other(&two()).submit(&in_region("one", "us-east4"))).unwrap();
    assert!(is_in(&here, "us-central1") && is_in(&there, "us-east4"), "{here:?}, {there:?}");
    for job in [&here, &there] {
        assert_eq!(bench.end(job), None, "it is known by either");
    }
    assert_eq!(bench.noted("worked", &attempt("one")), 1);
    while let Err(failure) = bench.wait(bench.place.forget(&here)) {
        assert_eq!(failure.class, Class::Transient, "{failure:?}");
    }
    assert_eq!((bench.told(&here.0), bench.told(&there.0)), (None, None));
}

#[test]
fn jobs_of_several_regions_are_seen_by_a_list_of_each() {
    let bench = Bench::with(STAYS, &two());
    let attempts = (0..6).map(|n| in_region(&format!("{n}"), if n % 2 == 0 { "us-central1" } else { "us-east4" }));
    let jobs: Vec<Job> = attempts.map(|attempt| bench.submit(&attempt).unwrap()).collect();
    let before = (bench.asked("list"), bench.asked("get"));
    let standings = bench.wait(bench.place.poll(&jobs)).unwrap();
    assert!(standings.iter().all(|standing| matches!(standing, Standing::Waiting | Standing::Running)));
    assert_eq!((standings.len(), bench.asked("list") - before.0, bench.asked("get") - before.1), (6, 2, 0));
}
