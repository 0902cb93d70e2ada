//! What a night run is trusted with: nothing half-made, nothing under a wrong key, nothing lost by looking.

use crate::bench::Bench;
use rustix::process::Signal;
use std::fs;

/// A spec with these stages.
fn spec(stages: &str) -> Bench {
    Bench::with(&format!("version = 1\nname = \"sum\"\n{stages}"))
}

#[test]
fn a_program_that_says_all_is_well_when_it_is_stopped_publishes_nothing() {
    let bench = spec(
        "[stages.slow]\nkind = \"command\"\ntimeout = \"300ms\"\noutputs = [\"o\"]\n\
         argv = [\"sh\", \"-c\", \"trap 'exit 0' TERM; echo half > $PIPE_OUTPUT/o; sleep 30 & wait\"]\n",
    );
    let said = bench.pipe(&["run", "spec.toml"]);
    assert_eq!(said.code, Some(1), "{}", said.stderr);
    assert!(said.stderr.contains("timeout"), "{}", said.stderr);
    assert_eq!(bench.pipe(&["run", "spec.toml"]).code, Some(1), "the half was kept for good");
}

#[test]
fn an_input_that_changes_while_it_is_used_is_not_filed_under_its_old_key() {
    let bench = spec(
        "[stages.copy]\nkind = \"command\"\ninputs = { x = { file = \"x.txt\" } }\noutputs = [\"o\"]\n\
         argv = [\"sh\", \"-c\", \"echo new > $1; cat $PIPE_INPUT_X > $PIPE_OUTPUT/o\", \"sh\", \"{{ params.x }}\"]\n\
         [params]\nx = \"?\"\n",
    );
    bench.write("x.txt", "old\n");
    let set = format!("x={}", bench.path("x.txt").display());
    let said = bench.pipe(&["run", "spec.toml", "-P", &set]);
    assert_eq!(said.code, Some(1), "{}", said.stderr);
    assert!(said.stderr.contains("changed while it was used"), "{}", said.stderr);
    bench.write("x.txt", "old\n");
    let again = bench.pipe(&["run", "spec.toml", "-P", &set, "--json"]);
    assert_eq!(again.count("tasks_cached"), 0);
}

#[test]
fn looking_at_a_plan_leaves_a_store_whose_files_are_away_as_it_is() {
    let bench = spec(
        "[stages.one]\nkind = \"command\"\noutputs = [\"o\"]\nargv = [\"sh\", \"-c\", \"echo 1 > $PIPE_OUTPUT/o\"]\n",
    );
    assert_eq!(bench.pipe(&["run", "spec.toml"]).code, Some(0));
    fs::rename(bench.path("out/data"), bench.path("away")).unwrap();
    assert_eq!(bench.pipe(&["plan", "spec.toml"]).code, Some(0));
    assert_eq!(bench.pipe(&["explain", "spec.toml", "one"]).code, Some(0));
    fs::rename(bench.path("away"), bench.path("out/data")).unwrap();
    assert!(bench.pipe(&["run", "spec.toml"]).stderr.contains("nothing to do"));
}

#[test]
fn tasks_that_are_the_same_work_do_not_meet() {
    let one = |name: &str| {
        format!(
            "[stages.{name}]\nkind = \"command\"\noutputs = [\"o\"]\n\
             argv = [\"sh\", \"-c\", \"echo 1 > here && sleep 0.2 && cp here $PIPE_OUTPUT/o\"]\n"
        )
    };
    let stages: String = ["a", "b", "c", "d", "e", "f"].map(one).concat();
    let bench = spec(&stages);
    let said = bench.pipe(&["run", "spec.toml", "--cpu", "6", "--json"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let ended = &said.events().last().unwrap().clone();
    assert_eq!(ended["failed"], 0, "{ended}");
}

#[test]
fn limits_may_be_templates() {
    let bench = spec(
        "[params]\nlimit = \"200ms\"\n[stages.slow]\nkind = \"command\"\ntimeout = \"{{ params.limit }}\"\n\
         argv = [\"sleep\", \"30\"]\n",
    );
    let said = bench.pipe(&["run", "spec.toml"]);
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("0.2 s"), "{}", said.stderr);
}

#[test]
fn names_that_would_leave_the_store_are_refused() {
    let bench = Bench::with(
        "version = 1\nname = \"../up\"\n[stages.\"a/../b\"]\nkind = \"command\"\nargv = [\"true\"]\n\
         [stages.c]\nkind = \"command\"\nargv = [\"true\"]\ninputs = { m = { stage = \"a/../b\" }, M = { stage = \"a/../b\" } }\n",
    );
    let said = bench.pipe(&["validate", "spec.toml"]);
    assert_eq!(said.code, Some(2));
    for part in ["`../up` cannot be the name", "`a/../b` cannot be the name", "would be the same variable"] {
        assert!(said.stderr.contains(part), "{part}: {}", said.stderr);
    }
}

#[test]
fn a_program_sees_the_same_language_and_time_zone_whoever_starts_it() {
    let bench = spec(
        "[stages.zone]\nkind = \"command\"\noutputs = [\"o\"]\nargv = [\"sh\", \"-c\", \"echo $TZ $LC_ALL > $PIPE_OUTPUT/o\"]\n",
    );
    let run = bench.command(&["run", "spec.toml"]).env("TZ", "Asia/Tokyo").env("LC_ALL", "C").status().unwrap();
    assert!(run.success());
    assert_eq!(bench.result("zone", "o"), "UTC C.UTF-8\n");
}

#[test]
fn a_run_under_nohup_hears_no_hang_up() {
    let bench = spec(
        "[stages.nap]\nkind = \"command\"\noutputs = [\"o\"]\n\
         argv = [\"sh\", \"-c\", \"echo 1 > $PIPE_OUTPUT/o; sleep 1\"]\n",
    );
    let mut shell = std::process::Command::new("nohup")
        .arg(env!("CARGO_BIN_EXE_pipe"))
        .args(["run", "spec.toml"])
        .current_dir(bench.path(""))
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(400));
    let process = rustix::process::Pid::from_raw(shell.id().cast_signed()).unwrap();
    rustix::process::kill_process(process, Signal::HUP).unwrap();
    assert_eq!(shell.wait().unwrap().code(), Some(0));
}

#[test]
fn a_program_that_never_stops_talking_does_not_fill_the_memory() {
    let bench = spec("[stages.talk]\nkind = \"command\"\nargv = [\"sh\", \"-c\", \"yes | head -n 3000000\"]\n");
    let started = bench.start(&["run", "spec.toml"]);
    let status = format!("/proc/{}/status", started.id());
    let mut highest = 0;
    while let Ok(text) = fs::read_to_string(&status) {
        let Some(line) = text.lines().find_map(|l| l.strip_prefix("VmHWM:")) else { break };
        highest = line.trim().trim_end_matches(" kB").parse::<u64>().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(started.wait().code, Some(0));
    assert!(highest < 100_000, "{highest} kB");
}

/// A stage that makes `x`, and one that takes it; both by these shell lines.
fn two(first: &str, second: &str) -> String {
    let stage = |name: &str, rest: &str, shell: &str| {
        format!("[stages.{name}]\nkind = \"command\"\noutputs = [\"x\"]\n{rest}shell = '''{shell}'''\n")
    };
    let takes = "inputs = { a = { stage = \"a\" } }\n";
    format!("version = 1\nname = \"two\"\n{}{}", stage("a", "", first), stage("b", takes, second))
}

const MAKE: &str = "echo aaaa > $PIPE_OUTPUT/x";
const COPY: &str = "cat $PIPE_INPUT_A/x > $PIPE_OUTPUT/x";

#[test]
fn a_program_that_changes_what_it_is_given_has_failed_and_what_it_changed_is_made_anew() {
    // Whoever owns a file can write to it, however read-only it is.
    let changes = "f=$(readlink -f $PIPE_INPUT_A/x); chmod u+w $f; echo bbbb > $f; cat $f > $PIPE_OUTPUT/x";
    let bench = Bench::with(&two(MAKE, changes));
    let said = bench.pipe(&["run", "spec.toml"]);
    assert_eq!(said.code, Some(1), "{}", said.stderr);
    assert!(said.stderr.contains("was changed while it ran: it was put in quarantine"), "{}", said.stderr);
    assert!(said.stderr.contains("let the task change a copy of it"), "{}", said.stderr);
    bench.write("spec.toml", &format!("{}publish = {{ x = \"x.txt\" }}\n", two(MAKE, COPY)));
    let again = bench.pipe(&["run", "spec.toml", "--json"]);
    assert_eq!((again.code, again.count("task_succeeded")), (Some(0), 2), "{}", again.stderr);
    assert_eq!(fs::read_to_string(bench.path("x.txt")).unwrap(), "aaaa\n");
}

#[test]
fn a_result_that_was_changed_in_the_store_is_given_to_no_task() {
    let bench = Bench::with(&two(MAKE, COPY));
    assert_eq!(bench.pipe(&["run", "spec.toml"]).code, Some(0));
    // The same number of bytes, as a disk that is dying leaves it.
    shell(&bench, "find out/data/two/a -name x -exec chmod u+w {} + -exec sh -c 'echo bbbb > $1' sh {} \\;");
    bench.write("spec.toml", &two(MAKE, "sed s/a/A/ $PIPE_INPUT_A/x > $PIPE_OUTPUT/x"));
    let said = bench.pipe(&["run", "spec.toml"]);
    assert!(said.stderr.contains("is not what was filed: it was put in quarantine"), "{}", said.stderr);
    assert!(said.stderr.contains("running again: what was put in quarantine is made anew"), "{}", said.stderr);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert_eq!(shell(&bench, "cat $(find out/data/two/b -name x | sort | tail -n 1)"), "Aaaa\n");
}

/// What these shell lines say in the folder of a bench.
fn shell(bench: &Bench, lines: &str) -> String {
    let ended = std::process::Command::new("sh").args(["-c", lines]).current_dir(bench.path("")).output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
    String::from_utf8(ended.stdout).unwrap()
}

#[test]
fn a_result_that_was_only_touched_is_as_good_as_before() {
    let bench = Bench::with(&two(MAKE, COPY));
    assert_eq!(bench.pipe(&["run", "spec.toml"]).code, Some(0));
    shell(&bench, "find out/data -name x -exec touch {} +");
    bench.write("spec.toml", &two(MAKE, "sed s/a/A/ $PIPE_INPUT_A/x > $PIPE_OUTPUT/x"));
    let again = bench.pipe(&["run", "spec.toml", "--json"]);
    assert_eq!(
        (again.code, again.count("task_succeeded"), again.count("tasks_cached")),
        (Some(0), 1, 1),
        "{}",
        again.stderr
    );
}
