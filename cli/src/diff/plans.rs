//! Two plans of a spec -> what differs: tasks that come and go, the settings and files of those that stay, what follows
//! from that, and what would have to run now.

use super::params;
use crate::exit::Refusal;
use crate::forecast::{Forecast, Forecasts};
use crate::wiring::Project;
use pipe_engine::failure::Failure;
use pipe_engine::key::{Change, Fields, KeyWriter, changes};
use pipe_engine::lookup::Finder;
use pipe_engine::plan::Plan;
use pipe_engine::spec::Spec;
use serde::Serialize;
use serde_json::Value as Json;
use std::collections::{HashMap, HashSet};

/// A plan, and what decides each of its tasks.
pub(crate) struct Planned {
    name: String,
    project: Project,
    finder: Finder,
    /// The fields of each task's key; results it takes stand there by the names of their tasks.
    fields: Vec<Fields>,
    /// What the spec says besides, such as `clips.timeout`: how things are done, and not what is made.
    settings: Fields,
}

/// What differs between two plans.
#[derive(Serialize)]
pub(crate) struct PlanDiff {
    /// What the earlier one is called, such as `v1 (1a2b3c4d5e6f)`.
    pub(crate) before: String,
    /// What the later one is called.
    pub(crate) now: String,
    pub(crate) params: Vec<Change>,
    /// Tasks that only the later plan has.
    pub(crate) added: Vec<String>,
    /// Tasks that only the earlier plan has.
    pub(crate) removed: Vec<String>,
    /// Tasks that both have and that are made in another way.
    pub(crate) changed: Vec<Changed>,
    /// Tasks that are made in the same way from results that may be others.
    pub(crate) follow: Vec<String>,
    /// Stages whose tasks are not known in one of the plans or in both, since the rows that make them are not.
    pub(crate) waiting: Vec<Waiting>,
    /// How many tasks are the same in both, and all they need as well.
    pub(crate) same: u64,
    /// What the spec says of how things are done, and no result depends on.
    pub(crate) settings: Vec<Change>,
    /// What the later plan would do with its tasks now.
    pub(crate) work: Work,
}

/// A stage whose tasks cannot be compared.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Waiting {
    pub(crate) stage: String,
    /// The stage that makes the rows.
    pub(crate) rows_of: String,
}

/// One task that both plans have.
#[derive(Serialize)]
pub(crate) struct Changed {
    pub(crate) task: String,
    pub(crate) changes: Vec<Change>,
}

/// What a run would do, in numbers and by name.
#[derive(Default, Serialize)]
pub(crate) struct Work {
    pub(crate) hit: u64,
    /// Tasks that would run.
    pub(crate) run: Vec<String>,
    /// Tasks of which it is not known before others have run.
    pub(crate) depends: Vec<String>,
    /// Stages whose tasks are not known before others have run.
    pub(crate) waiting: Vec<String>,
}

impl Planned {
    /// # Errors
    /// When a file that a task names cannot be read, or the store cannot be looked into.
    pub(crate) fn new(name: String, spec: &Spec, project: Project, finder: Finder) -> Result<Self, Refusal> {
        project.reach(&finder)?;
        let fields = (0..project.plan.len()).map(|index| fields(&finder, index));
        let fields = fields.collect::<Result<_, Failure>>()?;
        finder.save();
        Ok(Self { name, project, finder, fields, settings: settings(spec) })
    }

    fn plan(&self) -> &Plan {
        &self.project.plan
    }
}

/// What decides a task besides the bytes of the results it takes.
fn fields(finder: &Finder, index: usize) -> Result<Fields, Failure> {
    Ok(finder.key_with(index, |needed| format!("the result of {}", needed.id))?.fields)
}

/// Everything that a spec says and that is in no key, as it is written.
fn settings(spec: &Spec) -> Fields {
    let without = |json: Json, keys: &[&str]| match json {
        Json::Object(map) => map.into_iter().filter(|(key, _)| !keys.contains(&key.as_str())).collect(),
        other => other,
    };
    let mut writer = KeyWriter::default();
    for key in ["store", "backends", "defaults", "hooks", "schedule", "max_cost", "deadline", "labels", "sources"] {
        if let Some(node) = spec.root.get(key) {
            writer = writer.json(key, &without(node.to_json(), &["env", "image"]));
        }
    }
    for stage in &spec.stages {
        let own = without(stage.common.to_json(), &["matrix", "foreach", "env", "tools", "image"]);
        if own.as_object().is_some_and(|own| !own.is_empty()) {
            writer = writer.json(&stage.name.value, &own);
        }
    }
    writer.finish().fields
}

impl PlanDiff {
    pub(crate) fn of(before: &Planned, now: &Planned) -> Self {
        let earlier: HashMap<String, usize> =
            before.plan().tasks().enumerate().map(|(place, task)| (task.id.to_string(), place)).collect();
        let mut diff = Self {
            before: before.name.clone(),
            now: now.name.clone(),
            params: params(&before.plan().params, &now.plan().params),
            added: Vec::new(),
            removed: Vec::new(),
            changed: Vec::new(),
            follow: Vec::new(),
            waiting: waiting(before.plan(), now.plan()),
            same: 0,
            settings: changes(&before.settings, &now.settings),
            work: work(now),
        };
        // Tasks whose results may be others than before. Inputs come first, so each is known before it is asked for.
        let mut moved = HashSet::new();
        let mut kept = HashSet::new();
        let unknown: HashSet<String> = diff.waiting.iter().map(|waiting| waiting.stage.clone()).collect();
        for (place, task) in now.plan().tasks().enumerate() {
            if unknown.contains(&task.id.stage) {
                continue;
            }
            let name = task.id.to_string();
            let follows = task.inputs.iter().flat_map(|i| i.tasks.iter()).any(|need| moved.contains(&need.index()));
            match earlier.get(&name).map(|there| changes(&before.fields[*there], &now.fields[place])) {
                None => diff.added.push(name.clone()),
                Some(changes) if !changes.is_empty() => diff.changed.push(Changed { task: name.clone(), changes }),
                Some(_) if follows => diff.follow.push(name.clone()),
                Some(_) => {
                    diff.same += 1;
                    kept.insert(name);
                    continue;
                }
            }
            moved.insert(place);
            kept.insert(name);
        }
        let known = before.plan().tasks().filter(|task| !unknown.contains(&task.id.stage));
        diff.removed = known.map(|task| task.id.to_string()).filter(|name| !kept.contains(name)).collect();
        diff
    }
}

impl Changed {
    pub(crate) fn stage(&self) -> &str {
        self.task.split('[').next().unwrap_or(&self.task)
    }
}

/// The stages that wait for rows in one of the plans, each once.
fn waiting(before: &Plan, now: &Plan) -> Vec<Waiting> {
    let mut all: Vec<Waiting> = Vec::new();
    for plan in [now, before] {
        for (stage, rows_of) in plan.waiting() {
            let [stage, rows_of] = [stage, rows_of].map(|place| plan.stages[place].name.clone());
            if all.iter().all(|known| known.stage != stage) {
                all.push(Waiting { stage, rows_of });
            }
        }
    }
    all
}

fn work(now: &Planned) -> Work {
    let waiting = now.plan().waiting().map(|(stage, _)| now.plan().stages[stage].name.clone());
    let mut work = Work { waiting: waiting.collect(), ..Work::default() };
    let forecasts = Forecasts::of(now.plan(), &now.finder);
    for (index, task) in now.plan().tasks().enumerate() {
        match forecasts.task(index) {
            Forecast::Hit(_) => work.hit += 1,
            Forecast::Skip(_) | Forecast::Out => {}
            Forecast::Run(_) | Forecast::Failed(_) => work.run.push(task.id.to_string()),
            Forecast::DependsOn(_) => work.depends.push(task.id.to_string()),
        }
    }
    work
}
