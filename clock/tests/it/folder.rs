//! The loop with real files and processes, and a clock that the test sets.

use pipe_clock::daemon::{Reading, Scheduled, Setup, run};
use pipe_clock::{Said, parse, told};
use pipe_engine::world::World;
use std::cell::RefCell;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use std::{fs, io};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// A folder that is looked after. A spec here is no more than its schedule, as JSON.
struct Bench {
    folder: tempfile::TempDir,
    clock: Arc<AtomicU64>,
    said: Rc<RefCell<Vec<String>>>,
    stop: UnboundedSender<()>,
}

impl Bench {
    fn set(&self, time: &str) {
        self.clock.store(parse(time).unwrap().0, Ordering::SeqCst);
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn read(&self, name: &str) -> io::Result<String> {
        fs::read_to_string(self.folder.path().join(name))
    }

    /// Waits until a line has been said that holds these words.
    async fn hears(&self, words: &str) {
        for _ in 0..3000 {
            if self.said.borrow().iter().any(|line| line.contains(words)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never heard `{words}` among {:#?}", self.said.borrow());
    }

    /// Waits until so many runs have begun to work.
    async fn begins(&self, runs: usize) {
        while self.read("began").unwrap_or_default().lines().count() < runs {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn setup(&self) -> Setup {
        let (clock, said) = (self.clock.clone(), self.said.clone());
        let root = self.folder.path().to_owned();
        let state = root.join(".pipe");
        let its_state = state.clone();
        Setup {
            folder: root.clone(),
            state,
            world: World::with(move || pipe_engine::world::Timestamp(clock.load(Ordering::SeqCst)), || 4),
            read: Box::new(move |path| read(path, &its_state)),
            program: Box::new(move |_, slot| {
                let mut command = Command::new("sh");
                // Like a run: ends at SIGTERM with 130, and holds on while it is told to.
                let script = "trap 'exit 130' TERM; echo $SLOT >> began; while test -e hold; do sleep 0.02; done";
                command.args(["-c", script]).current_dir(&root).env("SLOT", told(slot));
                command
            }),
            listener: Box::new(move |event: &Said| said.borrow_mut().push(event.line())),
            look: Duration::from_millis(10),
        }
    }
}

fn read(path: &Path, state: &Path) -> Reading {
    let text = fs::read_to_string(path).unwrap_or_default();
    match serde_json::from_str(&text) {
        Ok(schedule) => {
            let (sources, state) = (vec![path.to_owned()], state.to_owned());
            Reading::Scheduled(Box::new(Scheduled { schedule, sources, state }))
        }
        Err(error) => Reading::Broken { problems: error.to_string(), looks_scheduled: true },
    }
}

/// Looks after a folder with one spec from 01:30 on, while `script` does things to it, and tells what was said.
fn look_after(schedule: &str, script: impl AsyncFnOnce(&Bench)) -> (Vec<String>, String) {
    let (stop, stopped) = unbounded_channel();
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench { folder, clock: Arc::default(), said: Rc::default(), stop };
    bench.set("2026-06-01T01:30:00Z");
    bench.write("a.toml", schedule);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let script = async {
            bench.hears("a.toml: `").await;
            script(&bench).await;
            bench.stop.send(()).unwrap();
        };
        let (ended, ()) = tokio::join!(run(bench.setup(), stopped), script);
        ended.unwrap();
    });
    let said = bench.said.borrow().clone();
    (said, bench.read("began").unwrap_or_default())
}

/// Two slots, of which the second finds the run of the first.
async fn two_slots(bench: &Bench, then: &str) {
    bench.write("hold", "");
    bench.set("2026-06-01T02:00:01Z");
    bench.hears("started for 2026-06-01 02:00").await;
    bench.begins(1).await;
    bench.set("2026-06-01T03:00:01Z");
    bench.hears(then).await;
}

#[test]
fn a_slot_that_finds_a_run_is_skipped() {
    let (_, began) = look_after(r#"{ "cron": "0 * * * *", "overlap": "skip" }"#, async |bench| {
        two_slots(bench, "skipped 2026-06-01 03:00: the last run goes on").await;
        fs::remove_file(bench.folder.path().join("hold")).unwrap();
        bench.hears("done for 2026-06-01 02:00").await;
    });
    assert_eq!(began, "2026-06-01T02:00:00Z\n");
}

#[test]
fn a_slot_that_finds_a_run_waits_for_its_end() {
    let (said, began) = look_after(r#"{ "cron": "0 * * * *", "overlap": "queue" }"#, async |bench| {
        two_slots(bench, "2026-06-01 03:00 waits: the last run goes on").await;
        fs::remove_file(bench.folder.path().join("hold")).unwrap();
        bench.hears("done for 2026-06-01 03:00").await;
    });
    assert_eq!(began, "2026-06-01T02:00:00Z\n2026-06-01T03:00:00Z\n", "{said:#?}");
}

#[test]
fn a_slot_that_finds_a_run_takes_its_place() {
    let (said, began) = look_after(r#"{ "cron": "0 * * * *", "overlap": "replace" }"#, async |bench| {
        two_slots(bench, "asked the last run to end").await;
        bench.hears("ended with exit code 130 for 2026-06-01 02:00").await;
        bench.begins(2).await;
    });
    assert!(began.starts_with("2026-06-01T02:00:00Z\n2026-06-01T03:00:00Z\n"), "{began} {said:#?}");
    assert!(said.iter().any(|line| line.starts_with("stopping: waits for the run that goes on")), "{said:#?}");
}

#[test]
fn a_clock_that_is_set_back_is_told_and_brings_no_slot_again() {
    let (_, began) = look_after(r#"{ "cron": "0 2 * * *" }"#, async |bench| {
        bench.set("2026-06-05T02:00:01Z");
        bench.hears("done for 2026-06-05 02:00").await;
        bench.set("2026-06-01T01:59:00Z");
        bench.hears("a.toml: warning: the clock was set back").await;
        bench.set("2026-06-01T02:00:10Z");
        tokio::time::sleep(Duration::from_millis(100)).await;
        bench.set("2026-06-06T02:00:10Z");
        bench.hears("done for 2026-06-06 02:00").await;
    });
    assert_eq!(began, "2026-06-05T02:00:00Z\n2026-06-06T02:00:00Z\n");
}

#[test]
fn a_spec_that_breaks_keeps_its_last_schedule_and_one_that_goes_is_left_alone() {
    let (said, began) = look_after(r#"{ "cron": "0 * * * *" }"#, async |bench| {
        bench.write("a.toml", "{");
        bench.hears("a.toml: warning: cannot be read; its last schedule stays in force").await;
        bench.set("2026-06-01T02:00:01Z");
        bench.hears("done for 2026-06-01 02:00").await;
        fs::remove_file(bench.folder.path().join("a.toml")).unwrap();
        bench.hears("a.toml: no longer here").await;
        bench.set("2026-06-01T03:00:01Z");
        tokio::time::sleep(Duration::from_millis(100)).await;
    });
    assert_eq!(began, "2026-06-01T02:00:00Z\n", "{said:#?}");
}

#[test]
fn a_ledger_that_cannot_be_understood_stops_its_spec_and_no_other() {
    let (said, began) = look_after(r#"{ "cron": "0 * * * *" }"#, async |bench| {
        bench.write(".pipe/schedule/b.toml.json", "{}");
        bench.write("b.toml", r#"{ "cron": "0 * * * *" }"#);
        bench.hears("b.toml: warning: ").await;
        bench.set("2026-06-01T02:00:01Z");
        bench.hears("a.toml: done for 2026-06-01 02:00").await;
    });
    assert_eq!(began, "2026-06-01T02:00:00Z\n");
    let warnings: Vec<_> = said.iter().filter(|line| line.starts_with("b.toml")).collect();
    assert!(warnings.len() == 1 && warnings[0].contains("remove it, and slots count from then on"), "{warnings:?}");
}
