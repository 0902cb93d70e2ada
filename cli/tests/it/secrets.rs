//! A secret reaches the program it is for, and nothing else: no log, no event, no file of the state or the store, no
//! message.

use crate::bench::{Bench, Said};
use std::fs;
use std::path::Path;

const VALUE: &str = "hunter2/Zm9v+bar";

fn spec(script: &str, rest: &str) -> String {
    format!(
        "version = 1\nname = \"sum\"\n[stages.job]\nkind = \"command\"\n\
         argv = [\"sh\", \"-c\", '''{script}''']\nsecrets = {{ API_KEY = \"env:API_KEY\" }}\n{rest}"
    )
}

fn run(bench: &Bench, arguments: &[&str]) -> Said {
    bench.said(bench.command(&[&["run", "spec.toml"], arguments].concat()).env("API_KEY", VALUE))
}

/// Every file below a folder whose bytes hold `text`.
fn holding(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for path in fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(holding(&path, text));
        } else if fs::read(&path).unwrap().windows(text.len()).any(|bytes| bytes == text.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
    found
}

fn nowhere(bench: &Bench, said: &Said) {
    assert!(!said.stdout.contains(VALUE) && !said.stderr.contains(VALUE), "{said:?}");
    assert_eq!(holding(&bench.path(""), VALUE), [] as [&str; 0]);
}

#[test]
fn a_program_gets_its_secret_and_nothing_it_says_shows_it() {
    // The value itself is in no file of the test.
    let script = "test \"$API_KEY\" = \"$(printf %s%s hunter2/Zm 9v+bar)\" || exit 9; echo \"key=$API_KEY.\"; \
                  printf 'begin hunter2/Zm'; sleep 0.1; printf '9v+bar end'; echo; \
                  printf '{\"key\": \"%s\"}' \"$API_KEY\" > $PIPE_OUTPUT/result.json";
    for arguments in [&["--json"][..], &["--verbose"]] {
        let bench = Bench::with(&spec(script, ""));
        let said = run(&bench, arguments);
        assert_eq!(said.code, Some(0), "{said:?}");
        nowhere(&bench, &said);
        let logged = bench.pipe(&["logs", "spec.toml", "job"]).stdout;
        assert_eq!(logged, "key=***.\nbegin *** end\n");
        let told = bench.pipe(&["explain", "spec.toml", "job"]);
        assert!(!told.stdout.contains(VALUE), "{told:?}");
    }
}

#[test]
fn the_facts_of_a_program_are_told_without_the_secret() {
    let bench =
        Bench::with(&spec("printf '{\"key\": \"<%s>\", \"n\": 3}' \"$API_KEY\" > $PIPE_OUTPUT/result.json", ""));
    let said = run(&bench, &["--json"]);
    let events = said.events();
    let done = events.iter().find(|event| event["type"] == "task_succeeded").unwrap();
    assert_eq!(done["result"], serde_json::json!({ "key": "<***>", "n": 3 }));
    nowhere(&bench, &said);
}

#[test]
fn a_failure_quotes_no_secret() {
    for script in ["echo \"denied: $API_KEY\" >&2; exit 3", "printf 'hunter2/Zm9v' >&2; printf '+bar' >&2; exit 3"] {
        for arguments in [&["--json"][..], &[]] {
            let bench = Bench::with(&spec(script, ""));
            let said = run(&bench, arguments);
            assert_eq!(said.code, Some(1), "{said:?}");
            assert!(said.stdout.contains("***") || said.stderr.contains("***"), "{said:?}");
            nowhere(&bench, &said);
        }
    }
}

#[test]
fn a_secret_is_fetched_from_the_file_of_variables_and_from_a_file() {
    let bench = Bench::with(
        &spec(
            "echo \"$API_KEY $TOKEN\" | tr a-z A-Z",
            "[stages.job.secrets]\nAPI_KEY = \"env:MY_KEY\"\nTOKEN = \"file:token\"\n",
        )
        .replace("secrets = { API_KEY = \"env:API_KEY\" }\n", ""),
    );
    bench.write(".env", "MY_KEY='first'\n");
    bench.write("token", "second\n");
    assert_eq!(bench.run().code, Some(0));
    assert_eq!(bench.pipe(&["logs", "spec.toml", "job"]).stdout, "FIRST SECOND\n");
}

#[test]
fn a_secret_that_is_not_there_is_told_before_anything_starts() {
    let bench = Bench::with(&spec("touch @started", ""));
    let run = bench.pipe(&["run", "spec.toml"]);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.stderr.contains("P0603") && run.stderr.contains("spec.toml:6:23"), "{}", run.stderr);
    assert!(!bench.path("started").exists() && !bench.path(".pipe").exists());
    for verb in ["plan", "validate"] {
        assert_eq!(bench.pipe(&[verb, "spec.toml"]).code, Some(2), "{verb}");
        assert_eq!(bench.pipe(&[verb, "spec.toml", "--offline"]).code, Some(0), "{verb}");
    }
}

#[test]
fn a_secret_that_is_written_down_is_an_error_that_does_not_show_it() {
    for written in
        [format!("\"{VALUE}\""), "\"{{ params.key }}\"".to_owned(), format!("[\"{VALUE}\"]"), "12345678".to_owned()]
    {
        let text = spec("true", &format!("[params]\nkey = \"{VALUE}\"\n")).replace("\"env:API_KEY\"", &written);
        for arguments in [&["validate", "spec.toml"][..], &["validate", "spec.toml", "--json"], &["run", "spec.toml"]] {
            let said = Bench::with(&text).pipe(arguments);
            assert_eq!(said.code, Some(2), "{said:?}");
            for value in [VALUE, "12345678"] {
                assert!(!said.stdout.contains(value) && !said.stderr.contains(value), "{said:?}");
            }
            let code = if written.starts_with('"') { "P0602" } else { "S0203" };
            assert!(said.stdout.contains(code) || said.stderr.contains(code), "{said:?}");
        }
    }
}

#[test]
fn a_line_of_the_file_of_variables_that_cannot_be_read_is_not_shown() {
    let bench = Bench::with(&spec("true", ""));
    bench.write(".env", "API_KEY=x\nsomething hunter2\nKEY=\"hunter2\n");
    let said = bench.pipe(&["validate", "spec.toml"]);
    assert!(said.stderr.contains("S0405") && !said.stderr.contains("hunter2"), "{}", said.stderr);
}

#[test]
fn only_the_name_of_a_secret_is_in_the_key() {
    let bench = Bench::with(&spec("true", ""));
    assert_eq!(run(&bench, &["--json"]).count("task_succeeded"), 1);
    let other = bench.said(bench.command(&["run", "spec.toml", "--json"]).env("API_KEY", "another"));
    assert_eq!((other.code, other.count("task_succeeded")), (Some(0), 0), "{other:?}");
}

#[test]
fn a_program_of_another_version_is_told_before_anything_starts() {
    let bench = Bench::with(&spec("touch @started", "tools = { tar = \"0.5\", no-such-program = \"1\" }\n"));
    let said = run(&bench, &[]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.stderr.contains("P0605") && said.stderr.contains("P0604"), "{}", said.stderr);
    assert!(said.stderr.contains("it says \"tar (GNU tar)"), "{}", said.stderr);
    assert!(!bench.path("started").exists());
    let fits = Bench::with(&spec("true", "tools = { tar = \"1\" }\n"));
    assert_eq!(run(&fits, &[]).code, Some(0));
}
