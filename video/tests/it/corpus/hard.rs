//! Every hard video gives exactly the frames of its full decode.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use pipe_video::{CutMode, Span};

use super::input::{Hard, all};
use super::judge::{Came, judge};
use super::table;

/// Videos of which some clip is not right yet. One that comes right must be taken off this list.
const OWED: &[&str] = &[];

#[test]
fn every_joined_clip_of_a_hard_video_is_exact_or_refused_for_a_reason_that_counts() {
    let came = judge_all(CutMode::Smart);
    if let Ok(page) = std::env::var("PIPE_CORPUS_TABLE") {
        let lines: String = came.iter().map(|(hard, clips)| table::line(hard, clips)).collect();
        table::write(page.as_ref(), &lines);
    }
    let encoded = came.iter().filter(|(hard, clips)| hard.smart && !is_copied(hard, clips)).map(|(hard, _)| &hard.name);
    assert_eq!(encoded.collect::<Vec<_>>(), [""; 0], "less than half of the frames were copied");
    assert_right(&came, OWED);
}

#[test]
fn every_encoded_clip_of_a_hard_video_is_exact_or_refused_for_a_reason_that_counts() {
    assert_right(&judge_all(CutMode::Encode), OWED);
}

type Judged = Vec<(Hard, Vec<(Span, Came)>)>;

fn judge_all(mode: CutMode) -> Judged {
    let folder = tempfile::tempdir().unwrap();
    let only = std::env::var("PIPE_CORPUS_ONLY").unwrap_or_default();
    let videos: Vec<Hard> = all().into_iter().filter(|hard| hard.name.contains(&only)).collect();
    let (next, came) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((number, hard)) = videos.iter().enumerate().nth(next.fetch_add(1, Ordering::Relaxed)) {
                    let clips = judge(hard, mode, folder.path());
                    came.lock().unwrap().insert(number, clips);
                }
            });
        }
    });
    videos.into_iter().zip(came.into_inner().unwrap().into_values()).collect()
}

/// Whether at least half of the frames that the table asks for are the source's own: its clips hold as many whole groups.
fn is_copied(hard: &Hard, clips: &[(Span, Came)]) -> bool {
    let right = clips[..hard.asked].iter().filter_map(|(_, came)| match came {
        Came::Right { frames, same, .. } => Some([*frames, *same]),
        _ => None,
    });
    let [frames, same] = right.fold([0, 0], |sum, [frames, same]| [sum[0] + frames, sum[1] + same]);
    same * 2 >= frames
}

fn assert_right(came: &Judged, owed: &[&str]) {
    let is_wrong = |clips: &[(_, Came)]| clips.iter().any(|(_, came)| matches!(came, Came::Wrong(_)));
    let surprising = came.iter().filter(|(hard, clips)| is_wrong(clips) != owed.contains(&hard.name.as_str()));
    let surprises: String = surprising.map(|(hard, clips)| table::line(hard, clips)).collect();
    assert!(surprises.is_empty(), "not right, or on the list of those that are not:\n{surprises}");
}
