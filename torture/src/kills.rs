//! `kill -9`, many times over: at random moments and at every fail point, one project after the other until all are done.

use crate::bench::{Bench, Seed};
use crate::table::{Row, Table};
use crate::watch::Watch;
use pipe_engine::failpoint::{AFAR, POINTS};
use std::time::Duration;

/// A project may end before a kill comes; then the kill is tried on the next.
const TRIES: usize = 6;

/// When a run is killed.
#[derive(Clone)]
enum When {
    /// After a part of the time that the whole run takes.
    Random,
    /// At a fail point.
    Point(&'static str),
}

/// Kills at random moments, and `each` at every point that a run of the control reached.
pub(crate) fn table(bench: &Bench, random: usize, each: usize) -> Table {
    let mut hunt = Hunt { bench, seed: Seed::of(bench.seed), watch: None, table: Table::default() };
    hunt.row("random moments", When::Random, random);
    // Nothing of the project runs elsewhere: who is killed around jobs there is a matter of `cli/tests/it/killed.rs`.
    for point in POINTS.into_iter().filter(|point| !point.starts_with(AFAR)) {
        if bench.reached.contains_key(point) {
            hunt.row(point, When::Point(point), each);
        } else {
            hunt.table.not_reached.push(point);
        }
    }
    hunt.finish();
    hunt.table
}

struct Hunt<'a> {
    bench: &'a Bench,
    seed: Seed,
    /// The project that is not done yet.
    watch: Option<Watch>,
    table: Table,
}

impl Hunt<'_> {
    fn row(&mut self, name: &str, when: When, kills: usize) {
        self.table.rows.push(Row::named(name));
        for _ in 0..kills {
            // A journal is created once in a project.
            if matches!(when, When::Point("journal.created")) && self.watch.as_ref().is_some_and(Watch::has_results) {
                self.finish();
            }
            if !(0..TRIES).any(|_| self.strike(&when)) {
                self.table.last().wrong.stuck.push("no kill came to fall here".to_owned());
            }
        }
        let row = self.table.last();
        eprintln!("{}", row.line());
    }

    /// Starts a run and kills it. Returns whether it lived long enough for that.
    fn strike(&mut self, when: &When) -> bool {
        let mut watch = self.watch.take().unwrap_or_else(|| self.bench.watch("kills"));
        let (share, nth) = (self.seed.share(), self.seed.share());
        let ended = match when {
            When::Random => {
                let rest = Duration::from_secs_f64(self.bench.took.as_secs_f64() * share);
                watch.start(&self.bench.pipe, &[]).kill_after(rest)
            }
            When::Point(point) => {
                // A twelfth of a run at most: ten kills fall into one project.
                let most = (self.bench.reached[*point] / 12).max(1) as f64;
                let nth = 1 + (nth * most) as u64;
                watch.start(&self.bench.pipe, &[("PIPE_FAILPOINT", format!("{point}:{nth}"))]).wait()
            }
        };
        let killed = ended.was_killed();
        let row = self.table.last();
        if killed {
            row.kills += 1;
            row.amid += usize::from(watch.died(&ended));
        } else {
            watch.done(&ended, &self.bench.control);
        }
        row.wrong += std::mem::take(&mut watch.wrong);
        // What needs a hand would be told again and again.
        if killed && row.wrong.stuck.is_empty() {
            self.watch = Some(watch);
        }
        killed
    }

    /// Runs the project that is not done yet to its end.
    fn finish(&mut self) {
        let Some(mut watch) = self.watch.take() else { return };
        let ended = watch.start(&self.bench.pipe, &[]).wait();
        watch.done(&ended, &self.bench.control);
        self.table.last().wrong += watch.wrong;
    }
}
