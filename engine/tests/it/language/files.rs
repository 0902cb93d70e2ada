//! Bases, profiles, and the problems of files that make up a spec.

use super::desk::Desk;
use pipe_engine::units::Bytes;
use serde_json::json;
use std::path::Path;

const BASE: &str = "version = 1\nname = \"base\"\n[params]\nn = { type = \"integer\", default = 1, max = 9 }\n\
                    [defaults]\nretry = { failed = 2 }\n\
                    [stages.a]\nkind = \"toy\"\nsay = [\"{{ params.n }}\", \"base\"]\ntimeout = \"5m\"\n";

#[test]
fn an_extending_spec_is_laid_over_its_base_key_by_key() {
    let desk = Desk::default().file("common/base.toml", BASE).file(
        "spec.toml",
        "version = 1\nname = \"x\"\nextends = \"common/base.toml\"\n[params]\nn = 2\n[stages.a]\ntimeout = \"9m\"\n",
    );
    let planned = desk.plan();
    let plan = planned.right();
    assert_eq!(plan.name, "x");
    assert_eq!(planned.said("a"), json!([2, "base"]));
    let settings = &plan.stages[0].settings;
    assert_eq!(settings.timeout.unwrap().as_secs(), 9 * 60);
    assert_eq!(settings.retry.budgets.values().copied().collect::<Vec<_>>(), [2]);
}

#[test]
fn a_bases_declaration_still_binds_the_value_that_an_extending_spec_gives() {
    let desk = Desk::default().file("base.toml", BASE);
    let spec = "version = 1\nname = \"x\"\nextends = \"base.toml\"\n[params]\nn = 12\n";
    assert_eq!(desk.file("spec.toml", spec).plan().codes(), ["P0404"]);
}

#[test]
fn a_yaml_spec_may_extend_a_toml_base() {
    let desk = Desk::default().file("base.toml", BASE);
    let planned =
        desk.file("spec.yaml", "version: 1\nname: x\nextends: base.toml\nparams: {n: 4}\n").plan_of("spec.yaml");
    assert_eq!(planned.said("a"), json!([4, "base"]));
}

#[test]
fn a_problem_in_a_base_is_told_at_its_own_file_and_line() {
    let desk = Desk::with_spec("extends = \"base.toml\"\n").file("base.toml", &BASE.replace("timeout", "timeuot"));
    let planned = desk.plan();
    assert_eq!(planned.codes(), ["S0201"]);
    assert!(planned.shown().contains("--> base.toml:10:1"), "{}", planned.shown());
}

#[test]
fn bases_that_are_missing_circular_or_too_many_are_refused() {
    assert_eq!(Desk::with_spec("extends = \"no.toml\"\n").plan().codes(), ["S0401"]);
    let circle = Desk::with_spec("extends = \"b/c.toml\"\n").file("b/c.toml", "extends = \"../spec.toml\"\n");
    assert_eq!(circle.plan().codes(), ["S0402"]);
    let chain = (0..12).fold(Desk::with_spec("extends = \"0.toml\"\n"), |desk, i| {
        desk.file(&format!("{i}.toml"), &format!("extends = \"{}.toml\"\n", i + 1))
    });
    assert_eq!(chain.plan().codes(), ["S0402"]);
}

#[test]
fn a_path_is_relative_to_the_file_that_writes_it() {
    let desk = Desk::default()
        .file("specs/../common/base.toml", &format!("{BASE}[store]\nroot = \"results\"\n"))
        .file("specs/spec.toml", "version = 1\nname = \"x\"\nextends = \"../common/base.toml\"\n");
    let planned = desk.plan_of("specs/spec.toml");
    assert_eq!(planned.right().store, Path::new("specs/../common/results"));
}

#[test]
fn a_profile_changes_parameters_store_defaults_and_stages() {
    let spec = "[params]\nn = 1\n[store]\nroot = \"here\"\n[stages.a]\nkind = \"toy\"\nsay = \"{{ params.n }}\"\n\
                [profiles.prod]\nparams = { n = 2 }\nstore = { root = \"there\" }\n\
                [profiles.prod.stages.a]\nresources = { memory = \"4 GiB\" }\n";
    let planned = Desk::with_spec(spec).profile("prod").plan();
    assert_eq!(planned.said("a"), json!(2));
    assert_eq!(planned.right().store, Path::new("there"));
    assert_eq!(planned.right().stages[0].settings.memory, Bytes(4 << 30));
    assert_eq!(planned.right().profile.as_deref(), Some("prod"));
    assert_eq!(Desk::with_spec(spec).plan().right().store, Path::new("here"));
}

#[test]
fn a_profile_that_nobody_asked_for_is_checked_all_the_same() {
    let spec = "[stages.a]\nkind = \"toy\"\n[profiles.prod.stages.a]\ntimeout = \"5 parsecs\"\nkidn = 1\n";
    let mut codes = Desk::with_spec(spec).plan().codes();
    codes.sort_unstable();
    assert_eq!(codes, ["S0201", "S0207"]);
}

#[test]
fn a_newer_version_of_the_language_is_refused_with_the_way_out_and_nothing_else() {
    let planned = Desk::default().file("spec.toml", "version = 2\nname = \"x\"\nnew_thing = true\n").plan();
    assert_eq!(planned.codes(), ["S0209"]);
    assert!(planned.shown().contains("use a newer pipe"), "{}", planned.shown());
}

#[test]
fn a_broken_env_file_is_told_without_what_it_says() {
    let planned = Desk::with_spec("[stages.a]\nkind = \"toy\"\n").file(".env", "TOKEN hunter2\n").plan();
    assert_eq!(planned.codes(), ["S0405"]);
    assert!(!planned.problems[0].message.contains("hunter2"));
}
