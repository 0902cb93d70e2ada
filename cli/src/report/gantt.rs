//! A timeline -> where its bars stand in a picture: a row for each task, or, of many tasks, as few rows for each stage as
//! its attempts need side by side. The template draws them.

use crate::lanes::Lanes;
use crate::words;
use indexmap::{IndexMap, IndexSet};
use pipe_engine::report::{Span, Timeline, What};
use pipe_engine::world::Timestamp;
use serde::Serialize;
use std::collections::HashMap;
use std::time::Duration;

/// More tasks than this share rows.
const ROWS: usize = 60;
/// Rows that one stage has at most; what runs beside more of its kind shares the last.
const OF_STAGE: usize = 24;
/// The picture's width, and where the bars begin and end in it.
const WIDTH: f64 = 1000.0;
const LEFT: f64 = 250.0;
const RIGHT: f64 = 990.0;
/// The height of the head, of a task's row, and of one that many share.
const HEAD: f64 = 26.0;
const TALL: f64 = 20.0;
const LOW: f64 = 8.0;
/// Characters of a label; the whole name is shown when somebody points at it.
const LABEL: usize = 35;
/// Bars that stand closer than this in one row are one.
const APART: f64 = 0.4;

/// A picture of a timeline.
#[derive(Serialize)]
pub(super) struct Gantt {
    width: f64,
    height: f64,
    left: f64,
    ticks: Vec<Tick>,
    rows: Vec<Row>,
    bars: Vec<Bar>,
    arrows: Vec<String>,
    /// Whether rows are shared.
    is_packed: bool,
    /// The sorts of bars there are, for the legend.
    sorts: Vec<(&'static str, &'static str)>,
}

#[derive(Serialize)]
struct Tick {
    x: f64,
    label: String,
}

#[derive(Serialize)]
struct Row {
    y: f64,
    height: f64,
    label: String,
    name: String,
}

#[derive(Clone, Debug, Serialize)]
struct Bar {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
    sort: &'static str,
    tip: String,
    /// How many it stands for.
    #[serde(skip)]
    count: usize,
}

/// What a bar is, and what the legend says of it.
const SORTS: [(&str, &str); 6] = [
    ("ran", "ran"),
    ("bad", "failed"),
    ("open", "had not ended"),
    ("room", "waited for room, or to be begun"),
    ("rest", "rested before a retry, or waited for a machine"),
    ("store", "put into the store"),
];

impl Gantt {
    /// The picture of a run in which something ran.
    pub(super) fn of(timeline: &Timeline) -> Option<Self> {
        let tasks: IndexSet<&str> = timeline.spans.iter().map(|span| &*span.task).collect();
        if tasks.is_empty() || timeline.end <= timeline.begin {
            return None;
        }
        let scale = Scale { begin: timeline.begin, length: timeline.end.since(timeline.begin) };
        let is_packed = tasks.len() > ROWS;
        let (rows, bars, arrows) = match is_packed {
            true => packed(timeline, &scale),
            false => one_by_one(timeline, &tasks, &scale),
        };
        let height = rows.iter().map(|row| row.y + row.height).fold(HEAD, f64::max) + 6.0;
        let sorts = SORTS.into_iter().filter(|(sort, _)| bars.iter().any(|bar| bar.sort == *sort)).collect();
        let ticks = scale.ticks();
        Some(Self { width: WIDTH, height: round(height), left: LEFT, ticks, rows, bars, arrows, is_packed, sorts })
    }
}

type Drawn = (Vec<Row>, Vec<Bar>, Vec<String>);

fn one_by_one(timeline: &Timeline, tasks: &IndexSet<&str>, scale: &Scale) -> Drawn {
    let top = |task: &str| HEAD + TALL * tasks.get_index_of(task).unwrap_or(0) as f64;
    let row =
        |task: &&str| Row { y: top(task), height: TALL, label: words::cut(task, LABEL), name: (*task).to_owned() };
    let rows = tasks.iter().map(row).collect();
    let bars: Vec<Bar> = timeline.spans.iter().map(|span| scale.bar(span, top(&span.task), TALL)).collect();
    let mut first: HashMap<&str, f64> = HashMap::new();
    let mut last: HashMap<&str, f64> = HashMap::new();
    for span in timeline.spans.iter() {
        first.entry(&span.task).or_insert_with(|| scale.x(span.begin));
        let end = last.entry(&span.task).or_default();
        *end = end.max(scale.x(span.end));
    }
    let arrows = timeline.last_inputs.iter().filter_map(|(input, task)| {
        let (from, to) = (last.get(&**input)?, first.get(&**task)?);
        let (above, below) = (top(input) + TALL / 2.0, top(task) + TALL / 2.0);
        let bend = (from.max(*to) + 3.0).min(RIGHT);
        Some(format!("M{} {above}H{}V{below}H{}", round(*from), round(bend), round(*to)))
    });
    (rows, bars, arrows.collect())
}

fn packed(timeline: &Timeline, scale: &Scale) -> Drawn {
    let mut stages: IndexMap<&str, Vec<&Span>> = IndexMap::new();
    for span in timeline.spans.iter().filter(|span| span.what == What::Attempt) {
        stages.entry(span.task.split('[').next().unwrap_or(&span.task)).or_default().push(span);
    }
    let (mut rows, mut bars, mut y) = (Vec::new(), Vec::new(), HEAD);
    for (stage, spans) in stages {
        let mut lanes = Lanes::default();
        let mut drawn: IndexMap<usize, Vec<Bar>> = IndexMap::new();
        for span in &spans {
            let lane = lanes.take(span.begin.0, span.end.0.max(span.begin.0 + 1)).min(OF_STAGE - 1);
            put(drawn.entry(lane).or_default(), scale.bar(span, y + LOW * lane as f64, LOW));
        }
        let height = (LOW * drawn.len() as f64).max(TALL);
        let name = format!("{stage} ({})", words::count(spans.len() as u64, "attempt"));
        rows.push(Row { y, height, label: words::cut(&name, LABEL), name });
        bars.extend(drawn.into_values().flatten());
        y += height + 4.0;
    }
    (rows, bars, Vec::new())
}

/// Draws a bar behind the others of its row, or makes the last one longer where nobody could tell them apart.
fn put(row: &mut Vec<Bar>, bar: Bar) {
    match row.last_mut().filter(|last| last.sort == bar.sort && bar.x - (last.x + last.width) < APART) {
        Some(last) => {
            last.width = round((bar.x + bar.width).max(last.x + last.width) - last.x);
            last.count += 1;
            last.tip = words::count(last.count as u64, "attempt");
        }
        None => row.push(bar),
    }
}

/// Where a moment stands.
struct Scale {
    begin: Timestamp,
    length: Duration,
}

impl Scale {
    fn x(&self, time: Timestamp) -> f64 {
        LEFT + (RIGHT - LEFT) * time.since(self.begin).as_secs_f64() / self.length.as_secs_f64()
    }

    fn bar(&self, span: &Span, top: f64, row: f64) -> Bar {
        let sort = sort(span);
        // What was worked stands out from what was waited for.
        let share = if matches!(span.what, What::Attempt) { 0.7 } else { 0.3 };
        let (begin, end, height) = (self.x(span.begin), self.x(span.end), row * share);
        Bar {
            x: round(begin),
            y: round(top + (row - height) / 2.0),
            width: round((end - begin).max(0.8)),
            height: round(height),
            sort,
            tip: tip(span),
            count: 1,
        }
    }

    /// Some five lines of time at round numbers.
    fn ticks(&self) -> Vec<Tick> {
        let steps =
            [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0];
        let seconds = self.length.as_secs_f64();
        let long = (seconds / 5.0 / 7200.0).ceil() * 7200.0;
        let step = steps.into_iter().find(|step| seconds / step <= 7.0).unwrap_or(long);
        let marks = (0..).map(|n| step * f64::from(n)).take_while(|at| *at <= seconds && seconds > 0.0);
        let tick = |at: f64| Tick { x: round(LEFT + (RIGHT - LEFT) * at / seconds), label: label(at) };
        marks.map(tick).collect()
    }
}

fn label(seconds: f64) -> String {
    match seconds {
        0.0 => "0".to_owned(),
        s if s < 1.0 || s != s.trunc() => format!("{s:.1} s"),
        s => words::whole(Duration::from_secs_f64(s)),
    }
}

fn sort(span: &Span) -> &'static str {
    match (&span.what, &span.attempt) {
        (What::Attempt, Some(attempt)) if attempt.failure.is_some() => "bad",
        (What::Attempt, Some(attempt)) if !attempt.has_ended => "open",
        (What::Attempt, _) => "ran",
        (What::Room | What::Beginning, _) => "room",
        (What::Rest | What::Machine, _) => "rest",
        (What::Publishing, _) => "store",
    }
}

fn tip(span: &Span) -> String {
    let took = words::duration(span.end.since(span.begin));
    let (task, backend) = (&span.task, span.backend.as_deref().unwrap_or("a backend"));
    match (span.what, &span.attempt) {
        (What::Attempt, Some(attempt)) => {
            let number = if attempt.number > 1 { format!(", attempt {}", attempt.number) } else { String::new() };
            let failed = attempt.failure.as_ref().map_or_else(String::new, |code| format!(", failed: {code}"));
            format!("{task}{number}: {took}{failed}")
        }
        (What::Machine, _) => format!("{task}: waited {took} for a machine of {backend}"),
        (What::Rest, _) => format!("{task}: rested {took} before the next try"),
        (What::Publishing, _) => format!("{task}: {took} into the store"),
        (What::Beginning, _) => format!("{task}: {took} to be looked up and begun"),
        (What::Room | What::Attempt, _) => match &span.until {
            Some(other) => format!("{task}: waited {took} for room, until the end of {other}"),
            None => format!("{task}: waited {took} for room"),
        },
    }
}

/// Tenths are finer than anybody sees.
fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(seconds: f64) -> Vec<String> {
        let scale = Scale { begin: Timestamp(0), length: Duration::from_secs_f64(seconds) };
        scale.ticks().into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn lines_of_time_stand_at_round_numbers_and_are_few() {
        assert_eq!(ticks(22.0), ["0", "5 s", "10 s", "15 s", "20 s"]);
        assert_eq!(ticks(0.5), ["0", "0.1 s", "0.2 s", "0.3 s", "0.4 s", "0.5 s"]);
        assert_eq!(ticks(400.0), ["0", "1m 00s", "2m 00s", "3m 00s", "4m 00s", "5m 00s", "6m 00s"]);
        assert_eq!(ticks(40_000.0).len(), 6);
        assert!(ticks(9e6).len() <= 8);
    }

    #[test]
    fn ten_thousand_attempts_of_a_stage_are_a_picture_that_one_can_look_at() {
        let attempt = |n: u64| Span {
            task: format!("make[n={n}]"),
            what: What::Attempt,
            begin: Timestamp(n * 10),
            end: Timestamp(n * 10 + 35),
            attempt: None,
            backend: None,
            until: None,
        };
        let spans = (0..10_000).map(attempt).collect();
        let timeline = Timeline { end: Timestamp(100_025), spans, ..Timeline::default() };
        let gantt = Gantt::of(&timeline).unwrap();
        assert!(gantt.is_packed && gantt.rows.len() == 1 && gantt.height < 200.0, "{}", gantt.height);
        assert!(gantt.bars.len() < 8000, "{}", gantt.bars.len());
        assert!(gantt.bars.iter().all(|bar| bar.x >= LEFT && bar.x + bar.width <= RIGHT + 1.0));
    }
}
