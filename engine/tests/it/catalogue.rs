//! Codes, pages and their index are one list: nobody meets a code that has no page, and no page speaks of a code that is
//! never reported.

use pipe_engine::text::{CATALOGUE, page_of};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The codes a file of constants declares, such as `pub const SYNTAX: &str = "S0102";`.
fn declared(file: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join("engine/src").join(file)).unwrap();
    let constants = text.lines().filter(|line| line.starts_with("pub const "));
    constants.map(|line| line.split('"').nth(1).unwrap().to_owned()).collect()
}

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let mut codes = declared("text/code.rs");
    codes.extend(declared("plan/code.rs"));
    let set: BTreeSet<&str> = codes.iter().map(String::as_str).collect();
    assert_eq!(set.len(), codes.len(), "a code is declared twice");
    let listed: BTreeSet<&str> = CATALOGUE.iter().map(|entry| entry.code).collect();
    assert_eq!(listed, set, "engine/src/text/catalogue.rs lists what the two files of codes declare");
    let files = fs::read_dir(root().join("docs/errors")).unwrap().map(|entry| entry.unwrap().path());
    let pages: BTreeSet<String> = files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let pages: BTreeSet<&str> = pages.iter().map(String::as_str).filter(|name| *name != "README").collect();
    assert_eq!(pages, set, "docs/errors has a page for each code");
}

#[test]
fn a_page_begins_with_its_code_and_a_title_of_one_line() {
    for entry in CATALOGUE {
        assert_eq!(entry.page.lines().next(), Some(&*format!("# {}: {}", entry.code, entry.title())));
        let length = entry.title().chars().count();
        assert!((10..=70).contains(&length) && !entry.title().ends_with('.'), "{}: {}", entry.code, entry.title());
        assert!(entry.page.contains("\n## Why\n"), "{} does not say why", entry.code);
    }
}

#[test]
fn a_code_is_found_however_it_is_typed() {
    assert_eq!(page_of("p0101").map(|entry| entry.code), Some("P0101"));
    assert_eq!(page_of("P9999"), None);
}

#[test]
fn the_index_lists_every_page_with_its_title() {
    let index = fs::read_to_string(root().join("docs/errors/README.md")).unwrap();
    let rows: Vec<&str> = index.lines().filter(|line| line.starts_with("| [")).collect();
    let wanted: Vec<String> = CATALOGUE.iter().map(|e| format!("| [{0}]({0}.md) | {1} |", e.code, e.title())).collect();
    assert_eq!(rows, wanted, "docs/errors/README.md is to list:\n{}\n", wanted.join("\n"));
}
