//! What is lost on its way, there or back. Jobs have no names to choose, so there may be two of one attempt: its work is done once
//! all the same, and none is left.

use super::bench::{Bench, CLAIMS, attempt};
use super::ends::STAYS;
use pipe_engine::backend::{Job, Standing};
use pipe_engine::failure::{Class, Failure};
use pipe_standin::Fault;
use serde_json::json;
use std::time::Duration;

/// Removes an attempt's jobs, as often as it takes.
fn forgotten(bench: &Bench, job: &Job) {
    while let Err(failure) = bench.wait(bench.place.forget(job)) {
        assert_eq!(failure.class, Class::Transient, "{failure:?}");
    }
}

/// Why a job ended, once it has; polls that are lost are made again.
fn ended(bench: &Bench, job: &Job) -> Option<Failure> {
    loop {
        match bench.wait(bench.place.poll(std::slice::from_ref(job))) {
            Ok(standings) => match &standings[..] {
                [Standing::Over(why)] => return why.clone(),
                [Standing::Waiting | Standing::Running] => std::thread::sleep(Duration::from_millis(10)),
                others => panic!("{others:?}"),
            },
            Err(failure) => assert_eq!(failure.class, Class::Transient, "{failure:?}"),
        }
    }
}

#[test]
fn whatever_is_lost_together_the_work_of_an_attempt_is_done_once_and_no_job_is_left() {
    let bench = Bench::running(CLAIMS);
    let lost =
        [None, Some(Fault::HangUp), Some(Fault::DoAndHangUp), Some(Fault::Refuse(503)), Some(Fault::DoAndRefuse(503))];
    let (mut count, mut doubled) = (0, 0);
    for create in &lost {
        for get in [None, Some(Fault::HangUp)] {
            for list in [None, Some(Fault::Refuse(500))] {
                // As many lists as are looked at before another job is made, and more.
                for late in [0, 3, 12] {
                    bench.standin.list_late(late);
                    let faults = [("create", create.clone()), ("get", get.clone()), ("list", list.clone())];
                    bench.first(&faults);
                    let attempt = attempt(&format!("combination {count}"));
                    let job = bench.handed_over(&attempt);
                    assert_eq!(ended(&bench, &job), None, "{faults:?}, {late} lists late");
                    assert_eq!(bench.noted("worked", &attempt), 1, "{faults:?}, {late} lists late");
                    doubled += bench.begun(&attempt) - 1;
                    // By then every list has it.
                    (0..late).for_each(|_| drop(bench.jobs(&attempt)));
                    let last = bench.wait(bench.place.find(&attempt.id)).unwrap().unwrap();
                    forgotten(&bench, &last);
                    assert_eq!(bench.states(&attempt), [""; 0], "{faults:?}, {late} lists late");
                    count += 1;
                }
            }
        }
    }
    assert_eq!(count, 5 * 2 * 2 * 3);
    assert!(doubled > 0, "there were second jobs to be told apart");
}

#[test]
fn a_job_that_may_have_been_made_is_looked_for_more_than_once_before_another_is() {
    let bench = Bench::running(STAYS);
    let attempt = attempt("late");
    bench.standin.list_late(2);
    bench.first(&[("create", Some(Fault::DoAndHangUp))]);
    assert_eq!(bench.submit(&attempt).unwrap_err().class, Class::Transient);
    let job = bench.submit(&attempt).unwrap();
    assert_eq!((bench.asked("create"), bench.states(&attempt).len()), (1, 1));
    assert_eq!(bench.wait(bench.place.find(&attempt.id)).unwrap(), Some(job));
}

#[test]
fn of_two_jobs_that_wait_the_second_is_stopped_at_the_next_look() {
    let bench = Bench::running(CLAIMS);
    let attempt = attempt("twice");
    bench.standin.quota(false);
    bench.standin.list_late(4);
    bench.first(&[("create", Some(Fault::DoAndHangUp))]);
    assert_eq!(bench.submit(&attempt).unwrap_err().class, Class::Transient);
    let job = bench.submit(&attempt).unwrap();
    assert_eq!(bench.asked("create"), 2);
    // The lists do not have them yet, and then they do.
    while bench.asked("cancel") == 0 {
        assert_eq!(bench.standing(&job), Standing::Waiting);
    }
    bench.standin.quota(true);
    assert_eq!(bench.end(&job), None, "it is known by either");
    assert_eq!((bench.noted("worked", &attempt), bench.begun(&attempt)), (1, 1));
    let mut states = bench.states(&attempt);
    states.sort();
    assert_eq!(states, ["CANCELLED", "SUCCEEDED"]);
    forgotten(&bench, &job);
    assert_eq!(bench.states(&attempt), [""; 0]);
}

#[test]
fn a_job_that_has_left_its_attempt_to_another_waits_for_it_to_be_seen_and_not_for_ever() {
    let bench = Bench::running("exit 76");
    let attempt = attempt("left");
    let job = bench.submit(&attempt).unwrap();
    while bench.states(&attempt) != ["FAILED"] {
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut waited = 0;
    while bench.standing(&job) == Standing::Waiting {
        waited += 1;
    }
    assert!(waited > 10, "{waited}");
    let why = bench.end(&job).unwrap();
    assert_eq!((why.class, why.code.as_str()), (Class::Transient, "job_gone"), "{why:?}");
}

#[test]
fn a_second_engine_finds_the_job_of_the_first() {
    let bench = Bench::running(STAYS);
    let attempt = attempt("shared");
    // The first dies before it hears that the job was made.
    bench.first(&[("create", Some(Fault::DoAndHangUp))]);
    assert_eq!(bench.submit(&attempt).unwrap_err().class, Class::Transient);
    let second = bench.other(&json!({}));
    let found = bench.wait(second.find(&attempt.id)).unwrap().unwrap();
    assert_eq!(bench.wait(second.submit(&attempt)).unwrap(), found);
    assert_eq!((bench.asked("create"), bench.begun(&attempt) <= 1), (1, true));
}

#[test]
fn a_cancellation_that_is_lost_may_be_made_again() {
    for fault in [Fault::HangUp, Fault::DoAndHangUp, Fault::Refuse(503)] {
        let bench = Bench::running(STAYS);
        let job = bench.submit(&attempt("stopped")).unwrap();
        bench.first(&[("cancel", Some(fault.clone()))]);
        let first = bench.wait(bench.place.cancel(&job));
        if let Err(failure) = first {
            assert_eq!(failure.class, Class::Transient, "{fault:?}");
            bench.wait(bench.place.cancel(&job)).unwrap();
        }
        assert_eq!(bench.end(&job).unwrap().code, "cancelled", "{fault:?}");
    }
}
