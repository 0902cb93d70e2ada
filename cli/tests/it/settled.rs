//! A run that is asked for again: what has not changed is not even planned, and whatever has changed is seen all the same.

use crate::bench::{Bench, Said};
use pipe_engine::world::World;
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Twelve files that are copied, each by a task of its own, and one task that puts the copies together.
const COPIES: &str = r#"
version = 1
name = "copies"

[params]
word = "a"

[stages.copy]
kind = "command"
matrix.n = "{{ range(12) }}"
argv = ["sh", "-c", "cat $PIPE_INPUT_FILE > $PIPE_OUTPUT/copy"]
inputs = { file = { file = "in/{{ n }}" } }
outputs = ["copy"]

[stages.all]
kind = "command"
argv = ["sh", "-c", "echo {{ params.word }}; cat $PIPE_INPUT_COPIES/*/copy > $PIPE_OUTPUT/all"]
inputs = { copies = { stage = "copy" } }
outputs = ["all"]

[stages.alone]
kind = "command"
argv = ["sh", "-c", "echo alone > $PIPE_OUTPUT/alone"]
outputs = ["alone"]
"#;

/// A folder whose spec and files are old enough for their times to tell their next change, and that was run.
fn settled() -> Bench {
    let bench = Bench::with(COPIES);
    fs::create_dir(bench.path("in")).unwrap();
    (0..12).for_each(|n| bench.write(&format!("in/{n}"), &format!("{n}\n")));
    let newest = fs::metadata(bench.path("in/11")).unwrap().modified().unwrap();
    let newest = newest.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    while Duration::from_millis(World::real().now().0) < newest + Duration::from_millis(3100) {
        std::thread::sleep(Duration::from_millis(50));
    }
    bench.run();
    bench
}

/// A run, and how many tasks of it were planned because of what had changed. `None`: all were, as if nothing were known.
fn run(bench: &Bench, more: &[&str]) -> (Said, Option<u64>) {
    let mut command = bench.command(&[&["run", "spec.toml", "--json"], more].concat());
    let said = bench.said(command.env("PIPE_LOG", "pipe_engine::settled=debug"));
    let mut planned =
        said.stderr.lines().filter_map(|line| line.split_once("plan=")?.1.split(' ').next()?.parse().ok());
    let planned = planned.next_back();
    (said, planned)
}

/// The tasks that ran.
fn ran(said: &Said) -> BTreeSet<String> {
    assert_eq!(said.code, Some(0), "{said:?}");
    let started = said.events().into_iter().filter(|event| event["type"] == "attempt_started");
    started.map(|event| event["task"].as_str().unwrap().to_owned()).collect()
}

fn tasks(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Where the results of a task lie.
fn result(bench: &Bench, task: &str, file: &str) -> PathBuf {
    let folder = bench.path("out/data/copies").join(task);
    let mut folders: Vec<PathBuf> = fs::read_dir(folder.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.file_name().unwrap().to_str().unwrap().starts_with(folder.file_name().unwrap().to_str().unwrap())
        })
        .collect();
    folders.sort_by_key(|path| fs::metadata(path).unwrap().modified().unwrap());
    folders.last().unwrap().join(file)
}

fn standing(bench: &Bench) -> Json {
    let status = bench.pipe(&["status", "spec.toml", "--json"]).json();
    status["tasks"].clone()
}

#[test]
fn a_run_with_nothing_to_do_plans_nothing_and_is_told_as_any_other() {
    let bench = settled();
    let before = bench.pipe(&["run", "spec.toml"]);
    let (said, planned) = run(&bench, &[]);
    assert_eq!((ran(&said), planned), (tasks(&[]), Some(0)));
    let events = said.events();
    assert_eq!(events.first().unwrap()["type"], "run_started");
    assert_eq!((&events[0]["tasks"], &events[0]["pipeline"]), (&Json::from(14), &Json::from("copies")));
    assert_eq!(events.last().unwrap()["cached"], 14);
    let cells = events.iter().filter(|event| event["type"] == "tasks_cached");
    assert_eq!(cells.map(|event| event["cells"].as_array().unwrap().len()).sum::<usize>(), 14);
    assert!(before.stderr.contains("nothing to do: 14 of 14 tasks are up to date"), "{before:?}");
    let quick = standing(&bench);
    // As a run that knows nothing of the last one tells it.
    fs::remove_dir_all(bench.path(".pipe/settled")).unwrap();
    let (said, planned) = run(&bench, &[]);
    assert_eq!((ran(&said), planned), (tasks(&[]), None));
    assert_eq!(quick, standing(&bench));
    assert_eq!(bench.pipe(&["runs", "spec.toml", "--json"]).json().as_array().unwrap().len(), 4);
}

#[test]
fn whatever_a_task_stands_on_may_change_and_is_seen() {
    let bench = settled();
    assert_eq!(run(&bench, &[]).1, Some(0));
    // Everything that gathers the copies is planned with all of them: twelve, and the one.
    let whole = Some(13);

    bench.write("in/3", "three\n");
    let (said, planned) = run(&bench, &[]);
    assert_eq!((ran(&said), planned), (tasks(&["copy[n=3]", "all"]), whole));
    assert!(fs::read_to_string(result(&bench, "all/all", "all")).unwrap().contains("three"));
    assert_eq!(said.events().last().unwrap()["cached"], 12, "those that were not planned count");

    fs::File::options().write(true).open(bench.path("in/4")).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    let (said, planned) = run(&bench, &[]);
    assert_eq!((ran(&said), planned), (tasks(&[]), whole), "the same bytes make the same result");

    fs::remove_file(result(&bench, "copy/n=5", "copy")).unwrap();
    assert_eq!(ran(&run(&bench, &[]).0), tasks(&["copy[n=5]"]), "and what follows has the same input as before");

    let copy = result(&bench, "copy/n=6", "copy");
    fs::remove_file(&copy).unwrap();
    fs::write(&copy, "").unwrap();
    assert_eq!(ran(&run(&bench, &[]).0), tasks(&["copy[n=6]"]));

    fs::remove_file(bench.path("in/7")).unwrap();
    symlink("8", bench.path("in/7")).unwrap();
    assert_eq!(ran(&run(&bench, &[]).0), tasks(&["copy[n=7]", "all"]));

    fs::remove_file(result(&bench, "alone/all", "alone")).unwrap();
    let (said, planned) = run(&bench, &[]);
    assert_eq!((ran(&said), planned.is_some()), (tasks(&["alone"]), true));

    let missing = bench.path("in/9");
    fs::rename(&missing, bench.path("nine")).unwrap();
    let (said, _) = run(&bench, &[]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.stderr.contains("the file `in/9` is not there"), "{said:?}");
    fs::rename(bench.path("nine"), &missing).unwrap();
    assert_eq!(ran(&run(&bench, &[]).0), tasks(&[]));
}

#[test]
fn what_is_asked_for_in_another_way_is_planned() {
    let bench = settled();
    assert_eq!(run(&bench, &[]).1, Some(0));
    assert_eq!(run(&bench, &["--only", "alone"]).1, None);
    let (said, planned) = run(&bench, &["--force", "--only", "alone"]);
    assert_eq!((ran(&said), planned), (tasks(&["alone"]), None));
    let (said, planned) = run(&bench, &["-P", "word=b"]);
    assert_eq!((ran(&said), planned), (tasks(&["all"]), None));
    assert_eq!(run(&bench, &["-P", "word=b"]).1, Some(0), "each way has a record of its own");
    let mut command = bench.command(&["run", "spec.toml", "--json"]);
    assert_eq!(ran(&bench.said(command.env("PIPE_PARAM_WORD", "c"))), tasks(&["all"]));
    bench.write(".env", "PIPE_PARAM_WORD=d\n");
    let (said, planned) = run(&bench, &[]);
    assert_eq!((ran(&said), planned), (tasks(&["all"]), None));
    fs::remove_file(bench.path(".env")).unwrap();

    let spec = fs::read_to_string(bench.path("spec.toml")).unwrap();
    bench.write("spec.toml", &spec.replace("echo alone", "echo another"));
    let (said, planned) = run(&bench, &[]);
    assert_eq!((ran(&said), planned), (tasks(&["alone"]), None));
}

#[test]
fn a_record_that_is_damaged_or_tells_of_a_store_that_is_gone_helps_nobody() {
    let bench = settled();
    assert_eq!(run(&bench, &[]).1, Some(0));
    let record = records(&bench.path(".pipe/settled")).remove(0);
    fs::write(&record, "what is this").unwrap();
    let (said, planned) = run(&bench, &[]);
    assert_eq!((ran(&said), planned), (tasks(&[]), None));
    fs::rename(bench.path("out"), bench.path("away")).unwrap();
    assert_eq!(ran(&run(&bench, &[]).0).len(), 14);
}

/// A task that fails leaves the record as it was: the next run does what is left.
#[test]
fn a_part_that_fails_is_tried_again() {
    let bench = settled();
    fs::write(bench.path("in/3"), vec![b'x'; 10]).unwrap();
    let spec = fs::read_to_string(bench.path("spec.toml")).unwrap();
    assert!(spec.contains("cat $PIPE_INPUT_FILE"));
    // The program of its task is taken away for a moment.
    let mut command = bench.command(&["run", "spec.toml", "--json"]);
    let said = bench.said(command.env("PATH", "/nowhere"));
    assert_eq!(said.code, Some(1), "{said:?}");
    let (said, planned) = run(&bench, &[]);
    assert_eq!((ran(&said), planned), (tasks(&["copy[n=3]", "all"]), Some(13)));
}

fn records(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}
