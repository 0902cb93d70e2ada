//! The files one spec is made of, laid end to end, so that a byte span says in which of them it lies.
//!
//! Readers of a file see offsets from 0; what they found is moved to the file's place here before it is kept. Values
//! that come from no file, such as `-P` on the command line, have a text of their own with a name in angle brackets.

use super::diagnostic::Diagnostic;
use super::source::{Position, SourceText, Span};
use std::ops::Range;

/// The texts, in the order they were read; the spec itself is the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    files: Vec<Placed>,
}

/// A text and where its first byte lies among all.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Placed {
    start: usize,
    source: SourceText,
}

/// A place in one of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The file.
    pub source: &'a SourceText,
    /// The bytes of that file.
    pub span: Span,
}

impl Place<'_> {
    /// The line and column it begins at.
    pub fn position(&self) -> Position {
        self.source.position(self.span.start)
    }
}

impl std::fmt::Display for Place<'_> {
    /// `specs/x.toml:3:7`.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Position { line, column } = self.position();
        write!(out, "{}:{line}:{column}", self.source.path)
    }
}

impl Sources {
    /// One file.
    pub fn of(source: SourceText) -> Self {
        let mut sources = Self::default();
        sources.add(source);
        sources
    }

    /// Takes a text in and says by how much its spans are moved.
    ///
    /// One byte stays free between two texts, so that the end of one is not the beginning of the next.
    pub fn add(&mut self, source: SourceText) -> usize {
        let start = self.files.last().map_or(0, |last| last.start + last.source.text.len() + 1);
        self.files.push(Placed { start, source });
        start
    }

    /// Puts asterisks over what must not be shown. Every other byte keeps its place.
    pub fn hide(&mut self, span: &Span) {
        let Placed { start, source } = self.placed(span.start);
        let place = source.clamp(&(span.start.saturating_sub(*start)..span.end.saturating_sub(*start)));
        let hidden = asterisks(&source.text[place.clone()]);
        let index = self.files.partition_point(|placed| placed.start <= span.start).saturating_sub(1);
        if let Some(file) = self.files.get_mut(index) {
            file.source.text.replace_range(place, &hidden);
        }
    }

    /// The first text: the spec itself.
    pub fn main(&self) -> &SourceText {
        &self.placed(0).source
    }

    /// All texts.
    pub fn files(&self) -> impl Iterator<Item = &SourceText> {
        self.files.iter().map(|placed| &placed.source)
    }

    /// Where a span lies. One that reaches beyond its file ends with it.
    pub fn place(&self, span: &Span) -> Place<'_> {
        let Placed { start, source } = self.placed(span.start);
        let local = span.start.saturating_sub(*start)..span.end.saturating_sub(*start);
        Place { span: source.clamp(&local), source }
    }

    /// The bytes that the file at `offset` takes up among all.
    pub fn extent(&self, offset: usize) -> Range<usize> {
        let Placed { start, source } = self.placed(offset);
        *start..start + source.text.len() + 1
    }

    fn placed(&self, offset: usize) -> &Placed {
        let after = self.files.partition_point(|placed| placed.start <= offset);
        self.files.get(after.saturating_sub(1)).expect("there is always the spec itself")
    }
}

/// An asterisk for each byte; lines end where they did.
pub fn asterisks(text: &str) -> String {
    text.bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { char::from(byte) } else { '*' }).collect()
}

/// Moves what a reader found in one text to that text's place among all.
pub fn moved(mut problems: Vec<Diagnostic>, by: usize) -> Vec<Diagnostic> {
    let move_on = |span: &mut Span| *span = span.start + by..span.end + by;
    for problem in &mut problems {
        problem.labels.iter_mut().for_each(|label| move_on(&mut label.span));
        problem.fix.iter_mut().for_each(|edit| move_on(&mut edit.span));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> (Sources, [usize; 3]) {
        let mut sources = Sources::default();
        let starts =
            [("a", "one\ntwo\n"), ("b", ""), ("c", "é = 1\n")].map(|(p, t)| sources.add(SourceText::new(p, t)));
        (sources, starts)
    }

    #[test]
    fn a_span_is_told_in_the_lines_of_its_own_file() {
        let (sources, [_, b, c]) = three();
        assert_eq!(sources.place(&(4..7)).to_string(), "a:2:1");
        assert_eq!(sources.place(&(b..b)).to_string(), "b:1:1");
        assert_eq!(sources.place(&(c + 3..c + 4)).to_string(), "c:1:3");
    }

    #[test]
    fn the_end_of_a_file_is_not_the_beginning_of_the_next() {
        let (sources, _) = three();
        assert_eq!(sources.place(&(8..8)).to_string(), "a:3:1");
        assert_eq!(sources.place(&(2..400)).span, 2..8);
    }
}
