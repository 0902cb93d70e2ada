//! Clips that are none, among others.

use crate::bench::{Bench, Given};
use crate::clips::{CELL, cut, frames, play, video};
use crate::tensors::safetensors;
use pipe_engine::attempt::Outcome;
use serde_json::{Value as Json, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// Puts other bytes in the place of a clip. What it had.
pub(crate) fn replaced(bench: &Bench, clips: &Outcome, name: &str, bytes: &[u8]) -> Vec<u8> {
    let path = bench.file(clips, name);
    let whole = fs::read(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&path, bytes).unwrap();
    whole
}

#[test]
fn what_is_wrong_with_some_clips_is_told_and_the_others_are_made_and_kept() {
    let (names, starts) = (["a", "b", "c", "d", "e", "f"], [500, 1500, 2500, 3500, 4500, 5500]);
    let plays: Vec<Json> = names.iter().zip(starts).map(|(name, start)| play(name, start, start + 800)).collect();
    // In shards of two: of the first one clip is bad, of the second both, of the third none.
    for shard in [2, 6, 1] {
        let bench = Bench::new();
        let clips = cut(&bench, &video(&bench), &plays, 1);
        let run = || {
            let config = json!({ "clips": "clips", "size": [32, 18], "frames": 3, "shard": shard });
            let inputs = vec![("clips", vec![bench.input(&clips, &CELL)])];
            bench.run("preprocess", Given { config, inputs, cpu: 2, ..Given::default() })
        };
        let half = fs::read(bench.file(&clips, "c.mp4")).unwrap();
        let bad = [("b.mp4", Vec::new()), ("c.mp4", half[..half.len() / 2].to_vec()), ("d.mp4", b"no video".to_vec())];
        let whole: Vec<_> = bad.iter().map(|(name, bytes)| (*name, replaced(&bench, &clips, name, bytes))).collect();
        let failure = run().failure.unwrap();
        assert_eq!(failure.code, "not_a_video", "{failure}");
        assert_eq!(failure.message, "clip `angle=FAR_LEFT,game=g1/b`: the file is empty (and 2 more of 6)");
        assert!(failure.help.is_some());
        // Of the good ones nothing is left, and of the bad ones all: what was made of the good ones is.
        whole.iter().for_each(|(name, bytes)| drop(replaced(&bench, &clips, name, bytes)));
        let good = ["a.mp4", "e.mp4", "f.mp4"].map(|name| (name, replaced(&bench, &clips, name, b"no video")));
        let made = run();
        assert_eq!(made.failure, None, "shards of {shard}");
        good.iter().for_each(|(name, bytes)| drop(replaced(&bench, &clips, name, bytes)));
        // Frame by frame as where nothing was wrong.
        let other = Bench::new();
        let clips = cut(&other, &video(&other), &plays, 1);
        let expected = safetensors(
            &fs::read(other.file(&frames(&other, &clips, &json!({})), "frames-00000.safetensors")).unwrap(),
        );
        let shards = (0..6 / shard).map(|number| format!("frames-{number:05}.safetensors"));
        let bytes: Vec<u8> =
            shards.flat_map(|name| safetensors(&fs::read(bench.file(&made, &name)).unwrap()).bytes).collect();
        assert!(bytes == expected.bytes, "shards of {shard}");
    }
}
