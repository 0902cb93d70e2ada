//! Stages with a task for each row of another, stages that follow failures, and stages nobody wants: what is said of them.

use crate::bench::Bench;
use crate::git::{commit, git};
use serde_json::json;

/// A program that lists games, a clip of each, and all clips together.
const GAMES: &str = r#"
version = 1
name = "sum"

[params]
clips = true

[stages.games]
kind = "command"
shell = "cp games.json $PIPE_OUTPUT/rows.json"
files = ["games.json"]

[stages.clips]
kind = "command"
foreach = { stage = "games", key = "id" }
when = "{{ params.clips }}"
shell = "echo clip of $PIPE_CELL_ID, $TITLE > $PIPE_OUTPUT/clip"
env = { TITLE = "{{ row.title }}" }
outputs = ["clip"]

[stages.all]
kind = "command"
shell = "cat $PIPE_INPUT_CLIPS/*/clip > $PIPE_OUTPUT/all"
inputs = { clips = { stage = "clips" } }
outputs = ["all"]

[stages.alarm]
kind = "command"
on_failure = true
shell = "echo alarm > $PIPE_OUTPUT/alarm"
inputs = { all = { stage = "all" } }
"#;

fn games() -> Bench {
    let bench = Bench::with(GAMES);
    bench.write("games.json", r#"[{ "id": "g1", "title": "Final" }, { "id": "g2", "title": "Cup" }]"#);
    bench
}

#[test]
fn a_row_becomes_a_task_and_a_second_run_has_nothing_to_do() {
    let bench = games();
    let before = bench.pipe(&["plan", "spec.toml", "--json"]).json();
    assert_eq!((before["tasks"].as_array().unwrap().len(), &before["stages"][1]["waits_for"]), (1, &json!("games")));
    let said = bench.run();
    assert_eq!(bench.result("all", "all"), "clip of g1, Final\nclip of g2, Cup\n");
    let last = said.events().last().unwrap().clone();
    assert_eq!((last["succeeded"].as_u64(), last["skipped"].as_u64()), (Some(4), Some(1)));
    let talk = bench.pipe(&["run", "spec.toml"]);
    assert_eq!(talk.code, Some(0));
    assert!(talk.stderr.starts_with("nothing to do: 4 of 5 tasks are up to date, 1 skipped ("), "{talk:?}");
    let after = bench.pipe(&["plan", "spec.toml", "--json"]).json();
    let states: Vec<_> = after["tasks"].as_array().unwrap().iter().map(|task| task["state"].clone()).collect();
    assert_eq!(states, ["hit", "hit", "hit", "hit", "skip"], "{after}");
    let clip = bench.pipe(&["explain", "spec.toml", "clips[id=g2]"]);
    assert!(clip.stdout.starts_with("clips[id=g2]: up to date\n"), "{clip:?}");
}

#[test]
fn one_row_that_changed_reruns_its_task_and_what_gathers_it() {
    let bench = games();
    bench.run();
    bench.write("games.json", r#"[{ "id": "g1", "title": "Final" }, { "id": "g2", "title": "League" }]"#);
    let events = bench.run().events();
    let started = events.iter().filter(|event| event["type"] == "attempt_started");
    assert_eq!(started.map(|event| event["task"].clone()).collect::<Vec<_>>(), ["games", "clips[id=g2]", "all"]);
}

#[test]
fn rows_without_the_column_end_the_run_with_1_and_the_place_that_names_it() {
    let bench = games();
    bench.write("games.json", r#"[{ "name": "g1" }]"#);
    let said = bench.pipe(&["run", "spec.toml"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        said.stderr.contains("error: clips: a row of `games` has no `id`\n  on:   spec.toml:15:"),
        "{}",
        said.stderr
    );
    assert!(said.stderr.contains("alarm  1 done"), "{}", said.stderr);
    let plan = bench.pipe(&["plan", "spec.toml"]);
    assert!(plan.stderr.contains("warning: a stage cannot be spread over the rows there are: "), "{plan:?}");
}

#[test]
fn what_nobody_wants_is_told_as_such_and_the_run_ends_well() {
    let bench = games();
    let said = bench.pipe(&["run", "spec.toml", "-P", "clips=false"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stderr.contains("clips  2 skipped  `when` is false"), "{}", said.stderr);
    let status = bench.pipe(&["status", "spec.toml", "-P", "clips=false"]).stdout;
    assert!(status.contains("2 skipped (`when` is false)"), "{status}");
    assert!(status.contains("1 skipped (nothing has failed)"), "{status}");
    let plan = bench.pipe(&["plan", "spec.toml", "-P", "clips=false"]).stdout;
    assert!(plan.contains("skipped: `when` is false"), "{plan}");
}

#[test]
fn two_revisions_are_compared_row_by_row_where_the_rows_are_known() {
    let bench = games();
    commit(&bench, "one");
    git(&bench, &["tag", "v1"]);
    bench.run();
    let rows =
        r#"[{ "id": "g1", "title": "Final" }, { "id": "g2", "title": "League" }, { "id": "g3", "title": "New" }]"#;
    bench.write("games.json", rows);
    commit(&bench, "two");
    git(&bench, &["tag", "v2"]);
    let before = bench.pipe(&["diff", "v1..v2", "spec.toml"]);
    assert_eq!((before.code, before.stderr.as_str()), (Some(0), ""), "{}", before.stdout);
    for part in [
        "\nchanged\n  games  `files[0]` has other bytes\n",
        "\nnot known before the rows are\n  clips  waits for the rows of games\n  all    waits for the rows of games\n",
        "\ntasks: 1 changed, 0 the same\n1 task would run, 0 up to date; not known yet: the tasks of `clips`, ",
    ] {
        assert!(before.stdout.contains(part), "{part}: {}", before.stdout);
    }
    bench.run();
    let after = bench.pipe(&["diff", "v1..v2", "spec.toml"]).stdout;
    let expected = "\nchanged\n\
                    \x20 games         `files[0]` has other bytes\n\
                    \x20 clips[id=g2]  `env.TITLE` Cup -> League\n\
                    \x20 all           `clips` gives one more result\n\
                    \nfollow, because what they need may change\n  alarm\n\
                    \nadded\n  clips[id=g3]\n\
                    \ntasks: 4 changed, 1 added, 1 the same\nnothing would run: every result is there\n";
    assert!(after.ends_with(expected), "{after}");
}
