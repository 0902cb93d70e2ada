//! Two runs, or two plans -> what differs. Facts first, and the lines that tell them to people.

mod groups;
mod plans;
mod runs;
pub(crate) mod tell;

use groups::{Group, group};
use plans::Changed;
pub(crate) use plans::{PlanDiff, Planned};
use runs::TaskDiff;
pub(crate) use runs::{RunDiff, Shelf};

use pipe_engine::key::{Change, Fields, KeyWriter, changes};
use serde_json::{Map, Value as Json};

/// The parameters that differ, down to the leaf.
fn params(before: &Map<String, Json>, now: &Map<String, Json>) -> Vec<Change> {
    let fields = |params: &Map<String, Json>| -> Fields {
        params.iter().fold(KeyWriter::default(), |writer, (name, value)| writer.json(name, value)).finish().fields
    };
    changes(&fields(before), &fields(now))
}
