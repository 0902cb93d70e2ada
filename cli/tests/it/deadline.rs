//! A run that takes longer than it may: what it says, how it ends, and who goes on.

use crate::bench::{Bench, lives, wait_until};

/// One task that is quick, one that goes on until the file `go` is there, and one that would come after it.
const LATE: &str = r#"
version = 1
name = "late"
deadline = "700ms"

[hooks]
failure = { shell = 'echo "$PIPE_STATUS $PIPE_FAILED" > @/told' }

[stages.quick]
kind = "command"
shell = "echo 1 > $PIPE_OUTPUT/x"

[stages.slow]
kind = "command"
shell = "test -e @/go || { echo $$ > @/child; sleep 300; }; echo 1 > $PIPE_OUTPUT/x"

[stages.after]
kind = "command"
shell = "true"
inputs = { slow = { stage = "slow" } }
"#;

#[test]
fn a_run_that_reaches_its_deadline_ends_with_4_and_says_so_everywhere() {
    let bench = Bench::with(LATE);
    let said = bench.pipe(&["run", "spec.toml"]);
    assert_eq!(said.code, Some(4), "{said:?}");
    assert!(said.stderr.contains("stopping: the run's deadline is reached"), "{}", said.stderr);
    assert!(said.stderr.contains("stopped at its deadline in "), "{}", said.stderr);
    assert!(said.stderr.contains("1 ran, 2 stopped or not started"), "{}", said.stderr);
    assert!(said.stderr.contains("pipe resume"), "{}", said.stderr);
    let child = bench.read("child");
    wait_until("the end of the child", || !lives(&child));
    assert_eq!(bench.read("told"), "stopped 0");

    let runs = bench.pipe(&["runs", "spec.toml"]);
    assert!(runs.stdout.contains("stopped at its deadline"), "{}", runs.stdout);
    assert_eq!(bench.pipe(&["runs", "spec.toml", "--json"]).json()[0]["state"], "stopped");
    assert_eq!(bench.pipe(&["status", "spec.toml", "--watch"]).code, Some(4));

    bench.write("go", "now");
    let next = bench.pipe(&["resume", "spec.toml", "--json"]);
    assert_eq!((next.code, next.count("attempt_started")), (Some(0), 2), "{next:?}");
}

#[test]
fn a_deadline_outweighs_a_failure() {
    let bench = Bench::with(&LATE.replace("echo 1 > $PIPE_OUTPUT/x\"\n\n[stages.slow]", "exit 3\"\n\n[stages.slow]"));
    let said = bench.pipe(&["run", "spec.toml", "--json"]);
    assert_eq!(said.code, Some(4), "{said:?}");
    assert_eq!((said.count("task_failed"), said.count("limit_reached")), (1, 1));
}

#[test]
fn the_plan_says_how_often_which_failure_is_tried_again() {
    let rules = "classes = [{ exit = 75, class = \"transient\" }, { pattern = \"^HTTP 429\", class = \"throttled\" }, \
                 { exit = [1, 2], pattern = \"CUDA out of memory\", class = \"out-of-memory\" }]\nretry.transient = 3\n";
    let bench = Bench::with(&format!(
        "version = 1\nname = \"x\"\n[stages.train]\nkind = \"command\"\nargv = [\"true\"]\n{rules}"
    ));
    let plan = bench.pipe(&["plan", "spec.toml"]).stdout;
    let told = "retry  train: exit 75 is transient, 3 times; \"^HTTP 429\" is throttled, until time is over; \
                exit 1 or 2 and \"CUDA out of memory\" is out-of-memory, once";
    assert!(plan.contains(told), "{plan}");
    let document = bench.pipe(&["plan", "spec.toml", "--json"]).json();
    let rule = serde_json::json!({ "when": "exit 75", "class": "transient", "retries": 3 });
    assert_eq!(document["stages"][0]["classes"][0], rule);
}

#[test]
fn a_rule_that_cannot_hold_is_pointed_at() {
    let cases = [
        ("{ class = \"transient\" }", "it says nothing of when it holds", "spec.toml:6:12"),
        ("{ exit = 75, class = \"flaky\" }", "flaky", "spec.toml:6:33"),
        ("{ exit = 0, class = \"transient\" }", "", "spec.toml:6:"),
        ("{ pattern = \"HTTP (429\", class = \"transient\" }", "unclosed group", "spec.toml:6:24"),
    ];
    for (rule, message, place) in cases {
        let head = "version = 1\nname = \"x\"\n[stages.train]\nkind = \"command\"\nargv = [\"true\"]\n";
        let said = Bench::with(&format!("{head}classes = [{rule}]\n")).pipe(&["validate", "spec.toml"]);
        assert_eq!(said.code, Some(2), "{rule}: {said:?}");
        let told = format!("{}{}", said.stdout, said.stderr);
        assert!(told.contains(message) && told.contains(place), "{rule}: {told}");
    }
}
