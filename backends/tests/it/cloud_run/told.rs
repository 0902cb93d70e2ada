//! What the service says no to -> what a person is told.

use super::bench::{Bench, attempt, is};
use super::ends::STAYS;
use pipe_engine::failure::Class;
use pipe_standin::Fault;
use serde_json::json;

#[test]
fn a_refusal_has_a_class_and_what_mends_it() {
    for (method, status, class, code, help) in [
        ("jobs.create", 400, Class::Failed, "refused", ""),
        ("jobs.create", 401, Class::Failed, "no_credentials", "gcloud auth application-default login"),
        ("jobs.create", 403, Class::Failed, "not_allowed", "roles/run.developer"),
        ("jobs.create", 404, Class::Failed, "not_found", "`project` and `region`"),
        ("jobs.create", 429, Class::Throttled, "too_much", ""),
        ("jobs.create", 503, Class::Transient, "no_answer", ""),
        ("jobs.run", 403, Class::Failed, "not_allowed", "roles/run.developer"),
        ("jobs.run", 429, Class::Throttled, "too_much", ""),
        ("jobs.run", 409, Class::Transient, "busy", ""),
        ("jobs.get", 500, Class::Transient, "no_answer", ""),
    ] {
        let bench = Bench::running(STAYS);
        bench.standin.befalls(move |asked| is(asked, method).then_some(Fault::Refuse(status)));
        let failure = bench.submit(&attempt("refused")).unwrap_err();
        assert_eq!((failure.class, failure.code.as_str()), (class, code), "{method} {status}: {failure:?}");
        assert!(failure.help.clone().unwrap_or_default().contains(help), "{method} {status}: {failure:?}");
        assert!(failure.to_string().contains("projects/films/locations/us-central1"), "{failure}");
        assert_eq!(bench.begun(&attempt("refused")), 0);
    }
}

#[test]
fn each_call_is_made_once() {
    for method in ["jobs.get", "jobs.list", "jobs.create"] {
        let bench = Bench::running(STAYS);
        let jobs: Vec<_> = (0..5).map(|n| bench.submit(&attempt(&format!("{n}"))).unwrap()).collect();
        bench.standin.befalls(move |asked| is(asked, method).then_some(Fault::Refuse(503)));
        let before = bench.asked(method);
        let failed = match method {
            "jobs.create" => bench.submit(&attempt("new")).is_err(),
            "jobs.get" => bench.wait(bench.place.poll(&jobs[..1])).is_err(),
            _ => bench.wait(bench.place.poll(&jobs)).is_err(),
        };
        assert!(failed && bench.asked(method) == before + 1, "{method}: {}", bench.asked(method) - before);
    }
}

#[test]
fn whoever_is_on_loopback_is_shown_no_credentials() {
    let bench = Bench::running(STAYS);
    bench.standin.need_tokens();
    let failure = bench.submit(&attempt("anonymous")).unwrap_err();
    assert_eq!(failure.code, "no_credentials", "{failure:?}");
}

#[test]
fn an_endpoint_elsewhere_is_asked_over_tls_or_not_at_all() {
    let all = pipe_backends::all();
    let kind = all.get("cloud-run").unwrap();
    let config = |endpoint: &str| json!({ "project": "p", "region": "r", "endpoint": endpoint });
    let problem = kind.check(&config("http://run.example.com")).unwrap_err();
    assert_eq!((problem.field.as_str(), problem.message.contains("loopback")), ("endpoint", true), "{problem:?}");
    assert!(kind.connect(&config("http://run.example.com"), "gs://b").is_err());
    for endpoint in ["https://run.example.com", "http://127.0.0.1:80", "http://localhost:80"] {
        assert!(kind.check(&config(endpoint)).is_ok(), "{endpoint}");
    }
}

#[test]
fn at_most_five_hundred_run_at_once_unless_the_spec_says_otherwise() {
    let all = pipe_backends::all();
    let kind = all.get("cloud-run").unwrap();
    let parallel = |config| kind.capability(&config).parallel;
    assert_eq!(parallel(json!({ "project": "p", "region": "r" })), Some(500));
    assert_eq!(parallel(json!({ "project": "p", "region": "r", "at_once": 20 })), Some(20));
}
