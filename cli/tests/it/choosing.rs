//! What a run is asked for: parts of a spec, and results that are to be made anew.

use crate::bench::{Bench, SUM, Said};

/// Each task adds a line to `ran` when it runs. `games` makes rows; `clip` is spread over them.
const GAMES: &str = r#"
version = 1
name = "games"

[stages.games]
kind = "command"
argv = ["sh", "-c", "echo games >> @/ran; echo '[{\"id\": \"g1\"}, {\"id\": \"g2\"}]' > $PIPE_OUTPUT/rows.json"]
outputs = ["rows.json"]

[stages.clip]
kind = "command"
foreach = { stage = "games", key = "id" }
argv = ["sh", "-c", "echo clip-$0 >> @/ran; echo $0 > $PIPE_OUTPUT/clip", "{{ row.id }}"]
outputs = ["clip"]

[stages.set]
kind = "command"
inputs = { clips = { stage = "clip" } }
argv = ["sh", "-c", "echo set >> @/ran; cat $PIPE_INPUT_CLIPS/*/clip > $PIPE_OUTPUT/all"]
outputs = ["all"]

[stages.other]
kind = "command"
argv = ["sh", "-c", "echo other >> @/ran; echo > $PIPE_OUTPUT/x"]
outputs = ["x"]
"#;

/// What ran since the last look, sorted.
fn ran(bench: &Bench) -> Vec<String> {
    let path = bench.path("ran");
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let _ = std::fs::remove_file(path);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn run(bench: &Bench, asked: &[&str]) -> Said {
    bench.pipe(&[&["run", "spec.toml"], asked].concat())
}

#[test]
fn until_makes_what_is_named_and_what_it_needs() {
    let bench = Bench::with(GAMES);
    assert_eq!(run(&bench, &["--until", "clip"]).code, Some(0));
    assert_eq!(ran(&bench), ["clip-g1", "clip-g2", "games"]);
    let plan = bench.pipe(&["plan", "spec.toml", "--until", "set"]).stdout;
    assert!(plan.contains("4 tasks: 1 to run, 3 up to date") && !plan.contains("other"), "{plan}");
    assert_eq!(run(&bench, &["--until", "set"]).code, Some(0));
    assert_eq!(ran(&bench), ["set"]);
}

#[test]
fn only_takes_what_comes_before_from_the_store_and_says_when_it_is_not_there() {
    let bench = Bench::with(GAMES);
    let without = run(&bench, &["--only", "set"]);
    assert_eq!(without.code, Some(1), "{without:?}");
    assert!(
        without.stderr.contains("its result is needed and not in the store, and it is not asked for"),
        "{without:?}"
    );
    assert!(without.stderr.contains("`--until` makes all that a stage needs"), "{without:?}");
    assert_eq!(ran(&bench), [] as [&str; 0]);
    run(&bench, &[]);
    ran(&bench);
    bench.write(
        "spec.toml",
        &bench.read("spec.toml").replace("echo set", "echo set again").replace("echo other", "echo x"),
    );
    let done = run(&bench, &["--only", "set"]);
    assert_eq!((done.code, ran(&bench)), (Some(0), vec!["set again".to_owned()]), "{done:?}");
    assert!(done.stderr.contains("1 ran, 3 up to date"), "{done:?}");
}

#[test]
fn from_makes_what_follows_too() {
    let bench = Bench::with(GAMES);
    run(&bench, &[]);
    ran(&bench);
    assert_eq!(run(&bench, &["--from", "clip[id=g2]", "--force"]).code, Some(0));
    assert_eq!(ran(&bench), ["clip-g2", "set"]);
    // Of rows that are not known yet, too.
    let fresh = Bench::with(GAMES);
    assert_eq!(run(&fresh, &["--from", "games"]).code, Some(0));
    assert_eq!(ran(&fresh), ["clip-g1", "clip-g2", "games", "set"]);
    assert_eq!(run(&fresh, &["--from", "games", "--until", "clip", "--force"]).code, Some(0));
    assert_eq!(ran(&fresh), ["clip-g1", "clip-g2", "games"]);
}

#[test]
fn force_makes_results_anew_and_what_follows_only_when_they_differ() {
    let bench = Bench::with(&SUM.replace("echo number {{ n }};", "echo {{ n }} >> @/ran;"));
    run(&bench, &[]);
    assert_eq!(ran(&bench), ["1", "2"]);
    let forced = run(&bench, &["--force", "--only", "number[n=2]", "--json"]);
    assert_eq!(forced.count("task_succeeded"), 1);
    let started = forced.events().into_iter().find(|event| event["type"] == "attempt_started").unwrap();
    assert_eq!(started["reason"], "asked for by --force");
    assert_eq!(ran(&bench), ["2"]);
    // The same bytes came of it: nothing that follows has anything to do.
    assert_eq!(run(&bench, &["--json"]).count("attempt_started"), 0);
    assert_eq!(bench.pipe(&["plan", "spec.toml", "--force"]).stdout.matches("asked for by --force").count(), 1);
}

#[test]
fn a_forced_result_of_other_bytes_takes_the_place_of_the_one_there_was() {
    let clock = SUM.replace("echo number {{ n }};", "date +%N > $PIPE_OUTPUT/number; exit 0;");
    let bench = Bench::with(&clock);
    run(&bench, &[]);
    let forced = run(&bench, &["--force", "--only", "number[n=1]"]);
    assert_eq!(forced.code, Some(0), "{forced:?}");
    // It was made of other bytes, so what needs it is made anew.
    assert_eq!(run(&bench, &["--json"]).count("attempt_started"), 1);
    assert_eq!(run(&bench, &["--json"]).count("attempt_started"), 0);
}

#[test]
fn what_names_no_task_is_refused_before_anything_runs() {
    let bench = Bench::with(GAMES);
    for (asked, help) in [("--only", "did you mean `clip`?"), ("--from", "clip"), ("--until", "clip")] {
        let refused = run(&bench, &[asked, "clp"]);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.stderr.contains("no task of spec.toml is named `clp`"), "{refused:?}");
        assert!(refused.stderr.contains(help), "{refused:?}");
    }
    assert_eq!(ran(&bench), [] as [&str; 0]);
}

#[test]
fn a_run_that_fails_fast_finishes_what_runs_and_starts_no_more() {
    let spec = SUM.replace("echo number {{ n }};", "test {{ n }} != 1 || exit 3; sleep 1; echo {{ n }} >> @/ran;");
    let bench = Bench::with(&spec.replace("numbers = [1, 2]", "numbers = [1, 2, 3, 4, 5, 6]"));
    let failed = run(&bench, &["--fail-fast", "--cpu", "2", "--json"]);
    assert_eq!(failed.code, Some(1));
    // Which two of those that are ready begin is not promised, so the failing one may be in the second pair; and the other
    // of its pair, sent off with it, may tell of its start after the failure is told.
    let after: Vec<_> = failed.events().into_iter().skip_while(|event| event["type"] != "task_failed").collect();
    let begun = after.iter().filter(|event| event["type"] == "attempt_started").count();
    assert!(!after.is_empty() && begun <= 1, "{after:?}");
    let end = after.last().unwrap();
    let made = ran(&bench).len();
    assert_eq!((&end["failed"], &end["succeeded"]), (&1.into(), &made.into()), "{end}");
    assert_eq!(end["cancelled"], 5 - made);
    assert!(made < 5, "{end}");
    let told = run(&bench, &["--cpu", "2"]);
    assert_eq!(told.code, Some(1));
    assert_eq!(ran(&bench).len(), 5 - made, "without it the others are made");
}
