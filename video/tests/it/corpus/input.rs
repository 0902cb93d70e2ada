//! The folder of hard videos and the table that lies in it -> what is asked of each.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use pipe_video::Span;

/// One hard video.
pub(crate) struct Hard {
    pub(crate) path: PathBuf,
    pub(crate) name: String,
    /// What is hard about it, in words.
    pub(crate) what: String,
    /// Whether copying must be possible.
    pub(crate) smart: bool,
    pub(crate) spans: Vec<Span>,
    /// How many of the spans are the table's. The others may lie between two frames.
    pub(crate) asked: usize,
    pub(crate) refused: Refused,
    /// Frames a second, where the number that a frame carries tells its time.
    pub(crate) rate: Option<[i128; 2]>,
    /// The number of the frame that is shown at 0.
    pub(crate) zero: i128,
    /// The video whose full decode tells what is right: itself, or what it was before it was damaged.
    pub(crate) truth: PathBuf,
}

/// What may be refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    Nothing,
    /// Everything, with an error of this kind; `any`: of any.
    All(String),
    /// Clips that touch this part. Milliseconds.
    Part(u64, u64),
}

/// Makes the hard videos where they are missing.
pub(crate) fn all() -> Vec<Hard> {
    let folder = told(&[]);
    let table = std::fs::read_to_string(folder.join("corpus.tsv")).unwrap();
    table.lines().map(|line| read(&folder, line)).collect()
}

/// The program that they are made with, of another version than the libraries.
pub(crate) fn ffmpeg() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| told(&["ffmpeg"]))
}

/// The path that the script prints.
fn told(arguments: &[&str]) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/corpus.py");
    let made = Command::new("python3").arg(&script).args(arguments).stderr(Stdio::inherit()).output().unwrap();
    assert!(made.status.success(), "{} failed", script.display());
    PathBuf::from(String::from_utf8(made.stdout).unwrap().trim())
}

fn read(folder: &Path, line: &str) -> Hard {
    let cells: Vec<&str> = line.split('\t').collect();
    let [name, what, smart, spans, refused, rate, zero, truth] = cells[..] else { panic!("{line}") };
    let path = folder.join(name);
    Hard {
        truth: if truth == "-" { path.clone() } else { folder.join(truth) },
        path,
        name: name.to_owned(),
        what: what.to_owned(),
        smart: smart == "smart",
        asked: spans.split(' ').count(),
        spans: all_spans(spans.split(' ').map(span).collect()),
        refused: refusal(refused),
        rate: (rate != "-").then(|| {
            let (num, den) = rate.split_once('/').unwrap_or((rate, "1"));
            [num.parse().unwrap(), den.parse().unwrap()]
        }),
        zero: zero.parse().unwrap(),
    }
}

/// The spans of the table, and as many more as `PIPE_TEST_CLIPS` says: a fixed walk that meets every remainder of a frame.
fn all_spans(mut spans: Vec<Span>) -> Vec<Span> {
    let more = std::env::var("PIPE_TEST_CLIPS").map_or(0, |count| count.parse().unwrap());
    let end = spans.iter().map(|span| span.end_ms).max().unwrap_or(0);
    for i in 0..more {
        let start_ms = i * 397 % end.saturating_sub(200).max(1);
        spans.push(Span { start_ms, end_ms: (start_ms + 50 + i * 211 % 1940).min(end) });
    }
    spans
}

fn span(text: &str) -> Span {
    let (start, end) = text.split_once('-').unwrap();
    Span { start_ms: start.parse().unwrap(), end_ms: end.parse().unwrap() }
}

fn refusal(text: &str) -> Refused {
    match text.split_once('-') {
        None => Refused::All(text.to_owned()),
        Some(("", "")) => Refused::Nothing,
        Some((from, "")) => Refused::Part(from.parse().unwrap(), u64::MAX),
        Some((from, to)) => Refused::Part(from.parse().unwrap(), to.parse().unwrap()),
    }
}
