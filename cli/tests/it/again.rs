//! Runs that are listed, gone on with and done again: what of them is remembered, and what of them is asked for anew.

use crate::bench::{Bench, SUM};
use rustix::process::Signal;
use serde_json::{Value as Json, json};

/// Two tasks of which the second fails until the file `there` is, one that follows, and one that has no part in it. Each
/// adds a line to `ran`.
const FAILS: &str = r#"
version = 1
name = "fails"

[params]
numbers = [1, 2]
extra = 0

[stages.number]
kind = "command"
matrix.n = "{{ params.numbers }}"
argv = ["sh", "-c", "echo number-{{ n }} >> @/ran; test {{ n }} = 1 || test -e @/there && echo {{ params.extra }} > $PIPE_OUTPUT/x"]
outputs = ["x"]

[stages.sum]
kind = "command"
argv = ["sh", "-c", "echo sum >> @/ran; cat $PIPE_INPUT_NUMBERS/*/x > $PIPE_OUTPUT/x"]
inputs = { numbers = { stage = "number" } }
outputs = ["x"]

[stages.other]
kind = "command"
argv = ["sh", "-c", "echo other >> @/ran; echo > $PIPE_OUTPUT/x"]
outputs = ["x"]

[profiles.large]
params = { numbers = [1, 2, 3] }
"#;

/// One task that goes on until the file `go` is there.
pub(crate) const WAITS: &str = r#"
version = 1
name = "waits"
[params]
word = "a"
[stages.slow]
kind = "command"
argv = ["sh", "-c", "echo begun > @/begun; while ! test -e @/go; do sleep 0.05; done; echo {{ params.word }} > $PIPE_OUTPUT/x"]
outputs = ["x"]
"#;

/// What ran since the last look, sorted.
fn ran(bench: &Bench) -> Vec<String> {
    let text = std::fs::read_to_string(bench.path("ran")).unwrap_or_default();
    let _ = std::fs::remove_file(bench.path("ran"));
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn runs(bench: &Bench) -> Vec<Json> {
    bench.pipe(&["runs", "spec.toml", "--json"]).json().as_array().unwrap().clone()
}

/// A run of the spec that was killed while its task ran.
fn killed(bench: &Bench, more: &[&str]) {
    let engine = bench.start(&[&["run", "spec.toml"], more].concat());
    bench.wait_for_run("begun");
    engine.signal(Signal::KILL);
    assert_eq!(engine.wait().code, None);
    std::fs::remove_file(bench.path("begun")).unwrap();
}

#[test]
fn runs_are_listed_newest_first_with_how_each_ended_and_what_it_was_asked() {
    let bench = Bench::with(WAITS);
    assert!(bench.pipe(&["runs", "spec.toml"]).stderr.contains("spec.toml was never run"));
    killed(&bench, &[]);
    let engine = bench.start(&["run", "spec.toml", "-P", "word=b", "--fail-fast"]);
    bench.wait_for_run("begun");
    let states: Vec<Json> = runs(&bench).iter().map(|run| run["state"].clone()).collect();
    assert_eq!(states, ["running", "died"], "the folder is held, and not by the run that died");
    engine.signal(Signal::INT);
    engine.wait();
    bench.write("go", "");
    assert_eq!(bench.pipe(&["run", "spec.toml", "--only", "slow"]).code, Some(0));
    let listed = runs(&bench);
    let states: Vec<&Json> = listed.iter().map(|run| &run["state"]).collect();
    assert_eq!(states, ["done", "interrupted", "died"]);
    assert_eq!(listed[1]["asked"]["params"], json!({ "word": "b" }));
    assert_eq!((&listed[0]["counts"]["succeeded"], &listed[1]["counts"]["cancelled"]), (&json!(1), &json!(1)));
    let text = bench.pipe(&["runs", "spec.toml", "-n", "2"]);
    let lines: Vec<&str> = text.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{text:?}");
    assert!(lines[0].starts_with("run ") && lines[0].ends_with("asked for"), "{text:?}");
    assert!(lines[1].contains("  done  ") && lines[1].contains("1 ran") && lines[1].ends_with("--only slow"));
    assert!(lines[2].contains("  interrupted  ") && lines[2].ends_with("--fail-fast -P word=b"), "{text:?}");
    assert!(text.stderr.contains("there are older ones"), "{text:?}");
}

#[test]
fn a_run_is_resumed_with_its_parameters_whatever_the_spec_and_the_environment_say_by_now() {
    let bench = Bench::with(WAITS);
    killed(&bench, &["-P", "word=b"]);
    bench.write("go", "");
    bench.write("spec.toml", &bench.read("spec.toml").replace("word = \"a\"", "word = \"c\""));
    let run = runs(&bench)[0]["run"].as_str().unwrap().to_owned();
    let mut resume = bench.command(&["resume", "spec.toml", &run[..run.len() - 1], "--json"]);
    let said = bench.said(resume.env("PIPE_PARAM_WORD", "d"));
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stderr.contains(&format!("going on from run {run} of ")), "{said:?}");
    assert!(said.stderr.contains("cut short: its engine died"), "{said:?}");
    assert_eq!(said.events()[0]["params"]["word"], "b");
    // From here on without the spec's name, and from another folder.
    std::fs::create_dir(bench.path("elsewhere")).unwrap();
    let mut resume = bench.command(&["resume", "latest", "--state", "../.pipe", "--json"]);
    let said = bench.said(resume.current_dir(bench.path("elsewhere")));
    assert_eq!((said.code, said.count("attempt_started")), (Some(0), 0), "{said:?}");
    assert_eq!(said.events()[0]["params"]["word"], "b");
}

#[test]
fn parameters_of_every_type_come_back_as_they_were() {
    let params = r#"text = { type = "string", default = "1" }
whole = 1
part = { type = "number", default = 1 }
is = false
list = ["a"]
table = { type = "table", default = {} }
"#;
    let echo = r#"argv = ["echo", "{{ params.text }}{{ params.whole }}{{ params.part }}{{ params.is }}{{ params.list }}{{ params.table }}"]"#;
    let spec = format!("version = 1\nname = \"types\"\n[params]\n{params}[stages.a]\nkind = \"command\"\n{echo}\n");
    let bench = Bench::with(&spec);
    let given = [
        "text=007 \"it's\"\n\\u{e9}",
        "whole=-3",
        "part=1e30",
        "is=true",
        "list=[1, \"b\\\"\\n\", [2.5, true], {k = \"v\"}]",
        "table={\"a b\" = [1], c = {d = \"é\\u0001\"}}",
    ];
    let typed: Vec<&str> = given.iter().flat_map(|param| ["-P", param]).collect();
    let first = bench.pipe(&[&["run", "spec.toml", "--json"][..], &typed].concat());
    assert_eq!(first.code, Some(0), "{first:?}");
    let again = bench.pipe(&["resume", "spec.toml", "--json"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(again.events()[0]["params"], first.events()[0]["params"]);
    assert_eq!(again.count("attempt_started"), 0, "equal to the last byte of the key");
}

#[test]
fn a_run_is_resumed_with_its_profile_and_parts_and_without_those_of_the_environment() {
    let bench = Bench::with(FAILS);
    bench.write("there", "");
    assert_eq!(bench.pipe(&["run", "spec.toml", "--only", "number", "--profile", "large"]).code, Some(0));
    assert_eq!(ran(&bench), ["number-1", "number-2", "number-3"]);
    let said = bench.pipe(&["resume", "spec.toml", "--json"]);
    assert_eq!(said.events().last().unwrap()["cached"], 3, "{said:?}");
    assert_eq!(bench.pipe(&["run", "spec.toml", "--until", "number"]).code, Some(0));
    let said = bench.said(bench.command(&["resume", "spec.toml", "--json"]).env("PIPE_PROFILE", "large"));
    assert_eq!(said.events().last().unwrap()["cached"], 2, "{said:?}");
}

#[test]
fn a_run_of_a_revision_is_resumed_as_of_the_same_commit() {
    let bench = Bench::with(SUM);
    let git = |arguments: &str| {
        let mut git = std::process::Command::new("git");
        git.args(["-c", "user.name=a", "-c", "user.email=a@b"]).args(arguments.split(' ')).current_dir(bench.path(""));
        assert!(git.output().unwrap().status.success(), "{arguments}");
    };
    git("init -q -b main");
    git("add spec.toml");
    git("commit -q -m one");
    assert_eq!(bench.pipe(&["run", "spec.toml", "--at", "main"]).code, Some(0));
    bench.write("spec.toml", &SUM.replace("[1, 2]", "[1, 2, 3]"));
    git("commit -q -a -m two");
    let said = bench.pipe(&["resume", "spec.toml", "--json"]);
    assert_eq!(said.events()[0]["params"]["numbers"], json!([1, 2]), "{said:?}");
    assert_eq!(said.count("attempt_started"), 0, "main is another commit by now");
    bench.write("other", "");
    git("add other");
    let listed = runs(&bench);
    assert_eq!((&listed[0]["dirty"], &listed[0]["commit"]), (&json!(false), &listed[1]["commit"]));
    assert_eq!(bench.pipe(&["run", "spec.toml"]).code, Some(0));
    let text = bench.pipe(&["runs", "spec.toml"]).stdout;
    assert!(text.lines().nth(1).unwrap().contains(" dirty"), "{text}");
}

#[test]
fn a_run_that_goes_on_is_not_resumed() {
    let bench = Bench::with(WAITS);
    let engine = bench.start(&["run", "spec.toml"]);
    bench.wait_for_run("begun");
    for arguments in
        [&["resume", "spec.toml"][..], &["resume", "latest", "--wait"], &["rerun", "spec.toml", "--failed"]]
    {
        let said = bench.pipe(arguments);
        assert_eq!(said.code, Some(3), "{said:?}");
        assert!(said.stderr.contains(&format!("goes on still (process {})", engine.id())), "{said:?}");
    }
    bench.write("go", "");
    assert_eq!(engine.wait().code, Some(0));
}

#[test]
fn what_failed_and_what_follows_it_is_run_again_and_nothing_else() {
    let bench = Bench::with(FAILS);
    assert_eq!(bench.pipe(&["run", "spec.toml", "-P", "extra=5"]).code, Some(1));
    assert_eq!(ran(&bench), ["number-1", "number-2", "other"]);
    bench.write("there", "");
    // Nobody asked for this one: it is another stage's.
    bench.write("spec.toml", &bench.read("spec.toml").replace("echo other >>", "echo changed >>"));
    let said = bench.pipe(&["rerun", "spec.toml", "--failed"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stderr.contains("1 task failed in run ") && said.stderr.contains(": number[n=2]\n"), "{said:?}");
    assert_eq!(ran(&bench), ["number-2", "sum"]);
    assert_eq!(runs(&bench)[0]["asked"]["from"], json!(["number[n=2]"]));
    assert_eq!(runs(&bench)[0]["params"]["extra"], 5, "what the run was given is given again");
    let said = bench.pipe(&["rerun", "spec.toml", "--failed"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stderr.starts_with("nothing failed in run ") && said.stderr.ends_with(": done\n"), "{said:?}");
    let said = bench.pipe(&["rerun", "spec.toml", "--failed", "latest~1"]);
    assert!(said.stderr.contains("nothing to do: 3 of 3 tasks are up to date"), "{said:?}");
}

#[test]
fn what_was_put_right_in_the_spec_counts_when_what_failed_runs_again() {
    let bench = Bench::with(&FAILS.replace("test -e @/there", "test {{ params.extra }} = 7"));
    assert_eq!(bench.pipe(&["run", "spec.toml", "--only", "number"]).code, Some(1));
    bench.write("spec.toml", &bench.read("spec.toml").replace("extra = 0", "extra = 7"));
    assert_eq!(ran(&bench), ["number-1", "number-2"]);
    let said = bench.pipe(&["rerun", "spec.toml", "--failed"]);
    assert_eq!((said.code, ran(&bench)), (Some(0), vec!["number-2".to_owned()]), "{said:?}");
}

#[test]
fn rerun_says_what_it_could_be() {
    let bench = Bench::with(SUM);
    let said = bench.pipe(&["rerun", "spec.toml"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.stderr.contains("`--failed`") && said.stderr.contains("pipe resume spec.toml"), "{said:?}");
    let said = bench.pipe(&["rerun", "spec.toml", "--failed"]);
    assert!(said.code == Some(2) && said.stderr.contains("there is no run `latest` of spec.toml"), "{said:?}");
}

#[test]
fn two_specs_in_one_folder_have_newest_runs_of_their_own() {
    let bench = Bench::with(SUM);
    bench.write("other.toml", &SUM.replace("name = \"sum\"", "name = \"other\"").replace("[1, 2]", "[8, 9]"));
    bench.run();
    assert_eq!(bench.pipe(&["run", "other.toml"]).code, Some(0));
    assert_eq!(runs(&bench).len(), 1);
    let newest = bench.pipe(&["runs", "other.toml", "--json"]).json()[0]["run"].as_str().unwrap().to_owned();
    let said = bench.pipe(&["resume", "spec.toml", &newest]);
    assert!(said.code == Some(2) && said.stderr.contains("help: it is one of other.toml"), "{said:?}");
    let said = bench.pipe(&["resume", "spec.toml", "--json"]);
    assert_eq!(said.events()[0]["params"]["numbers"], json!([1, 2]), "{said:?}");
}

#[test]
fn a_journal_of_an_older_version_is_listed_and_resumed() {
    let bench = Bench::with(SUM);
    assert_eq!(bench.pipe(&["run", "spec.toml", "-P", "extra=5"]).code, Some(0));
    let journal = rusqlite::Connection::open(bench.path(".pipe/journal.db")).unwrap();
    let changed = journal.execute("update events set json = json_remove(json, '$.asked') where seq = 1", []).unwrap();
    assert_eq!(changed, 1);
    drop(journal);
    assert_eq!(runs(&bench)[0]["asked"], Json::Null);
    let said = bench.pipe(&["resume", "spec.toml", "--json"]);
    assert_eq!((said.code, said.count("attempt_started")), (Some(0), 0), "{said:?}");
    assert_eq!(said.events()[0]["params"]["extra"], 5);
}
