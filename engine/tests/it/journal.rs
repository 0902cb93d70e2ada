//! A journal whose process is killed at any moment keeps whatever it had promised, in order and without gaps.

use crate::scheduler::seeds;
use pipe_engine::event::{Body, RunEvent, VERSION};
use pipe_engine::ids::RunId;
use pipe_engine::state::{Journal, read_only};
use pipe_engine::world::Timestamp;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Tells this binary to be the writer that is going to be killed; holds the journal's path.
const WRITER: &str = "PIPE_TEST_JOURNAL_WRITER";

/// A test for the runner and, with the variable set, the child of the one below.
#[test]
fn a_writer_goes_on_until_it_is_killed() {
    let Ok(path) = std::env::var(WRITER) else { return };
    let path = Path::new(&path);
    let journal = Journal::open(path).unwrap();
    let written = read_only::read(path, &run(), 0).unwrap().len() as u64;
    let mut out = std::io::stdout();
    for group in 0_u64.. {
        let first = written + 1 + group * 3;
        journal.append(vec![event(first), event(first + 1)]);
        journal.append(vec![event(first + 2)]);
        futures::executor::block_on(journal.flush()).unwrap();
        writeln!(out, "acknowledged {}", first + 2).and_then(|()| out.flush()).unwrap();
    }
}

#[test]
fn no_acknowledged_event_is_lost_when_its_process_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let mut acknowledged = 0;
    for kill in 0..seeds(20).min(200) {
        let heard = kill_after(&path, Duration::from_micros(u64::from(kill * 7919 % 30_011)));
        acknowledged = acknowledged.max(heard);
        let seqs: Vec<u64> = read_only::read(&path, &run(), 0).unwrap().iter().filter_map(|e| e.seq).collect();
        assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "no gaps after kill {kill}");
        assert!(seqs.len() as u64 >= acknowledged, "{} events, {acknowledged} promised", seqs.len());
    }
    assert!(acknowledged > 0, "the writers were killed before they had promised anything");
}

/// Starts a writer, lets it promise something, kills it a while later. Returns the newest event it had promised.
fn kill_after(path: &Path, rest: Duration) -> u64 {
    let mut child = writer(path);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let promised = |line: String| line.strip_prefix("acknowledged ").and_then(|n| n.parse::<u64>().ok());
    // The test runner's own words come first.
    let first = lines.by_ref().find_map(|line| promised(line.unwrap())).expect("the writer writes");
    std::thread::sleep(rest);
    child.kill().unwrap();
    child.wait().unwrap();
    lines.map_while(Result::ok).filter_map(promised).fold(first, u64::max)
}

fn writer(path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "journal::a_writer_goes_on_until_it_is_killed", "--nocapture"])
        .env(WRITER, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn run() -> RunId {
    RunId("killed".to_owned())
}

fn event(seq: u64) -> RunEvent {
    let body = Body::CancelRequested;
    RunEvent { v: VERSION, seq: Some(seq), time: Timestamp(seq), run: run(), task: None, attempt: None, body }
}
