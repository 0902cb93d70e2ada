//! What must hold once a life is over.

use super::super::super::case::Fate;
use super::super::{Ending, World};
use pipe_engine::event::Counts;
use pipe_engine::scheduler::{End, Input, Record, State, TaskIndex, step};
use pipe_engine::world::Timestamp;
use std::collections::BTreeMap;

impl World<'_> {
    pub(in super::super) fn check_end(&self, ending: Ending) {
        self.check_promises();
        if ending == Ending::Finished {
            self.check_records();
            if self.trouble.is_mild() && self.watch.ends_at.is_none() && !self.afar.has_adopted {
                self.check_fates();
            }
            let live: Vec<_> = self.disk.jobs.live(self.now).collect();
            assert!(live.is_empty(), "the run is over and jobs run on: {live:?}");
        }
    }

    /// What the durable records tell is so: each end they tell of is one that replay makes, once, and of each result that
    /// they tell of the store has it.
    fn check_promises(&self) {
        let durable = &self.journal.records[..self.journal.durable];
        let replayed = self.replayed(durable.len());
        for (place, end) in self.told(durable) {
            assert_eq!(replayed.end_of(self.index(place)), Some(end), "replay ends task {place} otherwise");
            let there = matches!(self.case.fate(place), Fate::Hit) || self.disk.filed.contains(&self.key(place));
            assert!(there || !end.has_result(), "the journal tells of a result that is not there: task {place}");
        }
    }

    /// What the first records make of a new state. The plan grows where it grew then: from the same rows come the same
    /// tasks.
    pub(crate) fn replayed(&self, records: usize) -> State {
        let mut state = State::new(self.case.beginning().1, self.case.limits());
        let mut growths = self.growths.iter().peekable();
        for (place, record) in self.journal.records.iter().enumerate().take(records) {
            while let Some((_, growth)) = growths.next_if(|(before, _)| *before <= place) {
                step(&mut state, Timestamp(0), Input::Regrown(growth.clone()));
            }
            step(&mut state, Timestamp(0), Input::Recorded(record.clone()));
        }
        state
    }

    /// How tasks ended, as records tell it.
    fn told(&self, records: &[Record]) -> BTreeMap<usize, End> {
        let mut ends: BTreeMap<usize, End> = BTreeMap::new();
        let mut end = |task: TaskIndex, how| {
            assert_eq!(ends.insert(self.made[task], how), None, "task {task} ended twice");
        };
        for record in records {
            match record {
                Record::Cached { tasks, .. } => tasks.iter().for_each(|task| end(*task, End::Cached)),
                Record::Succeeded(task) => end(*task, End::Succeeded),
                Record::Failed(task, _) => end(*task, End::Failed),
                Record::Skipped(task, _) => end(*task, End::Skipped),
                Record::Cancelled(task) => end(*task, End::Cancelled),
                _ => {}
            }
        }
        ends
    }

    /// How stages ended that never had tasks.
    pub(crate) fn stage_ends(&self) -> BTreeMap<usize, End> {
        let ends = self.journal.records.iter().filter_map(|record| match record {
            Record::StageSkipped(stage, _) => Some((*stage, End::Skipped)),
            Record::StageFailed(stage, _) => Some((*stage, End::Failed)),
            _ => None,
        });
        let all: Vec<(usize, End)> = ends.collect();
        let each_once: BTreeMap<usize, End> = all.iter().copied().collect();
        assert_eq!(all.len(), each_once.len(), "a stage ended twice");
        each_once
    }

    /// Each task ended in exactly one record, and the counts are the sum of them.
    fn check_records(&self) {
        let ends = self.told(&self.journal.records);
        assert_eq!(ends, self.ends(), "the journal tells how each task ended");
        let stages = self.stage_ends();
        let count = |how| ends.values().chain(stages.values()).filter(|end| **end == how).count() as u64;
        let counts = Counts {
            succeeded: count(End::Succeeded),
            cached: count(End::Cached),
            failed: count(End::Failed),
            skipped: count(End::Skipped),
            cancelled: count(End::Cancelled),
        };
        assert_eq!(self.finished, Some(counts));
        assert_eq!(self.journal.records.last(), Some(&Record::Finished(counts)));
        let watch = &self.watch;
        assert!(watch.running.is_empty(), "the run is over and something still runs");
        assert!(watch.stopped.iter().all(|place| ends[place] == End::Cancelled), "what was stopped has not failed");
    }

    /// Every task ended as its own fate and its inputs say, and was tried as often. What an earlier life left in the store
    /// was found there.
    fn check_fates(&self) {
        let expected = self.case.expected(&self.before);
        let ends = expected.tasks.iter().map(|(place, task)| (*place, task.end)).collect();
        assert_eq!(self.ends(), ends, "tasks end as their fates say");
        assert_eq!(self.stage_ends(), expected.stages, "stages end as the fates of their tasks say");
        for (place, task) in &expected.tasks {
            assert_eq!(self.watch.tries[*place], task.tries, "tries of task {place}");
        }
    }
}
