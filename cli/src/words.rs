//! Numbers -> the words a person reads: durations, rates, plurals, results. Knows nothing of pipelines.

use crate::shown::shown;
use pipe_engine::event::{RunLimit, Skip};
use pipe_engine::revision::Revision;
use pipe_engine::site::Site;
use serde_json::Value as Json;
use std::path::Path;
use std::time::Duration;

/// `1 task`, `2 tasks`.
pub(crate) fn count(n: u64, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

/// What a limit has done to a run.
pub(crate) fn stopped_by(limit: RunLimit) -> &'static str {
    match limit {
        RunLimit::Time => "stopped at its deadline",
        RunLimit::Cost => "stopped at its max_cost",
    }
}

/// `0.04 s`, `3.2 s`, `45 s`, `2m 05s`, `1h 02m`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let whole = time.as_secs();
    match whole {
        0 if seconds < 0.995 => format!("{seconds:.2} s"),
        0..10 => format!("{seconds:.1} s"),
        10..60 => format!("{whole} s"),
        60..3600 => format!("{}m {:02}s", whole / 60, whole % 60),
        _ => format!("{}h {:02}m", whole / 3600, whole % 3600 / 60),
    }
}

/// `512 B`, `1.5 KiB`, `190 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= 999.5 && unit + 1 < units.len() {
        (value, unit) = (value / 1024.0, unit + 1);
    }
    let digits = if unit > 0 && value < 9.95 { 1 } else { 0 };
    format!("{value:.digits$} {}", units[unit])
}

/// As [`duration`], in whole seconds: for times that are still counting.
pub(crate) fn whole(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        _ => duration(time),
    }
}

/// As [`duration`], for times nobody can know exactly: `under 1 s`, `8 s`, `45 s`, `2 min`, `1.5 h`, `3 days`.
pub(crate) fn roughly(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let halves = |value: f64| (value * 2.0).round() / 2.0;
    match seconds {
        s if s < 0.95 => "under 1 s".to_owned(),
        s if s < 9.5 => format!("{s:.0} s"),
        s if s < 87.5 => format!("{:.0} s", (s / 5.0).round() * 5.0),
        s if s < 570.0 => format!("{} min", halves(s / 60.0)),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{} h", halves(s / 3600.0)),
        s => format!("{:.0} days", s / 86_400.0),
    }
}

/// `about 2 min`, `under 1 s`.
pub(crate) fn about(time: Duration) -> String {
    let time = roughly(time);
    if time.starts_with("under") { time } else { format!("about {time}") }
}

/// `45/s`, `3.2/s`, and by the minute what takes longer than two seconds.
pub(crate) fn rate(per_second: f64) -> String {
    match per_second {
        r if r >= 10.0 => format!("{r:.0}/s"),
        r if r >= 0.5 => format!("{r:.1}/s"),
        r => format!("{:.1}/min", r * 60.0),
    }
}

/// A number with as many digits as a person compares: `0.4127`, `12.5`, `1200`.
pub(crate) fn number(value: f64) -> String {
    if value == value.trunc() && value.abs() < 1e15 {
        return format!("{value:.0}");
    }
    let digits: usize = match value.abs() {
        v if v >= 100.0 => 1,
        v if v >= 1.0 => 2,
        v if v >= 1e-3 => 4,
        _ => return format!("{value:.2e}"),
    };
    format!("{value:.digits$}")
}

/// The first few scalars of a stage's result, as `accuracy 0.93, clips 640`.
pub(crate) fn facts(result: &Json, at_most: usize) -> String {
    let fields = result.as_object().into_iter().flatten();
    let told = fields.filter_map(|(key, value)| {
        let value = match value {
            Json::Number(n) => number(n.as_f64()?),
            Json::Bool(b) => b.to_string(),
            Json::String(s) if s.chars().count() <= 24 => s.clone(),
            _ => return None,
        };
        Some(shown(&format!("{} {value}", key.replace('_', " "))).into_owned())
    });
    told.take(at_most).collect::<Vec<_>>().join(", ")
}

/// A word as it is typed in a shell: as it is, or in quotes where the shell would take it for something else.
pub(crate) fn typed(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// A text as one line of at most so many characters.
pub(crate) fn cut(text: &str, most: usize) -> String {
    let line = shown(text).replace('\n', "\\n");
    if line.chars().count() <= most { line } else { line.chars().take(most - 1).chain(['…']).collect() }
}

/// Why a task was skipped, when that is for a reason of its own.
pub(crate) fn skip(why: Skip) -> Option<&'static str> {
    match why {
        Skip::Other => None,
        Skip::When => Some("`when` is false"),
        Skip::NothingFailed => Some("nothing has failed"),
    }
}

/// What a run does while the disk of its state folder is full.
pub(crate) fn disk_full(state: &Path, left: u64) -> String {
    format!(
        "{} left where {} lies: what runs goes on, and the rest begins as soon as there is room",
        bytes(left),
        state.display()
    )
}

/// `1a2b3c4d5e6f (v1.2, main) of club/specs, 2 files changed`.
pub(crate) fn revision(revision: &Revision) -> String {
    let short = revision.commit.get(..12).unwrap_or(&revision.commit);
    let mut names: Vec<&str> = revision.at.as_deref().into_iter().collect();
    names.extend(revision.tags.iter().map(String::as_str).filter(|tag| Some(*tag) != revision.at.as_deref()));
    names.extend(revision.branch.as_deref());
    let names = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
    let changes = match &revision.changes {
        Some(changes) if changes.count > 0 => format!(", {} changed", count(changes.count, "file")),
        _ => String::new(),
    };
    format!("{short}{names} of {}{changes}", revision.remote.as_deref().unwrap_or(&revision.folder))
}

/// `ann on nightly-3, 8 CPUs, pipe 0.3.0`.
pub(crate) fn site(site: &Site) -> String {
    let user = site.user.as_ref().map_or_else(String::new, |user| format!("{user} on "));
    format!("{user}{}, {}, pipe {}", site.host, count(site.cpus.into(), "CPU"), site.pipe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn durations_read_as_people_say_them() {
        let said = [0.04, 0.998, 3.21, 45.9, 125.0, 3725.0].map(|s| duration(Duration::from_secs_f64(s)));
        assert_eq!(said, ["0.04 s", "1.0 s", "3.2 s", "45 s", "2m 05s", "1h 02m"]);
    }

    #[test]
    fn what_a_shell_would_split_or_replace_is_typed_in_quotes() {
        let said = ["specs/week-12.toml", "spéc.toml", "a b", "it's $HOME", "", "*"].map(typed);
        assert_eq!(said, ["specs/week-12.toml", "spéc.toml", "'a b'", r"'it'\''s $HOME'", "''", "'*'"]);
    }

    #[test]
    fn sizes_have_the_unit_that_makes_them_short() {
        let said = [0, 999, 1000, 1536, 10_239, 199_229_440, 1_073_000_000, 5 << 40].map(bytes);
        assert_eq!(said, ["0 B", "999 B", "1.0 KiB", "1.5 KiB", "10 KiB", "190 MiB", "1.0 GiB", "5.0 TiB"]);
    }

    #[test]
    fn estimates_are_told_no_finer_than_they_are() {
        let said = [0.2, 3.4, 43.0, 88.0, 140.0, 700.0, 5400.0, 40_000.0, 300_000.0];
        let said = said.map(|s| roughly(Duration::from_secs_f64(s)));
        let expected = ["under 1 s", "3 s", "45 s", "1.5 min", "2.5 min", "12 min", "1.5 h", "11 h", "3 days"];
        assert_eq!(said, expected);
    }

    #[test]
    fn slow_rates_are_told_by_the_minute() {
        assert_eq!([rate(45.2), rate(3.25), rate(0.05)], ["45/s", "3.2/s", "3.0/min"]);
    }

    #[test]
    fn only_the_small_scalars_of_a_result_are_told() {
        let result = json!({ "accuracy": 0.93333, "clips": 640, "labels": ["a"], "best_epoch": 4 });
        assert_eq!(facts(&result, 9), "accuracy 0.9333, clips 640, best epoch 4");
        assert_eq!(facts(&Json::Null, 9), "");
    }
}
