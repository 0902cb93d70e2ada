//! Fields that differ of many tasks -> few lines: tasks of a stage whose same fields differ are told together.

use crate::words::cut;
use indexmap::IndexMap;
use pipe_engine::key::Change;
use pipe_engine::plan::input_name;

/// Longer values are cut.
const LONGEST: usize = 40;
/// Of long values that begin alike, so many characters before they part are shown.
const CONTEXT: usize = 12;
/// More fields than this are counted.
const FIELDS: usize = 6;

/// Tasks of one stage of which the same is to be said.
pub(crate) struct Group<'a, T> {
    pub(crate) stage: &'a str,
    pub(crate) tasks: Vec<&'a T>,
    /// Such as `config.crf 23 -> 20`.
    pub(crate) fields: Vec<String>,
}

/// A task and what of it differs.
type Member<'a, T> = (&'a T, &'a [Change]);

/// Puts tasks together. `told` gives a task's stage and what of it differs.
pub(crate) fn group<'a, T>(tasks: &'a [T], told: impl Fn(&'a T) -> (&'a str, &'a [Change])) -> Vec<Group<'a, T>> {
    let mut groups: IndexMap<(&str, Vec<String>), Vec<Member<'a, T>>> = IndexMap::new();
    for task in tasks {
        let (stage, changes) = told(task);
        let mut names: Vec<String> = changes.iter().map(|change| plain(&change.field).to_owned()).collect();
        names.dedup();
        groups.entry((stage, names)).or_default().push((task, changes));
    }
    let groups = groups.into_iter();
    groups.map(|((stage, names), members)| together(stage, &names, members)).collect()
}

fn together<'a, T>(stage: &'a str, names: &[String], members: Vec<Member<'a, T>>) -> Group<'a, T> {
    let mut fields: Vec<String> = names.iter().take(FIELDS).map(|name| field(name, &members)).collect();
    if names.len() > FIELDS {
        fields.push(format!("and {} fields more", names.len() - FIELDS));
    }
    Group { stage, tasks: members.into_iter().map(|(task, _)| task).collect(), fields }
}

/// One field as a person reads it. What only names bytes by their digest is told in words.
fn field<T>(name: &str, members: &[Member<'_, T>]) -> String {
    let changes = members.iter().flat_map(|(_, changes)| changes.iter().filter(|change| plain(&change.field) == name));
    let changes: Vec<&Change> = changes.collect();
    if let Some(input) = name.strip_prefix("inputs.") {
        return format!("{}: {}", input_name(input), results(&changes));
    }
    if let Some(file) = name.strip_prefix("files.").filter(|_| changes.iter().all(|change| bytes_differ(change))) {
        return format!("{}: other bytes", input_name(file));
    }
    let told = |change: &&Change| {
        let (before, now) = apart(change.before.as_deref(), change.now.as_deref());
        format!("{before} -> {now}")
    };
    match changes.first().map(told) {
        Some(first) if changes.iter().map(told).all(|other| other == first) => format!("{name} {first}"),
        Some(first) => format!("{name}, such as {first}"),
        None => name.to_owned(),
    }
}

/// `another result`, `2 results more, 1 less`: there is one change for each result.
fn results(changes: &[&Change]) -> String {
    let of = |wanted: fn(&Change) -> bool| changes.iter().filter(|change| wanted(change)).count() as u64;
    let (more, less) = (of(|change| change.before.is_none()), of(|change| change.now.is_none()));
    let other = changes.len() as u64 - more - less;
    let told = [(other, "another result", ""), (more, "one more result", " more"), (less, "one result less", " less")];
    let told = told.iter().filter(|(n, ..)| *n > 0).map(|(n, one, many)| match n {
        1 => (*one).to_owned(),
        _ if many.is_empty() => "other results".to_owned(),
        n => format!("{n} results{many}"),
    });
    told.collect::<Vec<_>>().join(", ")
}

/// Whether a file is named as before and holds something else. A project file's value begins with its path.
fn bytes_differ(change: &Change) -> bool {
    let path = |value: &Option<String>| Some(value.as_ref()?.rsplit_once(' ').map_or("", |(path, _)| path).to_owned());
    change.before.is_some() && change.now.is_some() && path(&change.before) == path(&change.now)
}

/// Two values, from shortly before where they part.
fn apart(before: Option<&str>, now: Option<&str>) -> (String, String) {
    let same = match (before, now) {
        (Some(before), Some(now)) => before.chars().zip(now.chars()).take_while(|(a, b)| a == b).count(),
        _ => 0,
    };
    let skipped = if same > 2 * CONTEXT { same - CONTEXT } else { 0 };
    let value = |value: Option<&str>| match value {
        None => "(none)".to_owned(),
        Some(value) if skipped == 0 => cut(value, LONGEST),
        Some(value) => cut(&format!("…{}", value.chars().skip(skipped).collect::<String>()), LONGEST),
    };
    (value(before), value(now))
}

/// A field without the cell of a gathered result: `inputs.from[0][game=g1]` is `inputs.from[0]`.
fn plain(field: &str) -> &str {
    match field.rfind('[') {
        Some(at) if field[at..].contains('=') => &field[..at],
        _ => field,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(field: &str, before: &str, now: &str) -> Change {
        let value = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Change { field: field.to_owned(), before: value(before), now: value(now) }
    }

    fn told(tasks: &[(&str, Vec<Change>)]) -> Vec<String> {
        let groups = group(tasks, |(stage, changes)| (*stage, changes.as_slice()));
        groups.iter().map(|g| format!("{} {}: {}", g.stage, g.tasks.len(), g.fields.join("; "))).collect()
    }

    #[test]
    fn tasks_that_changed_alike_are_told_together() {
        let crf = || vec![change("config.crf", "23", "20")];
        let tasks = [("clips", crf()), ("clips", crf()), ("plays", vec![change("config.query", "", "\"x\"")])];
        assert_eq!(told(&tasks), ["clips 2: config.crf 23 -> 20", "plays 1: config.query (none) -> \"x\""]);
    }

    #[test]
    fn a_field_that_changed_otherwise_in_each_task_is_told_by_an_example() {
        let tasks = [("a", vec![change("config.n", "1", "2")]), ("a", vec![change("config.n", "3", "4")])];
        assert_eq!(told(&tasks), ["a 2: config.n, such as 1 -> 2"]);
    }

    #[test]
    fn gathered_results_and_files_are_told_in_words() {
        let gathered =
            vec![change("inputs.from[0][game=g1]", "aa", "bb"), change("inputs.from[0][game=g2]", "cc", "dd")];
        let file = vec![change("files.template", "aa", "bb")];
        assert_eq!(told(&[("d", gathered)]), ["d 1: from[0]: other results"]);
        assert_eq!(told(&[("d", file)]), ["d 1: template: other bytes"]);
        let more = vec![change("inputs.inputs.n.stage[n=3]", "", "aa"), change("inputs.inputs.n.stage[n=4]", "aa", "")];
        assert_eq!(told(&[("d", more)]), ["d 1: n: one more result, one result less"]);
        let moved = vec![change("files.files[0]", "a.sh aa", "b.sh aa")];
        assert_eq!(told(&[("d", moved)]), ["d 1: files.files[0] a.sh aa -> b.sh aa"]);
    }

    #[test]
    fn long_values_are_shown_from_shortly_before_they_part() {
        let long = |end: &str| format!("\"set -eu; cd somewhere; run --with {end}\"");
        let tasks = [("a", vec![change("config.argv[2]", &long("1"), &long("2"))])];
        assert_eq!(told(&tasks), ["a 1: config.argv[2] … run --with 1\" -> … run --with 2\""]);
    }
}
