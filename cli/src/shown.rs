//! Text that a program or a file has written -> the same text as it may be shown: what would move the cursor, change
//! colours or turn the direction of writing stands there as its number.

use std::borrow::Cow;
use std::fmt::Write;

/// The text with its control characters escaped: `\x1b[31m` for a red that nobody asked for. Line ends and tabs stay.
///
/// The same on a terminal and in a pipe: what is written into a file or a log of CI ends up on a terminal later.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hostile) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    // Programs that write for other systems end lines so; it says nothing, and four characters for it would.
    for c in text.replace("\r\n", "\n").chars() {
        let written = match c {
            c if !is_hostile(c) => safe.write_char(c),
            c if c.is_ascii() => write!(safe, "\\x{:02x}", u32::from(c)),
            c => write!(safe, "\\u{{{:x}}}", u32::from(c)),
        };
        written.expect("a string takes all that is written to it");
    }
    Cow::Owned(safe)
}

/// Controls of both sets, and the marks that let text be read in another order than it is written in (CVE-2021-42574).
fn is_hostile(c: char) -> bool {
    let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || c.is_control() && c != '\n' && c != '\t'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown_as_its_number() {
        assert_eq!(shown("\x1b[31m\x1b]0;title\x07\0\x7f\u{9b}2J"), r"\x1b[31m\x1b]0;title\x07\x00\x7f\u{9b}2J");
        assert_eq!(shown("50%\r60%\r\n\u{202e}evil\u{2066}"), "50%\\x0d60%\n\\u{202e}evil\\u{2066}");
    }

    #[test]
    fn text_of_any_language_stays_as_it_is() {
        let text = "größer\tals 10 µm\n日本語 👩‍👧 اَلْعَرَبِيَّةُ \\x1b";
        assert!(matches!(shown(text), Cow::Borrowed(same) if same == text));
    }
}
