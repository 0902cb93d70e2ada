//! The events of a run -> how far each of its stages is. A fold; it shows nothing.

use super::stage::Stage;
use pipe_engine::event::{Body, RunEvent};
use pipe_engine::plan::Plan;
use std::collections::HashMap;

/// All stages of a run, in the plan's order.
pub(super) struct Board {
    pub(super) stages: Vec<Stage>,
    /// Characters of the longest stage name.
    pub(super) name_width: usize,
    /// Whether any attempt was started.
    pub(super) has_run: bool,
    places: HashMap<String, usize>,
}

impl Board {
    /// `beside`: how many tasks of each stage are not in the plan.
    pub(super) fn of(plan: &Plan, beside: &HashMap<String, u64>) -> Self {
        let mut stages: Vec<Stage> = plan.stages.iter().map(|stage| Stage::named(&stage.name)).collect();
        for stage in &mut stages {
            stage.tasks = beside.get(&stage.name).copied().unwrap_or(0);
        }
        for task in plan.asked() {
            stages[plan.task(task).stage].tasks += 1;
        }
        Self {
            name_width: stages.iter().map(|stage| stage.name.chars().count()).max().unwrap_or(0),
            places: stages.iter().enumerate().map(|(place, stage)| (stage.name.clone(), place)).collect(),
            stages,
            has_run: false,
        }
    }

    /// Takes an event and says which stage it changed.
    pub(super) fn take(&mut self, event: &RunEvent) -> Option<usize> {
        self.has_run |= matches!(event.body, Body::AttemptStarted { .. });
        if let Body::DiskFull { .. } | Body::DiskFree = event.body {
            let is_full = event.body != Body::DiskFree;
            self.stages.iter_mut().for_each(|stage| stage.is_paused = is_full);
            return None;
        }
        if let Body::TasksCached { stage, cells, .. } = &event.body {
            let place = *self.places.get(stage)?;
            self.stages[place].cached += cells.len() as u64;
            return Some(place);
        }
        if let Body::StageExpanded { stage, tasks, .. } = &event.body {
            let place = *self.places.get(stage)?;
            self.stages[place].tasks += tasks;
            return Some(place);
        }
        let task = event.task.as_ref()?;
        let place = *self.places.get(task.split('[').next()?)?;
        self.stages[place].take(task, event);
        Some(place)
    }
}
