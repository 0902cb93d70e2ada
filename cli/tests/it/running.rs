//! Runs that end: what they make, what they keep, what they do again.

use crate::bench::{Bench, SUM};

#[test]
fn a_run_makes_what_the_spec_says_and_ends_with_0() {
    let bench = Bench::with(SUM);
    let said = bench.pipe(&["run", "spec.toml"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(bench.result("sum", "all"), "1\n2\n");
    assert_eq!(said.stdout, "", "a run has no data to print: what it says is talk");
    assert!(said.stderr.contains("sum     1 done"), "{}", said.stderr);
    assert!(said.stderr.contains("out/data/sum/sum/all@"), "{}", said.stderr);
}

#[test]
fn the_second_run_starts_no_task_and_says_so_in_one_line() {
    let bench = Bench::with(SUM);
    bench.run();
    let second = bench.pipe(&["run", "spec.toml"]);
    assert_eq!(second.code, Some(0));
    let lines: Vec<&str> = second.stderr.lines().collect();
    assert!(
        matches!(lines[..], [line] if line.starts_with("nothing to do: 3 of 3 tasks are up to date (")),
        "{lines:?}"
    );
    let journal = bench.pipe(&["status", "spec.toml", "--json"]).json();
    assert_eq!(journal["run"]["finished"]["cached"], 3);
    let tasks = journal["run"]["tasks"].as_object().unwrap();
    assert!(tasks.values().all(|task| task["attempts"].as_array().unwrap().is_empty()), "{tasks:?}");
}

#[test]
fn the_last_line_of_json_is_run_finished_with_counts() {
    let bench = Bench::with(SUM);
    let first = bench.run();
    assert_eq!(first.stderr, "");
    let events = first.events();
    assert_eq!(events[0]["type"], "run_started");
    let last = events.last().unwrap();
    assert_eq!(last["type"], "run_finished");
    let counts = ["succeeded", "cached", "failed", "skipped", "cancelled"].map(|name| last[name].as_u64().unwrap());
    assert_eq!(counts, [3, 0, 0, 0, 0]);
    let seqs: Vec<u64> = events.iter().filter_map(|event| event["seq"].as_u64()).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "durable events are numbered without gaps");
}

#[test]
fn renaming_a_stage_reruns_nothing() {
    let bench = Bench::with(SUM);
    bench.run();
    let renamed = SUM.replace("[stages.number]", "[stages.figure]").replace("\"number\" }", "\"figure\" }");
    bench.write("spec.toml", &renamed);
    let said = bench.run();
    assert_eq!((said.count("attempt_started"), said.events().last().unwrap()["cached"].as_u64()), (0, Some(3)));
}

#[test]
fn a_parameter_from_the_command_line_wins_and_only_what_it_touches_runs() {
    let bench = Bench::with(SUM);
    bench.run();
    let more = bench.pipe(&["run", "spec.toml", "--json", "-P", "numbers=[1, 2, 3]"]);
    assert_eq!(more.code, Some(0), "{more:?}");
    assert_eq!(more.count("attempt_started"), 2, "the third number and the sum");
    assert_eq!(more.events()[0]["params"]["numbers"], serde_json::json!([1, 2, 3]));
    let other = bench.pipe(&["run", "spec.toml", "--json", "-P", "extra=5"]);
    assert_eq!(other.count("attempt_started"), 3);
}

#[test]
fn a_failing_task_skips_what_follows_and_the_run_ends_with_1() {
    let bench = Bench::with(&SUM.replace("echo number {{ n }};", "test {{ n }} != 2 || { echo no twos; exit 7; };"));
    let said = bench.pipe(&["run", "spec.toml", "--json"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    let events = said.events();
    let failed = events.iter().find(|event| event["type"] == "task_failed").unwrap();
    assert_eq!((failed["task"].as_str(), failed["failure"]["code"].as_str()), (Some("number[n=2]"), Some("exit_7")));
    let skipped = events.iter().find(|event| event["type"] == "task_skipped").unwrap();
    assert_eq!((skipped["task"].as_str(), skipped["because"].as_str()), (Some("sum"), Some("number[n=2]")));
    let talk = bench.pipe(&["run", "spec.toml"]).stderr;
    assert!(
        talk.contains("error: number[n=2]: ended with exit code 7\n  said: no twos\n  log:  .pipe/attempts/"),
        "{talk}"
    );
    let log = bench.pipe(&["logs", "spec.toml", "number[n=2]"]);
    assert_eq!((log.code, log.stdout.as_str()), (Some(0), "no twos\n"));
}

#[test]
fn a_task_is_tried_again_as_often_as_its_budget_says() {
    let spec = r#"
version = 1
name = "flaky"
[stages.flaky]
kind = "command"
argv = ["sh", "-c", "echo x >> @/tries; test $(wc -l < @/tries) -ge 3 && echo done > $PIPE_OUTPUT/x"]
outputs = ["x"]
retry = { failed = 2, backoff = "10ms" }
"#;
    let bench = Bench::with(spec);
    let said = bench.run();
    assert_eq!((said.count("attempt_started"), said.count("retry_planned")), (3, 2));
    let short = Bench::with(&spec.replace("failed = 2", "failed = 1"));
    let said = short.pipe(&["run", "spec.toml", "--json"]);
    assert_eq!((said.code, said.count("attempt_started")), (Some(1), 2));
}

#[test]
fn a_task_may_run_pipe_without_waiting_for_the_run_it_is_part_of() {
    let inner = SUM.replace("name = \"sum\"", "name = \"inner\"");
    let outer = format!(
        "version = 1\nname = \"outer\"\n[stages.nested]\nkind = \"command\"\nargv = [\"sh\", \"-c\", \"{} run @/inner/spec.toml && echo ok > $PIPE_OUTPUT/x\"]\noutputs = [\"x\"]\n",
        env!("CARGO_BIN_EXE_pipe")
    );
    let bench = Bench::with(&outer);
    std::fs::create_dir(bench.path("inner")).unwrap();
    bench.write("inner/spec.toml", &inner);
    bench.run();
}

#[test]
fn two_specs_in_one_folder_have_runs_of_their_own() {
    let bench = Bench::with(SUM);
    bench.write("other.toml", &SUM.replace("name = \"sum\"", "name = \"other\"").replace("[1, 2]", "[8, 9]"));
    bench.run();
    let other = bench.pipe(&["plan", "other.toml", "--json"]).json();
    assert_eq!(other["tasks"][0]["reason"], "not run before");
    assert_eq!(bench.pipe(&["run", "other.toml"]).code, Some(0));
    let status = bench.pipe(&["status", "spec.toml", "--json"]).json();
    assert_eq!(status["run"]["pipeline"], "sum");
}
