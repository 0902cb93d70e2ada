//! Templates, from the side of somebody who writes a spec.

use super::*;
use crate::spec::toml;
use crate::text::{SourceText, Sources, render as show};
use serde_json::json;

fn context() -> Context {
    Context::new()
        .with("params", &json!({ "games": ["g1", "g2"], "videos": "gs://b/v", "epochs": 5, "share": 0.3, "on": true }))
        .with("game", &json!("g1"))
        .with("evil", &json!("../../etc"))
        .with("dot", &json!("."))
        .with("empty", &json!(""))
        .with("nul", &json!("a\0b"))
}

fn value(text: &str) -> Json {
    Templates::new().value(text, &context()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn shown(text: &str) -> String {
    let (node, problems) = toml::parse(text);
    assert_eq!(problems, []);
    let found = Templates::new().resolve(&node, &context()).expect_err("a problem");
    show(&Sources::of(SourceText::new("x.toml", text)), &found, false)
}

#[test]
fn exactly_one_expression_has_its_value_and_type() {
    for (text, expected) in [
        ("{{ params.games }}", json!(["g1", "g2"])),
        ("{{params.epochs}}", json!(5)),
        ("{{ params.share }}", json!(0.3)),
        ("{{- params.on -}}", json!(true)),
        ("{{ range(3) }}", json!([0, 1, 2])),
        ("{{ params.epochs + 1 }}", json!(6)),
        ("{{ {'a': [none, 'x}}']} }}", json!({ "a": [null, "x}}"] })),
        ("{{ params.games | length > 1 }}", json!(true)),
        ("{{ params.games | join('+') }}", json!("g1+g2")),
        ("{{ 'a' if params.on else 'b' }}", json!("a")),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn any_other_template_is_text_and_text_is_itself() {
    for (text, expected) in [
        ("{{ params.epochs }} ", "5 "),
        ("{{ game }}-{{ params.epochs }}", "g1-5"),
        ("{{ game }}{{ game }}", "g1g1"),
        ("{% for g in params.games %}{{ g }};{% endfor %}", "g1;g2;"),
        ("{% if params.on %}yes{% endif %}", "yes"),
        ("no template { here }", "no template { here }"),
        ("{# kept #}", "{# kept #}"),
        (
            "{{ params | json }}!",
            "{\"epochs\":5,\"games\":[\"g1\",\"g2\"],\"on\":true,\"share\":0.3,\"videos\":\"gs://b/v\"}!",
        ),
        ("<{{ params.videos }}>", "<gs://b/v>"),
    ] {
        assert_eq!(value(text), json!(expected), "{text}");
    }
}

#[test]
fn nothing_rendered_is_parsed_again() {
    let context = Context::new().with("x", &json!("{{ 1 + 1 }}"));
    assert_eq!(Templates::new().value("{{ x }}", &context), Ok(json!("{{ 1 + 1 }}")));
    assert_eq!(Templates::new().value("a {{ x }}", &context), Ok(json!("a {{ 1 + 1 }}")));
}

#[test]
fn keys_are_never_templated() {
    let (node, _) = toml::parse("\"{{ game }}\" = { x = \"{{ game }}\", n = 1 }\n");
    let resolved = Templates::new().resolve(&node, &context());
    assert_eq!(resolved, Ok(json!({ "{{ game }}": { "x": "g1", "n": 1 } })));
}

#[test]
fn the_names_used_are_those_the_template_does_not_give_itself() {
    let names = |text: &str| Templates::new().names_used(text).unwrap().into_iter().collect::<Vec<_>>();
    assert_eq!(names("{{ params.games }}"), ["params"]);
    assert_eq!(names("{% for g in games %}{{ g }}{{ range(2) }}{{ cell.x }}{% endfor %}"), ["cell", "games"]);
    assert_eq!(names("plain"), [] as [&str; 0]);
    assert_eq!(names("{% set a = b %}{% with c = a, d = e.f %}{{ c ~ d ~ a }}{% endwith %}{{ d }}"), ["b", "d", "e"]);
    assert_eq!(names("{% for x in y if x > z %}{{ loop.index }}{% else %}{{ x }}{% endfor %}"), ["x", "y", "z"]);
    assert_eq!(
        names("{% set t %}{{ u }}{% endset %}{{ t[v].w }}{{ 1 if p is defined else q[r:] }}"),
        ["p", "q", "r", "u", "v"]
    );
    let paths = |text: &str| Templates::new().paths_used(text).unwrap().into_iter().collect::<Vec<_>>();
    assert_eq!(
        paths("{{ params.a.b ~ params.c ~ params['d'] ~ x.y(z) }}"),
        ["params", "params.a.b", "params.c", "x.y", "z"]
    );
}

#[test]
fn every_problem_of_a_tree_is_told_with_its_exact_spot() {
    insta::assert_snapshot!(
        shown("a = \"x {{ gmae }}\"\nb = [\"{{ params.gamse }}\", '{{ game | shout }}']\nc = \"{{ 1 + }}\"\nd = \"{{ zzz }}\"\n"),
        @r#"
        error[S0302]: the template names `gmae`, which is not there
         --> x.toml:1:11
          |
        1 | a = "x {{ gmae }}"
          |           ^^^^
          |
        help: did you mean `game`?

        error[S0302]: `params` has no `gamse`
         --> x.toml:2:17
          |
        2 | b = ["{{ params.gamse }}", '{{ game | shout }}']
          |                 ^^^^^
          |
        help: did you mean `params.games`?

        error[S0304]: there is no filter `shout`
         --> x.toml:2:39
          |
        2 | b = ["{{ params.gamse }}", '{{ game | shout }}']
          |                                       ^^^^^
          |
        help: did you mean `sort`?

        error[S0301]: the template is not well formed: unexpected `}}`
         --> x.toml:3:13
          |
        3 | c = "{{ 1 + }}"
          |             ^^

        error[S0302]: the template names `zzz`, which is not there
         --> x.toml:4:9
          |
        4 | d = "{{ zzz }}"
          |         ^^^
          |
        help: the names here: `dot`, `empty`, `evil`, `game`, `nul`, `params`
        "#);
}

#[test]
fn a_template_that_fails_says_why() {
    insta::assert_snapshot!(shown("a = \"{{ 'a' + 1 }}\"\nb = \"{{ range }}\"\nc = \"{{ 1e308 * 10 }}\"\n"), @r#"
        error[S0304]: the template has no value: invalid operation: `+` between a string and a number: `~` joins anything as text
         --> x.toml:1:9
          |
        1 | a = "{{ 'a' + 1 }}"
          |         ^^^^^^^

        error[S0304]: the template has no value: invalid operation: a plain object is no value of a spec
         --> x.toml:2:5
          |
        2 | b = "{{ range }}"
          |     ^^^^^^^^^^^^^

        error[S0304]: the template has no value: invalid operation: the number inf is no value of a spec
         --> x.toml:3:5
          |
        3 | c = "{{ 1e308 * 10 }}"
          |     ^^^^^^^^^^^^^^^^^^
        "#);
}

#[test]
fn runaway_templates_are_stopped() {
    let templates = Templates::new();
    for text in [
        "{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}{{ c }}{% endfor %}{% endfor %}{% endfor %}",
        "{% for a in range(20000) %}{{ range(100) | join('xxxxxxxxxx') }}{% endfor %}",
        "{{ (range(30000) | join('x')) | replace('1', range(30000) | join('y')) }}",
        "{{ range(100000) | join('yyyyyyyyyyy') }}",
    ] {
        assert_eq!(templates.value(text, &context()).unwrap_err().code, code::RUNAWAY, "{text}");
    }
}

/// Each of these would fill the memory, or take minutes, in a few hundred of minijinja's steps.
#[test]
fn what_grows_without_many_steps_is_stopped_in_time() {
    let doubled = |step: &str| format!("{{% set a = 'xy' %}}{}{{{{ a | length }}}}", step.repeat(40));
    let nested = (0..40).map(|i| format!("{{% for a{} in [[a{i}, a{i}]] %}}", i + 1)).collect::<String>();
    let long = "x".repeat(1 << 17);
    let texts = [
        doubled("{% set a = a ~ a %}"),
        doubled("{% set a = a + a %}"),
        doubled("{% set a = [a, a] %}"),
        doubled("{% set a = (a, a) %}"),
        doubled("{% set a = {'x': a, 'y': a} %}"),
        doubled("{% set a = [a] + [a] %}"),
        doubled("{% set a %}{{ a }}{{ a }}{% endset %}"),
        doubled("{% set a = a | replace('x', 'xx') ~ a %}"),
        format!("{{% set a0 = 'x' %}}{nested}{{{{ a40 | string }}}}{}", "{% endfor %}".repeat(40)),
        format!("{{% for i in range(30000) %}}{{% if '{long}' | upper == i %}}{{% endif %}}{{% endfor %}}"),
        format!("{{% for i in range(30000) %}}{{% if '{long}' == long %}}{{% endif %}}{{% endfor %}}"),
        format!("{{% set x %}}{{% for i in range(30000) %}}{long}{{% endfor %}}{{% endset %}}"),
        "{% for i in range(30000) %}{% set x = [1] | map('string') | list %}{% for k in range(9999) | sort %}{% endfor %}{% endfor %}".to_owned(),
        "{% for i in range(9000) %}{% set x = long | replace('x', 'yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy') %}{% endfor %}".replace("long", &format!("'{}'", "x".repeat(99))),
        "{% for i in [0] recursive %}{{ loop([0, 0]) }}x{% endfor %}".to_owned(),
    ];
    let context = context().with("long", &json!(long));
    for text in texts {
        let error = Templates::new().value(&text, &context).expect_err(&text[..80.min(text.len())]);
        let beginning: String = text.chars().take(160).collect();
        assert!([code::RUNAWAY, code::TEMPLATE_FAILED].contains(&error.code), "{beginning}: {error}");
    }
}

#[test]
fn text_is_joined_and_not_multiplied() {
    assert_eq!(value("{{ 'a' + 'b' ~ 1 }}"), json!("ab1"));
    assert_eq!(value("{{ [1] + [2, 3] }}"), json!([1, 2, 3]));
    assert_eq!(value("{{ 2 * 3 + 1 }}"), json!(7));
    assert_eq!(value("{{ 0.5 * 3 + 1 }}"), json!(2.5));
    for (text, what) in [
        ("{{ 'x' * 100000000 }}", "`*` between a string and a number"),
        ("{{ 3 * [0] }}", "`*` between a number and a sequence"),
        ("{{ 9223372036854775807 * 9223372036854775807 * 9 }}", "is too large"),
    ] {
        let error = Templates::new().value(text, &context()).expect_err(text);
        assert_eq!(error.code, code::TEMPLATE_FAILED);
        assert!(error.message.contains(what), "{error}");
    }
}

#[test]
fn lists_are_not_deeper_than_json_can_be_read() {
    let text = format!("{{% set a = [] %}}{}{{{{ a }}}}", "{% set a = [a] %}".repeat(20_000));
    let error = Templates::new().value(&text, &context()).unwrap_err();
    assert!(error.message.contains("a list is more than 128 lists deep"), "{error}");
}

#[test]
fn all_templates_together_have_a_limit_too_and_small_ones_do_not_count() {
    let templates = Templates::new();
    let long = "{{ game }}{% for a in range(20000) %}{% endfor %}";
    let last = (0..1000).map(|_| templates.value(long, &context())).find_map(Result::err).expect("an end");
    assert_eq!(last.code, code::RUNAWAY);
    let templates = Templates::new();
    assert!((0..1000).all(|_| templates.value("{% for a in range(9) %}{{ a }}{% endfor %}", &context()).is_ok()));
    assert_eq!(templates.spent.into_inner(), 0);
}

#[test]
fn a_tree_cannot_make_more_text_than_its_limit() {
    let text = format!("a = [{}]", "\"{{ range(30000) | join('xxxxxxxxxxxxxxxxxxxxxxxxxx') }}\",".repeat(40));
    let (node, _) = toml::parse(&text);
    let found = Templates::new().resolve(&node, &context()).unwrap_err();
    assert_eq!(found.iter().map(|problem| problem.code).collect::<Vec<_>>(), [code::RUNAWAY]);
}

#[test]
fn what_a_template_puts_into_a_path_must_stay_a_name() {
    let templates = Templates::new();
    for text in [
        "out/{{ evil }}/x",
        "{{ evil }}",
        "out/{{ params.videos }}",
        "out/{{ 'a/b' }}",
        "{{ empty }}/etc/passwd",
        "out/{{ dot }}{{ dot }}/x",
        "out/{{ nul }}",
        "out/{{ nul | path }}",
        "{{ [game, evil] }}",
        "out/{{ [evil] }}",
        "out/{{ (evil | path) ~ '/..' }}",
        "out/{% if true %}{{ evil }}{% endif %}",
        "out/{% set x = evil %}{{ x }}",
        "out/{{ game | replace('g', '../') }}",
        "out/{{ ['..', game] | join('/' | path) }}",
        "out/{% autoescape 'html' %}{% set x %}{{ evil }}{% endset %}{{ x }}{% endautoescape %}",
        "out/{% filter upper %}{{ evil }}{% endfilter %}",
    ] {
        let error = templates.path_value(text, &context()).expect_err(text);
        assert_eq!(error.code, code::UNSAFE_PATH, "{text}: {error}");
    }
}

#[test]
fn a_mark_on_one_part_does_not_let_another_in() {
    let templates = Templates::new();
    for text in ["{{ ('{}' | path).format(evil) }}", "{{ ('a' | path) + evil }}"] {
        for text in [text.to_owned(), format!("out/{text}")] {
            templates.path_value(&text, &context()).expect_err(&text);
        }
    }
}

#[test]
fn a_path_may_hold_what_its_author_wrote_or_let_in() {
    let templates = Templates::new();
    for (text, expected) in [
        ("../{{ game }}/clip.mp4", json!("../g1/clip.mp4")),
        ("{{ params.videos | path }}/{{ game }}.mp4", json!("gs://b/v/g1.mp4")),
        ("{{ params.videos | path }}", json!("gs://b/v")),
        ("{{ [evil, game] | map('path') | list }}", json!(["../../etc", "g1"])),
        ("/abs/{{ params.epochs }}", json!("/abs/5")),
        ("a/../b", json!("a/../b")),
    ] {
        assert_eq!(templates.path_value(text, &context()), Ok(expected), "{text}");
    }
}

#[test]
fn an_unsafe_path_is_shown_with_what_it_would_be() {
    let text = "video = \"out/{{ evil }}/x\"\n";
    let (node, _) = toml::parse(text);
    let found = Templates::new().resolve_path(&node, &context()).unwrap_err();
    insta::assert_snapshot!(show(&Sources::of(SourceText::new("x.toml", text)), &found, false), @r#"
        error[S0305]: a template may not put `../../etc` into a path
         --> x.toml:1:17
          |
        1 | video = "out/{{ evil }}/x"
          |                 ^^^^
          |
        help: if it may lead there, say so: `{{ ... | path }}`
        "#);
}

#[test]
fn a_template_that_breaks_off_is_not_shown_beyond_its_end() {
    // minijinja points one byte past the end here.
    let text = "{{ 1 |' a{{ 2 {% b | c}";
    let error = Templates::new().check(text).expect_err("it is not closed");
    assert_eq!((error.code, error.range), (code::TEMPLATE_SYNTAX, None));
}

#[test]
fn arithmetic_at_its_limits_is_an_error_and_no_crash() {
    // Each of these ended the program, with overflow checks or without, when minijinja's own functions were called.
    for text in [
        "{{ 1 is divisibleby(0) }}",
        "{{ 1 is divisibleby(0.0) }}",
        "{{ range(9223372036854775807, -9223372036854775808, -1) }}",
        "{{ range(0, 1, -9223372036854775808) }}",
        "{{ 1 // 0 }}",
        "{{ 1 % 0 }}",
    ] {
        let error = Templates::new().value(text, &context()).expect_err(text);
        assert_eq!(error.code, code::TEMPLATE_FAILED, "{text}");
    }
    for (text, expected) in [("{{ 6 is divisibleby(-1) }}", true), ("{{ 6 is divisibleby(4) }}", false)] {
        assert_eq!(value(text), json!(expected), "{text}");
    }
}

#[test]
fn a_slice_has_no_step() {
    // minijinja ends the program here.
    let error = Templates::new().value("{{ ''[::-1] }}", &context()).unwrap_err();
    assert_eq!((error.code, error.range), (code::TEMPLATE_SYNTAX, Some(3..11)));
    assert_eq!(value("{{ 'abc'[1:] }}"), json!("bc"));
}

#[test]
fn nul_comes_out_of_no_template() {
    let templates = Templates::new();
    for text in ["{{ '\\u0000' }}", "a{{ '\\u0000' }}", "{{ ['\\u0000'] }}", "{{ {'\\u0000': 1} }}", "{{ nul }}"] {
        assert_eq!(templates.value(text, &context()).unwrap_err().code, code::NUL, "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_templates_panic(inner in "[-a-z0-9 .|()'\"{}%\\[\\]:,~+*/]{0,40}") {
        let templates = Templates::new();
        for text in [format!("{{{{{inner}}}}}"), format!("{{% {inner} %}}"), inner] {
            let _ = templates.check(&text);
            let _ = templates.value(&text, &context());
            let _ = templates.path_value(&text, &context());
        }
    }
}

#[test]
fn a_tree_that_was_prepared_has_the_values_and_the_problems_of_one_that_was_not() {
    let templates = Templates::new();
    let shared = Context::new().with("params", &json!({ "games": ["g1", "g2"], "long": "x".repeat(1 << 19) }));
    let cells = [json!("g1"), json!("../g2"), json!(""), json!(7), json!(2.5), json!(true)];
    for text in [
        "a = 1\nb = [true, 0.5, 'plain', { c = '{ no template }' }]",
        "all = '{{ params.games }}'\none = '{{ game }}'\nname = 'clip-{{ game }}.mp4'",
        "deep = [[{ x = '{{ game }}{{ game }}', y = ['{{ params.games | join(\"+\") }}'] }]]",
        "loop = '{% for g in params.games %}{{ g }}{{ game }};{% endfor %}'",
        "size = '{{ game + 1 }}'\nlength = '{{ game | length }}'",
        "whole = '{{ cell.game }}'",
        "wrong = '{{ gmae }}'",
        "kept = '{{ other | default(1) }}'",
        "broken = '{{ game'\nfine = '{{ game }}'",
        "never = '{{ params.gmaes }}'",
        "endless = '{{ range(1000000) | length }}'",
        "much = ['{{ params.long }}', '{{ params.long }}{{ params.long }}x']",
        "most = ['{{ params.long }}{{ game }}', '{{ params.long ~ params.long }}', '{{ params.long ~ params.long ~ 1 }}']",
    ] {
        let (node, problems) = toml::parse(text);
        assert_eq!(problems, [], "{text}");
        let prepared = [templates.prepare(&node, &shared), templates.prepare_path(&node, &shared)];
        for game in &cells {
            let context = shared.clone().with("game", game).with("cell", &json!({ "game": game }));
            assert_eq!(prepared[0].resolve(&context), templates.resolve(&node, &context), "{text} with {game}");
            assert_eq!(prepared[1].resolve(&context), templates.resolve_path(&node, &context), "{text} with {game}");
        }
    }
}

#[test]
fn a_tree_that_makes_too_much_is_stopped_even_when_each_of_its_templates_is_the_same_everywhere() {
    let templates = Templates::new();
    let shared = Context::new().with("params", &json!({ "long": "x".repeat(1 << 19) }));
    let items = vec!["'{{ params.long }}'"; 33].join(", ");
    let (node, _) = toml::parse(&format!("many = [{items}]"));
    let found = templates.prepare(&node, &shared).resolve(&shared).expect_err("a problem");
    assert!(found[0].message.contains("make more than 16777216 bytes together"), "{}", found[0].message);
}

#[test]
fn every_filter_and_test_of_the_list_can_be_called_and_no_other() {
    let environment = environment(Use::Anything);
    let known = |expression: String| match environment.compile_expression_owned(expression) {
        Ok(expression) => !matches!(
            expression.eval(()).map_err(|error| error.kind()),
            Err(ErrorKind::UnknownFilter | ErrorKind::UnknownTest)
        ),
        Err(error) => !matches!(error.kind(), ErrorKind::UnknownFilter | ErrorKind::UnknownTest),
    };
    for name in FILTERS {
        assert!(known(format!("1 | {name}")), "{name}");
    }
    for name in TESTS {
        assert!(known(format!("1 is {name}")), "{name}");
    }
    for name in ["attr", "batch", "indent", "pprint", "safe", "urlencode", "tojson"] {
        assert!(!known(format!("1 | {name}")), "{name}");
    }
    assert!(filters::OURS.iter().all(|name| FILTERS.contains(name)));
    assert!(FILTERS.is_sorted() && TESTS.is_sorted());
}

#[test]
fn paths_are_taken_apart_as_the_programs_of_these_names_do() {
    for (text, expected) in [
        ("{{ 'a/b.tar.gz' | basename }}", json!("b.tar.gz")),
        ("{{ 'a/b/' | basename }}", json!("b")),
        ("{{ 'a/b.mp4' | dirname }}", json!("a")),
        ("{{ 'b.mp4' | dirname }}", json!(".")),
        ("{{ 'gs://bucket/g1/x.mp4' | dirname }}", json!("gs://bucket/g1")),
        ("{{ 'a/b.tar.gz' | stem }}", json!("b.tar")),
        ("{{ 'a/b.mp4' | suffix }}", json!(".mp4")),
        ("{{ 'a.d/b' | suffix }}", json!("")),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
    let error = Templates::new().value("{{ '..' | basename }}", &context()).unwrap_err();
    assert!(error.message.contains("`..` is not the path of a file"), "{error}");
}

#[test]
fn a_part_of_a_path_must_still_be_let_into_a_path() {
    let templates = Templates::new();
    let path = |text: &str| templates.path_value(text, &context());
    assert_eq!(path("x/{{ params.videos | basename }}"), Ok(json!("x/v")));
    assert_eq!(path("{{ params.videos | dirname }}/x").unwrap_err().code, code::UNSAFE_PATH);
    assert_eq!(path("{{ params.videos | dirname | path }}/x"), Ok(json!("gs://b/x")));
}

#[test]
fn durations_sizes_and_json_go_both_ways() {
    for (text, expected) in [
        ("{{ '1h30m' | seconds }}", json!(5400)),
        ("{{ '1500ms' | seconds }}", json!(1.5)),
        ("{{ 90 | seconds }}", json!(90)),
        ("{{ 5400 | duration }}", json!("1h30m")),
        ("{{ ('90m' | seconds * 2) | duration }}", json!("3h")),
        ("{{ '1.5 GiB' | bytes }}", json!(1_610_612_736_u64)),
        ("{{ '[1, {\"a\": null}]' | from_json }}", json!([1, { "a": null }])),
        ("{{ (params.games | json) | from_json == params.games }}", json!(true)),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
    for (text, message) in [
        ("{{ '5 parsecs' | seconds }}", "`5 parsecs` is not a duration"),
        ("{{ -1 | duration }}", "`-1` is not a duration"),
        ("{{ '8 gallons' | bytes }}", "`8 gallons` is not a size"),
        ("{{ '{' | from_json }}", "the text is not JSON"),
    ] {
        let error = Templates::new().value(text, &context()).unwrap_err();
        assert_eq!(error.code, code::TEMPLATE_FAILED, "{error}");
        assert!(error.message.contains(message), "{error}");
    }
}

/// The expected words are those that Python's `shlex.quote` and `shlex.join` give.
#[test]
fn a_quoted_text_is_one_word_of_a_shell() {
    for (text, expected) in [
        ("{{ 'plain-1.5@x' | quote }}", "plain-1.5@x"),
        ("{{ 'two words' | quote }}", "'two words'"),
        ("{{ \"it's $HOME\" | quote }}", r#"'it'"'"'s $HOME'"#),
        ("{{ '' | quote }}", "''"),
        ("{{ 'é' | quote }}", "'é'"),
        ("{{ ['a b', 1, ''] | quote }}", "'a b' 1 ''"),
    ] {
        assert_eq!(value(text), json!(expected), "{text}");
    }
    assert_eq!(Templates::new().value("{{ nul | quote }}", &context()).unwrap_err().code, code::TEMPLATE_FAILED);
}
