//! A name somebody wrote and the names there are -> the one that was probably meant.
//!
//! Knows nothing of what the names stand for.

/// The name nearest to `word`: at most two letters apart and less than half of it, or one that begins with the other.
///
/// Upper and lower case are the same here: a slip of the shift key is no other name.
pub fn closest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let allowed = 2.min(word.chars().count().saturating_sub(1) / 2).max(usize::from(word.chars().count() > 1));
    names
        .into_iter()
        .take(MOST_COMPARED)
        .filter_map(|name| {
            let lower = name.to_lowercase();
            let prefix = word.len() >= 3 && lower.len() >= 3 && (lower.starts_with(&word) || word.starts_with(&lower));
            // Names of very different lengths are not compared letter by letter.
            let near = prefix || word.chars().count().abs_diff(lower.chars().count()) <= allowed;
            let distance = if near { distance(&word, &lower) } else { usize::MAX };
            (distance <= allowed || prefix).then_some((distance, name))
        })
        .min()
        .map(|(_, name)| name)
}

/// Names one after another: "`a`, `b`, `c`"; an empty list is "none". Of many only the first are named.
pub fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let (quoted, more) = first_few(names);
    match more {
        0 if quoted.is_empty() => "none".to_owned(),
        0 => quoted.join(", "),
        more => format!("{} and {more} more", quoted.join(", ")),
    }
}

/// Names as a sentence offers them: "`a`, `b` or `c`"; an empty list is "nothing". Of many only the first are named.
pub fn one_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let (quoted, more) = first_few(names);
    match quoted.as_slice() {
        [] => "nothing".to_owned(),
        _ if more > 0 => format!("{} or one of {more} more", quoted.join(", ")),
        [only] => only.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// The names a message has room for, quoted, and how many there are beyond. A hostile spec has thousands.
fn first_few<'a>(names: impl IntoIterator<Item = &'a str>) -> (Vec<String>, usize) {
    let mut names = names.into_iter();
    let quoted = names.by_ref().take(MOST_NAMED).map(|name| format!("`{name}`")).collect();
    (quoted, names.count())
}

/// How many names a message has room for; no table of the language has more keys.
const MOST_NAMED: usize = 40;

/// The fewest letters to insert, remove, change or swap with their neighbour to turn `a` into `b`
/// (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(LONGEST).collect();
    let b: Vec<char> = b.chars().take(LONGEST).collect();
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = changed.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

/// With how many names a word is compared. A spec may have thousands of stages, and as many that are named wrongly.
const MOST_COMPARED: usize = 1000;

/// Names in specs are short; a hostile one must not cost quadratic time.
const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_very_many_names_only_the_first_are_told() {
        let names: Vec<String> = (0..10_000).map(|number| format!("n{number}")).collect();
        let names = || names.iter().map(String::as_str);
        assert!(listed(names()).ends_with("`n38`, `n39` and 9960 more"));
        assert!(one_of(names()).ends_with("`n38`, `n39` or one of 9960 more"));
    }

    #[test]
    fn a_typing_slip_finds_the_name_that_was_meant() {
        let names = ["timeout", "matrix", "kind", "resources", "backend"];
        for (slip, meant) in [
            ("timout", Some("timeout")),
            ("maxtrix", Some("matrix")),
            ("knid", Some("kind")),
            ("Kind", Some("kind")),
            ("resource", Some("resources")),
            ("back", Some("backend")),
            ("colour", None),
            ("x", None),
        ] {
            assert_eq!(closest(slip, names), meant, "{slip}");
        }
    }

    #[test]
    fn names_are_listed_as_a_sentence_would() {
        assert_eq!([listed([]), listed(["a", "b"])], ["none", "`a`, `b`"]);
        assert_eq!(one_of([]), "nothing");
        assert_eq!(one_of(["a"]), "`a`");
        assert_eq!(one_of(["a", "b", "c"]), "`a`, `b` or `c`");
    }
}
