//! Who may use whom: modules inside the engine, crates inside the workspace, and what only one file may do.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn each_module_of_the_engine_uses_only_those_listed_above_it() {
    let source = engine().join("src");
    let order = modules(&fs::read_to_string(source.join("lib.rs")).unwrap());
    assert!(order.len() > 20, "lib.rs was not understood: {order:?}");
    let mut wrong = Vec::new();
    for (place, module) in order.iter().enumerate() {
        for file in files_of(&source, module) {
            let used = used_modules(&code_of(&file));
            let below = used.iter().filter(|used| order.iter().position(|m| m == *used).is_none_or(|at| at > place));
            wrong.extend(below.map(|used| format!("{} uses `{used}`", file.display())));
        }
    }
    assert!(wrong.is_empty(), "listed below in lib.rs, or not at all:\n{}", wrong.join("\n"));
}

#[test]
fn a_group_of_imports_names_each_of_its_modules() {
    let used = used_modules("use crate::{ids::{Cell, RunId}, key as k,\n world}; let x = crate::units::Bytes(1);");
    assert_eq!(used.into_iter().collect::<Vec<_>>(), ["ids", "key", "units", "world"]);
}

#[test]
fn the_crates_of_the_workspace_point_at_each_other_as_the_design_says() {
    let allowed = BTreeMap::from([
        ("pipe-engine", vec![]),
        ("pipe-fakecuda", vec![]),
        ("pipe-fakeweb", vec![]),
        ("pipe-standin", vec![]),
        ("pipe-video", vec![]),
        ("pipe-testdata", vec!["pipe-video"]),
        ("pipe-stages", vec!["pipe-engine", "pipe-video"]),
        ("pipe-stores", vec!["pipe-engine"]),
        ("pipe-backends", vec!["pipe-engine"]),
        ("pipe-clock", vec!["pipe-engine"]),
        ("pipe-server", vec!["pipe-engine"]),
        ("pipe-fuzz", vec!["pipe-engine", "pipe-video"]),
        ("pipe-torture", vec!["pipe-engine"]),
        ("pipe", vec!["pipe-engine", "pipe-stages", "pipe-stores", "pipe-backends", "pipe-clock", "pipe-server"]),
    ]);
    let arrows = arrows();
    assert_eq!(arrows.keys().map(String::as_str).collect::<BTreeSet<_>>(), allowed.keys().copied().collect());
    for (from, to) in &arrows {
        let ours = to.iter().filter(|name| arrows.contains_key(*name));
        let wrong: Vec<_> = ours.filter(|name| !allowed[from.as_str()].contains(&name.as_str())).collect();
        assert!(wrong.is_empty(), "{from} must not depend on {wrong:?}");
    }
}

#[test]
fn the_engine_depends_on_nothing_that_speaks_http_or_decodes_video() {
    let heavy = ["ffmpeg", "candle", "google", "hyper", "reqwest", "axum", "opendal", "image", "yuv", "http"];
    let wrong: Vec<String> =
        arrows().remove("pipe-engine").unwrap().into_iter().filter(|d| heavy.iter().any(|h| d.contains(h))).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn only_video_has_unsafe_code() {
    let rooms =
        ["engine", "stages", "stores", "cloud", "backends", "clock", "server", "cli", "testdata", "fuzz", "torture"];
    let files = rooms.iter().flat_map(|room| rust_files(&engine().join("..").join(room)));
    // Put together here, so that this file does not find itself.
    let words = [["un", "safe {"].concat(), ["un", "safe fn"].concat(), ["un", "safe impl"].concat()];
    assert_eq!(containing(files, &words), Vec::<PathBuf>::new());
}

#[test]
fn only_one_file_asks_the_machine_for_the_time_or_for_randomness() {
    let words = [["System", "Time::now"].concat(), ["Instant", "::now"].concat(), ["get", "random::"].concat()];
    let found = containing(rust_files(&engine().join("src")), &words);
    assert_eq!(found, [engine().join("src/world.rs")]);
}

fn engine() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn modules(lib: &str) -> Vec<String> {
    lib.lines().filter_map(|line| Some(line.strip_prefix("pub mod ")?.strip_suffix(';')?.to_owned())).collect()
}

/// `name.rs`, or everything in `name/`.
fn files_of(source: &Path, module: &str) -> Vec<PathBuf> {
    let file = source.join(format!("{module}.rs"));
    let mut files = rust_files(&source.join(module));
    files.extend(file.exists().then_some(file));
    assert!(!files.is_empty(), "`{module}` has no files");
    files
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files = Vec::new();
    for path in entries.map(|e| e.unwrap().path()) {
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// A file without its comments, which may name whatever they like.
fn code_of(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

fn containing(files: impl IntoIterator<Item = PathBuf>, words: &[String]) -> Vec<PathBuf> {
    files.into_iter().filter(|file| words.iter().any(|word| code_of(file).contains(word.as_str()))).collect()
}

/// The modules behind each `crate::`, those of a group one by one.
fn used_modules(code: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for after in code.split("crate::").skip(1) {
        match after.strip_prefix('{') {
            Some(group) => used.extend(names_of_group(group)),
            None => used.extend(name_at(after)),
        }
    }
    used
}

/// The first name of each part of `a::{b, c}, d}`: only the outermost level counts.
fn names_of_group(group: &str) -> Vec<String> {
    let (mut depth, mut parts) = (1, vec![String::new()]);
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => parts.push(String::new()),
            _ if depth == 1 => parts.last_mut().unwrap().push(c),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    parts.iter().filter_map(|part| name_at(part.trim())).collect()
}

fn name_at(text: &str) -> Option<String> {
    let name: String = text.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
    Some(name).filter(|name| !name.is_empty())
}

/// Package -> the packages it depends on, for those of the workspace. Tests may use more than the product.
fn arrows() -> BTreeMap<String, Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version=1", "--offline", "--manifest-path"])
        .arg(engine().join("Cargo.toml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let name = |value: &serde_json::Value| value["name"].as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap().iter();
    let needs = |package: &serde_json::Value| {
        let all = package["dependencies"].as_array().unwrap().iter();
        all.filter(|d| d["kind"] != "dev").map(name).collect()
    };
    packages.map(|package| (name(package), needs(package))).collect()
}
