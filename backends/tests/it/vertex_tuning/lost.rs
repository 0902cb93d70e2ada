//! What is lost on its way, there or back. Jobs have no names to choose and nothing in them claims an attempt, so a second one may be
//! made: it is cancelled at the next look, and told of.

use super::bench::{Bench, attempt, request};
use pipe_engine::backend::{Job, Standing};
use pipe_engine::failure::{Class, Failure};
use pipe_standin::Fault;
use serde_json::json;
use std::time::Duration;

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
fn whatever_is_lost_together_an_attempt_has_one_answer_and_no_job_goes_on() {
    let bench = Bench::new();
    let lost = [None, Some(Fault::HangUp), Some(Fault::DoAndHangUp), Some(Fault::DoAndRefuse(503))];
    let (mut count, mut doubled) = (0, 0);
    for create in &lost {
        for get in [None, Some(Fault::HangUp)] {
            for list in [None, Some(Fault::Refuse(500))] {
                // As many lists as are looked at before another job is made, and more.
                for late in [0, 3, 12] {
                    bench.standin.list_late(late);
                    bench.first(&[("create", create.clone()), ("get", get.clone()), ("list", list.clone())]);
                    let attempt = attempt(&format!("combination {count}"));
                    let job = bench.asked_for(&attempt, &request(&json!({})));
                    assert_eq!(ended(&bench, &job), None);
                    assert!(bench.answer(&job).unwrap()["model"].is_string());
                    // By then every list has it.
                    (0..late).for_each(|_| drop(bench.jobs(&attempt)));
                    bench.wait(bench.place.forget(&job)).unwrap();
                    let states = bench.states(&attempt);
                    assert!(
                        states.iter().all(|state| ["SUCCEEDED", "CANCELLED"].contains(&state.as_str())),
                        "{states:?}"
                    );
                    doubled += states.len() - 1;
                    count += 1;
                }
            }
        }
    }
    assert_eq!(count, 4 * 2 * 2 * 3);
    assert!(doubled > 0, "there were second jobs to be told apart");
}

#[test]
fn a_job_that_may_have_been_made_is_looked_for_more_than_once_before_another_is() {
    let bench = Bench::new();
    bench.standin.quota(false);
    let attempt = attempt("late");
    bench.standin.list_late(2);
    bench.first(&[("create", Some(Fault::DoAndHangUp))]);
    assert_eq!(bench.ask(&attempt, &request(&json!({}))).unwrap_err().class, Class::Transient);
    let job = bench.ask(&attempt, &request(&json!({}))).unwrap();
    assert_eq!((bench.asked("create"), bench.states(&attempt).len()), (1, 1));
    assert_eq!(bench.wait(bench.place.find(&attempt.id)).unwrap(), Some(job));
}

#[test]
fn a_second_job_is_cancelled_at_the_next_look_and_told_of() {
    let bench = Bench::new();
    let attempt = attempt("twice");
    bench.standin.quota(false);
    bench.standin.list_late(4);
    bench.first(&[("create", Some(Fault::DoAndHangUp))]);
    assert_eq!(bench.ask(&attempt, &request(&json!({}))).unwrap_err().class, Class::Transient);
    let job = bench.ask(&attempt, &request(&json!({}))).unwrap();
    assert_eq!(bench.asked("create"), 2);
    // The lists do not have them yet, and then they do.
    while bench.asked("cancel") == 0 {
        assert_eq!(bench.standing(&job), Standing::Waiting);
    }
    bench.standin.quota(true);
    assert_eq!(ended(&bench, &job), None, "whichever is asked about, the first counts");
    let told = bench.answer(&job).unwrap();
    assert_eq!(bench.states(&attempt), ["CANCELLED", "SUCCEEDED"], "the newest first");
    assert_eq!(told["second_jobs"], json!([bench.jobs(&attempt)[0]["name"]]));
    assert_eq!(told["job"], bench.jobs(&attempt)[1]["name"]);
    let doubles = bench.wait(bench.place.doubles(&job)).unwrap();
    assert_eq!((doubles.jobs, doubles.ran_ms), (1, 0), "it never began");
}
