//! Processes that talk too much, do not end, or try to stay behind.

use super::project::{Project, Ran};
use pipe_engine::event::{Body, RunEvent};
use pipe_engine::failure::Class;
use pipe_engine::scheduler::Stop;
use std::fs;
use std::path::Path;
use std::time::Duration;

fn stage(script: &str) -> String {
    format!("[stages.work]\nkind = \"script\"\nscript = '''{script}'''\n")
}

/// Asks a run to stop as soon as the script has said `ready`.
fn stop_when_ready(how: Stop) -> impl Fn(&RunEvent) -> Option<Stop> + Send + Sync + 'static {
    move |event| matches!(&event.body, Body::Log { line } if line == "ready").then_some(how)
}

/// A process that was killed a moment ago may still be there for an instant.
fn is_gone(pid_file: &Path) -> bool {
    let pid = fs::read_to_string(pid_file).unwrap();
    let status = Path::new("/proc").join(pid.trim()).join("status");
    (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        fs::read_to_string(&status).map_or(true, |text| text.contains("State:\tZ"))
    })
}

fn said(ran: &Ran) -> Vec<&str> {
    ran.events
        .iter()
        .filter_map(|e| if let Body::Log { line } = &e.body { Some(line.as_str()) } else { None })
        .collect()
}

#[test]
fn a_huge_line_without_an_end_is_cut_and_kept_whole_in_the_log() {
    let project = Project::new();
    let ran = project.run(&stage("head -c 20000000 /dev/zero | tr '\\0' x; echo; echo end >&2"));
    assert_eq!(ran.ends(), [1, 0, 0, 0, 0]);
    assert_eq!(ran.logs()[0].iter().filter(|b| **b == b'x').count(), 20_000_000);
    assert!(said(&ran).iter().all(|line| line.len() <= 128 * 1024), "no line is as long as the memory");
    assert!(said(&ran).contains(&"end"));
}

#[test]
fn what_an_attempt_used_is_seen_even_when_those_it_started_used_it() {
    let project = Project::new();
    // `tail` holds all it was given until its input ends, and a shell without work to do keeps a CPU busy.
    let script = "(head -c 150000000 /dev/zero; sleep 2) | tail -c 150000000 > /dev/null & \
                  timeout 2 sh -c 'while :; do :; done'; wait; true";
    let ran = project.run(&stage(script));
    assert_eq!(ran.ends(), [1, 0, 0, 0, 0]);
    let ended = ran.events.iter().find_map(|event| match &event.body {
        Body::AttemptEnded { usage, .. } => *usage,
        _ => None,
    });
    let usage = ended.expect("it ran long enough to be looked at");
    assert!(usage.memory_peak > 140 << 20 && usage.memory_peak < 600 << 20, "{usage:?}");
    assert!(usage.memory_mean <= usage.memory_peak && usage.memory_mean > 0, "{usage:?}");
    assert!(usage.cpu_peak >= usage.cpu_mean && usage.cpu_mean > 0.05, "{usage:?}");
    assert!(usage.cpu_peak < 64.0, "{usage:?}");
    // Nobody in it has a connection or was given a GPU.
    assert_eq!(usage.gpu, None);
    assert_eq!(usage.network.map(|network| (network.received, network.sent)), Some((0, 0)));
}

#[test]
fn bytes_that_are_no_text_are_kept_in_the_log_and_shown_as_far_as_they_can_be() {
    let project = Project::new();
    let ran = project.run(&stage("printf 'caf\\351 \\377\\n'; printf 'no end'"));
    assert_eq!(ran.ends(), [1, 0, 0, 0, 0]);
    assert_eq!(ran.logs()[0], b"caf\xe9 \xff\nno end\n");
    assert_eq!(said(&ran), ["caf\u{fffd} \u{fffd}", "no end"]);
}

#[test]
fn a_failure_quotes_the_last_lines_that_were_said() {
    let project = Project::new();
    let ran = project.run(&stage("for n in 1 2 3 4 5 6 7 8; do echo line $n; done; exit 9"));
    let failure = &ran.failures()[0];
    assert_eq!(failure.message, "ended with exit code 9");
    assert_eq!(failure.source.as_deref(), Some("line 3\nline 4\nline 5\nline 6\nline 7\nline 8"));
}

#[test]
fn a_grandchild_that_keeps_the_pipe_open_does_not_keep_the_run() {
    let project = Project::new();
    let pid = project.path("pid");
    let ran = project.run(&stage(&format!("sleep 300 & echo $! > {}; echo done", pid.display())));
    assert_eq!(ran.ends(), [1, 0, 0, 0, 0]);
    assert!(is_gone(&pid));
}

#[test]
fn a_child_in_a_group_of_its_own_ends_with_its_attempt() {
    let project = Project::new();
    let pid = project.path("pid");
    let away = format!("setsid sh -c 'echo $$ > {}.new; mv {0}.new {0}; exec sleep 300' & ", pid.display());
    let wait = format!("while ! test -e {}; do sleep 0.02; done; ", pid.display());
    assert_eq!(project.run(&stage(&format!("{away}{wait}true"))).ends(), [1, 0, 0, 0, 0]);
    assert!(is_gone(&pid), "it outlived an attempt that ended well");

    fs::remove_file(&pid).unwrap();
    let script = stage(&format!("{away}{wait}echo ready; sleep 300"));
    let ran = project.run_in(".pipe", &script, stop_when_ready(Stop::Gently));
    assert_eq!(ran.ends(), [0, 0, 0, 0, 1]);
    assert!(is_gone(&pid), "it outlived an attempt that was cancelled");
}

#[test]
fn who_left_the_group_and_listens_to_nobody_is_gone_when_the_attempt_is() {
    let project = Project::new();
    let pids = [project.path("deaf"), project.path("deeper")];
    // A daemon as it is made: forked twice, in a session of its own, its parent gone, deaf to what asks it to end.
    let daemon = "trap \"\" TERM HUP INT; sh -c \"trap : TERM; echo \\$\\$ > @deeper; exec sleep 300\" & \
                  echo $$ > @deaf; while :; do sleep 0.05; done";
    let script = format!(
        "(setsid sh -c '{daemon}' > /dev/null 2>&1 &); while ! test -s @deaf || ! test -s @deeper; do sleep 0.02; done; \
         echo ready; exec sleep 300"
    );
    let script = script.replace('@', &project.path("").display().to_string());
    for (how, more) in [(Some(Stop::Gently), ""), (Some(Stop::Now), ""), (None, "timeout = \"1500ms\"\n")] {
        let spec = format!("[stages.work]\nkind = \"script\"\nscript = '''{}'''\n{more}", script.replace("'''", ""));
        let ran = project.run_in(".pipe", &spec, move |event| {
            how.filter(|_| matches!(&event.body, Body::Log { line } if line == "ready"))
        });
        assert_eq!(ran.counts.cancelled + ran.counts.failed, 1, "{how:?}");
        for pid in &pids {
            assert!(is_gone(pid), "{} lives after {how:?}", pid.display());
            fs::remove_file(pid).unwrap();
        }
    }
}

/// A shell's words for a daemon that nothing ties to whoever started it but its ancestry: no environment, a session, a folder
/// and outputs of its own. It does `first`, writes its number and does `deed`. The words go on when its number is there.
fn daemon(pid: &Path, first: &str, deed: &str) -> String {
    let (pid, made) = (pid.display(), format!("{}.new", pid.display()));
    format!(
        "(cd /; env -i setsid sh -c '{first}; echo $$ > {made}; mv {made} {pid}; {deed}' > /dev/null 2>&1 < /dev/null &); \
         while ! test -s {pid}; do sleep 0.02; done; "
    )
}

fn shell(name: &str, lines: &str) -> String {
    format!("[stages.{name}]\nkind = \"script\"\nscript = '''{lines}'''\n")
}

/// As [`shell`], of lines that have quotes of either kind.
fn quoted(name: &str, lines: &str) -> String {
    let lines = lines.replace('\\', "\\\\").replace('"', "\\\"");
    format!("[stages.{name}]\nkind = \"script\"\nscript = \"{lines}\"\n")
}

#[test]
fn who_cleaned_its_environment_ends_with_its_attempt() {
    let project = Project::new();
    let pid = project.path("pid");
    for (end, how) in [("echo 1 > $PIPE_OUTPUT/x", None), ("exit 3", None), ("echo ready; sleep 300", Some(Stop::Now))]
    {
        let spec = quoted("work", &format!("{}{end}", daemon(&pid, "true", "exec sleep 300")));
        let ran = project.run_in(".pipe", &spec, move |event| {
            how.filter(|_| matches!(&event.body, Body::Log { line } if line == "ready"))
        });
        assert_eq!(ran.ends().iter().sum::<u64>(), 1, "{end}");
        assert!(is_gone(&pid), "it outlived an attempt that ended with `{end}`");
        fs::remove_file(&pid).unwrap();
    }
}

#[test]
fn who_stays_in_its_attempts_folder_is_known_by_it_beside_others_that_run() {
    let project = Project::new();
    let [pid, done] = ["pid", "done"].map(|name| project.path(name).display().to_string());
    let writer = format!(
        "env -i setsid sh -c \"echo \\$\\$ > {pid}; while :; do echo more >> $PIPE_OUTPUT/x; sleep 0.01; done\" & \
         while ! test -s {pid} || ! test -s $PIPE_OUTPUT/x; do sleep 0.02; done"
    );
    // The one beside it runs from before to after, so it might have been its own.
    let beside = format!("while ! test -e {done}; do sleep 0.02; done; echo 1 > $PIPE_OUTPUT/x");
    let check = format!(
        "touch {done}; if test -e /proc/$(cat {pid}) && ! grep -q State:.[ZX] /proc/$(cat {pid})/status; then exit 3; fi; \
         echo 1 > $PIPE_OUTPUT/x"
    );
    let inputs = "from = [\"writer\"]\n";
    let spec = shell("beside", &beside) + &shell("writer", &writer) + &shell("check", &check) + inputs;
    assert_eq!(project.run(&spec).ends(), [3, 0, 0, 0, 0]);
}

#[test]
fn of_two_attempts_the_end_of_one_leaves_alone_what_may_be_of_the_other() {
    let project = Project::new();
    let [first, second, done] = ["first", "second", "done"].map(|name| project.path(name));
    let long = format!(
        "{}while ! test -e {}; do sleep 0.02; done; kill -0 $(cat {}) && kill -0 $(cat {}) && echo 1 > $PIPE_OUTPUT/x",
        daemon(&first, "true", "exec sleep 300"),
        done.display(),
        first.display(),
        second.display()
    );
    let wait = format!("while ! test -s {}; do sleep 0.02; done; ", first.display());
    let short = format!("{wait}{}echo 1 > $PIPE_OUTPUT/x", daemon(&second, "true", "exec sleep 300"));
    let after = format!("echo 1 > $PIPE_OUTPUT/x; touch {}", done.display());
    let inputs = "from = [\"short\"]\n";
    let ran = project.run(&(quoted("long", &long) + &quoted("short", &short) + &shell("after", &after) + inputs));
    assert_eq!(ran.ends(), [3, 0, 0, 0, 0]);
    // Whosever they were, nobody is left when the last of those has ended that may have started them.
    assert!(is_gone(&first) && is_gone(&second));
}

#[test]
fn who_left_the_group_may_tidy_up_too_and_is_asked_once() {
    let project = Project::new();
    let [pid, note] = ["pid", "note"].map(|name| project.path(name));
    // It takes its time, so that a second word would find it.
    let tidies = format!("trap \"echo tidy >> {}; sleep 0.05; exit\" TERM", note.display());
    for (end, how) in [("echo 1 > $PIPE_OUTPUT/x", None), ("echo ready; sleep 300", Some(Stop::Gently))] {
        let spec = quoted("work", &format!("{}{end}", daemon(&pid, &tidies, "while :; do sleep 0.01; done")));
        project.run_in(".pipe", &spec, move |event| {
            how.filter(|_| matches!(&event.body, Body::Log { line } if line == "ready"))
        });
        assert!(is_gone(&pid), "{end}");
        assert_eq!(fs::read_to_string(&note).unwrap(), "tidy\n", "{end}");
        [&pid, &note].into_iter().for_each(|file| fs::remove_file(file).unwrap());
    }
}

/// How often each pipe gets a megabyte: a gibibyte in all where there is time for long tests, else an eighth of it.
fn flood() -> u64 {
    if std::env::var_os("PIPE_TEST_SEEDS").is_some() { 514 } else { 64 }
}

/// The most memory this process has had, in bytes.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[test]
fn a_flood_of_bytes_without_a_line_end_on_both_pipes_neither_blocks_nor_fills_the_memory() {
    let project = Project::forgetful();
    // Every byte there is but the end of a line, over and over.
    let all: Vec<u8> = (0..=255).filter(|byte| *byte != b'\n').collect();
    fs::write(project.path("all"), all.repeat(4096)).unwrap();
    let each = project.path("all");
    let times = flood();
    let flood = format!("n=0; while test $n -lt {times}; do cat {}; n=$((n+1)); done", each.display());
    let before = peak_memory();
    let ran = project.run(&stage(&format!("({flood}) >&2 & {flood}; wait; echo end > $PIPE_OUTPUT/a")));
    assert_eq!(ran.ends(), [1, 0, 0, 0, 0]);
    let grown = peak_memory() - before;
    assert!(grown < 100 << 20, "{} MiB more", grown >> 20);
    assert_eq!(ran.log_size(), 2 * times * 255 * 4096, "all of it is in the log, but for the line ends that cut it");
}

#[test]
fn a_program_that_closes_its_pipes_is_waited_for() {
    let project = Project::new();
    let ran = project.run(&stage("echo bye; exec > /dev/null 2>&1 <&-; sleep 0.5; echo done > $PIPE_OUTPUT/a"));
    assert_eq!(ran.ends(), [1, 0, 0, 0, 0]);
    assert_eq!(project.texts(), ["done\n"]);
    let ran = project.run(&stage("exec >&- 2>&-; sleep 0.5; exit 4"));
    assert_eq!(ran.failures()[0].message, "ended with exit code 4");
}

#[test]
fn a_program_that_is_asked_to_end_may_tidy_up() {
    let project = Project::new();
    let note = project.path("note");
    let script =
        format!("trap 'echo tidy > {}; exit 0' TERM; echo ready; while :; do sleep 0.05; done", note.display());
    project.run_in(".pipe", &stage(&script), stop_when_ready(Stop::Gently));
    assert_eq!(fs::read_to_string(note).unwrap(), "tidy\n");
}

#[test]
fn a_program_that_does_not_listen_is_killed_after_its_grace() {
    let project = Project::new();
    for how in [Stop::Gently, Stop::Now] {
        let script = stage("trap '' TERM; echo half > $PIPE_OUTPUT/half; echo ready; while :; do sleep 0.05; done");
        let ran = project.run_in(".pipe", &script, stop_when_ready(how));
        assert_eq!(ran.ends(), [0, 0, 0, 0, 1], "{how:?}");
        assert_eq!(project.data(), [], "{how:?}");
    }
}

#[test]
fn an_attempt_that_runs_longer_than_its_timeout_is_ended_and_says_so() {
    let project = Project::new();
    let ran = project.run(&format!("{}timeout = \"200ms\"\n", stage("sleep 300")));
    let failure = &ran.failures()[0];
    assert_eq!((failure.class, failure.message.as_str()), (Class::Timeout, "ran longer than its timeout of 0.2 s"));
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let project = Project::new();
    let ran = project.run(&stage("exec /no/such/program"));
    assert_eq!(ran.failures()[0].code, "exit_127");
    assert!(ran.failures()[0].source.as_deref().unwrap().contains("/no/such/program"));
}

#[test]
fn a_program_sees_none_of_the_secrets_of_whoever_started_the_run() {
    let project = Project::new();
    let ran = project.run(&stage("env | cut -d= -f1 | grep -v -e '^PIPE_' | sort"));
    let allowed =
        ["PATH", "HOME", "USER", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "PWD", "_", "SHLVL", "OLDPWD"];
    assert!(said(&ran).iter().all(|name| allowed.contains(name)), "{:?}", said(&ran));
    assert!(said(&ran).contains(&"PATH"));
}
