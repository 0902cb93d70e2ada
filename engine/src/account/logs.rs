//! The tasks of a run that went wrong -> the last lines that each wrote.

use crate::report::{RunView, Standing, TaskView};
use crate::state::StateFolder;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Serialize;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Tasks whose lines are told: where a thousand fail, they mostly say the same.
const TASKS: usize = 100;
/// Lines of each.
const LINES: usize = 30;
/// Bytes of a log that are looked at.
const BYTES: u64 = 16 << 10;

/// The end of what an attempt wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LogTail {
    /// Where all of it lies.
    pub path: String,
    /// Its last lines.
    pub lines: Vec<String>,
    /// Whether there is more before them.
    pub is_cut: bool,
}

/// The last lines of what failed; `died`: and of what ran when the engine died.
pub(super) fn of(run: &RunView, died: bool, state: &StateFolder) -> IndexMap<String, LogTail> {
    let is_wrong = |task: &TaskView| task.failure.is_some() || died && task.standing == Standing::Running;
    let wrong = run.tasks.iter().filter(|(_, task)| is_wrong(task));
    let tails = wrong.filter_map(|(name, task)| {
        let path = state.attempt(task.attempts.last()?.id.as_ref()?).join("log");
        // A log that is gone, or cannot be read, is no reason to tell nothing of the run.
        let (lines, is_cut) = tail(&path).ok()?;
        Some((name.clone(), LogTail { path: path.display().to_string(), lines, is_cut }))
    });
    tails.take(TASKS).collect()
}

/// The last whole lines of a file, and whether there are more.
fn tail(path: &Path) -> io::Result<(Vec<String>, bool)> {
    let mut file = File::open(path)?;
    let begin = file.metadata()?.len().saturating_sub(BYTES);
    file.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::new();
    file.take(BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    // Where it begins amid a line, that line is left out, unless it is all there is.
    let whole = if begin > 0 && lines.len() > 1 { &lines[1..] } else { &lines[..] };
    let kept = &whole[whole.len().saturating_sub(LINES)..];
    Ok((kept.iter().map(|line| (*line).to_owned()).collect(), begin > 0 || kept.len() < whole.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn of_a_long_log_the_last_lines_are_told_and_that_there_are_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, "one\ntwo\n").unwrap();
        assert_eq!(tail(&path).unwrap(), (vec!["one".into(), "two".into()], false));
        let many: String = (0..5000).map(|n| format!("line {n}\n")).collect();
        fs::write(&path, many).unwrap();
        let (lines, is_cut) = tail(&path).unwrap();
        assert_eq!((lines.len(), lines[0].as_str(), lines[29].as_str()), (30, "line 4970", "line 4999"));
        assert!(is_cut);
        // One line of more than is looked at, which is no text either.
        fs::write(&path, vec![0xff; 40_000]).unwrap();
        let (lines, is_cut) = tail(&path).unwrap();
        assert!(lines.len() == 1 && is_cut, "{lines:?}");
    }
}
