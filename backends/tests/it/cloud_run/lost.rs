//! What is lost on its way, there or back: never two executions of one attempt, and never none.

use super::bench::{Bench, attempt};
use super::ends::STAYS;
use pipe_engine::backend::Standing;
use pipe_engine::failure::Class;
use pipe_standin::Fault;
use serde_json::json;

#[test]
fn whatever_is_lost_together_an_attempt_is_run_once() {
    let bench = Bench::running("true");
    let lost =
        [None, Some(Fault::HangUp), Some(Fault::DoAndHangUp), Some(Fault::Refuse(503)), Some(Fault::DoAndRefuse(503))];
    let mut count = 0;
    for create in &lost {
        for run in &lost {
            for get in [None, Some(Fault::HangUp)] {
                for (list, late) in [(None, 0), (None, 3), (Some(Fault::Refuse(500)), 3)] {
                    bench.standin.list_late(late);
                    let faults = [
                        ("jobs.create", create.clone()),
                        ("jobs.run", run.clone()),
                        ("jobs.get", get.clone()),
                        ("jobs.executions.list", list.clone()),
                    ];
                    bench.first(&faults);
                    let attempt = attempt(&format!("combination {count}"));
                    let job = bench.handed_over(&attempt);
                    assert_eq!(bench.end(&job), None, "{faults:?}");
                    let executions = &bench.told(&job.0).unwrap()["executionCount"];
                    assert_eq!((bench.begun(&attempt), executions), (1, &1.into()), "{faults:?}, {late} lists late");
                    count += 1;
                }
            }
        }
    }
    assert_eq!(count, 5 * 5 * 2 * 3);
}

#[test]
fn a_job_that_begins_together_with_being_made_is_begun_once_whatever_is_lost() {
    let lost = [None, Some(Fault::HangUp), Some(Fault::DoAndHangUp), Some(Fault::DoAndRefuse(503))];
    for create in lost {
        let bench = Bench::with("true", &json!({ "start": "token" }));
        bench.standin.list_late(3);
        bench.first(&[("jobs.create", create.clone())]);
        let attempt = attempt("token");
        let job = bench.handed_over(&attempt);
        assert_eq!(bench.end(&job), None, "{create:?}");
        assert_eq!((bench.begun(&attempt), bench.asked("jobs.run")), (1, 0), "{create:?}");
    }
}

#[test]
fn a_second_engine_finds_the_job_of_the_first() {
    let bench = Bench::running(STAYS);
    let attempt = attempt("shared");
    // The first dies before it hears that the job runs.
    bench.first(&[("jobs.run", Some(Fault::DoAndHangUp))]);
    assert_eq!(bench.submit(&attempt).unwrap_err().class, Class::Transient);
    let second = bench.other(&json!({}));
    let found = bench.wait(second.find(&attempt.id)).unwrap().unwrap();
    assert_eq!(bench.wait(second.submit(&attempt)).unwrap(), found);
    assert_eq!((bench.asked("jobs.run"), bench.begun(&attempt) <= 1), (1, true));
}

#[test]
fn a_job_that_was_made_and_never_run_is_made_anew_with_the_settings_of_now() {
    let bench = Bench::running(STAYS);
    let attempt = attempt("mended");
    let old = bench.other(&json!({ "image": "old" }));
    bench.first(&[("jobs.run", Some(Fault::HangUp))]);
    assert_eq!(bench.wait(old.submit(&attempt)).unwrap_err().class, Class::Transient);
    assert_eq!(bench.wait(bench.place.find(&attempt.id)).unwrap(), None, "nothing runs");
    let job = bench.submit(&attempt).unwrap();
    assert_eq!(bench.told(&job.0).unwrap()["template"]["template"]["containers"][0]["image"], "worker");
    assert_eq!(bench.asked("jobs.delete"), 1);
}

#[test]
fn a_job_that_may_not_be_run_is_not_left_there() {
    let bench = Bench::running(STAYS);
    let attempt = attempt("forbidden");
    bench.first(&[("jobs.run", Some(Fault::Refuse(403)))]);
    assert_eq!(bench.submit(&attempt).unwrap_err().code, "not_allowed");
    assert_eq!((bench.asked("jobs.create"), bench.asked("jobs.delete")), (1, 1));
    assert_eq!(bench.wait(bench.place.find(&attempt.id)).unwrap(), None);
    bench.submit(&attempt).unwrap();
    assert_eq!((bench.asked("jobs.create"), bench.asked("jobs.run")), (2, 2));
}

#[test]
fn a_cancel_that_is_lost_is_made_again() {
    let bench = Bench::running(STAYS);
    for fault in [Fault::HangUp, Fault::DoAndHangUp, Fault::Refuse(503)] {
        let attempt = attempt(&format!("{fault:?}"));
        let job = bench.submit(&attempt).unwrap();
        bench.first(&[("jobs.executions.cancel", Some(fault.clone()))]);
        while bench.wait(bench.place.cancel(&job)).is_err() {}
        let why = bench.end(&job).unwrap();
        assert_eq!((why.code.as_str(), bench.begun(&attempt) <= 1), ("cancelled", true), "{fault:?}");
    }
}

#[test]
fn jobs_that_do_not_run_are_told_until_they_are_removed() {
    let bench = Bench::running(STAYS);
    let idle = || bench.wait(bench.place.idle()).unwrap();
    let stays = attempt("stays");
    let job = bench.submit(&stays).unwrap();
    bench.until(&job, |standing| *standing == Standing::Running);
    assert_eq!(idle(), []);
    let unrun = attempt("made and never run");
    bench.first(&[("jobs.run", Some(Fault::HangUp))]);
    assert_eq!(bench.submit(&unrun).unwrap_err().class, Class::Transient);
    let told: Vec<_> = idle().into_iter().map(|(attempt, _)| attempt).collect();
    assert_eq!(told, [unrun.id]);
    bench.wait(bench.place.cancel(&job)).unwrap();
    bench.end(&job);
    assert!(idle().contains(&(stays.id, job)));
    idle().iter().for_each(|(_, job)| bench.wait(bench.place.forget(job)).unwrap());
    assert_eq!(idle(), []);
}
