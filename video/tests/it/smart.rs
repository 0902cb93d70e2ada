//! A clip that is joined out of copied and encoded packets holds the same frames as one that is encoded whole.

use std::path::Path;
use std::sync::Mutex;

use pipe_video::{CutMode, CutOptions, CutPlan, CutReport, Cutter, Media, Ratio, Span, VideoError};

use crate::made::{Made, folder, made_in, numbers};

fn smart() -> CutOptions {
    CutOptions::default()
}

/// The numbers of the frames whose time, number / rate, lies in the span: whole numbers only.
fn expected(made: &Made, span: Span) -> Vec<u32> {
    let thousandths = |n: u32| u64::from(n) * u64::from(made.rate.den) * 1000;
    let rate = u64::from(made.rate.num);
    let inside = |n: &u32| (span.start_ms * rate..span.end_ms * rate).contains(&thousandths(*n));
    (0..made.frames).filter(inside).collect()
}

/// Off key frames and on them, inside one group and over several, with ends between B frames.
fn spans(made: &Made) -> Vec<Span> {
    let length = u64::from(made.frames) * u64::from(made.rate.den) * 1000 / u64::from(made.rate.num);
    let walk = (0..24).map(|i| i * 397 % (length - 2700)).enumerate();
    let mut spans: Vec<Span> =
        walk.map(|(i, start_ms)| Span { start_ms, end_ms: start_ms + 200 + i as u64 * 211 % 2500 }).collect();
    spans.push(Span { start_ms: 0, end_ms: length });
    spans.push(Span { start_ms: 2000, end_ms: 4000 });
    spans
}

fn run(source: &Path, options: &CutOptions, spans: &[Span], folder: &Path) -> Vec<Result<CutReport, VideoError>> {
    let mut plan = CutPlan::new(Media::file(source), options.clone());
    for (i, span) in spans.iter().enumerate() {
        assert_eq!(plan.add(*span, &folder.join(format!("{i}.mp4"))), i);
    }
    let outcomes = Mutex::new(vec![None; spans.len()]);
    plan.run(2, &|clip, outcome| {
        let before = outcomes.lock().unwrap()[clip].replace(outcome);
        assert!(before.is_none(), "clip {clip} was told twice");
    });
    outcomes.into_inner().unwrap().into_iter().map(Option::unwrap).collect()
}

fn assert_smart(made: &Made) {
    let folder = folder();
    let source = made_in(&folder, "source.mp4", made);
    let spans = spans(made);
    for (i, (outcome, span)) in run(&source, &smart(), &spans, folder.path()).into_iter().zip(&spans).enumerate() {
        let report = outcome.unwrap_or_else(|e| panic!("{span:?}: {e}"));
        let wanted = expected(made, *span);
        assert_eq!(numbers(&folder.path().join(format!("{i}.mp4"))), wanted, "{span:?}");
        assert_eq!(report.frames, wanted.len() as u64, "{span:?}");
        assert_eq!(report.frames, report.frames_copied + report.frames_encoded);
        let holds_a_group = (span.start_ms.div_ceil(2000) * 2000) + 100 < span.end_ms && made.gop <= 60;
        if holds_a_group {
            assert_eq!((report.mode, report.why.as_str()), (CutMode::Smart, ""), "{span:?}");
            assert!(report.frames_copied > 0, "{span:?}: {report:?}");
        }
    }
}

#[test]
fn smart_clips_hold_exactly_the_frames_between_their_ends() {
    assert_smart(&Made { frames: 300, ..Made::default() });
}

#[test]
fn smart_clips_at_29_97_hold_exactly_the_frames_between_their_ends() {
    assert_smart(&Made { frames: 300, rate: Ratio { num: 30000, den: 1001 }, ..Made::default() });
}

#[test]
fn one_cutter_cuts_smart_clips_one_after_another() {
    let folder = folder();
    let made = Made::default();
    let source = made_in(&folder, "source.mp4", &made);
    let mut cutter = Cutter::open(&source, smart()).unwrap();
    let clip = folder.path().join("clip.mp4");
    for span in [Span { start_ms: 1500, end_ms: 4500 }, Span { start_ms: 700, end_ms: 2300 }] {
        let report = cutter.cut(span, &clip).unwrap();
        assert_eq!(numbers(&clip), expected(&made, span));
        assert_eq!(report.mode, CutMode::Smart);
    }
}
