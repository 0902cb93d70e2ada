//! Very large plans: long chains on a stack that no recursion along them would fit, and many cells with one mistake.

use crate::bench::Bench;
use std::fmt::Write;

const LINKS: usize = 10_000;

/// Stages of which each needs the one before; the first needs `first`.
fn chain(first: &str) -> String {
    let mut spec =
        format!("version = 1\nname = \"chain\"\n[stages.s0]\nkind = \"command\"\nargv = [\"true\"]\n{first}");
    for i in 1..LINKS {
        let _ = write!(spec, "[stages.s{i}]\nkind = \"command\"\nargv = [\"true\"]\n");
        let _ = writeln!(spec, "inputs = {{ a = {{ stage = \"s{}\" }} }}", i - 1);
    }
    spec
}

#[test]
fn a_chain_of_ten_thousand_stages_is_checked_planned_and_drawn_on_a_small_stack() {
    let bench = Bench::with(&chain(""));
    let said = bench.on_a_small_stack(&["validate", "spec.toml"]);
    assert_eq!(said.stdout, "spec.toml: 10000 stages, 10000 tasks\n", "{}", said.stderr);
    let said = bench.on_a_small_stack(&["plan", "spec.toml"]);
    let told = "10000 tasks: 1 to run, 9999 that depend on what others give, 0 up to date\n";
    assert!(said.stdout.contains(told), "{}", said.stderr);
    let said = bench.on_a_small_stack(&["graph", "spec.toml", "--format", "mermaid"]);
    assert_eq!(said.stdout.lines().filter(|line| line.contains(" --> ")).count(), 9999, "{}", said.stderr);
}

#[test]
fn a_circle_of_ten_thousand_stages_is_told_on_a_small_stack() {
    let bench = Bench::with(&chain("inputs = { a = { stage = \"s9999\" } }\n"));
    let said = bench.on_a_small_stack(&["validate", "spec.toml"]);
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("error: 1 problem in spec.toml"), "{}", said.stderr);
}

#[test]
fn a_mistake_that_every_cell_makes_is_told_once() {
    let bench = Bench::with(
        "version = 1\nname = \"x\"\n[stages.a]\nkind = \"command\"\nmatrix.i = \"{{ range(50000) }}\"\n\
         argv = [\"true\"]\noutputs = [\"../{{ i }}\"]\n",
    );
    let said = bench.pipe(&["validate", "spec.toml"]);
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("`../0` leads out of the output folder, and at least 999 more like it"), "{said:?}");
    assert!(said.stderr.contains("error: 1 problem in spec.toml"), "{said:?}");
}
