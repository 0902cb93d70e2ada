//! `--at`: the spec and the files of its project as of a revision, everything else as it is now. The repositories are
//! real ones, made by the `git` program.

use crate::bench::{Bench, Said};
use crate::git::{commit, git};
use std::fs;
use std::os::unix::fs::symlink;

/// A base, a script that is run, a file of data, and a spec below them all.
const SPEC: &str = r#"
extends = "../base.toml"
[params]
word = "one"
[stages.say]
kind = "command"
argv = ["tools/say.sh", "{{ params.word }}"]
files = ["tools/say.sh"]
inputs = { data = { file = "../data.txt" } }
outputs = ["said"]
"#;
const BASE: &str = "version = 1\nname = \"sum\"\n[store]\nroot = \"out\"\n";
const SCRIPT: &str = "#!/bin/sh\necho $1 $(cat $PIPE_INPUT_DATA) > $PIPE_OUTPUT/said\n";

/// The project, committed and tagged `v1`.
fn project() -> Bench {
    let bench = Bench::new();
    fs::create_dir_all(bench.path("specs/tools")).unwrap();
    bench.write("base.toml", BASE);
    bench.write("specs/spec.toml", SPEC);
    bench.write("data.txt", "data\n");
    script(&bench, SCRIPT);
    tag(&bench, "v1");
    bench
}

fn script(bench: &Bench, text: &str) {
    bench.write("specs/tools/say.sh", text);
    let program = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(bench.path("specs/tools/say.sh"), program).unwrap();
}

fn tag(bench: &Bench, name: &str) {
    commit(bench, name);
    git(bench, &["tag", name]);
}

fn run(bench: &Bench, arguments: &[&str]) -> Said {
    bench.pipe(&[&["run", "specs/spec.toml", "--json"], arguments].concat())
}

/// The counts of a run that ended well: `[succeeded, cached]`.
fn counts(said: &Said) -> [u64; 2] {
    assert_eq!(said.code, Some(0), "{said:?}");
    let last = said.events().pop().unwrap();
    ["succeeded", "cached"].map(|name| last[name].as_u64().unwrap())
}

#[test]
fn what_was_made_from_a_checkout_is_found_from_its_revision() {
    let bench = project();
    assert_eq!(counts(&run(&bench, &[])), [1, 0]);
    // Everything of the project changes, and all of it is committed.
    bench.write("base.toml", &BASE.replace("version", "description = \"two\"\nversion"));
    bench.write("specs/spec.toml", &SPEC.replace("\"one\"", "\"two\""));
    script(&bench, &SCRIPT.replace("echo", "echo two:"));
    tag(&bench, "v2");
    assert_eq!(counts(&run(&bench, &["--at", "v1"])), [0, 1], "same bytes, same key");
    assert_eq!(counts(&run(&bench, &[])), [1, 0]);
    for arguments in [&["--at", "v1"][..], &["--at", "HEAD~1"], &["--at", "v2"], &["--at", "main"]] {
        assert_eq!(counts(&run(&bench, arguments)), [0, 1], "{arguments:?}");
    }
}

#[test]
fn what_is_run_from_a_revision_is_what_was_committed_then() {
    let bench = project();
    let one = git(&bench, &["rev-parse", "HEAD"]);
    fs::remove_dir_all(bench.path("specs")).unwrap();
    bench.write("base.toml", "nonsense");
    bench.write("data.txt", "of now\n");
    let said = run(&bench, &["--at", "v1"]);
    assert_eq!(counts(&said), [1, 0]);
    let revision = &said.events()[0]["revision"];
    assert_eq!((&revision["at"], &revision["commit"], &revision["tags"][0]), (&"v1".into(), &one.into(), &"v1".into()));
    assert_eq!(revision["changes"]["count"], 0, "what is on the disk had no part in it");
    // Settings of `base.toml` are relative to it; the data is that of the disk, the word and the script are not.
    let made = bench.path("out/data/sum/say");
    let folder = fs::read_dir(made).unwrap().next().unwrap().unwrap().path();
    assert_eq!(fs::read_to_string(folder.join("said")).unwrap(), "one of now\n");
    let status = bench.pipe(&["status", "specs/spec.toml", "--at", "v1"]).stdout;
    assert!(status.contains(" (v1) of "), "{status}");
}

#[test]
fn every_verb_that_reads_a_spec_reads_that_of_the_revision() {
    let bench = project();
    bench.write("specs/spec.toml", "nonsense");
    for verb in [&["validate"][..], &["plan"], &["graph"]] {
        let said = bench.pipe(&[verb, &["specs/spec.toml", "--at", "v1"]].concat());
        assert_eq!(said.code, Some(0), "{verb:?}: {}", said.stderr);
    }
    let explained = bench.pipe(&["explain", "specs/spec.toml", "say", "--at", "v1"]);
    assert!(explained.stdout.starts_with("say: would run"), "{explained:?}");
    assert!(!bench.path("out").exists());
}

#[test]
fn a_revision_that_does_not_exist_is_told_with_those_that_are_near() {
    let bench = project();
    let near = bench.pipe(&["plan", "specs/spec.toml", "--at", "v11"]);
    assert_eq!(near.code, Some(2));
    let top = bench.path("").canonicalize().unwrap();
    let expected = format!("error: there is no revision `v11` in {}\nhelp: did you mean `v1`?\n", top.display());
    assert_eq!(near.stderr, expected);
    let far = bench.pipe(&["plan", "specs/spec.toml", "--at", "release"]);
    assert!(far.stderr.contains("help: name a tag, a branch or a commit, such as `"), "{}", far.stderr);
    // A name that looks like an option is a name.
    assert_eq!(bench.pipe(&["plan", "specs/spec.toml", "--at=--all"]).code, Some(2));
}

#[test]
fn a_file_that_the_revision_has_not_is_told_with_those_that_are_near() {
    let bench = project();
    bench.write("specs/spec.toml", &SPEC.replace("files = [\"tools/say.sh\"]", "files = [\"tools/sya.sh\"]"));
    bench.write("specs/tools/sya.sh", SCRIPT);
    git(&bench, &["add", "specs/spec.toml"]);
    git(&bench, &["commit", "--quiet", "--message", "two"]);
    git(&bench, &["tag", "v2"]);
    assert_eq!(bench.pipe(&["validate", "specs/spec.toml"]).code, Some(0), "it is on the disk");
    let said = bench.pipe(&["validate", "specs/spec.toml", "--at", "v2"]);
    assert_eq!(said.code, Some(2));
    let expected = "the file `tools/sya.sh` is not in v2 (";
    assert!(
        said.stderr.contains(expected) && said.stderr.contains("did you mean `specs/tools/say.sh`?"),
        "{}",
        said.stderr
    );
    let spec = bench.pipe(&["validate", "specs/spce.toml", "--at", "v1"]);
    assert_eq!(spec.code, Some(2));
    assert!(spec.stderr.contains("cannot read specs/spce.toml: it is not in v1 ("), "{}", spec.stderr);
    assert!(spec.stderr.contains("did you mean `specs/spec.toml`?"), "{}", spec.stderr);
}

#[test]
fn links_are_followed_as_they_were() {
    let bench = project();
    symlink("tools/say.sh", bench.path("specs/link.sh")).unwrap();
    symlink("tools", bench.path("specs/more")).unwrap();
    let files = "files = [\"link.sh\", \"more/say.sh\"]";
    bench.write(
        "specs/spec.toml",
        &SPEC.replace("files = [\"tools/say.sh\"]", files).replace("\"tools/say", "\"./more/say"),
    );
    tag(&bench, "v2");
    assert_eq!(counts(&run(&bench, &[])), [1, 0]);
    fs::remove_file(bench.path("specs/link.sh")).unwrap();
    assert_eq!(counts(&run(&bench, &["--at", "v2"])), [0, 1]);
}

#[test]
fn a_checkout_of_other_line_ends_has_the_same_keys() {
    let bench = project();
    bench.write(".gitattributes", "*.txt text eol=crlf\n*.sh text eol=lf\n");
    bench.write("specs/tools/lines.txt", "a\nb\n");
    bench.write("specs/spec.toml", &SPEC.replace("files = [", "files = [\"tools/lines.txt\", "));
    tag(&bench, "v2");
    fs::remove_file(bench.path("specs/tools/lines.txt")).unwrap();
    git(&bench, &["checkout", "--quiet", "--", "specs/tools/lines.txt"]);
    assert_eq!(fs::read(bench.path("specs/tools/lines.txt")).unwrap(), b"a\r\nb\r\n");
    assert_eq!(counts(&run(&bench, &[])), [1, 0]);
    fs::remove_file(bench.path(".gitattributes")).unwrap();
    assert_eq!(counts(&run(&bench, &["--at", "v2"])), [0, 1]);
}

#[test]
fn pointers_of_git_lfs_and_submodules_are_called_what_they_are() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n";
    let bench = project();
    bench.write("specs/tools/say.sh", pointer);
    tag(&bench, "v2");
    let now = bench.pipe(&["validate", "specs/spec.toml"]).stderr;
    assert!(
        now.contains("is a Git LFS pointer and not the file it stands for") && now.contains("git lfs pull"),
        "{now}"
    );
    let then = bench.pipe(&["validate", "specs/spec.toml", "--at", "v2"]).stderr;
    assert!(then.contains("the file `tools/say.sh` is a Git LFS pointer"), "{then}");

    let inner = Bench::new();
    inner.write("x.sh", SCRIPT);
    commit(&inner, "inner");
    let url = inner.path("").display().to_string();
    git(&bench, &["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &url, "specs/vendor"]);
    bench.write("specs/spec.toml", &SPEC.replace("tools/say.sh", "vendor/x.sh"));
    tag(&bench, "v3");
    let said = bench.pipe(&["validate", "specs/spec.toml", "--at", "v3"]).stderr;
    assert!(said.contains("the file `vendor/x.sh` lies in the submodule `specs/vendor`"), "{said}");
}

#[test]
fn without_a_repository_there_are_no_revisions() {
    let bench = Bench::new();
    bench.write("spec.toml", BASE);
    let said = bench.pipe(&["plan", "spec.toml", "--at", "v1"]);
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("`--at v1` needs a git repository"), "{}", said.stderr);
}

#[test]
fn a_file_of_parameters_is_read_as_it_was_and_the_environment_as_it_is() {
    let bench = project();
    bench.write("specs/prod.toml", "word = \"then\"\n");
    tag(&bench, "v2");
    bench.write("specs/prod.toml", "word = \"now\"\n");
    let params = |arguments: &[&str]| {
        let plan = bench.pipe(&[&["plan", "specs/spec.toml", "--json", "--at", "v2"], arguments].concat());
        plan.json()["params"]["word"].clone()
    };
    assert_eq!(params(&["--params", "specs/prod.toml"]), "then");
    bench.write("specs/.env", "PIPE_PARAM_WORD=here\n");
    assert_eq!(params(&[]), "here");
    assert_eq!(params(&["-P", "word=typed"]), "typed");
}

#[test]
fn a_template_that_a_stage_reads_is_that_of_the_revision() {
    let bench = project();
    let stage = "[stages.data]\nkind = \"format-jsonl\"\nfrom = [\"say\"]\ntemplate = \"say.jinja\"\n";
    bench.write("specs/spec.toml", &format!("{SPEC}\n{stage}"));
    bench.write("specs/say.jinja", "{}");
    tag(&bench, "v2");
    fs::remove_file(bench.path("specs/say.jinja")).unwrap();
    assert_eq!(bench.pipe(&["validate", "specs/spec.toml"]).code, Some(2));
    let said = bench.pipe(&["validate", "specs/spec.toml", "--at", "v2"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
}

#[test]
fn a_linked_worktree_has_the_revisions_of_its_repository() {
    let bench = project();
    git(&bench, &["worktree", "add", "--quiet", "--detach", "linked"]);
    fs::remove_file(bench.path("linked/specs/tools/say.sh")).unwrap();
    let said = bench.pipe(&["run", "linked/specs/spec.toml", "--json", "--at", "v1"]);
    assert_eq!(counts(&said), [1, 0]);
    assert_eq!(said.events()[0]["revision"]["folder"], "linked");
}
