//! The clips that a task takes -> where each lies for others, and what is known of it. None of them is fetched.

use crate::jsonl;
use crate::records::{CLIPS, ClipRecord};
use pipe_engine::attempt::{Attempt, Input};
use pipe_engine::failure::Failure;
use pipe_engine::stage::Desk;
use std::collections::HashMap;

/// One clip.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Clip {
    pub(super) uri: String,
    pub(super) bytes: u64,
    /// How long it is, where its stage tells.
    pub(super) milliseconds: Option<u64>,
}

/// Clips by the paths that records name them by: relative to the gathered clips.
pub(super) type Clips = HashMap<String, Clip>;

/// The clips of all inputs in `clips`.
///
/// # Errors
/// When a manifest of clips cannot be read.
pub(super) fn gathered(attempt: &Attempt, desk: &dyn Desk) -> Result<Clips, Failure> {
    let named = attempt.inputs.iter().filter(|(field, _)| field.starts_with("clips["));
    let mut clips = Clips::new();
    for input in named.flat_map(|(_, inputs)| inputs) {
        let lengths = lengths(input, desk)?;
        for file in &input.files {
            let milliseconds = lengths.get(&file.path).copied();
            let clip = Clip { uri: desk.whereabouts(file), bytes: file.size, milliseconds };
            clips.insert(format!("{}/{}", input.cell.folder(), file.path), clip);
        }
    }
    Ok(clips)
}

/// How long each clip of a result is, by its path.
fn lengths(input: &Input, desk: &dyn Desk) -> Result<HashMap<String, u64>, Failure> {
    let Some(manifest) = input.files.iter().find(|file| file.path == CLIPS) else { return Ok(HashMap::new()) };
    let records: Vec<ClipRecord> = jsonl::read(&desk.brought(manifest)?)?;
    let cut = records.into_iter().filter(ClipRecord::is_cut);
    Ok(cut.map(|clip| (clip.path, clip.end_ms.saturating_sub(clip.start_ms))).collect())
}
