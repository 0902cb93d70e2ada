//! Specs with something taken out, doubled or put in its place. Whatever comes of that, it is told where it stands, and
//! what decides nothing changes nothing.

use crate::seeds::{Kit, Made, Seed, all};
use pipe_engine::spec::node::{Node, Value};
use pipe_engine::spec::{toml, yaml};
use pipe_engine::text::{Span, Spanned, page_of, render, to_json};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;

/// What nobody writes on purpose.
const ODD: [&str; 34] = [
    "",
    " ",
    "\t",
    "\n",
    "\r",
    "\0",
    "é",
    "\u{1f3ac}",
    "\u{feff}",
    "\u{202e}",
    "\"",
    "'",
    "\"\"\"",
    "'''",
    "{{",
    "}}",
    "{%",
    "{#",
    "[[",
    "]",
    "{",
    "}",
    "- ",
    ": ",
    "=",
    "#",
    "|\n",
    "<<: *a",
    "&a",
    "!!str ",
    "-1",
    "1e999",
    "9223372036854775808",
    "null",
];

/// Keys without which a spec is still whole: the spec's own, and those of a stage.
const NOT_NEEDED: [&[&str]; 2] = [
    &["description", "labels", "max_cost", "deadline", "schedule", "hooks"],
    &[
        "always",
        "cache",
        "deadline",
        "description",
        "env",
        "expect",
        "files",
        "image",
        "labels",
        "on_failure",
        "outputs",
        "priority",
        "publish",
        "retry",
        "spot",
        "tags",
        "tools",
    ],
];

/// As many cases as `PROPTEST_CASES` says, else 200.
fn runner() -> TestRunner {
    let wanted = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    TestRunner::new(ProptestConfig { cases: wanted.unwrap_or(200), failure_persistence: None, ..Default::default() })
}

/// What of a text is changed.
#[derive(Clone, Copy, Debug)]
enum Part {
    Line,
    Token,
    Word,
    Value,
}

const PARTS: [Part; 4] = [Part::Line, Part::Token, Part::Word, Part::Value];

/// What is done with it. Others are found by how far through all of them they are.
#[derive(Clone, Copy, Debug)]
enum Act {
    Delete,
    Repeat,
    /// With one of any spec in the same language.
    Replace(Index),
    Move(Index),
    /// With something odd.
    Spoil(Index),
    /// It is the last there is.
    End,
}

/// One change, and where.
type Change = (Part, Act, Index);

fn change() -> impl Strategy<Value = Change> {
    let part =
        prop_oneof![3 => Just(Part::Line), 1 => Just(Part::Token), 4 => Just(Part::Word), 6 => Just(Part::Value)];
    let index = any::<Index>;
    let act = prop_oneof![
        6 => Just(Act::Delete),
        3 => Just(Act::Repeat),
        18 => index().prop_map(Act::Replace),
        2 => index().prop_map(Act::Move),
        2 => index().prop_map(Act::Spoil),
        1 => Just(Act::End),
    ];
    (part, act, index())
}

impl Part {
    /// The text in pieces, and whether each is such a part.
    fn pieces(self, text: &str, is_yaml: bool) -> Vec<(&str, bool)> {
        let is_word = |token: &str| token.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        match self {
            Self::Line => text.split_inclusive('\n').map(|line| (line, true)).collect(),
            Self::Token => tokens(text).map(|token| (token, !token.starts_with(' '))).collect(),
            Self::Word => tokens(text).map(|token| (token, is_word(token))).collect(),
            Self::Value => around(text, scalars(&parse(text, is_yaml))),
        }
    }

    /// What can take the place of such a part.
    fn others(self, seeds: &[Seed], is_yaml: bool) -> Vec<&str> {
        let texts = seeds.iter().filter(|seed| seed.is_yaml == is_yaml).map(|seed| seed.text.as_str());
        match self {
            Self::Value => texts.flat_map(|text| values(text, &parse(text, is_yaml))).collect(),
            _ => {
                texts.flat_map(|text| self.pieces(text, is_yaml)).filter(|piece| piece.1).map(|piece| piece.0).collect()
            }
        }
    }
}

fn parse(text: &str, is_yaml: bool) -> Node {
    if is_yaml { yaml::parse(text).0 } else { toml::parse(text).0 }
}

/// Words, blanks between them, and other characters one by one.
fn tokens(mut text: &str) -> impl Iterator<Item = &str> {
    let kind = |c: char| if c.is_alphanumeric() || c == '_' { 'w' } else { c };
    std::iter::from_fn(move || {
        let first = text.chars().next()?;
        let end = match kind(first) {
            'w' | ' ' => text.find(|c| kind(c) != kind(first)).unwrap_or(text.len()),
            _ => first.len_utf8(),
        };
        let (token, rest) = text.split_at(end);
        text = rest;
        Some(token)
    })
}

/// The places of everything that is no list and no table.
fn scalars(node: &Node) -> Vec<Span> {
    match &node.value {
        Value::List(items) => items.iter().flat_map(scalars).collect(),
        Value::Table(entries) => entries.iter().flat_map(|(_, value)| scalars(value)).collect(),
        _ => vec![node.span.clone()],
    }
}

/// Everything that can stand behind a key on its line, lists and tables as well.
fn values<'t>(text: &'t str, node: &Node) -> Vec<&'t str> {
    let within: Vec<&str> = match &node.value {
        Value::List(items) => items.iter().flat_map(|item| values(text, item)).collect(),
        Value::Table(entries) => entries.iter().flat_map(|(_, value)| values(text, value)).collect(),
        _ => Vec::new(),
    };
    let own = text.get(node.span.clone()).filter(|own| match node.value {
        Value::List(_) => own.starts_with('['),
        Value::Table(_) => own.starts_with('{'),
        _ => !own.contains('\n'),
    });
    own.into_iter().chain(within).collect()
}

/// The text as these parts of it and what is between them. Aliases are at one place more than once.
fn around(text: &str, mut parts: Vec<Span>) -> Vec<(&str, bool)> {
    parts.sort_by_key(|part| part.start);
    let (mut pieces, mut end) = (Vec::new(), 0);
    for part in parts {
        if let (Some(before), Some(own)) = (text.get(end..part.start), text.get(part.clone())) {
            pieces.extend([(before, false), (own, true)]);
            end = part.end;
        }
    }
    pieces.push((&text[end..], false));
    pieces
}

/// The text after a change. `others`: what can take the place of a part.
fn changed(text: &str, is_yaml: bool, (part, act, at): Change, others: &[&str]) -> String {
    let pieces = part.pieces(text, is_yaml);
    let parts: Vec<usize> = (0..pieces.len()).filter(|place| pieces[*place].1).collect();
    if parts.is_empty() {
        return text.to_owned();
    }
    let place = *at.get(&parts);
    let mut pieces: Vec<&str> = pieces.into_iter().map(|(piece, _)| piece).collect();
    match act {
        Act::Delete => drop(pieces.remove(place)),
        Act::Repeat => pieces.insert(place, pieces[place]),
        Act::Replace(with) => pieces[place] = *with.get(others),
        Act::Move(to) => {
            let piece = pieces.remove(place);
            pieces.insert(to.index(pieces.len() + 1), piece);
        }
        Act::Spoil(with) => pieces[place] = *with.get(&ODD),
        Act::End => pieces.truncate(place),
    }
    pieces.concat()
}

/// Every problem has a page, points at whole characters of a file, and can be shown.
fn hold(made: &Made) -> Result<(), TestCaseError> {
    let Made { problems, sources, .. } = made;
    for problem in problems {
        prop_assert!(page_of(problem.code).is_some(), "{problem:?} has no page");
        prop_assert!(!problem.message.is_empty() && !problem.labels.is_empty(), "{problem:?}");
        let edits = problem.fix.iter().map(|edit| &edit.span);
        for span in problem.labels.iter().map(|label| &label.span).chain(edits) {
            let file = sources.extent(span.start);
            prop_assert!(span.start <= span.end && span.end < file.end, "{problem:?} points out of its file");
            let text = &sources.place(span).source.text;
            let inside = text.get(span.start - file.start..span.end - file.start);
            prop_assert!(inside.is_some(), "{problem:?} points into a character");
        }
    }
    for color in [false, true] {
        prop_assert_eq!(render(sources, problems, color).is_empty(), problems.is_empty());
    }
    prop_assert_eq!(to_json(sources, problems).len(), problems.len());
    Ok(())
}

#[test]
fn whatever_becomes_of_a_spec_is_told_where_it_stands_and_planned_only_when_it_is_right() {
    let (seeds, kit) = (all(), Kit::new());
    let others = [false, true].map(|is_yaml| PARTS.map(|part| part.others(&seeds, is_yaml)));
    let cases = (any::<Index>(), prop::collection::vec(change(), 1..4), any::<bool>());
    let check = |(seed, changes, offline): (Index, Vec<Change>, bool)| {
        let seed = seed.get(&seeds);
        let text = changes.iter().fold(seed.text.clone(), |text, change| {
            changed(&text, seed.is_yaml, *change, &others[usize::from(seed.is_yaml)][change.0 as usize])
        });
        let made = kit.make(seed, &text, offline);
        let told = |e| TestCaseError::fail(format!("{e}\n{} became\n{text}", seed.name));
        hold(&made).map_err(told)?;
        prop_assert_eq!(made.plan.is_some(), !made.is_wrong(), "{} became\n{}", seed.name, text);
        Ok(())
    };
    runner().run(&cases, check).unwrap();
}

/// Something that decides nothing.
#[derive(Clone, Copy, Debug)]
enum Harmless {
    Blank(Index),
    Comment(Index),
    /// One of the keys that are not needed is taken away.
    Without(Index),
}

fn harmless() -> impl Strategy<Value = Harmless> {
    let index = any::<Index>;
    prop_oneof![
        1 => index().prop_map(Harmless::Blank),
        1 => index().prop_map(Harmless::Comment),
        2 => index().prop_map(Harmless::Without),
    ]
}

impl Harmless {
    /// The text after it, where there is something to do.
    fn done_to(self, text: &str, is_yaml: bool) -> Option<String> {
        let tree = parse(text, is_yaml);
        let line = |at: Index, new: &str| {
            let mut places = vec![0];
            places.extend(text.match_indices('\n').map(|(at, _)| at + 1).filter(|at| !is_in_text(&tree, *at)));
            let place = *at.get(&places);
            format!("{}{new}{}", &text[..place], &text[place..])
        };
        match self {
            Self::Blank(at) => Some(line(at, "\n")),
            Self::Comment(at) => Some(line(at, "  # name = {{ nobody }} [: \"é\n")),
            Self::Without(which) => {
                let spans = not_needed(&tree, text);
                let span = which.get(spans.get(..).filter(|spans| !spans.is_empty())?).clone();
                Some(format!("{}{}", &text[..span.start], &text[span.end..]))
            }
        }
    }
}

/// Whether a place lies inside a text of the spec, or between a key and its text, where a line would be part of it.
fn is_in_text(node: &Node, at: usize) -> bool {
    match &node.value {
        Value::List(items) => items.iter().any(|item| is_in_text(item, at)),
        Value::Table(entries) => entries.iter().any(|(key, value)| {
            let is_text = matches!(value.value, Value::String(_));
            is_in_text(value, at) || is_text && (key.span.end..value.span.end).contains(&at)
        }),
        _ => node.span.start < at && at < node.span.end,
    }
}

/// The lines that hold a key which is not needed, its value and nothing else. One that is alone in its table stays: in
/// YAML its table would no longer be one.
fn not_needed(tree: &Node, text: &str) -> Vec<Span> {
    let stages: Vec<&Node> =
        tree.get("stages").and_then(entries).into_iter().flatten().map(|(_, stage)| stage).collect();
    let tables = [(tree, NOT_NEEDED[0])].into_iter().chain(stages.into_iter().map(|stage| (stage, NOT_NEEDED[1])));
    let mut lines = Vec::new();
    for (table, keys) in tables {
        let Some(entries) = entries(table).filter(|entries| entries.len() > 1) else { continue };
        for (key, value) in entries.iter().filter(|(key, _)| keys.contains(&key.value.as_str())) {
            let start = text[..key.span.start].rfind('\n').map_or(0, |at| at + 1);
            let end = text[start..].find('\n').map_or(text.len(), |at| start + at + 1);
            let before = text[start..key.span.start].trim_matches([' ', '"']);
            let is_alone = before.is_empty() && value.span.start >= key.span.end && value.span.end <= end;
            let after = is_alone.then(|| text[value.span.end..end].trim_start_matches(['"', ',', ' ', '\n']));
            if after.is_some_and(|after| after.is_empty() || after.starts_with('#')) {
                lines.push(start..end);
            }
        }
    }
    lines
}

fn entries(node: &Node) -> Option<&[(Spanned<String>, Node)]> {
    match &node.value {
        Value::Table(entries) => Some(entries),
        _ => None,
    }
}

#[test]
fn a_spec_that_is_right_stays_so_with_comments_and_blank_lines_and_without_what_it_need_not_say() {
    let kit = Kit::new();
    let seeds: Vec<Seed> = all().into_iter().filter(|seed| seed.is_good).collect();
    let before: Vec<Vec<String>> = seeds
        .iter()
        .map(|seed| {
            let made = kit.make(seed, &seed.text, false);
            assert!(!made.is_wrong(), "{}: {}", seed.name, render(&made.sources, &made.problems, false));
            made.tasks()
        })
        .collect();
    let cases = (any::<Index>(), prop::collection::vec(harmless(), 1..4));
    let check = |(which, changes): (Index, Vec<Harmless>)| {
        let (seed, before) = (which.get(&seeds), which.get(&before));
        let mut text = seed.text.clone();
        for change in changes {
            text = change.done_to(&text, seed.is_yaml).unwrap_or(text);
        }
        let made = kit.make(seed, &text, false);
        let shown = render(&made.sources, &made.problems, false);
        prop_assert!(!made.is_wrong(), "{} became\n{text}\n{shown}", seed.name);
        prop_assert_eq!(&made.tasks(), before, "{} became\n{}", seed.name, text);
        Ok(())
    };
    runner().run(&cases, check).unwrap();
}
