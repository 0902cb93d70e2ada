//! What a plan and an explanation tell of earlier runs: how long it will take, what failed, what was cut short.

use crate::bench::{Bench, SUM};

#[test]
fn a_plan_tells_how_long_it_will_take_once_it_has_run_before() {
    let bench = Bench::with(&SUM.replace("echo number {{ n }};", "sleep 0.3;"));
    let first = bench.pipe(&["plan", "spec.toml"]).stdout;
    assert!(first.contains("\n  time   unknown, since nothing like it has run here\n"), "{first}");
    assert!(first.contains("\n  price  free, since all of it runs on this machine\n"), "{first}");
    bench.run();
    let again = ["plan", "spec.toml", "-P", "extra=1", "--cpu", "1"];
    let text = bench.pipe(&again).stdout;
    assert!(text.contains(" on 1 CPU, if all of it runs\n"), "{text}");
    let document = bench.pipe(&[&again[..], &["--json"]].concat()).json();
    let seconds = document["estimate"]["seconds"].as_f64().unwrap();
    assert!(seconds >= 0.6, "two that sleep 0.3 s, one after the other: {seconds}");
    assert_eq!(document["estimate"]["unknown_tasks"], 0);
    assert_eq!(document["estimate"]["price"]["amount"].as_f64(), Some(0.0));
    assert!(document["stages"][0]["seconds"].as_f64().unwrap() >= 0.6, "{document}");
    let more = bench.pipe(&["plan", "spec.toml", "-P", "numbers=[1, 2, 3]"]).stdout;
    assert!(!more.contains("never ran") && !more.contains("unknown"), "a new task takes as long as its like: {more}");
    let nothing = bench.pipe(&["plan", "spec.toml"]).stdout;
    assert!(nothing.ends_with("nothing to do: 3 tasks up to date\n"), "{nothing}");
}

#[test]
fn a_task_that_failed_says_so_until_it_succeeds() {
    let bench = Bench::with(&SUM.replace("echo number {{ n }};", "test -e @/there || exit 7;"));
    assert_eq!(bench.pipe(&["run", "spec.toml"]).code, Some(1));
    let plan = bench.pipe(&["plan", "spec.toml", "--json"]).json();
    assert_eq!(plan["tasks"][0]["reason"], "failed before: ended with exit code 7");
    let why = bench.pipe(&["explain", "spec.toml", "number[n=1]"]).stdout;
    assert!(why.contains(" s, and failed: ended with exit code 7; why: not run before\n"), "{why}");
    bench.write("there", "");
    let events = bench.run().events();
    let started = events.iter().find(|event| event["type"] == "attempt_started").unwrap();
    assert_eq!(started["reason"], "failed before: ended with exit code 7");
    assert_eq!(bench.pipe(&["plan", "spec.toml", "--json"]).json()["tasks"][0]["state"], "hit");
}

#[test]
fn a_task_that_was_cut_short_says_so() {
    let bench = Bench::with(&SUM.replace("echo number {{ n }};", "echo 1 > @/begun; sleep 30;"));
    let run = bench.start(&["run", "spec.toml", "--cpu", "1"]);
    bench.wait_for_run("begun");
    run.signal(rustix::process::Signal::INT);
    assert_eq!(run.wait().code, Some(130));
    let plan = bench.pipe(&["plan", "spec.toml", "--json"]).json();
    let reasons: Vec<&str> = plan["tasks"].as_array().unwrap().iter().filter_map(|t| t["reason"].as_str()).collect();
    assert_eq!(reasons, ["cut short before", "not run before"]);
}

#[test]
fn an_explanation_of_a_task_that_is_up_to_date_says_why_it_last_ran() {
    let bench = Bench::with(SUM);
    bench.run();
    assert_eq!(bench.pipe(&["run", "spec.toml", "-P", "extra=1"]).code, Some(0));
    let last =
        bench.pipe(&["explain", "spec.toml", "sum", "-P", "extra=1", "--json"]).json()[0]["last_attempt"].clone();
    assert_eq!(last["ended"], "succeeded");
    let reason = last["reason"].as_str().unwrap();
    assert!(reason.starts_with("2 of 8 fields changed: `numbers[n=1]` gives another result"), "{reason}");
    let before = bench.pipe(&["explain", "spec.toml", "sum"]).stdout;
    assert!(before.contains(" s, with another key; why: 2 of 8 fields changed: "), "{before}");
}

#[test]
fn a_stage_of_rows_that_are_not_known_yet_says_whose() {
    let bench = Bench::with(
        "version = 1\nname = \"rows\"\n[stages.games]\nkind = \"command\"\nargv = [\"true\"]\n\
         [stages.each]\nkind = \"command\"\nargv = [\"true\"]\nforeach = { stage = \"games\", key = \"id\" }\n",
    );
    let text = bench.pipe(&["plan", "spec.toml"]).stdout;
    let row = text.lines().find(|line| line.starts_with("each")).unwrap();
    assert!(row.contains(" ? ") && row.ends_with("waits for the rows of games"), "{text}");
    assert_eq!(bench.pipe(&["plan", "spec.toml", "--json"]).json()["stages"][1]["waits_for"], "games");
    let picture = bench.pipe(&["graph", "spec.toml", "--format", "svg"]).stdout;
    assert!(picture.contains(">command, tasks by rows to come<"), "{picture}");
}

#[test]
fn a_stage_that_says_how_long_it_should_take_is_believed_until_it_has_run() {
    let bench = Bench::with(&SUM.replace("kind = \"command\"", "kind = \"command\"\nexpect = \"10m\""));
    let plan = ["plan", "spec.toml", "--cpu", "1"];
    let text = bench.pipe(&plan).stdout;
    assert!(text.contains("\n  time   about 30 min on 1 CPU, if all of it runs\n"), "{text}");
    bench.run();
    let seconds = bench.pipe(&[&plan[..], &["-P", "extra=1", "--json"]].concat()).json()["estimate"]["seconds"].clone();
    assert!(seconds.as_f64().unwrap() < 600.0, "{seconds}");
}

#[cfg(feature = "cloud")]
#[test]
fn stages_that_run_elsewhere_say_where_and_for_how_much() {
    let elsewhere = "backend = \"jobs\"\ntimeout = \"1h\"\nexpect = \"10m\"\nresources = { cpu = 1, memory = \"512 MiB\" }\n\
                     inputs = { numbers";
    let jobs = "[store]\nroot = \"gs://bucket/x\"\n[backends.jobs]\nkind = \"cloud-run\"\nproject = \"p\"\n\
                region = \"us-central1\"\n[params]";
    let spec = SUM.replace("inputs = { numbers", elsewhere).replace("[params]", jobs);
    let bench = Bench::with(&spec);
    let text = bench.pipe(&["plan", "spec.toml", "--offline"]).stdout;
    let row = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(row("stage").contains("place") && row("stage").contains("price"), "{text}");
    assert!(row("sum").contains(" jobs ") && row("sum").contains(" USD "), "{text}");
    assert!(row("number").contains(" local ") && !row("number").contains("USD"), "{text}");
    let document = bench.pipe(&["plan", "spec.toml", "--json", "--offline"]).json();
    assert_eq!((&document["stages"][1]["place"], &document["stages"][0]["place"]), (&"jobs".into(), &"local".into()));
    let (one, all) = (&document["stages"][1]["price"]["amount"], &document["estimate"]["price"]["amount"]);
    assert!(one.as_f64().unwrap() > 0.0 && one == all, "{document}");
}

#[test]
fn the_report_of_a_run_says_for_each_task_hit_or_miss_and_why() {
    let bench = Bench::with(SUM);
    bench.run();
    let more = ["-P", "numbers=[1, 2, 3]"];
    assert_eq!(bench.pipe(&[&["run", "spec.toml"][..], &more].concat()).code, Some(0));
    let status = |how: &[&str]| bench.pipe(&[&["status", "spec.toml"][..], how].concat());
    let tasks = status(&["--json"]).json()["run"]["tasks"].take();
    let told = |task: &str| (tasks[task]["lookup"].as_str(), tasks[task]["why"].as_str());
    assert_eq!(told("number[n=1]"), (Some("hit"), None));
    assert_eq!(told("number[n=3]"), (Some("miss"), Some("not run before")));
    let (lookup, why) = told("sum");
    assert_eq!(lookup, Some("miss"));
    let why = why.unwrap();
    assert!(why.contains("fields changed") && why.contains("numbers[n=3]"), "{why}");
    let text = status(&[]).stdout;
    let short = text.split("\nwhy tasks ran\n").nth(1).unwrap_or_else(|| panic!("{text}"));
    assert!(short.contains("  number[n=3]  not run before\n") && short.contains(&format!("  {why}\n")), "{text}");
    assert!(!short.contains("n=1]  "), "what was a hit did not run: {text}");
    let list = status(&["--tasks"]).stdout;
    let words = |task: &str| -> Vec<String> {
        let line = list.lines().find(|line| line.starts_with(task)).unwrap_or_else(|| panic!("{list}"));
        line.split_whitespace().take(6).map(str::to_owned).collect()
    };
    assert_eq!(words("number[n=1]")[..6], ["number[n=1]", "up", "to", "date", "hit", "the"]);
    assert_eq!(words("number[n=3]")[..6], ["number[n=3]", "done", "miss", "not", "run", "before"]);
}

#[test]
fn what_was_skipped_or_never_looked_up_is_neither_hit_nor_miss() {
    let bench = Bench::with(&SUM.replace("echo number {{ n }};", "test {{ n }} != 1 || exit 7;"));
    assert_eq!(bench.pipe(&["run", "spec.toml"]).code, Some(1));
    let tasks = bench.pipe(&["status", "spec.toml", "--json"]).json()["run"]["tasks"].take();
    assert_eq!((tasks["sum"].get("lookup"), tasks["sum"]["because"].as_str()), (None, Some("number[n=1]")));
    let list = bench.pipe(&["status", "spec.toml", "--tasks"]).stdout;
    assert!(list.lines().any(|line| line.ends_with("because of number[n=1]")), "{list}");
}

#[test]
fn tasks_of_one_stage_that_ran_for_one_reason_are_one_line() {
    let bench = Bench::with(SUM);
    bench.run();
    let text = bench.pipe(&["status", "spec.toml"]).stdout;
    assert!(text.contains("  number (2 tasks)  not run before\n"), "{text}");
    bench.run();
    assert!(!bench.pipe(&["status", "spec.toml"]).stdout.contains("why tasks ran"));
}
