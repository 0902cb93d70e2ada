//! A file's text, byte ranges in it, and the line and column a byte is on.
//!
//! Knows nothing of what the text means, nor where it was read from: `path` is only shown.

use std::ops::Range;

/// A byte range in one source file.
pub type Span = Range<usize>;

/// A value together with where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// The bytes it was read from.
    pub span: Span,
}

/// The text of one file and the name it is shown under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceText {
    /// The path as a person would write it, e.g. `specs/week.toml`.
    pub path: String,
    /// The whole text.
    pub text: String,
}

/// A place as editors count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
}

impl SourceText {
    /// Puts a path and a text together.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    /// The line and column of the byte at `offset`. An offset past the end is the end; one inside a character is its start.
    pub fn position(&self, offset: usize) -> Position {
        let before = &self.text[..self.floor(offset)];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Position {
            line: before.bytes().filter(|&byte| byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    /// The nearest span that lies inside the text, on whole characters, and does not run backwards.
    ///
    /// Spans come from several parsers, and some end past the end of the file or inside a character.
    pub fn clamp(&self, span: &Span) -> Span {
        let start = self.floor(span.start);
        let end = self.floor(span.end).max(start);
        if end < span.end && end < self.text.len() { start..self.ceil(end + 1) } else { start..end }
    }

    fn floor(&self, offset: usize) -> usize {
        let mut at = offset.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }

    fn ceil(&self, offset: usize) -> usize {
        let mut at = offset.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at += 1;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_counts_characters_and_not_bytes() {
        let source = SourceText::new("x", "a = 1\ncafé = 2\n");
        assert_eq!(source.position(source.text.find("= 2").unwrap()), Position { line: 2, column: 6 });
    }

    #[test]
    fn the_end_of_the_file_and_beyond_have_a_position() {
        let source = SourceText::new("x", "a\n");
        assert_eq!(source.position(2), Position { line: 2, column: 1 });
        assert_eq!(source.position(99), Position { line: 2, column: 1 });
    }

    #[test]
    fn a_span_inside_a_character_grows_to_the_whole_character() {
        let source = SourceText::new("x", "aéb");
        assert_eq!(source.clamp(&(2..2)), 1..3);
        assert_eq!(source.clamp(&(0..2)), 0..3);
        assert_eq!(source.clamp(&Span { start: 3, end: 1 }), 3..3);
        assert_eq!(source.clamp(&(7..9)), 4..4);
    }
}
