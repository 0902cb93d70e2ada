//! What journals tell of the tasks of a pipeline, by journals that were written as runs write them.

use super::*;
use crate::attempt::ItemCount;
use crate::event::{Body, Counts, RunEvent, VERSION};
use crate::state::Journal;
use serde_json::json;

fn started(reason: &str) -> Body {
    let fingerprint = Fingerprint(reason.to_owned());
    Body::AttemptStarted { fingerprint, number: 1, backend: "local".into(), reason: reason.into() }
}

fn submitting(backend: &str) -> Body {
    let (fingerprint, reason) = (Fingerprint("f".into()), "new".to_owned());
    Body::AttemptSubmitting { fingerprint, number: 1, backend: backend.into(), reason, page: None, terms: None }
}

fn finished(failed: u64) -> Body {
    Body::RunFinished { counts: Counts { succeeded: 1, failed, ..Counts::default() } }
}

fn ended(reused: u64) -> Body {
    Body::AttemptEnded { failure: None, items: ItemCount { made: 1, reused, failed: 0 }, usage: None, is_open: false }
}

fn ended_without_items() -> Body {
    Body::AttemptEnded { failure: None, items: ItemCount::default(), usage: None, is_open: false }
}

fn succeeded() -> Body {
    let fingerprint = Fingerprint("f".into());
    Body::TaskSucceeded { fingerprint, digest: "d".into(), files: 1, bytes: 1, result: serde_json::Value::Null }
}

/// The second in which something happened, the task, and what.
type Happened<'a> = (u64, &'a str, Body);

/// A run: its name, its pipeline, and what happened.
type Run<'a> = (&'a str, &'a str, &'a [Happened<'a>]);

/// The history of `p` in a journal of runs.
fn history(runs: &[Run<'_>]) -> History {
    let folder = tempfile::tempdir().unwrap();
    History::read(&journal(folder.path(), runs), "p").unwrap()
}

fn journal(folder: &Path, runs: &[Run<'_>]) -> std::path::PathBuf {
    let path = folder.join("journal.db");
    let journal = Journal::open(&path).unwrap();
    for (run, pipeline, events) in runs {
        let begun = Body::RunStarted {
            pipeline: (*pipeline).into(),
            spec: "s".into(),
            spec_digest: String::new(),
            params: Map::new(),
            tasks: 1,
            revision: None,
            slot: None,
            asked: None,
            site: None,
        };
        let event = |seq: u64, time: u64, task: Option<String>, body: Body| RunEvent {
            v: VERSION,
            seq: Some(seq),
            time: Timestamp(time),
            run: RunId((*run).into()),
            task,
            attempt: Some(AttemptId(format!("{run}-1"))),
            body,
        };
        let first = events.first().map_or(0, |(second, ..)| *second);
        journal.append(vec![event(1, first * 1000, None, begun)]);
        for (i, (second, task, body)) in events.iter().enumerate() {
            journal.append(vec![event(2 + i as u64, second * 1000, Some((*task).into()), body.clone())]);
        }
    }
    futures::executor::block_on(journal.flush()).unwrap();
    path
}

fn task(name: &str, x: u64) -> TaskId {
    TaskId { stage: name.into(), cell: [("x", serde_json::json!(x))].into_iter().collect() }
}

#[test]
fn a_task_takes_as_long_as_last_time_and_a_new_one_as_its_stage_does() {
    let events = [
        (0, "cut[x=1]", started("new")),
        (2, "cut[x=1]", ended(0)),
        (2, "cut[x=1]", succeeded()),
        (2, "cut[x=2]", started("new")),
        (6, "cut[x=2]", ended(0)),
        (6, "cut[x=2]", succeeded()),
    ];
    let history = history(&[("r1", "p", &events)]);
    let seconds = |task: &TaskId| history.usual(task).map(|took| took.as_secs());
    assert_eq!([seconds(&task("cut", 1)), seconds(&task("cut", 2))], [Some(2), Some(4)]);
    assert_eq!((seconds(&task("cut", 9)), seconds(&task("paste", 1))), (Some(3), None));
}

#[test]
fn an_attempt_that_found_items_finished_tells_little_of_the_next() {
    let whole = [(0, "cut[x=1]", started("new")), (9, "cut[x=1]", ended(0)), (9, "cut[x=1]", succeeded())];
    let part = [(20, "cut[x=1]", started("one")), (21, "cut[x=1]", ended(8)), (21, "cut[x=1]", succeeded())];
    let history = history(&[("r1", "p", &whole), ("r2", "p", &part)]);
    assert_eq!(history.usual(&task("cut", 1)), Some(Duration::from_secs(9)));
    assert_eq!(history.newest(&task("cut", 1)).unwrap().reason, "one");
}

#[test]
fn the_median_of_the_last_five_attempts_tells_how_long_the_next_takes() {
    let one =
        |begins: u64, took: u64| [(begins, "a[x=1]", started("new")), (begins + took, "a[x=1]", ended_without_items())];
    // The first of six is forgotten: 2, 4, 6, 8 and 30 are left.
    let six = [100, 8, 2, 30, 4, 6].into_iter().enumerate();
    let events: Vec<Happened<'_>> = six.flat_map(|(nth, took)| one(nth as u64 * 1000, took)).collect();
    let history = history(&[("r1", "p", &events)]);
    let seconds = |lately: Lately| [lately.median, lately.shortest, lately.longest].map(|time| time.as_secs());
    let lately = history.lately(&task("a", 1)).unwrap();
    assert_eq!((seconds(lately), lately.attempts), ([6, 2, 30], 5));
    assert_eq!(history.lately(&task("a", 9)), Some(lately), "a new task is taken for one of its stage");
    assert_eq!(history.lately(&task("b", 1)), None);
}

#[test]
fn what_was_known_when_a_run_began_is_what_the_runs_before_it_tell() {
    let took = |seconds| [(0, "a[x=1]", started("new")), (seconds, "a[x=1]", ended_without_items())];
    let (first, second, third) = (took(10), took(20), took(90));
    let folder = tempfile::tempdir().unwrap();
    let runs: &[Run<'_>] = &[("r1", "p", &first), ("r2", "p", &second), ("r3", "p", &third)];
    let path = journal(folder.path(), runs);
    let longest = |run: &str| {
        let history = History::before(&path, "p", &RunId(run.to_owned())).unwrap();
        history.lately_named("a[x=1]").map(|lately| lately.longest.as_secs())
    };
    assert_eq!(["r1", "r2", "r3", "nobody's"].map(longest), [None, Some(10), Some(20), None]);
}

#[test]
fn how_long_a_place_takes_to_begin_is_the_median_of_what_the_newest_attempts_waited() {
    let waited = |seconds| [(0, "a[x=1]", submitting("jobs")), (seconds, "a[x=1]", started("new"))];
    let runs = [100, 40, 60, 20, 50, 30].map(waited);
    let names = ["r1", "r2", "r3", "r4", "r5", "r6"];
    let mut all: Vec<Run<'_>> = names.iter().zip(&runs).map(|(name, events)| (*name, "p", &events[..])).collect();
    // Taken up again: its job has begun meanwhile.
    let again =
        [(0, "a[x=1]", submitting("jobs")), (500, "a[x=1]", submitting("jobs")), (501, "a[x=1]", started("new"))];
    all.push(("r7", "p", &again));
    let history = history(&all);
    // The first is forgotten: 20, 30, 40, 50 and 60 are left.
    assert_eq!(history.startup("jobs"), Some(Duration::from_secs(40)));
    assert_eq!(history.startup("gpus"), None);
}

#[test]
fn what_a_run_has_begun_and_left_undone_is_known_until_a_run_of_the_same_wording_has_done_it() {
    fn wording(params: &Map<String, Json>) -> Wording<'_> {
        Wording { digest: "", profile: None, params }
    }
    let (none, some) = (Map::new(), json!({ "n": 1 }).as_object().unwrap().clone());
    let begun = [(0, "a[x=1]", submitting("jobs"))];
    let ended = |failed| [(20, "a[x=1]", started("new")), (30, "", finished(failed))];
    let place = |runs: &[Run<'_>], params: &Map<String, Json>| history(runs).begun(&wording(params), "a");
    let first: Run<'_> = ("r1", "p", &begun);
    assert_eq!(place(&[first], &none), Some("jobs".to_owned()));
    assert_eq!(place(&[first], &some), None, "it was given other parameters");
    assert_eq!(history(&[first]).begun(&wording(&none), "b"), None);
    assert_eq!(place(&[first, ("r2", "p", &ended(1))], &none), Some("local".to_owned()), "where it was last");
    assert_eq!(place(&[first, ("r2", "p", &ended(0))], &none), None);
}

#[test]
fn attempts_that_made_a_part_of_their_items_are_taken_for_all_of_them() {
    // 4 items in 8 s; then 1 of 5 in 3 s, which are 15 s for five and make the first 10; then none, which tells nothing.
    let items = |made, reused| Body::AttemptEnded {
        failure: None,
        items: ItemCount { made, reused, failed: 0 },
        usage: None,
        is_open: false,
    };
    let events = [
        (0, "cut[x=1]", started("new")),
        (8, "cut[x=1]", items(4, 0)),
        (20, "cut[x=1]", started("one")),
        (23, "cut[x=1]", items(1, 4)),
        (30, "cut[x=1]", started("none")),
        (31, "cut[x=1]", items(0, 5)),
    ];
    let history = history(&[("r1", "p", &events)]);
    let lately = history.lately(&task("cut", 1)).unwrap();
    assert_eq!((lately.shortest.as_secs(), lately.longest.as_secs(), lately.attempts), (10, 15, 2));
    assert_eq!(lately.median, Duration::from_millis(12_500));
}

#[test]
fn of_a_stage_the_largest_memory_counts_and_of_cpus_the_mean_of_its_tasks() {
    let used = |cpu_mean, memory_peak| {
        let usage = json!({ "cpu_mean": cpu_mean, "cpu_peak": 2.0, "memory_mean": 1, "memory_peak": memory_peak, "read": 0, "written": 0 });
        let usage = serde_json::from_value(usage).unwrap();
        let items = ItemCount { made: 1, reused: 0, failed: 0 };
        Body::AttemptEnded { failure: None, items, usage: Some(usage), is_open: false }
    };
    let events = [
        (0, "cut[x=1]", started("new")),
        (2, "cut[x=1]", used(0.5, 300)),
        (2, "cut[x=2]", started("new")),
        (6, "cut[x=2]", used(1.5, 200)),
        (6, "paste", started("new")),
        (7, "paste", ended(0)),
    ];
    let history = history(&[("r1", "p", &events)]);
    let used = history.used();
    assert_eq!(used.keys().collect::<Vec<_>>(), [&"cut"]);
    assert_eq!((used["cut"].cpu(), used["cut"].memory), (1.0, 300));
}

#[test]
fn the_newest_attempt_tells_how_it_ended() {
    let failure = Failure::failed("exit_7", "ended with exit code 7");
    let failed = [(0, "a[x=1]", started("new")), (1, "a[x=1]", Body::TaskFailed { failure: failure.clone() })];
    let died = [(5, "a[x=2]", started("new"))];
    let other = [(9, "a[x=1]", started("of another pipeline"))];
    let history = history(&[("r1", "p", &failed), ("r2", "p", &died), ("r3", "q", &other)]);
    assert_eq!(history.newest(&task("a", 1)).unwrap().ending, Ending::Failed(failure));
    assert_eq!(history.newest(&task("a", 2)).unwrap().ending, Ending::CutShort);
    assert_eq!(history.newest(&task("a", 3)), None);
}

#[test]
fn a_journal_that_is_not_there_tells_nothing() {
    let history = History::read(Path::new("/nowhere/journal.db"), "p").unwrap();
    assert_eq!(history.usual(&task("a", 1)), None);
}
