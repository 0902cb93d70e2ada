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

/// A model that takes days, and its card.
#[cfg(feature = "cloud")]
const DEAR: &str = r#"
version = 1
name = "dear"
[stages.model]
kind = "command"
shell = "exit 1"
outputs = ["model.txt"]
[stages.card]
kind = "command"
shell = "cat $PIPE_INPUT_MODEL/model.txt > $PIPE_OUTPUT/card"
inputs = { model = { stage = "model" } }
outputs = ["card"]
[store]
root = "gs://films/results"
[profiles.here]
store = { root = "out" }
"#;

#[cfg(feature = "cloud")]
#[test]
fn what_a_folder_has_taken_in_counts_in_a_bucket_that_it_is_copied_to() {
    let standin = pipe_standin::Standin::serve(&pipe_standin::Definitions::fetched().unwrap(), 0).unwrap();
    standin.make_bucket("films");
    let bench = crate::bench::Bench::with(DEAR);
    fs::create_dir(bench.path("old")).unwrap();
    bench.write("old/model.txt", "the best");
    let adopted = bench.pipe(&["cache", "adopt", "spec.toml", "--profile", "here", "model", "old"]);
    assert_eq!(adopted.code, Some(0), "{adopted:?}");
    for folder in ["data", "results"] {
        for (path, bytes) in crate::service::files(&bench.path("out").join(folder)) {
            let name = path.strip_prefix(bench.path("out")).unwrap().to_str().unwrap().to_owned();
            standin.put("films", &format!("results/{name}"), &bytes);
        }
    }
    let mut run = bench.command(&["run", "spec.toml", "--json"]);
    let said = bench.said(run.env("STORAGE_EMULATOR_HOST", standin.address().to_string()));
    assert_eq!((said.code, said.count("task_succeeded")), (Some(0), 1), "{said:?}");
    assert_eq!(said.events().pop().unwrap()["cached"], 1);
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
