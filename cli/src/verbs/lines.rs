//! Pieces of logs -> stdout: as they are, each line behind the name of its task where there are several, or as JSON.

use crate::printer::{Printer, Style};
use crate::tail::Tail;
use pipe_engine::ids::{AttemptId, RunId};
use serde::{Serialize, Serializer};
use serde_json::json;
use std::cell::Cell;
use std::fmt;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

/// How the logs of one or several tasks are printed.
pub(super) struct Lines<'a> {
    pub(super) are_several: bool,
    pub(super) printer: &'a Printer,
}

impl Lines<'_> {
    /// Says whose lines come now.
    pub(super) fn header(&self, task: &str, run: &RunId, place: &str) {
        let header = format!("== {task} (run {run}, {place})");
        self.printer.line(&self.printer.paint_err(Style::Strong, &header));
    }

    /// Prints lines of a task, all of them at once. Returns whether anybody still reads.
    pub(super) fn text(&self, task: &str, lines: &[u8]) -> io::Result<bool> {
        if !self.are_several {
            return self.printer.bytes(lines);
        }
        let prefix = format!("{} ", self.printer.paint_out(Style::Faint, &format!("{task} |")));
        let mut text = Vec::with_capacity(2 * lines.len());
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            text.extend_from_slice(prefix.as_bytes());
            text.extend_from_slice(line);
            if !line.ends_with(b"\n") {
                text.push(b'\n');
            }
        }
        self.printer.bytes(&text)
    }

    /// As [`Lines::text`], each line as a document of its own.
    pub(super) fn documents(&self, task: &str, attempt: &AttemptId, run: &RunId, lines: &[u8]) -> io::Result<bool> {
        let mut text = String::with_capacity(4 * lines.len());
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(line));
            let line = json!({ "task": task, "attempt": attempt, "run": run, "line": line });
            text.push_str(&format!("{line}\n"));
        }
        self.printer.bytes(text.as_bytes())
    }
}

/// A log that is written into a document without ever being held whole.
pub(super) struct Whole {
    pub(super) path: PathBuf,
    pub(super) tail: Option<usize>,
    /// Why it could not be read to its end.
    pub(super) failed: Cell<Option<io::Error>>,
}

impl Serialize for Whole {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ended = Ok(());
        let read = each_piece(&mut Tail::new(self.path.clone()), self.tail, &mut |piece| {
            ended = f.write_str(&String::from_utf8_lossy(piece));
            Ok(ended.is_ok())
        });
        // Whoever writes the document can be told of their own errors alone.
        self.failed.set(read.err());
        ended
    }
}

/// Hands over a log, or its last lines, until nobody takes it any more. A log that is not there is of an attempt that wrote
/// nothing.
pub(super) fn each_piece(
    log: &mut Tail,
    last: Option<usize>,
    take: &mut dyn FnMut(&[u8]) -> io::Result<bool>,
) -> io::Result<()> {
    if let Some(lines) = last {
        log.skip_to_last(lines, true)?;
    }
    while let Some(piece) = log.next()? {
        if !take(piece)? {
            return Ok(());
        }
    }
    let rest = log.rest();
    if rest.is_empty() { Ok(()) } else { take(rest).map(drop) }
}

/// Writes a document to stdout as it comes to be. A reader that has left is no error.
pub(super) fn stream(document: &impl Serialize) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let written = serde_json::to_writer_pretty(&mut out, document).map_err(io::Error::from);
    match written.and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
