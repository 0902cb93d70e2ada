//! Runs that do not end by themselves: signals, a killed engine, a folder that is taken.

use crate::bench::{Bench, lives, wait_until};
use rustix::process::Signal;

/// One task that goes on until the file `go` is there, with a child and a grandchild; another that is quick.
const SLOW: &str = r#"
version = 1
name = "slow"

[stages.quick]
kind = "command"
argv = ["sh", "-c", "echo 1 > $PIPE_OUTPUT/x"]
outputs = ["x"]

[stages.slow]
kind = "command"
argv = ["sh", "-c", "test -e @/go || { sleep 300 & echo $! > @/grandchild; echo $$ > @/child; while ! test -e @/go; do sleep 0.05; done; kill $!; }; echo 1 > $PIPE_OUTPUT/x"]
inputs = { quick = { stage = "quick" } }
outputs = ["x"]
"#;

fn dies(bench: &Bench, name: &str) {
    let process = bench.read(name);
    wait_until(&format!("the end of the {name} {process}"), || !lives(&process));
}

#[test]
fn ctrl_c_ends_the_children_and_the_next_run_goes_on() {
    let bench = Bench::with(SLOW);
    let engine = bench.start(&["run", "spec.toml"]);
    bench.wait_for("child");
    engine.signal(Signal::INT);
    let said = engine.wait();
    assert_eq!(said.code, Some(130), "{said:?}");
    assert!(said.stderr.contains("stopping: nothing more is started"), "{}", said.stderr);
    assert!(said.stderr.contains("interrupted in "), "{}", said.stderr);
    dies(&bench, "child");
    dies(&bench, "grandchild");
    bench.write("go", "now");
    let next = bench.run();
    assert_eq!(next.count("attempt_started"), 1, "what was finished is kept");
}

#[test]
fn a_second_ctrl_c_kills_what_does_not_listen() {
    let stubborn = SLOW.replace("test -e @/go ||", "trap '' TERM; test -e @/go ||");
    let bench = Bench::with(&stubborn);
    let engine = bench.start(&["run", "spec.toml", "--json"]);
    bench.wait_for("child");
    engine.signal(Signal::INT);
    // The second would be one with the first if it came before the first was heard.
    std::thread::sleep(std::time::Duration::from_millis(300));
    engine.signal(Signal::INT);
    let said = engine.wait();
    assert_eq!(said.code, Some(130), "{said:?}");
    let last = said.events().pop().unwrap();
    assert_eq!((last["type"].as_str(), last["cancelled"].as_u64()), (Some("run_finished"), Some(1)));
    dies(&bench, "child");
    dies(&bench, "grandchild");
}

#[test]
fn a_killed_engine_needs_no_manual_step_twice_in_a_row() {
    let bench = Bench::with(SLOW);
    for _ in 0..2 {
        let engine = bench.start(&["run", "spec.toml"]);
        bench.wait_for("child");
        engine.signal(Signal::KILL);
        assert_eq!(engine.wait().code, None);
        let status = bench.pipe(&["status", "spec.toml"]);
        assert!(status.stdout.contains("its engine died"), "{status:?}");
        std::fs::rename(bench.path("child"), bench.path("orphan")).unwrap();
    }
    bench.write("go", "now");
    let next = bench.run();
    assert_eq!(next.count("attempt_started"), 1);
    dies(&bench, "orphan");
    dies(&bench, "grandchild");
}

/// A shell that is being killed may start one more program between the look and the kill.
#[test]
fn nobody_outlives_a_dead_engine_however_fast_it_starts_others() {
    let restless = "[stages.restless]\nkind = \"command\"\noutputs = [\"x\"]\nshell = '''test -e @/go || { \
                    echo 1 > @/child; while :; do sleep 60 & sleep 0.002; done; }; echo 1 > $PIPE_OUTPUT/x'''\n";
    let bench = Bench::with(&format!("version = 1\nname = \"restless\"\n{restless}"));
    let engine = bench.start(&["run", "spec.toml"]);
    bench.wait_for("child");
    std::thread::sleep(std::time::Duration::from_millis(300));
    engine.signal(Signal::KILL);
    engine.wait();
    bench.write("go", "now");
    bench.run();
    assert_eq!(children_of(&bench.path(".pipe")), Vec::<String>::new());
}

/// Runs a spec whose task writes `child`, kills the engine once what it has noted is enough, and runs it again.
fn killed_and_run_again(bench: &Bench, is_enough: impl Fn(&str) -> bool) {
    let engine = bench.start(&["run", "spec.toml"]);
    bench.wait_for("child");
    wait_until("the child to be noted", || {
        is_enough(&std::fs::read_to_string(bench.path(".pipe/processes")).unwrap_or_default())
    });
    engine.signal(Signal::KILL);
    assert_eq!(engine.wait().code, None);
    assert!(lives(&bench.read("child")), "it was left");
    bench.write("go", "now");
    bench.run();
    dies(bench, "child");
}

/// One task that starts what these lines say unless the file `go` is there.
fn leaving(lines: &str) -> Bench {
    let shell = format!("test -e @/go || {{ {lines}; }}; echo 1 > $PIPE_OUTPUT/x");
    let task = format!("[stages.work]\nkind = \"command\"\noutputs = [\"x\"]\nshell = \"\"\"{shell}\"\"\"\n");
    Bench::with(&format!("version = 1\nname = \"leaving\"\n{task}"))
}

#[test]
fn who_cleaned_its_environment_in_the_group_of_a_dead_engines_child_is_found() {
    let child = "env -i sh -c 'echo $$ > @/child.new; mv @/child.new @/child; exec sleep 300'";
    killed_and_run_again(&leaving(child), |noted| noted.contains("root"));
    // The first process of the attempt may be gone when it is looked for.
    let bench = leaving(&format!("echo $$ > @/first; {child} & sleep 300"));
    let engine = bench.start(&["run", "spec.toml"]);
    bench.wait_for("child");
    engine.signal(Signal::KILL);
    engine.wait();
    let first = bench.read("first");
    assert!(std::process::Command::new("kill").args(["-9", &first]).status().unwrap().success());
    wait_until("its end", || !lives(&first));
    bench.write("go", "now");
    bench.run();
    dies(&bench, "child");
}

#[test]
fn who_cleaned_its_environment_and_left_the_group_of_a_dead_engines_child_is_found_when_it_was_seen() {
    let away = "(cd /; env -i setsid sh -c 'echo $$ > @/child.new; mv @/child.new @/child; sleep 300' &); sleep 300";
    let bench = leaving(away);
    killed_and_run_again(&bench, |noted| noted.contains(&format!("stray {} ", bench.read("child"))));
}

#[test]
fn what_an_engine_inside_of_a_task_had_started_goes_with_a_dead_engines_children() {
    let bench = leaving(&format!("{} run @/inner.toml --state @/inner", env!("CARGO_BIN_EXE_pipe")));
    let deep = "[stages.deep]\nkind = \"command\"\noutputs = [\"x\"]\n\
                shell = \"\"\"echo $$ > @/child.new; mv @/child.new @/child; sleep 300\"\"\"\n";
    let deep = deep.replace('@', &bench.path("").display().to_string());
    bench.write("inner.toml", &format!("version = 1\nname = \"inner\"\n{deep}"));
    killed_and_run_again(&bench, |_| true);
}

#[test]
fn who_was_a_child_before_the_engine_began_is_left_alone() {
    let bench = Bench::with(crate::bench::SUM);
    let shell = "setsid sleep 300 & echo $! > before; exec \"$0\" run spec.toml";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", shell, env!("CARGO_BIN_EXE_pipe")]).current_dir(bench.path(""));
    // Whoever holds a pipe of ours would keep us waiting.
    let ended = command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).status().unwrap();
    let before = bench.read("before");
    let lived = lives(&before);
    let killed = std::process::Command::new("kill").args(["-9", &before]).status().unwrap();
    assert!(ended.success() && lived && killed.success());
}

/// The processes whose environment names a state folder.
fn children_of(state: &std::path::Path) -> Vec<String> {
    let name = format!("PIPE_STATE={}", state.canonicalize().unwrap().display());
    let processes = std::fs::read_dir("/proc").unwrap().map(|process| process.unwrap().path());
    let ours = processes.filter(|process| {
        let environment = std::fs::read(process.join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == name.as_bytes())
    });
    ours.map(|process| process.display().to_string()).collect()
}

#[test]
fn of_two_engines_the_second_says_who_is_first_and_ends_with_3() {
    let bench = Bench::with(SLOW);
    let first = bench.start(&["run", "spec.toml"]);
    bench.wait_for("child");
    let second = bench.pipe(&["run", "spec.toml"]);
    assert_eq!(second.code, Some(3), "{second:?}");
    assert!(second.stderr.contains(&format!("process {}", first.id())), "{}", second.stderr);
    assert!(second.stderr.contains("--wait"), "{}", second.stderr);
    let status = bench.pipe(&["status", "spec.toml", "--json"]).json();
    assert_eq!(status["state"], "running");
    bench.write("go", "now");
    assert_eq!(first.wait().code, Some(0));
}

#[test]
fn with_wait_the_second_engine_waits_for_the_first() {
    let bench = Bench::with(SLOW);
    let first = bench.start(&["run", "spec.toml"]);
    bench.wait_for("child");
    let second = bench.start(&["run", "spec.toml", "--wait"]);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(lives(&second.id().to_string()), "it waits");
    bench.write("go", "now");
    assert_eq!(first.wait().code, Some(0));
    let said = second.wait();
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stderr.starts_with("waiting for process "), "{}", said.stderr);
    assert!(said.stderr.contains("nothing to do: 2 of 2 tasks"), "{}", said.stderr);
}

#[test]
fn a_person_who_names_the_state_in_the_environment_is_not_taken_for_an_orphan() {
    let bench = Bench::with(crate::bench::SUM);
    let state = bench.path(".pipe");
    std::fs::create_dir(&state).unwrap();
    let state = state.canonicalize().unwrap();
    let mut bystander = std::process::Command::new("sleep").arg("300").env("PIPE_STATE", &state).spawn().unwrap();
    let said = bench.command(&["run", "spec.toml"]).env("PIPE_STATE", &state).output().unwrap();
    let lived = lives(&bystander.id().to_string());
    bystander.kill().unwrap();
    bystander.wait().unwrap();
    assert!(said.status.success() && lived);
}

#[test]
fn who_loses_its_state_folder_stops_and_says_so() {
    let bench = Bench::with(SLOW);
    let engine = bench.start(&["run", "spec.toml"]);
    bench.wait_for("child");
    // The run may still be writing into it.
    wait_until("the state folder to go", || std::fs::remove_dir_all(bench.path(".pipe")).is_ok());
    bench.write("go", "now");
    let said = engine.wait();
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(said.stderr.contains(".pipe` was removed while a run used it"), "{}", said.stderr);
}

#[test]
fn a_run_goes_on_whose_clock_was_set_after_it_had_taken_the_lock() {
    let bench = Bench::with(SLOW);
    let engine = bench.start(&["run", "spec.toml"]);
    bench.wait_for_run("child");
    // As if the machine's clock had shown a later hour when the lock was taken than when the run began.
    let lock = std::fs::File::options().append(true).open(bench.path(".pipe/lock")).unwrap();
    let later = lock.metadata().unwrap().modified().unwrap() + std::time::Duration::from_secs(3600);
    lock.set_modified(later).unwrap();
    let status = bench.pipe(&["status", "spec.toml", "--json"]).json();
    assert_eq!(status["state"], "running");
    let cancelled = bench.pipe(&["cancel", "spec.toml"]);
    assert_eq!(cancelled.code, Some(0), "{cancelled:?}");
    assert_eq!(engine.wait().code, Some(130));
    dies(&bench, "child");
}
