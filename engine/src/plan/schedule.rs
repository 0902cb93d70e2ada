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

/// What is wrong with a schedule.
pub(super) fn check(around: &Node, schedule: Option<&Schedule>) -> Vec<Diagnostic> {
    let Some(schedule) = schedule else { return Vec::new() };
    let place = |key: &str| -> Span { around.at(&[PathPart::from("schedule"), PathPart::from(key)]).span.clone() };
    let mut problems = Vec::new();
    if let Err(error) = cron(&schedule.cron) {
        let message = format!("`{}` is no time to run at: {error}", schedule.cron);
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
