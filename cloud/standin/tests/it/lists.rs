//! What is in a bucket, page by page.

use crate::{Bench, OBJECTS, Said};
use serde_json::Value as Json;

fn names(said: &Said) -> Vec<String> {
    let json = said.read_json();
    let items = json["items"].as_array().cloned().unwrap_or_default();
    items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

fn prefixes(said: &Said) -> Vec<String> {
    let json = said.read_json();
    let prefixes = json["prefixes"].as_array().cloned().unwrap_or_default();
    prefixes.iter().map(|prefix| prefix.as_str().unwrap().to_owned()).collect()
}

fn filled() -> Bench {
    let bench = Bench::new();
    for name in ["a", "d/1", "d/2", "d/e/3", "dz", "é/1"] {
        bench.standin.put("films", name, b"x");
    }
    bench
}

#[test]
fn a_list_is_in_order_and_keeps_to_what_was_asked_for() {
    let bench = filled();
    let list = |query: &str| bench.get(&format!("{OBJECTS}?{query}"));
    assert_eq!(names(&list("")), ["a", "d/1", "d/2", "d/e/3", "dz", "é/1"]);
    assert_eq!(names(&list("prefix=d%2F")), ["d/1", "d/2", "d/e/3"]);
    assert_eq!(names(&list("startOffset=d/2&endOffset=dz")), ["d/2", "d/e/3"]);
    assert_eq!(names(&list("prefix=nothing")), [] as [String; 0]);
    assert_eq!(list("").read_json()["nextPageToken"], Json::Null);
    let top = list("delimiter=/");
    assert_eq!((names(&top), prefixes(&top)), (vec!["a".into(), "dz".into()], vec!["d/".into(), "é/".into()]));
    let below = list("delimiter=/&prefix=d/");
    assert_eq!((names(&below), prefixes(&below)), (vec!["d/1".into(), "d/2".into()], vec!["d/e/".into()]));
}

#[test]
fn pages_together_are_the_list() {
    let bench = filled();
    for delimiter in ["", "&delimiter=/"] {
        let whole = bench.get(&format!("{OBJECTS}?{delimiter}"));
        for size in 1..7 {
            let (mut found, mut groups, mut token) = (Vec::new(), Vec::new(), String::new());
            loop {
                let page = bench.get(&format!("{OBJECTS}?maxResults={size}{delimiter}{token}"));
                assert!(names(&page).len() + prefixes(&page).len() <= size);
                found.extend(names(&page));
                groups.extend(prefixes(&page));
                match page.read_json()["nextPageToken"].as_str() {
                    Some(next) => token = format!("&pageToken={}", next.replace('=', "%3D").replace('+', "%2B")),
                    None => break,
                }
            }
            assert_eq!((found, groups), (names(&whole), prefixes(&whole)), "{size} {delimiter}");
        }
    }
}

#[test]
fn a_list_may_be_late_and_a_read_never_is() {
    let bench = Bench::new();
    bench.standin.list_late(2);
    bench.put("a", b"1", "");
    assert_eq!(bench.get(&format!("{OBJECTS}/a")).code, 200);
    let seen: Vec<usize> = (0..3).map(|_| names(&bench.get(OBJECTS)).len()).collect();
    assert_eq!(seen, [0, 0, 1]);
}

#[test]
fn versions_are_listed_where_they_are_kept_and_asked_for() {
    let bench = Bench::new();
    let versions = r#"{"name": "kept", "versioning": {"enabled": true}}"#;
    assert_eq!(bench.json("POST", "/storage/v1/b?project=p", versions).code, 200);
    let generations = ["1", "2"].map(|text| bench.standin.put("kept", "a", text.as_bytes()));
    assert!(generations[0] < generations[1]);
    assert_eq!(names(&bench.get("/storage/v1/b/kept/o")), ["a"]);
    let all = bench.get("/storage/v1/b/kept/o?versions=true").read_json();
    let deleted: Vec<bool> = all["items"].as_array().unwrap().iter().map(|v| v["timeDeleted"].is_string()).collect();
    assert_eq!(deleted, [true, false], "the old one first");
}
