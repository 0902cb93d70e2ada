//! How far the running tasks of a run are -> a small file in the state folder, and back: for whoever watches the run from
//! outside. The journal has no such thing, since it passes by.

use super::stage::Stage;
use pipe_engine::event::{Body, RunEvent};
use pipe_engine::ids::RunId;
use pipe_engine::state::StateFolder;
use pipe_engine::worker::write_whole;
use pipe_engine::world::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// The file is written so often, at most.
const EVERY: Duration = Duration::from_secs(1);

/// The file of a run that goes on.
pub(super) struct Note {
    path: PathBuf,
    told: Told,
    written: Timestamp,
    is_new: bool,
}

/// What the file holds.
#[derive(Default, Serialize, Deserialize)]
struct Told {
    run: Option<RunId>,
    /// The newest progress of each task that runs.
    tasks: BTreeMap<String, RunEvent>,
}

impl Note {
    pub(super) fn in_folder(state: &StateFolder) -> Self {
        Self { path: path(state), told: Told::default(), written: Timestamp::default(), is_new: false }
    }

    pub(super) fn hear(&mut self, event: &RunEvent) {
        if matches!(event.body, Body::RunFinished { .. }) {
            // One that stays is of a run that is over, and nobody reads it.
            let _ = fs::remove_file(&self.path);
            return;
        }
        let Some(task) = &event.task else { return };
        match &event.body {
            Body::Progress { .. } => {
                self.told.run = Some(event.run.clone());
                self.told.tasks.insert(task.clone(), event.clone());
                self.is_new = true;
            }
            Body::AttemptEnded { .. } => self.is_new |= self.told.tasks.remove(task).is_some(),
            _ => return,
        }
        self.keep(event.time);
    }

    /// Writes down what is new, if it is time.
    pub(super) fn keep(&mut self, now: Timestamp) {
        if !self.is_new || now.since(self.written) < EVERY {
            return;
        }
        (self.written, self.is_new) = (now, false);
        // It is told again in a second; a run does not end for want of it.
        let _ = write_whole(&self.path, &self.told);
    }
}

/// The newest progress of each task of a run that goes on; nothing where nobody tells it.
pub(crate) fn newest(state: &StateFolder, run: &RunId) -> BTreeMap<String, RunEvent> {
    let told = fs::read(path(state)).ok().and_then(|text| serde_json::from_slice::<Told>(&text).ok());
    told.filter(|told| told.run.as_ref() == Some(run)).map(|told| told.tasks).unwrap_or_default()
}

/// `12/60 clips  50 MiB at 5.0 MiB/s  3.1/s  15 s left`, of a task whose attempt began then.
pub(crate) fn how_far(event: &RunEvent, began: Timestamp, now: Timestamp) -> String {
    let mut stage = Stage::named("");
    (stage.tasks, stage.began) = (1, Some(began));
    stage.take("", event);
    stage.so_far(now)
}

fn path(state: &StateFolder) -> PathBuf {
    state.root().join("progress.json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipe_engine::attempt::ItemCount;
    use pipe_engine::event::{Counts, VERSION};

    #[test]
    fn those_who_watch_find_how_far_the_running_tasks_of_this_run_are() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::at(folder.path().to_owned());
        let (run, mut note) = (RunId("r".into()), Note::in_folder(&state));
        let at = |second: u64, task: Option<&str>, body| RunEvent {
            v: VERSION,
            seq: None,
            time: Timestamp(second * 1000),
            run: run.clone(),
            task: task.map(str::to_owned),
            attempt: None,
            body,
        };
        let told = |done| Body::Progress { done, total: 60, unit: "clips".into(), bytes: Some(done << 20) };
        note.hear(&at(10, Some("clips"), told(5)));
        note.hear(&at(20, Some("clips"), told(10)));
        let found = newest(&state, &run);
        assert_eq!(
            how_far(&found["clips"], Timestamp(0), Timestamp(20_000)),
            "10/60 clips  10 MiB at 512 KiB/s  0.5/s  1m 40s left"
        );
        assert!(newest(&state, &RunId("another".into())).is_empty());
        let ended = Body::AttemptEnded { failure: None, items: ItemCount::default(), usage: None, is_open: false };
        note.hear(&at(21, Some("clips"), ended));
        assert!(newest(&state, &run).is_empty());
        note.hear(&at(22, None, Body::RunFinished { counts: Counts::default() }));
        assert!(!path(&state).exists());
    }
}
