//! `--input NAME=PATH`: a stage alone, on a file that stands for what another would make.

use crate::bench::Bench;
use std::fs;

/// `plays` fails as long as `ready` is not there; what follows it needs its bytes only.
const SPEC: &str = r#"
version = 1
name = "week"

[stages.plays]
kind = "command"
shell = "test -e @/ready && echo ten > $PIPE_OUTPUT/plays.json"
outputs = ["plays.json"]
publish = { "plays.json" = "published.json" }

[stages.clips]
kind = "command"
shell = "cat $PIPE_INPUT_LIST/plays.json > $PIPE_OUTPUT/clips; echo cut >> $PIPE_OUTPUT/clips"
inputs = { list = { stage = "plays" } }
outputs = ["clips"]

[stages.report]
kind = "command"
shell = "cat $PIPE_INPUT_CLIPS/clips > $PIPE_OUTPUT/report"
inputs = { clips = { stage = "clips" } }
"#;

fn text_of(bench: &Bench, stage: &str, file: &str) -> Vec<String> {
    let folders = fs::read_dir(bench.path("out/data/week").join(stage)).unwrap();
    let mut texts: Vec<String> =
        folders.map(|folder| fs::read_to_string(folder.unwrap().path().join(file)).unwrap()).collect();
    texts.sort();
    texts
}

#[test]
fn a_stage_runs_alone_on_a_file_and_what_would_make_that_file_does_not() {
    let bench = Bench::with(SPEC);
    bench.write("mine.json", "three\n");
    for name in ["plays", "list"] {
        let said = bench.pipe(&["run", "spec.toml", "--only", "clips", "--input", &format!("{name}=mine.json")]);
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(said.stderr.contains("given: plays is taken from mine.json (1 file, 6 B, "), "{}", said.stderr);
    }
    assert_eq!(text_of(&bench, "clips", "clips"), ["three\ncut\n"], "the second time it was a hit");
    assert_eq!(text_of(&bench, "given", "plays.json"), ["three\n"], "named as the stage names it, and copied once");
    assert!(!bench.path("out/data/week/plays").exists() && !bench.path("out/data/week/report").exists());
    assert!(!bench.path("published.json").exists(), "what is given is not published");
    let sealed = fs::metadata(
        fs::read_dir(bench.path("out/data/week/given")).unwrap().next().unwrap().unwrap().path().join("plays.json"),
    );
    assert!(sealed.unwrap().permissions().readonly());
}

#[test]
fn what_was_given_is_never_taken_for_the_real_result_unless_its_bytes_are_the_same() {
    let bench = Bench::with(SPEC);
    bench.write("mine.json", "three\n");
    bench.write("same.json", "ten\n");
    for file in ["mine.json", "same.json"] {
        let input = format!("plays={file}");
        assert_eq!(bench.pipe(&["run", "spec.toml", "--only", "clips", "--input", &input]).code, Some(0));
    }
    bench.write("ready", "now");
    let said = bench.run();
    let started: Vec<String> = said
        .events()
        .iter()
        .filter(|event| event["type"] == "attempt_started")
        .map(|event| event["task"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(started, ["plays", "report"], "clips of the same bytes are there already");
    assert_eq!(bench.read("published.json"), "ten");
}

#[test]
fn the_plan_says_what_is_given_and_writes_nothing() {
    let bench = Bench::with(SPEC);
    bench.write("mine.json", "three\n");
    let arguments = ["plan", "spec.toml", "--from", "clips", "--input", "plays=mine.json", "--json"];
    let plan = bench.pipe(&arguments).json();
    let states: Vec<(&str, &str)> = plan["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| (task["task"].as_str().unwrap(), task["state"].as_str().unwrap()))
        .collect();
    assert_eq!(states, [("plays", "given"), ("clips", "run"), ("report", "depends")]);
    let text = bench.pipe(&["plan", "spec.toml", "--only", "clips", "--input", "plays=mine.json"]).stdout;
    assert!(text.contains("given: from mine.json"), "{text}");
    assert!(!bench.path("out").exists());
    let fingerprint = plan["tasks"][1]["fingerprint"].as_str().unwrap().to_owned();
    let ran = bench.pipe(&["run", "spec.toml", "--only", "clips", "--input", "plays=mine.json", "--json"]);
    let events = ran.events();
    let started = events.iter().find(|event| event["type"] == "attempt_started").unwrap();
    assert_eq!(started["fingerprint"], fingerprint.as_str(), "the plan and the run know one key");
}

#[test]
fn resume_repeats_what_was_given_from_anywhere() {
    let bench = Bench::with(&SPEC.replace("echo cut", "test -e @/ready && echo cut"));
    bench.write("mine.json", "three\n");
    let said = bench.pipe(&["run", "spec.toml", "--only", "clips", "--input", "plays=mine.json"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    let runs = bench.pipe(&["runs", "spec.toml", "--json"]).json();
    let whole = bench.path("mine.json").display().to_string();
    assert_eq!(runs[0]["asked"]["inputs"]["plays"], whole.as_str());
    bench.write("ready", "now");
    let spec = bench.path("spec.toml").display().to_string();
    let said = bench.said(bench.command(&["resume", &spec]).current_dir("/"));
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(text_of(&bench, "clips", "clips").last().map(String::as_str), Some("three\ncut\n"));
}

#[test]
fn what_cannot_be_given_is_told_with_what_can() {
    let bench = Bench::with(SPEC);
    bench.write("mine.json", "three\n");
    fs::create_dir(bench.path("empty")).unwrap();
    let cases: [(&[&str], &str, &str); 7] = [
        (&["--only", "clips", "--input", "palys=mine.json"], "nothing that is asked for takes `palys`", "`plays`?"),
        (&["--only", "clips", "--input", "report=mine.json"], "takes `report`", "it takes `list`, `plays`"),
        (&["--only", "clips", "--input", "plays=nowhere.json"], "there is no nowhere.json", ""),
        (&["--input", "plays=mine.json"], "says what is given", "`--only`"),
        (&["--from", "plays", "--input", "plays=mine.json"], "to be made by this run", "`--only`"),
        (&["--only", "clips", "--input", "plays=empty"], "every result of this task has `plays.json`", "adopt"),
        (&["--only", "clips", "--input", "plays"], "NAME=PATH", ""),
    ];
    for (arguments, message, help) in cases {
        let all: Vec<&str> = ["run", "spec.toml"].iter().chain(arguments).copied().collect();
        let said = bench.pipe(&all);
        assert_eq!(said.code, Some(2), "{arguments:?}: {said:?}");
        assert!(said.stderr.contains(message) && said.stderr.contains(help), "{arguments:?}: {}", said.stderr);
    }
    assert!(
        !bench.path("out/data/week/given").exists()
            || fs::read_dir(bench.path("out/data/week/given")).unwrap().count() == 0
    );
}

#[test]
fn of_a_stage_with_several_cells_each_gets_a_file_of_its_own() {
    let spec = SPEC
        .replace("[stages.plays]\n", "[stages.plays]\nmatrix.game = [\"g1\", \"g2\"]\n")
        .replace("publish = { \"plays.json\" = \"published.json\" }\n", "")
        .replace("$PIPE_INPUT_LIST/plays.json", "$PIPE_INPUT_LIST/*/plays.json");
    let bench = Bench::with(&spec);
    bench.write("one.json", "one\n");
    bench.write("two.json", "two\n");
    let said = bench.pipe(&["run", "spec.toml", "--only", "clips", "--input", "plays=one.json"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.stderr.contains("`plays` stands for 2 results"), "{}", said.stderr);
    assert!(said.stderr.contains("--input 'plays[game=g1]=PATH'"), "{}", said.stderr);
    let inputs = ["--input", "plays[game=g1]=one.json", "--input", "list[game=g2]=two.json"];
    let said = bench.pipe(&[&["run", "spec.toml", "--only", "clips"], &inputs[..]].concat());
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(text_of(&bench, "clips", "clips"), ["one\ntwo\ncut\n"]);
}

#[test]
fn a_folder_of_rows_spreads_a_stage() {
    let bench = Bench::with(
        "version = 1\nname = \"week\"\n\
         [stages.games]\nkind = \"command\"\nshell = \"exit 1\"\noutputs = [\"rows.json\"]\n\
         [stages.show]\nkind = \"command\"\nforeach = { stage = \"games\", key = \"id\" }\n\
         shell = \"echo $PIPE_CELL_ID > $PIPE_OUTPUT/x\"\n",
    );
    fs::create_dir(bench.path("mine")).unwrap();
    bench.write("mine/rows.json", "[{\"id\": \"a\"}, {\"id\": \"b\"}]\n");
    let said = bench.pipe(&["run", "spec.toml", "--only", "show", "--input", "games=mine"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(text_of(&bench, "show", "x"), ["a\n", "b\n"]);
}
