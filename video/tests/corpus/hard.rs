//! Every hard video gives exactly the frames of its full decode.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::input::{Hard, all};
use crate::judge::{Came, judge};
use crate::table;

/// Videos of which some clip is not right yet. One that comes right must be taken off this list.
const OWED: &[&str] = &[
    "edit-twice.mp4",     // a clip over the seam of two edits is refused
    "negative-start.mkv", // a clip from 0 loses the frames up to the first key frame behind 0
    "open-gop.mp4",       // the pictures that lead the key frame of a seek do not decode, and the clip is refused
    "open-gop.ts",        // the same, now and then
    "raw.h264",           // there is nothing to seek by
    "no-pts.ts",          // frames without a time are dropped without a word
    "wrap.ts",            // the viewer's zero is not where the pictures begin
    "restart.ts",         // a clip after the clock began anew is refused
    "truncated.ts",       // a clip that ends behind the end lacks its last frames without a word
    "garbage.ts",         // a clip behind the damage is refused
    "garbage.mkv",        // a clip over the damage lacks frames without a word
    "size-change.ts",     // a clip over the change is refused
];

#[test]
fn every_clip_of_a_hard_video_is_exact_or_refused_for_a_reason_that_counts() {
    let folder = tempfile::tempdir().unwrap();
    let only = std::env::var("PIPE_CORPUS_ONLY").unwrap_or_default();
    let videos: Vec<Hard> = all().into_iter().filter(|hard| hard.name.contains(&only)).collect();
    let next = AtomicUsize::new(0);
    let came: Mutex<Vec<(usize, Vec<_>)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((number, hard)) = videos.iter().enumerate().nth(next.fetch_add(1, Ordering::Relaxed)) {
                    let clips = judge(hard, folder.path());
                    came.lock().unwrap().push((number, clips));
                }
            });
        }
    });
    let mut came = came.into_inner().unwrap();
    came.sort_by_key(|(number, _)| *number);
    let lines: String = came.iter().map(|(number, clips)| table::line(&videos[*number], clips)).collect();
    if let Ok(path) = std::env::var("PIPE_CORPUS_TABLE") {
        table::write(path.as_ref(), &lines);
    }
    let is_wrong = |clips: &[(_, Came)]| clips.iter().any(|(_, came)| matches!(came, Came::Wrong(_)));
    let surprising = came.iter().filter(|(n, clips)| is_wrong(clips) != OWED.contains(&videos[*n].name.as_str()));
    let surprises: String = surprising.map(|(n, clips)| table::line(&videos[*n], clips)).collect();
    assert!(surprises.is_empty(), "not right, or on the list of those that are not:\n{surprises}");
}
