//! `pipe logs --follow`: the logs of tasks of a run that goes on -> their lines as they come, until the tasks have ended.

use super::lines::Lines;
use super::logs;
use super::watch::Watched;
use crate::args::LogsArgs;
use crate::exit::{Exit, Refusal};
use crate::life::Life;
use crate::paths;
use crate::tail::Tail;
use pipe_engine::ids::{AttemptId, RunId, TaskId};
use pipe_engine::report::{Standing, TaskView};
use pipe_engine::state::StateFolder;
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

/// How often it looks.
const EVERY: Duration = Duration::from_millis(200);

/// What is followed, and where its lines go.
pub(super) struct Following<'a> {
    pub(super) args: &'a LogsArgs,
    pub(super) state: &'a StateFolder,
    pub(super) lines: Lines<'a>,
    /// The tasks, when all of them are known: those of a stage that waits for rows are not.
    pub(super) tasks: Option<Vec<String>>,
}

impl Following<'_> {
    /// Prints what the present attempts of the tasks have written, and what they and all after them write; until nobody reads
    /// it any more.
    pub(super) fn until_they_end(&self, run: &RunId) -> Result<Exit, Refusal> {
        let mut watched = Watched::new(run, self.state);
        let mut followed: BTreeMap<String, Followed> = BTreeMap::new();
        let mut is_first_look = true;
        loop {
            let (life, _) = watched.look()?;
            let goes_on = matches!(life, Life::Running(_));
            let tasks = &watched.view.tasks;
            for (name, task) in tasks.iter().filter(|(name, _)| TaskId::is_named(name, &self.args.task)) {
                let known = followed.entry(name.clone()).or_insert_with(|| Followed::new(task, is_first_look));
                if !self.print(run, name, task, known, goes_on)? {
                    return Ok(Exit::Done);
                }
            }
            let has_ended = |name: &String| tasks.get(name).is_some_and(has_ended);
            if !goes_on || self.tasks.as_ref().is_some_and(|names| names.iter().all(has_ended)) {
                return Ok(Exit::Done);
            }
            is_first_look = false;
            std::thread::sleep(EVERY);
        }
    }

    /// Prints what is new of a task. Returns whether anybody still reads.
    fn print(
        &self,
        run: &RunId,
        name: &str,
        task: &TaskView,
        followed: &mut Followed,
        goes_on: bool,
    ) -> Result<bool, Refusal> {
        while let Some(attempt) = task.attempts.get(followed.attempt) {
            let Some(id) = &attempt.id else { return Ok(true) };
            let is_over = attempt.ended.is_some() || !goes_on;
            let mut tail = match followed.open.take() {
                Some(tail) => tail,
                None => self.open(run, name, id, is_over, std::mem::take(&mut followed.is_old))?,
            };
            while let Some(lines) = tail.next()? {
                if !self.lines(run, name, id, lines)? {
                    return Ok(false);
                }
            }
            if !is_over {
                followed.open = Some(tail);
                return Ok(true);
            }
            let rest = tail.rest();
            // What comes next is another line.
            if !rest.is_empty() && !self.lines(run, name, id, &[rest, b"\n"].concat())? {
                return Ok(false);
            }
            followed.attempt += 1;
        }
        Ok(true)
    }

    fn lines(&self, run: &RunId, task: &str, attempt: &AttemptId, lines: &[u8]) -> io::Result<bool> {
        if self.lines.printer.json {
            return self.lines.documents(task, attempt, run, lines);
        }
        self.lines.text(task, lines)
    }

    /// The log of an attempt, from where it is to be printed. `is_old`: it was there before anybody followed it.
    fn open(&self, run: &RunId, task: &str, id: &AttemptId, is_over: bool, is_old: bool) -> io::Result<Tail> {
        let path = self.state.attempt(id).join("log");
        // Several tell it at the beginning of each line.
        if !self.lines.are_several && !self.lines.printer.json {
            self.lines.header(task, run, &paths::from_here(&path));
        }
        let is_too_old = is_old && !logs::is_since(&path, self.args.since);
        let last = if is_too_old { Some(0) } else { self.args.tail.filter(|_| is_old) };
        let mut tail = Tail::new(path);
        last.map_or(Ok(()), |lines| tail.skip_to_last(lines, is_over))?;
        Ok(tail)
    }
}

/// A task whose attempts are followed one after the other.
struct Followed {
    /// The place of the attempt among those of the task.
    attempt: usize,
    open: Option<Tail>,
    /// Whether what its log holds now was there before anybody followed it.
    is_old: bool,
}

impl Followed {
    fn new(task: &TaskView, is_old: bool) -> Self {
        Self { attempt: task.attempts.len().saturating_sub(1), open: None, is_old }
    }
}

fn has_ended(task: &TaskView) -> bool {
    !matches!(task.standing, Standing::Running | Standing::Submitted | Standing::Resting)
}
