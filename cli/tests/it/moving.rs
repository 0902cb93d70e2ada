//! `docs/moving-here.md`: its scripts run as they are and make what it says, and what it leads to is there.

use crate::reference::{Try, makes_what_it_says};
use crate::reference_page::blocks_of;
use std::fs;
use std::path::Path;

const PAGE: &str = "moving-here.md";

#[test]
fn scripts_as_they_are_make_what_the_page_says() {
    let examples: Vec<_> = blocks_of(PAGE).into_iter().filter(|block| block.is_spec() && block.has("run")).collect();
    assert!(!examples.is_empty());
    examples.iter().for_each(|block| makes_what_it_says(block, "docs/moving-here.md"));
}

#[test]
fn clips_that_are_there_are_taken_in_by_a_stage_that_makes_nothing() {
    let block = blocks_of(PAGE).into_iter().find(|block| block.has("taken-in")).unwrap();
    let example = Try::new(&block, &block.whole(), "toml");
    let bench = &example.bench;
    assert_eq!(bench.pipe(&["run", "spec.toml"]).code, Some(1), "nobody makes them");
    fs::create_dir(bench.path("old")).unwrap();
    bench.write("old/clips.csv", "a.mp4,0,5\n");
    bench.write("old/a.mp4", "not looked at");
    let adopted = bench.pipe(&["cache", "adopt", "spec.toml", "old_clips", "old"]);
    assert_eq!(adopted.code, Some(0), "{adopted:?}");
    let run = bench.pipe(&["run", "spec.toml"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(example.result("list", "list"), "a.mp4\nclips.csv");
}

#[test]
fn every_page_and_spec_it_leads_to_is_there() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let page = fs::read_to_string(docs.join(PAGE)).unwrap();
    let links = page.split("](").skip(1).map(|rest| rest.split([')', '#']).next().unwrap());
    let links: Vec<&str> = links.filter(|link| !link.starts_with("http")).collect();
    assert!(links.len() > 20, "{links:?}");
    for link in links {
        assert!(docs.join(link).exists(), "{link}");
    }
}
