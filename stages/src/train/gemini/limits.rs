//! What a tuning of Gemini takes: the table beside this file, with its sources and the days they were read.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Where a person reads of them.
pub(super) const PAGES: &str = "https://cloud.google.com/vertex-ai/generative-ai/docs/models/gemini-supervised-tuning and \
                                https://cloud.google.com/vertex-ai/generative-ai/docs/models/tune_gemini/video_tune";

#[derive(Deserialize)]
pub(super) struct Limits {
    /// Of a file of examples.
    pub(super) bytes: u64,
    pub(super) examples: u64,
    pub(super) examples_with_media: u64,
    pub(super) examples_to_validate: u64,
    /// Of one example.
    pub(super) tokens: u64,
    pub(super) videos: usize,
    pub(super) video_bytes: u64,
    video_seconds: BTreeMap<String, u64>,
    pub(super) video_types: Vec<String>,
    frame_tokens: BTreeMap<String, u64>,
    pub(super) letters_of_a_token: u64,
    pub(super) adapters: Vec<u32>,
}

impl Limits {
    /// The longest video at a resolution of media.
    pub(super) fn video_seconds(&self, resolution: &str) -> u64 {
        of(&self.video_seconds, resolution)
    }

    /// The tokens of a frame at a resolution of media.
    pub(super) fn frame_tokens(&self, resolution: &str) -> u64 {
        of(&self.frame_tokens, resolution)
    }
}

/// What the table has for a resolution, or for all that it does not name.
fn of(table: &BTreeMap<String, u64>, resolution: &str) -> u64 {
    table.get(resolution).or(table.get("")).copied().unwrap_or_default()
}

pub(super) static LIMITS: LazyLock<Limits> =
    LazyLock::new(|| serde_json::from_str(include_str!("limits.json")).expect("the table is part of the program"));
