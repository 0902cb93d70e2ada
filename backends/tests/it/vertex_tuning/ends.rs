//! How a tuning ends, and what is told of it.

use super::bench::{Bench, attempt, example, request};
use pipe_engine::backend::Standing;
use pipe_engine::failure::Class;
use serde_json::json;

#[test]
fn a_tuning_that_is_done_tells_of_its_model_its_examples_and_what_it_cost_at_most() {
    let long = example(&"x".repeat(4 * 131_072));
    let prices = json!({ "prices": { "gemini-2.5-flash": 1_000_000 } });
    let bench = Bench::with(&[example("one"), long, example("two")], &prices);
    let attempt = attempt("done");
    let job = bench.ask(&attempt, &request(&json!({}))).unwrap();
    assert_eq!(bench.end(&job), None);
    let told = bench.answer(&job).unwrap();
    assert_eq!((&told["job"], &told["base_model"]), (&json!(job.0), &json!("gemini-2.5-flash")));
    assert!(
        told["model"].as_str().unwrap().ends_with("@1") && told["endpoint"].as_str().unwrap().contains("/endpoints/")
    );
    assert_eq!(told["checkpoints"].as_array().unwrap().len(), 2, "one for each epoch");
    let examples = &told["examples"];
    assert_eq!((&examples["given"], &examples["dropped"]), (&json!(3), &json!(1)));
    assert_eq!(examples["reasons"][0]["line"], 2);
    assert!(examples["reasons"][0]["why"].as_str().unwrap().contains("131072"), "{examples}");
    // The stand-in counts 10 tokens, and 2 epochs were asked for, at a dollar a token.
    assert_eq!((&examples["billable_tokens"], &told["cost"]), (&json!(10), &json!(20.0)));
    assert_eq!(told["second_jobs"], json!([]));
}

#[test]
fn a_tuning_that_fails_says_why_in_the_words_of_vertex_ai() {
    let bench = Bench::with(&["{".to_owned()], &json!({}));
    let job = bench.ask(&attempt("bad"), &request(&json!({}))).unwrap();
    let failure = bench.end(&job).unwrap();
    assert_eq!((failure.class, failure.code.as_str()), (Class::Failed, "tuning_failed"));
    assert!(failure.source.as_deref().unwrap().contains("Line 1 of the dataset is no JSON"), "{failure:?}");
    assert_eq!(failure.on.as_deref(), Some(job.0.as_str()));
    let job = bench.ask(&attempt("none"), &request(&json!({ "training": "gs://films/none.jsonl" }))).unwrap();
    assert_eq!(bench.end(&job).unwrap().code, "not_found");
}

#[test]
fn a_tuning_can_be_cancelled_and_one_that_is_over_is_left_as_it_is() {
    let bench = Bench::new();
    bench.standin.quota(false);
    let cancelled = attempt("cancelled");
    let job = bench.ask(&cancelled, &request(&json!({}))).unwrap();
    assert_eq!(bench.standing(&job), Standing::Waiting);
    bench.wait(bench.place.cancel(&job)).unwrap();
    assert_eq!(bench.end(&job).unwrap().code, "cancelled");
    bench.standin.quota(true);
    let job = bench.ask(&attempt("done"), &request(&json!({}))).unwrap();
    assert_eq!(bench.end(&job), None);
    bench.wait(bench.place.cancel(&job)).unwrap();
    bench.wait(bench.place.forget(&job)).unwrap();
    assert_eq!((bench.end(&job), bench.asked("cancel")), (None, 1));
}

#[test]
fn what_vertex_ai_does_not_take_is_told_in_its_words() {
    let bench = Bench::new();
    let failure = bench.ask(&attempt("other"), &request(&json!({ "base": "bison" }))).unwrap_err();
    assert_eq!((failure.class, failure.code.as_str()), (Class::Failed, "refused"));
    assert!(failure.source.as_deref().unwrap().contains("bison"), "{failure:?}");
    let from = json!({ "base": null, "from": { "model": "projects/1/locations/us-central1/models/7" } });
    let failure = bench.ask(&attempt("gone"), &request(&from)).unwrap_err();
    assert_eq!(failure.code, "not_found");
}
