//! What the service says no to -> what a person is told.

use super::bench::{Bench, attempt, is};
use super::ends::STAYS;
use pipe_engine::failure::Class;
use pipe_standin::Fault;
use serde_json::json;

#[test]
fn a_refusal_has_a_class_and_what_mends_it() {
    for (method, status, class, code, help) in [
        ("create", 400, Class::Failed, "refused", ""),
        ("create", 401, Class::Failed, "no_credentials", "gcloud auth application-default login"),
        ("create", 403, Class::Failed, "not_allowed", "roles/aiplatform.user"),
        ("create", 404, Class::Failed, "not_found", "gcloud ai custom-jobs list --project films"),
        ("create", 429, Class::Throttled, "too_much", ""),
        ("create", 503, Class::Transient, "no_answer", ""),
        ("list", 403, Class::Failed, "not_allowed", "roles/aiplatform.user"),
        ("list", 500, Class::Transient, "no_answer", ""),
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
    for method in ["list", "create", "cancel", "delete"] {
        let bench = Bench::running("true");
        let job = bench.submit(&attempt("one")).unwrap();
        bench.end(&job);
        let running = bench.other(&json!({ "image": "stays" }));
        bench.image("stays", STAYS);
        let other = bench.wait(running.submit(&attempt("other"))).unwrap();
        bench.standin.befalls(move |asked| is(asked, method).then_some(Fault::Refuse(503)));
        let before = bench.asked(method);
        let failed = match method {
            "create" => bench.submit(&attempt("new")).is_err(),
            "cancel" => bench.wait(bench.place.cancel(&other)).is_err(),
            "delete" => bench.wait(bench.place.forget(&job)).is_err(),
            _ => bench.wait(bench.place.poll(&[job])).is_err(),
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
    let kind = all.get("vertex").unwrap();
    let config = |endpoint: &str| json!({ "project": "p", "region": "r", "endpoint": endpoint });
    let problem = kind.check(&config("http://aiplatform.example.com")).unwrap_err();
    assert_eq!((problem.field.as_str(), problem.message.contains("loopback")), ("endpoint", true), "{problem:?}");
    assert!(kind.connect(&config("http://aiplatform.example.com"), "gs://b").is_err());
    for endpoint in ["https://aiplatform.example.com", "http://127.0.0.1:80", "http://localhost:80"] {
        assert!(kind.check(&config(endpoint)).is_ok(), "{endpoint}");
    }
}
