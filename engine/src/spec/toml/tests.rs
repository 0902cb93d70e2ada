//! TOML texts -> their trees, and what is said of broken ones.

use super::*;
use crate::spec::yaml;
use crate::text::{SourceText, Sources, render};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

fn json_of(text: &str) -> Json {
    let (node, problems) = parse(text);
    assert_eq!(problems, [], "{text}");
    node.to_json()
}

fn shown(text: &str) -> String {
    render(&Sources::of(SourceText::new("x.toml", text)), &parse(text).1, false)
}

#[test]
fn every_kind_of_value_is_read_and_dates_are_texts() {
    let text = "a = 1\nb = 0x1F\nc = 1.5\nd = true\ne = 'x'\nf = [1, [2]]\ng.h = 2026-01-02T03:04:05Z\n[t]\nu = -0b1\n";
    let text = text.replace("-0b1", "0b1");
    let expected = json!({
        "a": 1, "b": 31, "c": 1.5, "d": true, "e": "x", "f": [1, [2]], "g": { "h": "2026-01-02T03:04:05Z" },
        "t": { "u": 1 },
    });
    assert_eq!(json_of(&text), expected);
}

#[test]
fn keys_keep_the_order_of_the_file() {
    let (node, _) = parse("z = 1\na = 2\n[m]\nb = 1\n[c]\n");
    let Value::Table(entries) = node.value else { panic!("a table") };
    let keys: Vec<&str> = entries.iter().map(|(key, _)| key.value.as_str()).collect();
    assert_eq!(keys, ["z", "a", "m", "c"]);
}

#[test]
fn every_syntax_problem_is_told_in_one_pass() {
    insta::assert_snapshot!(shown("a = \nb = [1, \"x\nc = 3\n[d\n"), @r#"
    error[S0102]: this is not TOML: a text must be in quotes
     --> x.toml:1:5
      |
    1 | a = 
      |     ^ here

    error[S0102]: a text whose closing quote is missing
     --> x.toml:2:9
      |
    2 | b = [1, "x
      |         ^^ it begins here
      |
    help: close it
      |
    2 | b = [1, "x"
      |           +

    error[S0102]: this is not TOML: missing comma between array elements, expected `,`
     --> x.toml:3:1
      |
    3 | c = 3
      | ^ here

    error[S0102]: this is not TOML: a text must be in quotes
     --> x.toml:3:1
      |
    3 | c = 3
      | ^ here

    error[S0102]: this is not TOML: missing comma between array elements, expected `,`
     --> x.toml:4:1
      |
    4 | [d
      | ^ here

    error[S0102]: a text must be in quotes
     --> x.toml:4:2
      |
    4 | [d
      |  ^
      |
    help: put it in quotes
      |
    4 - [d
    4 + ["d"
      |
    "#);
}

#[test]
fn a_key_that_is_there_twice_is_shown_at_both_places() {
    insta::assert_snapshot!(
        shown("name = 1\n[a]\nname = 2\nx = { name = 3 }\nname = 4\n[b]\ny = { k = 1, k = 2 }\n[c]\n[b.c]\n[c]\n"), @r#"
    error[S0103]: the key `name` is there twice
     --> x.toml:5:1
      |
    3 | name = 2
      | ---- first here
    4 | x = { name = 3 }
    5 | name = 4
      | ^^^^ again here
      |
    help: keep one of the two

    error[S0103]: the key `k` is there twice
     --> x.toml:7:14
      |
    7 | y = { k = 1, k = 2 }
      |       -      ^ again here
      |       |
      |       first here
      |
    help: keep one of the two

    error[S0103]: the key `c` is there twice
      --> x.toml:10:2
       |
     8 | [c]
       |  - first here
     9 | [b.c]
    10 | [c]
       |  ^ again here
       |
    help: keep one of the two
    "#);
}

#[test]
fn numbers_that_do_not_fit_are_refused() {
    insta::assert_snapshot!(shown("a = 9223372036854775808\nb = nan\nc = -inf\n"), @r#"
    error[S0107]: `9223372036854775808` is not a number a spec can hold
     --> x.toml:1:5
      |
    1 | a = 9223372036854775808
      |     ^^^^^^^^^^^^^^^^^^^
      |
    help: whole numbers go from -2^63 to 2^63 - 1; others must be finite; put it in quotes if it is a name
      |
    1 - a = 9223372036854775808
    1 + a = "9223372036854775808"
      |

    error[S0107]: `nan` is not a number a spec can hold
     --> x.toml:2:5
      |
    2 | b = nan
      |     ^^^
      |
    help: whole numbers go from -2^63 to 2^63 - 1; others must be finite

    error[S0107]: `-inf` is not a number a spec can hold
     --> x.toml:3:5
      |
    3 | c = -inf
      |     ^^^^
      |
    help: whole numbers go from -2^63 to 2^63 - 1; others must be finite
    "#);
}

fn codes(text: &str) -> Vec<&'static str> {
    parse(text).1.iter().map(|problem| problem.code).collect()
}

#[test]
fn hostile_files_are_refused_and_not_followed() {
    assert_eq!(codes(&format!("a = {}1{}", "[".repeat(63), "]".repeat(63))), [] as [&str; 0]);
    assert_eq!(codes(&format!("a = {}1{}", "[".repeat(64), "]".repeat(64))), ["S0104"]);
    assert!(codes(&format!("a = {}", "[".repeat(500_000))).contains(&"S0104"));
    assert_eq!(codes(&"#".repeat(MAX_FILE + 1)), ["S0101"]);
    assert_eq!(codes(&format!("a = [{}]", "1,".repeat(MAX_NODES))), ["S0105"]);
    assert_eq!(codes("a = \"\\u0000\"\n\"b\\u0000\" = 1\n"), ["S0109", "S0109"]);
    assert_eq!(codes("a = \"\0\"\n"), ["S0109"]);
    let dots = vec!["a"; 79].join(".");
    let deep = format!("[{dots}]\n{}1{}", format!("{dots} = {{").repeat(75), "}".repeat(75));
    assert!(codes(&deep).contains(&"S0104"));
    assert_eq!(codes(&"=\n".repeat(500_000)).len(), MOST_PROBLEMS);
    assert_eq!(codes(&"\\u".repeat(MAX_FILE / 2)).len(), 1);
}

#[test]
fn a_dotted_key_that_is_too_deep_is_shown() {
    let dots = vec!["a"; 90].join(".");
    for (text, place) in [
        (format!("x = 1\n{dots} = 1.5\n"), 6..6 + dots.len()),
        (format!("# {dots}\n[{dots}]\nx = 1\n"), dots.len() + 3..2 * dots.len() + 5),
    ] {
        let (_, problems) = parse(&text);
        let found: Vec<_> = problems.iter().map(|problem| (problem.code, problem.span())).collect();
        assert_eq!(found, [("S0104", place)], "{text}");
    }
}

/// Documents that both languages can say: no null, no empty root.
fn document() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        (-1e9..1e9f64).prop_map(Json::from),
        "[^\\x00]{0,12}".prop_map(Json::from),
        "(no|yes|null|true|1e3|~|0x1|<<|\\.nan|\\{\\{ x \\}\\})".prop_map(Json::from),
    ];
    let value = leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map("[^\\x00\n]{0,6}", inner, 0..4)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    });
    prop::collection::btree_map("[a-zé]{1,6}", value, 1..5).prop_map(|map| Json::Object(map.into_iter().collect()))
}

/// Quotes a text so that TOML and YAML both read it back; both know `\\uXXXX` and `\\UXXXXXXXX`.
fn quoted(text: &str) -> String {
    let letters = text.chars().map(|c| match c {
        ' '..='~' if c != '"' && c != '\\' => c.to_string(),
        c => format!("\\U{:08X}", u32::from(c)),
    });
    format!("\"{}\"", letters.collect::<String>())
}

fn written(value: &Json, colon: &str) -> String {
    match value {
        Json::String(text) => quoted(text),
        Json::Array(items) => {
            format!("[{}]", items.iter().map(|item| written(item, colon)).collect::<Vec<_>>().join(", "))
        }
        Json::Object(map) => {
            let pairs = map.iter().map(|(key, value)| format!("{}{colon}{}", quoted(key), written(value, colon)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
        Json::Number(number) if number.is_f64() => format!("{:?}", number.as_f64().unwrap()),
        other => other.to_string(),
    }
}

proptest! {
    #[test]
    fn the_same_document_in_toml_and_yaml_is_the_same_tree(document in document()) {
        let root = document.as_object().unwrap();
        let line = |colon: &str| -> String {
            root.iter().map(|(key, value)| format!("{}{colon}{}\n", quoted(key), written(value, colon))).collect()
        };
        let (toml, toml_problems) = parse(&line(" = "));
        let (yaml, yaml_problems) = yaml::parse(&line(": "));
        prop_assert_eq!(toml_problems, []);
        prop_assert_eq!(yaml_problems, []);
        prop_assert_eq!(toml.to_json().to_string(), document.to_string());
        prop_assert_eq!(yaml.to_json().to_string(), document.to_string());
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "(?s).{0,80}") {
        let _ = shown(&text);
    }

    #[test]
    fn no_text_of_toml_signs_makes_the_reader_panic(text in "[-a1é=.,_e+'\"#{}\\[\\] \n\t]{0,60}") {
        let _ = shown(&text);
    }
}
