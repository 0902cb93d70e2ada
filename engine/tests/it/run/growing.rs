//! Stages that have a task for each row another stage makes.

use super::project::{Project, Ran};
use pipe_engine::event::{Body, RunEvent};
use pipe_engine::report::RunView;
use pipe_engine::scheduler::Stop;

/// Games, a clip of each, and all clips in one file.
const GAMES: &str = r#"
[stages.games]
kind = "script"
script = "cat games.json > $PIPE_OUTPUT/rows.json"
files = ["games.json"]
[stages.clips]
kind = "script"
foreach = { stage = "games", key = "id" }
script = "echo {{ id }} {{ row.title }} > $PIPE_OUTPUT/a"
[stages.all]
kind = "script"
from = ["clips"]
script = "cat $PIPE_INPUT_FROM_0_/*/a > $PIPE_OUTPUT/all || test -d $PIPE_INPUT_FROM_0_"
"#;

const TWO: &str = r#"[{ "id": "g1", "title": "Final" }, { "id": "g2", "title": "Cup" }]"#;

fn games(rows: &str) -> Project {
    let project = Project::new();
    project.write("spec/games.json", rows);
    project
}

/// The stages that got tasks, and how many.
fn expanded(ran: &Ran) -> Vec<(String, u64)> {
    let events = ran.events.iter().filter_map(|event| match &event.body {
        Body::StageExpanded { stage, source, tasks, digest } => {
            assert!(source == "games" && digest.is_some(), "{event:?}");
            Some((stage.clone(), *tasks))
        }
        _ => None,
    });
    events.collect()
}

fn all(project: &Project) -> Vec<String> {
    project.data().into_iter().filter(|(path, _)| path.ends_with("/all")).map(|(_, text)| text).collect()
}

#[test]
fn each_row_becomes_a_task_and_what_gathers_over_them_waits_for_all() {
    let project = games(TWO);
    let ran = project.run(GAMES);
    assert_eq!(ran.ends(), [4, 0, 0, 0, 0], "{:?}", ran.failures());
    assert_eq!(expanded(&ran), [("clips".to_owned(), 2), ("all".to_owned(), 1)]);
    assert_eq!(all(&project), ["g1 Final\ng2 Cup\n"]);
    let view = RunView::of(&ran.events);
    assert_eq!((view.planned, view.tasks.len()), (4, 4));
}

#[test]
fn a_second_run_grows_to_the_same_tasks_and_starts_none() {
    let project = games(TWO);
    project.run(GAMES);
    let ran = project.run(GAMES);
    assert_eq!((ran.ends(), ran.attempts()), ([0, 4, 0, 0, 0], vec![]));
}

#[test]
fn one_row_that_changed_reruns_one_task_and_what_gathers_it() {
    let project = games(TWO);
    project.run(GAMES);
    project.write("spec/games.json", &TWO.replace("Cup", "Cup 2"));
    let ran = project.run(GAMES);
    let tasks: Vec<String> = ran.attempts().into_iter().map(|(task, _)| task).collect();
    assert_eq!((ran.ends(), tasks), ([3, 1, 0, 0, 0], vec!["games".into(), "clips[id=g2]".into(), "all".into()]));
    project.write("spec/games.json", &TWO.replace("]", r#", { "id": "g3", "title": "New", "more": 1 }]"#));
    assert_eq!(project.run(GAMES).ends(), [3, 2, 0, 0, 0], "games, the new clip and all of them");
}

#[test]
fn no_rows_are_no_tasks_and_what_gathers_them_runs_over_nothing() {
    let project = games("[]");
    let ran = project.run(GAMES);
    assert_eq!(ran.ends(), [2, 0, 0, 0, 0], "{:?}", ran.failures());
    assert_eq!(expanded(&ran), [("clips".to_owned(), 0), ("all".to_owned(), 1)]);
    assert_eq!(all(&project), [""]);
}

#[test]
fn rows_that_make_no_tasks_fail_their_stage_and_name_the_column() {
    let told = |rows: &str| {
        let ran = games(rows).run(GAMES);
        assert_eq!(ran.ends(), [1, 0, 1, 1, 0], "{rows}");
        assert_eq!(ran.skipped(), [("all".to_owned(), "clips".to_owned())]);
        let failed = ran.events.iter().find(|event| matches!(event.body, Body::TaskFailed { .. }));
        assert_eq!(failed.unwrap().task.as_deref(), Some("clips"));
        ran.failures()[0].message.clone()
    };
    assert_eq!(told(r#"[{ "name": "g1" }]"#), "a row of `games` has no `id`");
    assert_eq!(told(r#"[{ "id": 1 }, { "id": 1 }]"#), "two rows of `games` have `id` = 1");
    assert_eq!(told(r#"[{ "id": [1] }]"#), "a row of `games` has `id` = [1]");
    assert_eq!(told(r#"[1]"#), "the file does not hold rows");
    assert_eq!(told(r#"[{ "id": 1 }"#), "the file does not hold rows");
    let long = format!(r#"[{{ "id": "{}", "title": "" }}]"#, "x".repeat(300));
    assert!(told(&long).contains("has a name of"), "a cell is the name of a folder");
}

#[test]
fn when_the_rows_cannot_be_had_the_stages_that_wait_for_them_are_skipped() {
    let project = games(TWO);
    let ran = project.run(&GAMES.replace("cat games.json >", "exit 4; cat games.json >"));
    assert_eq!(ran.ends(), [0, 0, 1, 2, 0]);
    assert_eq!(ran.skipped(), [("clips", "games"), ("all", "games")].map(|(a, b)| (a.to_owned(), b.to_owned())));
    let ran = project.run(&GAMES.replace("files =", "when = false\nfiles ="));
    assert_eq!(ran.ends(), [0, 0, 0, 3, 0]);
}

#[test]
fn what_always_runs_does_so_without_rows_too() {
    let project = games(TWO);
    let spec = GAMES.replace("from = [\"clips\"]", "from = [\"clips\"]\nalways = true");
    let ran = project.run(&spec.replace("cat games.json >", "exit 4; cat games.json >"));
    assert_eq!(ran.ends(), [1, 0, 1, 1, 0], "{:?}", ran.failures());
    assert_eq!(all(&project), [""]);
}

#[test]
fn two_stages_of_rows_and_rows_of_rows() {
    let project = games(TWO);
    project.write("spec/tags.json", r#"[{ "tag": "a" }]"#);
    let more = r#"
[stages.tags]
kind = "script"
script = "cat tags.json > $PIPE_OUTPUT/rows.json"
files = ["tags.json"]
[stages.marks]
kind = "script"
foreach = { stage = "tags", key = "tag" }
from = ["clips"]
script = "cat $PIPE_INPUT_FROM_0_/*/a > $PIPE_OUTPUT/a; echo '[{\"n\": 1}, {\"n\": 2}]' > $PIPE_OUTPUT/rows.json"
[stages.deep]
kind = "script"
foreach = { stage = "marks", key = "n" }
script = "echo {{ n }} > $PIPE_OUTPUT/a"
"#;
    let ran = project.run(&format!("{GAMES}{more}"));
    assert_eq!(ran.ends(), [8, 0, 0, 0, 0], "{:?}", ran.events);
    assert_eq!(project.run(&format!("{GAMES}{more}")).ends(), [0, 8, 0, 0, 0]);
}

#[test]
fn a_run_that_is_stopped_before_the_rows_are_known_ends() {
    let project = games(TWO);
    let spec = GAMES.replace("cat games.json >", "echo ready; sleep 300; cat games.json >");
    let stop = |event: &RunEvent| matches!(&event.body, Body::Log { line } if line == "ready").then_some(Stop::Now);
    let ran = project.run_in(".pipe", &spec, stop);
    assert_eq!(ran.ends(), [0, 0, 0, 0, 1]);
}
