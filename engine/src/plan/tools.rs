//! The programs that stages declare -> which are not on this machine, or are there in another version.

use super::{Plan, code};
use crate::backend::LOCAL;
use crate::spec::Spec;
use crate::spec::node::PathPart;
use crate::text::{Diagnostic, Span};
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// How programs are asked for their version, one after the other.
const QUESTIONS: [&str; 2] = ["--version", "-version"];
/// How long a program may think about its version.
const LONGEST: Duration = Duration::from_secs(10);
/// How often, and how long each time, a program is waited for that has closed its outputs.
const PATIENCE: usize = 400;
const MOMENT: Duration = Duration::from_millis(5);
/// How much of what it says is read.
const MOST: u64 = 64 * 1024;
/// How much of it is shown.
const SHOWN: usize = 80;

/// What a program says of itself.
type Answer = Result<String, String>;

/// The problems of all programs that tasks on this machine need. Each is asked once, all at the same time.
pub(super) fn wrong(spec: &Spec, plan: &Plan) -> Vec<Diagnostic> {
    let here = plan.stages.iter().filter(|stage| stage.settings.backend == LOCAL);
    let wanted = here.flat_map(|stage| stage.settings.tools.iter().map(move |(tool, version)| (stage, tool, version)));
    let wanted: Vec<_> = wanted.collect();
    let names: BTreeMap<&str, ()> = wanted.iter().map(|(_, tool, _)| (tool.as_str(), ())).collect();
    let answers: BTreeMap<&str, Answer> = std::thread::scope(|scope| {
        let asked: Vec<_> = names.into_keys().map(|name| (name, scope.spawn(move || ask(name)))).collect();
        let answer = |thread: std::thread::ScopedJoinHandle<'_, Answer>| thread.join().unwrap_or(Err(String::new()));
        asked.into_iter().map(|(name, thread)| (name, answer(thread))).collect()
    });
    let place = |stage: &str, tool: &str| {
        let written = spec.stages.iter().find(|written| written.name.value == stage);
        written.map_or(0..0, |s| s.common.at(&[PathPart::from("tools"), PathPart::from(tool)]).span.clone())
    };
    let judged = wanted
        .iter()
        .filter_map(|(stage, tool, version)| judge(tool, version, &answers[tool.as_str()], place(&stage.name, tool)));
    judged.collect()
}

fn judge(tool: &str, version: &str, answer: &Answer, span: Span) -> Option<Diagnostic> {
    match answer {
        Err(why) => {
            let message = format!("the program `{tool}` cannot be asked for its version: {why}");
            let help = format!("install {tool} {version}, and see that it is on PATH");
            Some(Diagnostic::error(code::MISSING_TOOL, message, span, "").help(help))
        }
        Ok(said) if says(said, version) => None,
        Ok(said) => {
            let line = said.lines().find(|line| line.contains(|c: char| c.is_ascii_digit())).unwrap_or_default();
            let line: String = line.trim().chars().take(SHOWN).collect();
            let message = format!("`{tool}` is not of version {version}: it says \"{line}\"");
            let help =
                format!("install {tool} {version}, or write the version that is here: results are made anew then");
            Some(Diagnostic::error(code::OTHER_TOOL, message, span, "").help(help))
        }
    }
}

/// Whether one of the version numbers in a text begins with the wanted one: `3.11.4` begins with `3.11` and with `3`, and
/// `3.110` does not.
fn says(text: &str, wanted: &str) -> bool {
    let is_part = |c: char| c.is_ascii_digit() || c == '.';
    !wanted.is_empty()
        && text.match_indices(wanted).any(|(at, _)| {
            let (before, after) = (&text[..at], &text[at + wanted.len()..]);
            !before.ends_with(is_part) && !after.starts_with(|c: char| c.is_alphanumeric() || c == '_')
        })
}

/// What a program says when it is asked for its version; else why it does not.
fn ask(program: &str) -> Answer {
    if program.contains('/') {
        return Err("a tool is named without its folder".to_owned());
    }
    let mut grumbled = None;
    for question in QUESTIONS {
        let (is_well, said) = run(program, question).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => "it is not on PATH".to_owned(),
            io::ErrorKind::TimedOut => format!("`{program} {question}` does not end"),
            _ => error.to_string(),
        })?;
        match said.contains(|c: char| c.is_ascii_digit()) {
            true if is_well => return Ok(said),
            true => grumbled = grumbled.or(Some(said)),
            false => {}
        }
    }
    // A program that fails may have told its version all the same.
    grumbled.ok_or_else(|| format!("neither `{program} --version` nor `{program} -version` tells one"))
}

/// Whether a program ends well, and what it writes to whichever of its two outputs.
fn run(program: &str, argument: &str) -> io::Result<(bool, String)> {
    let mut command = Command::new(program);
    command.arg(argument).env("LC_ALL", "C.UTF-8").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let (said, heard) = channel();
    let pipes: [Option<Box<dyn Read + Send>>; 2] =
        [child.stdout.take().map(|p| Box::new(p) as _), child.stderr.take().map(|p| Box::new(p) as _)];
    for (place, pipe) in pipes.into_iter().enumerate() {
        let said = said.clone();
        std::thread::spawn(move || drop(said.send((place, read(pipe)))));
    }
    let mut texts = [String::new(), String::new()];
    for _ in 0..texts.len() {
        match heard.recv_timeout(LONGEST) {
            Ok((place, text)) => texts[place] = text,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Err(end(child)),
        }
    }
    // Both pipes are closed, so it has nothing more to say, and as a rule has ended.
    for _ in 0..PATIENCE {
        if let Some(status) = child.try_wait()? {
            return Ok((status.success(), texts.concat()));
        }
        std::thread::sleep(MOMENT);
    }
    Err(end(child))
}

fn read(pipe: Option<Box<dyn Read + Send>>) -> String {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        let _ = pipe.take(MOST).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn end(mut child: Child) -> io::Error {
    let _ = child.kill();
    let _ = child.wait();
    io::ErrorKind::TimedOut.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_the_beginning_of_one_that_is_told() {
        // What the programs print on Debian 12.
        let cases = [
            ("Python 3.11.2", "3.11", true),
            ("Python 3.11.2", "3.1", false),
            ("Python 3.11.2", "3", true),
            ("Python 3.11.2", "11.2", false),
            ("ffmpeg version 5.1.6-0+deb12u1 Copyright (c) 2000-2024", "5.1", true),
            ("ffmpeg version n7.1-static", "7.1", true),
            ("OpenSSL 3.0.15 3 Sep 2024", "3.0.15", true),
            ("OpenSSL 1.1.1w", "1.1.1", false),
            ("go version go1.22.1 linux/amd64", "1.22", true),
            ("x 7.1rc1", "7.1", false),
        ];
        for (said, wanted, is) in cases {
            assert_eq!(says(said, wanted), is, "{said} {wanted}");
        }
    }

    #[test]
    fn a_program_tells_its_version_and_one_that_is_not_there_is_told() {
        assert_eq!(ask("no-such-program-here"), Err("it is not on PATH".to_owned()));
        assert!(ask("tar").is_ok_and(|said| said.contains("tar")));
    }
}
