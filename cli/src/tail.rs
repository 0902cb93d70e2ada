//! A log -> its lines piece by piece, from its beginning or from its last lines, now and as it grows. However long the log
//! is, no more than a piece of it is held.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

/// How much is read at once.
const PIECE: usize = 64 << 10;
/// A line that is longer is handed over in parts.
const LONGEST: usize = 1 << 20;

/// A log and how far it was read.
pub(crate) struct Tail {
    path: PathBuf,
    /// Open as soon as it is there.
    file: Option<File>,
    /// What was read last. It ends with the beginning of a line whose end has not come yet.
    held: Vec<u8>,
    /// How much of this was handed over.
    given: usize,
}

impl Tail {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, file: None, held: Vec::new(), given: 0 }
    }

    /// The next whole lines, with their ends. `None` when no more have come yet, also while there is no log.
    pub(crate) fn next(&mut self) -> io::Result<Option<&[u8]>> {
        self.held.drain(..std::mem::take(&mut self.given));
        self.open()?;
        let Some(file) = &mut self.file else { return Ok(None) };
        loop {
            let known = self.held.len();
            if file.take(PIECE as u64).read_to_end(&mut self.held)? == 0 {
                return Ok(None);
            }
            let end = self.held[known..].iter().rposition(|byte| *byte == b'\n').map(|end| known + end + 1);
            let end = end.or_else(|| Some(self.held.len()).filter(|long| *long > LONGEST));
            if let Some(end) = end {
                self.given = end;
                return Ok(Some(&self.held[..end]));
            }
        }
    }

    /// The last line when it has no end, for a log that does not grow any more.
    pub(crate) fn rest(&mut self) -> &[u8] {
        let from = std::mem::replace(&mut self.given, self.held.len());
        &self.held[from..]
    }

    /// Goes on where the last so many lines begin. Whether a last line without an end is one of them: of a log that does not
    /// grow any more it is; else it comes besides, since only its end makes it a line.
    pub(crate) fn skip_to_last(&mut self, lines: usize, is_over: bool) -> io::Result<()> {
        self.open()?;
        if let Some(file) = &mut self.file {
            let beginning = beginning_of_last(file, lines, is_over)?;
            file.seek(SeekFrom::Start(beginning))?;
        }
        (self.held, self.given) = (Vec::new(), 0);
        Ok(())
    }

    fn open(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            self.file = match File::open(&self.path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                opened => Some(opened?),
            };
        }
        Ok(())
    }
}

/// Where the last so many lines begin. Reads from the end, and no more than these lines.
fn beginning_of_last(log: &mut (impl Read + Seek), lines: usize, counts_rest: bool) -> io::Result<u64> {
    let size = log.seek(SeekFrom::End(0))?;
    let mut piece = vec![0; PIECE];
    let mut until = size;
    // So many line ends are before the first of the lines, seen from the end.
    let mut ends = None;
    while until > 0 {
        let from = until.saturating_sub(PIECE as u64);
        // At most a piece, which is a small number.
        let piece = &mut piece[..(until - from) as usize];
        log.seek(SeekFrom::Start(from))?;
        log.read_exact(piece)?;
        let ends_open = until == size && !piece.ends_with(b"\n");
        let ends = ends.get_or_insert(if ends_open && counts_rest { lines } else { lines.saturating_add(1) });
        if *ends == 0 {
            return Ok(size);
        }
        for (place, _) in piece.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            *ends -= 1;
            if *ends == 0 {
                return Ok(from + place as u64 + 1);
            }
        }
        until = from;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Write};

    fn text(piece: Option<&[u8]>) -> Option<&str> {
        piece.map(|piece| std::str::from_utf8(piece).unwrap())
    }

    #[test]
    fn a_log_is_read_line_by_line_as_it_grows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut tail = Tail::new(path.clone());
        assert_eq!(tail.next().unwrap(), None);
        let mut log = File::create(&path).unwrap();
        log.write_all(b"one\ntw").unwrap();
        assert_eq!(text(tail.next().unwrap()), Some("one\n"));
        assert_eq!(tail.next().unwrap(), None);
        log.write_all(b"o\n\nthree").unwrap();
        assert_eq!(text(tail.next().unwrap()), Some("two\n\n"));
        assert_eq!(tail.next().unwrap(), None);
        assert_eq!((tail.rest().to_vec(), tail.rest().to_vec()), (b"three".to_vec(), Vec::new()));
    }

    #[test]
    fn a_large_log_comes_whole_in_pieces_that_are_small() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let lines: String = (0..100_000).map(|n| format!("line {n}\n")).collect();
        let endless = "x".repeat(3 * LONGEST);
        std::fs::write(&path, format!("{lines}{endless}")).unwrap();
        let (mut tail, mut read, mut largest) = (Tail::new(path), Vec::new(), 0);
        while let Some(piece) = tail.next().unwrap() {
            largest = largest.max(piece.len());
            read.extend_from_slice(piece);
        }
        read.extend_from_slice(tail.rest());
        assert!(read == format!("{lines}{endless}").into_bytes());
        assert!(largest <= LONGEST + 2 * PIECE, "{largest}");
    }

    #[test]
    fn the_last_lines_of_a_log_are_whole_lines() {
        let last = |text: &str, lines, counts_rest| {
            let beginning = beginning_of_last(&mut Cursor::new(text), lines, counts_rest).unwrap();
            text[usize::try_from(beginning).unwrap()..].to_owned()
        };
        assert_eq!(
            [0, 1, 2, 3, 9].map(|n| last("a\nb\nc\n", n, true)),
            ["", "c\n", "b\nc\n", "a\nb\nc\n", "a\nb\nc\n"]
        );
        assert_eq!([last("a\nb", 1, true), last("", 3, true), last("\n\n", 1, true)], ["b", "", "\n"]);
        assert_eq!([0, 1, 2].map(|n| last("a\nb\nc", n, true)), ["", "c", "b\nc"]);
        assert_eq!([0, 1, 2].map(|n| last("a\nb\nc", n, false)), ["c", "b\nc", "a\nb\nc"]);
        assert_eq!(last("a\n", usize::MAX, true), "a\n");
        // Lines that lie across the borders of what is read at once.
        let many: String = (0..40_000).map(|n| format!("{n}\n")).collect();
        let expected: String = (10_000..40_000).map(|n| format!("{n}\n")).collect();
        assert!(last(&many, 30_000, true) == expected);
    }
}
