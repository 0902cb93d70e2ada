//! A log that grows -> the lines that came since the last look. Also: of a text its last lines.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

/// How much is read at once.
const PIECE: u64 = 1 << 20;

/// A log and how far it was read.
pub(crate) struct Tail {
    path: PathBuf,
    read: u64,
    /// The beginning of a line whose end has not come yet.
    begun: Vec<u8>,
}

impl Tail {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, read: 0, begun: Vec::new() }
    }

    /// The whole lines that came since the last look, without their ends. A log that is not there yet has none.
    pub(crate) fn lines(&mut self) -> io::Result<Vec<String>> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        file.seek(SeekFrom::Start(self.read))?;
        let mut lines = Vec::new();
        loop {
            let got = (&mut file).take(PIECE).read_to_end(&mut self.begun)?;
            if got == 0 {
                return Ok(lines);
            }
            self.read += got as u64;
            while let Some(end) = self.begun.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.begun.drain(..=end).collect();
                lines.push(String::from_utf8_lossy(&line[..end]).into_owned());
            }
        }
    }

    /// The last line when it has no end, for a log that does not grow any more.
    pub(crate) fn rest(&mut self) -> Option<String> {
        let rest = std::mem::take(&mut self.begun);
        (!rest.is_empty()).then(|| String::from_utf8_lossy(&rest).into_owned())
    }
}

/// The last so many lines of a text.
pub(crate) fn last(text: &str, lines: usize) -> &str {
    let body = text.strip_suffix('\n').unwrap_or(text);
    match (lines, body.rmatch_indices('\n').nth(lines.saturating_sub(1))) {
        (0, _) => "",
        (_, Some((before, _))) => &text[before + 1..],
        (_, None) => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_log_is_read_line_by_line_as_it_grows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut tail = Tail::new(path.clone());
        assert!(tail.lines().unwrap().is_empty());
        let mut log = File::create(&path).unwrap();
        log.write_all(b"one\ntw").unwrap();
        assert_eq!(tail.lines().unwrap(), ["one"]);
        log.write_all(b"o\n\nthree").unwrap();
        assert_eq!(tail.lines().unwrap(), ["two", ""]);
        assert_eq!((tail.rest().as_deref(), tail.rest()), (Some("three"), None));
    }

    #[test]
    fn the_last_lines_of_a_text_are_whole_lines() {
        let said = [0, 1, 2, 9].map(|n| last("a\nb\nc\n", n));
        assert_eq!(said, ["", "c\n", "b\nc\n", "a\nb\nc\n"]);
        assert_eq!((last("a\nb", 1), last("", 3), last("\n\n", 1)), ("b", "", "\n"));
    }
}
