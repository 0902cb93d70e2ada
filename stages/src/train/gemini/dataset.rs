//! A file of examples -> the same with clips where Google finds them, beside the attempt; or what is wrong with it.

use super::clips::Clips;
use super::example::{Seen, check};
use super::limits::{LIMITS, PAGES};
use pipe_engine::failure::Failure;
use pipe_engine::manifest::FileEntry;
use pipe_engine::stage::Desk;
use serde_json::Value as Json;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;

/// How many examples are told of that are wrong.
const TOLD: usize = 5;

/// What a file of examples holds.
#[derive(Debug, Default)]
pub(super) struct Examples {
    /// Where its copy lies.
    pub(super) uri: String,
    count: u64,
    has_media: bool,
    /// About how many tokens it has; `None` where that cannot be told.
    pub(super) tokens: Option<u64>,
    /// The resolution of media that its examples name; `None` as long as there is no example.
    pub(super) resolution: Option<String>,
    bytes: u64,
    wrong: Vec<String>,
    wrong_count: u64,
}

/// Checks a file of examples, and lays its copy beside the attempt. Nothing is laid there of one that is wrong.
///
/// # Errors
/// What is wrong, or why it cannot be read or written.
pub(super) fn copied(file: &FileEntry, validates: bool, clips: &Clips, desk: &dyn Desk) -> Result<Examples, Failure> {
    let (from, draft) = (desk.brought(file)?, desk.draft(&file.path)?);
    let checked = copy(&from, &draft, clips).and_then(|examples| {
        examples.check(validates).map_err(|failure| failure.on(file.path.clone()))?;
        Ok(examples)
    });
    match checked {
        Ok(examples) => Ok(Examples { uri: desk.lay(&file.path, &draft)?, ..examples }),
        Err(failure) => {
            let _ = fs::remove_file(draft);
            Err(failure)
        }
    }
}

fn copy(from: &Path, to: &Path, clips: &Clips) -> Result<Examples, Failure> {
    let read_failed = |e: io::Error| Failure::io("read", from, &e);
    let write_failed = |e: io::Error| Failure::io("write", to, &e);
    let lines = BufReader::new(File::open(from).map_err(read_failed)?).lines();
    let mut copy = BufWriter::new(File::create(to).map_err(write_failed)?);
    let mut examples = Examples { tokens: Some(0), ..Examples::default() };
    for (number, line) in (1..).zip(lines) {
        let line = line.map_err(read_failed)?;
        if line.trim().is_empty() {
            continue;
        }
        if let Some(text) = examples.take(number, &line, clips) {
            copy.write_all(text.as_bytes()).and_then(|()| copy.write_all(b"\n")).map_err(write_failed)?;
            examples.bytes += text.len() as u64 + 1;
        }
    }
    copy.flush().map_err(write_failed)?;
    Ok(examples)
}

impl Examples {
    /// An example as it is laid down, if nothing is wrong with it.
    fn take(&mut self, number: u64, line: &str, clips: &Clips) -> Option<String> {
        self.count += 1;
        let mut example: Json = match serde_json::from_str(line) {
            Ok(example) => example,
            Err(error) => {
                self.refuse(number, &format!("it is no JSON: {error}"));
                return None;
            }
        };
        match check(&mut example, clips) {
            Ok(seen) if self.is_alike(&seen) => {
                self.tokens = self.tokens.zip(seen.tokens).map(|(before, more)| before + more);
                self.has_media |= seen.has_media;
                Some(example.to_string())
            }
            Ok(seen) => {
                let first = self.resolution.clone().unwrap_or_default();
                let why = format!("its mediaResolution is `{}`, and that of the first `{first}`", seen.resolution);
                self.refuse(number, &why);
                None
            }
            Err(why) => {
                self.refuse(number, &why);
                None
            }
        }
    }

    /// Whether an example has the resolution of media that all others have.
    fn is_alike(&mut self, seen: &Seen) -> bool {
        *self.resolution.get_or_insert_with(|| seen.resolution.clone()) == seen.resolution
    }

    fn refuse(&mut self, number: u64, why: &str) {
        self.wrong_count += 1;
        if self.wrong.len() < TOLD {
            self.wrong.push(format!("line {number}: {why}"));
        }
    }

    fn check(&self, validates: bool) -> Result<(), Failure> {
        if self.wrong_count > 0 {
            let message = format!("{} of {} examples are none that a tuning takes", self.wrong_count, self.count);
            let more = if self.wrong_count > self.wrong.len() as u64 { "; ..." } else { "" };
            return Err(Failure::failed("bad_examples", message)
                .source(format!("{}{more}", self.wrong.join("; ")))
                .help(format!("mend the template or the clips; nobody was asked for anything. The limits: {PAGES}")));
        }
        let most = match (validates, self.has_media) {
            (true, _) => LIMITS.examples_to_validate,
            (false, true) => LIMITS.examples_with_media,
            (false, false) => LIMITS.examples,
        };
        let beyond = |what: String| {
            let message = format!("it has {what}");
            Err(Failure::failed("too_many_examples", message).help(format!("take fewer. The limits: {PAGES}")))
        };
        match (self.count, self.bytes) {
            (0, _) => Err(Failure::failed("no_examples", "there are no examples to tune with")),
            (count, _) if count > most => beyond(format!("{count} examples, and at most {most} are taken")),
            (_, bytes) if bytes > LIMITS.bytes => {
                beyond(format!("{bytes} bytes, and at most {} are taken", LIMITS.bytes))
            }
            _ => Ok(()),
        }
    }
}
