//! Backends: what they can hold, what they cost, and which of them a stage gets.

use super::desk::Desk;
use pipe_engine::backend::LOCAL;
use pipe_engine::units::Usd;
use std::time::Duration;

/// A spec whose store is in a bucket, so that a place elsewhere can reach it.
fn spec(backend: &str, stage: &str) -> Desk {
    Desk::with_spec(&format!(
        "[store]\nroot = \"gs://bucket/x\"\n[backends.jobs]\nkind = \"cloud\"\n{backend}\n\
         [stages.a]\nkind = \"toy\"\n{stage}\n"
    ))
}

/// That the store cannot be opened is a warning.
const BUCKET: &str = "P0505";

#[test]
fn a_stage_runs_on_this_machine_unless_it_names_another_place() {
    let planned = Desk::with_spec("[stages.a]\nkind = \"toy\"\n").plan();
    let plan = planned.right();
    assert_eq!(plan.places[plan.stages[0].backend].name, LOCAL);
    let planned = spec("project = \"p\"", "backend = \"jobs\"\ntimeout = \"10m\"").plan();
    let plan = planned.plan.unwrap();
    assert_eq!(plan.places[plan.stages[0].backend].name, "jobs");
}

#[test]
fn a_setting_that_is_not_written_comes_from_the_first_variable_that_is_set() {
    let stage = "backend = \"jobs\"\ntimeout = \"10m\"";
    assert_eq!(spec("", stage).plan().codes(), [BUCKET, "P0503"]);
    assert_eq!(spec("", stage).env(&[("PROJECT", "p")]).plan().codes(), [BUCKET]);
    assert_eq!(spec("", stage).file(".env", "CLOUD_PROJECT=p\n").plan().codes(), [BUCKET]);
}

#[test]
fn a_stage_that_its_place_cannot_hold_is_a_problem_of_the_spec() {
    for (settings, field) in [
        ("resources = { cpu = 16 }", "16 CPUs, and it has at most 8"),
        ("resources = { memory = \"64 GiB\" }", "64 GiB of memory, and it has at most 32 GiB"),
        ("resources = { gpu = { type = \"h100\" } }", "GPUs of type h100, and it has `l4`"),
        ("resources = { gpu = 2 }", "2 GPUs, and it has at most 1"),
        ("spot = true", "it has no spot machines"),
    ] {
        let planned = spec("project = \"p\"", &format!("backend = \"jobs\"\ntimeout = \"10m\"\n{settings}")).plan();
        assert_eq!(planned.codes(), [BUCKET, "P0502"], "{}", planned.shown());
        assert!(planned.shown().contains(field), "{field}: {}", planned.shown());
    }
    let planned = spec("project = \"p\"", "backend = \"jobs\"\ntimeout = \"2h\"").plan();
    assert!(planned.shown().contains("2h of time, and it has at most 1h"), "{}", planned.shown());
}

#[test]
fn what_somebody_pays_for_needs_a_timeout() {
    assert_eq!(spec("project = \"p\"", "backend = \"jobs\"").plan().codes(), [BUCKET, "P0506"]);
}

#[test]
fn a_secret_of_this_machine_is_for_tasks_of_this_machine() {
    for (secret, here, there) in [
        ("env:HOME", &[BUCKET][..], &[BUCKET, "P0607"][..]),
        ("file:toy", &[BUCKET][..], &[BUCKET, "P0607"][..]),
        ("gcp:projects/p/secrets/s/versions/3", &[BUCKET, "P0606"][..], &[BUCKET][..]),
    ] {
        let with = |place: &str| {
            let stage = format!("{place}timeout = \"10m\"\nsecrets = {{ TOKEN = \"{secret}\" }}");
            spec("project = \"p\"", &stage).plan()
        };
        assert_eq!(with("").codes(), here, "{secret}");
        let planned = with("backend = \"jobs\"\n");
        assert_eq!(planned.codes(), there, "{secret}: {}", planned.shown());
    }
}

#[test]
fn a_place_elsewhere_cannot_reach_a_folder() {
    let lines = "[backends.jobs]\nkind = \"cloud\"\nproject = \"p\"\n[stages.a]\nkind = \"toy\"\nbackend = \"jobs\"\ntimeout = 60\n";
    assert_eq!(Desk::with_spec(lines).plan().codes(), ["P0504"]);
}

#[test]
fn an_unknown_place_is_told_with_the_nearest_name() {
    let planned = spec("project = \"p\"", "backend = \"job\"").plan();
    assert_eq!(planned.codes(), [BUCKET, "P0501"]);
    assert!(planned.shown().contains("did you mean `jobs`?"), "{}", planned.shown());
}

#[test]
fn auto_takes_this_machine_where_nothing_speaks_against_it() {
    let planned = spec("project = \"p\"", "backend = \"auto\"").plan();
    let plan = planned.plan.unwrap();
    assert_eq!(plan.places[plan.stages[0].backend].name, LOCAL);
}

#[test]
fn an_attempt_costs_what_its_place_says_and_nothing_here() {
    let planned = spec("project = \"p\"", "backend = \"jobs\"\ntimeout = \"10m\"\nresources = { cpu = 2 }").plan();
    let plan = planned.plan.unwrap();
    let need = plan.stages[0].settings.need();
    // The toy's price: one millionth of a dollar for each thousandth of a CPU and second.
    assert_eq!(plan.places[1].price(&need, Duration::from_secs(60)), Some(Usd(120_000)));
    assert_eq!(plan.places[0].price(&need, Duration::from_secs(60)), Some(Usd(0)));
}

#[test]
fn a_schedule_that_cannot_be_read_is_refused() {
    let with = |schedule: &str| {
        Desk::with_spec(&format!("[schedule]\n{schedule}\n[stages.a]\nkind = \"toy\"\n")).plan().codes()
    };
    assert_eq!(with("cron = \"0 3 * * *\"\ntime_zone = \"Europe/Berlin\"\noverlap = \"queue\""), [""; 0]);
    assert_eq!(with("cron = \"0 25 * * *\""), ["P0801"]);
    assert_eq!(with("cron = \"0 3 * * *\"\ntime_zone = \"Europe/Berlni\""), ["P0801"]);
}

#[test]
fn the_stages_of_a_place_with_a_limit_share_it() {
    let stage = "backend = \"jobs\"\ntimeout = \"10m\"";
    let both = format!("{stage}\nparallel = 2\n[stages.b]\nkind = \"toy\"\n{stage}");
    let plan = spec("project = \"p\"\nparallel = \"{{ 1 + 2 }}\"", &both).plan().plan.unwrap();
    assert_eq!(plan.pools, [3, 2]);
    assert_eq!((&*plan.stages[0].pools, &*plan.stages[1].pools), (&[0, 1][..], &[0][..]));
    assert_eq!(spec("project = \"p\"\nparallel = 0", stage).plan().codes().len(), 2);
}
