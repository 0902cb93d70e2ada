//! Broken specs, `testdata/specs/bad/<code>-<what>.toml|yaml`, and the whole message of each beside it, `.txt`. Where a
//! message offers a fix, the fix is applied and the problem is gone.
//!
//! A first line `# pipe validate <file> ...` names further arguments. `BLESS=1 cargo test` writes the messages anew.

use crate::bench::{Bench, Said};
use crate::features::can_plan;
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// One broken spec.
struct Broken {
    path: PathBuf,
    name: String,
    /// Not always UTF-8.
    bytes: Vec<u8>,
}

impl Broken {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    fn code(&self) -> &str {
        &self.name[..5]
    }

    /// What the binary says of the spec as it is in the bench. A `.env` of its own lies beside it as `<name>.env`.
    fn validate(&self, bench: &Bench, more: &[&str]) -> Said {
        let variables = fs::read(self.path.with_extension("env")).unwrap_or_default();
        fs::write(bench.path(".env"), variables).unwrap();
        let text = self.text();
        let command = text.lines().next().and_then(|line| line.strip_prefix("# pipe validate "));
        let own = command.into_iter().flat_map(str::split_whitespace).skip(1);
        let arguments = ["validate", &self.name].into_iter().chain(own).chain(more.iter().copied());
        bench.said(bench.command(&arguments.collect::<Vec<_>>()).env("PATH", path_with_programs()))
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/specs/bad")
}

/// Where programs are looked for: first among those that lie beside the broken specs. They are run from there, since a
/// copy that another thread still writes cannot be.
fn path_with_programs() -> OsString {
    let others = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths([folder().join("bin")].into_iter().chain(std::env::split_paths(&others))).unwrap()
}

/// All broken specs.
fn all() -> Vec<Broken> {
    let mut all: Vec<Broken> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml" || ending == "yaml"))
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            Broken { bytes: fs::read(&path).unwrap(), path, name }
        })
        .collect();
    // A spec of a megabyte is made here.
    let name = "S0101-a-megabyte.toml".to_owned();
    all.push(Broken { path: folder().join(&name), bytes: vec![b'#'; (1 << 20) + 1], name });
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// Those this build has the kinds of stages and places for.
fn corpus() -> Vec<Broken> {
    let mut corpus = all();
    corpus.retain(|spec| can_plan(&spec.text()));
    corpus
}

/// A folder with everything that lies beside the broken specs.
pub(crate) fn copy() -> Bench {
    let bench = Bench::new();
    let mut folders = vec![folder()];
    while let Some(from) = folders.pop() {
        let to = bench.path("").join(from.strip_prefix(folder()).unwrap());
        fs::create_dir_all(&to).unwrap();
        for entry in fs::read_dir(&from).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
        }
    }
    for spec in corpus() {
        fs::write(bench.path(&spec.name), &spec.bytes).unwrap();
    }
    fs::create_dir_all(bench.path("tools")).unwrap();
    std::os::unix::fs::symlink("/dev/null", bench.path("tools/away.sh")).unwrap();
    bench
}

#[test]
fn each_broken_spec_is_told_of_in_the_words_beside_it() {
    let bench = copy();
    let mut differ = Vec::new();
    for spec in corpus() {
        let said = spec.validate(&bench, &[]);
        let (shown, beside) = (said.stdout + &said.stderr, spec.path.with_extension("txt"));
        assert!(shown.contains(&format!("[{}]", spec.code())), "{} does not have its problem:\n{shown}", spec.name);
        if fs::read_to_string(&beside).unwrap_or_default() != shown {
            if std::env::var_os("BLESS").is_some() {
                fs::write(&beside, &shown).unwrap();
                continue;
            }
            differ.push(format!("{}\n{shown}", spec.name));
        }
    }
    assert!(differ.is_empty(), "{} messages are not those beside them:\n\n{}", differ.len(), differ.join("\n\n"));
}

#[test]
fn a_fix_that_is_offered_takes_its_problem_away() {
    let bench = copy();
    let mut fixed = 0;
    for spec in corpus() {
        let before = problems(&spec.validate(&bench, &["--json"]).json());
        let fixes = before.iter().filter(|problem| !problem["fix"].as_array().unwrap().is_empty());
        let mut offers = false;
        for problem in fixes {
            let text = apply(&spec, &problem["fix"]);
            bench.write(&spec.name, &text);
            let after = problems(&spec.validate(&bench, &["--json"]).json());
            let same = |other: &&Json| other["code"] == problem["code"] && other["message"] == problem["message"];
            let count = |all: &[Json]| all.iter().filter(same).count();
            assert!(count(&after) < count(&before), "{}: {problem:#} is still there in\n{text}", spec.name);
            offers = true;
        }
        fs::write(bench.path(&spec.name), &spec.bytes).unwrap();
        fixed += usize::from(offers);
    }
    assert!(fixed >= 25, "only {fixed} specs are offered a fix");
}

fn problems(document: &Json) -> Vec<Json> {
    document["problems"].as_array().unwrap().clone()
}

/// The text after all edits. Places are lines and columns, both from 1; they are applied from the last to the first.
fn apply(spec: &Broken, edits: &Json) -> String {
    let mut text = spec.text();
    let offset = |text: &str, line: &Json, column: &Json| {
        let [line, column] = [line, column].map(|number| usize::try_from(number.as_u64().unwrap()).unwrap());
        let start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
        start + text[start..].chars().take(column - 1).map(char::len_utf8).sum::<usize>()
    };
    for edit in edits.as_array().unwrap().iter().rev() {
        assert_eq!(edit["file"], spec.name.as_str(), "a fix changes the spec itself");
        let start = offset(&text, &edit["line"], &edit["column"]);
        let end = offset(&text, &edit["end_line"], &edit["end_column"]);
        text.replace_range(start..end, edit["text"].as_str().unwrap());
    }
    text
}

#[test]
fn every_code_has_a_broken_spec_and_half_of_them_are_yaml() {
    let known = Bench::new().pipe(&["explain-error", "--json"]).json();
    let mut known: BTreeSet<&str> = known.as_array().unwrap().iter().map(|e| e["code"].as_str().unwrap()).collect();
    // Rows are there in a run only.
    known.remove("P0205");
    let corpus = all();
    let shown: BTreeSet<&str> = corpus.iter().map(Broken::code).collect();
    assert_eq!(shown, known, "testdata/specs/bad has a spec for each code");
    let yaml = corpus.iter().filter(|spec| spec.name.ends_with(".yaml")).count();
    assert!(yaml * 2 >= corpus.len(), "{yaml} of {} specs are YAML", corpus.len());
}
