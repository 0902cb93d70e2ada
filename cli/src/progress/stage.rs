//! How far one stage of a run is, counted and in words.

use crate::printer::{Printer, Style};
use crate::shown::shown;
use crate::words;
use pipe_engine::event::{Body, RunEvent, Skip};
use pipe_engine::world::Timestamp;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

/// What was heard of the tasks of one stage.
#[derive(Default)]
pub(super) struct Stage {
    pub(super) name: String,
    pub(super) tasks: u64,
    pub(super) cached: u64,
    succeeded: u64,
    failed: u64,
    skipped: u64,
    /// Why the newest of them was.
    skip: Option<Skip>,
    cancelled: u64,
    running: HashSet<String>,
    /// When its first attempt began.
    pub(super) began: Option<Timestamp>,
    heard: Timestamp,
    /// Units done and in all, of each task that told them.
    units: HashMap<String, (u64, u64)>,
    unit: String,
    /// Bytes that each task has written so far, where it tells.
    bytes: HashMap<String, u64>,
    /// Items that tasks which ended well go without.
    lost: u64,
    /// The newest value of each number a task reports.
    metrics: BTreeMap<String, f64>,
    /// Whether nothing more of it is begun until there is room on the disk.
    pub(super) is_paused: bool,
    /// When it was last mentioned in a pipe.
    pub(super) mentioned: Option<Timestamp>,
    /// Whether its end was told.
    pub(super) told: bool,
}

impl Stage {
    pub(super) fn named(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    pub(super) fn take(&mut self, task: &str, event: &RunEvent) {
        self.heard = event.time;
        match &event.body {
            Body::AttemptSubmitting { .. } | Body::AttemptStarted { .. } => {
                self.began.get_or_insert(event.time);
                self.running.insert(task.to_owned());
                self.units.remove(task);
                self.bytes.remove(task);
            }
            Body::AttemptEnded { failure, items, .. } => {
                self.running.remove(task);
                self.lost += if failure.is_none() { items.failed } else { 0 };
            }
            Body::Progress { done, total, unit, bytes } => {
                self.unit = shown(unit).into_owned();
                self.bytes.extend(bytes.map(|bytes| (task.to_owned(), bytes)));
                self.units.insert(task.to_owned(), (*done, *total));
            }
            Body::Metric { name, value, .. } => drop(self.metrics.insert(shown(name).into_owned(), *value)),
            Body::TaskSucceeded { .. } => self.succeeded += 1,
            Body::TaskFailed { .. } => self.failed += 1,
            Body::TaskSkipped { why, .. } => {
                self.skipped += 1;
                self.skip = Some(*why);
            }
            Body::TaskCancelled => self.cancelled += 1,
            _ => {}
        }
    }

    fn ended(&self) -> u64 {
        self.cached + self.succeeded + self.failed + self.skipped + self.cancelled
    }

    pub(super) fn is_over(&self) -> bool {
        self.ended() >= self.tasks
    }

    /// Whether something of it runs or has run and more is to come.
    pub(super) fn is_active(&self) -> bool {
        self.began.is_some() && !self.is_over()
    }

    /// Units done and in all. Tasks that have not told theirs are taken to be like those that have.
    fn units(&self) -> Option<(u64, u64)> {
        let told = self.units.len() as u64;
        if told == 0 {
            return None;
        }
        let done = self.units.values().map(|(done, _)| done).sum();
        let total: u64 = self.units.values().map(|(_, total)| total).sum();
        let expected = (self.tasks - self.cached.min(self.tasks)).max(told);
        Some((done, total.saturating_mul(expected) / told))
    }

    /// How much of it is done, in thousandths.
    pub(super) fn thousandths(&self) -> u64 {
        let (done, total) = self.units().unwrap_or((self.ended() - self.cached, self.tasks - self.cached));
        done.saturating_mul(1000).checked_div(total).unwrap_or(0).min(1000)
    }

    /// `12/32 tasks  240/640 clips  45/s  9 s left`.
    pub(super) fn so_far(&self, now: Timestamp) -> String {
        let mut parts = Vec::new();
        if self.tasks > 1 {
            parts.push(format!("{}/{} tasks", self.ended(), self.tasks));
        }
        if let Some((done, total)) = self.units() {
            parts.push(format!("{done}/{total} {}", self.unit));
        }
        parts.extend(self.written(now));
        parts.extend(self.pace(now));
        parts.extend(self.newest_metrics());
        parts.join("  ")
    }

    /// `1.2 GiB at 34 MiB/s`, once anything was written and a second has gone by.
    fn written(&self, now: Timestamp) -> Option<String> {
        let (bytes, spent) = (self.bytes.values().sum::<u64>(), now.since(self.began?));
        let rate = (bytes as f64 / spent.as_secs_f64()) as u64;
        (bytes > 0 && spent.as_secs() > 0).then(|| format!("{} at {}/s", words::bytes(bytes), words::bytes(rate)))
    }

    /// How fast it goes and how long it will take; the time it has taken when neither can be told.
    fn pace(&self, now: Timestamp) -> Vec<String> {
        let Some(began) = self.began else { return Vec::new() };
        let spent = now.since(began);
        let (done, total) = self.units().unwrap_or((self.ended() - self.cached, self.tasks - self.cached));
        // A first second tells nothing of the others.
        if spent.as_secs() == 0 {
            return Vec::new();
        }
        let so_far = format!("{} so far", words::whole(spent));
        // Nobody knows when there is room again, so no end is promised.
        if self.is_paused {
            return vec![so_far, "waits for room on the disk".to_owned()];
        }
        if done == 0 || done >= total {
            return vec![so_far];
        }
        let per_second = done as f64 / spent.as_secs_f64();
        let left = ((total - done) as f64 / per_second).ceil();
        vec![words::rate(per_second), format!("{} left", words::whole(Duration::from_secs(left as u64)))]
    }

    /// The newest value of each number, of a stage that is one task: those of several tasks do not mix.
    fn newest_metrics(&self) -> Option<String> {
        let told = self.metrics.iter().filter(|_| self.tasks == 1);
        let told: Vec<String> = told.map(|(name, value)| format!("{name} {}", words::number(*value))).collect();
        (!told.is_empty()).then(|| told.join("  ").replace('_', " "))
    }

    /// What is left of it on the screen: `clips  12 done, 20 up to date  640 clips in 14 s`.
    pub(super) fn last_line(&self, width: usize, printer: &Printer) -> String {
        let counts = [
            (self.succeeded, "done", Style::Good),
            (self.cached, "up to date", Style::Good),
            (self.failed, "failed", Style::Error),
            (self.skipped, "skipped", Style::Warning),
            (self.cancelled, "stopped", Style::Warning),
        ];
        let told = counts.iter().filter(|(n, ..)| *n > 0);
        let told: Vec<String> =
            told.map(|(n, word, style)| printer.paint_err(*style, &format!("{n} {word}"))).collect();
        let told = if told.is_empty() { printer.paint_err(Style::Faint, "no rows") } else { told.join(", ") };
        let mut line = format!("{:width$}  {told}", self.name);
        if self.lost > 0 {
            let unit = if self.unit.is_empty() { "items" } else { &self.unit };
            line.push_str(&format!("  {}", printer.paint_err(Style::Warning, &format!("{} {unit} failed", self.lost))));
        }
        if let Some(why) = self.skip.and_then(words::skip) {
            line.push_str(&format!("  {}", printer.paint_err(Style::Faint, why)));
        }
        if let Some(began) = self.began {
            let spent = words::duration(self.heard.since(began));
            let made = self.units.values().map(|(done, _)| done).sum::<u64>();
            let what = if made > 0 { format!("{made} {} in {spent}", self.unit) } else { spent };
            line.push_str(&format!("  {}", printer.paint_err(Style::Faint, &what)));
        }
        if let Some(metrics) = self.newest_metrics() {
            line.push_str(&format!("  {metrics}"));
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printer::ColorChoice;
    use pipe_engine::attempt::ItemCount;
    use pipe_engine::event::VERSION;
    use pipe_engine::ids::{Fingerprint, RunId};

    fn at(second: u64, body: Body) -> RunEvent {
        let time = Timestamp(second * 1000);
        RunEvent { v: VERSION, seq: None, time, run: RunId("r".into()), task: None, attempt: None, body }
    }

    fn started() -> Body {
        let fingerprint = Fingerprint("f".into());
        Body::AttemptStarted { fingerprint, number: 1, backend: "local".into(), reason: String::new() }
    }

    fn progress(done: u64, total: u64) -> Body {
        Body::Progress { done, total, unit: "clips".into(), bytes: None }
    }

    #[test]
    fn tasks_that_have_not_told_their_total_are_taken_to_be_like_those_that_have() {
        let mut stage = Stage { tasks: 4, cached: 1, ..Stage::named("clips") };
        stage.take("clips[g=1]", &at(0, started()));
        stage.take("clips[g=1]", &at(10, progress(50, 100)));
        assert_eq!(stage.so_far(Timestamp(10_000)), "1/4 tasks  50/300 clips  5.0/s  50 s left");
        assert_eq!(stage.thousandths(), 166);
    }

    #[test]
    fn a_stage_that_waits_for_room_on_the_disk_promises_no_end() {
        let mut stage = Stage { tasks: 12, succeeded: 5, ..Stage::named("clips") };
        stage.take("clips[g=1]", &at(0, started()));
        assert_eq!(stage.so_far(Timestamp(10_000)), "5/12 tasks  0.5/s  14 s left");
        stage.is_paused = true;
        assert_eq!(stage.so_far(Timestamp(10_000)), "5/12 tasks  10 s so far  waits for room on the disk");
        assert_eq!(Stage::named("none").so_far(Timestamp(10_000)), "", "what has not begun says nothing");
    }

    #[test]
    fn a_single_task_shows_its_epochs_and_newest_metrics() {
        let mut stage = Stage { tasks: 1, ..Stage::named("model") };
        stage.take("model", &at(0, started()));
        for step in [1, 2] {
            stage.take("model", &at(step, Body::Metric { name: "loss".into(), step, value: 1.0 / step as f64 }));
        }
        stage.take("model", &at(2, Body::Progress { done: 2, total: 5, unit: "epochs".into(), bytes: None }));
        assert_eq!(stage.so_far(Timestamp(2000)), "2/5 epochs  1.0/s  3 s left  loss 0.5000");
    }

    #[test]
    fn bytes_are_told_with_their_rate_and_items_that_failed_at_the_end() {
        let mut stage = Stage { tasks: 1, ..Stage::named("clips") };
        stage.take("clips", &at(0, started()));
        let told = Body::Progress { done: 5, total: 20, unit: "clips".into(), bytes: Some(50 << 20) };
        stage.take("clips", &at(10, told));
        assert_eq!(stage.so_far(Timestamp(10_000)), "5/20 clips  50 MiB at 5.0 MiB/s  0.5/s  30 s left");
        let items = ItemCount { made: 18, reused: 0, failed: 2 };
        stage.take("clips", &at(40, Body::AttemptEnded { failure: None, items, usage: None, is_open: false }));
        stage.succeeded = 1;
        let line = stage.last_line(5, &Printer::new(ColorChoice::Never, false));
        assert_eq!(line, "clips  1 done  2 clips failed  5 clips in 40 s");
    }

    #[test]
    fn a_finished_stage_says_what_it_did_and_how_long_it_took() {
        let mut stage = Stage { tasks: 3, cached: 1, ..Stage::named("clips") };
        for (task, second) in [("a", 4), ("b", 14)] {
            stage.take(task, &at(0, started()));
            stage.take(task, &at(second, progress(20, 20)));
            stage.take(
                task,
                &at(
                    second,
                    Body::AttemptEnded { failure: None, items: ItemCount::default(), usage: None, is_open: false },
                ),
            );
        }
        let succeeded = || Body::TaskSucceeded {
            fingerprint: Fingerprint("f".into()),
            digest: String::new(),
            files: 1,
            bytes: 1,
            result: serde_json::Value::Null,
        };
        stage.take("a", &at(14, succeeded()));
        assert!(!stage.is_over());
        stage.take("b", &at(14, succeeded()));
        let printer = Printer::new(ColorChoice::Never, false);
        assert!(stage.is_over());
        assert_eq!(stage.last_line(6, &printer), "clips   2 done, 1 up to date  40 clips in 14 s");
    }
}
