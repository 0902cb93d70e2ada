//! Backends: what they can hold, what they cost, and which of them a stage gets.

use super::desk::Desk;
use pipe_engine::backend::LOCAL;
use pipe_engine::plan::{Basis, Choice, Leaving};
use pipe_engine::units::Usd;
use serde_json::json;
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
fn machines_may_be_taken_away_never_three_times_or_as_often_as_is_said() {
    for (written, expected) in [
        ("", None),
        ("spot = false", None),
        ("spot = true", Some(3)),
        ("spot = { preemptions = 1 }", Some(1)),
        ("spot = \"{{ true }}\"", Some(3)),
    ] {
        let planned = Desk::with_spec(&format!("[stages.a]\nkind = \"toy\"\n{written}\n")).plan();
        assert_eq!(planned.right().stages[0].settings.spot, expected, "{written}");
    }
    for wrong in ["spot = { preemptions = 0 }", "spot = 2", "spot = { times = 2 }"] {
        let planned = Desk::with_spec(&format!("[stages.a]\nkind = \"toy\"\n{wrong}\n")).plan();
        assert!(planned.plan.is_none(), "{wrong}: {}", planned.shown());
    }
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

/// Two places and a stage that leaves it to the plan. A task of 10 minutes and one CPU costs 600 000 millionths there, times
/// the factor.
fn choosing(factors: [u32; 2], stage: &str) -> Desk {
    let place =
        |name: &str, factor: u32| format!("[backends.{name}]\nkind = \"cloud\"\nproject = \"p\"\nfactor = {factor}\n");
    let (one, two) = (place("one", factors[0]), place("two", factors[1]));
    let stage = format!("[stages.a]\nkind = \"toy\"\nbackend = \"auto\"\n{stage}\n");
    Desk::with_spec(&format!("[store]\nroot = \"gs://bucket/x\"\n{one}{two}{stage}"))
}

/// The place that was chosen, and why.
fn chosen(desk: &Desk) -> (String, String) {
    let planned = desk.plan();
    let plan = planned.plan.as_ref().unwrap_or_else(|| panic!("{}", planned.shown()));
    let stage = &plan.stages[0];
    (plan.places[stage.backend].name.clone(), stage.choice.as_ref().unwrap().reason.clone())
}

const GPU: &str = "resources = { gpu = 1 }\ntimeout = \"20m\"";

#[test]
fn auto_takes_the_cheapest_place_for_what_this_machine_cannot_hold() {
    let (place, why) = chosen(&choosing([3, 2], GPU));
    assert_eq!((place.as_str(), why.as_str()), ("two", "the cheapest that can hold it"));
    let planned = choosing([3, 2], GPU).plan().plan.unwrap();
    let offers = &planned.stages[0].choice.as_ref().unwrap().offers;
    assert_eq!(offers[0].why_not.as_deref(), Some("it has no GPU"));
    // Half of 20 minutes, since nobody says how long it takes.
    assert_eq!([offers[1].price, offers[2].price], [Some(Usd(1_800_000)), Some(Usd(1_200_000))]);
}

#[test]
fn auto_takes_no_place_where_nobody_can_fetch_a_secret() {
    // This machine would be the quickest to choose, and cannot fetch it.
    let far = "timeout = \"20m\"\nsecrets = { TOKEN = \"gcp:projects/p/secrets/s/versions/3\" }";
    let (place, _) = chosen(&choosing([3, 2], far));
    assert_eq!(place, "two");
    // Elsewhere would be in time, and cannot fetch it.
    let near = "timeout = \"20m\"\ndeadline = \"5m\"\nsecrets = { TOKEN = \"env:HOME\" }\nexpect = \"2m\"\n\
                matrix.i = [1, 2, 3, 4]\nresources = { cpu = 2 }";
    let desk = choosing([1, 1], near);
    assert_eq!(chosen(&desk).0, "local");
    let offers = desk.plan().plan.unwrap().stages[0].choice.clone().unwrap().offers;
    let why = "the secret `TOKEN` is on this machine, and is not sent along";
    assert_eq!(offers[1].why_not.as_deref(), Some(why));
    // No place is left.
    let planned = choosing([1, 1], &format!("{GPU}\nsecrets = {{ TOKEN = \"env:HOME\" }}")).plan();
    assert_eq!(planned.codes(), [BUCKET, "P0502"]);
    assert!(planned.shown().contains(&format!("one: {why}")), "{}", planned.shown());
    // Nor is one for a secret of Google's that only this machine would be large enough for: that is told once.
    let alone = "[stages.a]\nkind = \"toy\"\nbackend = \"auto\"\nsecrets = { TOKEN = \"gcp:projects/p/secrets/s/versions/3\" }\n";
    let planned = Desk::with_spec(alone).plan();
    assert_eq!(planned.codes(), ["P0502"]);
    assert!(planned.shown().contains("local: the secret `TOKEN` is in Google Cloud"), "{}", planned.shown());
}

#[test]
fn auto_never_takes_a_place_of_which_no_price_is_known() {
    let (place, why) = chosen(&choosing([0, 9], GPU));
    assert_eq!((place.as_str(), why.as_str()), ("two", "the only one that can hold it"));
    let planned = choosing([0, 0], GPU).plan();
    assert_eq!(planned.codes(), [BUCKET, "P0502"]);
    assert!(planned.shown().contains("one: no price of it is known, and no price is not free"), "{}", planned.shown());
}

#[test]
fn auto_takes_the_cheapest_place_that_is_done_by_the_deadline() {
    // Four tasks of two CPUs on two slots: one after the other here, all at once elsewhere.
    let stage = |deadline: &str| {
        let four = "matrix.i = [1, 2, 3, 4]\nexpect = \"10m\"\ntimeout = \"20m\"\nresources = { cpu = 2 }";
        chosen(&choosing([2, 3], &format!("{four}\n{deadline}")))
    };
    assert_eq!(stage("").0, "local");
    assert_eq!(stage("deadline = \"40m\"").0, "local");
    let (place, why) = stage("deadline = \"30m\"");
    assert_eq!((place.as_str(), why.as_str()), ("one", "the cheapest that is done by its deadline of 30m"));
    let (place, why) = stage("deadline = \"5m\"");
    assert_eq!((place.as_str(), why.as_str()), ("one", "the quickest: none is done by its deadline of 5m"));
    assert_eq!(stage("deadline = \"30m\"\nparallel = 1").0, "local", "one at a time takes as long anywhere");
}

#[test]
fn auto_reckons_with_what_a_stage_needs() {
    let spec = "[store]\nroot = \"gs://bucket/x\"\n[backends.one]\nkind = \"cloud\"\nproject = \"p\"\n\
                [stages.first]\nkind = \"toy\"\nexpect = \"20m\"\n\
                [stages.then]\nkind = \"toy\"\nfrom = [\"first\"]\nmatrix.i = [1, 2]\nexpect = \"10m\"\ntimeout = \"1h\"\n\
                resources = { cpu = 2 }\nbackend = \"auto\"\ndeadline = \"30m\"\n";
    let planned = Desk::with_spec(spec).plan();
    let plan = planned.plan.unwrap();
    let then = plan.stages.iter().find(|stage| stage.name == "then").unwrap();
    assert_eq!(plan.places[then.backend].name, "one", "after 20 minutes, 10 are left");
}

/// That a task or a stage took so many minutes in earlier runs.
fn took(mut desk: Desk, minutes: &[(&str, u64)]) -> Desk {
    desk.earlier.took.extend(minutes.iter().map(|(name, minutes)| ((*name).to_owned(), minutes * 60)));
    desk
}

#[test]
fn auto_goes_by_how_long_tasks_took_where_the_stage_does_not_say() {
    // Four tasks of two CPUs, one after the other here; a guess of half an hour each is two hours.
    let four = "matrix.i = [1, 2, 3, 4]\ntimeout = \"1h\"\nresources = { cpu = 2 }\ndeadline = \"45m\"\n";
    let place = |desk: Desk| chosen(&desk).0;
    assert_eq!(place(choosing([2, 3], four)), "one");
    assert_eq!(place(took(choosing([2, 3], four), &[("a", 10)])), "one", "no task of it is named `a`");
    let each = [1, 2, 3, 4].map(|i| format!("a[i={i}]"));
    let all = |minutes: u64| each.each_ref().map(|name| (name.as_str(), minutes));
    assert_eq!(place(took(choosing([2, 3], four), &all(10))), "local", "40 minutes here");
    assert_eq!(place(took(choosing([2, 3], four), &all(12))), "one", "48 minutes here");
    let said = format!("{four}expect = \"12m\"\n");
    assert_eq!(place(took(choosing([2, 3], &said), &all(10))), "one", "what a stage says comes first");
    // 5, 5, 5 and 20 are 35 minutes here, and 20 elsewhere.
    let uneven = took(choosing([2, 3], &four.replace("45m", "15m")), &all(5));
    let (place, why) = chosen(&took(uneven, &[("a[i=4]", 20)]));
    assert_eq!((place.as_str(), why.as_str()), ("one", "the quickest: none is done by its deadline of 15m"));
}

#[test]
fn auto_prices_a_task_by_the_time_that_earlier_ones_took() {
    let planned = took(choosing([3, 2], GPU), &[("a", 5)]).plan().plan.unwrap();
    let choice = planned.stages[0].choice.as_ref().unwrap();
    // Five minutes of one CPU are 300 000 millionths.
    assert_eq!([choice.offers[1].price, choice.offers[2].price], [Some(Usd(900_000)), Some(Usd(600_000))]);
    assert_eq!((choice.time, choice.basis), (Some(Duration::from_secs(300)), Basis::Measured(5)));
    let guessed = choosing([3, 2], GPU).plan().plan.unwrap();
    assert_eq!(guessed.stages[0].choice.as_ref().unwrap().basis, Basis::Guess);
}

#[test]
fn auto_reckons_with_the_time_until_a_place_begins() {
    // Two tasks of ten minutes and both CPUs: twenty minutes here.
    let two = "matrix.i = [1, 2]\nexpect = \"10m\"\ntimeout = \"20m\"\nresources = { cpu = 2 }\ndeadline = \"15m\"\n";
    let waits =
        |more: &str| choosing([5, 6], two).with(|spec| spec.replacen("factor = 5", &format!("factor = 5\n{more}"), 1));
    let first = |desk: &Desk| {
        let choice = desk.plan().plan.unwrap().stages[0].choice.clone().unwrap();
        (choice.offers[1].startup.as_secs(), choice.offers[1].price, choice.offers[1].done.unwrap().as_secs())
    };
    assert_eq!(chosen(&waits("")).0, "one");
    // Ten minutes of two CPUs are 1.2 USD, times five; six minutes more are paid for as well.
    assert_eq!(first(&waits("waits = 360")), (360, Some(Usd(9_600_000)), 960));
    assert_eq!(chosen(&waits("waits = 360")).0, "two", "16 minutes there");
    assert_eq!(chosen(&waits("waits = 200")).0, "two", "in time, and dearer: 8 USD to 7.2");
    assert_eq!(chosen(&waits("waits = 100")).0, "one", "7 USD");
    // What was seen counts for more than what is taken to be so, and what the spec says for more than that.
    let mut seen = waits("waits = 100");
    seen.earlier.waited.extend([("one".to_owned(), 200), ("local".to_owned(), 200)]);
    assert_eq!((chosen(&seen).0.as_str(), first(&seen).0), ("two", 200));
    let mut said = waits("waits = 100\nstartup = \"10s\"");
    said.earlier = seen.earlier.clone();
    assert_eq!((chosen(&said).0.as_str(), first(&said).0), ("one", 10));
    let here = seen.plan().plan.unwrap().stages[0].choice.clone().unwrap().offers[0].startup;
    assert_eq!(here, Duration::ZERO, "this machine begins at once");
}

/// A stage that leaves its place to the plan and takes what two tasks make there, in a bucket.
fn taking(first: &str, store: &str) -> Desk {
    Desk::with_spec(&format!(
        "[store]\nroot = \"gs://bucket/x\"\n{store}\n[backends.one]\nkind = \"cloud\"\nproject = \"p\"\nregion = \"near\"\n\
         [stages.made]\nkind = \"toy\"\nmatrix.i = [1, 2]\ntimeout = \"1h\"\nbackend = \"{first}\"\n\
         [stages.a]\nkind = \"toy\"\nfrom = [\"made\"]\nexpect = \"10s\"\ntimeout = \"1h\"\nbackend = \"auto\"\n"
    ))
}

/// That each of the two results is so large.
fn large(mut desk: Desk, bytes: u64) -> Desk {
    desk.earlier.bytes.extend([1, 2].map(|i| (format!("made[i={i}]"), bytes)));
    desk
}

/// What was chosen for it.
fn choice(desk: &Desk) -> (String, Choice) {
    let planned = desk.plan();
    let plan = planned.plan.as_ref().unwrap_or_else(|| panic!("{}", planned.shown()));
    let stage = plan.stages.iter().find(|stage| stage.name == "a").unwrap();
    (plan.places[stage.backend].name.clone(), stage.choice.clone().unwrap())
}

#[test]
fn this_machine_is_free_only_where_nothing_leaves_a_bucket() {
    // Two GiB out of the bucket are 0.2 USD; ten seconds of one CPU there are 0.01, and nothing leaves the region.
    let (place, chosen) = choice(&large(taking("one", ""), 1 << 30));
    assert_eq!((place.as_str(), chosen.reason.as_str()), ("one", "the cheapest that can hold it"));
    assert_eq!([chosen.offers[0].price, chosen.offers[1].price], [Some(Usd(200_000)), Some(Usd(10_000))]);
    assert_eq!(chosen.offers[0].leaving, Leaving { bytes: 2 << 30, cost: Usd(200_000), unknown: 0 });
    assert_eq!(chosen.offers[1].leaving, Leaving::default());
    // Two MiB are 195 millionths.
    let (place, chosen) = choice(&large(taking("one", ""), 1 << 20));
    assert_eq!((place.as_str(), chosen.offers[0].price), ("local", Some(Usd(195))));
    // What is made here is here.
    let (place, chosen) = choice(&large(taking("local", ""), 1 << 30));
    assert_eq!((place.as_str(), chosen.offers[0].price), ("local", Some(Usd(0))));
}

#[test]
fn what_leaves_a_region_for_another_is_paid_for_there() {
    let (place, chosen) = choice(&large(taking("one", "location = \"far\""), 1 << 30));
    // 0.02 for two GiB, and 0.01 for the machine.
    assert_eq!((place.as_str(), chosen.offers[1].price), ("one", Some(Usd(30_000))));
    let (_, chosen) = choice(&large(taking("one", "location = \"near\""), 1 << 30));
    assert_eq!(chosen.offers[1].price, Some(Usd(10_000)));
}

#[test]
fn bytes_that_nobody_knows_are_counted_as_such_and_not_as_nothing() {
    let (place, chosen) = choice(&taking("one", ""));
    assert_eq!((place.as_str(), chosen.offers[0].price), ("local", Some(Usd(0))), "with nothing to choose by");
    assert_eq!(chosen.offers[0].leaving, Leaving { bytes: 0, cost: Usd(0), unknown: 1 });
    assert_eq!(chosen.offers[1].leaving, Leaving::default(), "what stays in its region is free whatever it is");
}

#[test]
fn what_a_run_has_begun_stays_where_it_is_whatever_its_first_tasks_have_told() {
    let begun = |place: &str, params: serde_json::Value| {
        let mut desk = choosing([3, 2], GPU);
        desk.earlier.begun.insert("a".to_owned(), (place.to_owned(), params));
        chosen(&desk)
    };
    let (place, why) = begun("one", json!({}));
    assert_eq!((place.as_str(), why.as_str()), ("one", "a run has begun it there and not come to its end"));
    assert_eq!(begun("one", json!({ "games": 2 })).0, "two", "that run was asked for something else");
    assert_eq!(begun("local", json!({})).0, "two", "which cannot hold it any more");
}

#[test]
fn auto_says_why_no_place_can_hold_a_stage() {
    let folder = "[backends.one]\nkind = \"cloud\"\nproject = \"p\"\n[stages.a]\nkind = \"toy\"\nbackend = \"auto\"\n\
                  resources = { gpu = 1 }\ntimeout = \"20m\"\n";
    let planned = Desk::with_spec(folder).plan();
    assert_eq!(planned.codes(), ["P0502"]);
    let why = "local: it has no GPU; one: it cannot reach the store, which is a folder of this machine";
    assert!(planned.shown().contains(why), "{}", planned.shown());
    let endless = choosing([1, 1], "resources = { gpu = 1 }").plan();
    assert!(endless.shown().contains("one: it costs money, and the stage has no timeout"), "{}", endless.shown());
}

#[test]
fn a_stage_that_its_place_cannot_hold_is_told_who_would_hold_it() {
    let much = "resources = { cpu = 5, gpu = 1 }\nbackend = \"jobs\"\ntimeout = \"10m\"";
    let planned = spec("project = \"p\"", much).plan();
    assert_eq!(planned.codes(), [BUCKET, "P0502"]);
    assert!(planned.shown().contains("5 CPUs with a GPU, and it has at most 4"), "{}", planned.shown());
    assert!(planned.shown().contains("a backend of kind `hall` would hold it"), "{}", planned.shown());
    let with_hall = spec("project = \"p\"\n[backends.big]\nkind = \"hall\"", much).plan();
    assert!(with_hall.shown().contains("`big` would hold it"), "{}", with_hall.shown());
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
