//! One problem of a text: what is wrong, where, and what to do about it.
//!
//! Knows places as byte spans only; [`super::render`] turns them into lines and carets.

use super::source::Span;
use serde::Serialize;

/// Whether a problem stops the reader of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The text cannot be used.
    Error,
    /// The text can be used, but says something its author probably did not mean.
    Warning,
}

/// A place in the text and what is to be said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// A few words shown under it; may be empty.
    pub text: String,
}

/// One change of the text: what stands at a place gives way to another text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What goes; empty where something is only put in.
    pub span: Span,
    /// What comes in its place; empty where something is only taken out.
    pub text: String,
}

impl Edit {
    /// Puts `text` in the place of `span`.
    pub fn new(span: Span, text: impl Into<String>) -> Self {
        Self { span, text: text.into() }
    }
}

/// One problem of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether it stops the reader.
    pub severity: Severity,
    /// One of [`super::code`].
    pub code: &'static str,
    /// What is wrong, in one line.
    pub message: String,
    /// Where: the first label is the place of the problem, the others explain it.
    pub labels: Vec<Label>,
    /// What to do about it.
    pub help: Option<String>,
    /// The changes that do what `help` says, where a program can make them; empty elsewhere. None overlaps another.
    pub fix: Vec<Edit>,
}

impl Diagnostic {
    /// An error at `span`. `label` is shown under the place and may be empty.
    pub fn error(code: &'static str, message: impl Into<String>, span: Span, label: impl Into<String>) -> Self {
        let labels = vec![Label { span, text: label.into() }];
        Self { severity: Severity::Error, code, message: message.into(), labels, help: None, fix: Vec::new() }
    }

    /// A warning at `span`. `label` is shown under the place and may be empty.
    pub fn warning(code: &'static str, message: impl Into<String>, span: Span, label: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message, span, label) }
    }

    /// Adds a second place that explains the first.
    #[must_use]
    pub fn and(mut self, span: Span, label: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: label.into() });
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says what to do about it, and how a program does it.
    #[must_use]
    pub fn fix(self, help: impl Into<String>, edits: impl IntoIterator<Item = Edit>) -> Self {
        Self { fix: edits.into_iter().collect(), ..self.help(help) }
    }

    /// The place of the problem. A problem without any label is about the whole file, so it is at its start.
    pub fn span(&self) -> Span {
        self.labels.first().map_or(0..0, |label| label.span.clone())
    }
}

/// Puts problems in the order in which a person meets them in the text. Problems at one place keep their order.
pub fn sort_by_position(problems: &mut [Diagnostic]) {
    problems.sort_by_key(|problem| problem.span().start);
}

/// How many problems of one spec are told. A hostile one has a million, and nobody reads more than the first few.
pub const MOST_PROBLEMS: usize = 100;

/// Puts problems in order and drops what is more than [`MOST_PROBLEMS`], warnings before errors.
pub fn keep_few(problems: &mut Vec<Diagnostic>) {
    sort_by_position(problems);
    if problems.len() > MOST_PROBLEMS {
        problems.sort_by_key(|problem| problem.severity == Severity::Warning);
        problems.truncate(MOST_PROBLEMS);
        sort_by_position(problems);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_very_many_problems_the_first_errors_are_kept() {
        let warning = |at| Diagnostic::warning("S0201", "w", at..at, "");
        let mut problems: Vec<Diagnostic> = (0..200).map(warning).collect();
        problems.push(Diagnostic::error("S0202", "e", 500..500, ""));
        keep_few(&mut problems);
        assert_eq!(problems.len(), MOST_PROBLEMS);
        assert_eq!((problems[0].span(), problems[98].span(), problems[99].span()), (0..0, 98..98, 500..500));
    }
}
