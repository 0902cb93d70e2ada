//! What a run took and cost beside what was expected -> a table with a row for each stage, in words.

use crate::words;
use indexmap::IndexMap;
use pipe_engine::account::Reckoning;
use pipe_engine::units::Usd;
use serde::Serialize;
use std::time::Duration;

/// The table.
#[derive(Serialize)]
pub(super) struct Reckoned {
    rows: Vec<Row>,
    /// Whether somebody pays for anything.
    has_cost: bool,
}

#[derive(Serialize)]
struct Row {
    stage: String,
    ran: String,
    expected: String,
    took: String,
    expected_cost: String,
    cost: String,
    note: String,
}

pub(super) fn table(stages: &IndexMap<String, Reckoning>) -> Reckoned {
    let rows = stages.iter().map(|(stage, reckoning)| row(stage, reckoning)).collect();
    Reckoned { rows, has_cost: stages.values().any(|stage| stage.paid > 0) }
}

fn row(stage: &str, of: &Reckoning) -> Row {
    let more = of.attempts.saturating_sub(of.tasks);
    let again = if more > 0 { format!(", {} more", words::count(more, "attempt")) } else { String::new() };
    let seconds = |seconds: f64| words::duration(Duration::try_from_secs_f64(seconds).unwrap_or_default());
    let known = (of.tasks - of.unexpected, of.tasks);
    let doubles =
        (of.doubles > 0).then(|| format!("{} of an attempt that had one", words::count(of.doubles, "second job")));
    let unpriced = (of.unpriced > 0).then(|| format!("{} without a known price", words::count(of.unpriced, "attempt")));
    let at_most = (of.at_most > 0).then(|| format!("at most, of {}", words::count(of.at_most, "attempt")));
    let guessed =
        (of.guessed > 0).then(|| format!("{} expected to take half the timeout", words::count(of.guessed, "task")));
    Row {
        stage: stage.to_owned(),
        ran: format!("{}{again}", words::count(of.tasks, "task")),
        expected: at_least(known, seconds(of.expected_seconds)),
        took: seconds(of.seconds),
        expected_cost: if of.paid > 0 { at_least(known, of.expected_cost.to_string()) } else { String::new() },
        cost: cost(of),
        note: [unpriced, at_most, doubles, guessed].into_iter().flatten().collect::<Vec<_>>().join(", "),
    }
}

/// An amount that was reckoned of so many out of so many.
fn at_least((known, all): (u64, u64), amount: String) -> String {
    match known {
        0 => "?".to_owned(),
        known if known < all => format!("> {amount}"),
        _ => amount,
    }
}

fn cost(of: &Reckoning) -> String {
    match (of.paid, of.unpriced, of.cost) {
        (0, ..) => "free".to_owned(),
        (_, 0, cost) => cost.to_string(),
        (_, _, Usd(0)) => "?".to_owned(),
        (_, _, cost) => format!("> {cost}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_of_all_is_told_as_at_least_and_never_as_free() {
        let of =
            |paid, unpriced, micros| cost(&Reckoning { paid, unpriced, cost: Usd(micros), ..Reckoning::default() });
        assert_eq!(
            [of(0, 0, 0), of(2, 0, 500_000), of(2, 1, 500_000), of(2, 2, 0)],
            ["free", "0.50 USD", "> 0.50 USD", "?"]
        );
        assert_eq!(at_least((0, 3), "1 s".to_owned()), "?");
        assert_eq!(at_least((2, 3), "1 s".to_owned()), "> 1 s");
    }
}
