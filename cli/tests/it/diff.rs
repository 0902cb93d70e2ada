//! `pipe diff`: what two runs, or two revisions of a spec, have and have not in common.

use crate::bench::{Bench, SUM};
use crate::git::{commit, git};
use serde_json::json;

fn run(bench: &Bench, arguments: &[&str]) {
    let said = bench.pipe(&[&["run", "spec.toml"], arguments].concat());
    assert_eq!(said.code, Some(0), "{}", said.stderr);
}

#[test]
fn two_runs_differ_in_what_changed_between_them_and_in_nothing_else() {
    let bench = Bench::with(SUM);
    run(&bench, &[]);
    run(&bench, &["-P", "numbers=[2, 3]", "-P", "extra=4"]);
    let said = bench.pipe(&["diff", "spec.toml"]);
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
    for part in [
        "\n  params  `extra` 0 -> 4\n",
        "`numbers[0]` 1 -> 2",
        "\nadded\n  number[n=3]\n",
        "\nremoved\n  number[n=1]\n",
    ] {
        assert!(said.stdout.contains(part), "{part}: {}", said.stdout);
    }
    let row = said.stdout.lines().find(|line| line.starts_with("  number[n=2]")).unwrap();
    assert!(row.contains("`argv[2]` ") && row.contains(" -> ") && row.contains("; other bytes; "), "{row}");
    let document = bench.pipe(&["diff", "latest~1", "latest", "spec.toml", "--json"]).json();
    assert_eq!((&document["diff"], &document["same_spec"]), (&json!("runs"), &json!(true)));
    assert_eq!(document["params"][0], json!({ "field": "extra", "before": "0", "now": "4" }));
    let changed = document["changed"].as_array().unwrap();
    assert_eq!(changed.len(), 2, "{changed:?}");
    assert_eq!(changed[0]["changes"][0]["field"], "config.argv[2]");
    assert!(changed[0]["same_result"] == false && changed[0]["now"]["took_ms"].is_u64(), "{}", changed[0]);
}

#[test]
fn a_run_that_found_everything_made_the_same_as_the_one_before() {
    let bench = Bench::with(SUM);
    run(&bench, &[]);
    run(&bench, &[]);
    assert!(bench.pipe(&["diff", "spec.toml"]).stdout.ends_with("\nno task differs: 3 in both\n"));
    // What was found is compared by what it was made of, though nothing ran.
    run(&bench, &["-P", "extra=4"]);
    run(&bench, &[]);
    let document = bench.pipe(&["diff", "spec.toml", "--json"]).json();
    assert_eq!(document["changed"].as_array().unwrap().len(), 3);
    assert_eq!(document["changed"][0]["changes"][0]["field"], "config.argv[2]");
    assert_eq!(document["changed"][0]["now"], json!({ "standing": "cached", "took_ms": null }));
}

#[test]
fn a_task_that_failed_is_compared_by_what_it_was_to_be_made_of() {
    let bench = Bench::with(&SUM.replace("echo number {{ n }};", "test {{ params.extra }} != 9 &&"));
    run(&bench, &[]);
    assert_eq!(bench.pipe(&["run", "spec.toml", "-P", "extra=9"]).code, Some(1));
    let said = bench.pipe(&["diff", "spec.toml"]).stdout;
    let row = said.lines().find(|line| line.starts_with("  number")).unwrap();
    assert!(row.contains("2 tasks") && row.contains("`argv[2]`") && row.contains("2 done -> failed"), "{said}");
    assert!(said.contains("done -> skipped"), "{said}");
}

#[test]
fn runs_of_two_commits_show_both() {
    let bench = Bench::with(SUM);
    let one = commit(&bench, "one");
    run(&bench, &[]);
    bench.write("spec.toml", &SUM.replace("extra = 0", "extra = 1"));
    let two = commit(&bench, "two");
    run(&bench, &[]);
    let said = bench.pipe(&["diff", "spec.toml"]).stdout;
    assert!(said.contains(&format!("  commit  {} (main)", &one[..12])), "{said}");
    assert!(
        said.contains(&format!(" -> {} (main)", &two[..12])) && said.contains("  spec    another text\n"),
        "{said}"
    );
}

#[test]
fn a_run_that_is_not_there_is_told_with_those_that_are() {
    let bench = Bench::with(SUM);
    let none = bench.pipe(&["diff", "spec.toml"]);
    assert_eq!(
        (none.code, none.stderr.as_str()),
        (Some(2), "error: there is no run `latest~1`\nhelp: there are 0 runs\n")
    );
    run(&bench, &[]);
    let wrong = bench.pipe(&["diff", "latest", "20010101-000000", "spec.toml"]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("no run is named `20010101-000000`") && wrong.stderr.contains("the newest are `"));
}

#[test]
fn runs_can_be_compared_without_the_spec_or_with_one_that_is_broken_by_now() {
    let bench = Bench::with(SUM);
    run(&bench, &[]);
    run(&bench, &["-P", "extra=4"]);
    bench.write("spec.toml", "nonsense");
    for arguments in [&["diff", "latest~1", "latest"][..], &["diff", "spec.toml"]] {
        let said = bench.pipe(arguments);
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        assert!(said.stdout.contains("`argv[2]`"), "{}", said.stdout);
    }
}

/// Commits the spec and names that `name`.
fn tag(bench: &Bench, name: &str, spec: &str) {
    bench.write("spec.toml", spec);
    commit(bench, name);
    git(bench, &["tag", name]);
}

#[test]
fn two_revisions_differ_in_the_tasks_they_make_and_in_what_would_run() {
    let bench = Bench::with(SUM);
    tag(&bench, "v1", SUM);
    run(&bench, &[]);
    tag(&bench, "v2", &SUM.replace("echo number", "echo the number").replace("[1, 2]", "[1, 2, 3]"));
    bench.write("spec.toml", "nonsense");
    let said = bench.pipe(&["diff", "v1..v2", "spec.toml"]);
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{}", said.stdout);
    let lines: Vec<&str> = said.stdout.lines().collect();
    let commit = |name: &str| git(&bench, &["rev-parse", "--short=12", &format!("{name}^{{commit}}")]);
    assert_eq!(lines[0], format!("v1 ({}) -> v2 ({})", commit("v1"), commit("v2")));
    assert_eq!(lines[1], "  params  `numbers[2]` is new: 3");
    for part in [
        "\nchanged\n  number  2 tasks  `argv[2]`",
        "\n  sum              `numbers` gives one more result\n",
        "\nadded\n  number[n=3]\n",
        "\ntasks: 3 changed, 1 added, 0 the same\n3 tasks would run, 1 depends on what others give, 0 up to date\n",
    ] {
        assert!(said.stdout.contains(part), "{part}: {}", said.stdout);
    }
    assert_eq!(bench.pipe(&["diff", "v2", "v1", "spec.toml", "--json"]).json()["removed"], json!(["number[n=3]"]));
}

#[test]
fn a_revision_is_compared_with_the_files_as_they_are() {
    let bench = Bench::with(SUM);
    let spec = SUM.replace("outputs = [\"number\"]", "outputs = [\"number\"]\nfiles = [\"rules.txt\"]");
    bench.write("rules.txt", "one\n");
    tag(&bench, "v1", &spec);
    run(&bench, &[]);
    let same = bench.pipe(&["diff", "v1..", "spec.toml"]).stdout;
    assert!(same.ends_with("\nno task differs: 3 in both\nnothing would run: every result is there\n"), "{same}");
    bench.write("rules.txt", "two\n");
    for arguments in [&["v1..", "spec.toml"][..], &["--at", "v1", "spec.toml"], &["spec.toml", "v1"]] {
        let said = bench.pipe(&[&["diff"], arguments].concat()).stdout;
        assert!(said.lines().next().unwrap().ends_with(") -> the files as they are"), "{said}");
        assert!(said.contains("\nchanged\n  number  2 tasks  `files[0]` has other bytes\n"), "{said}");
        assert!(said.contains("\nfollow, because what they need may change\n  sum\n"), "{said}");
    }
}

#[test]
fn what_no_result_depends_on_is_told_by_itself() {
    let bench = Bench::with(SUM);
    tag(&bench, "v1", SUM);
    run(&bench, &[]);
    let slower = "[defaults]\nretry = { failed = 2 }\n\n[stages.sum]\ntimeout = \"40m\"";
    bench.write("spec.toml", &SUM.replace("[stages.sum]", slower));
    let said = bench.pipe(&["diff", "v1..", "spec.toml"]).stdout;
    for part in [
        "\nsettings, on which no result depends\n",
        "\n  `defaults.retry.failed` is new: 2\n",
        "\n  `sum.timeout` is new: 40m\n",
        "\nno task differs: 3 in both\nnothing would run: every result is there\n",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn revisions_without_a_spec_and_revisions_that_are_not_there_are_refused() {
    let bench = Bench::with(SUM);
    tag(&bench, "v1", SUM);
    let no_spec = bench.pipe(&["diff", "v1..v2"]);
    assert_eq!(no_spec.code, Some(2));
    assert!(
        no_spec.stderr.contains("no spec is named") && no_spec.stderr.contains("`spec.toml`"),
        "{}",
        no_spec.stderr
    );
    let no_revision = bench.pipe(&["diff", "v1..v3", "spec.toml"]);
    assert!(no_revision.code == Some(2) && no_revision.stderr.contains("no revision `v3`"), "{}", no_revision.stderr);
}
