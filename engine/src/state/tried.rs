//! The journal -> the attempts at some tasks of a pipeline, the newest first. Read for whoever asks for their logs.

use super::journal::{JournalError, read_only};
use super::prune;
use crate::ids::{AttemptId, RunId, TaskId};
use rusqlite::params;
use std::ops::ControlFlow;
use std::path::Path;

/// An attempt that a run has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Its task, as it is written.
    pub task: String,
    /// Its name.
    pub attempt: AttemptId,
    /// The run that made it.
    pub run: RunId,
}

/// Hands over the attempts at these tasks, until whoever takes them has enough. Runs are read one by one from the newest, and
/// of each no more than the names: a journal may tell of a million attempts, and most who ask want those of the last run.
///
/// # Errors
/// [`JournalError`]; a journal that is not there tells of none.
pub fn tried<'a>(
    journal: &Path,
    pipeline: &str,
    tasks: impl Iterator<Item = &'a TaskId>,
    mut take: impl FnMut(Tried) -> ControlFlow<()>,
) -> Result<(), JournalError> {
    let Some(connection) = read_only::open(journal)? else { return Ok(()) };
    let names = serde_json::to_string(&tasks.map(TaskId::to_string).collect::<Vec<_>>())?;
    // One that waits for a machine elsewhere is begun twice, by the same name.
    let mut select = connection.prepare(
        "select task, attempt from events where run = ?1 and type in ('attempt_submitting', 'attempt_started')
         and attempt is not null and task in (select value from json_each(?2))
         group by attempt order by max(seq) desc",
    )?;
    for run in prune::runs(journal)?.into_iter().filter(|run| run.pipeline == pipeline) {
        let mut rows = select.query(params![run.run.0, names])?;
        while let Some(row) = rows.next()? {
            let tried = Tried { task: row.get(0)?, attempt: AttemptId(row.get(1)?), run: run.run.clone() };
            if take(tried).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Body, RunEvent, VERSION};
    use crate::ids::Fingerprint;
    use crate::state::Journal;
    use crate::world::Timestamp;
    use serde_json::Map;

    fn begun(pipeline: &str) -> Body {
        Body::RunStarted {
            pipeline: pipeline.into(),
            spec: "s".into(),
            spec_digest: String::new(),
            params: Map::new(),
            tasks: 1,
            revision: None,
            slot: None,
            asked: None,
            site: None,
        }
    }

    fn body(is_elsewhere: bool) -> Body {
        let (fingerprint, number, backend) = (Fingerprint("f".into()), 1, "b".to_owned());
        let reason = String::new();
        if is_elsewhere {
            Body::AttemptSubmitting { fingerprint, number, backend, reason, page: None, terms: None }
        } else {
            Body::AttemptStarted { fingerprint, number, backend, reason }
        }
    }

    /// A run: its name, the second in which it began, its pipeline, and of each attempt the task, the name and whether it was
    /// elsewhere.
    type Begun<'a> = (&'a str, u64, &'a str, &'a [(&'a str, &'a str, bool)]);

    fn journal(folder: &Path, runs: &[Begun<'_>]) -> std::path::PathBuf {
        let path = folder.join("journal.db");
        let journal = Journal::open(&path).unwrap();
        for (run, second, pipeline, attempts) in runs {
            let event = |seq: u64, task: Option<&str>, attempt: Option<&str>, body| RunEvent {
                v: VERSION,
                seq: Some(seq),
                time: Timestamp(second * 1000 + seq),
                run: RunId((*run).into()),
                task: task.map(str::to_owned),
                attempt: attempt.map(|attempt| AttemptId(attempt.to_owned())),
                body,
            };
            journal.append(vec![event(1, None, None, begun(pipeline))]);
            for (i, (task, attempt, is_elsewhere)) in attempts.iter().enumerate() {
                journal.append(vec![event(2 + i as u64, Some(task), Some(attempt), body(*is_elsewhere))]);
            }
        }
        futures::executor::block_on(journal.flush()).unwrap();
        path
    }

    fn task(stage: &str) -> TaskId {
        TaskId { stage: stage.into(), cell: crate::ids::Cell::default() }
    }

    fn found(path: &Path, stages: &[&str], most: usize) -> Vec<String> {
        let (tasks, mut found): (Vec<TaskId>, _) = (stages.iter().map(|stage| task(stage)).collect(), Vec::new());
        tried(path, "p", tasks.iter(), |tried| {
            found.push(format!("{} {} {}", tried.run, tried.task, tried.attempt));
            if found.len() == most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
        found
    }

    #[test]
    fn attempts_come_newest_first_each_once_and_of_this_pipeline_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = journal(
            folder.path(),
            &[
                ("r1", 1, "p", &[("a", "a-1", false), ("b", "b-1", false), ("a", "a-2", false)]),
                ("r3", 3, "q", &[("a", "other-1", false)]),
                ("r2", 2, "p", &[("b", "b-2", true), ("b", "b-2", false), ("c", "c-1", false)]),
            ],
        );
        assert_eq!(found(&path, &["a", "b"], 9), ["r2 b b-2", "r1 a a-2", "r1 b b-1", "r1 a a-1"]);
        assert_eq!(found(&path, &["a", "b"], 2), ["r2 b b-2", "r1 a a-2"], "who has enough is told no more");
        assert_eq!(found(&path, &["d"], 9), [""; 0]);
        assert_eq!(found(&folder.path().join("none.db"), &["a"], 9), [""; 0]);
    }
}
