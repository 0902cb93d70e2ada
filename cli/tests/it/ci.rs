//! The recipes of `docs/ci.md`: each script in them is run in a real clone of a real repository, with a `gh` that writes
//! down what it was asked for.

use crate::bench::{Bench, SUM};
use crate::git::{commit, git};
use pipe_engine::spec::yaml;
use serde_json::Value as Json;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A recipe, by its first line.
fn recipe(name: &str) -> Json {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ci.md")).unwrap();
    let begins = format!("```yaml\n# {name}\n");
    let (_, rest) = page.split_once(&begins).unwrap_or_else(|| panic!("there is no {name}"));
    let (root, problems) = yaml::parse(rest.split_once("```\n").unwrap().0);
    assert!(problems.is_empty(), "{name}: {problems:?}");
    root.to_json()
}

/// A clone with a branch that changes the spec of `main`, which was run once.
struct Clone {
    _origin: Bench,
    here: Bench,
}

impl Clone {
    fn new() -> Self {
        let origin = Bench::new();
        fs::create_dir(origin.path("specs")).unwrap();
        let spec = format!("{SUM}\n[profiles.ci]\nstore = {{ root = \"../kept\" }}\n");
        origin.write("specs/pipeline.toml", &spec);
        commit(&origin, "one");
        let here = Bench::new();
        git(&here, &["clone", "--quiet", &origin.path("").display().to_string(), "."]);
        fs::create_dir(here.path("bin")).unwrap();
        symlink(env!("CARGO_BIN_EXE_pipe"), here.path("bin/pipe")).unwrap();
        here.write("bin/gh", "#!/bin/sh\necho \"$@\" > gh-was-asked\n");
        fs::set_permissions(here.path("bin/gh"), fs::Permissions::from_mode(0o755)).unwrap();
        let clone = Self { _origin: origin, here };
        clone.script("pipe run specs/pipeline.toml", &[]);
        git(&clone.here, &["checkout", "--quiet", "-b", "change"]);
        clone.here.write("specs/pipeline.toml", &spec.replace("[1, 2]", "[1, 2, 3]"));
        clone
    }

    fn state(&self) -> PathBuf {
        self.here.path("state")
    }

    /// Runs a script as a runner does, and gives back what it wrote.
    fn script(&self, script: &str, variables: &[(&str, &str)]) -> String {
        let path = format!("{}:{}", self.here.path("bin").display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("bash");
        command.args(["-euo", "pipefail", "-c", script]).current_dir(self.here.path("")).env("PATH", path);
        command.env("PIPE_PROFILE", "ci").env("PIPE_STATE", self.state()).env_remove("PIPE_ATTEMPT");
        command.env("GITHUB_STEP_SUMMARY", self.here.path("summary.md")).envs(variables.iter().copied());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

#[test]
fn the_recipe_for_github_posts_plan_and_difference_and_runs() {
    let (clone, workflow) = (Clone::new(), recipe(".github/workflows/pipeline.yml"));
    let spec = workflow["env"]["SPEC"].as_str().unwrap();
    let steps = |job: &str| workflow["jobs"][job]["steps"].as_array().unwrap().clone();
    let scripts = |job: &str| -> Vec<String> {
        steps(job).iter().filter_map(|step| step["run"].as_str().map(str::to_owned)).collect()
    };
    let given = [("SPEC", spec), ("BASE", "main"), ("NUMBER", "7"), ("GH_TOKEN", "none")];
    for script in scripts("plan") {
        // What comes from the event is given as a variable, never put into the text.
        assert!(!script.contains("${{"), "{script}");
        clone.script(&script, &given);
    }
    assert_eq!(clone.here.read("gh-was-asked"), "pr comment 7 --body-file plan.md --edit-last --create-if-none");
    let comment = clone.here.read("plan.md");
    assert_eq!(comment, clone.here.read("summary.md"));
    for part in ["### Plan of `sum`", "| stage | kind | tasks |", "#### Against `main`", "`numbers[2]` is new: 3"] {
        assert!(comment.contains(part), "{part}: {comment}");
    }
    for script in scripts("run") {
        clone.script(&script, &given);
    }
    assert!(clone.here.read("summary.md").contains("2 up to date, 1 done"), "{}", clone.here.read("summary.md"));
}

#[test]
fn the_recipe_for_cloud_build_plans_and_runs() {
    let (clone, build) = (Clone::new(), recipe("cloudbuild.yaml"));
    let arguments = build["steps"][0]["args"].as_array().unwrap();
    // Cloud Build writes `$$` where a script is to see `$`.
    let script = arguments.last().unwrap().as_str().unwrap().replace("$$", "$");
    let spec = build["substitutions"]["_SPEC"].as_str().unwrap();
    let given = |step| [("SPEC", spec), ("BASE", "main"), ("STEP", step)];
    let said = clone.script(&script, &given("plan"));
    assert!(said.contains("### Plan of `sum`") && said.contains("added\n  number[n=3]"), "{said}");
    clone.script(&script, &given("run"));
    assert!(clone.script("pipe plan \"$SPEC\"", &given("")).contains("nothing to do: 4 tasks up to date"));
}
