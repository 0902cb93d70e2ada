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
