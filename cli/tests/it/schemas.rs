//! The schemas as they lie in `schemas/`: what an editor makes of specs with them, and whether what a run leaves is what
//! they say.

use crate::bench::Bench;
use pipe_engine::spec::{toml, yaml};
use pipe_engine::text::Severity;
use serde_json::Value as Json;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The schema of a format, as others find it.
pub(crate) fn validator(format: &str) -> jsonschema::Validator {
    let path = root().join(format!("schemas/{format}.v1.json"));
    jsonschema::validator_for(&serde_json::from_slice(&fs::read(path).unwrap()).unwrap()).unwrap()
}

/// A spec as an editor sees it: what its text says, whatever that means.
pub(crate) fn document(text: &str, is_yaml: bool) -> Json {
    let (node, problems) = if is_yaml { yaml::parse(text) } else { toml::parse(text) };
    assert!(problems.iter().all(|problem| problem.severity != Severity::Error), "{problems:?}\n{text}");
    node.to_json()
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml")
}

fn specs_in(folder: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut specs: Vec<PathBuf> = files.filter(|p| is_yaml(p) || p.extension().is_some_and(|e| e == "toml")).collect();
    specs.sort();
    specs
}

#[test]
fn editors_find_the_schema_of_every_spec_and_nothing_wrong_in_it() {
    let validator = validator("spec");
    let mut specs = ["specs", "specs/ways"].map(specs_in).concat();
    // No spec by itself, but what the others there are laid over.
    specs.retain(|path| path.file_name().is_some_and(|name| name != "ours.toml"));
    assert!(specs.iter().any(|path| is_yaml(path)) && specs.iter().any(|path| !is_yaml(path)));
    for path in specs {
        let text = fs::read_to_string(&path).unwrap();
        let mark = if is_yaml(&path) { "# yaml-language-server: $schema=" } else { "#:schema " };
        let named = text.lines().next().and_then(|line| line.strip_prefix(mark));
        let named = named.unwrap_or_else(|| panic!("{}: the first line names no schema", path.display()));
        let schema = path.parent().unwrap().join(named).canonicalize().unwrap();
        assert_eq!(schema, root().join("schemas/spec.v1.json").canonicalize().unwrap(), "{}", path.display());
        let document = document(&text, is_yaml(&path));
        let wrong: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{}: {wrong:?}", path.display());
    }
}

/// The examples of the pages about problems of shape: whether one is called right, its language, its text.
fn shapes() -> Vec<(bool, String, String)> {
    let pages = fs::read_dir(root().join("docs/errors")).unwrap().map(|entry| entry.unwrap().path());
    let mut shapes = Vec::new();
    for path in pages.filter(|path| path.file_stem().unwrap().to_str().unwrap().starts_with("S02")) {
        let page = fs::read_to_string(&path).unwrap();
        for (heading, right) in [("Wrong", false), ("Right", true)] {
            let (_, rest) = page.split_once(&format!("\n## {heading}\n\n```")).unwrap();
            let (language, rest) = rest.split_once('\n').unwrap();
            let (text, _) = rest.split_once("```").unwrap();
            let head = match language {
                _ if text.contains("version") => "",
                "yaml" => "version: 1\nname: example\n",
                _ => "version = 1\nname = \"example\"\n",
            };
            shapes.push((right, language.to_owned(), format!("{head}{text}")));
        }
    }
    shapes
}

#[test]
fn a_wrong_shape_is_refused_by_editors_too_and_the_right_one_is_not() {
    let validator = validator("spec");
    let mut refused = 0;
    for (right, language, text) in shapes() {
        let bench = Bench::new();
        let file = format!("spec.{language}");
        bench.write(&file, &text);
        let problems = bench.pipe(&["validate", &file, "--json"]).json()["problems"].clone();
        let is_shape = |problem: &Json| problem["code"].as_str().unwrap().starts_with("S02");
        let wrong = problems.as_array().unwrap().iter().any(is_shape);
        let fits = validator.is_valid(&document(&text, language == "yaml"));
        assert!(if right { fits } else { !fits || !wrong }, "{text}");
        refused += usize::from(!fits);
    }
    assert!(refused >= 7, "{refused} are refused");
}

#[test]
fn broken_specs_of_wrong_shape_are_refused_by_editors_too() {
    let validator = validator("spec");
    // A template in a shell is one too: the schema knows where none may stand.
    let is_shape = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with("S02") || name.starts_with("P0306")
    };
    let specs: Vec<PathBuf> = specs_in("testdata/specs/bad").into_iter().filter(is_shape).collect();
    assert!(specs.len() >= 20, "{} specs", specs.len());
    for path in specs {
        // What a template makes is known only when it is made.
        let beyond = path.file_stem().unwrap().to_str().unwrap().contains("-made");
        let document = document(&fs::read_to_string(&path).unwrap(), is_yaml(&path));
        assert_eq!(validator.is_valid(&document), beyond, "{}", path.display());
    }
}

#[cfg(all(feature = "video", feature = "trainer"))]
mod artifacts {
    use super::*;
    use crate::sample::{Project, Sample};

    /// Every file below a folder.
    fn files(folder: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                found.extend(files(&entry.path()));
            } else {
                found.push(entry.path());
            }
        }
        found
    }

    /// Holds a file against the schema of its format; `.jsonl` files line by line.
    fn check(path: &Path, validator: &jsonschema::Validator) {
        let text = fs::read_to_string(path).unwrap();
        let is_lines = path.extension().is_some_and(|extension| extension == "jsonl");
        let records = if is_lines { text.lines().collect() } else { vec![text.as_str()] };
        for record in records {
            let record = serde_json::from_str(record).unwrap();
            validator.validate(&record).unwrap_or_else(|e| panic!("{}: {e}: {record}", path.display()));
        }
    }

    #[test]
    fn what_the_quickstart_leaves_is_what_the_schemas_say() {
        let project = Project::new(&Sample::shared());
        let run = project.run(&["-P", "seed=1002"]);
        let event = validator("run-event");
        for said in &run.events {
            event.validate(said).unwrap_or_else(|e| panic!("{e}: {said}"));
        }
        files(&project.store().join("results")).iter().for_each(|path| check(path, &validator("manifest")));
        let data = files(&project.store().join("data"));
        for kind in pipe_stages::all().kinds() {
            for format in kind.formats() {
                let validator = validator(format.name);
                // The quickstart makes none of Google's models; `tuning` looks at theirs.
                for name in format.files.iter().filter(|name| **name != "tuned-model.json") {
                    let found: Vec<&PathBuf> = data.iter().filter(|path| path.ends_with(name)).collect();
                    assert!(!found.is_empty(), "the quickstart has no {name}");
                    found.into_iter().for_each(|path| check(path, &validator));
                }
            }
        }
        for (name, format) in [("attempt.json", "attempt"), ("outcome.json", "outcome")] {
            let attempts = files(&project.state().join("attempts"));
            let found: Vec<&PathBuf> = attempts.iter().filter(|path| path.ends_with(name)).collect();
            assert!(!found.is_empty(), "no {name} in {attempts:?}");
            found.into_iter().for_each(|path| check(path, &validator(format)));
        }
    }
}
