//! YAML texts -> their trees, and what is said of broken ones.

use super::*;
use crate::text::{SourceText, Sources, render};
use proptest::prelude::*;
use serde_json::json;

fn json_of(text: &str) -> serde_json::Value {
    let (node, problems) = parse(text);
    assert_eq!(problems, [], "{text}");
    node.to_json()
}

fn shown(text: &str) -> String {
    render(&Sources::of(SourceText::new("x.yaml", text)), &parse(text).1, false)
}

#[test]
fn plain_scalars_follow_the_core_rules_of_yaml_1_2() {
    // The expected column is the table of section 10.3.2 of the YAML 1.2.2 specification.
    for (written, expected) in [
        ("no", json!("no")),
        ("yes", json!("yes")),
        ("on", json!("on")),
        ("true", json!(true)),
        ("False", json!(false)),
        ("~", json!(null)),
        ("", json!(null)),
        ("0", json!(0)),
        ("0o7", json!(7)),
        ("0x3A", json!(58)),
        ("-19", json!(-19)),
        ("+12", json!(12)),
        ("012", json!(12)),
        ("0.", json!(0.0)),
        ("-0.5", json!(-0.5)),
        (".5", json!(0.5)),
        ("+12e03", json!(12000.0)),
        ("-2E+05", json!(-200_000.0)),
        ("1:30", json!("1:30")),
        ("1_000", json!("1_000")),
        ("0b1", json!("0b1")),
        ("\"12\"", json!("12")),
        ("'true'", json!("true")),
        ("2026-01-02", json!("2026-01-02")),
        ("é", json!("é")),
        ("1é", json!("1é")),
    ] {
        assert_eq!(json_of(&format!("a: {written}\n")), json!({ "a": expected }), "{written}");
    }
}

#[test]
fn an_alias_repeats_its_anchor() {
    assert_eq!(json_of("a: &x [1, {b: 2}]\nc: *x\n"), json!({ "a": [1, { "b": 2 }], "c": [1, { "b": 2 }] }));
}

#[test]
fn an_empty_file_and_one_of_comments_are_an_empty_table() {
    for text in ["", "  \n", "# nothing\n", "---\n"] {
        assert_eq!(json_of(text), json!({}), "{text:?}");
    }
}

#[test]
fn spans_are_bytes_also_after_characters_of_several_bytes() {
    let text = "# café ☕\nname: \"é\"\nkey: wert\n";
    let (node, _) = parse(text);
    assert_eq!(&text[node.get("name").unwrap().span.clone()], "\"é\"");
    assert_eq!(&text[node.get("key").unwrap().span.clone()], "wert");
}

#[test]
fn a_key_that_is_there_twice_is_shown_at_both_places() {
    insta::assert_snapshot!(shown("a:\n  kind: x\n  b: 1\n  kind: y\n"), @r#"
    error[S0103]: the key `kind` is there twice
     --> x.yaml:4:3
      |
    2 |   kind: x
      |   ---- first here
    3 |   b: 1
    4 |   kind: y
      |   ^^^^ again here
      |
    help: keep one of the two
    "#);
}

#[test]
fn what_toml_cannot_say_is_refused_in_one_pass() {
    insta::assert_snapshot!(
        shown("base: &b {x: 1}\na:\n  <<: *b\n1: one\n[p, q]: two\nt: !!str 5\n"), @r#"
    error[S0106]: merge keys (`<<`) are not part of YAML 1.2, and a spec does not know them
     --> x.yaml:3:3
      |
    3 |   <<: *b
      |   ^^
      |
    help: write the keys out, or repeat a whole value with an alias

    error[S0106]: a key must be a string, and this is an integer
     --> x.yaml:4:1
      |
    4 | 1: one
      | ^
      |
    help: quote it: "1"

    error[S0106]: a key must be a string, and this is a list
     --> x.yaml:5:1
      |
    5 | [p, q]: two
      | ^^^^^^

    error[S0106]: tags such as `!!str` have no meaning in a spec
     --> x.yaml:6:4
      |
    6 | t: !!str 5
      |    ^^^^^^^ this value has a tag
      |
    help: drop the tag; quote the value if it should be a text
      |
    6 - t: !!str 5
    6 + t: 5
      |
    "#);
}

#[test]
fn a_second_document_is_refused() {
    insta::assert_snapshot!(shown("a: 1\n---\nb: 2\n"), @r#"
    error[S0106]: a spec is one YAML document, and here a second begins
     --> x.yaml:2:1
      |
    2 | ---
      | ^^^
      |
    help: put it into a file of its own
    "#);
}

#[test]
fn numbers_that_do_not_fit_are_refused() {
    insta::assert_snapshot!(shown("a: 9223372036854775808\nb: .nan\nc: -.inf\nd: 1e999\n"), @r#"
    error[S0107]: `9223372036854775808` is not a number a spec can hold
     --> x.yaml:1:4
      |
    1 | a: 9223372036854775808
      |    ^^^^^^^^^^^^^^^^^^^
      |
    help: whole numbers go from -2^63 to 2^63 - 1; others must be finite; put it in quotes if it is a name
      |
    1 - a: 9223372036854775808
    1 + a: "9223372036854775808"
      |

    error[S0107]: `.nan` is not a number a spec can hold
     --> x.yaml:2:4
      |
    2 | b: .nan
      |    ^^^^
      |
    help: whole numbers go from -2^63 to 2^63 - 1; others must be finite

    error[S0107]: `-.inf` is not a number a spec can hold
     --> x.yaml:3:4
      |
    3 | c: -.inf
      |    ^^^^^
      |
    help: whole numbers go from -2^63 to 2^63 - 1; others must be finite

    error[S0107]: `1e999` is not a number a spec can hold
     --> x.yaml:4:4
      |
    4 | d: 1e999
      |    ^^^^^
      |
    help: whole numbers go from -2^63 to 2^63 - 1; others must be finite
    "#);
}

#[test]
fn broken_syntax_says_where() {
    insta::assert_snapshot!(shown("a: [1, 2\nb: 3\n"), @r#"
    error[S0102]: this is not YAML: a key inside a list or table whose closing bracket is missing
     --> x.yaml:2:2
      |
    2 | b: 3
      |  ^ here
    "#);
}

#[test]
fn a_neighbour_is_pointed_at_by_its_first_character_however_wide_that_is() {
    let text = "stages:\n  report:\né    argv: [sh]\n    files: [x]\n";
    let (_, problems) = parse(text);
    let places: Vec<&str> = problems[0].labels.iter().map(|label| &text[label.span.clone()]).collect();
    assert_eq!(places, ["    ", "é"]);
}

fn codes(text: &str) -> Vec<&'static str> {
    parse(text).1.iter().map(|problem| problem.code).collect()
}

#[test]
fn alias_bombs_are_refused_before_they_are_written_out() {
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let items = vec![format!("*a{}", level - 1); 9].join(", ");
        laughs.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    assert_eq!(codes(&laughs), ["S0105"]);
    let quadratic = format!("a: &a [{}]\nb: [{}]\n", "1,".repeat(40_000), "*a,".repeat(1_000));
    assert_eq!(codes(&quadratic), ["S0105"]);
    let heavy = format!("a: &a \"{}\"\nb: [{}]\n", "x".repeat(500_000), "*a,".repeat(10_000));
    assert_eq!(codes(&heavy), ["S0105"]);
    assert_eq!(codes("a: &a [1, *a]\n"), ["S0106"]);
    let anchors: String = (0..60).map(|level| format!("&a{level} [")).collect();
    let nested = format!("a: {anchors}{}{}\n", "1,".repeat(40_000), "]".repeat(60));
    assert_eq!(codes(&nested), ["S0105"]);
}

#[test]
fn a_tree_too_deep_or_a_file_too_big_is_refused() {
    assert_eq!(codes(&format!("a: {}1{}", "[".repeat(63), "]".repeat(63))), [] as [&str; 0]);
    assert_eq!(codes(&format!("a: {}1{}", "[".repeat(64), "]".repeat(64))), ["S0104"]);
    assert_eq!(codes(&"[".repeat(100_000)), ["S0104"]);
    assert_eq!(codes("a: 1\n\0b: 2\n"), ["S0109"]);
    assert_eq!(codes("a: \"\\0\"\n\"b\\0\": 1\n"), ["S0109", "S0109"]);
    assert_eq!(codes(&"- ".repeat(100_000)), ["S0104"]);
    assert_eq!(codes(&"a".repeat(MAX_FILE + 1)), ["S0101"]);
    assert_eq!(codes(&format!("a: [{}]", "1,".repeat(MAX_NODES))), ["S0105"]);
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "(?s).{0,80}") {
        let _ = shown(&text);
    }

    #[test]
    fn no_text_of_yaml_signs_makes_the_reader_panic(text in "[-a1é?:,&*!|>'\"%@~<#{}\\[\\] \n\t]{0,60}") {
        let _ = shown(&text);
    }
}
