//! What cannot be done: each with its exit code, and words that lead on.

use crate::bench::{Bench, SUM};

#[test]
fn a_command_line_that_is_wrong_ends_with_2() {
    let bench = Bench::with(SUM);
    let nothing = bench.pipe(&[]);
    assert_eq!((nothing.code, nothing.stdout.as_str()), (Some(2), ""));
    assert!(nothing.stderr.contains("Usage: pipe"), "{}", nothing.stderr);
    for wrong in
        [&["rum", "spec.toml"][..], &["run"], &["run", "spec.toml", "-P", "x"], &["run", "spec.toml", "--cpu", "0"]]
    {
        assert_eq!(bench.pipe(wrong).code, Some(2), "{wrong:?}");
    }
}

#[test]
fn all_problems_of_a_spec_are_told_at_once_and_end_with_2() {
    let bench = Bench::with(
        &SUM.replace("kind = \"command\"\nmatrix", "kind = \"comand\"\nmatrix")
            .replace("outputs = [\"all\"]", "output = [\"all\"]"),
    );
    for verb in ["run", "plan", "validate"] {
        let said = bench.pipe(&[verb, "spec.toml"]);
        assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""), "{verb}");
        for part in
            ["did you mean `command`?", "did you mean `outputs`?", "spec.toml:", "error: 2 problems in spec.toml"]
        {
            assert!(said.stderr.contains(part), "{verb} does not say {part}:\n{}", said.stderr);
        }
    }
    let document = bench.pipe(&["validate", "spec.toml", "--json"]);
    assert_eq!(document.code, Some(2));
    assert_eq!(document.json()["problems"].as_array().unwrap().len(), 2);
    assert!(!bench.path(".pipe").exists(), "a run that is refused leaves nothing behind");
}

#[test]
fn a_mean_of_frames_that_is_no_number_is_told_where_it_stands() {
    let spec =
        "version = 1\nname = \"x\"\n[stages.frames]\nkind = \"preprocess\"\nclips = \"clips\"\nsize = [32, 18]\n";
    for (setting, place, what) in [
        ("mean = [0.5, nan, 0.5]\n", "spec.toml:7:14", "`nan`"),
        ("std = [0.5, 0.5, -inf]\n", "spec.toml:7:18", "`-inf`"),
    ] {
        let said = Bench::with(&format!("{spec}{setting}")).pipe(&["validate", "spec.toml"]);
        assert_eq!(said.code, Some(2), "{said:?}");
        let told = format!("{what} is not a number a spec can hold");
        assert!(said.stderr.contains(&told) && said.stderr.contains(place), "{}", said.stderr);
    }
}

#[test]
fn a_spec_that_is_not_there_is_told_with_those_that_are() {
    let bench = Bench::with(SUM);
    let near = bench.pipe(&["run", "spce.toml"]);
    assert_eq!(near.code, Some(2));
    assert_eq!(near.stderr, "error: cannot read spce.toml: there is no such file\nhelp: did you mean `spec.toml`?\n");
    let far = bench.pipe(&["plan", "pipeline.yaml"]);
    assert!(far.stderr.ends_with("help: specs near here: `spec.toml`\n"), "{}", far.stderr);
}

#[test]
fn a_store_or_state_that_cannot_be_written_ends_with_3() {
    let bench = Bench::with(&SUM.replace("[params]", "[store]\nroot = \"plain-file/out\"\n[params]"));
    bench.write("plain-file", "x");
    let said = bench.pipe(&["run", "spec.toml"]);
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(said.stderr.contains("plain-file/out") && said.stderr.contains("help: "), "{}", said.stderr);
    let state = Bench::with(SUM);
    state.write("plain-file", "x");
    let said = state.pipe(&["run", "spec.toml", "--state", "plain-file/state"]);
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(said.stderr.contains("plain-file/state"), "{}", said.stderr);
}

#[test]
fn a_task_that_is_not_there_is_told_with_those_that_are() {
    let bench = Bench::with(SUM);
    let near = bench.pipe(&["logs", "spec.toml", "numbr"]);
    assert_eq!(near.code, Some(2));
    assert!(near.stderr.contains("did you mean `number`?"), "{}", near.stderr);
    let cell = bench.pipe(&["explain", "spec.toml", "number[n=9]"]);
    assert!(cell.stderr.contains("`number[n=1]`, `number[n=2]`"), "{}", cell.stderr);
    let never = bench.pipe(&["logs", "spec.toml", "sum"]);
    assert!(never.code == Some(2) && never.stderr.contains("it has not run here"), "{}", never.stderr);
    let status = bench.pipe(&["status", "spec.toml"]);
    assert!(status.code == Some(2) && status.stderr.contains("spec.toml was never run"), "{}", status.stderr);
}

#[test]
fn an_unknown_parameter_names_the_one_that_was_meant() {
    let said = Bench::with(SUM).pipe(&["plan", "spec.toml", "-P", "exta=1"]);
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("did you mean `extra`?"), "{}", said.stderr);
}
