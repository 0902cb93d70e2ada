//! Broken specs -> the whole message, against schemas made by schemars from types like those of the engine.

use super::check;
use crate::spec::node::Node;
use crate::spec::{toml, yaml};
use crate::text::{SourceText, Sources, render};
use crate::units::{Bytes, Millis};
use schemars::{JsonSchema, schema_for};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A pipeline.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "the types are only here for their schema")]
struct Pipeline {
    /// The version of the language; always 1.
    version: u8,
    /// What the pipeline is called, in
    /// reports and folders.
    #[schemars(length(min = 1))]
    name: String,
    #[serde(default)]
    params: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    stages: BTreeMap<String, Stage>,
    priority: Option<Priority>,
    store: Option<Store>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "the types are only here for their schema")]
struct Store {
    root: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(dead_code, reason = "the types are only here for their schema")]
enum Priority {
    Low,
    /// What most have.
    Normal,
    High,
}

#[derive(Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[allow(dead_code, reason = "the types are only here for their schema")]
enum Stage {
    /// Trains a model.
    Train {
        /// How often every record is seen.
        epochs: u32,
        #[schemars(range(min = 0.0, max = 1.0))]
        share: Option<f64>,
        timeout: Option<Millis>,
        memory: Option<Bytes>,
    },
    Preprocess(Preprocess),
    Command {
        argv: Vec<String>,
        #[serde(default)]
        inputs: BTreeMap<String, Input>,
        cache: Option<bool>,
    },
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "the types are only here for their schema")]
struct Preprocess {
    size: [u32; 2],
    clips: OneOrMany,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "the types are only here for their schema")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged, deny_unknown_fields)]
#[allow(dead_code, reason = "the types are only here for their schema")]
enum Input {
    Stage { stage: String, all: Option<bool> },
    File { file: String },
}

fn problems_of(node: &Node, sources: &Sources) -> Vec<crate::text::Diagnostic> {
    let mut problems = Vec::new();
    check(node, schema_for!(Pipeline).as_value(), sources, &mut problems);
    problems
}

fn shown(text: &str) -> String {
    let (node, problems) = toml::parse(text);
    assert_eq!(problems, []);
    let sources = Sources::of(SourceText::new("x.toml", text));
    render(&sources, &problems_of(&node, &sources), false)
}

const HEAD: &str = "version = 1\nname = \"x\"\n";

#[test]
fn a_spec_that_fits_has_no_problems() {
    let text = r#"
version = 1
name = "x"
params = { a = [1, { b = true }], c = "{{ 1 }}" }
priority = "normal"
[store]
root = "out"
[stages.a]
kind = "train"
epochs = 3
share = 0.5
timeout = "1h30m"
memory = 4096
[stages.b]
kind = "preprocess"
size = [64, 32]
clips = ["a", "b"]
[stages.c]
kind = "preprocess"
size = "{{ params.size }}"
clips = "a"
[stages.d]
kind = "command"
argv = ["echo", "{{ x }}"]
cache = "{{ params.c }}"
inputs = { m = { stage = "a", all = true }, f = { file = "x" }, t = "{{ x }}" }
"#;
    assert_eq!(shown(text), "");
}

#[test]
fn null_stands_for_a_key_that_is_not_there_only_where_it_may() {
    let sources = Sources::of(SourceText::new("x.yaml", "version: 1\nname: null\npriority: null\nstore: ~\n"));
    let found = problems_of(&yaml::parse(&sources.main().text).0, &sources);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].message, "`name` wants a string");
}

#[test]
fn unknown_keys_offer_the_near_one_or_all_there_are() {
    insta::assert_snapshot!(
        shown(&format!("{HEAD}stagse = 1\nzebra = 2\n[store]\nroot = \"o\"\nfolder = \"x\"\n")), @r#"
        error[S0201]: unknown key `stagse` in the spec
         --> x.toml:3:1
          |
        3 | stagse = 1
          | ^^^^^^
          |
        help: did you mean `stages`?

        error[S0201]: unknown key `zebra` in the spec
         --> x.toml:4:1
          |
        4 | zebra = 2
          | ^^^^^
          |
        help: the keys here: `version`, `name`, `params`, `stages`, `priority`, `store`

        error[S0201]: unknown key `folder` in `store`
         --> x.toml:7:1
          |
        7 | folder = "x"
          | ^^^^^^
          |
        help: the keys here: `root`
        "#);
}

#[test]
fn missing_keys_say_what_they_are_for() {
    insta::assert_snapshot!(shown("[stages.a]\nkind = \"train\"\n[stages.b]\nepochs = 3\n"), @r#"
        error[S0202]: the spec has no key `version`
         --> x.toml:1:1
          |
        1 | [stages.a]
          | ^ needs `version`
          |
        help: `version`: The version of the language; always 1.

        error[S0202]: the spec has no key `name`
         --> x.toml:1:1
          |
        1 | [stages.a]
          | ^ needs `name`
          |
        help: `name`: What the pipeline is called, in reports and folders.

        error[S0202]: `a` has no key `epochs`
         --> x.toml:1:9
          |
        1 | [stages.a]
          |         ^ needs `epochs`
          |
        help: `epochs`: How often every record is seen.

        error[S0202]: `b` has no key `kind`
         --> x.toml:3:9
          |
        3 | [stages.b]
          |         ^ needs `kind`
          |
        help: its keys are those of `train`
          |
        3 ~ [stages.b]
        4 + kind = "train"
          |
        "#);
}

#[test]
fn wrong_types_say_what_is_wanted_and_what_is_there() {
    insta::assert_snapshot!(
        shown(&format!("{HEAD}store = \"out\"\n[stages.a]\nkind = \"train\"\nepochs = \"three\"\nshare = [1]\n[stages.b]\nkind = \"preprocess\"\nsize = [1.5, 2, 3]\nclips = {{}}\n")),
        @r#"
        error[S0203]: `store` wants a table
         --> x.toml:3:9
          |
        3 | store = "out"
          |         ^^^^^ this is a string
          |
        help: write it under its key `root`
          |
        3 | store = { root = "out" }
          |         ++++++++       +

        error[S0203]: `epochs` wants an integer
         --> x.toml:6:10
          |
        6 | epochs = "three"
          |          ^^^^^^^ this is a string

        error[S0203]: `share` wants a number
         --> x.toml:7:9
          |
        7 | share = [1]
          |         ^^^ this is a list
          |
        help: drop the brackets
          |
        7 - share = [1]
        7 + share = 1
          |

        error[S0206]: `size` wants exactly 2 items
          --> x.toml:10:8
           |
        10 | size = [1.5, 2, 3]
           |        ^^^^^^^^^^^ this has 3

        error[S0203]: `size[0]` wants an integer
          --> x.toml:10:9
           |
        10 | size = [1.5, 2, 3]
           |         ^^^ this is a number with a fraction

        error[S0203]: `clips` wants a string or a list
          --> x.toml:11:9
           |
        11 | clips = {}
           |         ^^ this is a table
        "#);
}

#[test]
fn a_value_that_says_the_same_in_another_type_is_offered() {
    insta::assert_snapshot!(
        shown(&format!("{HEAD}[stages.a]\nkind = \"preprocess\"\nsize = [\"3\", 4.0]\nclips = 7\n[stages.c]\nkind = \"command\"\nargv = \"ls\"\ncache = \"yes\"\ninputs = {{ m = \"model\" }}\n")),
        @r#"
        error[S0203]: `size[0]` wants an integer
         --> x.toml:5:9
          |
        5 | size = ["3", 4.0]
          |         ^^^ this is a string
          |
        help: write `3`

        error[S0203]: `size[1]` wants an integer
         --> x.toml:5:14
          |
        5 | size = ["3", 4.0]
          |              ^^^ this is a number with a fraction
          |
        help: write `4`

        error[S0203]: `clips` wants a string or a list
         --> x.toml:6:9
          |
        6 | clips = 7
          |         ^ this is an integer
          |
        help: put it in quotes
          |
        6 - clips = 7
        6 + clips = "7"
          |

        error[S0203]: `argv` wants a list
         --> x.toml:9:8
          |
        9 | argv = "ls"
          |        ^^^^ this is a string
          |
        help: put it in brackets
          |
        9 | argv = ["ls"]
          |        +    +

        error[S0203]: `cache` wants true or false
          --> x.toml:10:9
           |
        10 | cache = "yes"
           |         ^^^^^ this is a string
           |
        help: write `true`

        error[S0203]: `m` wants a table
          --> x.toml:11:16
           |
        11 | inputs = { m = "model" }
           |                ^^^^^^^ this is a string
           |
        help: write it under its key `stage`
           |
        11 | inputs = { m = { stage = "model" } }
           |                +++++++++         +
        "#);
}

#[test]
fn words_that_are_not_known_offer_the_near_one_or_all_there_are() {
    insta::assert_snapshot!(
        shown(&format!("{HEAD}priority = \"hihg\"\n[stages.a]\nkind = \"trian\"\n[stages.b]\nkind = \"dance\"\n[stages.c]\nkind = \"{{{{ x }}}}\"\n[stages.d]\nkind = 3\n")),
        @r#"
        error[S0204]: `priority` cannot be `hihg`
         --> x.toml:3:12
          |
        3 | priority = "hihg"
          |            ^^^^^^
          |
        help: did you mean `high`?

        error[S0204]: `kind` cannot be `trian`
         --> x.toml:5:8
          |
        5 | kind = "trian"
          |        ^^^^^^^
          |
        help: did you mean `train`?

        error[S0204]: `kind` cannot be `dance`
         --> x.toml:7:8
          |
        7 | kind = "dance"
          |        ^^^^^^^
          |
        help: it is one of `train`, `preprocess` or `command`

        error[S0204]: `kind` cannot be a template
         --> x.toml:9:8
          |
        9 | kind = "{{ x }}"
          |        ^^^^^^^^^
          |
        help: it decides which keys `c` has, so it is written out

        error[S0203]: `kind` wants a string
          --> x.toml:11:8
           |
        11 | kind = 3
           |        ^ this is an integer
        "#);
}

#[test]
fn numbers_out_of_range_and_units_that_cannot_be_read_say_what_goes() {
    insta::assert_snapshot!(
        shown("version = 256\nname = \"\"\n[stages.a]\nkind = \"train\"\nepochs = -1\nshare = 1.5\ntimeout = \"soon\"\nmemory = \"8 G\"\n"),
        @r#"
        error[S0205]: `version` is out of range
         --> x.toml:1:11
          |
        1 | version = 256
          |           ^^^ wants at most 255

        error[S0206]: `name` wants at least 1 character
         --> x.toml:2:8
          |
        2 | name = ""
          |        ^^ this has 0

        error[S0205]: `epochs` is out of range
         --> x.toml:5:10
          |
        5 | epochs = -1
          |          ^^ wants at least 0

        error[S0205]: `share` is out of range
         --> x.toml:6:9
          |
        6 | share = 1.5
          |         ^^^ wants at most 1.0

        error[S0207]: `timeout` cannot be read: `soon` is not a duration
         --> x.toml:7:11
          |
        7 | timeout = "soon"
          |           ^^^^^^
          |
        help: write seconds, or units as in `500ms`, `2s`, `90m`, `7h`, `1h30m`, `2d`

        error[S0207]: `memory` cannot be read: `8 G` is not a size
         --> x.toml:8:10
          |
        8 | memory = "8 G"
          |          ^^^^^
          |
        help: write `8 GB`, in powers of 1000, or `8 GiB`, in powers of 1024
        "#);
}

#[test]
fn of_several_shapes_the_nearest_is_meant() {
    insta::assert_snapshot!(
        shown(&format!("{HEAD}[stages.c]\nkind = \"command\"\nargv = []\ninputs = {{ m = {{ stage = \"a\", al = true }} }}\n")), @r#"
        error[S0201]: unknown key `al` in `m`
         --> x.toml:6:31
          |
        6 | inputs = { m = { stage = "a", al = true } }
          |                               ^^
          |
        help: did you mean `all`?
        "#);
}

#[test]
fn a_broken_template_is_shown_at_its_exact_spot() {
    insta::assert_snapshot!(shown("version = 1\nname = \"é {{ a b }}\"\nparams = { x = \"{% for %}\" }\n"), @r#"
        error[S0301]: the template is not well formed: unexpected a name, expected `}}`
         --> x.toml:2:16
          |
        2 | name = "é {{ a b }}"
          |                ^

        error[S0301]: the template is not well formed: unexpected `%}`, expected in
         --> x.toml:3:24
          |
        3 | params = { x = "{% for %}" }
          |                        ^^
        "#);
}

proptest::proptest! {
    #[test]
    fn no_tree_makes_the_check_panic(text in "((version|name|params|stages|store|priority|a|kind): ?(1|x|\\[1, y\\]|\\{kind: train\\}|\\{a: \\{kind: command\\}\\}|~|\n  kind: [a-z]{0,3})?\n){0,6}") {
        let (node, mut problems) = yaml::parse(&text);
        let sources = Sources::of(SourceText::new("x.yaml", text));
        check(&node, schema_for!(Pipeline).as_value(), &sources, &mut problems);
        let _ = render(&sources, &problems, true);
    }
}
