//! The pages about problems, `docs/errors/<code>.md`: each example that is called wrong has that problem and no other,
//! and each that is called right has none.

use crate::bench::Bench;
use serde_json::Value as Json;
use std::fs;
use std::path::{Path, PathBuf};

/// These pages have no example: a file of a megabyte, 64 brackets, 200,000 values, bytes that are no text, rows that
/// are only there in a run, and a link.
const WITHOUT_EXAMPLE: [&str; 6] = ["S0101", "S0104", "S0105", "S0108", "P0205", "P0308"];
/// What lies beside the spec of an example.
const BESIDE: [(&str, &str); 8] = [
    ("record.jinja", "{ \"text\": {{ clip.path | json }} }\n"),
    ("rules.txt", "x\n"),
    ("shared/rules.txt", "x\n"),
    ("game.mp4", "x\n"),
    ("base.toml", "version = 1\nname = \"base\"\n"),
    ("values.yaml", "name: you\n"),
    ("list.yaml", "- name\n"),
    ("plain.toml", "version = 1\nname = \"x\"\n[stages.x]\nkind = \"command\"\nargv = [\"x\"]\n"),
];
/// The database among them.
const PLAYS: &str =
    "create table plays (id text, label text, game text, game_id text, start_ms integer, end_ms integer);
    insert into plays values ('p1', 'pass', 'g1', 'g1', 0, 1000);";
/// Kinds of stages and places that the smallest build leaves out.
const HEAVY: [&str; 4] = ["extract-clips", "preprocess", "train", "cloud-run"];

fn pages() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<PathBuf> = files.filter(|path| path.file_stem().unwrap() != "README").collect();
    pages.sort();
    pages
}

/// An example of a page and the arguments its first line may name.
struct Example {
    text: String,
    /// The file it is.
    file: String,
    /// The spec to validate.
    spec: String,
    arguments: Vec<String>,
}

impl Example {
    /// The example below a heading. What every spec begins with is left out there.
    fn below(heading: &str, page: &str) -> Option<Self> {
        let (_, rest) = page.split_once(&format!("\n## {heading}\n\n```"))?;
        let (language, rest) = rest.split_once('\n').unwrap();
        let (text, _) = rest.split_once("```").unwrap();
        let head = match language {
            _ if text.contains("version") => "",
            "toml" => "version = 1\nname = \"example\"\n",
            "yaml" => "version: 1\nname: example\n",
            _ => "",
        };
        let command = text.lines().next().and_then(|line| line.strip_prefix("# pipe validate "));
        let arguments = command.into_iter().flat_map(str::split_whitespace).map(str::to_owned);
        // Variables stand in a file beside the spec.
        let file = if language == "env" { ".env".to_owned() } else { format!("spec.{language}") };
        let spec = if language == "env" { "plain.toml".to_owned() } else { file.clone() };
        let arguments = arguments.skip(1).collect();
        Some(Self { text: format!("{head}{text}"), file, spec, arguments })
    }

    fn is_heavy(&self) -> bool {
        HEAVY.iter().any(|kind| self.text.contains(kind))
    }

    /// The codes of its problems.
    fn codes(&self) -> Vec<String> {
        let bench = Bench::new();
        for (file, text) in BESIDE {
            fs::create_dir_all(bench.path(file).parent().unwrap()).unwrap();
            bench.write(file, text);
        }
        let plays = rusqlite::Connection::open(bench.path("plays.db")).unwrap();
        plays.execute_batch(PLAYS).unwrap();
        bench.write(&self.file, &self.text);
        let arguments = self.arguments.iter().map(String::as_str);
        let said = bench.pipe(&["validate", &self.spec, "--json"].into_iter().chain(arguments).collect::<Vec<_>>());
        let problems = said.json()["problems"].as_array().unwrap().clone();
        problems.iter().map(|problem: &Json| problem["code"].as_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn what_a_page_calls_wrong_has_that_problem_and_what_it_calls_right_has_none() {
    let mut differ = Vec::new();
    for path in pages() {
        let code = path.file_stem().unwrap().to_str().unwrap();
        let page = fs::read_to_string(&path).unwrap();
        let examples = (Example::below("Wrong", &page), Example::below("Right", &page));
        let (Some(wrong), Some(right)) = examples else {
            assert!(WITHOUT_EXAMPLE.contains(&code), "{code} shows no example");
            continue;
        };
        if cfg!(not(all(feature = "video", feature = "trainer", feature = "cloud"))) && wrong.is_heavy() {
            continue;
        }
        // Examples of places elsewhere need a store in a bucket, of which this build warns.
        let beside = |codes: Vec<String>| -> Vec<String> {
            codes.into_iter().filter(|other| other == code || other != "P0505").collect()
        };
        let found = (beside(wrong.codes()), beside(right.codes()));
        if found != (vec![code.to_owned()], Vec::new()) {
            differ.push(format!("{code}: wrong {:?}, right {:?}", found.0, found.1));
        }
    }
    assert!(differ.is_empty(), "{differ:#?}");
}

#[test]
fn a_code_is_explained_and_one_that_is_none_leads_to_those_there_are() {
    let bench = Bench::new();
    let page = bench.pipe(&["explain-error", "s0201"]);
    assert!(page.stdout.starts_with("S0201: A key that its table does not have\n\n"), "{page:?}");
    let data = bench.pipe(&["explain-error", "S0201", "--json"]).json();
    assert_eq!((&data["code"], &data["title"]), (&"S0201".into(), &"A key that its table does not have".into()));
    assert!(data["page"].as_str().unwrap().contains("## Right"), "{data}");
    let near = bench.pipe(&["explain-error", "S021"]);
    assert_eq!((near.code, near.stdout.as_str()), (Some(2), ""));
    assert!(near.stderr.contains("help: did you mean `S0201`?"), "{}", near.stderr);
    let all = bench.pipe(&["explain-error"]);
    assert_eq!(all.stdout.lines().count(), pages().len(), "{}", all.stdout);
    assert_eq!(bench.pipe(&["explain-error", "--json"]).json().as_array().unwrap().len(), pages().len());
}

/// The text of a page without its code.
fn prose(page: &str) -> String {
    page.split("\n```").step_by(2).collect::<Vec<_>>().join("\n")
}

/// The headings of a page as links name them.
fn headings(page: &str) -> Vec<String> {
    let lines = page.lines().filter(|line| line.starts_with('#'));
    let plain = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let name =
        |line: &str| line.trim_start_matches('#').trim().to_lowercase().chars().filter(plain).collect::<String>();
    lines.map(|line| name(line).replace(' ', "-")).collect()
}

#[test]
fn a_link_from_one_page_to_another_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let in_docs = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let are_pages = in_docs.filter(|path| path.extension().is_some_and(|end| end == "md"));
    let pages: Vec<PathBuf> = are_pages.chain(pages()).chain([root.join("README.md")]).collect();
    let mut lost = Vec::new();
    for path in &pages {
        let page = fs::read_to_string(path).unwrap();
        let links: Vec<String> =
            prose(&page).split("](").skip(1).map(|link| link.split(')').next().unwrap().into()).collect();
        for link in links.iter().filter(|link| !link.contains("://")) {
            let (file, place) = link.split_once('#').unwrap_or((link, ""));
            let to = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            let there = || headings(&prose(&fs::read_to_string(&to).unwrap()));
            if !to.exists() || (!place.is_empty() && !there().contains(&place.to_owned())) {
                lost.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(pages.len() > 80 && lost.is_empty(), "{lost:?}");
}
