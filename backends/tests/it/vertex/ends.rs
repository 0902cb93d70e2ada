//! How jobs end, and what is left of them.

use super::bench::{Bench, attempt, is_name};
use pipe_engine::attempt::Provision;
use pipe_engine::backend::Standing;
use pipe_engine::failure::Class;
use pipe_engine::units::Millis;
use serde_json::json;

/// What a job does that is to be there for a while.
pub(super) const STAYS: &str = "exec sleep 600";

#[test]
fn an_attempt_runs_as_a_job_once_and_is_gone_when_it_is_forgotten() {
    let bench = Bench::running("true");
    let attempt = attempt("one");
    assert_eq!(bench.wait(bench.place.find(&attempt.id)).unwrap(), None);
    let job = bench.submit(&attempt).unwrap();
    assert!(is_name(&job), "{job:?}");
    assert_eq!(bench.end(&job), None);
    assert_eq!(bench.wait(bench.place.find(&attempt.id)).unwrap(), Some(job.clone()), "its end can still be asked");
    assert_eq!(bench.submit(&attempt).unwrap(), job, "whoever hands it over again comes to the same job");
    assert_eq!((bench.begun(&attempt), bench.asked("create")), (1, 1));
    bench.wait(bench.place.forget(&job)).unwrap();
    assert_eq!(bench.told(&job.0), None);
    bench.wait(bench.place.forget(&job)).unwrap();
    assert_eq!(bench.standing(&job), Standing::Gone);
    assert_eq!(bench.wait(bench.place.find(&attempt.id)).unwrap(), None);
}

#[test]
fn how_a_container_ended_decides_the_class() {
    for (script, class, code) in [
        ("exit 3", Class::Failed, "exit_code"),
        ("exit 139", Class::Failed, "exit_code"),
        ("kill -9 $$", Class::OutOfMemory, "killed"),
        ("kill -15 $$", Class::Preempted, "terminated"),
        ("exit 143", Class::Preempted, "terminated"),
        ("exit 75", Class::Preempted, "terminated"),
    ] {
        let bench = Bench::running(script);
        let job = bench.submit(&attempt(script)).unwrap();
        let why = bench.end(&job).unwrap();
        assert_eq!((why.class, why.code.as_str()), (class, code), "{script}: {why:?}");
        assert_eq!(why.on.as_ref(), Some(&job.0));
        let help = why.help.unwrap();
        assert!(
            help.contains("gcloud logging read") && help.contains("https://console.cloud.google.com/logs"),
            "{help}"
        );
        assert_eq!(bench.begun(&attempt(script)), 1, "the service itself tries nothing again");
    }
}

#[test]
fn who_runs_longer_than_its_timeout_is_ended_by_the_service_and_has_timed_out() {
    let bench = Bench::running(STAYS);
    let mut attempt = attempt("long");
    attempt.provision = Some(Provision { timeout: Some(Millis(300)), ..Provision::default() });
    let job = bench.submit(&attempt).unwrap();
    let why = bench.end(&job).unwrap();
    assert_eq!((why.class, why.code.as_str()), (Class::Timeout, "timeout"), "{why:?}");
}

#[test]
fn a_job_that_is_cancelled_hears_of_it_and_is_over() {
    let bench = Bench::running("trap 'exit 0' TERM; while :; do sleep 0.05; done");
    let job = bench.submit(&attempt("stopped")).unwrap();
    bench.until(&job, |standing| *standing == Standing::Running);
    bench.wait(bench.place.cancel(&job)).unwrap();
    let why = bench.end(&job).unwrap();
    assert_eq!((why.class, why.code.as_str()), (Class::Failed, "cancelled"));
    bench.wait(bench.place.cancel(&job)).unwrap();
    bench.wait(bench.place.forget(&job)).unwrap();
    bench.wait(bench.place.cancel(&job)).unwrap();
}

#[test]
fn a_job_that_runs_is_stopped_before_it_is_removed() {
    let bench = Bench::running(STAYS);
    let attempt = attempt("running");
    let job = bench.submit(&attempt).unwrap();
    bench.until(&job, |standing| *standing == Standing::Running);
    // It takes its time to stop, and whoever is told to forget it does not wait for ever.
    while let Err(failure) = bench.wait(bench.place.forget(&job)) {
        assert_eq!(failure.code, "not_over", "{failure:?}");
    }
    assert_eq!((bench.standing(&job), bench.jobs(&attempt)), (Standing::Gone, vec![]));
}

#[test]
fn what_befalls_the_machine_is_not_the_fault_of_the_work() {
    let bench = Bench::running(STAYS);
    for (name, spot, class, code) in
        [("spot", true, Class::Preempted, "terminated"), ("usual", false, Class::Transient, "service")]
    {
        let mut attempt = attempt(name);
        attempt.provision = Some(Provision { spot, ..Provision::default() });
        let job = bench.submit(&attempt).unwrap();
        bench.until(&job, |standing| *standing == Standing::Running && bench.begun(&attempt) > 0);
        assert!(bench.standin.preempt(&job.0));
        let why = bench.end(&job).unwrap();
        assert_eq!((why.class, why.code.as_str()), (class, code), "{name}: {why:?}");
        assert_eq!(bench.begun(&attempt), 1, "the service itself tries nothing again");
    }
    bench.standin.stock_out(1);
    let job = bench.submit(&attempt("nowhere")).unwrap();
    let why = bench.end(&job).unwrap();
    assert_eq!((why.class, why.code.as_str()), (Class::Capacity, "no_machine"), "{why:?}");
}

#[test]
fn without_quota_a_job_waits_and_can_be_cancelled() {
    let bench = Bench::running("true");
    bench.standin.quota(false);
    let job = bench.submit(&attempt("waiting")).unwrap();
    assert_eq!(bench.standing(&job), Standing::Waiting);
    bench.wait(bench.place.cancel(&job)).unwrap();
    assert_eq!(bench.end(&job).unwrap().code, "cancelled");
    assert_eq!(bench.begun(&attempt("waiting")), 0);
}

#[test]
fn an_image_that_is_not_there_is_named_with_the_command_that_looks_for_it() {
    let bench = Bench::running("true");
    let mut attempt = attempt("imageless");
    attempt.provision = Some(Provision { image: Some("nothing".to_owned()), ..Provision::default() });
    let job = bench.submit(&attempt).unwrap();
    let why = bench.end(&job).unwrap();
    assert_eq!((why.class, why.code.as_str()), (Class::Failed, "no_image"), "{why:?}");
    let (source, help) = (why.source.unwrap(), why.help.unwrap());
    assert!(source.contains("'nothing'") && help.contains("gcloud artifacts docker images list"), "{source} {help}");
}

#[test]
fn without_an_image_or_a_machine_nothing_is_handed_over() {
    let bench = Bench::running("true");
    let place = bench.other(&json!({ "image": null }));
    let failure = bench.wait(place.submit(&attempt("imageless"))).unwrap_err();
    assert_eq!((failure.class, failure.code.as_str()), (Class::Failed, "no_image"));
    let mut huge = attempt("huge");
    huge.cpu = 1000;
    let failure = bench.submit(&huge).unwrap_err();
    assert_eq!((failure.class, failure.code.as_str()), (Class::Failed, "no_such_machine"));
    assert_eq!(bench.standin.asked(), []);
}

#[test]
fn sixty_jobs_are_asked_for_by_one_list() {
    let bench = Bench::running(STAYS);
    let attempts: Vec<_> = (0..60).map(|n| attempt(&format!("task {n}"))).collect();
    let jobs: Vec<_> = attempts.iter().map(|attempt| bench.submit(attempt).unwrap()).collect();
    jobs.iter().for_each(|job| bench.until(job, |standing| *standing == Standing::Running));
    let before = bench.standin.asked().len();
    let standings = bench.wait(bench.place.poll(&jobs)).unwrap();
    assert!(standings.len() == 60 && standings.iter().all(|standing| *standing == Standing::Running));
    let asked: Vec<String> = bench.standin.asked().drain(before..).map(|asked| asked.method).collect();
    assert_eq!(asked, ["aiplatform.projects.locations.customJobs.list"]);
    for n in [7, 8] {
        bench.wait(bench.place.cancel(&jobs[n])).unwrap();
        bench.end(&jobs[n]);
    }
    bench.wait(bench.place.forget(&jobs[8])).unwrap();
    let standings = bench.wait(bench.place.poll(&jobs)).unwrap();
    let others = standings.iter().enumerate().filter(|(n, _)| ![7, 8].contains(n));
    assert!(others.map(|(_, standing)| standing).all(|standing| *standing == Standing::Running), "{standings:?}");
    assert!(matches!(&standings[7], Standing::Over(Some(why)) if why.code == "cancelled"), "{:?}", standings[7]);
    assert_eq!(standings[8], Standing::Gone);
}

#[test]
fn jobs_that_are_listed_late_are_asked_for_by_name() {
    let bench = Bench::running("true");
    bench.standin.list_late(1000);
    let attempts: Vec<_> = (0..6).map(|n| attempt(&format!("task {n}"))).collect();
    let jobs: Vec<_> = attempts.iter().map(|attempt| bench.submit(attempt).unwrap()).collect();
    jobs.iter().for_each(|job| assert_eq!(bench.end(job), None));
    assert_eq!(bench.wait(bench.place.poll(&jobs)).unwrap(), vec![Standing::Over(None); 6]);
    assert!(attempts.iter().all(|attempt| bench.begun(attempt) == 1));
}
