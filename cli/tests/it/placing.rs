//! Where `backend = "auto"` puts a stage moves with what earlier runs tell, and not under a run that has begun.

use crate::bench::{Bench, Said};
use crate::service::{Kind, Service};
use serde_json::{Value as Json, json};

/// Two tasks that each want the whole machine. They may take an hour each, so half an hour is the guess: an hour here, half an hour
/// where each has a machine of its own.
const SPEC: &str = r#"
version = 1
name = "place"
[backends.there]
kind = "detached"
folder = "@/jobs"
startup = "1s"
[stages.a]
kind = "command"
matrix.i = ["one", "two"]
argv = ["sh", "-c", "test $0 = one || test -e @/good || exit 7; echo $0 > $PIPE_OUTPUT/n", "{{ i }}"]
outputs = ["n"]
backend = "auto"
resources = { cpu = ALL }
deadline = "40m"
timeout = "1h"
"#;

/// A folder with the spec, and the service that its store is in.
struct Far {
    bench: Bench,
    service: Service,
}

impl Far {
    fn new() -> Self {
        let cpus = std::thread::available_parallelism().unwrap();
        let kind = Kind::S3;
        let store = format!("[store]\nroot = \"{}\"\n", kind.root());
        let bench = Bench::with(&format!("{}{store}", SPEC.replace("ALL", &cpus.to_string())));
        let service = Service::of(kind, &bench.path("buckets"));
        Self { bench, service }
    }

    fn pipe(&self, arguments: &[&str]) -> Said {
        let mut command = self.bench.command(arguments);
        self.service.tell(&mut command);
        command.env("PIPE_DETACHED", "1").env("PIPE_SCRATCH", self.bench.path("scratch"));
        self.bench.said(&mut command)
    }
}

/// Where the plan puts the stage, and why.
fn planned(far: &Far) -> Json {
    let stage = far.pipe(&["plan", "spec.toml", "--json"]).json()["stages"][0].clone();
    json!([stage["place"], stage["choice"]["basis"], stage["choice"]["reason"]])
}

/// Where attempts began.
fn places(said: &Said) -> Vec<Json> {
    let begun = said.events().into_iter().filter(|event| event["type"] == "attempt_started");
    begun.map(|event| event["backend"].clone()).collect()
}

#[test]
fn a_choice_moves_with_what_earlier_runs_took_and_a_run_chooses_as_the_plan_says() {
    let far = Far::new();
    far.bench.write("good", "");
    let in_time = "the cheapest that is done by its deadline of 40m";
    assert_eq!(planned(&far), json!(["there", "guess", in_time]));
    let first = far.pipe(&["run", "spec.toml", "--json"]);
    assert_eq!((first.code, places(&first)), (Some(0), vec![json!("there"); 2]), "{first:?}");
    // They take no time at all, so one after the other is in time here too.
    assert_eq!(planned(&far), json!(["local", "history", in_time]));
    let second = far.pipe(&["run", "spec.toml", "--json", "--force"]);
    assert_eq!((second.code, places(&second)), (Some(0), vec![json!("local"); 2]), "{second:?}");
    let told = far.pipe(&["plan", "spec.toml", "--force"]).stdout;
    assert!(told.contains("there: free); one task takes ") && told.contains(", median of 2\n"), "{told}");
}

#[test]
fn a_choice_does_not_move_under_a_run_that_is_gone_on_with() {
    let far = Far::new();
    let first = far.pipe(&["run", "spec.toml", "--json"]);
    assert_eq!((first.code, places(&first)), (Some(1), vec![json!("there"); 2]), "{first:?}");
    // One of the two has told how long it takes, and would have the other run here.
    assert_eq!(planned(&far), json!(["there", "history", "a run has begun it there and not come to its end"]));
    far.bench.write("good", "");
    let second = far.pipe(&["resume", "spec.toml", "--json"]);
    assert_eq!((second.code, places(&second)), (Some(0), vec![json!("there")]), "{second:?}");
    assert_eq!(planned(&far)[0], "local", "it has come to its end");
}
