//! Problems and their source text -> flat records for programs: editors, CI annotations, `--json`.

use super::diagnostic::{Diagnostic, Edit, Severity, sort_by_position};
use super::sources::Sources;
use schemars::JsonSchema;
use serde::Serialize;

/// One problem of a spec with its place in lines and columns, both from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DiagnosticJson {
    /// `error` or `warning`.
    pub severity: Severity,
    /// What kind of problem it is, such as `S0201`. A code never changes its meaning.
    pub code: &'static str,
    /// What is wrong, in one line.
    pub message: String,
    /// The file as the person named it.
    pub file: String,
    /// The line the place begins on.
    pub line: usize,
    /// The column the place begins at.
    pub column: usize,
    /// The line the place ends on.
    pub end_line: usize,
    /// The column just after the place.
    pub end_column: usize,
    /// The words at the place; may be empty.
    pub label: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The changes that do what `help` says, where a program can make them; empty elsewhere.
    pub fix: Vec<EditJson>,
}

/// One change: what stands from the first place up to the second gives way to `text`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct EditJson {
    /// The file.
    pub file: String,
    /// The line what goes begins on.
    pub line: usize,
    /// The column it begins at.
    pub column: usize,
    /// The line it ends on.
    pub end_line: usize,
    /// The column just after it.
    pub end_column: usize,
    /// What comes in its place.
    pub text: String,
}

/// One record for each problem, in the order of the text.
pub fn to_json(sources: &Sources, problems: &[Diagnostic]) -> Vec<DiagnosticJson> {
    let mut sorted = problems.to_vec();
    sort_by_position(&mut sorted);
    sorted.into_iter().map(|problem| record(sources, problem)).collect()
}

fn record(sources: &Sources, problem: Diagnostic) -> DiagnosticJson {
    let place = sources.place(&problem.span());
    let (start, end) = (place.position(), place.source.position(place.span.end));
    DiagnosticJson {
        severity: problem.severity,
        code: problem.code,
        message: problem.message,
        file: place.source.path.clone(),
        line: start.line,
        column: start.column,
        end_line: end.line,
        end_column: end.column,
        label: problem.labels.into_iter().next().map(|label| label.text).unwrap_or_default(),
        help: problem.help,
        fix: problem.fix.into_iter().map(|edit| change(sources, edit)).collect(),
    }
}

fn change(sources: &Sources, edit: Edit) -> EditJson {
    let place = sources.place(&edit.span);
    let (start, end) = (place.position(), place.source.position(place.span.end));
    EditJson {
        file: place.source.path.clone(),
        line: start.line,
        column: start.column,
        end_line: end.line,
        end_column: end.column,
        text: edit.text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::SourceText;

    #[test]
    fn a_record_says_where_in_lines_and_columns_from_one() {
        let source = SourceText::new("specs/x.toml", "é = 1\n# ü\n  kind = 2\n");
        let start = source.text.find("kind").unwrap();
        let problem = Diagnostic::error("S0201", "unknown key `kind`", start..start + 4, "here")
            .fix("drop it", [Edit::new(start - 2..start + 8, "")]);
        let expected = serde_json::json!([{
            "severity": "error", "code": "S0201", "message": "unknown key `kind`", "file": "specs/x.toml",
            "line": 3, "column": 3, "end_line": 3, "end_column": 7, "label": "here", "help": "drop it",
            "fix": [{ "file": "specs/x.toml", "line": 3, "column": 1, "end_line": 3, "end_column": 11, "text": "" }],
        }]);
        assert_eq!(serde_json::to_value(to_json(&Sources::of(source), &[problem])).unwrap(), expected);
    }
}
