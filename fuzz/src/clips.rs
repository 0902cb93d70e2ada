//! Bytes as a video -> clips of it, in every mode.

use std::fs;
use std::sync::Mutex;

use pipe_video::{CutMode, CutOptions, CutPlan, CutReport, EncodeOptions, Media, Preset, Span, VideoError, probe};

/// Clips of a small video: from its beginning, over key frames, one frame, overlapping, far behind its end, and none.
const SPANS: [[u64; 2]; 6] = [[0, 200], [130, 700], [400, 433], [150, 1100], [86_400_000, 86_401_000], [500, 500]];

/// Takes bytes as a video and cuts clips out of it. Of every clip it is told once what became of it; one that was made can
/// be opened and is as long as it was told, and one that was not leaves no file.
pub fn clips(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let source = folder.path().join("source");
    fs::write(&source, bytes).expect("room for the video");
    let info = probe(&source);
    for mode in CutMode::ALL {
        let encode = EncodeOptions { preset: Preset::Ultrafast, ..EncodeOptions::default() };
        let mut plan = CutPlan::new(Media::file(&source), CutOptions { mode, encode, ..CutOptions::default() });
        let out = |clip: usize| folder.path().join(format!("{mode}-{clip}.mp4"));
        for (clip, [start_ms, end_ms]) in SPANS.into_iter().enumerate() {
            plan.add(Span { start_ms, end_ms }, &out(clip));
        }
        let told: Mutex<Vec<Vec<Result<CutReport, VideoError>>>> = Mutex::new(vec![Vec::new(); SPANS.len()]);
        plan.run(1, &|clip, outcome| told.lock().expect("no panic while it was held")[clip].push(outcome));
        for (clip, outcomes) in told.into_inner().expect("no panic while it was held").into_iter().enumerate() {
            let [outcome] = &outcomes[..] else { panic!("clip {clip} was told {} times in {mode}", outcomes.len()) };
            assert!(info.is_ok() || outcome.is_err(), "clip {clip} of what is no video in {mode}");
            match outcome {
                Ok(report) => holds(report, &out(clip)),
                Err(error) => {
                    assert!(!error.message.is_empty() && !error.help.is_empty());
                    assert!(!out(clip).exists(), "clip {clip} was refused in {mode} and lies there");
                }
            }
        }
    }
}

fn holds(report: &CutReport, clip: &std::path::Path) {
    let info = probe(clip).expect("a clip that was made is a video");
    assert!(report.frames > 0 && report.frames == report.frames_copied + report.frames_encoded, "{report:?}");
    assert_eq!((info.width, info.height), (report.width, report.height));
}
