//! Slots on the days on which clocks change, held against a table made by hand from the rules of the zones.

use pipe_clock::{Slots, parse, told};
use pipe_engine::spec::Schedule;
use pipe_engine::world::Timestamp;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

pub(crate) fn schedule(cron: &str, zone: &str) -> Schedule {
    Schedule {
        cron: cron.to_owned(),
        time_zone: zone.to_owned(),
        overlap: Default::default(),
        catch_up: Default::default(),
    }
}

pub(crate) fn slots(cron: &str, zone: &str) -> Slots {
    Slots::of(&schedule(cron, zone)).unwrap()
}

/// Zone, expression, a moment, and the slots that follow it.
const TABLE: &[(&str, &str, &str, &[&str])] = &[
    // Berlin 2026: 29 March 02:00 -> 03:00, 25 October 03:00 -> 02:00.
    ("Europe/Berlin", "30 2 * * *", "2026-03-27T12:00:00Z", &["03-28T01:30", "03-29T01:00", "03-30T00:30"]),
    ("Europe/Berlin", "30 2 * * *", "2026-10-23T12:00:00Z", &["10-24T00:30", "10-25T00:30", "10-26T01:30"]),
    ("Europe/Berlin", "0 2,14 * * *", "2026-03-28T12:59:00Z", &["03-28T13:00", "03-29T01:00", "03-29T12:00"]),
    ("Europe/Berlin", "0 2,3 * * *", "2026-03-28T12:00:00Z", &["03-29T01:00", "03-30T00:00", "03-30T01:00"]),
    ("Europe/Berlin", "15,45 2 * * *", "2026-10-24T12:00:00Z", &["10-25T00:15", "10-25T00:45", "10-26T01:15"]),
    ("Europe/Berlin", "*/30 * * * *", "2026-03-29T00:00:00Z", &["03-29T00:30", "03-29T01:00", "03-29T01:30"]),
    ("Europe/Berlin", "*/30 * * * *", "2026-10-25T00:00:00Z", &["10-25T00:30", "10-25T01:00", "10-25T01:30"]),
    ("Europe/Berlin", "*/20 2 * * *", "2026-03-28T01:20:00Z", &["03-28T01:40", "03-30T00:00", "03-30T00:20"]),
    ("Europe/Berlin", "*/20 2 * * *", "2026-10-25T00:20:00Z", &["10-25T00:40", "10-25T01:00", "10-25T01:20"]),
    // In the second pass of the hour, what is written out has been.
    ("Europe/Berlin", "30 2 * * *", "2026-10-25T01:00:00Z", &["10-26T01:30"]),
    ("Europe/Berlin", "30 2 29 3 *", "2026-01-01T00:00:00Z", &["03-29T01:00"]),
    // New York 2026: 8 March 02:00 -> 03:00, 1 November 02:00 -> 01:00.
    ("America/New_York", "30 2 * * *", "2026-03-06T12:00:00Z", &["03-07T07:30", "03-08T07:00", "03-09T06:30"]),
    ("America/New_York", "30 1 * * *", "2026-10-30T12:00:00Z", &["10-31T05:30", "11-01T05:30", "11-02T06:30"]),
    ("America/New_York", "0 * * * *", "2026-11-01T04:30:00Z", &["11-01T05:00", "11-01T06:00", "11-01T07:00"]),
    // Lord Howe 2026: 5 April 02:00 -> 01:30, 4 October 02:00 -> 02:30: half an hour only.
    ("Australia/Lord_Howe", "15 2 * * *", "2026-10-02T12:00:00Z", &["10-02T15:45", "10-03T15:30", "10-04T15:15"]),
    ("Australia/Lord_Howe", "45 1 * * *", "2026-04-03T12:00:00Z", &["04-03T14:45", "04-04T14:45", "04-05T15:15"]),
    ("Australia/Lord_Howe", "0 * * * *", "2026-04-04T13:30:00Z", &["04-04T14:00", "04-04T15:30", "04-04T16:30"]),
    ("Australia/Lord_Howe", "45 * * * *", "2026-04-04T14:00:00Z", &["04-04T14:45", "04-04T15:15", "04-04T16:15"]),
    ("Australia/Lord_Howe", "0 * * * *", "2026-10-03T14:00:00Z", &["10-03T14:30", "10-03T16:00", "10-03T17:00"]),
    // Samoa crossed the date line: there was no 30 December 2011.
    ("Pacific/Apia", "0 3 * * *", "2011-12-29T00:00:00Z", &["12-29T13:00", "12-30T10:00", "12-30T13:00"]),
    ("UTC", "@daily", "2026-02-27T12:00:00Z", &["02-28T00:00", "03-01T00:00"]),
    ("UTC", "0 0 29 2 *", "2026-01-01T00:00:00Z", &["02-29T00:00", "02-29T00:00"]),
];

#[test]
fn slots_are_where_the_table_says_on_days_on_which_clocks_change() {
    let mut wrong = Vec::new();
    for (zone, cron, from, expected) in TABLE {
        let slots = slots(cron, zone);
        let found: Vec<String> = slots.iter_after(parse(from).unwrap()).take(expected.len()).map(told).collect();
        let found: Vec<&str> = found.iter().map(|slot| &slot["2026-".len()..slot.len() - ":00Z".len()]).collect();
        if found != *expected {
            wrong.push(format!("{cron} in {zone} after {from}: {found:?}, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn from_any_moment_the_slots_are_the_same_forwards_and_backwards() {
    let minute = 60_000;
    for (zone, cron, around, _) in TABLE.iter().filter(|(_, cron, ..)| *cron != "0 0 29 2 *") {
        let (slots, around) = (slots(cron, zone), parse(around).unwrap());
        let until = Timestamp(around.0 + 4 * 24 * 60 * minute);
        let forwards: Vec<Timestamp> = slots.iter_after(around).take_while(|slot| *slot <= until).collect();
        assert!(forwards.is_sorted_by(|a, b| a < b), "{cron} in {zone}: {forwards:?}");
        assert_eq!(slots.newest(around, until, usize::MAX).0, forwards, "{cron} in {zone}");
        let mut random = ChaCha8Rng::seed_from_u64(7);
        for _ in 0..200 {
            let moment = Timestamp(around.0 + random.next_u64() % (until.0 - around.0));
            assert_eq!(slots.after(moment), slots.iter_after(around).find(|slot| *slot > moment), "{cron} {zone}");
            let newest = forwards.iter().rev().find(|slot| **slot <= moment);
            assert!(newest.is_none() || slots.until(moment) == newest.copied(), "{cron} in {zone}");
        }
    }
}

#[test]
fn the_newest_slots_of_a_long_time_are_those_at_its_end() {
    let hourly = slots("0 * * * *", "UTC");
    let (from, to) = (parse("2020-01-01T00:00:00Z").unwrap(), parse("2026-01-01T00:30:00Z").unwrap());
    let (found, were_more) = hourly.newest(from, to, 2);
    assert_eq!(found.into_iter().map(told).collect::<Vec<_>>(), ["2025-12-31T23:00:00Z", "2026-01-01T00:00:00Z"]);
    assert!(were_more);
    assert_eq!(hourly.newest(to, to, 2), (Vec::new(), false));
}

#[test]
fn a_day_that_no_calendar_has_has_no_slot() {
    assert_eq!(slots("0 0 31 2 *", "UTC").after(Timestamp(0)), None);
}
