//! `pipe logs --follow`: the logs of tasks of a run that goes on -> their lines as they come, until the tasks have ended.

use super::logs::{self, Lines};
use super::watch::Watched;
use crate::args::LogsArgs;
use crate::exit::{Exit, Refusal};
use crate::life::Life;
use crate::tail::Tail;
use pipe_engine::ids::{AttemptId, RunId, TaskId};
use pipe_engine::report::{Standing, TaskView};
use pipe_engine::state::StateFolder;
use std::collections::BTreeMap;
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
    /// Prints what the present attempts of the tasks have written, and what they and all after them write.
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
                self.print(name, task, known, goes_on)?;
            }
            let has_ended = |name: &String| tasks.get(name).is_some_and(has_ended);
            if !goes_on || self.tasks.as_ref().is_some_and(|names| names.iter().all(has_ended)) {
                return Ok(Exit::Done);
            }
            is_first_look = false;
            std::thread::sleep(EVERY);
        }
    }

    /// Prints what is new of a task.
    fn print(&self, name: &str, task: &TaskView, followed: &mut Followed, goes_on: bool) -> Result<(), Refusal> {
        while let Some(attempt) = task.attempts.get(followed.attempt) {
            let Some(id) = &attempt.id else { return Ok(()) };
            let path = self.state.attempt(id).join("log");
            if followed.open.is_none() {
                self.lines.header(name, &path);
            }
            let (id, tail) = followed.open.get_or_insert_with(|| (id.clone(), Tail::new(path.clone())));
            let is_old = std::mem::take(&mut followed.is_old);
            let is_too_old = is_old && !logs::is_since(&path, self.args.since);
            let mut new = tail.lines()?;
            let is_over = attempt.ended.is_some() || !goes_on;
            if is_over {
                new.extend(tail.rest());
            }
            let most = if is_too_old { Some(0) } else { self.args.tail.filter(|_| is_old) };
            new.drain(..most.map_or(0, |most| new.len().saturating_sub(most)));
            new.iter().try_for_each(|line| self.lines.print(name, id, line))?;
            if !is_over {
                return Ok(());
            }
            (followed.attempt, followed.open) = (followed.attempt + 1, None);
        }
        Ok(())
    }
}

/// A task whose attempts are followed one after the other.
struct Followed {
    /// The place of the attempt among those of the task.
    attempt: usize,
    open: Option<(AttemptId, Tail)>,
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
