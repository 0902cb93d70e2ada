//! What the cutter reports of a clip -> what is filed with it.

use super::source::{Provenance, Source};
use crate::records::{Ends, Ticks};
use pipe_video::CutReport;
use serde::{Deserialize, Serialize};

/// What is told of a clip that was cut, also to those who find it later.
#[derive(Serialize, Deserialize)]
pub(super) struct Facts {
    #[serde(default)]
    pub(super) codec: String,
    /// Empty where nothing was encoded, and of clips of before, which were not told.
    #[serde(default)]
    pub(super) encoder: String,
    pub(super) mode: String,
    pub(super) why: String,
    pub(super) frames: u64,
    pub(super) frames_copied: u64,
    pub(super) frames_encoded: u64,
    pub(super) shown: Ends,
    pub(super) ticks: Ticks,
    /// Clips of before were not told where they are from.
    #[serde(default)]
    source: Option<Provenance>,
}

impl Facts {
    pub(super) fn of(report: &CutReport, video: &Source) -> Self {
        Facts {
            codec: report.codec.clone(),
            encoder: report.encoder.clone(),
            mode: report.mode.name().to_owned(),
            why: report.why.clone(),
            frames: report.frames,
            frames_copied: report.frames_copied,
            frames_encoded: report.frames_encoded,
            shown: Ends { start: [report.start.num, report.start.den], end: [report.end.num, report.end.den] },
            ticks: Ticks {
                start: report.start_ticks,
                end: report.end_ticks,
                base: [report.time_base.num, report.time_base.den],
            },
            source: Some(video.provenance(report)),
        }
    }
}
