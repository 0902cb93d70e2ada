//! What happens around a run and its tasks: hooks, facts, files that are meant and not named, code that takes no template.

use crate::bench::Bench;

const JOB: &str = "version = 1\nname = \"sum\"\n[stages.job]\nkind = \"command\"\n";

#[test]
fn a_hook_is_told_how_the_run_ended() {
    let hooks = "[hooks]\nsuccess = { shell = 'echo \"$PIPE_STATUS $PIPE_FAILED $WHO\" > @told; echo said', env = { WHO = \"me\" } }\n\
                 failure = { argv = [\"sh\", \"-c\", 'pwd > @place; echo \"$PIPE_STATUS $PIPE_FAILED $PIPE_SPEC\" > @told'] }\n";
    let bench = Bench::with(&format!("{JOB}argv = [\"true\"]\n{hooks}"));
    let said = bench.run();
    assert_eq!(bench.read("told"), "succeeded 0 me");
    assert!(said.stderr.contains("said\n") && !said.stdout.contains("said"), "{said:?}");
    let bench = Bench::with(&format!("{JOB}argv = [\"false\"]\n{hooks}"));
    assert_eq!(bench.pipe(&["run", "spec.toml"]).code, Some(1));
    let folder = bench.path("").canonicalize().unwrap();
    assert_eq!(bench.read("told"), format!("failed 1 {}", folder.join("spec.toml").display()));
    assert_eq!(bench.read("place"), folder.display().to_string());
}

#[test]
fn a_hook_that_fails_or_takes_too_long_only_warns() {
    let hooks = [("exit 3", "ended with exit code 3"), ("sleep 60 & sleep 60", "was ended after 1 s")];
    for (shell, warning) in hooks {
        let hook = format!("[hooks]\nsuccess = {{ shell = \"{shell}\", timeout = \"1s\" }}\n");
        let said = Bench::with(&format!("{JOB}argv = [\"true\"]\n{hook}")).pipe(&["run", "spec.toml"]);
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(said.stderr.contains(&format!("warning: the hook `success` {warning}")), "{}", said.stderr);
    }
}

#[test]
fn a_hook_is_one_command() {
    let both = format!("{JOB}argv = [\"true\"]\n[hooks.success]\nargv = [\"true\"]\nshell = \"true\"\n");
    let none = format!("{JOB}argv = [\"true\"]\n[hooks.failure]\ntimeout = \"1s\"\n");
    let templated = format!("{JOB}argv = [\"true\"]\n[hooks.failure]\nshell = \"echo {{{{ params.x }}}}\"\n");
    for (spec, code) in [(both, "P0304"), (none, "P0301"), (templated, "P0306")] {
        let said = Bench::with(&spec).pipe(&["validate", "spec.toml", "--json"]);
        assert_eq!(said.json()["problems"][0]["code"], code, "{said:?}");
    }
}

#[test]
fn what_a_program_tells_of_itself_is_kept() {
    let bench = Bench::with(&format!("{JOB}shell = \"echo '{{\\\"rows\\\": 3}}' > $PIPE_OUTPUT/result.json\"\n"));
    let said = bench.run();
    let done = said.events().into_iter().find(|event| event["type"] == "task_succeeded").unwrap();
    assert_eq!(done["result"]["rows"], 3);
}

#[test]
fn facts_that_are_none_are_a_failure() {
    for made in ["echo 3", "echo nonsense", "printf '{\\\"a\\\": \\\"%020000d\\\"}' 1"] {
        let bench = Bench::with(&format!("{JOB}shell = \"{made} > $PIPE_OUTPUT/result.json\"\n"));
        let said = bench.pipe(&["run", "spec.toml", "--json"]);
        let failed = said.events().into_iter().find(|event| event["type"] == "task_failed").unwrap();
        assert_eq!(failed["failure"]["code"], "bad_result", "{made}");
    }
}

#[test]
fn plan_and_explain_say_that_a_task_runs_in_every_run() {
    let bench = Bench::with(&format!("{JOB}argv = [\"true\"]\ncache = false\n"));
    bench.run();
    let planned = bench.pipe(&["plan", "spec.toml", "--json"]).json();
    assert_eq!(
        (&planned["tasks"][0]["state"], &planned["tasks"][0]["reason"]),
        (&"run".into(), &"cache = false".into())
    );
    let explained = bench.pipe(&["explain", "spec.toml", "job"]).stdout;
    assert!(explained.contains("would run: cache = false"), "{explained}");
}

#[test]
fn nothing_is_published_through_a_link_that_leads_out_of_the_project() {
    let elsewhere = tempfile::tempdir().unwrap();
    let job = format!("{JOB}argv = [\"sh\", \"-c\", \"echo x > $PIPE_OUTPUT/x\"]\n");
    for (target, code) in [("link/x", "P0702"), ("../x", "P0702"), (".git/x", "P0703"), ("spec.toml", "P0703")] {
        let bench = Bench::with(&format!("{job}publish = {{ x = \"{target}\" }}\n"));
        std::os::unix::fs::symlink(elsewhere.path(), bench.path("link")).unwrap();
        let said = bench.pipe(&["validate", "spec.toml", "--json"]);
        assert_eq!(said.json()["problems"][0]["code"], code, "{target}");
    }
    // In a repository the whole of it is the project.
    let bench = Bench::with("");
    std::fs::create_dir(bench.path(".git")).unwrap();
    std::fs::create_dir(bench.path("specs")).unwrap();
    bench.write("specs/spec.toml", &format!("{job}publish = {{ x = \"../site/x\" }}\n"));
    assert_eq!(bench.pipe(&["run", "specs/spec.toml"]).code, Some(0));
    assert_eq!(bench.read("site/x"), "x");
}
