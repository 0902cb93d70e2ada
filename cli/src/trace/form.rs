//! A timeline -> the lines of a trace file.

use crate::lanes::Lanes;
use pipe_engine::report::{Span, Timeline, Tried, What};
use pipe_engine::world::Timestamp;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};

/// The process that stands for the run as a whole.
const RUN: usize = 1;
/// The process of all that waits.
const WAITING: usize = 2;
/// The process of results that are being put in the store.
const PUBLISHING: usize = 3;
/// The process of the first backend.
const BACKENDS: usize = 4;

/// Writes the lines one by one: the trace of a large run need not be in memory twice.
pub(super) fn write(timeline: &Timeline, to: &mut impl Write) -> io::Result<()> {
    let mut lines = Lines { to, begin: timeline.begin, is_first: true };
    writeln!(lines.to, "{{\"displayTimeUnit\": \"ms\", \"otherData\": {}, \"traceEvents\": [", about(timeline))?;
    let backends = backends(timeline);
    lines.processes(&backends)?;
    let run = json!({ "name": timeline.run, "cat": "run", "ph": "X", "pid": RUN, "tid": 0,
        "ts": 0, "dur": micros(timeline.begin, timeline.end) });
    lines.put(&run)?;
    for (stage, time, count) in &timeline.found {
        let name = format!("{stage}: {count} up to date");
        let ts = micros(timeline.begin, *time);
        lines.put(&json!({ "name": name, "cat": "cached", "ph": "i", "s": "p", "pid": RUN, "tid": 0, "ts": ts }))?;
    }
    let places = lines.spans(timeline, &backends)?;
    lines.arrows(timeline, &places)?;
    writeln!(lines.to, "\n]}}")
}

fn about(timeline: &Timeline) -> Json {
    json!({ "run": timeline.run, "began_at_ms": timeline.begin.0 })
}

fn backends(timeline: &Timeline) -> BTreeMap<&str, usize> {
    let mut named: BTreeMap<&str, usize> = BTreeMap::new();
    for span in &timeline.spans {
        if let (What::Attempt, Some(backend)) = (span.what, &span.backend) {
            named.insert(backend, 0);
        }
    }
    named.into_keys().enumerate().map(|(place, name)| (name, BACKENDS + place)).collect()
}

/// Where the attempts of a task stand: the first one's row and begin, the last one's row and end.
struct Place {
    first: (usize, usize, Timestamp),
    last: (usize, usize, Timestamp),
}

struct Lines<'a, W> {
    to: &'a mut W,
    begin: Timestamp,
    is_first: bool,
}

impl<W: Write> Lines<'_, W> {
    fn put(&mut self, line: &Json) -> io::Result<()> {
        let comma = if std::mem::take(&mut self.is_first) { "" } else { ",\n" };
        write!(self.to, "{comma}{line}")
    }

    fn processes(&mut self, backends: &BTreeMap<&str, usize>) -> io::Result<()> {
        let fixed = [(RUN, "run"), (WAITING, "waiting"), (PUBLISHING, "publishing")];
        let all = fixed.into_iter().chain(backends.iter().map(|(name, process)| (*process, *name)));
        for (process, name) in all {
            self.put(&json!({ "name": "process_name", "ph": "M", "pid": process, "args": { "name": name } }))?;
            self.put(
                &json!({ "name": "process_sort_index", "ph": "M", "pid": process, "args": { "sort_index": process } }),
            )?;
        }
        Ok(())
    }

    fn spans<'t>(
        &mut self,
        timeline: &'t Timeline,
        backends: &BTreeMap<&str, usize>,
    ) -> io::Result<HashMap<&'t str, Place>> {
        let mut lanes: HashMap<usize, Lanes> = HashMap::new();
        let mut places: HashMap<&str, Place> = HashMap::new();
        for span in &timeline.spans {
            let (process, category) = kind(span, backends);
            let lane = lanes.entry(process).or_default().take(span.begin.0, span.end.0.max(span.begin.0 + 1));
            self.put(&json!({
                "name": name(span), "cat": category, "ph": "X", "pid": process, "tid": lane,
                "ts": micros(self.begin, span.begin), "dur": micros(span.begin, span.end), "args": facts(span),
            }))?;
            if span.what == What::Attempt {
                let first = (process, lane, span.begin);
                let place = places.entry(&span.task).or_insert(Place { first, last: first });
                place.last = (process, lane, span.end);
            }
        }
        Ok(places)
    }

    /// From the end of the input that was there last to the begin of what waited for it.
    fn arrows(&mut self, timeline: &Timeline, places: &HashMap<&str, Place>) -> io::Result<()> {
        for (id, (input, task)) in timeline.last_inputs.iter().enumerate() {
            // An input that was found has no place that an arrow could begin at.
            let (Some(from), Some(to)) = (places.get(input.as_str()), places.get(task.as_str())) else { continue };
            for (phase, (process, lane, time)) in [("s", from.last), ("f", to.first)] {
                self.put(&json!({
                    "name": "input", "cat": "input", "ph": phase, "bp": "e", "id": id, "pid": process, "tid": lane,
                    "ts": micros(self.begin, time),
                }))?;
            }
        }
        Ok(())
    }
}

fn kind(span: &Span, backends: &BTreeMap<&str, usize>) -> (usize, &'static str) {
    match span.what {
        What::Attempt => (span.backend.as_deref().map_or(RUN, |backend| backends[backend]), "attempt"),
        What::Room => (WAITING, "room"),
        What::Beginning => (WAITING, "beginning"),
        What::Machine => (WAITING, "machine"),
        What::Rest => (WAITING, "rest"),
        What::Publishing => (PUBLISHING, "publishing"),
    }
}

fn name(span: &Span) -> String {
    let task = &span.task;
    match span.what {
        What::Attempt => task.clone(),
        What::Room => format!("{task} waits for room"),
        What::Beginning => format!("{task} is looked up and begun"),
        What::Machine => format!("{task} waits for a machine"),
        What::Rest => format!("{task} rests"),
        What::Publishing => format!("{task} is put in the store"),
    }
}

fn facts(span: &Span) -> Json {
    match &span.attempt {
        Some(Tried { id, number, reason, failure, .. }) => {
            json!({ "attempt": id, "try": number, "because": reason, "failure": failure })
        }
        None => match (&span.backend, &span.until) {
            (Some(backend), _) => json!({ "backend": backend }),
            (None, Some(task)) => json!({ "until the end of": task }),
            (None, None) => json!({}),
        },
    }
}

/// The format counts in microseconds.
fn micros(from: Timestamp, to: Timestamp) -> u64 {
    to.0.saturating_sub(from.0) * 1000
}
