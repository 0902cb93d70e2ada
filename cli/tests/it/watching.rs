//! Runs that go on while somebody looks at them, follows what they write, or asks them to stop.

use crate::again::WAITS;
use crate::bench::{Bench, Said, lives, wait_until};
use rustix::process::Signal;
use std::process::Command;

/// A task that says `one`, waits for the file `go`, says `two` and fails; then again, and succeeds.
const TALKS: &str = r#"
version = 1
name = "talks"
[stages.talk]
kind = "command"
matrix.n = [1, 2]
argv = ["sh", "-c", "echo one {{ n }}; echo > @/begun; while ! test -e @/go; do sleep 0.05; done; echo two {{ n }}; test -e @/failed-{{ n }} || { > @/failed-{{ n }}; exit 1; }; printf end > $PIPE_OUTPUT/x; printf end"]
outputs = ["x"]
retry = { failed = 1, backoff = "10ms" }
"#;

fn interrupted(bench: &Bench) {
    let runs = bench.pipe(&["runs", "spec.toml", "--json"]).json();
    assert_eq!(runs[0]["state"], "interrupted", "{runs}");
}

#[test]
fn a_run_is_cancelled_as_by_ctrl_c() {
    let bench = Bench::with(WAITS);
    let engine = bench.start(&["run", "spec.toml"]);
    bench.wait_for_run("begun");
    let said = bench.pipe(&["cancel", "spec.toml"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stderr.contains(&format!("asking process {} to stop run ", engine.id())), "{said:?}");
    assert!(said.stderr.contains(": interrupted after ") && said.stderr.contains("1 stopped"), "{said:?}");
    interrupted(&bench);
    assert_eq!(engine.wait().code, Some(130));
    let again = bench.pipe(&["cancel", "spec.toml", "--json"]);
    assert_eq!((again.code, again.json()["state"].as_str()), (Some(0), Some("interrupted")));
    assert_eq!(again.stderr, "nothing to stop\n");
}

#[test]
fn a_run_is_cancelled_now_as_by_a_second_ctrl_c() {
    let bench = Bench::with(&WAITS.replace("echo begun", "trap '' TERM; echo begun"));
    let engine = bench.start(&["run", "spec.toml"]);
    bench.wait_for_run("begun");
    let said = bench.pipe(&["cancel", "spec.toml", "--no-wait"]);
    assert!(said.code == Some(0) && said.stderr.contains(": running (process "), "{said:?}");
    wait_until("the run to hear of it", || {
        bench.pipe(&["status", "spec.toml", "--json"]).json()["run"]["interrupted"] == true
    });
    // Asked once more without `--now`, nothing is killed: the second word would be the last.
    let said = bench.pipe(&["cancel", "spec.toml", "--no-wait"]);
    assert!(said.stderr.contains("has been asked to stop before; `--now` kills what runs"), "{said:?}");
    assert!(lives(&engine.id().to_string()));
    assert_eq!(bench.pipe(&["cancel", "spec.toml", "--now"]).code, Some(0));
    interrupted(&bench);
    let said = engine.wait();
    assert!(said.code == Some(130) && said.stderr.contains("stopping now: what runs is killed"), "{said:?}");
}

#[test]
fn now_says_both_words_by_itself() {
    let bench = Bench::with(&WAITS.replace("echo begun", "trap '' TERM; echo begun"));
    let engine = bench.start(&["run", "spec.toml"]);
    bench.wait_for_run("begun");
    let said = bench.pipe(&["cancel", "spec.toml", "--now"]);
    assert!(said.code == Some(0) && said.stderr.contains(": interrupted after "), "{said:?}");
    assert!(engine.wait().stderr.contains("stopping now"));
}

#[test]
fn only_the_run_that_is_named_is_cancelled() {
    let bench = Bench::with(WAITS);
    bench.write("go", "");
    bench.run();
    std::fs::remove_file(bench.path("go")).unwrap();
    std::fs::remove_file(bench.path("begun")).unwrap();
    let engine = bench.start(&["run", "spec.toml", "-P", "word=b"]);
    bench.wait_for_run("begun");
    let earlier = bench.pipe(&["cancel", "spec.toml", "latest~1"]);
    assert!(earlier.code == Some(0) && earlier.stderr.starts_with("nothing to stop\n"), "{earlier:?}");
    assert!(earlier.stderr.contains(": done after "), "{earlier:?}");
    bench.write("other.toml", &bench.read("spec.toml").replace("waits", "other"));
    let other = bench.pipe(&["cancel", "other.toml"]);
    assert!(other.code == Some(2) && other.stderr.contains("what runs is spec.toml"), "{other:?}");
    assert!(lives(&engine.id().to_string()));
    bench.write("go", "");
    assert_eq!(engine.wait().code, Some(0));
}

#[test]
fn a_stopped_engine_holds_its_folder_and_everybody_says_how_it_goes_on() {
    let bench = Bench::with(WAITS);
    let engine = bench.start(&["run", "spec.toml"]);
    bench.wait_for_run("begun");
    engine.signal(Signal::STOP);
    let process = engine.id().to_string();
    wait_until("the engine to stop", || {
        std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap().contains(") T ")
    });
    let help = format!("`kill -CONT {process}` lets it go on");
    let second = bench.pipe(&["run", "spec.toml"]);
    assert_eq!(second.code, Some(3), "{second:?}");
    assert!(second.stderr.contains(&format!("(process {process}, which is stopped)")), "{second:?}");
    assert!(second.stderr.contains(&help), "{second:?}");
    let waits = bench.start(&["run", "spec.toml", "--wait"]);
    let status = bench.pipe(&["status", "spec.toml"]);
    assert!(status.stdout.contains("which is stopped") && status.stdout.contains(&help), "{status:?}");
    assert_eq!(bench.pipe(&["logs", "spec.toml", "slow"]).code, Some(0), "readers wait for nobody");
    let cancel = bench.pipe(&["cancel", "spec.toml", "--no-wait"]);
    assert!(cancel.code == Some(0) && cancel.stderr.contains(&help), "{cancel:?}");
    assert!(lives(&process) && lives(&waits.id().to_string()));
    engine.signal(Signal::CONT);
    assert_eq!(engine.wait().code, Some(130), "it hears what it was asked while it was stopped");
    bench.write("go", "");
    let waits = waits.wait();
    assert!(waits.code == Some(0) && waits.stderr.contains(&help), "{waits:?}");
    let runs = bench.pipe(&["runs", "spec.toml", "--json"]).json();
    assert_eq!((&runs[0]["state"], &runs[1]["state"]), (&"done".into(), &"interrupted".into()));
}

#[test]
fn a_status_that_is_watched_ends_with_the_run_and_as_it_does() {
    let bench = Bench::with(&format!("{WAITS}\n[stages.bad]\nkind = \"command\"\nargv = [\"false\"]\n"));
    let engine = bench.start(&["run", "spec.toml"]);
    bench.wait_for_run("begun");
    wait_until("the other to fail", || bench.pipe(&["status", "spec.toml"]).stdout.contains("1 failed"));
    let text = bench.start(&["status", "spec.toml", "--watch"]);
    let json = bench.start(&["status", "spec.toml", "--watch", "--json"]);
    std::thread::sleep(std::time::Duration::from_millis(1000));
    bench.write("go", "");
    assert_eq!(engine.wait().code, Some(1));
    let text = text.wait();
    assert_eq!(text.code, Some(1), "{text:?}");
    let lines: Vec<&str> = text.stdout.lines().collect();
    assert!(lines[0].ends_with("1 failed, 1 running"), "{text:?}");
    assert!(lines.iter().any(|line| line.starts_with("run ") && line.contains(": failed after ")), "{text:?}");
    let json = json.wait();
    assert_eq!(json.code, Some(1));
    let events = json.events();
    assert_eq!((&events[0]["type"], &events.last().unwrap()["type"]), (&"run_started".into(), &"run_finished".into()));
    assert_eq!(bench.pipe(&["status", "spec.toml", "--watch"]).code, Some(1), "a run that has ended is shown once");
}

#[test]
fn a_run_whose_engine_is_killed_does_not_keep_those_who_watch_it() {
    let bench = Bench::with(WAITS);
    let engine = bench.start(&["run", "spec.toml"]);
    bench.wait_for_run("begun");
    let watch = bench.start(&["status", "spec.toml", "--watch"]);
    let logs = bench.start(&["logs", "spec.toml", "slow", "-f"]);
    std::thread::sleep(std::time::Duration::from_millis(300));
    engine.signal(Signal::KILL);
    let (watch, logs) = (watch.wait(), logs.wait());
    assert!(watch.code == Some(130) && watch.stdout.contains("cut short: its engine died"), "{watch:?}");
    assert_eq!(logs.code, Some(0), "{logs:?}");
}

#[test]
fn a_log_is_followed_through_all_attempts_until_the_task_ends() {
    let bench = Bench::with(TALKS);
    let engine = bench.start(&["run", "spec.toml", "--cpu", "2"]);
    bench.wait_for_run("begun");
    wait_until("both to begin", || bench.pipe(&["logs", "spec.toml", "talk"]).stdout.contains("one 2"));
    let one = bench.start(&["logs", "spec.toml", "talk[n=1]", "-f"]);
    let both = bench.start(&["logs", "spec.toml", "talk", "--follow", "--tail", "0"]);
    let json = bench.start(&["logs", "spec.toml", "talk[n=2]", "-f", "--json"]);
    std::thread::sleep(std::time::Duration::from_millis(1500));
    bench.write("go", "");
    assert_eq!(engine.wait().code, Some(0));
    let one = one.wait();
    assert_eq!((one.code, one.stdout.as_str()), (Some(0), "one 1\ntwo 1\none 1\ntwo 1\nend\n"), "{one:?}");
    assert_eq!(one.stderr.matches("== talk[n=1] (run ").count(), 2, "{one:?}");
    let both = both.wait();
    let of = |n: u8| both.stdout.lines().filter(|line| line.starts_with(&format!("talk[n={n}] | "))).count();
    assert_eq!(
        (of(1), of(2), both.stdout.lines().count()),
        (4, 4, 8),
        "`two` of the first, all of the second: {both:?}"
    );
    let lines = json.wait().events();
    assert_eq!((lines.len(), &lines[0]["line"], &lines[0]["task"]), (5, &"one 2".into(), &"talk[n=2]".into()));
}

#[test]
fn of_a_log_the_last_lines_are_shown_and_of_several_tasks_whose_they_are() {
    let bench = Bench::with(TALKS);
    bench.write("go", "");
    assert_eq!(bench.pipe(&["run", "spec.toml"]).code, Some(0));
    assert_eq!(bench.pipe(&["logs", "spec.toml", "talk[n=1]", "--tail", "2"]).stdout, "two 1\nend\n");
    let both = bench.pipe(&["logs", "spec.toml", "talk", "--tail", "2"]).stdout;
    assert_eq!(both, "talk[n=1] | two 1\ntalk[n=1] | end\ntalk[n=2] | two 2\ntalk[n=2] | end\n");
    let ended = bench.pipe(&["logs", "spec.toml", "talk[n=1]", "-f"]);
    assert_eq!(ended.stdout, "one 1\ntwo 1\nend\n", "nothing goes on, so there is nothing to wait for");
    assert_eq!(bench.pipe(&["logs", "spec.toml", "talk", "--since", "10m"]).stdout.lines().count(), 6);
    std::thread::sleep(std::time::Duration::from_millis(20));
    let none = bench.pipe(&["logs", "spec.toml", "talk", "--since", "1ms"]);
    assert_eq!((none.code, none.stdout.as_str()), (Some(0), ""));
    assert!(none.stderr.contains("`talk` wrote nothing in the last "), "{none:?}");
}

#[test]
fn tasks_that_come_to_be_known_while_the_run_goes_on_are_followed_too() {
    let bench = Bench::with(
        r#"
version = 1
name = "rows"
[stages.games]
kind = "command"
argv = ["sh", "-c", "echo > @/begun; while ! test -e @/go; do sleep 0.05; done; echo '[{\"id\": \"g1\"}, {\"id\": \"g2\"}]' > $PIPE_OUTPUT/rows.json"]
outputs = ["rows.json"]
[stages.clip]
kind = "command"
foreach = { stage = "games", key = "id" }
argv = ["sh", "-c", "echo cut $0", "{{ row.id }}"]
"#,
    );
    let engine = bench.start(&["run", "spec.toml"]);
    bench.wait_for_run("begun");
    let logs = bench.start(&["logs", "spec.toml", "clip", "-f"]);
    std::thread::sleep(std::time::Duration::from_millis(300));
    bench.write("go", "");
    assert_eq!(engine.wait().code, Some(0));
    let logs = logs.wait();
    let mut lines: Vec<&str> = logs.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["clip[id=g1] | cut g1", "clip[id=g2] | cut g2"], "{logs:?}");
}

/// `pipe` with these arguments behind `limit`, as a shell says it, and before `more`.
fn limited(bench: &Bench, limit: &str, arguments: &str, more: &str) -> Said {
    let line = format!("{limit}; exec \"$0\" {arguments} {more}");
    let line = if more.is_empty() { line } else { line.replace("exec ", "") };
    let mut command = Command::new("sh");
    bench.said(command.args(["-c", &line, env!("CARGO_BIN_EXE_pipe")]).current_dir(bench.path("")))
}

#[test]
fn of_a_task_that_writes_a_million_lines_the_first_and_the_last_are_there_at_once() {
    let bench = Bench::with(
        r#"
version = 1
name = "talks"
[stages.talk]
kind = "command"
argv = ["sh", "-c", "yes | head -n 1500000; echo last; echo > @/begun; while ! test -e @/go; do sleep 0.05; done"]
"#,
    );
    let engine = bench.start(&["run", "spec.toml"]);
    bench.wait_for_run("begun");
    wait_until("all of it to be in the log", || {
        bench.pipe(&["logs", "spec.toml", "talk", "--tail", "1"]).stdout == "last\n"
    });
    // Seconds of its own work, however busy the machine is; nobody reads the rest of it, so it ends.
    let first = limited(&bench, "ulimit -t 5", "logs spec.toml talk -f", "| head -n 3");
    assert_eq!(first.stdout, "y\ny\ny\n", "{first:?}");
    let last = bench.start(&["logs", "spec.toml", "talk", "-f", "--tail", "2"]);
    let whole = bench.start(&["logs", "spec.toml", "talk", "-f"]);
    bench.write("go", "");
    assert_eq!(engine.wait().code, Some(0));
    assert_eq!(last.wait().stdout, "y\nlast\n");
    assert_eq!(whole.wait().stdout.lines().count(), 1_500_001);
}

#[test]
fn a_log_that_is_larger_than_the_memory_is_shown_as_it_is() {
    let bench = Bench::with(&TALKS.replace("[1, 2]", "[1]"));
    bench.write("go", "");
    assert_eq!(bench.pipe(&["run", "spec.toml"]).code, Some(0));
    let told = bench.pipe(&["logs", "spec.toml", "talk", "--json"]).json();
    let log = bench.path(told[0]["path"].as_str().unwrap());
    // 32 MiB in lines, of bytes that are no text, and the last line has no end.
    let line = [&[0xff; 1023][..], b"\n"].concat();
    let mut bytes = line.repeat(32 * 1024);
    bytes.extend_from_slice(b"end");
    std::fs::write(&log, &bytes).unwrap();
    let digest = |more: &str| {
        let said = limited(&bench, "ulimit -d 30000", &format!("logs spec.toml talk {more}"), "| cksum");
        said.stdout.split_whitespace().nth(1).unwrap_or_default().parse::<usize>().unwrap()
    };
    assert_eq!(digest(""), bytes.len());
    // Each byte that is no text is a mark of three in JSON.
    assert!(digest("--json") > 3 * 1023 * 32 * 1024);
    assert_eq!(limited(&bench, "ulimit -d 30000", "logs spec.toml talk --tail 1", "").stdout, "end");
}

#[test]
fn the_attempt_whose_log_is_asked_for_is_found_in_the_journal() {
    let bench = Bench::with(TALKS);
    bench.write("go", "");
    assert_eq!(bench.pipe(&["run", "spec.toml"]).code, Some(0));
    for folder in std::fs::read_dir(bench.path(".pipe/attempts")).unwrap() {
        std::fs::write(folder.unwrap().path().join("attempt.json"), "of another version").unwrap();
    }
    let newest = bench.pipe(&["logs", "spec.toml", "talk[n=1]"]);
    assert_eq!(newest.stdout, "one 1\ntwo 1\nend\n", "{newest:?}");
    let numbered = bench.pipe(&["logs", "spec.toml", "talk[n=2]", "--attempt", "1"]);
    assert_eq!(numbered.stdout, "one 2\ntwo 2\n", "{numbered:?}");
    let none = bench.pipe(&["logs", "spec.toml", "talk[n=2]", "--attempt", "7"]);
    assert!(none.code == Some(2) && none.stderr.contains("there are 1, 2"), "{none:?}");
}
