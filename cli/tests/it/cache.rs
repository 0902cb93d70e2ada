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
fn a_result_that_may_go_goes_with_its_bytes_however_young_they_are() {
    let bench = Bench::with(SUM);
    bench.run();
    fs::create_dir_all(bench.path("out/data/sum/lost")).unwrap();
    bench.write("out/data/sum/lost/half", "half");
    let asked = ["cache", "gc", "spec.toml", "--keep", "0", "--older-than", "0s"];
    let dry = bench.pipe(&[&asked[..], &["--dry-run", "--json"]].concat()).json();
    assert_eq!((&dry["files"], &dry["young"]), (&3.into(), &serde_json::json!({ "files": 1, "bytes": 4 })));
    let said = bench.pipe(&asked);
    assert_eq!(said.code, Some(0), "{said:?}");
    // Two numbers and their list: two bytes, two bytes and four.
    assert!(said.stdout.starts_with("removed 3 results, 0 items and 3 files: 8 B\n"), "{said:?}");
    assert!(said.stdout.contains("kept 1 file of 4 B: written in the last day and of no result"), "{said:?}");
    assert!(bench.path("out/data/sum/lost/half").exists());
    for stage in ["number", "sum"] {
        assert!(!bench.path(&format!("out/data/sum/{stage}")).exists(), "{stage} takes no room");
    }
    assert_eq!(bench.run().count("attempt_started"), 3);
}

#[test]
fn nothing_is_removed_while_a_run_goes_on_here_or_with_another_state_folder() {
    let bench = Bench::with(
        "version = 1\nname = \"sum\"\n[stages.slow]\nkind = \"command\"\noutputs = [\"o\"]\n\
         argv = [\"sh\", \"-c\", \"echo half > $PIPE_OUTPUT/o; echo x > @/begun; sleep 30\"]\n",
    );
    let run = bench.start(&["run", "spec.toml"]);
    bench.wait_for_run("begun");
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
    bench.wait_for_run("begun");
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

#[test]
fn checkpoints_of_work_that_is_not_done_are_kept_for_as_long_as_it_is_said() {
    let bench = Bench::with(
        "version = 1\nname = \"sum\"\n[stages.train]\nkind = \"command\"\ncheckpoints = true\noutputs = [\"o\"]\n\
         shell = \"echo reached > $PIPE_CHECKPOINTS/step; test -e @/go; cp $PIPE_CHECKPOINTS/step $PIPE_OUTPUT/o\"\n",
    );
    let checkpoints = || fs::read_dir(bench.path(".pipe/checkpoints")).map_or(0, Iterator::count);
    assert_eq!(bench.pipe(&["run", "spec.toml"]).code, Some(1));
    assert!(!gc(&bench, &[]).stdout.contains("checkpoints"));
    let taken = bench.pipe(&["cache", "du", "spec.toml"]).stdout;
    assert!(taken.lines().any(|line| line.starts_with("(checkpoints)") && line.contains("8 B")), "{taken}");
    assert_eq!(checkpoints(), 1);
    let told = gc(&bench, &["--keep-checkpoints", "0s", "--dry-run"]).stdout;
    assert!(told.contains("would remove checkpoints: 1 file, 8 B"), "{told}");
    assert_eq!(checkpoints(), 1);
    let told = gc(&bench, &["--keep-checkpoints", "0s"]).stdout;
    assert!(told.contains("removed checkpoints: 1 file, 8 B"), "{told}");
    assert_eq!(checkpoints(), 0);
    // A rule that stands in the spec counts where none is typed.
    assert_eq!(bench.pipe(&["run", "spec.toml"]).code, Some(1));
    let spec = fs::read_to_string(bench.path("spec.toml")).unwrap();
    bench.write("spec.toml", &format!("{spec}[store]\nkeep = {{ checkpoints = \"0s\" }}\n"));
    assert!(gc(&bench, &[]).stdout.contains("removed checkpoints: 1 file"));
}

#[test]
fn a_pinned_result_outlives_everything_until_it_is_let_go() {
    let bench = Bench::with(SUM);
    bench.run();
    let said = bench.pipe(&["cache", "pin", "spec.toml", "sum", "--name", "best", "--json"]);
    assert_eq!((said.code, said.json()[0]["name"].as_str()), (Some(0), Some("best")), "{said:?}");
    let number = listed(&bench, &["number[n=1]"])[0]["fingerprint"].as_str().unwrap()[..12].to_owned();
    assert_eq!(bench.pipe(&["cache", "pin", "spec.toml", &number]).code, Some(0));
    let taken = bench.pipe(&["cache", "pin", "spec.toml", "number[n=2]", "--name", "best"]);
    assert!(taken.code == Some(2) && taken.stderr.contains("pins another result, of sum"), "{taken:?}");
    assert_eq!(bench.pipe(&["cache", "pin", "spec.toml", "number", "--name", "a/b"]).code, Some(2));

    assert!(gc(&bench, &["--keep", "0"]).stdout.contains("kept 2 pinned"));
    let left = listed(&bench, &[]);
    let pins: Vec<_> = left.iter().map(|row| (row["task"].as_str().unwrap(), row["pinned"].is_string())).collect();
    assert_eq!(pins, [("number[n=1]", true), ("sum", true)]);
    assert_eq!(bench.result("sum", "all"), "1\n2\n");

    for pin in ["best", "number"] {
        assert_eq!(bench.pipe(&["cache", "unpin", "spec.toml", pin]).code, Some(0));
    }
    assert_eq!(bench.pipe(&["cache", "unpin", "spec.toml", "best"]).code, Some(2));
    gc(&bench, &["--keep", "0"]);
    assert_eq!(listed(&bench, &[]).len(), 0);
    let said = bench.pipe(&["cache", "pin", "spec.toml", "sum"]);
    assert!(said.code == Some(2) && said.stderr.contains("no current result"), "{said:?}");
}

#[test]
fn what_is_not_as_it_was_filed_is_found_put_aside_and_made_again() {
    let bench = Bench::with(SUM);
    bench.run();
    let file = |task: &str, name: &str| {
        let row = listed(&bench, &[task])[0].clone();
        bench.path(row["folder"].as_str().unwrap()).join(name)
    };
    assert!(bench.pipe(&["cache", "verify", "spec.toml", "--deep"]).stdout.ends_with("all is well\n"));
    let (one, all) = (file("number[n=1]", "number"), file("sum", "all"));
    fs::remove_file(&one).unwrap();
    fs::remove_file(&all).unwrap();
    fs::write(&all, "1\n3\n").unwrap();

    let shallow = bench.pipe(&["cache", "verify", "spec.toml", "--dry-run"]);
    assert_eq!(shallow.code, Some(1));
    assert!(shallow.stdout.contains("number: is missing\n3 results, 3 files: 1 wrong\n"), "{}", shallow.stdout);
    let deep = bench.pipe(&["cache", "verify", "spec.toml", "--deep"]);
    assert_eq!(deep.code, Some(1));
    assert!(deep.stdout.contains("all: has other bytes than were filed"), "{}", deep.stdout);
    assert!(deep.stdout.contains("2 wrong, 2 put in quarantine"), "{}", deep.stdout);
    assert_eq!(bench.run().count("attempt_started"), 2);
    assert_eq!(bench.pipe(&["cache", "verify", "spec.toml", "--deep"]).code, Some(0));
}

#[test]
fn a_disk_that_is_away_makes_no_result_wrong() {
    let bench = Bench::with(SUM);
    bench.run();
    fs::rename(bench.path("out/data"), bench.path("away")).unwrap();
    let said = bench.pipe(&["cache", "verify", "spec.toml"]);
    assert!(said.code == Some(3) && said.stderr.contains("away or empty"), "{said:?}");
    fs::rename(bench.path("away"), bench.path("out/data")).unwrap();
    assert!(bench.pipe(&["run", "spec.toml"]).stderr.starts_with("nothing to do"));
}

#[test]
fn what_is_there_already_is_taken_in_as_the_result_of_a_task() {
    let bench = Bench::with(SUM);
    bench.write("mine", "7\n");
    let early = bench.pipe(&["cache", "adopt", "spec.toml", "sum", "mine"]);
    assert!(early.code == Some(2) && early.stderr.contains("key is not known before number[n=1]"), "{early:?}");
    let said = bench.pipe(&["cache", "adopt", "spec.toml", "number[n=1]", "mine"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stdout.starts_with("number[n=1]: 1 file, 2 B are its result now"), "{}", said.stdout);
    assert_eq!(bench.run().count("attempt_started"), 2, "the other number and the sum");
    assert_eq!(bench.result("sum", "all"), "7\n2\n");
    let row = &listed(&bench, &["number[n=1]"])[0];
    assert!(row["adopted"].as_str().unwrap().ends_with("/mine") && row["run"] == "adopted", "{row}");
    let folder = row["folder"].as_str().unwrap();
    assert!(fs::metadata(bench.path(folder).join("number")).unwrap().permissions().readonly());
    assert_eq!(bench.pipe(&["cache", "verify", "spec.toml", "--deep"]).code, Some(0));
    let manifest = fs::read_to_string(bench.path(&format!("out/{}", place(row)))).unwrap();
    let schema: Json = serde_json::from_str(include_str!("../../../schemas/manifest.v1.json")).unwrap();
    let manifest: Json = serde_json::from_str(&manifest).unwrap();
    assert!(jsonschema::is_valid(&schema, &manifest), "{manifest}");

    bench.write("mine", "8\n");
    let again = bench.pipe(&["cache", "adopt", "spec.toml", "number[n=1]", "mine"]);
    assert!(again.code == Some(2) && again.stderr.contains("has a result already"), "{again:?}");
    assert_eq!(bench.pipe(&["cache", "adopt", "spec.toml", "number[n=1]", "mine", "--force"]).code, Some(0));
    assert_eq!(bench.run().count("attempt_started"), 1);
    gc(&bench, &["--keep", "1"]);
    assert_eq!(bench.result("sum", "all"), "8\n2\n");
}

fn place(row: &Json) -> String {
    let fingerprint = row["fingerprint"].as_str().unwrap();
    format!("results/{}/{fingerprint}.json", &fingerprint[..2])
}

#[test]
fn what_a_task_could_not_have_made_is_not_taken_in() {
    let bench = Bench::with(&SUM.replace("outputs = [\"number\"]", "outputs = [\"number\", \"why/not\"]"));
    let adopt = |task: &str, path: &str| bench.pipe(&["cache", "adopt", "spec.toml", task, path]);
    fs::create_dir_all(bench.path("folder/why")).unwrap();
    bench.write("folder/number", "1");
    let said = adopt("number[n=1]", "folder");
    assert!(said.code == Some(2) && said.stderr.contains("has `why/not`, and this has not"), "{said:?}");
    assert_eq!(fs::read_dir(bench.path("out/data/sum/number")).unwrap().count(), 0, "nothing is left of it");
    assert_eq!(adopt("number[n=1]", "nowhere").code, Some(2));
    assert!(adopt("number", "folder").stderr.contains("names 2 tasks"));
    std::os::unix::fs::symlink(bench.path("folder"), bench.path("folder/round")).unwrap();
    assert!(adopt("number[n=1]", "folder").stderr.contains("a link leads to a folder"));
    fs::remove_file(bench.path("folder/round")).unwrap();
    bench.write("folder/why/not", "2");
    assert_eq!(adopt("number[n=1]", "folder").code, Some(0));
}

#[test]
fn a_data_set_is_taken_in_when_it_reads_as_one() {
    let bench = Bench::with(
        "version = 1\nname = \"set\"\n[stages.plays]\nkind = \"export\"\n\
         source = { type = \"sqlite\", path = \"plays.db\" }\nquery = \"select 1 as id, 'g' as game\"\n",
    );
    let database = rusqlite::Connection::open(bench.path("plays.db")).unwrap();
    database.execute_batch("create table t (a)").unwrap();
    drop(database);
    bench.write("plays.jsonl", "{\"id\": 1}\nhalf\n");
    let said = bench.pipe(&["cache", "adopt", "spec.toml", "plays", "plays.jsonl"]);
    assert!(said.code == Some(2) && said.stderr.contains("line 2 is not a JSON object"), "{said:?}");
    bench.write("plays.jsonl", "{\"id\": 1}\n");
    let said = bench.pipe(&["cache", "adopt", "spec.toml", "plays", "plays.jsonl"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(bench.pipe(&["run", "spec.toml"]).stderr.starts_with("nothing to do"));
}

/// `gc` is killed at moments that chance picks: a result that is found afterwards is whole, and a run makes the rest.
#[test]
fn gc_that_is_killed_leaves_misses_and_nothing_else() {
    let numbers: Vec<String> = (0..40).map(|n| n.to_string()).collect();
    let bench = Bench::with(&SUM.replace("[1, 2]", &format!("[{}]", numbers.join(", "))));
    bench.run();
    let whole = bench.result("sum", "all");
    for milliseconds in [20, 26, 32, 38, 44, 50] {
        let gc = bench.start(&[&["cache", "gc", "spec.toml", "--keep", "0"], &LATER[..]].concat());
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        gc.signal(rustix::process::Signal::KILL);
        drop(gc);
        let left = listed(&bench, &[]).len();
        let verified = bench.pipe(&["cache", "verify", "spec.toml", "--deep"]);
        // Where no bytes are left at all there are no results either, or else this would end with 3.
        assert_eq!(verified.code, Some(0), "after {milliseconds} ms, {left} results: {verified:?}");
        let made = bench.run().count("attempt_started");
        assert_eq!(made, 41 - left, "after {milliseconds} ms");
    }
    gc(&bench, &["--keep", "1"]);
    assert_eq!(bench.result("sum", "all"), whole);
}

#[test]
fn gc_goes_by_what_the_spec_says_and_first_by_what_is_typed() {
    let keep = "keep = { results = 1, younger_than = \"0s\", runs = 1, removed = \"0s\" }";
    let bench = Bench::with(&format!("{SUM}\n[store]\n{keep}\n"));
    run_with(&bench, &[0, 1, 2, 3]);
    let gc = |more: &[&str]| {
        let said = bench.pipe(&[&["cache", "gc", "spec.toml", "--json", "--min-age", "0s"], more].concat());
        assert_eq!(said.code, Some(0), "{said:?}");
        let json = said.json();
        let count = |what: &str| json[what].as_array().map_or(0, Vec::len);
        (count("removed"), count("runs"), json["forgotten"].as_u64().unwrap())
    };
    assert_eq!(gc(&["--dry-run", "--keep", "4"]), (0, 3, 0));
    assert_eq!(gc(&["--dry-run", "--older-than", "1d", "--keep-runs", "3"]), (0, 1, 0));
    assert_eq!(gc(&[]), (9, 3, 0), "three older results of three tasks");
    assert_eq!((listed(&bench, &[]).len(), listed(&bench, &["--removed"]).len()), (3, 12));
    assert_eq!(gc(&["--dry-run", "--keep-removed", "1d"]), (0, 0, 0));
    assert_eq!(gc(&[]), (0, 0, 9), "what is known of them is kept for no time at all");
    assert_eq!(listed(&bench, &["--removed"]).len(), 3);
    assert_eq!(bench.run().count("attempt_started"), 3, "what is gone is made again");
}

#[test]
fn a_volatile_export_is_asked_in_every_run_and_what_follows_is_a_hit_while_its_rows_are_the_same() {
    let spec = |id: &str, more: &str| {
        format!(
            "version = 1\nname = \"live\"\n[stages.plays]\nkind = \"export\"\n{more}\
             source = {{ type = \"sqlite\", path = \"plays.db\" }}\nquery = \"select {id} as id\"\n\
             [stages.count]\nkind = \"command\"\ninputs = {{ plays = {{ stage = \"plays\" }} }}\n\
             shell = \"wc -l < $PIPE_INPUT_PLAYS/plays.jsonl > $PIPE_OUTPUT/n\"\noutputs = [\"n\"]\n"
        )
    };
    let bench = Bench::with(&spec("7", "cache = false\n"));
    rusqlite::Connection::open(bench.path("plays.db")).unwrap().execute_batch("create table t (a)").unwrap();
    let run = || bench.pipe(&["run", "spec.toml"]).stderr;
    let held = |said: &str, counts: &str| assert!(said.contains(counts), "{counts}: {said}");
    held(&run(), "2 ran");
    held(&run(), "1 ran, 1 up to date");
    // The file is the same, and its answer is another each time.
    bench.write("spec.toml", &spec("abs(random())", "cache = false\n"));
    held(&run(), "2 ran");
    held(&run(), "2 ran");
    // Whoever does not say so is believed that a file that is the same gives the same rows.
    bench.write("spec.toml", &spec("abs(random())", ""));
    held(&run(), "2 ran");
    held(&run(), "nothing to do");
}
