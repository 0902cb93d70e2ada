//! The clips of a task -> one picture of them all, for people.

use super::outcomes::Outcome;
use super::thumbs::HEIGHT;
use crate::records::ClipRecord;
use indexmap::IndexMap;
use pipe_engine::failure::Failure;
use pipe_engine::work::Work;
use pipe_video::{Tile, gallery};
use std::fs;

/// The file in the artifact.
pub(super) const SHEET: &str = "contact-sheet.jpg";
/// Clips that are shown, at most; of more, some are left out evenly.
const MOST: usize = 120;
/// Clips side by side, at most; the angles of a play stand together.
const COLUMNS: usize = 6;

/// Writes the contact sheet. Nothing is written of no clips.
///
/// # Errors
/// When a thumbnail cannot be read, or the sheet not written.
pub(super) fn write(work: &Work<'_>, outcomes: &[Outcome]) -> Result<(), Failure> {
    if outcomes.is_empty() {
        return Ok(());
    }
    let (chosen, columns) = laid_out(outcomes);
    let tiles = chosen.iter().map(|outcome| tile(outcome)).collect::<Result<Vec<_>, _>>()?;
    let title = title(work, outcomes, chosen.len());
    let sheet = gallery(&title, &tiles, columns, HEIGHT).map_err(|e| super::video_failure(&e))?;
    work.write(SHEET, &sheet)
}

/// The clips that are shown, the angles of a play side by side, and how many in a row.
fn laid_out(outcomes: &[Outcome]) -> (Vec<&Outcome>, usize) {
    let mut plays: IndexMap<&str, Vec<&Outcome>> = IndexMap::new();
    for outcome in outcomes {
        plays.entry(&outcome.record.play).or_default().push(outcome);
    }
    let angles = plays.values().map(Vec::len).max().unwrap_or(1);
    let shown = plays.len().min((MOST / angles).max(1));
    let chosen = (0..shown).flat_map(|i| &plays[i * plays.len() / shown]).copied().collect();
    let columns = if angles > COLUMNS { COLUMNS } else { COLUMNS / angles * angles };
    (chosen, columns)
}

/// `angle=FAR_LEFT,game=g1: 60 clips, 2 failed`.
fn title(work: &Work<'_>, outcomes: &[Outcome], shown: usize) -> String {
    let failed = outcomes.iter().filter(|outcome| !outcome.record.is_cut()).count();
    let cell = if work.cell().is_empty() { String::new() } else { format!("{}: ", work.cell()) };
    let count = match outcomes.len() {
        1 => "1 clip".to_owned(),
        all if all == shown => format!("{all} clips"),
        all => format!("{shown} of {all} clips"),
    };
    let lost = if failed > 0 { format!(", {failed} failed") } else { String::new() };
    format!("{cell}{count}{lost}")
}

fn tile(outcome: &Outcome) -> Result<Tile, Failure> {
    let record = &outcome.record;
    let read = |path| fs::read(path).map_err(|e| Failure::io("read", path, &e));
    let detail = match &record.error {
        Some(error) => {
            let angle = record.angle.as_ref().map_or_else(String::new, |angle| format!(" ({angle})"));
            format!("failed{angle}: {}", error.message)
        }
        None => detail(record),
    };
    Ok(Tile { jpeg: outcome.picture.as_ref().map(read).transpose()?, caption: record.play.clone(), detail })
}

/// `FAR_LEFT  1:02.500  4.2 s`.
fn detail(record: &ClipRecord) -> String {
    let angle = record.angle.as_ref().map_or_else(String::new, |angle| format!("{angle}  "));
    let seconds = record.end_ms.saturating_sub(record.start_ms) as f64 / 1000.0;
    format!("{angle}{}  {seconds:.1} s", clock(record.start_ms))
}

fn clock(ms: u64) -> String {
    let (seconds, rest) = (ms / 1000, ms % 1000);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let seconds = seconds % 60;
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}.{rest:03}")
    } else {
        format!("{minutes}:{seconds:02}.{rest:03}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_as_players_show_it() {
        assert_eq!([clock(62_500), clock(999), clock(3_661_001)], ["1:02.500", "0:00.999", "1:01:01.001"]);
    }
}
