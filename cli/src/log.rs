//! What `PIPE_LOG` asks to be told, line by line on stderr.

use crate::printer::Printer;
use std::io::{self, Write};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

/// What `PIPE_LOG` asks for, on stderr; warnings always.
pub(crate) fn start(printer: &Printer) {
    let filter = EnvFilter::try_from_env("PIPE_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    let printer = printer.clone();
    let ansi = printer.colors_talk();
    let lines = move || Line { printer: printer.clone(), text: Vec::new() };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(lines)
        .with_ansi(ansi)
        // No time of day: the order says enough, and a span tells how long it was open.
        .with_timer(())
        .with_target(false)
        // How long each span was open, and how long something was done in it.
        .with_span_events(FmtSpan::CLOSE)
        .init();
}

/// One event of the log, printed whole so that it does not tear the bars.
struct Line {
    printer: Printer,
    text: Vec<u8>,
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.printer.line(String::from_utf8_lossy(&self.text).trim_end());
    }
}
