//! What a run records of the repository its spec lies in. The repositories are real ones, made by the `git` program.

use crate::bench::{Bench, SUM};
use serde_json::Value as Json;
use std::process::Command;

/// `git` in the bench's folder, as somebody without settings of their own.
pub(crate) fn git(bench: &Bench, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(bench.path("")).args(["-c", "user.name=Ann", "-c", "user.email=ann@example.com"]);
    command.args(arguments).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Everything in the bench's folder, committed on `main`.
pub(crate) fn commit(bench: &Bench, message: &str) -> String {
    git(bench, &["init", "--quiet", "--initial-branch=main"]);
    bench.write(".gitignore", "out\n.pipe\n");
    git(bench, &["add", "--all"]);
    git(bench, &["commit", "--quiet", "--message", message]);
    git(bench, &["rev-parse", "HEAD"])
}

/// What a run's first event tells of the repository.
fn recorded(bench: &Bench) -> Json {
    bench.run().events()[0]["revision"].clone()
}

#[test]
fn a_run_records_commit_branch_tag_and_remote_without_its_password() {
    let bench = Bench::with(SUM);
    let head = commit(&bench, "one");
    git(&bench, &["tag", "--annotate", "v1.2", "--message", "x"]);
    git(&bench, &["remote", "add", "origin", "https://ann:s3cret@code.example/club/specs.git"]);
    let revision = recorded(&bench);
    assert_eq!(revision["commit"], head);
    assert_eq!((&revision["branch"], &revision["tags"][0]), (&"main".into(), &"v1.2".into()));
    assert_eq!(revision["remote"], "https://code.example/club/specs.git");
    assert_eq!(revision["folder"], bench.path("").file_name().unwrap().to_str().unwrap());
    assert_eq!(revision["changes"], serde_json::json!({ "count": 0 }));
    let status = bench.pipe(&["status", "spec.toml"]).stdout;
    let line = format!("  commit  {} (v1.2, main) of https://code.example/club/specs.git\n", &head[..12]);
    assert!(status.contains(&line) && status.contains("  params  numbers = [1,2], extra = 0\n"), "{status}");
    assert_eq!(bench.pipe(&["status", "spec.toml", "--json"]).json()["run"]["revision"], revision);
    let journal = std::fs::read(bench.path(".pipe/journal.db")).unwrap();
    assert!(!journal.windows(6).any(|bytes| bytes == b"s3cret"));
}

#[test]
fn files_that_differ_from_the_commit_are_named_and_digested() {
    let bench = Bench::with(SUM);
    bench.write("notes.txt", "one\n");
    commit(&bench, "one");
    let changes = |text: &str| {
        bench.write("notes.txt", text);
        recorded(&bench)["changes"].clone()
    };
    let (two, three) = (changes("two\n"), changes("three\n"));
    assert_eq!((&two["count"], &two["files"]), (&1.into(), &serde_json::json!(["notes.txt"])));
    assert_ne!(two["digest"], three["digest"]);
    assert_eq!(changes("two\n"), two, "the same files are the same digest");
    assert_eq!(changes("one\n"), serde_json::json!({ "count": 0 }));
    std::fs::remove_file(bench.path("notes.txt")).unwrap();
    let gone = recorded(&bench)["changes"].clone();
    assert!(gone["count"] == 1 && gone["digest"].is_string() && gone["digest"] != two["digest"], "{gone}");
    git(&bench, &["add", "--all"]);
    assert_eq!(recorded(&bench)["changes"], gone, "what is staged differs as well");
}

#[test]
fn a_detached_head_has_no_branch() {
    let bench = Bench::with(SUM);
    commit(&bench, "one");
    git(&bench, &["checkout", "--quiet", "--detach"]);
    let revision = recorded(&bench);
    assert!(revision["commit"].is_string() && revision["branch"].is_null(), "{revision}");
}

#[test]
fn without_a_repository_or_with_a_broken_one_nothing_is_recorded_and_nothing_said() {
    let recorded = |prepare: &dyn Fn(&Bench)| {
        let bench = Bench::with(SUM);
        prepare(&bench);
        let said = bench.run();
        assert_eq!(said.stderr, "");
        said.events()[0].get("revision").cloned()
    };
    assert_eq!(recorded(&|_| {}), None, "no repository");
    assert_eq!(recorded(&|bench| drop(git(bench, &["init", "--quiet"]))), None, "no commit");
    assert_eq!(recorded(&|bench| drop(git(bench, &["init", "--quiet", "--bare", "."]))), None, "a bare one");
    assert_eq!(recorded(&|bench| bench.write(".git", "gitdir: /nowhere\n")), None, "one that leads nowhere");
    let broken = |bench: &Bench| {
        commit(bench, "one");
        bench.write(".git/HEAD", "nonsense");
    };
    assert_eq!(recorded(&broken), None, "a broken one");
}

#[test]
fn without_git_or_in_the_repository_of_somebody_else_nothing_is_recorded() {
    let bench = Bench::with(SUM);
    commit(&bench, "one");
    let run = |variable: &str, value: &std::path::Path| {
        let output = bench.command(&["run", "spec.toml", "--json"]).env(variable, value).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        let first = output.stdout.split(|byte| *byte == b'\n').next().unwrap();
        serde_json::from_slice::<Json>(first).unwrap().get("revision").is_some()
    };
    assert!(run("NOTHING", "1".as_ref()));
    // Git's own switch for its tests: it takes every repository for one of another user.
    assert!(!run("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1".as_ref()));
    assert!(!run("PATH", &bench.path("nothing")), "no git on the path");
}

#[test]
fn a_hook_that_calls_pipe_does_not_lead_it_to_its_own_repository() {
    let (bench, other) = (Bench::with(SUM), Bench::with(SUM));
    let head = commit(&bench, "one");
    other.write("more.txt", "x");
    commit(&other, "two");
    let mut command = bench.command(&["run", "spec.toml", "--json"]);
    command.env("GIT_DIR", other.path(".git")).env("GIT_INDEX_FILE", other.path(".git/index"));
    let output = command.output().unwrap();
    let first = output.stdout.split(|byte| *byte == b'\n').next().unwrap();
    assert_eq!(serde_json::from_slice::<Json>(first).unwrap()["revision"]["commit"], head);
}

#[test]
fn a_git_that_does_not_answer_holds_no_run_up() {
    let bench = Bench::with(SUM);
    commit(&bench, "one");
    bench.run();
    std::fs::create_dir(bench.path("slow")).unwrap();
    bench.write("slow/git", "#!/bin/sh\nsleep 5\necho 0f343b0931126a20f133d67c2b018a3b\n");
    let program = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(bench.path("slow/git"), program).unwrap();
    let path = format!("{}:{}", bench.path("slow").display(), std::env::var("PATH").unwrap());
    let output = bench.command(&["run", "spec.toml", "--json"]).env("PATH", path).output().unwrap();
    let first = output.stdout.split(|byte| *byte == b'\n').next().unwrap();
    let first: Json = serde_json::from_slice(first).unwrap();
    // Whoever waited would have been told a commit.
    assert!(output.status.success() && first.get("revision").is_none(), "{first}");
}
