//! What became of every clip -> whether the task has succeeded, and how those that failed are told.

use crate::records::{ClipError, ClipRecord, ClipStatus};
use pipe_engine::failure::Failure;
use std::path::PathBuf;

/// Failures that the task's result tells; the manifest has them all.
const TOLD: usize = 5;

/// Why there is no clip.
pub(crate) enum Trouble {
    /// The play or its part of the video is at fault: the other clips are none the worse.
    Clip(Failure),
    /// Whatever it is, no other clip is safe from it.
    Task(Failure),
}

/// A play, and what became of its clip.
pub(super) struct Outcome {
    pub(super) record: ClipRecord,
    /// Where its thumbnail lies.
    pub(super) picture: Option<PathBuf>,
    pub(super) trouble: Option<Trouble>,
}

impl Outcome {
    /// A clip that was not cut.
    pub(super) fn failed(record: ClipRecord, trouble: Trouble) -> Self {
        let (Trouble::Clip(failure) | Trouble::Task(failure)) = &trouble;
        let error =
            ClipError { code: failure.code.clone(), message: failure.message.clone(), help: failure.help.clone() };
        let record = ClipRecord { status: ClipStatus::Failed, error: Some(error), ..record };
        Self { record, picture: None, trouble: Some(trouble) }
    }

    /// Its failure, which says of which clip it is.
    fn failure(&self) -> Option<Failure> {
        let (Trouble::Clip(failure) | Trouble::Task(failure)) = self.trouble.as_ref()?;
        Some(Failure { message: format!("{}: {}", name_of(&self.record), failure.message), ..failure.clone() })
    }
}

/// The play, and the angle where the task cuts several.
pub(super) fn name_of(record: &ClipRecord) -> String {
    let is_one_of_several = |angle: &&String| record.id.ends_with(&format!("{angle}/{}", record.play));
    let angle = record.angle.as_ref().filter(is_one_of_several);
    let of = angle.map_or_else(String::new, |angle| format!(" of {angle}"));
    format!("play `{}`{of}", record.play)
}

/// Decides by the share of clips that must be cut. The failures of those that the task goes without, each with the clip's
/// name.
///
/// # Errors
/// The first failure in the order of the clips: one that is no clip's own, or any when there are too many.
pub(super) fn judged(outcomes: &[Outcome], min_success: f64) -> Result<Vec<Failure>, Failure> {
    let of_task = outcomes.iter().find(|outcome| matches!(outcome.trouble, Some(Trouble::Task(_))));
    let failures: Vec<Failure> = outcomes.iter().filter_map(Outcome::failure).collect();
    let (total, failed) = (outcomes.len(), failures.len());
    let first = of_task.and_then(Outcome::failure).or_else(|| failures.first().cloned());
    let Some(first) = first else { return Ok(failures) };
    let allowed = allowed(total, min_success);
    if of_task.is_none() && failed <= allowed {
        return Ok(failures);
    }
    let more = if failed > 1 { format!(" (and {} more of {total})", failed - 1) } else { String::new() };
    let message = if of_task.is_none() && min_success < 1.0 {
        format!(
            "{failed} of {total} clips could not be cut, and `min_success = {min_success}` lets {allowed} go: {}",
            first.message
        )
    } else {
        first.message + &more
    };
    Err(Failure { message, ..first })
}

/// How many clips may fail.
fn allowed(total: usize, min_success: f64) -> usize {
    // 0.9 of 10 are 9, whatever 0.9 is in binary.
    let least = (total as f64 * min_success - 1e-9).ceil().max(0.0);
    total.saturating_sub(least as usize)
}

/// The first few failures in words.
pub(super) fn told(failures: &[Failure]) -> Vec<String> {
    let mut told: Vec<String> = failures.iter().take(TOLD).map(|failure| failure.message.clone()).collect();
    if failures.len() > TOLD {
        told.push(format!("and {} more", failures.len() - TOLD));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_taken_of_whole_clips() {
        for (total, share, may_fail) in [
            (10, 1.0, 0),
            (10, 0.9, 1),
            (10, 0.95, 0),
            (3, 0.66, 1),
            (3, 0.67, 0),
            (10, 0.0, 10),
            (0, 1.0, 0),
            (1000, 0.999, 1),
        ] {
            assert_eq!(allowed(total, share), may_fail, "{share} of {total}");
        }
    }
}
