//! A record, and the tasks in it that do not stand any more -> the part of the plan that has to be made: these tasks, all that
//! follows from them, and all that either needs. What is told of the others is known.

use super::Settled;
use crate::event::Body;
use crate::ids::{Cell, Fingerprint};
use std::collections::{HashMap, HashSet};

/// So many cells are told of in one event.
const TOLD_AT_ONCE: usize = 1000;
/// A part of a plan that is larger than this share of it is no smaller work than the whole.
const LARGEST_SHARE: usize = 4;
/// ... unless it is as small as this.
const SMALL: usize = 100;

/// The tasks of a plan that have to be planned, and what is known of the others.
#[derive(Debug, Default)]
pub struct Unsettled {
    /// The cells of each stage that are planned, as they are written. A stage that is not here has none.
    cells: HashMap<String, HashSet<String>>,
    /// The results that its tasks had.
    pub fingerprints: Vec<Fingerprint>,
    /// How many tasks of each stage stand.
    pub standing: HashMap<String, u64>,
    /// What a run says of those.
    pub told: Vec<Body>,
}

impl Unsettled {
    /// Whether a task is planned.
    pub fn has(&self, stage: &str, cell: &Cell) -> bool {
        self.cells.get(stage).is_some_and(|cells| cells.contains(&cell.to_string()))
    }
}

impl Settled {
    /// What is left to plan when these tasks do not stand any more. `None` when that is most of it, or this version cannot read
    /// the record.
    pub fn unsettled(&self, fallen: &[u32]) -> Option<Unsettled> {
        let mut is_in = vec![false; self.tasks.len()];
        fallen.iter().for_each(|place| is_in[*place as usize] = true);
        // Inputs come first, so that one walk in each direction meets every task after those that decide about it.
        for (place, task) in self.tasks.iter().enumerate() {
            is_in[place] |= task.needs.iter().any(|need| is_in[*need as usize]);
        }
        for place in (0..self.tasks.len()).rev().filter(|place| !self.tasks[*place].needs.is_empty()) {
            if is_in[place] {
                self.tasks[place].needs.iter().for_each(|need| is_in[*need as usize] = true);
            }
        }
        let size = is_in.iter().filter(|is_in| **is_in).count();
        tracing::debug!(
            fallen = fallen.len(),
            plan = size,
            of = is_in.len(),
            "what the last run stood on was looked at"
        );
        if size > SMALL.max(self.tasks.len() / LARGEST_SHARE) {
            return None;
        }
        self.divide(&is_in)
    }

    fn divide(&self, is_in: &[bool]) -> Option<Unsettled> {
        let mut left = Unsettled::default();
        let mut cells: Vec<(Vec<Cell>, Vec<String>)> = vec![Default::default(); self.stages.len()];
        for (task, is_in) in self.tasks.iter().zip(is_in) {
            let (stage, cell) = (task.stage as usize, serde_json::from_str::<Cell>(&task.cell).ok()?);
            let fingerprint = Fingerprint(blake3::Hash::from_bytes(task.fingerprint).to_hex().to_string());
            if *is_in {
                left.cells.entry(self.stages[stage].clone()).or_default().insert(cell.to_string());
                left.fingerprints.push(fingerprint);
                continue;
            }
            *left.standing.entry(self.stages[stage].clone()).or_default() += 1;
            let (held, keys) = &mut cells[stage];
            held.push(cell);
            keys.push(fingerprint.short(20).to_owned());
            if held.len() == TOLD_AT_ONCE {
                left.told.push(told(&self.stages[stage], &mut cells[stage]));
            }
        }
        let rest = self.stages.iter().zip(&mut cells).filter(|(_, (held, _))| !held.is_empty());
        left.told.extend(rest.map(|(stage, cells)| told(stage, cells)));
        Some(left)
    }
}

fn told(stage: &str, (cells, keys): &mut (Vec<Cell>, Vec<String>)) -> Body {
    Body::TasksCached { stage: stage.to_owned(), cells: std::mem::take(cells), keys: std::mem::take(keys) }
}
