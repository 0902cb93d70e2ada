//! A disk of the state folder that is full for a while, and one that breaks, under a whole run.

use super::project::Project;
use pipe_engine::event::{Body, RunEvent};
use pipe_engine::state::{Journal, JournalError, Sink, StateFolder};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// What a test sees of the disk and does to it.
#[derive(Default)]
struct Disk {
    written: Vec<RunEvent>,
    is_low: bool,
    /// How often it was looked for room since the first task was through.
    looks: usize,
}

struct Shared(Arc<Mutex<Disk>>);

fn has_ended(disk: &Disk, task: &str) -> bool {
    disk.written.iter().any(|event| succeeded(event, task))
}

fn succeeded(event: &RunEvent, task: &str) -> bool {
    matches!(event.body, Body::TaskSucceeded { .. }) && event.task.as_deref() == Some(task)
}

impl Sink for Shared {
    fn write(&mut self, events: &[RunEvent]) -> Result<(), JournalError> {
        if events.iter().any(|event| succeeded(event, "breaks")) {
            return Err(JournalError::Stopped { why: "the disk did not take it".to_owned() });
        }
        self.0.lock().unwrap().written.extend_from_slice(events);
        Ok(())
    }
    fn make_room(&mut self) -> bool {
        false
    }
    fn is_low(&mut self) -> bool {
        self.0.lock().unwrap().is_low
    }
    /// Only at the second look after the first task has ended, a second later: time in which the next would begin.
    fn has_room(&mut self) -> bool {
        let mut disk = self.0.lock().unwrap();
        disk.looks += usize::from(has_ended(&disk, "first"));
        disk.looks >= 2
    }
    fn left(&self) -> u64 {
        4321
    }
    fn abandon(&mut self) {}
}

#[test]
fn on_a_full_disk_what_runs_ends_and_is_written_down_and_the_next_begins_when_there_is_room() {
    let project = Project::new();
    let go = project.path("go");
    let stages = format!(
        r#"
        [stages.first]
        kind = "script"
        script = "while ! test -e {go}; do sleep 0.02; done; echo 1 > $PIPE_OUTPUT/one"
        [stages.second]
        kind = "script"
        script = "cat $PIPE_INPUT_FIRST/one > $PIPE_OUTPUT/two"
        inputs.first = {{ stage = "first" }}
        "#,
        go = go.display()
    );
    let disk = Arc::new(Mutex::new(Disk::default()));
    let (sink, fills) = (Shared(disk.clone()), disk.clone());
    let state = StateFolder::at(project.path(".pipe"));
    let (finished, events) = project.run_with(
        &state,
        |_| Journal::over(sink),
        &stages,
        move |event| {
            match event.body {
                Body::AttemptStarted { .. } => fills.lock().unwrap().is_low = true,
                Body::DiskFull { .. } => drop(fs::write(&go, "")),
                Body::DiskFree => fills.lock().unwrap().is_low = false,
                _ => {}
            }
            None
        },
    );
    assert_eq!(finished.unwrap().counts.succeeded, 2);
    let told: Vec<String> = events.iter().filter_map(told).collect();
    assert_eq!(told[..5], ["started first", "full 4321", "succeeded first", "free", "started second"], "{told:?}");
    let disk = disk.lock().unwrap();
    let durable: Vec<&RunEvent> = events.iter().filter(|event| event.seq.is_some()).collect();
    assert_eq!(disk.written.iter().collect::<Vec<_>>(), durable, "all of it was written down");
}

fn told(event: &RunEvent) -> Option<String> {
    let task = event.task.as_deref().unwrap_or_default();
    Some(match event.body {
        Body::AttemptStarted { .. } => format!("started {task}"),
        Body::TaskSucceeded { .. } => format!("succeeded {task}"),
        Body::DiskFull { left } => format!("full {left}"),
        Body::DiskFree => "free".to_owned(),
        _ => return None,
    })
}

#[test]
fn a_journal_that_breaks_ends_the_run_and_all_of_its_children() {
    let project = Project::new();
    let process = project.path("process");
    let stages = format!(
        r#"
        [stages.long]
        kind = "script"
        script = "echo $$ > {0}.new; mv {0}.new {0}; sleep 60"
        [stages.breaks]
        kind = "script"
        script = "while ! test -e {0}; do sleep 0.02; done"
        [stages.after]
        kind = "script"
        script = "true"
        inputs.before = {{ stage = "breaks" }}
        "#,
        process.display()
    );
    let disk = Arc::new(Mutex::new(Disk::default()));
    let sink = Shared(disk.clone());
    let state = StateFolder::at(project.path(".pipe"));
    let (finished, events) = project.run_with(&state, |_| Journal::over(sink), &stages, |_| None);
    let error = finished.err().expect("the journal is broken").to_string();
    assert!(error.contains("the disk did not take it"), "{error}");
    let child = fs::read_to_string(&process).unwrap();
    assert!(!Path::new("/proc").join(child.trim()).exists(), "a child lives on");
    assert!(!disk.lock().unwrap().written.iter().any(|event| succeeded(event, "breaks")));
    let ended = events.iter().any(|event| matches!(event.body, Body::RunFinished { .. }));
    assert!(!ended, "a run whose end cannot be written down does not say that it has ended");
}
