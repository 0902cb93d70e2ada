//! "Cells and references": which cells a stage has, and which results belong to them.

use super::desk::Desk;
use pipe_engine::plan::When;
use serde_json::json;

fn stages(lines: &str) -> Desk {
    Desk::with_spec(lines)
}

#[test]
fn exclude_takes_cells_out_and_include_adds_some() {
    let planned = stages(
        "[stages.a]\nkind = \"toy\"\n\
         matrix = { game = [\"g1\", \"g2\"], angle = [\"L\", \"R\"], exclude = [{ game = \"g2\", angle = \"R\" }], \
         include = [{ game = \"g9\", angle = \"TOP\" }] }\n",
    )
    .plan();
    let cells = ["angle=L,game=g1", "angle=L,game=g2", "angle=R,game=g1", "angle=TOP,game=g9"];
    assert_eq!(planned.tasks("a"), cells.map(|cell| format!("a[{cell}]")));
}

#[test]
fn include_alone_lists_the_cells() {
    let planned =
        stages("[stages.a]\nkind = \"toy\"\nmatrix.include = [{ n = 1, m = \"x\" }, { n = 2, m = \"y\" }]\n").plan();
    assert_eq!(planned.tasks("a"), ["a[m=x,n=1]", "a[m=y,n=2]"]);
}

#[test]
fn included_cells_have_the_same_keys_and_are_new() {
    let with = |matrix: &str| stages(&format!("[stages.a]\nkind = \"toy\"\nmatrix = {matrix}\n")).plan();
    for wrong in [
        "{ n = [1], include = [{ m = 1 }] }",
        "{ n = [1], include = [{ n = 1 }] }",
        "{ n = [1], m = [1], include = [{ n = 2 }] }",
        "{ n = [1], include = [{ n = [2] }] }",
        "{ n = [1], exclude = [{ m = 1 }] }",
        "{ n = [1], exclude = [{ n = 1 }] }",
        "{ inputs = [1] }",
        "{ exclude = [{ n = 1 }] }",
    ] {
        assert_eq!(with(wrong).codes(), ["P0203"], "{wrong}: {}", with(wrong).shown());
    }
}

#[test]
fn an_exclude_that_no_cell_has_is_a_warning() {
    let planned = stages("[stages.a]\nkind = \"toy\"\nmatrix = { n = [1, 2], exclude = [{ n = \"1\" }] }\n").plan();
    assert_eq!(planned.codes(), ["P0204"]);
    assert_eq!(planned.plan.unwrap().len(), 2);
}

#[test]
fn keys_that_both_have_must_be_equal_and_keys_only_the_producer_has_are_gathered_in_cell_order() {
    let planned = stages(
        "[stages.a]\nkind = \"toy\"\nmatrix = { game = [\"g1\", \"g2\"], angle = [\"R\", \"L\"] }\n\
         [stages.b]\nkind = \"toy\"\nmatrix.game = [\"g2\"]\nfrom = [\"a\"]\n\
         [stages.c]\nkind = \"toy\"\nmatrix.other = [1]\nfrom = [\"b\"]\n",
    )
    .plan();
    assert_eq!(planned.inputs("b[game=g2]"), ["a[angle=R,game=g2]", "a[angle=L,game=g2]"]);
    assert_eq!(planned.inputs("c[other=1]"), ["b[game=g2]"]);
}

#[test]
fn one_result_wanted_and_several_or_none_there_is_an_error_at_plan_time() {
    let a = "[stages.a]\nkind = \"toy\"\nmatrix.n = [1, 2]\n";
    let several = stages(&format!("{a}[stages.b]\nkind = \"toy\"\none = \"a\"\n")).plan();
    assert_eq!(several.codes(), ["P0201"]);
    let none = stages(&format!("{a}[stages.b]\nkind = \"toy\"\nmatrix.n = [3]\none = \"a\"\n")).plan();
    assert_eq!(none.codes(), ["P0202"]);
}

const GAMES: &str = "[stages.games]\nkind = \"toy\"\n\
    [stages.clip]\nkind = \"toy\"\nforeach = { stage = \"games\", key = \"id\" }\nfrom = [\"games\"]\nsay = \"{{ id }}:{{ row.team }}\"\n\
    [stages.cut]\nkind = \"toy\"\nforeach = { stage = \"games\", key = \"id\" }\none = \"clip\"\n\
    [stages.all]\nkind = \"toy\"\nfrom = [\"cut\"]\n";

#[test]
fn a_stage_over_rows_has_no_tasks_before_they_are_known_nor_have_those_that_need_it() {
    let planned = stages(GAMES).plan();
    let plan = planned.right();
    assert_eq!(plan.tasks().map(|task| task.id.to_string()).collect::<Vec<_>>(), ["games"]);
    let waiting: Vec<&str> = plan.waiting().map(|(stage, _)| plan.stages[stage].name.as_str()).collect();
    assert_eq!(waiting, ["clip", "cut", "all"]);
    assert_eq!(plan.sources_of_rows(), [0]);
}

#[test]
fn with_the_rows_each_makes_a_cell_and_what_gathers_waits_for_all_of_them() {
    let rows = [json!({ "id": "g1", "team": "A" }), json!({ "id": "g2", "team": "B" })];
    let planned = stages(GAMES).rows("games", &rows).plan();
    assert_eq!(planned.tasks("clip"), ["clip[id=g1]", "clip[id=g2]"]);
    assert_eq!(planned.said("clip"), json!("g1:A"));
    assert_eq!(planned.inputs("cut[id=g2]"), ["clip[id=g2]"]);
    assert_eq!(planned.inputs("all"), ["cut[id=g1]", "cut[id=g2]"]);
    assert!(planned.right().waiting().next().is_none());
}

#[test]
fn rows_without_the_key_with_it_twice_or_with_no_scalar_are_refused() {
    for rows in [
        vec![json!({ "di": 1 })],
        vec![json!({ "id": 1, "team": "A" }), json!({ "id": 1, "team": "B" })],
        vec![json!({ "id": [1], "team": "A" })],
    ] {
        let codes = stages(GAMES).rows("games", &rows).plan().codes();
        assert!(!codes.is_empty() && codes.iter().all(|code| *code == "P0205"), "{rows:?}: {codes:?}");
    }
}

#[test]
fn a_misspelt_name_in_a_stage_over_rows_is_found_before_they_are_known() {
    let planned = stages(&GAMES.replace("{{ id }}:", "{{ di }}:")).plan();
    assert_eq!(planned.codes(), ["S0302"]);
}

#[test]
fn a_condition_on_parameters_and_cell_is_decided_while_planning() {
    let planned = stages(
        "[params]\ntrain = true\n\
         [stages.a]\nkind = \"toy\"\nmatrix.n = [1, 2]\nwhen = \"{{ params.train and n > 1 }}\"\n",
    )
    .plan();
    let decided: Vec<bool> = planned.right().tasks().map(|task| matches!(task.when, When::Yes)).collect();
    assert_eq!(decided, [false, true]);
}

#[test]
fn a_condition_on_inputs_is_asked_when_they_are_there() {
    let planned = stages(
        "[params]\nleast = 3\n[stages.a]\nkind = \"toy\"\n\
         [stages.b]\nkind = \"toy\"\none = \"a\"\nwhen = \"{{ inputs.one.rows >= params.least }}\"\n",
    )
    .plan();
    let task = planned.right().tasks().nth(1).unwrap();
    let When::Ask(condition) = &task.when else { panic!("{:?}", task.when) };
    let templates = pipe_engine::spec::template::Templates::new();
    let holds = |inputs| condition.holds(&templates, &inputs);
    assert_eq!(holds(json!({ "one": { "rows": 3 } })), Ok(true));
    assert_eq!(holds(json!({ "one": { "rows": 2 } })), Ok(false));
    assert!(holds(json!({ "one": { "clips": 2 } })).is_err());
}

#[test]
fn a_condition_that_is_neither_true_nor_false_is_refused() {
    for wrong in ["\"{{ 1 }}\"", "\"yes\"", "\"{{ params.x }}\""] {
        let planned = stages(&format!(
            "[params]\nx = \"a\"\n[stages.a]\nkind = \"toy\"\nsay = \"{{{{ params.x }}}}\"\nwhen = {wrong}\n"
        ))
        .plan();
        assert!(planned.plan.is_none(), "{wrong}");
    }
}
