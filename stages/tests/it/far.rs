//! Clips of a video that lies elsewhere and is never here: over a web server that counts what it gives.

use crate::bench::{Bench, Given};
use crate::clips::{CELL, play, plays, video};
use pipe_engine::attempt::Outcome;
use pipe_engine::failure::Class;
use pipe_fakeweb::{Fault, Manner, Web};
use serde_json::{Value as Json, json};
use std::fs;

fn cut(bench: &Bench, given: Given, rows: &[Json]) -> Outcome {
    let inputs = vec![("plays", vec![plays(bench, rows)])];
    let config = json!({ "plays": "plays", "video": "v.mp4" });
    bench.run("extract-clips", Given { config, cell: CELL.to_vec(), inputs, cpu: 2, ..given })
}

fn cut_far(bench: &Bench, web: &Web, rows: &[Json]) -> Outcome {
    cut(bench, Given { elsewhere: vec![("video", web.url("game.mp4?sig=hush"))], ..Given::default() }, rows)
}

fn digests(outcome: &Outcome) -> Vec<(String, String)> {
    assert_eq!(outcome.failure, None);
    let clips = outcome.files.iter().filter(|file| file.path.ends_with(".mp4"));
    clips.map(|file| (file.path.clone(), file.blake3.clone())).collect()
}

fn rows() -> [Json; 3] {
    [play("a", 1010, 4001), play("b", 2100, 2900), play("c", 7000, 9500)]
}

#[test]
fn clips_of_a_video_elsewhere_are_those_of_the_file_whatever_breaks_on_the_way() {
    let (here, far) = (Bench::new(), Bench::new());
    let file = video(&here);
    let web = Web::serve(fs::read(&file).unwrap());
    // The first answer tells what lies there.
    web.fail([
        Fault::Cut(1),
        Fault::Cut(1000),
        Fault::Status(503),
        Fault::Cut(0),
        Fault::Silence(5000),
        Fault::Status(500),
    ]);
    let near = cut(&here, Given { files: vec![("video", file)], ..Given::default() }, &rows());
    let outcome = cut_far(&far, &web, &rows());
    assert_eq!(digests(&outcome), digests(&near));
    assert_eq!(web.faults_left(), 0);
}

#[test]
fn a_video_that_changes_while_it_is_cut_is_an_error_that_says_so() {
    for keeps_conditions in [true, false] {
        let bench = Bench::new();
        let web = Web::serve(fs::read(video(&bench)).unwrap());
        web.behave_later(3, Manner { tag: Some("\"two\"".into()), keeps_conditions, ..Manner::default() });
        let failure = cut_far(&bench, &web, &rows()).failure.unwrap();
        assert_eq!((failure.class, failure.code.as_str()), (Class::Failed, "video_changed"), "{failure:?}");
        assert!(failure.message.contains("the video changed while it was read"), "{failure:?}");
        assert_eq!(failure.on, Some(web.url("game.mp4")));
    }
}
