//! A clock that is set back: in the middle of a run, and between runs.

use super::Ending;
use crate::bench::{Bench, Seed};
use crate::engine::{Ended, Engine};
use crate::project::Project;
use std::process::Command;
use std::time::{Duration, Instant};

/// One task waits for its second try and one for its end when the clock is set back.
const SPEC: &str = r#"version = 1
name = "clock"
[stages.again]
kind = "command"
shell = "test -e MARK || { touch MARK; exit 1; }; echo 1 > $PIPE_OUTPUT/x"
outputs = ["x"]
retry = { failed = 1, backoff = "1500ms" }
[stages.endless]
kind = "command"
shell = "sleep 300"
timeout = "2s"
[stages.quick]
kind = "command"
shell = "sleep 0.5; echo 1 > $PIPE_OUTPUT/x"
outputs = ["x"]
[stages.follows]
kind = "command"
shell = "cat $PIPE_INPUT_QUICK/x > $PIPE_OUTPUT/x"
inputs = { quick = { stage = "quick" } }
outputs = ["x"]
"#;
const DAY: u64 = 86_400;
/// What the run above takes on a slow machine.
const ENOUGH: Duration = Duration::from_secs(20);

pub(crate) fn play(bench: &Bench) -> Ending {
    let amid = amid_a_run(bench);
    match amid.and_then(|()| between_runs(bench)) {
        Ok(kills) => {
            Ending::Held(format!("a day amid a run with a retry and a timeout; an hour before each of {kills} runs"))
        }
        Err(what) => Ending::Failed(what),
    }
}

/// `quick` is the second whose attempt ends; `again` waits then, and so does the end of `endless`.
fn amid_a_run(bench: &Bench) -> Result<(), Vec<String>> {
    let folder = bench.room("clock").expect("a folder for temporary files can be written");
    let spec = SPEC.replace("MARK", &folder.join("mark").display().to_string());
    let project = Project::with(&folder, &bench.notes("clock"), &spec, 4).expect("it can be written");
    let back = [("PIPE_FAILPOINT_CLOCK", format!("{DAY}@attempt.ended:2"))];
    let begun = Instant::now();
    let ended = Engine::start(&bench.pipe, &project, &back, Vec::new()).kill_after(ENOUGH);
    let counts = |kind: &str| ended.events.iter().filter(|event| event.kind == kind).count();
    let told = (ended.code(), counts("task_succeeded"), counts("task_failed"));
    if told == (Some(1), 3, 1) {
        return Ok(());
    }
    Err(vec![format!("after {:.0} s (code, succeeded, failed) = {told:?}", begun.elapsed().as_secs_f64())])
}

/// A project is killed again and again, and each run begins an hour before the last.
fn between_runs(bench: &Bench) -> Result<u64, Vec<String>> {
    let (mut watch, mut seed, mut hours) = (bench.watch("hours"), Seed::of(bench.seed), 0);
    let back = |hours: u64| [("PIPE_FAILPOINT_CLOCK", (hours * 3600).to_string())];
    let kills = if bench.is_short { 3 } else { 10 };
    for _ in 0..kills {
        hours += 1;
        let rest = bench.took.mul_f64(seed.share() / f64::from(kills) * 3.0);
        let ended = watch.start(&bench.pipe, &back(hours)).kill_after(rest);
        if !ended.was_killed() {
            break;
        }
        watch.died(&ended);
    }
    hours += 1;
    let ended = watch.start(&bench.pipe, &back(hours)).wait();
    watch.done(&ended, &bench.control);
    let mut wrong: Vec<String> = watch.wrong.all().map(|(kind, what)| format!("{kind}: {what}")).collect();
    wrong.extend(status_of_the_last(bench, &watch.project, &ended));
    if wrong.is_empty() { Ok(hours) } else { Err(wrong) }
}

/// The newest run is the one that was begun last, whatever its clock showed.
fn status_of_the_last(bench: &Bench, project: &Project, ended: &Ended) -> Option<String> {
    let status =
        Command::new(&bench.pipe).args(["status", "spec.toml", "--json"]).current_dir(&project.folder).output();
    let status = String::from_utf8(status.ok()?.stdout).ok()?;
    let finished = ended.events.iter().any(|event| event.kind == "run_finished");
    let shown = serde_json::from_str::<serde_json::Value>(&status).ok()?;
    let is_newest = shown["run"]["finished"].is_object() && shown["run"]["finished"]["failed"] == 0;
    (!finished || !is_newest).then(|| format!("`pipe status` does not show the run that was begun last: {status}"))
}
