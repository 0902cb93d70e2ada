//! Specs made to do harm: each is an error at its place, found before time or memory are spent on it.

use pipe_fuzz::problems;

const HEAD: &str = "version = 1\nname = \"x\"\n[stages.a]\nkind = \"make\"\nargv = [\"x\"]\n";

/// The code and place of every problem, each once.
fn found(spec: impl AsRef<[u8]>) -> Vec<String> {
    let mut found: Vec<String> =
        problems(spec.as_ref()).iter().map(|p| format!("{} {}:{}:{}", p.code, p.file, p.line, p.column)).collect();
    found.dedup();
    found
}

/// `count` lines.
fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect()
}

#[test]
fn bytes_that_are_no_text_are_told_by_line_and_column() {
    assert_eq!(found(b"version = 1\nname = \"caf\xe9\"\n"), ["S0108 x.toml:2:12"]);
    assert_eq!(found(b"#yaml\nversion: 1\nname: caf\xe9\n"), ["S0108 x.yaml:3:10"]);
    assert_eq!(found("version = 1\nname = \"\0\"\n"), ["S0109 x.toml:2:9"]);
    assert_eq!(found("#yaml\nversion: 1\nname: \"\\0\"\n"), ["S0109 x.yaml:3:7"]);
    assert_eq!(found(b"\xff\xfea\0b\0"), ["S0108 x.toml:1:1"]);
    assert_eq!(found(format!("extends = \"b.toml\"\n{HEAD}#>> b.toml\n# \0\n")), ["S0109 b.toml:1:3"]);
    assert_eq!(found(format!("{HEAD}#>> .env\nA=\u{fffd}\n").replace('\u{fffd}', "\0")), ["S0109 .env:1:3"]);
}

#[test]
fn a_mark_of_byte_order_and_lines_of_windows_are_no_problem() {
    assert_eq!(found(format!("\u{feff}{HEAD}")), [""; 0]);
    assert_eq!(found(HEAD.replace('\n', "\r\n")), [""; 0]);
    assert_eq!(found("#yaml\r\nversion: 1\r\nname: x\r\nstages:\r\n  a: {kind: make, argv: [x]}\r\n"), [""; 0]);
}

#[test]
fn a_file_that_is_too_big_is_refused_also_when_it_is_cut_inside_a_character() {
    assert_eq!(found("#".repeat(1_100_000)), ["S0101 x.toml:1:1"]);
    assert_eq!(found("é".repeat(600_000)), ["S0101 x.toml:1:1"]);
    assert_eq!(
        found(format!("extends = \"b.toml\"\n{HEAD}#>> b.toml\n#{}", "é".repeat(600_000))),
        ["S0101 b.toml:1:1"]
    );
}

#[test]
fn of_very_many_problems_the_first_hundred_are_told() {
    let stages = |line: fn(usize) -> String| format!("version = 1\nname = \"x\"\n{}", lines(5_000, line));
    for spec in [
        stages(|n| format!("[stages.s{n}]\nkind = \"take\"\none = \"t{n}\"\n")),
        stages(|n| format!("[stages.s{n}]\nkind = \"take{n}\"\n")),
        format!("{HEAD}{}", lines(20_000, |n| format!("k{n} = 1\n"))),
        format!("{HEAD}any = [{}]\n", "\"{{ zzz }}\", ".repeat(20_000)),
        format!("{HEAD}files = [{}]\n", lines(20_000, |n| format!("\"z{n}\", "))),
        format!("{HEAD}[params]\n{}", lines(10_000, |n| format!("p{n} = {{ type = \"x\" }}\n"))),
        format!("{HEAD}#>> .env\n{}", lines(20_000, |n| format!("nonsense{n}\n"))),
    ] {
        assert_eq!(problems(spec.as_bytes()).len(), 100, "{}", &spec[..200]);
    }
}

#[test]
fn profiles_cannot_multiply_a_spec_without_bound() {
    let spec = format!("{HEAD}any = [{}]\n{}", "1, ".repeat(20_000), lines(5_000, |n| format!("[profiles.p{n}]\n")));
    assert_eq!(found(spec), ["S0105 x.toml:7:2"]);
}

/// A hundred thousand values.
const MANY: &str = "\"{{ range(100000) | list }}\"";

#[test]
fn a_plan_that_would_be_too_large_is_refused_before_it_is_made() {
    let stages = |count, body: &str| lines(count, |n| format!("[stages.s{n}]\nkind = \"take\"\n{body}\n"));
    for (spec, place) in [
        // More cells of one stage.
        (format!("{HEAD}matrix = {{ x = {MANY}, y = [1, 2] }}\n"), "P0203 x.toml:6:10"),
        // More tasks together: the eleventh stage is too much.
        (format!("{HEAD}{}", stages(20, &format!("matrix = {{ x = {MANY} }}"))), "P0207 x.toml:35:10"),
        // Settings as large as the file, a hundred thousand times.
        (format!("{HEAD}any = \"{}\"\nmatrix.x = {MANY}\n", "y".repeat(500_000)), "P0207 x.toml:7:1"),
        // Three thousand million links.
        (
            format!("{HEAD}matrix.x = {MANY}\n[stages.b]\nkind = \"take\"\nmany = [\"a\"]\nmatrix.y = {MANY}\n"),
            "P0207 x.toml:10:1",
        ),
        (
            format!("{HEAD}matrix.x = {MANY}\n[stages.b]\nkind = \"take\"\nmany = [{}]\n", "\"a\", ".repeat(20_000)),
            "P0207 x.toml:7:9",
        ),
        // A thousand million comparisons.
        (
            format!(
                "{HEAD}[stages.a.matrix]\nx = {MANY}\nexclude = [{}]\n",
                lines(10_000, |n| format!("{{ x = -{n} }}, "))
            ),
            "P0207 x.toml:6:1",
        ),
    ] {
        assert_eq!(found(&spec), [place], "{}", &spec[..300.min(spec.len())]);
    }
}

#[test]
fn templates_that_work_without_end_are_stopped_alone_and_together() {
    let matrix = format!("matrix.x = {MANY}\n");
    let long = "{% for a in range(20000) %}{% endfor %}";
    let settings = [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}".to_owned(),
        "{% for a in range(20000) %}{{ range(99) | join('xxxxxxxxxx') }}{% endfor %}".to_owned(),
        "{% set a = x ~ 'ha' %}".to_owned() + &"{% set a = a ~ a %}".repeat(64) + "{{ a }}",
        format!("{{{{ x }}}}{long}"),
    ];
    for setting in settings {
        let problems = found(format!("{HEAD}any = \"{setting}\"\n{matrix}"));
        assert!(!problems.is_empty(), "{setting}");
        assert!(problems.iter().all(|problem| problem.starts_with("S0303 x.toml:6:")), "{setting}: {problems:?}");
    }
    let list = format!("\"{long}\", ").repeat(5_000);
    let problems = found(format!("{HEAD}any = [{list}]\n"));
    assert!(!problems.is_empty() && problems.iter().all(|p| p.starts_with("S0303 x.toml:6:")), "{problems:?}");
}

#[test]
fn what_leads_out_of_its_place_is_shown() {
    // The toy project has a link `out` to `/etc`.
    assert_eq!(found(format!("{HEAD}files = [\"out/hostname\"]\n")), ["P0308 x.toml:6:10"]);
    assert_eq!(found(format!("{HEAD}file = \"d/{{{{ '../..' }}}}/x\"\n")), ["S0305 x.toml:6:14"]);
    assert_eq!(
        found("version = 1\nname = \"../x\"\n[stages.\"..\"]\nkind = \"make\"\nargv = [\"x\"]\n"),
        ["S0208 x.toml:2:8", "S0208 x.toml:3:9"]
    );
}

#[test]
fn a_template_cannot_stand_for_what_must_be_known_first() {
    let head = "version = 1\nname = \"x\"\n";
    assert_eq!(found(format!("{head}[stages]\na = \"{{{{ x }}}}\"\n")), ["S0203 x.toml:4:5"]);
    assert_eq!(found(format!("stages = \"{{{{ x }}}}\"\n{head}")), ["S0203 x.toml:1:10"]);
    assert_eq!(found(format!("{HEAD}[backends]\nb = \"{{{{ x }}}}\"\n")), ["S0203 x.toml:7:5"]);
}
