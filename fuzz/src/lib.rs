//! Any bytes -> nothing, or a panic that names the promise they break.
//!
//! The targets of libFuzzer call these functions with bytes it makes up, and an ordinary test calls them with the kept
//! corpus. Knows nothing of either.

mod case;
mod clips;
mod print;
mod toy;

use case::Case;
pub use clips::clips;
use pipe_engine::plan::{self, Rows};
use pipe_engine::spec::node::{Node, Value};
use pipe_engine::spec::template::{Context, Templates};
use pipe_engine::spec::{self, Read, toml, yaml};
use pipe_engine::text::{Diagnostic, DiagnosticJson, Severity, SourceText, Sources, Spanned, render, to_json};
use serde_json::json;

/// What a target does with bytes.
pub type Check = fn(&[u8]);

/// The targets by name. `corpus/` has a folder for each.
pub const TARGETS: [(&str, Check); 5] =
    [("toml", toml), ("yaml", yaml), ("template", template), ("plan", plan), ("clips", clips)];

/// Reads bytes as TOML. What it reads without a problem, YAML can say too, and then means the same.
pub fn toml(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (tree, problems) = toml::parse(text);
    hold(&Sources::of(SourceText::new("x", text)), &problems);
    if problems.is_empty() {
        let _ = tree.to_json();
        spans_lie_inside(&tree, text);
        reads_as(&tree, &print::toml(&tree), toml::parse);
        reads_as(&tree, &print::yaml_flow(&tree), yaml::parse);
        reads_as(&tree, &print::yaml_block(&tree), yaml::parse);
    }
}

/// Reads bytes as YAML. What it reads without a problem, TOML can say too unless it has a null, and then means the same.
pub fn yaml(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (tree, problems) = yaml::parse(text);
    hold(&Sources::of(SourceText::new("x", text)), &problems);
    if problems.is_empty() {
        let _ = tree.to_json();
        spans_lie_inside(&tree, text);
        reads_as(&tree, &print::yaml_flow(&tree), yaml::parse);
        reads_as(&tree, &print::yaml_block(&tree), yaml::parse);
        if matches!(tree.value, Value::Table(_)) && !print::has_null(&tree) {
            reads_as(&tree, &print::toml(&tree), toml::parse);
        }
    }
}

/// Takes bytes as a template: checks it, and gives its value as a text and as a path.
pub fn template(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let templates = Templates::new();
    let context = Context::new()
        .with(
            "params",
            &json!({ "games": ["g1", "g2"], "videos": "v", "n": 5, "share": 0.3, "on": true, "none": null }),
        )
        .with("cell", &json!({ "game": "g1" }))
        .with("game", &json!("g1"))
        .with("evil", &json!("../../etc"));
    let inside = |range: &std::ops::Range<usize>| text.get(range.clone()).is_some();
    let checked = templates.check(text);
    for made in [checked.clone().map(|()| json!(null)), templates.value(text, &context)] {
        if let Err(error) = made {
            assert!(error.range.as_ref().is_none_or(inside), "{error:?} points out of {text:?}");
            assert!(!error.message.is_empty());
        }
    }
    if let Ok(serde_json::Value::String(path)) = templates.path_value(text, &context) {
        // Whatever the author did not write or pass through `path` stays a name.
        let author = text.contains("path") || text.contains("..") || text.contains("'") || text.contains('"');
        assert!(author || !path.contains("../../etc"), "{text:?} climbed: {path:?}");
        assert!(text.contains('\0') || !path.contains('\0'), "{text:?} makes NUL");
    }
    if checked.is_err() {
        assert!(templates.value(text, &context).is_err(), "{text:?} is not well formed and has a value");
    }
}

/// Reads bytes as a spec with all that belongs to one, and makes a plan of it; see [`case::Case`].
pub fn plan(bytes: &[u8]) {
    let case = Case::of(bytes);
    let project = toy::project();
    let read = spec::load(&case.path, &case, &case.outside, &project.schema).expect("the spec itself is there");
    let Read { spec, sources, problems } = read;
    hold(&sources, &problems);
    let Some(spec) = spec else {
        assert!(wrong(&problems), "no spec and no reason: {problems:?}");
        return;
    };
    assert_eq!(spec.broken, wrong(&problems), "{problems:?}");
    let mut rows = Rows::new();
    // The second time with the rows of every stage that others wait for.
    for _ in 0..2 {
        let (plan, found) = project.plan(&case, &spec, &sources, &rows, true);
        hold(&sources, &found);
        let Some(plan) = plan else {
            assert!(spec.broken || wrong(&found), "no plan and no reason: {found:?}");
            return;
        };
        assert!(!spec.broken && !wrong(&found), "a plan of what is wrong: {found:?}");
        inputs_come_first(&plan);
        let _ = (plan::dot(&plan), plan::mermaid(&plan));
        rows = toy::rows(&plan);
    }
}

/// Everything that is wrong with a spec, as a program is told of it.
pub fn problems(bytes: &[u8]) -> Vec<DiagnosticJson> {
    let case = Case::of(bytes);
    let project = toy::project();
    let read = spec::load(&case.path, &case, &case.outside, &project.schema).expect("the spec itself is there");
    let mut problems = read.problems;
    if let Some(spec) = &read.spec {
        problems.extend(project.plan(&case, spec, &read.sources, &Rows::new(), false).1);
    }
    to_json(&read.sources, &problems)
}

fn wrong(problems: &[Diagnostic]) -> bool {
    problems.iter().any(|problem| problem.severity == Severity::Error)
}

/// Every problem points into a text and can be shown.
fn hold(sources: &Sources, problems: &[Diagnostic]) {
    for problem in problems {
        assert!(!problem.message.is_empty() && !problem.code.is_empty(), "{problem:?}");
        assert!(!problem.labels.is_empty(), "{problem:?} has no place");
        for label in &problem.labels {
            let (file, span) = (sources.extent(label.span.start), &label.span);
            assert!(span.start <= span.end && span.end < file.end, "{problem:?} points out of its file");
            let text = &sources.place(span).source.text;
            let inside = text.get(span.start - file.start..span.end - file.start);
            assert!(inside.is_some(), "{problem:?} points into a character of {text:?}");
        }
    }
    let shown = render(sources, problems, false);
    assert_eq!(shown.is_empty(), problems.is_empty());
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
    assert_eq!(to_json(sources, problems).len(), problems.len());
}

fn spans_lie_inside(tree: &Node, text: &str) {
    assert!(text.get(tree.span.clone()).is_some(), "{:?} points out of {text:?}", tree.value);
    match &tree.value {
        Value::List(items) => items.iter().for_each(|item| spans_lie_inside(item, text)),
        Value::Table(entries) => {
            for (key, value) in entries {
                assert!(text.get(key.span.clone()).is_some(), "{key:?} points out of {text:?}");
                spans_lie_inside(value, text);
            }
        }
        _ => {}
    }
}

fn reads_as(tree: &Node, printed: &str, parse: fn(&str) -> (Node, Vec<Diagnostic>)) {
    let (again, problems) = parse(printed);
    assert!(problems.is_empty(), "{problems:?} of {printed:?}");
    assert!(same(tree, &again), "{tree:?} became {again:?} by {printed:?}");
}

/// Whether two trees hold the same, wherever it stands.
fn same(a: &Node, b: &Node) -> bool {
    match (&a.value, &b.value) {
        (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Table(a), Value::Table(b)) => {
            let equal = |(a, b): (&Entry, &Entry)| a.0.value == b.0.value && same(&a.1, &b.1);
            a.len() == b.len() && a.iter().zip(b).all(equal)
        }
        (a, b) => a == b,
    }
}

/// A key and its value.
type Entry = (Spanned<String>, Node);

fn inputs_come_first(plan: &plan::Plan) {
    for (place, task) in plan.tasks().enumerate() {
        let mut needs = task.inputs.iter().flat_map(|input| input.tasks.iter());
        assert!(needs.all(|need| need.index() < place), "{:?} comes before its input", task.id);
    }
}
