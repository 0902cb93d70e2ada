//! Results -> why each is kept. A pure function: it opens nothing and knows the time only by being told.

use super::catalogue::Entry;
use crate::ids::Fingerprint;
use crate::manifest::Of;
use crate::world::Timestamp;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Of each task so many results, the newest.
    pub keep: usize,
    /// All results that are younger than this.
    pub older_than: Duration,
    /// All bytes that were written or sealed less than this ago and that no result names: somebody may be about to file them.
    pub min_age: Duration,
    /// What is known of results that are gone, for this long.
    pub removed_for: Duration,
    /// The time.
    pub now: Timestamp,
}

/// Results that are kept whatever else is said.
#[derive(Clone, Debug, Default)]
pub struct Roots {
    /// Those a person has pinned.
    pub pinned: HashSet<Fingerprint>,
    /// Those a state folder knows as the newest of its tasks.
    pub newest: HashSet<Fingerprint>,
    /// Those of runs that have not come to their end, by how their fingerprints begin.
    pub open: HashSet<String>,
}

impl Roots {
    /// Whether a run that has not come to its end uses it.
    pub(super) fn is_open(&self, fingerprint: &Fingerprint) -> bool {
        self.open.iter().any(|start| fingerprint.0.starts_with(start))
    }

    fn has_open(&self, fingerprint: &Fingerprint, lengths: &HashSet<usize>) -> bool {
        lengths.iter().any(|length| fingerprint.0.get(..*length).is_some_and(|start| self.open.contains(start)))
    }
}

/// Why a result is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// A person has pinned it.
    Pinned,
    /// A run that has not come to its end uses it.
    OpenRun,
    /// It is one of the newest of its task.
    Newest,
    /// It is too young to be judged.
    Young,
    /// It is an item whose file belongs to a result that is kept.
    Part,
    /// It is an item of work that was never finished: the next run goes on from there.
    Unfinished,
    /// A newer version has filed it.
    Newer,
}

/// For each result why it is kept; `None` for those that go.
pub fn mark(results: &[Entry], rules: &Rules, roots: &Roots) -> Vec<Option<Why>> {
    let newest = newest(results, rules.keep);
    let lengths: HashSet<usize> = roots.open.iter().map(String::len).collect();
    let is_open = |entry: &Entry| roots.has_open(&entry.fingerprint, &lengths);
    let mut marks: Vec<Option<Why>> = results
        .iter()
        .enumerate()
        .map(|(place, entry)| {
            let used = is_open(entry).then_some(Why::OpenRun);
            let newest = newest.contains(&place).then_some(Why::Newest);
            of_itself(entry, roots).or(used).or(newest).or_else(|| by_age(entry, rules, roots))
        })
        .collect();
    let named: HashSet<&str> = named(results, &marks).collect();
    let last = if rules.keep == 0 { None } else { Some(last(results)) };
    for (entry, mark) in results.iter().zip(&mut marks).filter(|(entry, mark)| entry.of == Of::Item && mark.is_none()) {
        *mark = if entry.files.iter().all(|file| named.contains(file.at.as_str())) {
            Some(Why::Part)
        } else {
            let finished = last.as_ref().map(|last| last.get(&task(entry)).copied().unwrap_or_default());
            finished.filter(|finished| entry.published > *finished).map(|_| Why::Unfinished)
        };
    }
    marks
}

/// Where the files lie that kept results name.
pub(super) fn named<'a>(results: &'a [Entry], marks: &[Option<Why>]) -> impl Iterator<Item = &'a str> {
    let kept = results.iter().zip(marks).filter(|(_, mark)| mark.is_some());
    kept.flat_map(|(entry, _)| &entry.files).map(|file| file.at.as_str())
}

/// What tells of a result without looking at anything else.
fn of_itself(entry: &Entry, roots: &Roots) -> Option<Why> {
    if entry.is_newer {
        return Some(Why::Newer);
    }
    roots.pinned.contains(&entry.fingerprint).then_some(Why::Pinned)
}

fn by_age(entry: &Entry, rules: &Rules, roots: &Roots) -> Option<Why> {
    if rules.keep > 0 && roots.newest.contains(&entry.fingerprint) {
        return Some(Why::Newest);
    }
    // A clock that was set back makes results of the future; nobody knows how old they are.
    let is_young = entry.published > rules.now || rules.now.since(entry.published) < rules.older_than;
    is_young.then_some(Why::Young)
}

/// A task by its name: pipeline, stage and cell.
fn task(entry: &Entry) -> (&str, String) {
    (&entry.pipeline, entry.task.to_string())
}

/// The places of the newest results of each task.
fn newest(results: &[Entry], keep: usize) -> HashSet<usize> {
    let mut by_task: HashMap<(&str, String), Vec<usize>> = HashMap::new();
    for (place, entry) in results.iter().enumerate().filter(|(_, entry)| entry.of == Of::Task) {
        by_task.entry(task(entry)).or_default().push(place);
    }
    let age = |place: &usize| (std::cmp::Reverse(results[*place].published), &results[*place].fingerprint);
    by_task
        .into_values()
        .flat_map(|mut places| {
            places.sort_by(|a, b| age(a).cmp(&age(b)));
            places.truncate(keep);
            places
        })
        .collect()
}

/// When the newest result of each task was filed.
fn last(results: &[Entry]) -> HashMap<(&str, String), Timestamp> {
    let mut last = HashMap::new();
    for entry in results.iter().filter(|entry| entry.of == Of::Task) {
        let filed: &mut Timestamp = last.entry(task(entry)).or_default();
        *filed = entry.published.max(*filed);
    }
    last
}
