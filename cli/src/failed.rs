//! A task's failure -> the block of text that helps to find its cause.

use crate::printer::Style;
use crate::shown::shown;
use pipe_engine::event::JobPage;
use pipe_engine::failure::Failure;
use std::fmt::Write;

/// The task and the message, and below them what it happened on, what was said, what to do and where the log is.
pub(crate) fn block(
    paint: impl Fn(Style, &str) -> String,
    task: &str,
    failure: &Failure,
    log: Option<&String>,
) -> String {
    let mut text =
        format!("{} {}: {}", paint(Style::Error, "error:"), paint(Style::Strong, task), shown(&failure.message));
    let parts =
        [("on", failure.on.as_ref()), ("said", failure.source.as_ref()), ("help", failure.help.as_ref()), ("log", log)];
    for (name, value) in parts {
        let Some(value) = value else { continue };
        let blanks = " ".repeat(4 - name.len());
        // Several lines, such as the last words of a program, stand below each other.
        let value = shown(value.trim_end()).replace('\n', "\n        ");
        let _ = write!(text, "\n  {}{blanks} {value}", paint(Style::Help, &format!("{name}:")));
    }
    text
}

/// The job of an attempt elsewhere and where a person finds it, as lines below the block.
pub(crate) fn job(paint: impl Fn(Style, &str) -> String, page: &JobPage) -> String {
    format!("\n  {}  {}\n        {}", paint(Style::Help, "job:"), shown(&page.job), shown(&page.link))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_of_a_program_stand_below_each_other() {
        let failure = Failure::failed("exit_4", "ended with exit code 4").source("one\ntwo").help("ask");
        let text = block(|_, text| text.to_owned(), "make[i=3]", &failure, Some(&"a/log".to_owned()));
        assert_eq!(
            text,
            "error: make[i=3]: ended with exit code 4\n  said: one\n        two\n  help: ask\n  log:  a/log"
        );
    }
}
