//! `pipe cache`: what a store keeps, what goes, and what is said of it afterwards.

use crate::bench::{Bench, SUM, Said};
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::fs;

/// As if a day had passed.
const LATER: [&str; 4] = ["--older-than", "0s", "--min-age", "0s"];

fn gc(bench: &Bench, more: &[&str]) -> Said {
    let said = bench.pipe(&[&["cache", "gc", "spec.toml"], &LATER[..], more].concat());
    assert_eq!(said.code, Some(0), "{said:?}");
    said
}

fn listed(bench: &Bench, more: &[&str]) -> Vec<Json> {
    let said = bench.pipe(&[&["cache", "ls", "spec.toml", "--json"], more].concat());
    assert_eq!(said.code, Some(0), "{said:?}");
    said.json().as_array().unwrap().clone()
}

/// Runs with each of these values of `extra`, the last of them being what the spec says.
fn run_with(bench: &Bench, extras: &[u32]) {
    for extra in extras {
        let said = bench.pipe(&["run", "spec.toml", "-P", &format!("extra={extra}")]);
        assert_eq!(said.code, Some(0), "{said:?}");
    }
}

#[test]
fn the_results_of_a_spec_are_listed_with_those_that_are_current() {
    let bench = Bench::with(SUM);
    assert_eq!(bench.pipe(&["cache", "ls", "spec.toml"]).stdout, "no results are kept\n");
    run_with(&bench, &[5, 0]);
    let all = listed(&bench, &[]);
    let told: Vec<(&str, bool)> =
        all.iter().map(|row| (row["task"].as_str().unwrap(), row["current"].as_bool().unwrap())).collect();
    let expected = ["number[n=1]", "number[n=2]", "sum"].map(|task| [(task, true), (task, false)]);
    assert_eq!(told, expected.concat());
    assert_eq!(listed(&bench, &["number[n=2]"]).len(), 2);
    let folder = all[4]["folder"].as_str().unwrap();
    assert_eq!(bench.read(&format!("{folder}/all")), "1\n2");
    let text = bench.pipe(&["cache", "ls", "spec.toml", "sum"]).stdout;
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[1].starts_with("sum ") && lines[1].ends_with("current") && !lines[2].ends_with("current"), "{text}");
    assert_eq!(bench.pipe(&["cache", "ls", "spec.toml", "some"]).code, Some(2));
}

#[test]
fn pipelines_that_share_a_store_are_told_apart() {
    let bench = Bench::with(SUM);
    bench.write("other.toml", &SUM.replace("name = \"sum\"", "name = \"other\"").replace("[1, 2]", "[8, 9]"));
    bench.run();
    assert_eq!(bench.pipe(&["run", "other.toml"]).code, Some(0));
    assert_eq!((listed(&bench, &[]).len(), listed(&bench, &["--all"]).len()), (3, 6));
    let du = bench.pipe(&["cache", "du", "spec.toml", "--json"]).json();
    let stages: Vec<_> = du["stages"].as_array().unwrap().iter().map(|s| (&s["pipeline"], &s["bytes"])).collect();
    assert_eq!(
        stages,
        [
            (&"other".into(), &4.into()),
            (&"other".into(), &4.into()),
            (&"sum".into(), &4.into()),
            (&"sum".into(), &4.into())
        ]
    );
}

#[test]
fn gc_keeps_the_newest_results_and_the_next_run_has_nothing_to_do() {
    let bench = Bench::with(SUM);
    run_with(&bench, &[1, 2, 3, 0]);
    assert_eq!(listed(&bench, &[]).len(), 12);
    let before =
        bench.pipe(&["cache", "du", "spec.toml", "--keep", "2", "--older-than", "0s", "--min-age", "0s", "--json"]);
    let frees: u64 = before.json()["stages"].as_array().unwrap().iter().map(|s| s["free"].as_u64().unwrap()).sum();

    let dry = gc(&bench, &["--keep", "2", "--dry-run", "--json"]).json();
    assert_eq!((dry["removed"].as_array().unwrap().len(), dry["bytes"].as_u64()), (6, Some(frees)));
    assert_eq!(listed(&bench, &[]).len(), 12, "a dry run removes nothing");

    let told = gc(&bench, &["--keep", "2"]).stdout;
    assert!(told.starts_with("removed 6 results, 0 items and 6 files: 16 B\n"), "{told}");
    assert_eq!((listed(&bench, &[]).len(), listed(&bench, &["--removed"]).len()), (6, 12));
    assert!(bench.pipe(&["run", "spec.toml"]).stderr.starts_with("nothing to do"));
    let again = gc(&bench, &["--keep", "2"]).stdout;
    assert!(again.starts_with("removed 0 results, 0 items and 0 files: 0 B\n"), "{again}");
}

#[test]
fn what_was_removed_is_a_miss_that_is_explained_and_made_again_with_the_same_bytes() {
    let bench = Bench::with(SUM);
    bench.run();
    let digests = |said: &Said| {
        let events = said.events().into_iter().filter(|event| event["type"] == "task_succeeded");
        events.map(|event| event["digest"].to_string()).collect::<BTreeSet<_>>()
    };
    gc(&bench, &["--keep", "0"]);
    assert_eq!(fs::read_dir(bench.path("out/data")).unwrap().count(), 0, "no empty folders are left");
    let explained = bench.pipe(&["explain", "spec.toml", "number[n=1]"]).stdout;
    assert!(explained.contains("would run: its result was removed by gc on 2"), "{explained}");
    assert!(explained.contains("  result  removed by gc on 2"), "{explained}");
    let changed = bench.pipe(&["explain", "spec.toml", "number[n=1]", "-P", "extra=1"]).stdout;
    assert!(changed.contains("changed config.argv"), "what was removed still tells what changed: {changed}");
    fs::rename(bench.path(".pipe"), bench.path(".other")).unwrap();
    let forgotten = bench.pipe(&["plan", "spec.toml", "--json"]).json();
    let reason = forgotten["tasks"][0]["reason"].as_str().unwrap();
    assert!(reason.starts_with("its result was removed by gc on"), "{reason}");
    let removed = listed(&bench, &["--removed", "sum"]);
    assert!(removed[0]["removed"].as_u64().is_some());
    let second = bench.run();
    assert_eq!(second.count("attempt_started"), 3);
    let other = Bench::with(SUM);
    assert_eq!(digests(&second), digests(&other.run()), "as a store makes them that never had them");
}

#[test]
fn what_is_younger_than_a_day_stays() {
    let bench = Bench::with(SUM);
    run_with(&bench, &[1, 0]);
    fs::create_dir_all(bench.path("out/data/sum/lost")).unwrap();
    bench.write("out/data/sum/lost/half", "half");
    let said = bench.pipe(&["cache", "gc", "spec.toml", "--keep", "0"]);
    assert_eq!(said.code, Some(0));
    assert!(said.stdout.contains("kept 6 too young"), "{}", said.stdout);
    assert!(bench.path("out/data/sum/lost/half").exists());
}

#[test]
fn nothing_is_removed_while_a_run_goes_on_here_or_with_another_state_folder() {
    let bench = Bench::with(
        "version = 1\nname = \"sum\"\n[stages.slow]\nkind = \"command\"\noutputs = [\"o\"]\n\
         argv = [\"sh\", \"-c\", \"echo half > $PIPE_OUTPUT/o; echo x > @/begun; sleep 30\"]\n",
    );
    let run = bench.start(&["run", "spec.toml"]);
    bench.wait_for("begun");
    for (more, who) in [(&[][..], "another run is using"), (&["--state", "elsewhere"][..], "with another state folder")]
    {
        let said = bench.pipe(&[&["cache", "gc", "spec.toml"], &LATER[..], more].concat());
        assert_eq!(said.code, Some(3), "{said:?}");
        assert!(said.stderr.contains(who), "{}", said.stderr);
    }
    assert_eq!(bench.pipe(&["cache", "gc", "spec.toml", "--dry-run"]).code, Some(0));
    run.signal(rustix::process::Signal::KILL);
    drop(run);
    gc(&bench, &["--keep", "0"]);
    assert_eq!(fs::read_dir(bench.path("out/data")).unwrap().count(), 0, "what the dead run left is swept");
}

#[test]
fn the_results_of_a_run_that_died_are_kept_for_the_next_one() {
    let spec = SUM.replace("cat $PIPE", "test -e @/go || { echo x > @/begun; sleep 30; }; cat $PIPE");
    let bench = Bench::with(&spec);
    let run = bench.start(&["run", "spec.toml"]);
    bench.wait_for("begun");
    run.signal(rustix::process::Signal::KILL);
    drop(run);
    let told = gc(&bench, &["--keep", "0"]).stdout;
    assert!(told.contains("kept 2 of a run that is not done"), "{told}");
    bench.write("go", "");
    assert_eq!(bench.run().count("attempt_started"), 1);
}

#[test]
fn runs_beyond_the_newest_are_forgotten_with_their_logs() {
    let bench = Bench::with(SUM);
    run_with(&bench, &[1, 2, 3]);
    assert_eq!(fs::read_dir(bench.path(".pipe/attempts")).unwrap().count(), 9);
    let told = gc(&bench, &["--keep-runs", "2"]).stdout;
    assert!(told.contains("removed the events of 1 run and the logs of 3 attempts"), "{told}");
    assert_eq!(fs::read_dir(bench.path(".pipe/attempts")).unwrap().count(), 6);
    assert_eq!(bench.pipe(&["status", "spec.toml", "latest~1"]).code, Some(0));
    assert_eq!(bench.pipe(&["status", "spec.toml", "latest~2"]).code, Some(2));
    gc(&bench, &["--keep-runs", "0"]);
    assert_eq!(bench.pipe(&["status", "spec.toml"]).code, Some(0), "the newest always stays");
    bench.run();
}
