//! Text -> the terminal or the pipe behind stdout and stderr: data on the one, talk on the other. Decides about
//! colours, and never fails because nobody reads any more.

use clap::ValueEnum;
use indicatif::MultiProgress;
use std::io::{self, IsTerminal, Write};

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What a piece of text is, which decides how it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Strong,
    Faint,
    Good,
    Error,
    Warning,
    Help,
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "1",
            Self::Faint => "2",
            Self::Good => "32",
            Self::Error => "1;31",
            Self::Warning => "33",
            Self::Help => "1;36",
        }
    }
}

/// Where text goes and how it may look there.
#[derive(Clone)]
pub(crate) struct Printer {
    /// Whether stdout carries JSON.
    pub(crate) json: bool,
    color_out: bool,
    color_err: bool,
    /// Whether stdout is a terminal that can be drawn over.
    draws_out: bool,
    /// Whether bars can be drawn on stderr.
    pub(crate) live: bool,
    /// The bars on stderr, which step aside for lines of text.
    pub(crate) bars: MultiProgress,
}

impl Printer {
    pub(crate) fn new(color: ColorChoice, json: bool) -> Self {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let decide = |terminal: bool| match color {
            ColorChoice::Auto => terminal && !no_color,
            ColorChoice::Always => true,
            ColorChoice::Never => false,
        };
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            json,
            color_out: decide(io::stdout().is_terminal()),
            color_err: decide(io::stderr().is_terminal()),
            draws_out: io::stdout().is_terminal() && !dumb && !json,
            live: io::stderr().is_terminal() && !dumb && !json,
            bars: MultiProgress::new(),
        }
    }

    /// Data, on stdout. A reader that has left (`| head`) is no error.
    ///
    /// # Errors
    /// When stdout cannot be written for another reason, such as a full disk.
    pub(crate) fn data(&self, text: &str) -> io::Result<()> {
        self.bytes(text.as_bytes()).map(drop)
    }

    /// As [`Printer::data`], of bytes that need not be text. Returns whether anybody still reads.
    ///
    /// # Errors
    /// As [`Printer::data`].
    pub(crate) fn bytes(&self, bytes: &[u8]) -> io::Result<bool> {
        let mut out = io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            written => written.map(|()| true),
        }
    }

    /// A JSON document on stdout, for people to read too.
    ///
    /// # Errors
    /// As [`Printer::data`].
    pub(crate) fn document(&self, value: &impl serde::Serialize) -> io::Result<()> {
        let text = serde_json::to_string_pretty(value).expect("our documents have string keys and finite numbers");
        self.data(&(text + "\n"))
    }

    /// A line of talk, on stderr, above the bars.
    pub(crate) fn line(&self, text: &str) {
        // Talk that nobody can hear is no reason to stop working.
        self.bars.suspend(|| drop(writeln!(io::stderr(), "{text}")));
    }

    pub(crate) fn paint_out(&self, style: Style, text: &str) -> String {
        paint(self.color_out, style, text)
    }

    pub(crate) fn paint_err(&self, style: Style, text: &str) -> String {
        paint(self.color_err, style, text)
    }

    /// Whether data may be drawn over by newer data.
    pub(crate) fn redraws(&self) -> bool {
        self.draws_out
    }

    /// Whether talk may be coloured.
    pub(crate) fn colors_talk(&self) -> bool {
        self.color_err
    }
}

fn paint(colored: bool, style: Style, text: &str) -> String {
    match style.code() {
        code if colored && !code.is_empty() => format!("\x1b[{code}m{text}\x1b[0m"),
        _ => text.to_owned(),
    }
}
