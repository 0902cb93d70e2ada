//! What an attempt is called -> labels that Google takes: by them bills are split and jobs are found.

use pipe_engine::attempt::Attempt;
use std::collections::{BTreeMap, HashMap};

/// How long a name and a value may be, and how many there may be.
/// Source: https://cloud.google.com/run/docs/configuring/jobs/labels, read 2026-11.
const LONGEST: usize = 63;
const MOST: usize = 64;
/// Those that tell people what a job is about.
const ABOUT: [&str; 4] = ["pipe-pipeline", "pipe-run", "pipe-stage", "pipe-cell"];

/// The labels of an attempt's job: those of its place, those of its task over them, and what `pipe` itself tells.
pub(crate) fn labels(of_place: &BTreeMap<String, String>, attempt: &Attempt) -> BTreeMap<String, String> {
    let ours = [
        ("pipe-pipeline", attempt.pipeline.clone()),
        ("pipe-run", attempt.run.to_string()),
        ("pipe-stage", attempt.task.stage.clone()),
        ("pipe-cell", attempt.task.cell.to_string()),
        ("pipe-attempt", attempt.id.to_string()),
    ];
    let ours = ours.iter().filter(|(_, value)| !value.is_empty());
    let of_task = attempt.provision.iter().flat_map(|provision| &provision.labels);
    let own: BTreeMap<String, String> =
        of_place.iter().chain(of_task).filter_map(|(name, value)| Some((key(name)?, plain(value)))).collect();
    let own = own.into_iter().take(MOST - ours.clone().count());
    own.chain(ours.map(|(name, value)| ((*name).to_owned(), plain(value)))).collect()
}

/// What the labels of a job tell people of its attempt.
pub(crate) fn about(labels: &HashMap<String, String>) -> Option<String> {
    let told: Vec<&str> = ABOUT.iter().filter_map(|label| labels.get(*label)).map(String::as_str).collect();
    Some(told.join(" ")).filter(|told| !told.is_empty())
}

/// A name begins with a letter.
fn key(name: &str) -> Option<String> {
    let name = plain(name);
    match name.chars().next()? {
        first if first.is_ascii_lowercase() => Some(name),
        _ => Some(plain(&format!("x{name}"))),
    }
}

/// Lower-case letters, digits, `_` and `-`. Whatever else there is becomes `_`.
fn plain(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let lower = text.chars().map(|c| c.to_ascii_lowercase());
    lower.map(|c| if is_plain(c) { c } else { '_' }).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_google_does_not_take_is_written_in_another_way() {
        assert_eq!(plain("angle=FAR_LEFT,game=g1"), "angle_far_left_game_g1");
        assert_eq!(plain("Spiel für Köln"), "spiel_f_r_k_ln");
        assert_eq!(plain(&"a".repeat(70)).len(), 63);
        assert_eq!(key("2nd team").as_deref(), Some("x2nd_team"));
        assert_eq!(key("_x").as_deref(), Some("x_x"));
        assert_eq!(key(""), None);
    }
}
