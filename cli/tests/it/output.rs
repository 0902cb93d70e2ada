//! What the verbs print: for people, for programs, into pipes.

use crate::bench::{Bench, SUM};
use serde_json::{Value as Json, json};
use std::process::{Command, Stdio};

const SUM_YAML: &str = r#"
version: 1
name: sum
params: { numbers: [1, 2], extra: 0 }
stages:
  number:
    kind: command
    matrix: { n: "{{ params.numbers }}" }
    argv: ["sh", "-c", "echo number {{ n }}; echo $(({{ n }} + {{ params.extra }})) > $PIPE_OUTPUT/number"]
    outputs: [number]
  sum:
    kind: command
    argv: ["sh", "-c", "cat $PIPE_INPUT_NUMBERS/*/number > $PIPE_OUTPUT/all"]
    inputs: { numbers: { stage: number } }
    outputs: [all]
"#;

#[test]
fn toml_and_yaml_twins_have_the_same_plan() {
    let bench = Bench::with(SUM);
    bench.write("twin.yaml", SUM_YAML);
    let plan = |spec: &str| bench.pipe(&["plan", spec, "--json"]).json();
    let (toml, yaml) = (plan("spec.toml"), plan("twin.yaml"));
    assert_eq!(toml, yaml);
    assert_eq!(toml["tasks"].as_array().unwrap().len(), 3);
    bench.run();
    assert_eq!(bench.pipe(&["run", "twin.yaml", "--json"]).events().pop().unwrap()["cached"], 3);
}

#[test]
fn a_plan_says_hit_run_or_depends_and_writes_nothing() {
    let bench = Bench::with(SUM);
    let states = |arguments: &[&str]| -> Vec<String> {
        let plan = bench.pipe(&[&["plan", "spec.toml", "--json"], arguments].concat()).json();
        plan["tasks"].as_array().unwrap().iter().map(|task| task["state"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(states(&[]), ["run", "run", "depends"]);
    assert!(!bench.path("out").exists() && !bench.path(".pipe").exists());
    bench.run();
    assert_eq!(states(&[]), ["hit", "hit", "hit"]);
    assert_eq!(states(&["-P", "numbers=[2, 3]"]), ["hit", "run", "depends"]);
    let table = bench.pipe(&["plan", "spec.toml", "-P", "extra=1"]).stdout;
    let row = table.lines().find(|line| line.starts_with("number")).unwrap();
    assert!(row.contains("command") && row.ends_with("1 of 7 fields changed: `argv[2]`"), "{table}");
    let one = bench.pipe(&["plan", "spec.toml", "-P", "extra=1", "-P", "numbers=[1]"]).stdout;
    let why = "1 of 7 fields changed: `argv[2]` …((1 + 0)) > $… -> …((1 + 1)) > $…";
    assert!(one.lines().any(|line| line.starts_with("number") && line.ends_with(why)), "{one}");
    let tasks = bench.pipe(&["plan", "spec.toml", "-P", "extra=1", "--tasks"]).stdout;
    assert!(tasks.lines().any(|line| line.starts_with("sum ") && line.ends_with("depends on number[n=1]")), "{tasks}");
}

#[test]
fn a_pipe_gets_no_escape_codes_and_no_color_is_obeyed() {
    let bench = Bench::with(SUM);
    for verb in ["plan", "run", "status", "validate"] {
        let said = bench.pipe(&[verb, "spec.toml"]);
        assert!(!said.stdout.contains('\x1b') && !said.stderr.contains('\x1b'), "{verb}: {said:?}");
    }
    let colored = bench.pipe(&["plan", "spec.toml", "--color", "always"]);
    assert!(colored.stdout.contains('\x1b'), "{colored:?}");
    // `script` gives the binary a terminal.
    let on_terminal = |no_color: &str| {
        let bin = env!("CARGO_BIN_EXE_pipe");
        let mut command = Command::new("script");
        command.args(["-qec", &format!("{bin} plan spec.toml"), "/dev/null"]).env("NO_COLOR", no_color);
        let output = command.current_dir(bench.path("")).stdin(Stdio::null()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(on_terminal("").contains("\x1b[32m"), "an empty NO_COLOR asks for nothing");
    assert!(!on_terminal("1").contains('\x1b'));
}

/// A task that tries once to colour the terminal, to name its window and to hide what it says, in its words and its facts.
const HOSTILE: &str = r#"
version = 1
name = "hostile"
[stages.bad]
kind = "command"
argv = ["sh", "-c", "printf '\\033[31mred\\033]0;title\\007\\000end\\r\\302\\2332J\\n'; exit 3"]
[stages.tells]
kind = "command"
argv = ["sh", "-c", "printf '{\"color\": \"\\\\u001b[31m\"}' > $PIPE_OUTPUT/result.json"]
"#;

#[test]
fn what_a_program_wrote_cannot_steer_the_terminal_of_whoever_reads_of_its_failure() {
    let bench = Bench::with(HOSTILE);
    let ran = bench.pipe(&["run", "spec.toml", "--verbose"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    // Only line ends are left of what terminals obey, and the letters behind an escape are seen.
    let is_safe = |text: &str| !text.contains(|c: char| c.is_control() && c != '\n');
    let escaped = r"\x1b[31mred\x1b]0;title\x07\x00end\x0d\u{9b}2J";
    assert!(is_safe(&ran.stderr) && is_safe(&ran.stdout), "{ran:?}");
    assert!(ran.stderr.contains(&format!("  said: {escaped}\n")), "{ran:?}");
    assert!(ran.stderr.contains(&format!("bad | {escaped}\n")), "{ran:?}");
    for verb in [&["status", "spec.toml"][..], &["explain", "spec.toml", "tells"], &["explain", "spec.toml", "bad"]] {
        let said = bench.pipe(verb);
        assert!(said.code == Some(0) && is_safe(&said.stdout) && is_safe(&said.stderr), "{said:?}");
        let shows = if verb[0] == "status" { escaped } else { "" };
        assert!(said.stdout.contains(shows), "{said:?}");
    }
    assert!(bench.pipe(&["explain", "spec.toml", "tells"]).stdout.contains(r"color \x1b[31m"));
    // A terminal is told the same; `script` gives the binary one.
    let mut command = Command::new("script");
    command.args(["-qec", &format!("{} status spec.toml --color never", env!("CARGO_BIN_EXE_pipe")), "/dev/null"]);
    let output = command.current_dir(bench.path("")).stdin(Stdio::null()).output().unwrap();
    let screen = String::from_utf8(output.stdout).unwrap();
    assert!(is_safe(&screen.replace("\r\n", "\n")) && screen.contains(escaped), "{screen:?}");
    // Whoever asks for the log gets what the program wrote.
    let log = bench.pipe(&["logs", "spec.toml", "bad"]).stdout;
    assert_eq!(log, "\x1b[31mred\x1b]0;title\x07\0end\r\u{9b}2J\n");
}

#[test]
fn a_command_that_is_told_can_be_typed_as_it_stands() {
    let bench = Bench::new();
    bench.write("spéc file.toml", SUM);
    let said = bench.pipe(&["run", "spéc file.toml"]);
    assert!(said.stderr.contains("(pipe logs 'spéc file.toml' TASK)"), "{said:?}");
    let never = bench.pipe(&["logs", "spéc file.toml", "sum", "--state", "else where"]);
    let told = never.stderr.rsplit('`').nth(1).unwrap().to_owned();
    assert_eq!(told, "pipe explain 'spéc file.toml' --state 'else where' 'sum'", "{never:?}");
    let line = told.replacen("pipe", env!("CARGO_BIN_EXE_pipe"), 1);
    let typed = bench.said(Command::new("sh").args(["-c", &line]).current_dir(bench.path("")));
    assert_eq!(typed.code, Some(0), "{typed:?}");
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let many: Vec<String> = (0..3000).map(|n| n.to_string()).collect();
    let bench = Bench::with(&SUM.replace("[1, 2]", &format!("[{}]", many.join(", "))));
    let line = format!("{} plan spec.toml --tasks | head -n 1", env!("CARGO_BIN_EXE_pipe"));
    let output = Command::new("sh").args(["-c", &line]).current_dir(bench.path("")).output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(output.stdout.iter().filter(|byte| **byte == b'\n').count(), 1);
}

#[test]
fn every_verb_that_prints_ends_quietly_when_nobody_reads() {
    let bench = Bench::with(SUM);
    bench.run();
    for line in [
        "--help",
        "--version",
        "plan spec.toml",
        "plan spec.toml --tasks --json",
        "plan spec.toml --origins",
        "validate spec.toml",
        "validate spec.toml --json",
        "check spec.toml",
        "check spec.toml --json",
        "run spec.toml",
        "run spec.toml --json",
        "run spec.toml --force --json",
        "status spec.toml",
        "status spec.toml --json",
        "status spec.toml --watch --json",
        "runs spec.toml",
        "runs spec.toml --json",
        "costs spec.toml",
        "costs spec.toml --json",
        "report spec.toml --json",
        "logs spec.toml number",
        "logs spec.toml number --json",
        "explain spec.toml sum",
        "explain spec.toml sum --json",
        "explain-error",
        "explain-error P0101",
        "diff spec.toml",
        "graph spec.toml",
        "schema",
        "schema spec",
        "cache ls spec.toml",
        "cache du spec.toml",
        "cache verify spec.toml",
        "doctor spec.toml --orphans",
        "worker --versions",
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let arguments: Vec<&str> = line.split(' ').collect();
        let said = bench.said(bench.command(&arguments).stdout(writer));
        assert_eq!(said.code, Some(0), "{line}: {said:?}");
        assert!(!said.stderr.contains("roken pipe") && !said.stderr.contains("panicked"), "{line}: {said:?}");
    }
}

#[test]
fn validate_says_how_large_a_good_spec_is() {
    let bench = Bench::with(SUM);
    assert_eq!(bench.pipe(&["validate", "spec.toml"]).stdout, "spec.toml: 2 stages, 3 tasks\n");
    let document = bench.pipe(&["validate", "spec.toml", "--json"]).json();
    let expected = json!({ "spec": "spec.toml", "valid": true, "stages": 2, "tasks": 3, "problems": [] });
    assert_eq!(document, expected);
}

#[test]
fn explain_names_the_field_that_changed_and_where_the_result_lies() {
    let bench = Bench::with(SUM);
    bench.run();
    let same = bench.pipe(&["explain", "spec.toml", "number[n=1]"]).stdout;
    let lines: Vec<&str> = same.lines().collect();
    assert_eq!(lines[0], "number[n=1]: up to date");
    assert!(lines[1].starts_with("  ran     ") && lines[1].ends_with(" s; why: not run before"), "{same}");
    assert!(lines[2].starts_with("  result  out/data/sum/number/n=1@"), "{same}");
    let changed = bench.pipe(&["explain", "spec.toml", "number[n=1]", "-P", "extra=4", "--json"]).json();
    let fields: Vec<&Json> = changed[0]["changes"].as_array().unwrap().iter().map(|c| &c["field"]).collect();
    assert_eq!(fields, ["config.argv[2]"]);
    let why = bench.pipe(&["explain", "spec.toml", "number[n=1]", "-P", "extra=4"]).stdout;
    assert!(why.starts_with("number[n=1]: would run: 1 of 7 fields changed: `argv[2]` "), "{why}");
    let follows = bench.pipe(&["explain", "spec.toml", "sum", "-P", "extra=4"]).stdout;
    assert!(follows.starts_with("sum: depends on number[n=1]"), "{follows}");
}

#[test]
fn a_graph_can_be_drawn_by_graphviz_and_mermaid() {
    let bench = Bench::with(SUM);
    let dot = bench.pipe(&["graph", "spec.toml"]).stdout;
    assert!(dot.starts_with("digraph") && dot.contains("s0 -> s1"), "{dot}");
    let mermaid = bench.pipe(&["graph", "spec.toml", "--format", "mermaid"]).stdout;
    assert!(mermaid.starts_with("flowchart") && mermaid.contains("s0 --> s1"), "{mermaid}");
    let document = bench.pipe(&["graph", "spec.toml", "--json"]).json();
    assert_eq!(document["stages"][1]["needs"], json!(["number"]));
}

#[test]
fn every_format_has_a_schema() {
    let bench = Bench::new();
    assert_eq!(bench.pipe(&["schema", "--write", "schemas"]).code, Some(0));
    let listed = bench.pipe(&["schema", "--json"]).json();
    let names: Vec<&str> = listed.as_array().unwrap().iter().map(|format| format["name"].as_str().unwrap()).collect();
    for name in ["spec", "problem", "run-event", "manifest", "attempt", "outcome", "plays", "training-record"] {
        assert!(names.contains(&name), "{name}");
    }
    for name in names {
        let written = std::fs::read_to_string(bench.path(&format!("schemas/{name}.v1.json"))).unwrap();
        assert!(written.ends_with("}\n"));
        assert_eq!(written, bench.pipe(&["schema", name]).stdout, "{name}");
        assert!(serde_json::from_str::<Json>(&written).unwrap()["$schema"].is_string(), "{name}");
    }
}

#[test]
fn help_teaches_every_verb_and_the_exit_codes() {
    let help = Bench::new().pipe(&["--help"]);
    assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
    for word in [
        "init", "run", "plan", "validate", "status", "logs", "runs", "cancel", "resume", "rerun", "graph", "explain",
        "schema", "130", "NO_COLOR",
    ] {
        assert!(help.stdout.contains(word), "{word}");
    }
    assert!(!help.stdout.contains("worker"), "it is not for people");
}
