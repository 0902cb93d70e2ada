//! `pipe run --trace`: a file in Google's Trace Event Format, held against what its own page says of it.

use crate::bench::Bench;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// One slot: `left` and `right` cannot run side by side. `both` waits for both, and `again` fails once.
const SPEC: &str = r#"
version = 1
name = "t"
[stages.left]
kind = "command"
shell = "sleep 0.3; echo l > $PIPE_OUTPUT/x"
outputs = ["x"]
[stages.right]
kind = "command"
shell = "sleep 0.2; echo r > $PIPE_OUTPUT/x"
outputs = ["x"]
[stages.both]
kind = "command"
shell = "cat $PIPE_INPUT_LEFT/x $PIPE_INPUT_RIGHT/x > $PIPE_OUTPUT/x; test -e @/mark || { touch @/mark; exit 1; }"
inputs = { left = { stage = "left" }, right = { stage = "right" } }
outputs = ["x"]
retry = { failed = 1, backoff = "200ms" }
"#;

fn traced(bench: &Bench) -> Vec<Json> {
    let said = bench.pipe(&["run", "spec.toml", "-j", "1", "--trace", "out.json"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let trace: Json = serde_json::from_str(&bench.read("out.json")).unwrap();
    trace["traceEvents"].as_array().unwrap().clone()
}

/// Begin and end of all whole spans of a category, by name, in microseconds.
fn spans(events: &[Json], category: &str) -> Vec<(String, u64, u64)> {
    let of = |event: &&Json| event["ph"] == "X" && event["cat"] == category;
    let span = |event: &Json| {
        let begin = event["ts"].as_u64().unwrap();
        (event["name"].as_str().unwrap().to_owned(), begin, begin + event["dur"].as_u64().unwrap())
    };
    events.iter().filter(of).map(span).collect()
}

#[test]
fn a_trace_shows_what_ran_and_what_waited_for_what() {
    let bench = Bench::with(SPEC);
    let events = traced(&bench);
    let attempts = spans(&events, "attempt");
    assert_eq!(attempts.iter().map(|(name, ..)| &**name).collect::<Vec<_>>(), ["left", "right", "both", "both"]);
    let (left, right) = (&attempts[0], &attempts[1]);
    assert!(left.2 - left.1 >= 300_000 && right.1 >= left.2, "one after the other: {attempts:?}");
    let room = spans(&events, "room");
    let waited = room.iter().find(|(name, ..)| name == "right waits for room").unwrap();
    assert!(waited.2 - waited.1 >= 300_000, "for the only slot: {room:?}");
    // What had its room at once waited for nobody, and of what waited it is told who had the room.
    assert_eq!(room.len(), 1, "{room:?}");
    let waited = events.iter().find(|event| event["cat"] == "room").unwrap();
    assert_eq!(waited["args"]["until the end of"], "left", "{waited}");
    let rest = spans(&events, "rest");
    assert!(rest.len() == 1 && rest[0].2 - rest[0].1 >= 100_000, "half of the backoff at least: {rest:?}");

    // An arrow leads from the end of the input that was there last to what waited for it.
    let arrow = |phase: &str| events.iter().find(|event| event["ph"] == phase && event["cat"] == "input").unwrap();
    assert_eq!(arrow("s")["id"], arrow("f")["id"]);
    assert_eq!(arrow("s")["ts"].as_u64().unwrap(), right.2);
    assert_eq!(arrow("f")["ts"].as_u64().unwrap(), attempts[2].1);
}

#[test]
fn no_two_spans_of_a_row_overlap() {
    let wide = "version = 1\nname = \"w\"\n[stages.a]\nkind = \"command\"\nmatrix.n = \"{{ range(12) }}\"\n\
                shell = \"sleep 0.0$(({{ n }} % 5)); echo > $PIPE_OUTPUT/x\"\noutputs = [\"x\"]\n";
    let bench = Bench::with(&wide.replace("{{ n }} %", "PIPE_CELL_N %"));
    bench.pipe(&["run", "spec.toml", "-j", "4", "--trace", "out.json"]);
    let trace: Json = serde_json::from_str(&bench.read("out.json")).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    assert_eq!(spans(events, "attempt").len(), 12);
    let mut rows: BTreeMap<(u64, u64), Vec<(u64, u64)>> = BTreeMap::new();
    for event in events.iter().filter(|event| event["ph"] == "X") {
        let of = |key: &str| event[key].as_u64().unwrap();
        rows.entry((of("pid"), of("tid"))).or_default().push((of("ts"), of("ts") + of("dur")));
    }
    for (row, mut spans) in rows {
        spans.sort_unstable();
        assert!(spans.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{row:?}: {spans:?}");
    }
}

#[test]
fn a_trace_that_cannot_be_written_is_told_before_anything_runs() {
    let bench = Bench::with(SPEC);
    let said = bench.pipe(&["run", "spec.toml", "--trace", "nowhere/out.json"]);
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(said.stderr.contains("nowhere/out.json") && !bench.path(".pipe").exists(), "{said:?}");
}

#[test]
fn spans_of_run_task_and_attempt_are_told_to_whoever_asks() {
    let bench = Bench::with(SPEC);
    let mut command = bench.command(&["run", "spec.toml"]);
    let said = bench.said(command.env("PIPE_LOG", "info"));
    let attempt = said.stderr.lines().find(|line| line.contains("attempt{") && line.contains("close")).unwrap();
    for part in ["run{run=", "task{task=", "attempt{attempt=", "number=1", "time.busy="] {
        assert!(attempt.contains(part), "{part}: {attempt}");
    }
}
