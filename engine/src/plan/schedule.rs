//! `schedule`: whether its times can be understood, and ever come.

use super::code;
use crate::spec::Schedule;
use crate::spec::node::{Node, PathPart};
use crate::text::{Diagnostic, Span};
use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds};

/// Reads the `cron` of a schedule: five fields, or a name such as `@daily`.
///
/// # Errors
/// When it cannot be understood.
pub fn cron(text: &str) -> Result<Cron, CronError> {
    CronParser::builder().seconds(Seconds::Disallowed).build().parse(text)
}

/// The fields of a time, and what each may be.
const FIELDS: [(&str, &str); 5] = [
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of the month", "1 to 31"),
    ("month", "1 to 12, or JAN to DEC"),
    ("day of the week", "0 to 7, or SUN to SAT"),
];

/// Why a time cannot be understood, in words for whoever wrote it: the parser's own are for whoever calls it.
fn why(text: &str) -> String {
    let written: Vec<&str> = text.split_whitespace().collect();
    if text.starts_with('@') {
        return "the names are @yearly, @monthly, @weekly, @daily and @hourly".to_owned();
    }
    if written.len() != FIELDS.len() {
        return format!("it has {} fields, and a time has 5", written.len());
    }
    // Alone among fields that are anything, a field tells whether it is the one.
    let is_wrong = |place: &usize| {
        let alone: Vec<&str> = (0..FIELDS.len()).map(|at| if at == *place { written[at] } else { "*" }).collect();
        cron(&alone.join(" ")).is_err()
    };
    match (0..FIELDS.len()).find(is_wrong) {
        Some(place) => format!("the {} is `{}`, and may be {}", FIELDS[place].0, written[place], FIELDS[place].1),
        None => "its fields do not go together".to_owned(),
    }
}

/// What is wrong with a schedule.
pub(super) fn check(around: &Node, schedule: Option<&Schedule>) -> Vec<Diagnostic> {
    let Some(schedule) = schedule else { return Vec::new() };
    let place = |key: &str| -> Span { around.at(&[PathPart::from("schedule"), PathPart::from(key)]).span.clone() };
    let mut problems = Vec::new();
    if cron(&schedule.cron).is_err() {
        let message = format!("`{}` is no time to run at: {}", schedule.cron, why(&schedule.cron));
        let help =
            "write minute, hour, day of the month, month and day of the week: \"0 3 * * *\" is every night at three";
        problems.push(Diagnostic::error(code::BAD_SCHEDULE, message, place("cron"), "").help(help));
    }
    if jiff::tz::TimeZone::get(&schedule.time_zone).is_err() {
        let message = format!("`{}` is no time zone", schedule.time_zone);
        let help = "write one of the IANA database, such as \"Europe/Berlin\", or \"UTC\"";
        problems.push(Diagnostic::error(code::BAD_SCHEDULE, message, place("time_zone"), "").help(help));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_which_field_of_a_time_is_wrong_and_what_it_may_be() {
        let told = |text: &str| {
            assert!(cron(text).is_err(), "{text}");
            why(text)
        };
        assert_eq!(told("* 25 * * *"), "the hour is `25`, and may be 0 to 23");
        assert_eq!(told("60 3 * * *"), "the minute is `60`, and may be 0 to 59");
        assert_eq!(told("0 3 32 * *"), "the day of the month is `32`, and may be 1 to 31");
        assert_eq!(told("0 3 1 MAI *"), "the month is `MAI`, and may be 1 to 12, or JAN to DEC");
        assert_eq!(told("0 3 * * 8"), "the day of the week is `8`, and may be 0 to 7, or SUN to SAT");
        assert_eq!(told("0 3 * *"), "it has 4 fields, and a time has 5");
        assert_eq!(told("@dayly"), "the names are @yearly, @monthly, @weekly, @daily and @hourly");
    }
}
