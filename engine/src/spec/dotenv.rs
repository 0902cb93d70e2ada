//! A `.env` file -> variables, each with its place. One `NAME=value` a line, as every tool of this kind reads it: `export`
//! may stand before the name, `#` begins a comment, single quotes keep everything, double quotes know `\n`, `\t`, `\"`,
//! `\\` and `\$`. Nothing is expanded.

use crate::text::{Diagnostic, Span, Spanned, asterisks, code};

/// One line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) value: Spanned<String>,
}

/// Reads the file. A line that is no assignment is a problem; the others still count.
pub(super) fn parse(text: &str) -> (Vec<Line>, Vec<Diagnostic>) {
    let (mut lines, mut problems) = (Vec::new(), Vec::new());
    let mut start = 0;
    for whole in text.split_inclusive('\n') {
        let line = whole.trim_end_matches(['\n', '\r']);
        let told = line.trim_start();
        if !told.is_empty() && !told.starts_with('#') {
            match assignment(line, start) {
                Some(line) => lines.push(line),
                None => problems.push(not_a_line(start..start + line.len())),
            }
        }
        start += whole.len();
    }
    (lines, problems)
}

/// The text as it may be shown: of values only those that are pipe's own, the others may be secrets.
pub(super) fn shown(text: &str) -> String {
    let line = |line: &str| {
        let name = line.trim_start();
        let name = name.strip_prefix("export ").map_or(name, str::trim_start);
        if name.starts_with("PIPE_") || name.starts_with('#') {
            return line.to_owned();
        }
        let value = line.find('=').map_or(0, |at| at + 1);
        format!("{}{}", &line[..value], asterisks(&line[value..]))
    };
    text.split_inclusive('\n').map(line).collect()
}

/// The message shows no text of the line: it may be a secret.
fn not_a_line(span: Span) -> Diagnostic {
    Diagnostic::error(code::BAD_ENV_FILE, "a line of the `.env` file cannot be read", span, "")
        .help("write NAME=value; a name has letters, digits and `_`, and a quote that is opened is closed on its line")
}

fn assignment(line: &str, start: usize) -> Option<Line> {
    let (name, rest) = line.split_once('=')?;
    let at = start + name.len() + 1;
    let name = name.trim();
    let name = name.strip_prefix("export ").map_or(name, str::trim_start);
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let told = rest.trim_start();
    let from = at + (rest.len() - told.len());
    let (value, length) = match told.chars().next() {
        Some('\'') => {
            let end = told[1..].find('\'')?;
            (told[1..=end].to_owned(), end + 2)
        }
        Some('"') => double_quoted(told)?,
        _ => plain(told),
    };
    let after = told[length..].trim_start();
    let is_alone = after.is_empty() || after.starts_with('#');
    (is_name && is_alone).then(|| Line { name: name.to_owned(), value: Spanned { value, span: from..from + length } })
}

/// Up to a comment, which needs a space before its `#`.
fn plain(text: &str) -> (String, usize) {
    let end = text.match_indices('#').map(|(at, _)| at).find(|at| *at == 0 || text[..*at].ends_with([' ', '\t']));
    let value = text[..end.unwrap_or(text.len())].trim_end();
    (value.to_owned(), value.len())
}

/// The value and how many bytes of `text` it takes up, quotes and all.
fn double_quoted(text: &str) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut letters = text.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, at + 1)),
            '\\' => value.push(match letters.next()?.1 {
                'n' => '\n',
                't' => '\t',
                other @ ('"' | '\\' | '$') => other,
                _ => return None,
            }),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        let (lines, problems) = parse(text);
        assert!(problems.is_empty(), "{problems:?}");
        lines.into_iter().map(|line| (line.name, line.value.value)).collect()
    }

    #[test]
    fn lines_are_read_as_the_common_tools_read_them() {
        // The expected values are those that the Python package `python-dotenv` 1.1 gives for the same text.
        let text = "# c\nA=1\nexport B = two words # note\nC='a # b'\nD=\"x\\ny\"\n\nE=\nF=a#b\r\n";
        let expected = [("A", "1"), ("B", "two words"), ("C", "a # b"), ("D", "x\ny"), ("E", ""), ("F", "a#b")];
        assert_eq!(pairs(text), expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
    }

    #[test]
    fn a_line_that_is_no_assignment_is_a_problem_at_its_place_and_the_others_count() {
        let (lines, problems) = parse("A=1\nnonsense\n1B=2\nC=\"open\nD=4\n");
        assert_eq!(lines.iter().map(|l| l.name.as_str()).collect::<Vec<_>>(), ["A", "D"]);
        assert_eq!(problems.iter().map(|p| p.span().start).collect::<Vec<_>>(), [4, 13, 18]);
    }

    #[test]
    fn of_values_only_those_of_pipe_are_shown() {
        let text = "export PIPE_PROFILE=prod\nKEY = 'süß'\nhunter2\n";
        let shown = shown(text);
        assert_eq!(shown, "export PIPE_PROFILE=prod\nKEY =********\n*******\n");
        assert_eq!(shown.len(), text.len());
    }

    #[test]
    fn a_value_knows_its_place() {
        let (lines, _) = parse("A=1\nB= 'x' # y\n");
        assert_eq!(lines[1].value.span, 7..10);
    }
}
