//! Which value of a parameter wins, and which are refused.

use super::desk::Desk;
use serde_json::json;

const SAYS: &str =
    "[params]\nn = 1\n[profiles.big.params]\nn = 2\n[stages.a]\nkind = \"toy\"\nsay = \"{{ params.n }}\"\n";

#[test]
fn the_first_of_command_line_file_environment_profile_and_default_wins() {
    // Each step adds the next stronger source to all the weaker ones.
    let desk = Desk::with_spec(SAYS);
    assert_eq!(desk.plan().said("a"), json!(1));
    let desk = desk.profile("big");
    assert_eq!(desk.plan().said("a"), json!(2));
    let desk = desk.env(&[("PIPE_PARAM_N", "3")]);
    assert_eq!(desk.plan().said("a"), json!(3));
    let mut desk = desk.file("p.toml", "n = 4\n");
    desk.outside.params_file = Some("p.toml".into());
    assert_eq!(desk.plan().said("a"), json!(4));
    let desk = desk.param("n", "5");
    assert_eq!(desk.plan().said("a"), json!(5));
}

#[test]
fn of_one_parameter_given_twice_on_the_command_line_the_last_counts() {
    assert_eq!(Desk::with_spec(SAYS).param("n", "5").param("n", "6").plan().said("a"), json!(6));
}

#[test]
fn the_env_file_beside_the_spec_sets_what_the_environment_does_not() {
    let desk = Desk::with_spec(SAYS).file(".env", "export PIPE_PARAM_N=7 # lucky\n");
    assert_eq!(desk.plan().said("a"), json!(7));
    assert_eq!(desk.env(&[("PIPE_PARAM_N", "8")]).plan().said("a"), json!(8));
}

#[test]
fn the_profile_may_come_from_the_environment() {
    assert_eq!(Desk::with_spec(SAYS).env(&[("PIPE_PROFILE", "big")]).plan().said("a"), json!(2));
    assert_eq!(Desk::with_spec(SAYS).env(&[("PIPE_PROFILE", "bgi")]).plan().codes(), ["S0403"]);
}

#[test]
fn a_parameter_without_a_default_must_be_set() {
    let desk =
        Desk::with_spec("[params]\nn = { type = \"integer\" }\n[stages.a]\nkind = \"toy\"\nsay = \"{{ params.n }}\"\n");
    assert_eq!(desk.plan().codes(), ["P0403"]);
    assert_eq!(desk.param("n", "3").plan().said("a"), json!(3));
}

#[test]
fn values_outside_range_list_or_type_are_refused() {
    let spec = "[params]\nn = { default = 3, min = 1, max = 5 }\nm = { default = \"a\", allowed = [\"a\", \"b\"] }\n\
                [stages.a]\nkind = \"toy\"\nsay = \"{{ params.n }}{{ params.m }}\"\n";
    let with = |name: &str, value: &str| Desk::with_spec(spec).param(name, value).plan();
    assert_eq!(with("n", "5").said("a"), json!("5a"));
    assert_eq!(with("n", "6").codes(), ["P0404"]);
    assert_eq!(with("n", "six").codes(), ["P0402"]);
    assert_eq!(with("m", "c").codes(), ["P0404"]);
    assert_eq!(with("k", "1").codes(), ["P0401"]);
}

#[test]
fn lists_and_tables_are_typed_as_toml_or_json() {
    let spec = "[params]\nl = [1]\nt = { type = \"table\", default = { a = 1 } }\n\
                [stages.a]\nkind = \"toy\"\nsay = [\"{{ params.l }}\", \"{{ params.t }}\"]\n";
    let said = |l: &str, t: &str| Desk::with_spec(spec).param("l", l).param("t", t).plan().said("a");
    assert_eq!(said("[2, 3]", "{ a = 2 }"), json!([[2, 3], { "a": 2 }]));
    assert_eq!(said("[\"x\"]", "{\"b\": [1]}"), json!([["x"], { "b": [1] }]));
}

#[test]
fn a_wrong_value_is_shown_where_it_was_typed_and_where_it_is_declared() {
    let planned = Desk::with_spec(SAYS).param("n", "many").plan();
    insta::assert_snapshot!(planned.shown(), @r"
    error[P0402]: the parameter `n` takes an integer
     --> <command line>:1:6
      |
    1 | -P n=many
      |      ^^^^ set here by -P
      |
     ::: spec.toml:4:1
      |
    4 | n = 1
      | - declared here
    ");
}

#[test]
fn every_problem_of_parameters_is_told_at_once() {
    let planned = Desk::with_spec(SAYS).param("n", "many").param("k", "1").profile("nobody").plan();
    let mut codes = planned.codes();
    codes.sort_unstable();
    assert_eq!(codes, ["P0401", "P0402", "S0403"]);
}
