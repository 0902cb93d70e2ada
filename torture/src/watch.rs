//! A project under fire, and what must hold after every death: nothing that was finished is lost, nothing is torn,
//! nothing is done twice, nothing needs a hand.

use crate::engine::{Ended, Engine, Process, children_of};
use crate::project::{Made, Project, noted};
use pipe_engine::event::Body;
use pipe_engine::state::read_only;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::AddAssign;
use std::path::Path;

/// What every task makes, and what is published.
#[derive(Default)]
pub(crate) struct Control {
    pub(crate) made: BTreeMap<String, Made>,
    pub(crate) published: Made,
}

/// What did not hold, in sentences.
#[derive(Default)]
pub(crate) struct Wrong {
    /// Finished work that is gone.
    pub(crate) lost: Vec<String>,
    /// Files that are not what was promised.
    pub(crate) torn: Vec<String>,
    /// Finished work that was done or told again.
    pub(crate) twice: Vec<String>,
    /// What a person would have to put right.
    pub(crate) stuck: Vec<String>,
}

impl Wrong {
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let parts = [("lost", &self.lost), ("torn", &self.torn), ("twice", &self.twice), ("stuck", &self.stuck)];
        parts.into_iter().flat_map(|(name, list)| list.iter().map(move |what| (name, what)))
    }
}

impl AddAssign for Wrong {
    fn add_assign(&mut self, more: Self) {
        self.lost.extend(more.lost);
        self.torn.extend(more.torn);
        self.twice.extend(more.twice);
        self.stuck.extend(more.stuck);
    }
}

/// A project, and what was finished in it when it was last looked at.
pub(crate) struct Watch {
    pub(crate) project: Project,
    /// Tasks whose results were filed.
    finished: BTreeSet<String>,
    /// How much of the notes has been looked at.
    noted: usize,
    /// What the last engine left running.
    pub(crate) orphans: Vec<Process>,
    pub(crate) wrong: Wrong,
}

impl Watch {
    pub(crate) fn over(project: Project) -> Self {
        Self { project, finished: BTreeSet::new(), noted: 0, orphans: Vec::new(), wrong: Wrong::default() }
    }

    /// Whether anything was finished in it.
    pub(crate) fn has_results(&self) -> bool {
        !self.finished.is_empty()
    }

    /// Starts an engine.
    pub(crate) fn start(&mut self, pipe: &Path, with: &[(&str, String)]) -> Engine {
        Engine::start(pipe, &self.project, with, self.orphans.clone())
    }

    /// Looks at what an engine has left that was killed. Returns whether tasks were running when it was.
    pub(crate) fn died(&mut self, ended: &Ended) -> bool {
        let notes = self.project.notes_in(self.noted..ended.noted);
        let open: i64 = notes.iter().map(|(is_start, _)| if *is_start { 1 } else { -1 }).sum();
        let is_running = ended.children.iter().any(|process| !self.orphans.contains(process));
        let is_first_word_said = !ended.events.is_empty();
        self.hear(ended);
        self.look();
        let left = children_of(&self.project.state());
        if is_first_word_said {
            self.orphans = left;
        } else {
            self.orphans.extend(left.into_iter().filter(|p| !self.orphans.contains(p)).collect::<Vec<_>>());
        }
        open > 0 || is_running
    }

    /// Looks at what a run has left that should have ended well: everything, and as the control has it.
    pub(crate) fn done(&mut self, ended: &Ended, control: &Control) {
        self.hear(ended);
        if ended.code() != Some(0) {
            self.wrong.stuck.push(ended.told());
            return;
        }
        self.look();
        let (manifests, _) = self.project.manifests();
        let made = manifests.iter().filter_map(|m| Some((m.provenance.task.to_string(), self.project.made(m).ok()?)));
        let made: BTreeMap<String, Made> = made.collect();
        for (task, wanted) in &control.made {
            match made.get(task) {
                None => self.wrong.lost.push(format!("{task} has no result after a run that ended well")),
                Some(made) if made != wanted => self.wrong.torn.push(format!("{task} has made other bytes")),
                Some(_) => {}
            }
        }
        if self.project.published() != control.published {
            self.wrong.torn.push("what was published differs".to_owned());
        }
        for process in children_of(&self.project.state()) {
            self.wrong.stuck.push(format!("process {} outlived a run that ended well", process.id));
        }
    }

    fn hear(&mut self, ended: &Ended) {
        for process in &ended.survivors {
            self.wrong.stuck.push(format!("process {} of a dead engine ran beside the next engine", process.id));
        }
        if !ended.was_killed() && ended.stderr.contains("panicked") {
            self.wrong.stuck.push(ended.told());
        }
    }

    /// What must hold at any moment in which no engine lives.
    pub(crate) fn look(&mut self) {
        let noted = noted(&self.project.notes);
        for (is_start, task) in self.project.notes_in(self.noted..noted) {
            if is_start && self.finished.contains(&task) {
                self.wrong.twice.push(format!("{task} ran again after its result was filed"));
            }
        }
        self.noted = noted;
        let (manifests, torn) = self.project.manifests();
        self.wrong.torn.extend(torn);
        let mut there = BTreeSet::new();
        for manifest in &manifests {
            let task = manifest.provenance.task.to_string();
            if let Err(what) = self.project.made(manifest) {
                self.wrong.torn.push(format!("{task}: {what}"));
            }
            if !there.insert(task.clone()) {
                self.wrong.twice.push(format!("{task} has two results"));
            }
        }
        for task in self.finished.difference(&there) {
            self.wrong.lost.push(format!("{task} had a result"));
        }
        match journaled(&self.project.state()) {
            Err(what) => self.wrong.stuck.push(what),
            Ok(told) => {
                for (task, times) in told {
                    if times > 1 {
                        self.wrong.twice.push(format!("the journal tells {times} times that {task} succeeded"));
                    }
                    if !there.contains(&task) {
                        self.wrong.lost.push(format!("the journal tells that {task} succeeded, and it has no result"));
                    }
                }
            }
        }
        self.finished = there;
    }
}

/// How often the journal tells of each task that it succeeded. A copy is read: to open the journal would be to repair
/// it, and that is the next engine's to do.
pub(crate) fn journaled(state: &Path) -> Result<BTreeMap<String, u32>, String> {
    let mut times = BTreeMap::new();
    let copy = tempfile::tempdir().map_err(|e| e.to_string())?;
    for name in ["journal.db", "journal.db-wal"] {
        let _ = fs::copy(state.join(name), copy.path().join(name));
    }
    let journal = copy.path().join("journal.db");
    let failed = |error: pipe_engine::state::JournalError| format!("the journal cannot be read: {error}");
    for run in read_only::runs(&journal).map_err(failed)? {
        let events = read_only::read(&journal, &run, 0).map_err(failed)?;
        let seqs: Vec<u64> = events.iter().filter_map(|event| event.seq).collect();
        if seqs != (1..=seqs.len() as u64).collect::<Vec<_>>() {
            return Err(format!("the journal has gaps in {run}"));
        }
        for event in events.into_iter().filter(|event| matches!(event.body, Body::TaskSucceeded { .. })) {
            *times.entry(event.task.unwrap_or_default()).or_default() += 1;
        }
    }
    Ok(times)
}
