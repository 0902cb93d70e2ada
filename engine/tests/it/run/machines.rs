//! Which machine an attempt elsewhere gets, what it costs, and what the journal knows of that.

use super::project::{Project, Ran};
use super::provider::Provider;
use pipe_engine::attempt::{Provision, Terms};
use pipe_engine::event::Body;
use pipe_engine::failure::{Class, Failure};
use pipe_engine::state::Bill;
use pipe_engine::units::Usd;
use std::sync::{Arc, Mutex};

/// A place whose attempts cost 3.60 USD an hour in the north, and twice as much in the south.
const PLACE: &str = "[backends.there]\nkind = \"far\"\ndear = 1000\nregions = [\"north\", \"south\"]\n";
const NOTE: &str = "[stages.note]\nkind = \"note\"\ntext = \"one\"\nbackend = \"there\"\ntimeout = \"1h\"\n";

type Seen = Arc<Mutex<Vec<Provision>>>;

/// A project, and what attempts that are handed over are to be provided with. They end so, and all others well.
fn befallen(ends: &[Class]) -> (Project, Seen) {
    let (provider, seen) = (Arc::<Provider>::default(), Seen::default());
    let project = Project::new().with_place("there", provider.clone());
    // The last of them is the first to come.
    provider.desk().ends = ends.iter().rev().map(|class| Some(Failure::of(*class, "it", "it befell"))).collect();
    let sees = seen.clone();
    provider.desk().inspects =
        Some(Box::new(move |attempt| sees.lock().unwrap().push(attempt.provision.clone().unwrap())));
    (project, seen)
}

fn spec(more: &str) -> String {
    format!("{PLACE}{NOTE}{more}retry = {{ backoff = \"1ms..5ms\" }}\n")
}

fn terms(ran: &Ran) -> Vec<Terms> {
    let events = ran.journaled().into_iter();
    let terms = events.filter_map(|event| match event.body {
        Body::AttemptSubmitting { terms, .. } => terms.map(|terms| *terms),
        _ => None,
    });
    terms.collect()
}

#[test]
fn where_there_was_no_machine_the_next_region_is_asked_and_after_the_last_the_first() {
    let (project, seen) = befallen(&[Class::Capacity, Class::Capacity, Class::Transient]);
    let ran = project.run(&spec(""));
    assert_eq!(ran.ends(), [1, 0, 0, 0, 0], "{:?}", ran.failures());
    let regions: Vec<String> = seen.lock().unwrap().iter().filter_map(|provision| provision.region.clone()).collect();
    assert_eq!(regions, ["north", "south", "north", "north"]);
    let hours: Vec<u64> = terms(&ran).iter().filter_map(|terms| Some(terms.hour?.0)).collect();
    assert_eq!(hours, [3_600_000, 7_200_000, 3_600_000, 3_600_000], "each with the price of its region");
}

#[test]
fn an_attempt_that_another_engine_has_described_stays_in_its_region() {
    let (project, seen) = befallen(&[]);
    project.die_at(".pipe", &spec(""), |body| matches!(body, Body::AttemptSubmitting { .. }));
    let turned = spec("").replace("\"north\", \"south\"", "\"south\", \"north\"");
    let ran = project.run_in("other", &turned, |_| None);
    assert_eq!(ran.ends(), [1, 0, 0, 0, 0], "{:?}", ran.failures());
    let regions: Vec<String> = seen.lock().unwrap().iter().filter_map(|provision| provision.region.clone()).collect();
    assert_eq!(regions, ["north"]);
    assert_eq!(terms(&ran)[0].region.as_deref(), Some("north"), "and what is told of it is of that region");
}

#[test]
fn machines_that_are_taken_away_are_cheaper_and_after_some_the_next_one_stays() {
    let (project, seen) = befallen(&[Class::Preempted, Class::Transient, Class::Preempted]);
    let ran = project.run(&spec("spot = { preemptions = 2 }\n"));
    assert_eq!(ran.ends(), [1, 0, 0, 0, 0], "{:?}", ran.failures());
    let spot: Vec<bool> = seen.lock().unwrap().iter().map(|provision| provision.spot).collect();
    assert_eq!(spot, [true, true, true, false]);
    let hours: Vec<u64> = terms(&ran).iter().filter_map(|terms| Some(terms.hour?.0)).collect();
    assert_eq!(hours, [1_800_000, 1_800_000, 1_800_000, 3_600_000]);
}

#[test]
fn who_says_no_more_than_that_machines_may_be_taken_away_gets_one_that_stays_after_three() {
    let (project, seen) = befallen(&[Class::Preempted; 3]);
    assert_eq!(project.run(&spec("spot = true\n")).ends(), [1, 0, 0, 0, 0]);
    let spot: Vec<bool> = seen.lock().unwrap().iter().map(|provision| provision.spot).collect();
    assert_eq!(spot, [true, true, true, false]);
}

#[test]
fn a_limit_of_cost_reckons_with_the_dearest_region() {
    let (project, seen) = befallen(&[]);
    // An hour in the north costs 3.60 USD, and one in the south 7.20.
    let ran = project.run(&format!("max_cost = \"5 USD\"\n{}", spec("")));
    assert_eq!((ran.ends(), seen.lock().unwrap().len()), ([0, 0, 0, 0, 1], 0));
    assert_eq!(project.run(&format!("max_cost = \"7.20 USD\"\n{}", spec(""))).ends(), [1, 0, 0, 0, 0]);
}

#[test]
fn what_attempts_cost_is_known_from_the_journal_alone() {
    let (project, _) = befallen(&[Class::Capacity]);
    assert_eq!(project.run(&spec("")).ends(), [1, 0, 0, 0, 0]);
    let bills = Bill::all(&project.path(".pipe/journal.db")).unwrap();
    assert_eq!(bills.iter().map(|bill| bill.task.as_str()).collect::<Vec<_>>(), ["note", "note"]);
    for bill in &bills {
        let hour = bill.terms.as_ref().and_then(|terms| terms.hour).unwrap();
        let share = |millis: u128| Usd(u64::try_from((u128::from(hour.0) * millis).div_ceil(3_600_000)).unwrap());
        let least = bill.terms.as_ref().and_then(|terms| terms.least).filter(|_| !bill.time().is_zero());
        let cost = share(bill.time().as_millis()).max(least.unwrap_or_default());
        assert_eq!((bill.is_open(), bill.cost()), (false, Some(cost)));
    }
}
