//! Fields that differ of many tasks -> few lines: tasks of a stage whose same fields differ are told together.

use indexmap::IndexMap;
use pipe_engine::key::Change;

/// More fields than this are counted.
const FIELDS: usize = 6;

/// Tasks of one stage of which the same is to be said.
pub(crate) struct Group<'a, T> {
    pub(crate) stage: &'a str,
    pub(crate) tasks: Vec<&'a T>,
    /// Such as `` `crf` 23 -> 20 ``.
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

/// One field as a person reads it.
fn field<T>(name: &str, members: &[Member<'_, T>]) -> String {
    let changes = members.iter().flat_map(|(_, changes)| changes.iter().filter(|change| plain(&change.field) == name));
    let changes: Vec<&Change> = changes.collect();
    let Some(first) = changes.first() else { return name.to_owned() };
    if plain(&first.field) != first.field {
        return format!("`{}` gives {}", plain(&first.name()), results(&changes));
    }
    let told = first.to_string();
    if changes.iter().all(|change| change.to_string() == told) { told } else { format!("{told}, and alike") }
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
        assert_eq!(told(&tasks), ["clips 2: `crf` 23 -> 20", "plays 1: `query` is new: x"]);
    }

    #[test]
    fn a_field_that_changed_otherwise_in_each_task_is_told_by_an_example() {
        let tasks = [("a", vec![change("config.n", "1", "2")]), ("a", vec![change("config.n", "3", "4")])];
        assert_eq!(told(&tasks), ["a 2: `n` 1 -> 2, and alike"]);
    }

    #[test]
    fn gathered_results_are_counted() {
        let gathered =
            vec![change("inputs.from[0][game=g1]", "aa", "bb"), change("inputs.from[0][game=g2]", "cc", "dd")];
        assert_eq!(told(&[("d", gathered)]), ["d 1: `from[0]` gives other results"]);
        let more = vec![change("inputs.inputs.n.stage[n=3]", "", "aa"), change("inputs.inputs.n.stage[n=4]", "aa", "")];
        assert_eq!(told(&[("d", more)]), ["d 1: `n` gives one more result, one result less"]);
    }
}
