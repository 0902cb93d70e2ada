//! How long a run would take, reckoned by the core that would run it.

use super::project::Project;
use pipe_engine::estimate::{Estimate, Expected, estimate};
use pipe_engine::plan::NoExperience;
use pipe_engine::scheduler::Limits;
use pipe_engine::units::Usd;
use std::time::Duration;

const UNKNOWN: Expected = Expected::Unknown;
const HIT: Expected = Expected::Nothing;

fn seconds(seconds: u64) -> Expected {
    Expected::Time(Duration::from_secs(seconds))
}

/// A script for each name, with what it says of its inputs and resources, and what is expected of it.
fn estimated(stages: &[(&str, &str, Expected)]) -> Estimate {
    let stage =
        |(name, more, _): &(&str, &str, _)| format!("[stages.{name}]\nkind = \"script\"\nscript = \"true\"\n{more}\n");
    let text: String = stages.iter().map(stage).collect();
    let plan = Project::new().plan(&text);
    let expected = |name: &str| stages.iter().find(|stage| stage.0 == name).unwrap().2;
    let expected: Vec<Expected> = plan.tasks().map(|task| expected(&task.id.stage)).collect();
    estimate(&plan, Limits { cpu: 2, memory: 8 << 30, disk: 1 << 40, gpus: 0 }, &expected, &NoExperience)
}

#[test]
fn four_tasks_of_ten_seconds_take_twenty_on_two_cpus_and_forty_where_each_wants_both() {
    let time = |more| estimated(&["a", "b", "c", "d"].map(|name| (name, more, seconds(10)))).time;
    assert_eq!(time(""), Duration::from_secs(20));
    assert_eq!(time("resources = { cpu = 2 }"), Duration::from_secs(40));
    assert_eq!(time("resources = { memory = \"5 GiB\" }"), Duration::from_secs(40), "memory is a limit too");
}

#[test]
fn what_waits_for_another_begins_when_that_ends() {
    let stages = [("a", "", seconds(3)), ("b", "from = [\"a\"]", seconds(4)), ("c", "from = [\"b\"]", seconds(5))];
    let estimate = estimated(&[&stages[..], &[("other", "", seconds(1))]].concat());
    assert_eq!(estimate.time, Duration::from_secs(12), "the other runs beside them");
    assert_eq!(estimate.stages.iter().sum::<Duration>(), Duration::from_secs(13));
}

#[test]
fn hits_take_no_time_and_unknown_times_are_counted() {
    let estimate = estimated(&[("a", "", HIT), ("b", "from = [\"a\"]", seconds(7)), ("c", "from = [\"b\"]", UNKNOWN)]);
    assert_eq!((estimate.time, estimate.unknown), (Duration::from_secs(7), 1));
}

#[test]
fn what_runs_elsewhere_takes_the_time_that_it_waits_there_too() {
    let spec = "[backends.far]\nkind = \"far\"\ndear = 1000\nstartup = \"60s\"\nSLOTS\n[stages.a]\nkind = \"script\"\n\
                script = \"true\"\nmatrix.i = [1, 2]\nbackend = \"far\"\ntimeout = \"1h\"\n";
    let estimated = |slots: &str| {
        let plan = Project::new().plan(&spec.replace("SLOTS", slots));
        let limits = Limits { cpu: 2, memory: 8 << 30, disk: 1 << 40, gpus: 0 };
        let estimate = estimate(&plan, limits, &[seconds(10), seconds(10)], &NoExperience);
        (estimate.time.as_secs(), estimate.price.known)
    };
    // 0.001 USD a second of work; nobody pays for the wait there.
    assert_eq!(estimated(""), (70, Usd(20_000)));
    assert_eq!(estimated("parallel = 1"), (140, Usd(20_000)), "each waits for itself");
}
